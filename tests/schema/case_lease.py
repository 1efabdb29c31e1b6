"""Claims, leases, expiry, hello, drain, item text."""
import uuid

from world import *


def late_batch_after_expiry_and_regrant_is_salvaged():
    with Leader() as k:
        a, b = k.hello("k1"), k.hello("k2")
        m, run = fresh(10)
        g1 = k.grant(a, m, "0 s")
        k.flush([(a, g1)], answers(1, [0, 1, 2]))
        assert k.expire() == 1
        assert root("select attempts from shard where shard_id=%s", g1[0])[0][0] == 0  # progress
        g2 = k.grant(b, m)
        assert g2 == (g1[0], g1[1] + 1) and k.missing(g1[0]) == list(range(3, 10))
        late = k.flush([(a, g1)], answers(1, [3, 4]))[0]
        assert late[1:5] == ("COMMITTED", None, 2, 0)
        assert k.renew([(a, g1), (b, g2)]) == [g1]
        assert k.fail(a, g1, "oom") is None  # a stale holder says nothing of the shard
        r = k.flush([(b, g2)], answers(1, range(3, 10)))[0]
        assert r[1:] == ("COMMITTED", None, 5, 2, 0, "done"), r
        assert run_state(run) == "complete" and not incidents(run)


def renewal_asks_for_the_very_lease():
    with Leader() as k:
        a, b = k.hello("k1"), k.hello("k2")
        m, run = fresh(10)
        old = k.grant(a, m, "0 s")
        k.expire()
        g = k.grant(b, m)
        ends = lambda: root("select lease_expires from shard where shard_id=%s", g[0])[0][0]
        before = ends()
        assert k.renew([(a, old)]) == [old] and k.renew([(a, g)]) == [g] and ends() == before
        assert k.renew([(b, g)]) == [] and ends() > before


def two_classes_never_mix():
    with Leader() as k:
        a, b = k.hello("k1", "c1"), k.hello("k2", "c2")
        m, run = fresh()
        d = con(auto=False)
        (shard, epoch, *_), = k.claim(a, m, c=d)
        t = Sent(k.claim, b, m)  # both race for the pin
        assert t.waits()
        d.commit()
        assert t.result() == []
        assert k.flush([(a, (shard, epoch), b.cls)], answers(1, [0]))[0][1:3] == ("REJECTED", "class")
        assert root("select class_id from run where run_id=%s", run)[0][0] == a.cls
        assert not k.claim(b, m)
        k.hello("k2", "c1")
        d.close()


def claim_that_gets_nothing_pins_nothing():
    with Leader() as k:
        a = k.hello("k1", "c1")
        k.hello("k2", "c1")
        m, run = fresh(4, 4)
        k.fail(a, k.grant(a, m), "oom")
        root("update run set class_id = null where run_id=%s", run)
        assert not k.claim(a, m)  # the other agent first
        assert root("select class_id from run where run_id=%s", run)[0][0] is None


def claim_says_all_that_a_grant_needs_in_order_of_the_work():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh(50, 10)
        got = q(k.c, "select shard_id, plan_lo, plan_hi, run_id, encode(model_digest,'hex'),"
                " task_version_id, params->>'limit', class_id from shard_claim(%s,%s,%s,4,'60 s')",
                k.epoch, a.id, m)
        assert [r[1:3] for r in got] == [(0, 10), (10, 20), (20, 30), (30, 40)], got
        digest = root("select encode(digest,'hex') from model where model_id=%s", m)[0][0]
        assert all(r[3:] == (run, digest, World.version, "50", a.cls) for r in got), got


def only_agent_of_a_cluster_gets_its_own_shard_again_at_once():
    with Leader() as k:
        a, b = k.hello("k1"), k.hello("k2")
        m, run = fresh(10)
        g = k.grant(a, m)
        assert k.fail(a, g, "oom") == "ready" and not k.claim(a, m)
        others_away()
        assert k.grant(a, m) == (g[0], g[1] + 1)
        k.hello("k2")


def agent_without_the_model_does_not_hold_up_the_one_that_has_it():
    with Leader() as k:
        m, run = fresh(10)
        digest = root("select digest from model where model_id=%s", m)[0][0]
        others_away()
        a, b = k.hello("k1", models=[digest]), k.hello("k2", models=[sha("another")])
        assert k.fail(a, k.grant(a, m), "oom") == "ready"
        assert k.claim(a, m)
        k.hello("k2")


def work_list_names_model_class_and_ready_shards():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh(30, 10)
        mine = lambda: [r[2:4] for r in q(k.c, "select * from work_list()") if r[0] == m]
        assert mine() == [(None, 3)]
        k.grant(a, m)
        assert mine() == [(a.cls, 2)]
        k.claim(a, m, 9)
        assert mine() == []


def attempts_end_in_a_typed_error_and_the_run_is_erred():
    with Leader() as k:
        agents = [k.hello("k1"), k.hello("k2")]
        m, run = fresh(10)
        state = None
        for i in range(3):
            a = agents[i % 2]
            g = k.grant(a, m)
            state = k.fail(a, g, "oom", 5 << 32)
        assert state == "error" and run_state(run) == "erred"
        assert root("select reason, reason_num, attempts from shard where shard_id=%s", g[0])[0] == \
            ("oom", 5 << 32, 3)
        assert root("select reason from run_list where run_id=%s", run) == [("oom",)]
        operator("select run_retry(%s)", run)
        assert shard_state(g[0]) == "ready" and run_state(run) == "running"
        g = k.grant(agents[0], m)
        assert k.flush([(agents[0], g)], answers(1, range(10)))[0][6] == "done"
        assert run_state(run) == "complete"


def run_of_which_one_shard_is_given_up_ends_when_the_others_do():
    with Leader() as k:
        agents = [k.hello("k1"), k.hello("k2")]
        m, run = fresh(20)
        bad = None
        for i in range(3):
            a = agents[i % 2]
            bad = k.grant(a, m)
            k.fail(a, bad, "oom")
        assert run_state(run) == "running"
        g = k.grant(agents[0], m)
        k.flush([(agents[0], g)], answers(1, range(10, 20)))
        assert run_state(run) == "erred"
        assert root("select n_item_done, n_item_error from run where run_id=%s", run) == [(10, 10)]


def late_answers_heal_a_shard_that_was_given_up():
    with Leader() as k:
        agents = [k.hello("k1"), k.hello("k2")]
        m, run = fresh(20)
        for i in range(3):
            a = agents[i % 2]
            bad = k.grant(a, m)
            k.fail(a, bad, "oom")
        assert k.flush([(a, bad)], answers(1, range(10)))[0][6] == "done"
        g = k.grant(agents[0], m)
        k.flush([(agents[0], g)], answers(1, range(10, 20)))
        assert run_state(run) == "complete"


def new_incarnation_gives_back_and_the_same_one_keeps():
    with Leader() as k:
        inc = uuid.uuid4()
        a = k.hello("k1", inc=inc)
        m, run = fresh()
        g = k.grant(a, m)
        assert k.hello("k1", inc=inc).held == [g]
        k.fail(a, g, "returned")
        g2 = k.grant(a, m)
        assert k.hello("k1", inc=inc).held == [g2] and g2 == (g[0], g[1] + 1)  # the epoch tells
        assert k.hello("k1").held == []
        assert root("select state, reason from shard where shard_id=%s", g[0])[0] == \
            ("ready", "agent_lost")


def drained_node_gets_nothing_until_it_is_resumed():
    with Leader() as k:
        m, run = fresh()
        assert err(operator, "select node_drain('n-k2','')") == "KE004"
        assert err(operator, "select node_drain('nowhere','disk')") == "KE005"
        k.hello("k2")
        operator("select node_drain('n-k2','disk')")
        b = k.hello("k2")
        assert b.intent == "drain" and not k.claim(b, m)
        assert (b.id, "drain", False) in q(k.c, "select * from agent_intents()")
        assert root("select state, reason from node_list where agent_id=%s", b.id) == [("drained", "disk")]
        operator("select node_resume('n-k2')")
        assert k.claim(b, m)
        assert root("select state from node_list where agent_id=%s", b.id) == [("busy",)]


def node_list_knows_silence_and_revocation():
    with Leader() as k:
        a = k.hello("k2", slot=3)
        state = lambda: root("select state from node_list where agent_id=%s", a.id)[0][0]
        assert state() == "idle"
        for seconds, word in ((30, "suspect"), (90, "lost")):
            root("update agent set last_seen = (select heartbeat_at from coordinator)"
                 " - %s * interval '1 s' where agent_id=%s", seconds, a.id)
            assert state() == word, (seconds, state())
        admin("select key_add(%s,'n-gone')", sha("gone"))
        b = k.hello("gone")
        admin("select key_revoke(key_id,'sold') from key_list where node='n-gone'")
        assert root("select state, reason from node_list where agent_id=%s", b.id) == [("revoked", "sold")]


def telemetry_comes_in_bulk_and_is_shown_with_its_age():
    with Leader() as k:
        a, b = k.hello("k1"), k.hello("k2")
        m, _ = fresh()
        q(k.c, "select agent_telemetry(%s,%s,%s::bigint[],%s,%s,%s,%s::bigint[],%s::bigint[])", k.epoch,
          [a.id, b.id], [0, 1500], [m, 0], [2.5, 0.0], [900.0, 0.0], [1 << 33, 5], [1 << 34, 9])
        shown = root("select model is not null, item_rate, memory_used, age"
                     " from node_list where agent_id in (%s,%s) order by agent_id", a.id, b.id)
        assert [r[:3] for r in shown] == [(True, 2.5, 1 << 33), (False, 0.0, 5)], shown
        assert shown[0][3].total_seconds() >= 0


def item_text_goes_only_to_who_holds_the_lease_now():
    row = import_task("shots", [f"item {i}" for i in range(6)], [f"shot {i}" for i in range(4)])
    m = model()
    campaign = launch([m], ['{"shots":2,"seed":1,"limit":null}'], version=row[0], size=4)
    run, plan_id = root("select run_id, plan_id from run where campaign_id=%s", campaign)[0]
    plan(plan_id, 6, shots=(3, 0))
    with Leader() as k:
        a, b = k.hello("k1"), k.hello("k2")
        g = k.grant(a, m, "0 s")
        got = [(no, plan_no, bytes(p), [bytes(s) for s in shots]) for no, plan_no, p, shots in k.fetch(a, g)]
        assert got == [(i, i, f"item {i}".encode(), [b"shot 3", b"shot 0"]) for i in range(4)], got
        assert [r[0] for r in k.fetch(a, g, from_plan=1, limit=2)] == [1, 2]
        k.flush([(a, g)], answers(1, [0, 2]))
        assert [r[0] for r in k.fetch(a, g)] == [1, 3]  # only what is missing
        assert not k.fetch(b, g) and not k.fetch(a, (g[0], g[1] + 1))
        k.expire()
        assert not k.fetch(a, g)
        g2 = k.grant(b, m)
        assert not k.fetch(a, g2) and len(k.fetch(b, g2)) == 2


def what_the_engine_counted_is_kept_with_the_lease():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh(10)
        g = k.grant(a, m)
        k.flush([(a, g)], answers(1, range(10)))
        q(k.c, "select lease_measure(%s,%s::bigint[],%s,%s,%s::bigint[],%s::bigint[],%s::bigint[])",
          k.epoch, [g[0]], [g[1]], [a.id], [1000], [250], [77])
        assert root("select token_naive, token_unique, engine_ms from cost_list where run_id=%s", run) == \
            [(1000, 250, 77)]
