"""Scores, boards, snapshots, views."""
import json

from world import *

DB = f"host={SOCKET} port=5432 dbname=koeval"
PARAMS = '{"shots":0,"seed":1,"limit":20,"dtype":"f32"}'


def scorer(name="s", version=1):
    return one(World.op, "select scorer_add(%s,%s,%s)", name, version, sha(f"{name}{version}"))


def define(name, tasks, s=None, **more):
    return one(World.op, "select board_define(%s,%s,%s)", name, json.dumps({"tasks": tasks, **more}),
               s or scorer())


def complete(k, m, params=PARAMS, n=20, purpose="board", version=None):
    """A complete run of the model: its run_id."""
    campaign = launch([m], [params], version=version, purpose=purpose)
    run, plan_id = root("select run_id, plan_id from run where campaign_id=%s", campaign)[0]
    plan(plan_id, n)
    a = k.hello("k1")
    g = k.claim(a, m, 99)
    k.flush([(a, x[:2]) for x in g],
            [(i + 1, no, [-1.0, -2.0]) for i, x in enumerate(g) for no in range(x[3], x[4])])
    assert run_state(run) == "complete"
    return run


def score(run, s, value=0.5, n=20, metric="acc", stderr=0.1):
    c, number, at = job("score", run)
    wrote = one(c, "select score_write(%s,%s,%s,array[%s],array['none'],array['mean'],array[1],"
                "array[%s::float8],array[%s::float8],%s::float8[])", number, at, s, metric, value, stderr,
                ([1.0, 0.0] * n)[:n])
    q(c, "select job_finish(%s,%s)", number, at)
    c.close()
    return wrote


def publish(board, job_of=None, dirty=None, models=None):
    """Ranks every complete model in its order; the snapshot, or the error's SQLSTATE."""
    c, number, at = job_of or job("rank", board, "koeval_ranker")
    dirty = dirty if dirty is not None else root("select dirty from board where board_id=%s", board)[0][0]
    ids = [r[0] for r in q(c, "select score_id from board_input(%s) where score_id is not null"
                           " order by 1", board)]
    ok = models or [r[0] for r in q(c, "select model_id from board_complete(%s) order by 1", board)]
    n = len(ok)
    category = [r[0] for r in root("select category from board_category where board_id=%s order by 1", board)]
    return one(c, "select rank_publish(%s,%s,%s,'v1',42,1000,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)",
               number, at, dirty, ok, list(range(1, n + 1)), [1] * n, [n] * n, [1] * n,
               [50.123456] * n, [1.23456] * n, [m for m in ok for _ in category],
               category * n, [50.123456] * n * len(category), [2.0] * n * len(category), ids)


def reader(sql, *args):
    c = con("koeval_reader")
    try:
        return q(c, sql, *args)
    finally:
        c.close()


def board_names_what_is_there_or_is_refused():
    good = {"task": "t", "metric": "acc"}
    for tasks in ([], [{"task": "nowhere", "metric": "acc"}], [{"group": "nowhere", "metric": "acc"}],
                  [{"metric": "acc"}], [{"task": "t"}], [good, good], [{**good, "weight": 0}],
                  [{**good, "weight": "much"}], [{**good, "version": "ffff"}]):
        assert err(define, "bad", tasks) in ("KE004", "KE005"), tasks
    assert not root("select 1 from board where name='bad'")


def group_on_a_board_is_its_members_weighted_by_size():
    import_task("ga", ["1", "2", "3"])
    import_task("gb", ["1"])
    operator("select task_group_import('gg','{\"tasks\":[\"ga\",\"gb\"]}')")
    b = define("grouped", [{"group": "gg", "metric": "acc", "weight": "size", "params": {"shots": 5}},
                           {"task": "t", "metric": "acc", "category": "other", "params": {"x": 1}}],
               categories={"other": 2.5}, publish=False)
    assert root("select task_no, category, weight, params->>'shots' from board_task where board_id=%s"
                " order by 1", b) == [(1, "gg", 3, "5"), (2, "gg", 1, "5"), (3, "other", 1, None)]
    assert root("select category, weight from board_category where board_id=%s order by 1", b) == \
        [("gg", 1), ("other", 2.5)]
    assert define("grouped", [{"task": "t", "metric": "acc", "params": {"x": 1}}], publish=False) == b
    assert root("select category from board_task where board_id=%s", b) == [("t",)]


def runs_count_where_their_params_contain_the_selector():
    s = scorer()
    b = define("select", [{"task": "t", "metric": "acc", "params": {"dtype": "bf16", "shots": 0}}],
               publish=False)
    with Leader() as k:
        m = model()
        runs = [complete(k, m, PARAMS.replace("f32", d)) for d in ("bf16", "f32")]
        assert root("select run_id from board_input(%s)", b) == [(runs[0],)]
        rehearsal = complete(k, m, PARAMS.replace("f32", "bf16"), purpose="rehearsal")
        assert root("select run_id from board_input(%s)", b) == [(runs[0],)], rehearsal
        newer = complete(k, m, PARAMS.replace("f32", "bf16"))
        assert root("select run_id from board_input(%s)", b) == [(newer,)]
        operator("select run_void(%s,'wrong weights')", newer)
        assert root("select run_id from board_input(%s)", b) == [(runs[0],)]


def ranking_is_atomic_fenced_and_shows_what_it_read():
    s = scorer()
    b = define("b", [{"task": "t", "metric": "acc", "category": "all", "params": {"limit": 20}}], s)
    with Leader() as k:
        ms = [model(), model()]
        for m in ms:
            assert score(complete(k, m), s) == 1
        late = job("rank", b, "koeval_ranker", lease="0 s")
        now = job("rank", b, "koeval_ranker")
        assert err(publish, b, late) == "KE001"  # the zombie ranker
        publish(b, now)
        assert err(publish, b, now) == "KE001"  # its job is over
        assert reader("select board, seq, is_stale from ranking.current_v1") == [("b", 1, False)]
        shown = reader("select model, rank, rank_lo, rank_hi, tie_group, score, stderr, n"
                       " from ranking.board_v1 where board='b'")
        assert len(shown) == 2 and shown[0][2:] == (1, 2, 1, 50.12, 1.23, None) or \
            [float(x) for x in shown[0][5:7]] == [50.12, 1.23], shown
        assert reader("select category, tasks, weight from ranking.category_v1") == [("all", 1, 1)] * 2
        assert {r[0] for r in reader("select state from ranking.coverage_v1 where board='b'")} >= {"ranked"}
        assert err(root, "update ranking.row set rank = 9") == "KE003"
        admin("select model_withdraw(%s,'owner asked')", ms[0])
        assert ("withdrawn", True) in reader("select model, withdrawn_at is not null from ranking.board_v1")
        assert reader("select is_stale from ranking.current_v1") == [(True,)]
        with_both = job("rank", b, "koeval_ranker")
        assert err(publish, b, with_both, None, ms) == "KE001"  # ranks what was withdrawn
        before = root("select clock_timestamp()")[0][0]
        publish(b, with_both)
        assert len(reader("select * from ranking.board_at('b',%s)", before)) == 2
        assert len(reader("select * from ranking.board_at('b',now())")) == 1
        assert len(reader("select * from ranking.history_v1 where board='b'")) == 3
        first = root("select min(snapshot_id) from ranking.snapshot where board_id=%s", b)[0][0]
        assert one(World.admin, "select rank_rollback(%s,%s)", b, first) == 3
        assert err(admin, "select rank_rollback(%s,987654)", b) == "KE005"


def input_older_than_the_published_one_is_refused():
    b = define("old", [{"task": "t", "metric": "acc", "params": {"limit": 20}}], publish=False)
    read = root("select dirty from board where board_id=%s", b)[0][0]
    publish(b)
    root("select board_touch(%s)", b)
    publish(b)
    root("select board_touch(%s)", b)
    assert err(publish, b, None, read) == "KE001"


def incomplete_models_are_covered_with_state_reason_and_count():
    s = scorer()
    define("cover", [{"task": "t", "metric": "acc", "params": {"dtype": "cov"}}], s)
    params = PARAMS.replace("f32", "cov")
    cover = lambda name: reader("select state, reason, tasks_scored, tasks, items_done, items, percent"
                                " from ranking.coverage_v1 where board='cover' and model=%s", name)[0]
    with Leader() as k:
        m = model("covered")
        campaign = launch([m], [params])
        run, plan_id = root("select run_id, plan_id from run where campaign_id=%s", campaign)[0]
        plan(plan_id, 20)
        others_away()
        k.hello("k1", models=[sha("another")])
        assert cover("covered")[:4] == ("waiting", "model_on_no_node", 0, 1)
        a = k.hello("k1")
        k.flush([(a, k.grant(a, m))], [(1, 0, [], "nonfinite", 7)] + answers(1, range(1, 10)))
        assert cover("covered") == ("running", None, 0, 1, None, None, 45), cover("covered")
        root("update task_version set publish_n = true where task_version_id=%s", World.version)
        assert cover("covered")[4:6] == (9, 20)
        root("update task_version set publish_n = false where task_version_id=%s", World.version)
        k.flush([(a, k.grant(a, m))], answers(1, range(10, 20)))
        assert cover("covered")[:2] == ("erred", "nonfinite")
        operator("select run_retry(%s)", run)
        k.flush([(a, k.grant(a, m))], answers(1, [0]))
        assert cover("covered")[0] == "scoring"
        score(run, s)
        assert cover("covered")[:4] == ("ranking", None, 1, 1)


def rescoring_switches_only_when_every_run_has_its_score():
    one_, two = scorer("q", 1), scorer("q", 2)
    assert err(lambda: operator("select scorer_add('q',2,%s)", sha("other code"))) == "KE009"
    b = define("rescored", [{"task": "t", "metric": "acc", "params": {"dtype": "re"}}], one_, publish=False)
    at = lambda: root("select scorer_id, next_scorer_id from board where board_id=%s", b)[0]
    with Leader() as k:
        run = complete(k, model(), '{"shots":0,"limit":10,"dtype":"re"}', 10)
        assert [r[0] for r in q(k.c, "select * from run_scorers(%s)", run)] == [one_]
        score(run, one_, n=10)
        assert one(World.admin, "select board_rescore(%s,%s)", b, two) == 1 and at() == (one_, two)
        assert [r[0] for r in q(k.c, "select * from run_scorers(%s)", run)] == [one_, two]
        score(run, two, 0.75, 10)
        assert one(World.admin, "select board_rescore(%s,%s)", b, two) == 0 and at() == (two, None)
        assert root("select s.value from board_input(%s) join score s using (score_id)", b) == [(0.75,)]


def groups_are_summed_up_as_the_harness_does():
    s = scorer()
    sizes, values, errors = (100, 400, 30, 1), (0.5, 0.7, 0.4, 1.0), (0.05, 0.02, 0.1, None)
    for i, n in enumerate(sizes[:3]):
        import_task(f"sum{i}", [f"{i} {j}" for j in range(n)])
    import_task("sum3", ["3 0"])  # one item: it has a value and no standard error
    operator("select task_group_import('bare','{\"tasks\":[\"sum0\",\"sum3\"]}')")
    for name, by_size in (("micro", "true"), ("macro", "false")):
        operator("select task_group_import(%s,%s)", name, '{"tasks":["sum0","sum1","sum2"],"metrics":'
                 '[{"metric":"acc","weight_by_size":%s}]}' % by_size)
    with Leader() as k:
        m = model("summed")
        versions = [root("select task_newest(%s)", f"sum{i}")[0][0] for i in range(4)]
        campaign = one(World.op, "select campaign_launch('sums','{}','board',0,%s,%s,%s::jsonb[])", [m],
                       versions, ['{"shots":0}'] * 4)
        for run, plan_id in root("select run_id, plan_id from run where campaign_id=%s order by 1", campaign):
            i = versions.index(root("select task_version_id from run where run_id=%s", run)[0][0])
            plan(plan_id, sizes[i])
            a = k.hello("k1")
            g = k.claim(a, m, 99)
            k.flush([(a, x[:2]) for x in g],
                    [(b + 1, no, [-1.0, -2.0]) for b, x in enumerate(g) for no in range(x[3], x[4])])
            score(run, s, values[i], sizes[i], stderr=errors[i])
    got = {g: (v, e, n) for g, v, e, n in root("select group_name, value, stderr, n from group_list"
                                               " where model='summed'")}
    # the worked example of the harness's documentation: 0.645283, 0.533333, 0.0186634
    assert abs(got["micro"][0] - 0.6452830189) < 1e-9 and abs(got["macro"][0] - 0.5333333333) < 1e-9, got
    assert abs(got["micro"][1] - 0.0186634) < 1e-7 and got["micro"][1] == got["macro"][1], got
    assert got["micro"][2] == 530
    assert got["bare"][1:] == (None, 101), got  # nothing is made up for the member without an error
    shown = koeval("campaign", "show", "sums", "--json", KOEVAL_DB=DB)
    assert shown.returncode == 0, shown.stderr
    groups = {g["group_name"]: g for g in json.loads(shown.stdout)["groups"]}
    assert abs(groups["micro"]["value"] - 0.6452830189) < 1e-9, groups
    assert abs(groups["micro"]["stderr"] - 0.0186634) < 1e-7 and groups["bare"]["stderr"] is None
    assert (groups["micro"]["tasks_scored"], groups["micro"]["tasks"]) == (3, 3)


def models_show_their_facts():
    manifest = ('{"parameters":999,"dtype":"f16","architecture":"llama","licence":"mit","type":"base"}')
    operator("select * from model_add('facts',%s,%s)", sha("facts"), manifest)
    assert root("select parameters, dtype, architecture, licence, type from model_list where model='facts'") \
        == [(999, "f16", "llama", "mit", "base")]
    assert not reader("select 1 from ranking.model_v1 where model='facts'")  # never ranked, never shown
