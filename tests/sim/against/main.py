"""main.py [WORLDS [FIRST]]: the same random calls to PostgreSQL and to the simulator's model of it.

After each call the answers and all rows are compared; the first difference ends the world and names
its seed.  Time is moved, not waited for: what the database has written is made older."""
import os
import random
import subprocess
import sys
import time
import uuid

HOUSE = os.environ["SCHEMA_HOUSE"]
sys.path.insert(0, HOUSE + "/tests/schema")
# pylint: disable=wrong-import-position,wildcard-import,unused-wildcard-import
import world
from world import *

REASONS = {"oom": 1, "nonfinite": 2, "timeout": 8, "returned": 11, "internal": 14}
OUTCOMES = [None, "done", "expired", "returned", "failed", "revoked", "lost", "superseded"]
SHARD_STATES = ["ready", "leased", "done", "error"]
RUN_STATES = ["running", "complete", "erred"]
VERDICTS = [None, "COMMITTED", "ALREADY", "REJECTED"]
REFUSALS = [None, "no such lease", "key revoked", "run not live", "class", "item not in lease"]
LEASE_MS, GRACE_MS, FETCH = 10000, 1000, 3
PASS_S = 7  # no multiple of it is near 11, 30 or 60 s, where something would run out
STEPS = 60
CLASSES = ("against-1", "against-2")

ROWS = """
with u as (select *, run_id - %(run)s as no from run where run_id between %(run)s and %(run)s + 2),
     s as (select s.*, shard_id - %(shard)s + 1 as no, u.no as run_no from shard s join u using (run_id)),
     a as (select *, array_position(%(agents)s, agent_id) as no from agent where agent_id = any (%(agents)s))
select array_agg(row order by row) from (
  select concat_ws(' ', 'run', no, array_position(%(run_states)s, state::text) - 1,
                   coalesce(array_position(%(classes)s, class_id), 0), n_shard_done, n_shard_error,
                   n_item_done, n_item_error, generation) as row from u
  union all
  select concat_ws(' ', 'response', u.no, item_no, a.no, array_position(%(classes)s, r.class_id),
                   lease_epoch, (-loglik[1])::bigint)
    from response r join u using (run_id) join a using (agent_id)
  union all
  select concat_ws(' ', 'error', u.no, item_no) from item_error e join u using (run_id)
   where e.generation = u.generation
  union all
  select concat_ws(' ', 'shard', s.no, run_no, array_position(%(shard_states)s, s.state::text) - 1,
                   lease_epoch, coalesce(a.no, 0), n_done, n_error, done_at_grant, attempts,
                   coalesce(b.no, 0), (s.state = 'leased')::int,
                   case when s.state = 'leased' then (extract(epoch from lease_expires) * 1000)::bigint
                        else 0 end,
                   case when s.not_agent is null then 0
                        else (extract(epoch from not_until) * 1000)::bigint end)
    from s left join a on a.agent_id = s.lease_agent left join a b on b.agent_id = s.not_agent
  union all
  select concat_ws(' ', 'lease', s.no, l.lease_epoch, a.no,
                   coalesce(array_position(%(outcomes)s, l.outcome::text) - 1, 0))
    from lease l join s using (shard_id) join a using (agent_id)
  union all
  select concat_ws(' ', 'agent', no, array_position(%(classes)s, class_id),
                   ('x' || right(incarnation::text, 7))::bit(28)::int, (intent = 'drain')::int) from a
  union all
  select concat_ws(' ', 'incident', (exists (select from incident join u using (run_id)))::int)) x"""


class Differs(Exception):
    pass


class Model:
    def __init__(self):
        self.process = subprocess.Popen([os.path.dirname(os.environ["KOEVAL"]) + "/sim_model"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.runs, self.items, self.shard_items, self.agents = self.ask("new")

    def line(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def ask(self, *words):
        """The numbers of an answer, or its word."""
        said = self.line(*words)
        return [int(w) for w in said.split()] if said[:1].isdigit() else said

    def rows(self):
        rows = [self.line("dump")]
        while rows[-1] != "end":
            rows.append(self.process.stdout.readline().strip())
        return rows[:-1]


def pairs(numbers, size):
    return [tuple(numbers[i:i + size]) for i in range(1, len(numbers), size)]


class Both:
    """One world in both."""

    def __init__(self, seed, leader, model, version):
        self.seed, self.leader, self.model = seed, leader, model
        self.random = random.Random(seed)
        self.model.ask("new")
        self.grants = []  # ever made: (shard, epoch, agent)
        self.calls = 0
        # each world has its own mix: what is rare in one is common in another
        self.weights = [weight * self.random.choice((0.1, 1, 1, 4)) for _, weight in self.CALLS]
        self.alive = [None] + [0] * model.agents
        self.keys = [None] + [f"against-{seed}-{i}-{uuid.uuid4()}" for i in range(model.agents)]
        self.key_ids = [None] + [admin("select key_add(%s,%s)", sha(k), k)[0][0] for k in self.keys[1:]]
        self.models = [None] + [operator("select model_id from model_add(%s,%s,'{}')", n, sha(n))[0][0]
                                for n in (f"a{seed}-{uuid.uuid4()}", f"b{seed}-{uuid.uuid4()}")]
        self.shelf = [sha_of for (sha_of,) in root("select digest from model where model_id = any (%s)",
                                                   self.models[1:])]
        self.launch(version)
        self.classes = [root("select class_id from numerics_class where digest = %s", sha(c))[0][0]
                        for c in CLASSES]
        self.agents = [None]
        for a in range(1, model.agents + 1):
            self.agents.append(None)
            self.hello(a, 2 if a == model.agents else 1)

    def launch(self, version):
        for models, seed in ((self.models[1:], 1), (self.models[1:2], 2)):
            params = '{"shots":0,"seed":%d,"limit":%d}' % (seed, self.model.items)
            campaign = world.launch(models, [params], version, self.model.shard_items)
            runs = root("select run_id, plan_id from run where campaign_id=%s order by 1", campaign)
            plan(runs[0][1], self.model.items)
            self.run = runs[0][0] if seed == 1 else self.run
        self.shard = root("select min(shard_id) from shard where run_id=%s", self.run)[0][0]

    # ---- what both must say ----

    def now(self):
        return root("select (extract(epoch from clock_timestamp()) * 1000)::bigint")[0][0]

    def same(self, what, ours, theirs):
        if ours != theirs:
            raise Differs(f"{what}: PostgreSQL {theirs}, model {ours}")

    def same_rows(self, what):
        with World.root.cursor() as cursor:
            cursor.execute(ROWS, dict(run=self.run, shard=self.shard, agents=self.agents[1:],
                                      classes=self.classes, run_states=RUN_STATES,
                                      shard_states=SHARD_STATES, outcomes=[""] + OUTCOMES[1:]))
            theirs = cursor.fetchone()[0]
        ours = self.model.rows()
        if not all(map(close, sorted(ours), sorted(theirs))) or len(ours) != len(theirs):
            raise Differs(f"rows after {what}: PostgreSQL only {sorted(set(theirs) - set(ours))}, "
                          f"model only {sorted(set(ours) - set(theirs))}")

    # ---- calls ----

    def sql(self, text, *args):
        return q(self.leader.c, text, self.leader.epoch, *args)

    def hello(self, a, cls=None):
        cls = cls or self.random.choice((1, 1, 1, 2))
        if self.random.random() < 0.5:
            self.alive[a] += 1
        incarnation = 100 * a + self.alive[a]
        ours = self.model.ask("hello", self.now(), a, cls, incarnation)
        try:
            row = q(self.leader.c, "select agent_id, held, held_epoch from agent_hello(%s,%s,0,%s,%s,"
                    "'{}','{}',%s::bytea[])", self.leader.epoch, sha(self.keys[a]),
                    f"00000000-0000-0000-0000-{incarnation:012x}", sha(CLASSES[cls - 1]), self.shelf)[0]
        except psycopg2.Error as error:
            self.same("hello", ours, "refused" if error.pgcode == "KE002" else error.pgcode)
            return
        self.agents[a] = row[0]
        held = [(shard - self.shard + 1, epoch) for shard, epoch in zip(row[1], row[2])]
        self.same("hello", pairs(ours, 2), held)

    def work(self):
        rows = root("select model_id, class_id, n_ready from work_list() where model_id = any (%s)",
                    self.models[1:])
        theirs = [(self.models.index(m), self.classes.index(c) + 1 if c else 0, n) for m, c, n in rows]
        self.same("work", sorted(pairs(self.model.ask("work"), 3)), sorted(theirs))

    def claim(self, a=None, m=None, n=None):
        a = a or self.some_agent()
        m, n = m or self.random.randint(1, 2), n or self.random.randint(1, 3)
        ours = pairs(self.model.ask("claim", self.now(), LEASE_MS, a, m, n), 5)
        rows = self.sql("select shard_id, lease_epoch, run_id, plan_lo, plan_hi from"
                        " shard_claim(%s,%s,%s,%s,%s)", self.agents[a], self.models[m], n, "10 s")
        theirs = [(s - self.shard + 1, e, r - self.run, lo, hi) for s, e, r, lo, hi in rows]
        self.same("claim", ours, theirs)
        self.grants += [(s, e, a) for s, e, *_ in theirs]

    def renew(self):
        some = [self.some_lease() for _ in range(self.random.randint(1, 4)) if self.grants]
        some = sorted({s: (s, e, a) for s, e, a in some}.values())  # one lease a shard, as the core asks
        numbers = [n for lease in some for n in lease]
        ours = self.model.ask("renew", self.now(), LEASE_MS, len(some), *numbers)
        rows = self.sql("select * from lease_renew(%s,%s::bigint[],%s::int[],%s::int[],'10 s')",
                        [self.shard + s - 1 for s, _, _ in some], [e for _, e, _ in some],
                        [self.agents[a] for *_, a in some])
        self.same("renew", sorted(pairs(ours, 2)), sorted((s - self.shard + 1, e) for s, e in rows))

    def expire(self):
        ours = self.model.ask("expire", self.now(), GRACE_MS)
        self.same("expire", ours[0], self.sql("select shard_expire(%s,'1 s')")[0][0])

    def fail(self, lease=None, reason=None):
        s, e, a = lease or self.some_lease()
        reason = reason or self.random.choice(list(REASONS))
        self.model.ask("fail", self.now(), s, e, a, REASONS[reason])
        self.sql("select shard_fail(%s,%s,%s,%s,%s,null)", self.shard + s - 1, e, self.agents[a], reason)

    def items(self):
        s, e, a = self.some_lease()
        start = self.random.randint(0, self.model.items)
        ours = self.model.ask("items", s, e, a, start)
        rows = self.sql("select item_no from item_fetch(%s,%s,%s,%s,%s,%s)", self.shard + s - 1, e,
                        self.agents[a], start, FETCH)
        self.same("items", ours[1:], [n for n, in rows])

    def row_of(self, shard):
        lo = (shard - 1) * self.model.shard_items % self.model.items
        item = lo + self.random.randrange(self.model.shard_items)
        if self.random.random() < 0.05:
            item = self.random.randrange(self.model.items)
        reason = self.random.choice(["internal", "nonfinite"]) if self.random.random() < 0.2 else None
        run = (shard - 1) * self.model.shard_items // self.model.items
        lie = self.random.random() < 0.003
        return item, reason, 1000 * (run + 1) + item + 500 * lie

    def ingest(self):
        batches, items, numbers = [], [], []
        for no in range(1, self.random.randint(1, 4) + 1):
            s, e, a = self.some_lease()
            cls = root("select class_id from agent where agent_id = %s", self.agents[a])[0][0]
            cls = self.random.choice(self.classes) if self.random.random() < 0.05 else cls
            rows = [self.row_of(s) for _ in range(self.random.randint(1, 4))]
            batches.append((Agent((self.agents[a], cls, None, None, [], [])), (self.shard + s - 1, e)))
            items += [(no, i, [] if reason else [-float(v)], reason) for i, reason, v in rows]
            numbers += [a, self.classes.index(cls) + 1, s, e, len(rows)]
            numbers += [n for i, reason, v in rows for n in (i, REASONS.get(reason, 0), v)]
        ours = self.model.ask("ingest", self.now(), len(batches), *numbers)
        rows = self.leader.flush(batches, items)
        theirs = [(VERDICTS.index(r[1]), REFUSALS.index(r[2]), int(r[6] == "done")) for r in rows]
        self.same("ingest", pairs(ours, 3), theirs)

    def revoke(self):
        a = self.some_agent()
        self.model.ask("revoke", self.now(), a)
        assert err(admin, "select key_revoke(%s,'why')", self.key_ids[a]) in (None, "KE005")

    def retry(self):
        run = self.random.randrange(self.model.runs)
        ours = self.model.ask("retry", run)
        refused = err(operator, "select run_retry(%s)", self.run + run)
        self.same("retry", ours, {None: "ok", "KE009": "nothing"}[refused])

    def drain(self):
        a, on = self.some_agent(), self.random.random() < 0.5
        self.model.ask("drain", a, int(on))
        if on:
            operator("select node_drain(%s,'why')", self.keys[a])
        else:
            operator("select node_resume(%s)", self.keys[a])

    def seen(self, a=None):
        a = a or self.some_agent()
        self.model.ask("seen", self.now(), a)
        self.sql("select agent_telemetry(%s,%s,'{0}','{0}','{0}','{0}','{0}','{0}')", [self.agents[a]])

    def time_passes(self, times=None):
        seconds = PASS_S * (times or self.random.choice((1, 1, 2, 2, 5, 9)))
        self.model.ask("pass", seconds * 1000)
        older = f"- interval '{seconds} s'"
        root(f"update shard set lease_expires = lease_expires {older}, not_until = not_until {older}"
             " where run_id between %s and %s + 2", self.run, self.run)
        root(f"update agent set last_seen = last_seen {older} where agent_id = any (%s)", self.agents[1:])

    def bad_luck(self):
        """An agent fails all it can get, again and again, until shards are given up."""
        a, m = self.some_agent(), self.random.randint(1, 2)
        for _ in range(self.random.randint(1, 3)):
            before = len(self.grants)
            self.time_passes(self.random.choice((8, 9)))  # just before another may be first, or after
            for other in range(1, self.model.agents + 1):
                self.seen(other)
            self.claim(a, m, 12)
            for lease in self.grants[before:]:
                self.fail(lease, "oom")

    def another_epoch(self):
        """Nothing of an epoch that is over comes in."""
        self.leader.epoch = one(self.leader.c, "select coordinator_lead('against')") - 1
        a = self.some_agent()
        for sql, *args in (("select shard_expire(%s,'0 s')",), ("select coordinator_beat(%s)",),
                           ("select shard_claim(%s,%s,%s,1,'10 s')", self.agents[a], self.models[1])):
            self.same("an old epoch's call", "KE001", err(self.sql, sql, *args))
        self.leader.epoch += 1

    # ---- chance ----

    def some_agent(self):
        return self.random.randint(1, self.model.agents)

    def some_lease(self):
        """Mostly one that was granted, sometimes one that never was."""
        if not self.grants or self.random.random() < 0.03:
            shards = self.model.runs * self.model.items // self.model.shard_items
            return self.random.randint(1, shards), self.random.randint(1, 5), self.some_agent()
        shard, epoch, agent = self.random.choice(self.grants[-12:])
        return shard, epoch, self.some_agent() if self.random.random() < 0.04 else agent

    CALLS = [(claim, 16), (ingest, 34), (renew, 8), (fail, 6), (items, 8), (expire, 5), (work, 4),
             (time_passes, 6), (retry, 3), (drain, 3), (seen, 3), (revoke, 0.3), (another_epoch, 0.5),
             (bad_luck, 1)]

    def step(self):
        if self.random.random() < 0.05:
            call = Both.hello
            call(self, self.some_agent())
        else:
            (call, _), = self.random.choices(self.CALLS, self.weights)
            call(self)
        self.calls += 1
        self.same_rows(f"{call.__name__} (call {self.calls})")

    def end(self):
        for run in range(self.run, self.run + self.model.runs):
            err(operator, "select run_cancel(%s,'over')", run)


def close(ours, theirs):
    """Equal, but that the two clocks were read a moment apart."""
    if not ours.startswith("shard"):
        return ours == theirs
    a, b = ours.split(), theirs.split()
    return a[:-2] == b[:-2] and all(abs(int(x) - int(y)) < 2000 for x, y in zip(a[-2:], b[-2:]))


def prepare():
    connect_all()
    version = import_task("against", [f"item-{i}" for i in range(16)])[0]
    for name in CLASSES:
        root("insert into numerics_class (digest, facts) values (%s,'{}')", sha(name))
    return version


def main():
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    version, model, began, calls, bad = prepare(), Model(), time.time(), 0, 0
    with Leader("against") as leader:
        for seed in range(first, first + worlds):
            both = None
            try:
                both = Both(seed, leader, model, version)
                both.same_rows("the beginning")
                for _ in range(STEPS):
                    both.step()
            except Differs as differs:
                bad += 1
                print(f"FAILED world {seed}: {differs}\n    tests/sim/against/run 1 {seed}")
            finally:
                calls += both.calls if both else 0
                if both:
                    both.end()
    print("| worlds | calls to both | worlds that differ | seconds |\n|---|---|---|---|")
    print(f"| {worlds} | {calls} | {bad} | {time.time() - began:.0f} |")
    print(f"{worlds - bad} passed, {bad} failed, 0 skipped")
    return bad != 0


sys.exit(main())
