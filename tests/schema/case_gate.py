"""Who may write: epochs, takeovers, zombies."""
import time

from world import *


def zombie_coordinator_is_fenced():
    z, zi = Leader("z"), con()
    a = z.hello("k1")
    m, run = fresh()
    g = z.grant(a, m)
    z.close()
    with Leader("n") as n:
        assert n.epoch == z.epoch + 1
        for call in (lambda: z.claim(a, m, c=zi), lambda: z.flush([(a, g)], answers(1, [0]), c=zi),
                     lambda: q(zi, "select shard_expire(%s,'0 s')", z.epoch),
                     lambda: z.renew([(a, g)], c=zi),
                     lambda: q(zi, "select * from item_fetch(%s,%s,%s,%s,0,9)", z.epoch, *g, a.id)):
            assert err(call) == "KE001"
        assert n.flush([(a, g)], answers(1, [0]))[0][1] == "COMMITTED"


def zombie_in_an_open_transaction_cannot_stop_a_takeover():
    z, zi = Leader("z"), con(auto=False)
    a = z.hello("k1")
    m, run = fresh()
    g = z.grant(a, m)
    z.flush([(a, g)], answers(1, [0, 1]), c=zi)  # open: holds the gate
    z.close()
    since = time.time()
    with Leader("n") as n:
        assert time.time() - since < 4
        assert err(zi.commit) and not root("select 1 from response where run_id=%s", run)
        assert n.flush([(a, g)], answers(1, [0, 1]))[0][3] == 2


def leading_without_the_lock_is_refused():
    c = con()
    assert err(q, c, "select coordinator_lead('x')") == "KE001"
    c.close()


def leading_again_fences_what_was_sent_before():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh()
        old = k.epoch
        k.epoch = one(k.c, "select coordinator_lead('a')")
        assert k.epoch == old + 1
        assert err(q, k.c, "select shard_claim(%s,%s,%s,1,'9 s')", old, a.id, m) == "KE001"
        assert k.claim(a, m)


def repeatable_read_is_refused():
    with Leader() as k:
        d = con(auto=False)
        d.set_session(isolation_level="REPEATABLE READ")
        assert err(q, d, "select shard_expire(%s,'0 s')", k.epoch) == "KE000"
        d.close()


def hung_leader_is_deposed_only_when_its_heartbeat_is_stale():
    k, standby = Leader("hung"), con()
    assert not one(standby, "select pg_try_advisory_lock(7411000)")
    assert one(standby, "select coordinator_depose()") == 0
    root("update coordinator set heartbeat_at = clock_timestamp() - interval '21 s'")
    assert one(standby, "select coordinator_depose()") == 1
    for _ in range(100):
        if one(standby, "select pg_try_advisory_lock(7411000)"):
            break
        time.sleep(0.02)
    assert one(standby, "select coordinator_lead('standby')") == k.epoch + 1
    assert err(q, k.c, "select 1")
    standby.close()


def heartbeat_needs_the_epoch_and_is_written():
    with Leader() as k:
        root("update coordinator set heartbeat_at = clock_timestamp() - interval '1 h'")
        q(k.c, "select coordinator_beat(%s)", k.epoch)
        assert root("select heartbeat_at > clock_timestamp() - interval '5 s' from coordinator")[0][0]
        assert err(q, k.c, "select coordinator_beat(%s)", k.epoch - 1) == "KE001"


def revoked_key_commits_nothing_and_waits_for_what_is_in_flight():
    with Leader() as k:
        a = k.hello("k3")
        m, run = fresh()
        g = k.grant(a, m)
        i = con(auto=False)
        k.flush([(a, g)], answers(1, [0]), c=i)
        key = root("select key_id from agent_key where pubkey=%s", sha("k3"))[0][0]
        t = Sent(q, World.admin, "select key_revoke(%s,'stolen')", key)
        assert t.waits()
        i.commit()
        assert t.result() == [(1,)]
        assert k.flush([(a, g)], answers(1, [1]))[0][1:3] == ("REJECTED", "key revoked")
        assert not k.claim(a, m) and err(k.hello, "k3") == "KE002" and not k.fetch(a, g)
        assert root("select count(*) from response where run_id=%s", run)[0][0] == 1
        assert shard_state(g[0]) == "ready"
        i.close()


def revocation_waits_for_a_late_batch_too():
    with Leader() as k:
        a = k.hello("k4")
        m, run = fresh()
        g = k.grant(a, m, "0 s")
        k.expire()
        i = con(auto=False)
        k.flush([(a, g)], answers(1, [0]), c=i)
        key = root("select key_id from agent_key where pubkey=%s", sha("k4"))[0][0]
        t = Sent(q, World.admin, "select key_revoke(%s,'stolen')", key)
        assert t.waits(), "revoked while a batch of the key was open"
        i.commit()
        assert t.result() == [(0,)]
        i.close()


def keys_are_added_once_and_never_again_after_revocation():
    key = one(World.admin, "select key_add(%s,'n-new')", sha("new"))
    assert one(World.admin, "select key_add(%s,'n-new')", sha("new")) == key
    assert err(admin, "select key_add(%s,'elsewhere')", sha("new")) == "KE009"
    admin("select key_revoke(%s,'lost')", key)
    assert err(admin, "select key_revoke(%s,'lost')", key) == "KE005"
    assert err(admin, "select key_add(%s,'n-new')", sha("new")) == "KE009"


def rotated_key_works_beside_the_new_one_and_ends_at_its_time():
    with Leader() as k:
        root("update agent set intent='active'")
        old = one(World.admin, "select key_add(%s,'n-rot')", sha("rot1"))
        a = k.hello("rot1")
        m, run = fresh()
        g = k.grant(a, m)
        new, node, until = q(World.admin, "select * from key_rotate(%s,%s,'1 h')", old, sha("rot2"))[0]
        good = lambda: {r[0]: r[1] for r in q(k.c, "select key_id, next_ms from key_good()")}
        assert node == "n-rot" and {old, new} <= set(good()) and 3500000 < good()[new] <= 3600000
        b = k.hello("rot2")  # overlap: both are heard
        assert k.flush([(a, g)], answers(1, [0]))[0][1] == "COMMITTED"
        q(World.admin, "select * from key_rotate(%s,%s,'0')", old, sha("rot2"))  # again: the end moves
        assert old not in good() and new in good() and good()[new] is None
        assert k.flush([(a, g)], answers(1, [1]))[0][1:3] == ("REJECTED", "key revoked")
        assert root("select attempts, outcome from shard join lease using (shard_id, lease_epoch) where"
                    " shard_id=%s", g[0]) == [(0, "revoked")]
        for shard, epoch, _, lo, hi in k.claim(b, m, 9):  # no item is lost, the stored one stays
            assert lo > 0 or 0 not in k.missing(shard)
            k.flush([(b, (shard, epoch))], answers(1, k.missing(shard)))
        assert run_state(run) == "complete"
        assert err(admin, "select * from key_rotate(%s,%s,'1 h')", old, sha("rot3")) == "KE005"
        assert err(admin, "select * from key_rotate(%s,%s,'1 h')", new, sha("rot2")) == "KE009"
        assert err(admin, "select * from key_rotate(%s,%s,'91 days')", new, sha("rot3")) == "KE004"
        assert err(admin, "select * from key_rotate(%s,%s,'1 h')", new, sha("k1")) == "KE009"  # another node's
