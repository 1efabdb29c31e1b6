/* migrate.h - the schema that this program was built with, and how a database comes to have it.
 *
 * coordinator/sql is compiled in.  The files of tables/ run once each and are recorded with their
 * SHA-256; those of api/ run at every migration; all of it in one transaction, as koeval_owner.
 * The digest over all of it is the schema's version: a program meets its own or refuses to work.
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "common/err.h"

struct db;
struct rows;

#define SCHEMA_DIGEST_SIZE 32

/* SHA-256 over the name and text of every file of tables/ and api/. */
void schema_digest(uint8_t digest[SCHEMA_DIGEST_SIZE]);

/* A file of coordinator/sql by its name, "roles.sql"; asserts that it is there. */
const char *schema_file(const char *name);

/* Once per cluster, by a superuser: roles, the database that conninfo names, what only a superuser
 * may make in it; then migrates it.  Safe to run again.  user: where conninfo names none. */
bool schema_init(const char *conninfo, const char *user, struct err *err) MUST;

struct schema_change {
    int32_t tables_applied; /* files of tables/ that were not there before */
    bool same; /* the database had this digest already; api/ was made anew all the same */
};

/* db: a superuser or a member of koeval_owner. */
bool schema_migrate(struct schema_change *out, struct db *db, struct err *err) MUST;

/* What every program asks before it works: fails where the database has another schema than this
 * one. */
bool schema_check(struct db *db, struct err *err) MUST;

/* check.sql: rows (rule, found, ok, todo). */
bool schema_report(struct rows **out, struct db *db, struct err *err) MUST;

#endif
