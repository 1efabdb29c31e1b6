-- Schemas and types. Runs as koeval_owner in a database that it owns.
create schema koeval;
create schema secret;
create schema ranking;

-- Global, not "in schema": a per-schema default cannot take back what the built-in default gives PUBLIC.
alter default privileges revoke execute on functions from public;

create domain koeval.digest32 as bytea check (octet_length(value) = 32);
create type koeval.campaign_state as enum ('active', 'paused', 'cancelled');
create type koeval.campaign_purpose as enum ('board', 'rehearsal', 'audit', 'dispute');
create type koeval.run_state as enum ('planned', 'running', 'complete', 'erred', 'cancelled');
create type koeval.shard_state as enum ('ready', 'leased', 'done', 'error', 'cancelled');
create type koeval.lease_outcome as enum ('done', 'expired', 'returned', 'failed', 'revoked', 'lost',
                                          'superseded', 'cancelled');
create type koeval.job_kind as enum ('plan', 'score', 'rank');
create type koeval.job_state as enum ('queued', 'running', 'done', 'failed');
create type koeval.agent_intent as enum ('active', 'drain', 'quarantine');
create type koeval.verdict as enum ('COMMITTED', 'ALREADY', 'REJECTED');
-- Typed, so that nothing an agent writes as prose can carry item text into a listing. The order is the
-- wire's number less one.
create type koeval.fail_reason as enum ('oom', 'nonfinite', 'tokenizer_mismatch', 'unsupported_feature',
    'model_on_no_node', 'class_on_no_node', 'too_long', 'timeout', 'lease_expired', 'agent_lost',
    'returned', 'revoked', 'invalid_result', 'internal');
