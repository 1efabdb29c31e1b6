-- Who may do what. Nobody but the owner has DML on any table; everything else is a function or a view.
revoke all on schema koeval, secret, ranking, meta from public;
grant usage on schema koeval, ranking to koeval_coordinator, koeval_ranker, koeval_operator, koeval_admin;
grant usage on schema ranking to koeval_reader;
grant usage on schema secret to koeval_coordinator;

-- The coordinator and its plan and score jobs read; golds and generations only they. The ranker has its
-- functions and no table at all.
grant select on all tables in schema koeval to koeval_coordinator;
grant select on secret.item, secret.output to koeval_coordinator;

grant select on ranking.board_v1, ranking.category_v1, ranking.task_v1, ranking.model_v1,
    ranking.coverage_v1, ranking.current_v1, ranking.history_v1
    to koeval_reader, koeval_operator, koeval_admin;
grant execute on function ranking.board_at to koeval_reader, koeval_operator, koeval_admin;

grant select on status_list, node_list, key_list, task_list, model_list, run_list, campaign_list,
    error_list, truncated_list, score_list, group_list, job_list, board_list, edition_list, place_list, event_list,
    cost_list to koeval_operator, koeval_admin;
grant execute on function task_newest to koeval_coordinator, koeval_ranker, koeval_operator, koeval_admin;
grant select on scorer to koeval_operator, koeval_admin;
grant select on command, incident, agent_key to koeval_admin;

grant execute on function schema_check
    to koeval_coordinator, koeval_ranker, koeval_operator, koeval_admin;
grant execute on function coordinator_lead, coordinator_beat, coordinator_depose, agent_hello,
    agent_telemetry, agent_models, agent_intents, key_good, work_list, shard_claim, lease_renew, lease_measure,
    shard_expire, shard_fail, response_ingest, shard_missing, item_fetch, job_claim, job_renew,
    job_finish, job_fail, plan_begin, plan_write, plan_seal, scorer_add, run_scorers,
    score_begin, score_items, score_write to koeval_coordinator;
grant execute on function job_claim, job_renew, job_finish, job_fail, board_input, board_complete,
    rank_begin, rank_scores, rank_values, rank_publish to koeval_ranker;
grant execute on function task_import, item_import, task_seal, task_group_import, task_publish_n,
    model_add, campaign_launch, campaign_tasks, campaign_estimate, campaign_pause, campaign_resume,
    campaign_retry, campaign_cancel, campaign_priority,
    run_cancel, run_retry, run_restart, run_void, scorer_add, board_define, job_retry, node_drain,
    node_quarantine, node_resume to koeval_operator, koeval_admin;
grant execute on function key_add, key_rotate, key_revoke, model_withdraw, board_rescore, rank_rollback
    to koeval_admin;
