"""response_ingest: what is counted, what is refused, what is an incident."""
from world import *


def duplicate_batch_is_ALREADY():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh()
        b = [(a, k.grant(a, m))]
        assert k.flush(b, answers(1, range(5)))[0][1:5] == ("COMMITTED", None, 5, 0)
        assert k.flush(b, answers(1, range(5)))[0][1:5] == ("ALREADY", None, 0, 5)
        twice = k.flush(b * 2, answers(1, [5, 6]) + answers(2, [5, 6, 7]))
        assert twice[1][3] == 1 and not incidents(run)


def different_answer_is_an_incident_never_an_overwrite():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh()
        b = [(a, k.grant(a, m))]
        k.flush(b, answers(1, [0, 1]))
        other = [(1, 0, [-0.0, -2.0]), (1, 1, [-1.0000000000000002, -2.0])]  # 0: stored as -0 too
        assert k.flush(b, other)[0][1] == "ALREADY"
        assert incidents(run) == [(1, [-1.0, -2.0], [-1.0000000000000002, -2.0])]
        assert root("select loglik from response where run_id=%s and item_no=1", run)[0][0] == [-1.0, -2.0]
        k.flush(b * 2, [(1, 2, [-1.0, -2.0]), (2, 2, [-9.0, -2.0])])  # and inside one flush
        assert len(incidents(run)) == 2


def zero_and_minus_zero_are_different_answers():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh()
        b = [(a, k.grant(a, m))]
        k.flush(b, [(1, 3, [0.0, -2.0])])
        k.flush(b, [(1, 3, [-0.0, -2.0])])
        assert len(incidents(run)) == 1


def ambiguous_commit_sent_again_is_exact():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh()
        b, d = [(a, k.grant(a, m))], con()
        Sent(k.flush, b, answers(1, range(10)), (), d).result()  # committed, reply thrown away
        d.close()
        r = k.flush(b, answers(1, range(10)))[0]
        assert r[1:] == ("ALREADY", None, 0, 10, 0, "done"), r


def poison_row_does_not_stop_its_neighbours():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh(10)
        b = [(a, k.grant(a, m))]
        r = k.flush(b, [(1, 0, [-1.0, -2.0]), (1, 1, [float("nan"), -2.0]), (1, 2, [float("inf"), -2.0]),
                        (1, 3, [-1.0, float("-inf")]), (1, 4, [], "too_long", 5 << 32)],
                    [(1, 0, b"a\x00\xff"), (4, 0, b"\xed\xa0\x80")])
        assert r[0][1:5] == ("COMMITTED", None, 5, 0), r
        assert root("select item_no, reason, reason_num from item_error where run_id=%s order by 1", run) == \
            [(1, "invalid_result", None), (2, "invalid_result", None), (4, "too_long", 5 << 32)]
        k.flush(b, answers(1, range(5, 10)))
        assert root("select state, n_item_done, n_item_error from run where run_id=%s", run) == \
            [("erred", 7, 3)]
        operator("select run_retry(%s)", run)
        g = k.grant(a, m)
        assert k.missing(g[0]) == [1, 2, 4]
        r = k.flush([(a, g)], answers(1, [1, 2, 4]))[0]
        assert r[1:] == ("COMMITTED", None, 3, 0, 0, "done"), r
        assert root("select state, generation from run where run_id=%s", run) == [("complete", 1)]
        assert bytes(root("select body from secret.output where run_id=%s", run)[0][0]) == b"a\x00\xff"


def item_outside_the_lease_is_refused():
    with Leader() as k:
        a, b = k.hello("k1"), k.hello("k2")
        m, run = fresh(20)
        g1, g2 = k.grant(a, m), k.grant(b, m)
        r = k.flush([(a, g1)], answers(1, [0, 15]))[0]
        assert r[1:6] == ("COMMITTED", "item not in lease", 1, 0, 1), r
        assert k.flush([(a, g2)], answers(1, [15]))[0][2] == "no such lease"
        assert not root("select 1 from response where run_id=%s and item_no=15", run)


def cancelled_run_takes_nothing():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh()
        g = k.grant(a, m)
        assert one(World.op, "select run_cancel(%s,'why')", run)
        assert k.flush([(a, g)], answers(1, [0]))[0][1:3] == ("REJECTED", "run not live")
        assert not k.claim(a, m) and not k.fetch(a, g)
        assert not one(World.op, "select run_cancel(%s,'again')", run)


def overlapping_batches_in_opposite_order_do_not_deadlock():
    with Leader() as k:
        a, connections = k.hello("k1"), [con() for _ in range(4)]
        for _ in range(3):
            m, run = fresh(2000, 100)
            b = [(a, (g[0], g[1])) for g in k.claim(a, m, 20)]
            items = [(i + 1, i * 100 + j, [-1.0, -2.0]) for i in range(20) for j in range(100)]
            back = [(21 - i, n, ll) for i, n, ll in items[::-1]]
            sent = [Sent(k.flush, b if i % 2 else b[::-1], items if i % 2 else back, (), d)
                    for i, d in enumerate(connections)]
            for s in sent:
                s.result()
            assert root("select count(*) from response where run_id=%s", run)[0][0] == 2000
            assert run_state(run) == "complete"
        for d in connections:
            d.close()


def last_two_shards_at_once_complete_the_run():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh(20)
        g = [x[:2] for x in k.claim(a, m, 2)]
        d1, d2 = con(auto=False), con()
        k.flush([(a, g[0])], answers(1, range(10)), c=d1)
        t = Sent(k.flush, [(a, g[1])], answers(1, range(10, 20)), (), d2)
        assert t.waits()
        d1.commit()
        t.result()
        assert run_state(run) == "complete"
        d1.close()
        d2.close()


def two_agents(k, n, size):
    """A's lease is over, B holds the shard: (a, g1, b, g2, run)."""
    a, b = k.hello("k1"), k.hello("k2")
    m, run = fresh(n, size)
    g1 = k.grant(a, m, "0 s")
    k.expire()
    return a, g1, b, k.grant(b, m), m, run


def late_answer_takes_the_place_of_an_error():
    with Leader() as k:
        a, g1, b, g2, m, run = two_agents(k, 4, 4)
        k.flush([(b, g2)], [(1, 0, [], "oom")])
        k.flush([(a, g1)], answers(1, [0]))
        assert k.flush([(b, g2)], answers(1, [1, 2]))[0][6] == "leased", "done with an item missing"
        assert k.missing(g2[0]) == [3]
        k.flush([(b, g2)], answers(1, [3]))
        assert run_state(run) == "complete"


def late_answer_to_a_done_shard_harms_no_innocent_batch():
    with Leader() as k:
        a, g1, b, g2, m, run = two_agents(k, 8, 4)
        g3 = k.grant(b, m)
        k.flush([(b, g2)], [(1, 0, [], "oom")] + answers(1, [1, 2, 3]))  # done: 3 answers, 1 error
        r = k.flush([(a, g1), (b, g3)], answers(1, [0]) + answers(2, [4, 5]))
        assert [x[1] for x in r] == ["COMMITTED", "COMMITTED"], r
        k.flush([(b, g3)], answers(1, [6, 7]))
        assert run_state(run) == "complete"


def error_and_answer_of_one_item_in_one_flush_count_once():
    with Leader() as k:
        a, g1, b, g2, m, run = two_agents(k, 4, 4)
        k.flush([(b, g2), (a, g1)], [(1, 0, [], "oom")] + answers(2, [0]) + answers(2, [1, 2, 3]))
        assert root("select state, n_done, n_error from shard where shard_id=%s", g2[0]) == [("done", 4, 0)]
        assert run_state(run) == "complete"


def retry_ends_the_lease_that_it_takes_away():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh(4, 4)
        g = k.grant(a, m)
        k.flush([(a, g)], [(1, 0, [], "oom")])
        operator("select run_retry(%s)", run)
        assert root("select outcome from lease where shard_id=%s", g[0]) == [("returned",)]


def partition_is_made_while_a_batch_is_open():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh()
        i = con(auto=False)
        k.flush([(a, k.grant(a, m))], answers(1, [0]), c=i)
        root("set lock_timeout = '1500 ms'")
        root("select response_partition(7)")
        root("reset lock_timeout")
        i.commit()
        i.close()
        assert root("select relrowsecurity, relforcerowsecurity from pg_class where relname='output_p7'") == \
            [(True, True)]


def postgres_crash_in_mid_batch_loses_nothing():
    k = Leader()
    a = k.hello("k1")
    m, run = fresh()
    g = [x[:2] for x in k.claim(a, m, 2)]
    k.flush([(a, g[0])], answers(1, range(10)))
    d = con(auto=False)
    k.flush([(a, g[1])], answers(1, range(10, 20)), c=d)  # not committed
    crash_and_start()
    assert err(d.commit) or d.closed
    assert root("select count(*) from response where run_id=%s", run)[0][0] == 10
    with Leader("n") as n:
        r = n.flush([(a, g[0]), (a, g[1])], answers(1, range(10)) + answers(2, range(10, 20)))
        assert [x[1] for x in r] == ["ALREADY", "COMMITTED"], r
        assert run_state(run) == "complete"


def grant_lost_in_a_crash_costs_work_only():
    k = Leader()
    a, b = k.hello("k1"), k.hello("k2")
    m, run = fresh()
    g = k.grant(a, m)
    crash_and_start()
    kept = root("select 1 from lease where shard_id=%s", g[0])
    with Leader("n") as n:
        h = n.grant(b, m)
        r = n.flush([(a, g)], answers(1, [0]))[0]
        if kept:
            assert r[1] == "COMMITTED" and h[0] != g[0]
        else:  # the number was granted again, to another: the old holder has no lease
            assert r[1:3] == ("REJECTED", "no such lease") and h == g
