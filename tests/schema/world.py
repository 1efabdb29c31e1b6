"""A database for the cases: connections as the roles, a task, keys, and short names for the calls.

Everything goes through the functions that the programs call. ROOT looks at tables and arranges what
time would bring; it never does what a function should do.
"""
import hashlib
import os
import signal
import subprocess
import threading
import time
import uuid

import psycopg2

DIR = os.environ["SCHEMA_DIR"]
HOUSE = os.environ["SCHEMA_HOUSE"]
SOCKET = DIR + "/pg/run"
CANARY = "CANARY-질문"


def con(user="koeval_coordinator", auto=True, database="koeval"):
    c = psycopg2.connect(host=SOCKET, port=5432, dbname=database, user=user)
    c.autocommit = auto
    return c


def q(c, sql, *args):
    with c.cursor() as k:
        k.execute(sql, args or None)
        return k.fetchall() if k.description else None


def one(c, sql, *args):
    return q(c, sql, *args)[0][0]


def err(call, *args):
    """SQLSTATE of what the call raises, or None."""
    try:
        call(*args)
    except psycopg2.Error as e:
        return e.pgcode or "lost"
    return None


def sha(text):
    return hashlib.sha256(text.encode()).digest()


class World:
    root = op = admin = None
    version = None
    serial = 0


def connect_all():
    World.root, World.op, World.admin = con("postgres"), con("koeval_operator"), con("koeval_admin")
    q(World.root, "set search_path = koeval, secret, ranking")


def root(sql, *args):
    return q(World.root, sql, *args)


def operator(sql, *args):
    return q(World.op, sql, *args)


def admin(sql, *args):
    return q(World.admin, sql, *args)


class Sent(threading.Thread):
    """A call in its own thread, to see it wait."""

    def __init__(self, call, *args):
        super().__init__(daemon=True)
        self.call, self.args, self.out, self.exc = call, args, None, None
        self.start()

    def run(self):
        try:
            self.out = self.call(*self.args)
        except Exception as e:  # told to whom joins
            self.exc = e

    def waits(self, seconds=0.3):
        self.join(seconds)
        return self.is_alive()

    def result(self, seconds=30):
        self.join(seconds)
        assert not self.is_alive(), "still waiting"
        if self.exc:
            raise self.exc
        return self.out


class Agent:
    def __init__(self, row):
        self.id, self.cls, self.node, self.intent, held, epochs = row
        self.held = list(zip(held, epochs))


class Leader:
    """A coordinator: `with Leader() as k` leads, and lets go at the end."""

    def __init__(self, name="a"):
        self.c = con()
        q(self.c, "set lock_timeout = '20 s'")  # a leader's session may still be ending
        q(self.c, "select pg_advisory_lock(7411000)")
        self.epoch = one(self.c, "select coordinator_lead(%s)", name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if not self.c.closed:
            self.c.close()

    def hello(self, key, cls="c1", inc=None, slot=0, models=None, c=None):
        if models is None:  # all there are
            models = [r[0] for r in root("select digest from model")]
        return Agent(q(c or self.c,
                       "select * from agent_hello(%s,%s,%s,%s,%s,%s,%s,%s::bytea[])",
                       self.epoch, sha(key), slot, str(inc or uuid.uuid4()), sha(cls), "{}", "{}",
                       list(models))[0])

    def claim(self, agent, model, n=1, lease="60 s", c=None):
        """[(shard, epoch, run, lo, hi)]"""
        return q(c or self.c,
                 "select shard_id, lease_epoch, run_id, plan_lo, plan_hi"
                 " from shard_claim(%s,%s,%s,%s,%s)", self.epoch, agent.id, model, n, lease)

    def grant(self, agent, model, lease="60 s", c=None):
        """One shard: (shard, epoch)."""
        (shard, epoch, *_), = self.claim(agent, model, 1, lease, c)
        return shard, epoch

    def expire(self):
        return one(self.c, "select shard_expire(%s,'0 s')", self.epoch)

    def fail(self, agent, grant, reason, num=None):
        return one(self.c, "select shard_fail(%s,%s,%s,%s,%s,%s)", self.epoch, *grant, agent.id,
                   reason, num)

    def renew(self, pairs, c=None):
        """pairs: (agent, grant); answers the grants that are gone."""
        return q(c or self.c, "select * from lease_renew(%s,%s,%s,%s,'60 s')", self.epoch,
                 [g[0] for _, g in pairs], [g[1] for _, g in pairs], [a.id for a, _ in pairs])

    def flush(self, batches, items, outs=(), c=None):
        """batches: (agent, grant[, class]); items: (batch no, item_no, [loglik][, reason[, num]])."""
        ll = [x for i in items for x in i[2]]
        array = "{" + ",".join(map(repr, ll)) + "}"  # as text: an SQL literal has no minus zero
        at = lambda i, k: i[k] if len(i) > k else None
        return q(c or self.c,
                 "select batch, verdict, reason, n_new, n_old, n_refused, shard_state"
                 " from response_ingest(%s,%s::int[],%s::bigint[],%s::int[],%s::int[],%s::int[],"
                 "%s::int[],%s::fail_reason[],%s::bigint[],%s::int[],%s::bigint[],%s::float8[],"
                 "%s::bool[],%s::int[],%s::bool[],%s::\"char\"[],%s::int[],%s::int[],%s::bytea[])",
                 self.epoch, [b[0].id for b in batches], [b[1][0] for b in batches],
                 [b[1][1] for b in batches], [b[2] if len(b) > 2 else b[0].cls for b in batches],
                 [i[0] for i in items], [i[1] for i in items], [at(i, 3) for i in items],
                 [at(i, 4) for i in items], [len(i[2]) for i in items], [7] * len(items), array,
                 [False] * len(ll), [1] * len(ll), [], [], [o[0] for o in outs],
                 [o[1] for o in outs], [o[2] for o in outs])

    def fetch(self, agent, grant, from_plan=0, limit=100):
        return q(self.c, "select item_no, plan_no, payload, shots"
                 " from item_fetch(%s,%s,%s,%s,%s,%s)", self.epoch, *grant, agent.id, from_plan, limit)

    def missing(self, shard):
        return [r[0] for r in q(self.c, "select item_no from shard_missing(%s)", shard)]


def answers(batch, item_nos, f=lambda n: [-1.0 * n, -2.0]):
    return [(batch, n, f(n)) for n in item_nos]


def run_state(run):
    return root("select state from run where run_id=%s", run)[0][0]


def shard_state(shard):
    return root("select state from shard where shard_id=%s", shard)[0][0]


def incidents(run):
    return root("select item_no, loglik_kept, loglik_new from incident where run_id=%s order by 1", run)


def job(kind, key, role="koeval_coordinator", lease="1 m"):
    """Claims the job of that key: those before it in the queue are put aside meanwhile."""
    aside = [r[0] for r in root("update job set state='done' where kind=%s and key<>%s"
                                " and state in ('queued','running') returning key", kind, key)]
    c = con(role)
    (number, found, attempt), = q(c, "select * from job_claim(%s,'w',%s)", kind, lease)
    assert found == key
    root("insert into job (kind, key) select %s, k from unnest(%s::int[]) k on conflict do nothing",
         kind, aside)
    return c, number, attempt


def plan(plan_id, n, shots=()):
    """Plans items 0 .. n-1 in order, with the same shots for each."""
    if root("select sealed_at from plan where plan_id=%s", plan_id)[0][0]:
        return
    c, number, attempt = job("plan", plan_id)
    q(c, "select plan_begin(%s,%s)", number, attempt)
    q(c, "select plan_write(%s,%s,0,%s,%s,%s::int[])", number, attempt, list(range(n)), len(shots),
      list(shots) * n)
    q(c, "select plan_seal(%s,%s)", number, attempt)
    c.close()


def model(name=None):
    World.serial += 1
    name = name or f"m{World.serial}"
    m = one(World.op, "select model_id from model_add(%s,%s,%s)", name, sha(name), "{}")
    root("update agent set models = array_append(models, %s)", sha(name))  # it lies on every disk
    return m


def launch(models, params, version=None, size=10, purpose="board", name=None):
    World.serial += 1
    return one(World.op, "select campaign_launch(%s,%s,%s,0,%s,%s,%s::jsonb[])",
               name or f"camp{World.serial}", '{"shard_items":%d}' % size, purpose, models,
               [version or World.version] * len(params), params)


def fresh(n=20, size=10, purpose="board"):
    """A new model and campaign over the test task; (model, run)."""
    m = model()
    campaign = launch([m], ['{"shots":0,"seed":1,"limit":%d}' % n], size=size, purpose=purpose)
    run, plan_id = root("select run_id, plan_id from run where campaign_id=%s", campaign)[0]
    plan(plan_id, n)
    return m, run


def import_task(name, items, shots=(), definition="{}", c=None, seal=True):
    """In one transaction, as the command does; the seal's row."""
    c = c or con("koeval_operator", auto=False)
    v = one(c, "select task_import(%s,%s,'test',true)", name, definition)
    for role, texts in (("e", items), ("s", shots)):
        if texts:
            q(c, "select item_import(%s,%s,0,%s::bytea[],%s::bytea[])", v, role,
              [t.encode() for t in texts], [b"g"] * len(texts))
    if not seal:
        return c
    row = q(c, "select * from task_seal(%s)", v)[0]
    c.commit()
    c.close()
    return row


def others_away():
    """As if no agent had been heard of for an hour."""
    root("update agent set last_seen = last_seen - interval '1 h'")


def invariants():
    """Counters are rows, done is complete, one lease per epoch, no item both error and response."""
    assert not root("""
        select s.shard_id from shard s left join lateral (
            select count(*) as n from response r join run u on u.run_id = s.run_id
              join plan_item p on p.plan_id = u.plan_id and p.item_no = r.item_no
             where r.run_id = s.run_id and r.replica = s.replica
               and p.plan_no >= s.plan_lo and p.plan_no < s.plan_hi) x on true
         where x.n <> s.n_done"""), "n_done is not the rows"
    assert not root("select 1 from shard where state='done' and n_done+n_error<>plan_hi-plan_lo"), \
        "a shard is done and not complete"
    assert not root("select 1 from shard s where lease_epoch <>"
                    " (select count(*) from lease l where l.shard_id = s.shard_id)"), "leases"
    assert not root("select 1 from shard s join lease l using (shard_id) where l.ended_at is null"
                    " and (s.state <> 'leased' or s.lease_epoch <> l.lease_epoch)"), "an open lease"
    assert not root("select 1 from item_error e join run r using (run_id) join response p"
                    " using (run_id, replica, item_no) where e.generation = r.generation"), "both"
    assert not root("select 1 from incident where kind='count_mismatch'"), "count_mismatch"


def crash_and_start():
    """The server dies as in a crash (nothing flushed beyond what was committed) and comes back."""
    with open(DIR + "/pg/data/postmaster.pid") as f:
        pid = int(f.readline())
    os.kill(pid, signal.SIGQUIT)
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(0.02)
    cluster("start")
    connect_all()


def cluster(action, directory=None):
    return subprocess.run([HOUSE + "/deploy/postgres/cluster", action, directory or DIR],
                          capture_output=True, text=True)


def koeval(*words, **env):
    return subprocess.run([os.environ["KOEVAL"], *words], capture_output=True, text=True,
                          env={**os.environ, **env})
