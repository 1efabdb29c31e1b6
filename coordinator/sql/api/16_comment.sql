-- What \df+ shows of every function that people call. Names, not numbers, are looked up in the lists.
comment on function task_import is
    'Opens a version of a task (name, definition as canonical JSON, split, private): task_version_id. With item_import and task_seal one transaction.';
comment on function item_import is
    'Items first, first + 1, ... of role e (evaluated) or s (few-shot source): payloads and golds as bytes. Answers a count and never a text.';
comment on function task_seal is
    'Closes the version: task_version_id, n_item, n_shot, fresh. Equal content is the older version (fresh = false).';
comment on function task_group_import is
    'A group of tasks by name: {"tasks": [name ...], "metrics": [{"metric", "filter", "weight_by_size"} ...]}.';
comment on function task_publish_n is
    'Whether readers see the number of items of a task version.';
comment on function task_newest is
    'The version of a task that a launch by name takes.';
comment on function model_add is
    'A model by name, digest and manifest: model_id, name, fresh. The digest is its identity; a name is taken once.';
comment on function campaign_launch is
    'Name, spec, purpose, priority, models, task versions and their params (pairs): campaign_id. The same name and spec again is a no-op.';
comment on function campaign_tasks is
    'What a launch needs to know of a task, or of the members of a group.';
comment on function campaign_estimate is
    'Requests of a task, and tokens and seconds where earlier runs measured them; null where none did.';
comment on function campaign_pause is 'No new grants; what agents hold ends.';
comment on function campaign_resume is 'Grants again after campaign_pause.';
comment on function campaign_retry is
    'Asks again for whatever of a campaign was given up: how many runs, shards and jobs.';
comment on function campaign_cancel is
    'Cancels every run that has not ended, and says how many; complete runs keep what they measured.';
comment on function campaign_priority is 'Greater goes first; from the next grant on.';
comment on function run_cancel is
    'Ends a run for good; from its return on nothing of it is stored. False where it had ended.';
comment on function run_retry is
    'Opens the shards that have errors again, for the missing items only; answers how many shards.';
comment on function run_restart is
    'The same work as a new run (on whatever numerics class comes first), the old one cancelled: run_id of the new one.';
comment on function run_void is
    'A complete run counts no more; boards that read it are stale.';
comment on function scorer_add is
    'A scorer by name, version and digest of its code: scorer_id. Other code needs another version.';
comment on function board_define is
    'Name, definition, scorer: board_id. {"tasks": [{"task"|"group", "version", "params", "metric", "filter", "category", "weight"} ...], "categories": {name: weight}, "publish"}.';
comment on function board_rescore is
    'Prepares or makes the switch of a board to another scorer: the number of scores that are missing, 0 when it is done.';
comment on function job_retry is 'A failed job again, when its cause is mended.';
comment on function node_drain is
    'The agents of a node take no new shards, with a reason; answers how many agents.';
comment on function node_quarantine is
    'What a node holds goes to others, and from its return on nothing that it says is stored; answers how many agents and leases.';
comment on function node_resume is 'Takes node_drain or node_quarantine back.';
comment on function key_add is
    'Admits a public key (32 bytes) for a node: key_id. The same again is a no-op; a revoked key stays revoked.';
comment on function key_rotate is
    'A new public key for the node of an old key, which stays good for the overlap (0 to 90 days): the new key, its node, the end of the old one.';
comment on function key_revoke is
    'From its return on nothing that comes by this key is stored; answers how many leases it ended.';
comment on function model_withdraw is
    'Takes a model''s name out of every view and history at once; the next snapshots leave it out.';
comment on function rank_rollback is
    'A board shows an older snapshot of its own, under a new seq.';
comment on function schema_check is
    'Fails where the schema is not the one with this digest.';
