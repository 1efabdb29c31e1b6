-- Inside the new database, by a superuser, once: what the owner may not make for itself.
create schema if not exists ext;
create extension if not exists pgcrypto schema ext;
grant usage on schema ext to koeval_owner;
revoke create on schema public from public;
alter schema public owner to koeval_owner;
