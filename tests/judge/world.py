"""A world of answers without engines: tasks, models and complete runs, written as the daemons would.

Every likelihood is drawn from a fixed seed: a model answers an item right with a chance that depends on
its strength and the item's difficulty, so that the same items are hard for all."""
import json
import random

import psycopg2
from psycopg2.extras import Json

TASKS = ['reasoning', 'commonsense', 'language', 'hallucination', 'ethics', 'knowledge']
MODELS = {'demo-llama-large': .77, 'demo-qwen2': .69, 'demo-mistral': .68, 'demo-llama-small': .55,
          'demo-untrained': .25}
CHOICES = 4


def connect(conninfo, role):
    db = psycopg2.connect(f'{conninfo} user={role}')
    db.autocommit = True
    db.cursor().execute('set search_path = koeval, ranking')
    return db


def call(db, sql, *args):
    cur = db.cursor()
    cur.execute(sql, args)
    return cur.fetchall() if cur.description else None


def definition(name, metrics):
    template = {'template': '{{q}}'}
    shot = {'doc_to_text': template, 'doc_to_target': {'column': 'a'}, 'doc_to_choice': {'column': 'c'},
            'gen_prefix': None, 'target_delimiter': ' ', 'fewshot_delimiter': '\n\n'}
    return json.dumps({
        'task': name, 'output_type': 'multiple_choice', **shot, 'description': None, 'shot': shot,
        'fewshot': {'sampler': 'default', 'exclude_self': False, 'num_fewshot': None},
        'metric_list': [{'metric': m, 'aggregation': a, 'higher_is_better': True} for m, a in metrics],
        'multiple_input': False, 'multiple_target': False,
        'split': {'evaluate': 'test', 'fewshot': None}, 'version': 1, 'tag': []}, sort_keys=True)


def add_task(operator, name, golds, metrics=(('acc', 'mean'),)):
    """golds: the right choice of each item."""
    operator.autocommit = False
    version = call(operator, 'select task_import(%s, %s, %s, false)', name, definition(name, metrics),
                   'test')[0][0]
    payload = [json.dumps({'q': f'{name} {i}', 'a': g, 'c': list('abcd')}).encode()
               for i, g in enumerate(golds)]
    gold = [json.dumps({'gold': [g], 'chars': [1, 2, 3, 4], 'bytes': [3, 2, 3, 4]}).encode() for g in golds]
    call(operator, "select item_import(%s, 'e', 0, %s::bytea[], %s::bytea[])", version, payload, gold)
    version = call(operator, 'select task_version_id from task_seal(%s)', version)[0][0]
    call(operator, 'select task_publish_n(%s, true)', version)
    operator.commit()
    operator.autocommit = True
    return version


def add_model(operator, name, number):
    manifest = {'files': [{'name': 'tokenizer.json', 'bytes': 1, 'sha256': '00' * 32}],
                'architecture': 'LlamaForCausalLM', 'dtype': 'bf16', 'parameters': 452256}
    return call(operator, 'select model_id from model_add(%s, %s, %s)', name,
                bytes([number]) * 32, Json(manifest))[0][0]


def plan_all(owner):
    """What plan jobs do, for tasks without shots."""
    for job, attempt, plan in iter(lambda: (call(owner, "select job_id, attempt, key from"
                                                 " job_claim('plan', 'test', '1 min')") or [None])[0], None):
        n = call(owner, 'select coalesce(least(v.n_item, (l.draw ->> %s)::int), v.n_item) from plan l'
                 ' join task_version v using (task_version_id) where plan_id = %s', 'limit', plan)[0][0]
        call(owner, 'select plan_begin(%s, %s)', job, attempt)
        call(owner, 'select plan_write(%s, %s, 0, %s, 0, %s::int[])', job, attempt, list(range(n)), [])
        call(owner, 'select plan_seal(%s, %s)', job, attempt)


def logliks(strength, golds, seed, task):
    """One list of likelihoods an item: difficulty from the task, luck from the model's seed."""
    out = []
    for i, gold in enumerate(golds):
        hard = random.Random(f'{task} {i}').random()
        luck = random.Random(f'{seed} {task} {i}')
        right = luck.random() < strength + .4 * (.5 - hard)
        ll = [-5 - luck.random() for _ in range(CHOICES)]
        ll[gold if right else (gold + 1 + luck.randrange(CHOICES - 1)) % CHOICES] = -1.0
        out.append(ll)
    return out


def answer_run(owner, run, answers):
    """The rows that ingest would have written, and the run's end."""
    n = call(owner, 'select n_item from run where run_id = %s', run)[0][0]
    flat = [x for ll in answers[:n] for x in ll]
    call(owner, 'select response_partition(%s / 1000)', run)
    call(owner, '''insert into response (input_hash, run_id, item_no, agent_id, lease_epoch, class_id, replica,
                                         loglik, greedy, n_tokens)
                   select i, %s, i, 1, 1, 1, 0, (%s::float8[])[i * 4 + 1 : i * 4 + 4],
                          array[false, false, false, false], array[1, 1, 1, 1]
                     from generate_series(0, %s - 1) i''', run, flat, n)
    call(owner, '''update shard set state = 'done', n_done = plan_hi - plan_lo where run_id = %s''', run)
    call(owner, '''update run set class_id = 1, state = 'running' where run_id = %s''', run)
    call(owner, 'select run_advance(%s, n_shard, 0, n_item, 0) from run where run_id = %s', run, run)


def add_class(owner):
    call(owner, "insert into numerics_class (digest, facts) values (%s, '{}') on conflict do nothing",
         b'\1' * 32)
