"""What operators order and read: retry of a campaign, quarantine, editions, events."""
import case_board
from world import *


def events(about=None, since=0):
    return operator("select event, level, about, actor, detail, key from event_list"
                    " where about like coalesce(%s, '%%') and at > to_timestamp(%s) order by at, key",
                    about, since)


def now():
    return root("select extract(epoch from clock_timestamp())::float8")[0][0]


def retry(campaign):
    return operator("select * from campaign_retry(%s)", campaign)[0]


def campaign_of(run):
    return root("select campaign_id from run where run_id=%s", run)[0][0]


def retry_of_a_campaign_opens_what_was_given_up_and_nothing_else():
    with Leader() as k:
        a = k.hello("k1")
        m = model()
        launch([m], ['{"shots":0,"limit":4,"r":1}', '{"shots":0,"limit":4,"r":2}',
                     '{"shots":0,"limit":4,"r":3}'], size=2, name="retried")
        c = root("select campaign_id from campaign where name='retried'")[0][0]
        runs = [r[0] for r in root("select run_id from run where campaign_id=%s order by 1", c)]
        plan(root("select plan_id from run where run_id=%s", runs[0])[0][0], 4)
        held = {r: [] for r in runs}
        for shard, epoch, run, lo, hi in k.claim(a, m, 99):
            held[run].append((shard, epoch, lo, hi))
        for run, bad in ((runs[0], True), (runs[1], False)):  # one errs, one is complete, one runs
            for shard, epoch, lo, hi in held[run]:
                k.flush([(a, (shard, epoch))],
                        [(1, n, [], "oom") if bad and n == 1 else (1, n, [-1.0]) for n in range(lo, hi)])
        assert [run_state(r) for r in runs] == ["erred", "complete", "running"]
        open_leases = root("select count(*) from shard where run_id=%s and state='leased'", runs[2])
        assert retry(c) == (1, 1, 0)
        assert [run_state(r) for r in runs] == ["running", "complete", "running"]
        assert root("select count(*) from shard where run_id=%s and state='leased'", runs[2]) == open_leases
        assert retry(c) == (0, 0, 0)  # nothing given up: no error
        g = k.grant(a, m)
        assert k.missing(g[0]) == [1]
        k.flush([(a, g)], answers(1, [1]))
        assert run_state(runs[0]) == "complete"


def retry_of_a_campaign_queues_its_failed_jobs_once():
    with Leader() as k:
        run = case_board.complete(k, model())
        c, number, at = job("score", run)
        assert one(c, "select job_fail(%s,%s,'no disk',false)", number, at) == "failed"
        c.close()
        assert [e[:2] for e in events(f"score job {number}")] == [("job.failed", "E")]
        assert retry(campaign_of(run)) == (0, 0, 1) and retry(campaign_of(run)) == (0, 0, 0)
        assert root("select state from job where job_id=%s", number) == [("queued",)]


def cancelled_campaign_takes_no_order():
    with Leader() as k:
        run = fresh()[1]
        c = campaign_of(run)
        operator("select campaign_cancel(%s,'wrong')", c)
        for order in ("campaign_retry", "campaign_pause", "campaign_resume"):
            assert err(operator, f"select {order}(%s)", c) == "KE009", order
            assert err(operator, f"select {order}(-1)") == ("KE005" if order != "campaign_retry" else None)
        assert k.epoch


def quarantined_node_stores_nothing_and_its_work_moves():
    with Leader() as k:
        root("update agent set intent='active'")
        a, b = k.hello("k1"), k.hello("k2")
        m, run = fresh()
        late = k.grant(a, m, "0 s")
        k.expire()
        g = k.grant(a, m)
        i = con(auto=False)
        lo = root("select plan_lo from shard where shard_id=%s", late[0])[0][0]
        k.flush([(a, late)], answers(1, [lo]), c=i)  # locks no row that the quarantine takes
        t = Sent(q, World.op, "select * from node_quarantine('n-k1','bad memory')")
        assert t.waits(), "quarantined while a batch of the node was open"
        i.commit()
        assert t.result() == [(1, 1)]
        stored = root("select count(*) from response where run_id=%s", run)
        for lease in (g, late):
            assert k.flush([(a, lease)], answers(1, [1, 11]))[0][1:3] == ("REJECTED", "key revoked")
        assert root("select count(*) from response where run_id=%s", run) == stored
        assert not k.claim(a, m) and not k.fetch(a, g) and k.hello("k1").intent == "quarantine"
        assert root("select attempts, outcome from shard join lease using (shard_id, lease_epoch)"
                    " where shard_id=%s", g[0]) == [(0, "revoked")], "the shard is not to blame"
        assert operator("select state, reason from node_list where node='n-k1'") == \
            [("quarantined", "bad memory")]
        assert [e[0] for e in events("n-k1")][-1] == "node.quarantine"
        for shard, epoch, _, lo, hi in k.claim(b, m, 9):
            k.flush([(b, (shard, epoch))], answers(1, range(lo, hi)))
        assert run_state(run) == "complete"
        assert operator("select node_drain('n-k1','x')") == [(0,)], "a drain does not lift a quarantine"
        operator("select node_resume('n-k1')")
        assert k.hello("k1").intent == "active"
        assert err(operator, "select node_quarantine('n-k1','')") == "KE004"
        assert err(operator, "select node_quarantine('nowhere','x')") == "KE005"


def editions_say_who_led_and_hide_the_withdrawn():
    s = case_board.scorer()
    b = case_board.define("ed", [{"task": "t", "metric": "acc", "params": {"dtype": "ed"}}], s, publish=False)
    with Leader() as k:
        root("update agent set intent='active'")
        ms = [model("ed-a"), model("ed-b")]
        for n, m in enumerate(ms):
            case_board.score(case_board.complete(k, m, case_board.PARAMS.replace("f32", "ed")), s)
            case_board.publish(b)
        look = lambda: operator("select seq, models, leader, is_rollback, until is null from edition_list"
                                " where board='ed' order by seq")
        assert look() == [(1, 1, "ed-a", False, False), (2, 2, "ed-a", False, True)], look()
        assert operator("select seq, model, rank from place_list where board='ed' order by seq, rank") == \
            [(1, "ed-a", 1), (2, "ed-a", 1), (2, "ed-b", 2)]
        first = root("select snapshot_id from edition_list where board='ed' and seq=1")[0][0]
        admin("select rank_rollback(%s,%s)", b, first)
        assert look()[2] == (3, 1, "ed-a", True, True)
        admin("select model_withdraw(%s,'owner asked')", ms[0])
        assert {r[2] for r in look()} == {"withdrawn"}
        assert "ed-a" not in {r[0] for r in operator("select model from place_list where board='ed'")}
        assert ("model.withdraw", "owner asked") in [(e[0], e[4]) for e in events("ed-a")]


def an_event_has_one_key_and_bad_ends_of_leases_are_told():
    since = now()
    with Leader() as k:
        root("update agent set intent='active'")
        a = k.hello("k1")
        m, run = fresh()
        g = k.grant(a, m, "0 s")
        k.expire()
        keys = [e[5] for e in events()]
        assert len(keys) == len(set(keys)), [x for x in keys if keys.count(x) > 1][:3]
        assert ("shard.expired", "W", f"shard {g[0]} of run {run}", "n-k1 slot 0") in \
            [e[:4] for e in events(since=since)]
        assert "campaign.launch" in [e[0] for e in events(since=since)]
        operator("select run_cancel(%s,'enough')", run)
        assert ("run.cancel", f"run {run}", "koeval_operator", "enough") in \
            [(e[0], e[2], e[3], e[4]) for e in events(since=since)]
