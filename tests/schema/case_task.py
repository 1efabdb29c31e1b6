"""Import of tasks and models; campaigns, plans, jobs."""
from world import *


def equal_import_returns_the_old_version_and_leaves_nothing():
    first = import_task("same", ["a", "b"], ["x"], '{"v":1}')
    count = lambda: root("select (select count(*) from task_version), (select count(*) from task_item),"
                         " (select count(*) from secret.item)")[0]
    before = count()
    again = import_task("same", ["a", "b"], ["x"], '{"v":1}')
    assert first[3] and not again[3] and first[0] == again[0] and again[1:3] == (2, 1)
    assert count() == before


def change_of_a_shot_an_item_an_order_or_the_definition_is_another_version():
    versions = {import_task("parts", *parts)[0] for parts in (
        (["a", "b"], ["x", "y"], "{}"), (["a", "b"], ["x", "z"], "{}"), (["a", "b"], ["y", "x"], "{}"),
        (["b", "a"], ["x", "y"], "{}"), (["a", "b"], [], "{}"), (["a", "b"], ["x", "y"], '{"d":1}'),
        (["a"], ["b", "x", "y"], "{}"))}
    assert len(versions) == 7
    assert len({d for d, in root("select digest::text from task_version where task_version_id in %s",
                                 tuple(versions))}) == 7


def equal_content_keeps_its_item_id_over_versions():
    one_, two = import_task("anchor", ["a", "b"])[0], import_task("anchor", ["b", "c"])[0]
    ids = [dict(root("select i.payload::text, item_id from task_item join secret.item i using (item_id)"
                     " where task_version_id=%s", v)) for v in (one_, two)]
    shared = set(ids[0]) & set(ids[1])
    assert len(shared) == 1 and all(ids[0][s] == ids[1][s] for s in shared)


def aborted_import_leaves_nothing():
    before = root("select (select count(*) from task_version), (select count(*) from secret.item)")[0]
    c = import_task("aborted", ["only here"], seal=False)
    c.close()
    assert root("select (select count(*) from task_version), (select count(*) from secret.item)")[0] == before
    assert not root("select 1 from task where name='aborted'")


def import_is_one_transaction():
    v = one(World.op, "select task_import('split','{}','test',true)")
    assert err(operator, "select item_import(%s,'e',0,array['a'::bytea],array['g'::bytea])", v) == "KE004"
    assert err(operator, "select * from task_seal(%s)", v) == "KE004"
    root("delete from task_version where task_version_id=%s", v)


def gaps_in_either_role_are_refused():
    for role, first in (("e", 1), ("s", 1)):
        c = import_task("gap", ["a"] if role == "s" else [], seal=False)
        v = one(c, "select max(task_version_id) from (select task_import('gap2','{}','test',true) as"
                " task_version_id) x")
        q(c, "select item_import(%s,'e',0,array['a'::bytea],array['g'::bytea])", v) if role == "s" else None
        q(c, "select item_import(%s,%s,%s,array['b'::bytea],array['g'::bytea])", v, role, first)
        assert err(q, c, "select * from task_seal(%s)", v) == "KE004", role
        c.close()


def two_imports_of_one_task_follow_one_another():
    c = import_task("race", ["a"], seal=False)
    t = Sent(import_task, "race", ["a"])
    assert t.waits()
    v = one(c, "select max(v) from (select task_import('race','{}','test',true) as v) x")
    q(c, "select item_import(%s,'e',0,array['a'::bytea],array['g'::bytea])", v)
    row = q(c, "select * from task_seal(%s)", v)[0]
    c.commit()
    again = t.result()
    assert row[3] and not again[3] and row[0] == again[0]
    c.close()


def groups_name_tasks_that_are_there():
    import_task("g1", ["a"])
    assert err(operator, "select task_group_import('g','{\"tasks\":[\"g1\",\"nowhere\"]}')") == "KE005"
    g = one(World.op, "select task_group_import('g','{\"tasks\":[\"g1\"]}')")
    assert one(World.op, "select task_group_import('g','{\"tasks\":[\"g1\"],\"metrics\":[]}')") == g
    assert root("select groups from task_list where task='g1'") == [(["g"],)]


def model_is_its_digest_and_a_name_is_taken_once():
    add = lambda name, digest: operator("select * from model_add(%s,%s,%s)", name, sha(digest),
                                        '{"parameters":134000000,"dtype":"bf16"}')[0]
    m, name, is_new = add("solar", "solar")
    assert is_new and add("solar", "solar") == (m, "solar", False)
    assert add("another name", "solar") == (m, "solar", False)
    assert err(add, "solar", "other weights") == "KE009"
    assert root("select parameters, dtype from model_list where model='solar'") == [(134000000, "bf16")]


def launch_twice_is_one():
    m, run = fresh()
    name = root("select c.name from campaign c join run using (campaign_id) where run_id=%s", run)[0][0]
    again = lambda size: launch([m], ['{"shots":0}'], size=size, name=name)
    again(10)
    assert len(root("select 1 from run where model_id=%s", m)) == 1
    assert err(again, 11) == "KE009"


def launch_of_what_is_not_there_leaves_nothing():
    m, _ = fresh()
    for models, version in (([987654], World.version), ([m], 987654)):
        assert err(launch, models, ['{"shots":0}'], version, 10, "board", "ghost") == "KE005"
    assert not root("select 1 from campaign where name='ghost'")


def paused_campaign_grants_nothing_and_takes_what_was_leased():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh(20)
        campaign = root("select campaign_id from run where run_id=%s", run)[0][0]
        g = k.grant(a, m)
        operator("select campaign_pause(%s)", campaign)
        assert not k.claim(a, m) and not [r for r in q(k.c, "select * from work_list()") if r[0] == m]
        assert k.flush([(a, g)], answers(1, range(10)))[0][6] == "done"
        assert root("select state, reason from campaign_list where campaign_id=%s", campaign) == \
            [("paused", "paused")]
        assert err(operator, "select campaign_pause(%s)", campaign) == "KE009"
        operator("select campaign_resume(%s)", campaign)
        assert k.claim(a, m)


def cancelled_campaign_keeps_complete_runs_and_ends_the_others():
    with Leader() as k:
        a = k.hello("k1")
        m = [model(), model()]
        campaign = launch(m, ['{"shots":0,"seed":1,"limit":10}'])
        runs = root("select run_id, plan_id from run where campaign_id=%s order by 1", campaign)
        plan(runs[0][1], 10)
        k.flush([(a, k.grant(a, m[0]))], answers(1, range(10)))
        g = k.grant(a, m[1])
        assert one(World.op, "select campaign_cancel(%s,'enough')", campaign) == 1
        assert [run_state(r) for r, _ in runs] == ["complete", "cancelled"]
        assert k.flush([(a, g)], answers(1, [0]))[0][2] == "run not live"
        assert err(operator, "select campaign_cancel(%s,'again')", campaign) == "KE009"
        assert root("select state from campaign_list where campaign_id=%s", campaign) == [("cancelled",)]


def priority_is_one_order_for_campaign_and_claims():
    with Leader() as k:
        a, m = k.hello("k1"), model()
        runs = []
        for _ in range(2):
            campaign = launch([m], ['{"shots":0,"seed":1,"limit":10}'])
            runs.append((campaign, *root("select run_id, plan_id from run where campaign_id=%s", campaign)[0]))
            plan(runs[-1][2], 10)
        operator("select campaign_priority(%s,5)", runs[1][0])
        assert k.claim(a, m)[0][2] == runs[1][1]


def restart_on_a_new_class_is_a_new_run():
    with Leader() as k:
        a = k.hello("k1")
        m, run = fresh(10)
        k.flush([(a, k.grant(a, m))], answers(1, [0]))
        b = k.hello("k2", "c9")
        assert not k.claim(b, m)
        again = one(World.op, "select run_restart(%s,'engine 2')", run)
        (shard, epoch, of, *_), = k.claim(b, m)
        assert of == again
        r = k.flush([(b, (shard, epoch))], answers(1, range(10), lambda n: [-3.0, -4.0]))[0]
        assert r[6] == "done" and not incidents(again)
        assert root("select count(*) from response where run_id=%s", run)[0][0] == 1
        assert err(operator, "select run_restart(%s,'x')", again) == "KE009"
        k.hello("k2", "c1")


def waiting_run_says_which_is_missing_model_or_class():
    with Leader() as k:
        others_away()
        m, run = fresh(10)
        digest = root("select digest from model where model_id=%s", m)[0][0]
        reason = lambda: root("select reason from run_list where run_id=%s", run)[0][0]
        k.hello("k1", models=[sha("another")])
        assert reason() == "model_on_no_node"
        a = k.hello("k1", models=[digest])
        assert reason() is None
        k.fail(a, k.grant(a, m), "returned")
        k.hello("k1", "c7", models=[digest])
        assert reason() == "class_on_no_node"
        k.hello("k1")


def launch_while_a_plan_is_drawn_loses_no_run():
    params = ['{"shots":0,"seed":98,"limit":3}']
    first = launch([model()], params)
    plan_id = root("select plan_id from run where campaign_id=%s", first)[0][0]
    c, j1, at1 = job("plan", plan_id)
    q(c, "select plan_begin(%s,%s)", j1, at1)
    q(c, "select plan_write(%s,%s,0,%s,0,%s::int[])", j1, at1, [0, 1, 2], [])
    second = launch([model()], params)  # asks for the plan again: the drawing one may miss its run
    q(c, "select plan_seal(%s,%s)", j1, at1)
    d, j2, at2 = job("plan", plan_id)
    assert j2 != j1 and q(d, "select plan_begin(%s,%s)", j2, at2) == [(None,)]
    assert root("select state from job where job_id=%s", j2) == [("done",)]
    states = root("select distinct state from run where campaign_id in (%s,%s)", first, second)
    assert states == [("running",)], states
    c.close()
    d.close()


def plan_of_a_job_that_was_given_up_is_refused():
    m = model()
    campaign = launch([m], ['{"shots":0,"seed":99,"limit":3}'])
    plan_id = root("select plan_id from run where campaign_id=%s", campaign)[0][0]
    c, j1, at1 = job("plan", plan_id, lease="0 s")
    q(c, "select plan_begin(%s,%s)", j1, at1)
    d, j2, at2 = job("plan", plan_id)
    assert (j1, at1 + 1) == (j2, at2)
    assert err(q, c, "select plan_write(%s,%s,0,%s,0,%s::int[])", j1, at1, [0], []) == "KE001"
    q(d, "select plan_begin(%s,%s)", j2, at2)
    q(d, "select plan_write(%s,%s,0,%s,0,%s::int[])", j2, at2, [0, 1, 2000], [])
    assert err(q, d, "select plan_seal(%s,%s)", j2, at2) == "KE004"  # no such item
    q(d, "select plan_begin(%s,%s)", j2, at2)
    q(d, "select plan_write(%s,%s,1,%s,0,%s::int[])", j2, at2, [0, 1], [])
    assert err(q, d, "select plan_seal(%s,%s)", j2, at2) == "KE004"  # a gap
    q(d, "select plan_begin(%s,%s)", j2, at2)
    q(d, "select plan_write(%s,%s,0,%s,0,%s::int[])", j2, at2, [2, 0, 1], [])
    q(d, "select plan_seal(%s,%s)", j2, at2)
    assert root("select state from job where job_id=%s", j2) == [("done",)]
    c.close()
    d.close()


def job_that_fails_is_tried_again_until_its_attempts_end():
    m, run = fresh()
    root("insert into job(kind,key) values('score',%s)", run)
    for attempt in (1, 2, 3):
        c, number, at = job("score", run)
        assert at == attempt
        state = one(c, "select job_fail(%s,%s,'disk full')", number, at)
        assert err(q, c, "select job_finish(%s,%s)", number, at) == "KE001"
        c.close()
    assert state == "failed"
    assert root("select state, error, attempts from job_list where job_id=%s", number) == \
        [("failed", "disk full", 3)]
    operator("select job_retry(%s)", number)
    assert err(operator, "select job_retry(%s)", number) == "KE009"
    c, again, at = job("score", run)
    assert (again, at) == (number, 1)
    assert one(c, "select job_fail(%s,%s,'no such metric',false)", number, at) == "failed"
    c.close()


def job_whose_holder_died_is_taken_by_another_and_fenced():
    m, run = fresh()
    root("insert into job(kind,key) values('score',%s)", run)
    c, number, at = job("score", run, lease="0 s")
    d, again, at2 = job("score", run)
    assert again == number and at2 == at + 1
    assert err(q, c, "select job_renew(%s,%s,'1 m')", number, at) == "KE001"
    q(d, "select job_renew(%s,%s,'1 m')", number, at2)
    root("update job set state='done' where kind='score' and state='queued'")
    assert not q(c, "select * from job_claim('score','z','1 m')")
    q(d, "select job_finish(%s,%s)", number, at2)
    c.close()
    d.close()
