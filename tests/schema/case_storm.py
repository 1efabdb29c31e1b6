"""Everything at once, at random: no deadlock, no error but the refusals that are meant, no broken count."""
import random

from world import *

# a claim or a flush of an epoch that is over, an order to what has ended meanwhile
MEANT = {"KE001", "KE005", "KE009"}


class Storm:
    def __init__(self, seconds, seed):
        self.until, self.seed = time.time() + seconds, seed
        self.unmeant, self.done, self.ended = [], {}, 0
        self.leader = Leader()
        self.agents = [self.leader.hello(k) for k in ("k1", "k2")]
        self.models = [model(), model()]
        self.campaigns = [launch(self.models, ['{"shots":0,"seed":1,"limit":60}'], size=6) for _ in range(3)]
        for (plan_id,) in root("select distinct plan_id from run where campaign_id = any(%s)", self.campaigns):
            plan(plan_id, 60)

    def runs(self, c):
        return [r[0] for r in q(c, "select run_id from run_list where campaign_id = any(%s)", self.campaigns)]

    def work(self, c, dice):
        """Claims, answers some items (some of them with an error), now and then gives back or goes silent."""
        k, a = self.leader, dice.choice(self.agents)
        grants = k.claim(a, dice.choice(self.models), dice.randint(1, 3), dice.choice(("0 s", "60 s")), c=c)
        batches = [(a, g[:2]) for g in grants]
        items = [(i + 1, n, [-1.0 * n, -2.0]) if dice.random() < 0.97 else (i + 1, n, [], "oom")
                 for i, g in enumerate(grants) for n in range(g[3], g[4]) if dice.random() < 0.9]
        if items:
            k.flush(batches, items, c=c)
            if dice.random() < 0.3:
                k.flush(batches, items, c=c)  # the answer was lost: once more
        for g in grants:
            if dice.random() < 0.2:
                q(c, "select shard_fail(%s,%s,%s,%s,%s)", k.epoch, g[0], g[1], a.id,
                  dice.choice(("returned", "oom")))

    def late(self, c, dice):
        """Any lease that was ever granted answers again."""
        rows = q(self.look, "select l.shard_id, l.lease_epoch, l.agent_id, l.plan_lo, l.plan_hi"
                 " from koeval.lease l join koeval.shard using (shard_id) join koeval.run using (run_id)"
                 " where campaign_id = any(%s) order by random() limit 5", self.campaigns)
        by_id = {a.id: a for a in self.agents}
        batches = [(by_id[r[2]], r[:2]) for r in rows]
        items = [(i + 1, n, [-1.0 * n, -2.0]) for i, r in enumerate(rows) for n in range(r[3], r[4])]
        if items:
            self.leader.flush(batches, items, c=c)

    def time(self, c, dice):
        q(c, "select shard_expire(%s,'0 s')", self.leader.epoch)
        held = q(c, "select shard_id, lease_epoch, lease_agent from shard where state='leased' limit 50")
        if held:
            q(c, "select * from lease_renew(%s,%s,%s,%s,'1 s')", self.leader.epoch, [h[0] for h in held],
              [h[1] for h in held], [h[2] for h in held])
        if dice.random() < 0.2:
            self.leader.hello(dice.choice(("k1", "k2")), c=c)

    def order(self, c, dice):
        campaign, run = dice.choice(self.campaigns), dice.choice(self.runs(c))
        sql, args = dice.choice((
            ("select campaign_pause(%s)", (campaign,)), ("select campaign_resume(%s)", (campaign,)),
            ("select campaign_resume(%s)", (campaign,)), ("select run_retry(%s)", (run,)),
            ("select run_retry(%s)", (run,)), ("select campaign_priority(%s,%s)", (campaign, dice.randint(0, 9))),
            ("select run_restart(%s,'storm')", (run,)) if dice.random() < 0.1 else
            ("select node_resume('n-k1')", ())))
        q(c, sql, *args)

    def lead(self, c, dice):
        time.sleep(0.3)
        self.leader.epoch = one(self.leader.c, "select coordinator_lead('storm')")

    def thread(self, name, role, no):
        c, dice = con(role), random.Random(self.seed * 100 + no)
        q(c, "set lock_timeout = '20 s'")
        while time.time() < self.until:
            try:
                getattr(self, name)(c, dice)
                self.done[name] = self.done.get(name, 0) + 1
            except psycopg2.Error as e:
                if c.closed:  # who held the gate for a second when another led
                    self.ended += 1
                    c = con(role)
                elif e.pgcode not in MEANT:
                    self.unmeant.append((name, e.pgcode, str(e)[:200]))
        c.close()

    def blow(self):
        self.look = con("postgres")
        crew = [("work", "koeval_coordinator")] * 3 + [("late", "koeval_coordinator"), ("time", "koeval_coordinator"),
                                                       ("order", "koeval_operator"), ("lead", "koeval_operator")]
        for t in [Sent(self.thread, name, role, no) for no, (name, role) in enumerate(crew)]:
            t.result(self.until - time.time() + 60)
        self.look.close()
        self.leader.close()


def everything_at_once_breaks_no_count_and_never_deadlocks():
    storm = Storm(float(os.environ.get("STORM_SECONDS", "6")), int(os.environ.get("STORM_SEED", "1")))
    storm.blow()
    assert not storm.unmeant, storm.unmeant[:3]
    assert storm.ended < 5, storm.ended  # honest work is let through
    assert set(storm.done) == {"work", "late", "time", "order", "lead"}, storm.done
    invariants()
    bad = root("select r.run_id from run r where r.campaign_id = any(%s) and r.state in ('complete','erred')"
               " and (r.n_item_done <> (select count(*) from response p where p.run_id = r.run_id)"
               " or (r.state = 'complete' and r.n_item_done <> r.n_item))", storm.campaigns)
    assert not bad, bad
    assert not root("select 1 from incident where run_id in (select run_id from run where campaign_id = any(%s))",
                    storm.campaigns)


def every_run_completes_after_the_storm():
    storm = Storm(3, 7)
    storm.blow()
    with Leader() as k:
        agents = [k.hello("k1"), k.hello("k2")]
        for campaign in storm.campaigns:
            err(operator, "select campaign_resume(%s)", campaign)
        root("update shard set not_agent = null")
        open_runs = lambda: root("select run_id from run where campaign_id = any(%s)"
                                 " and state in ('running','erred')", storm.campaigns)
        for _ in range(50):
            for (run,) in open_runs():
                if run_state(run) == "erred":
                    operator("select run_retry(%s)", run)
            for m in storm.models:
                g = k.claim(agents[0], m, 99)
                if g:
                    k.flush([(agents[0], x[:2]) for x in g],
                            [(i + 1, n, [-1.0 * n, -2.0]) for i, x in enumerate(g) for n in range(x[3], x[4])])
            if not open_runs():
                break
        assert not open_runs()
