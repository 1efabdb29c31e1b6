#include "coordinator/store/store_score.h"

#include <math.h>
#include <string.h>

#include "coordinator/job/scorer.h"
#include "coordinator/store/array.h"

void score_run_free(struct score_run *run) { free(run->definition); }

bool store_score_begin(struct score_run *out, struct db *db, int64_t job, int32_t attempt,
                       struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, "select * from score_begin($1, $2)", ARGS(I64(job), I64(attempt)), err))
        return false;
    const char *definition = rows_text(rows, 0, "definition");
    out->run = rows_i64(rows, 0, "run_id");
    out->items_count = (int32_t)rows_i64(rows, 0, "n_item");
    out->definition_size = strlen(definition);
    out->definition = must_calloc(out->definition_size + 1, 1);
    memcpy(out->definition, definition, out->definition_size);
    return true;
}

struct each {
    store_score_item_fn *call;
    void *self;
};

static bool each_row(void *self, struct rows *row, struct err *err)
{
    const struct each *each = self;
    size_t size;
    int32_t greedy_count;
    const void *gold = rows_bytes(row, 0, "gold", &size);
    struct answer answer;
    answer.loglik = rows_f64s(row, 0, "loglik", &answer.requests_count);
    answer.greedy = rows_bools(row, 0, "greedy", &greedy_count);
    long long item = rows_i64(row, 0, "item_no");
    if (greedy_count != answer.requests_count)
        return err_set(err, ERR_INPUT, "item %lld has %d likelihoods and %d flags", item,
                       answer.requests_count, greedy_count);
    if (!each->call(each->self, (struct text){ gold, size }, &answer, err))
        return err_wrap(err, "item %lld", item);
    return true;
}

bool store_score_each(struct db *db, int64_t job, int32_t attempt, store_score_item_fn *call,
                      void *self, struct err *err)
{
    struct each each = { call, self };
    return db_each(db, "select * from score_items($1, $2)", ARGS(I64(job), I64(attempt)), each_row,
                   &each, err);
}

/* The scores side by side, as score_write takes them. */
struct columns {
    const char **metrics, **filters, **aggregations;
    int32_t *widths;
    double *values, *errors, *item_values;
    bool *no_error;
    size_t item_values_count;
};

static void columns_free(struct columns *c)
{
    free(c->metrics);
    free(c->filters);
    free(c->aggregations);
    free(c->widths);
    free(c->values);
    free(c->errors);
    free(c->item_values);
    free(c->no_error);
}
AUTO_ENDS(struct columns, columns_free)

static void columns_fill(struct columns *c, const struct score *scores, int32_t count, int32_t n)
{
    size_t rows = (size_t)count, numbers = 0;
    for (int32_t i = 0; i < count; i++)
        numbers += (size_t)n * scores[i].width;
    c->metrics = must_calloc(rows, sizeof(*c->metrics));
    c->filters = must_calloc(rows, sizeof(*c->filters));
    c->aggregations = must_calloc(rows, sizeof(*c->aggregations));
    c->widths = must_calloc(rows, sizeof(*c->widths));
    c->values = must_calloc(rows, sizeof(*c->values));
    c->errors = must_calloc(rows, sizeof(*c->errors));
    c->no_error = must_calloc(rows, sizeof(*c->no_error));
    c->item_values = must_calloc(numbers, sizeof(*c->item_values));
    for (int32_t i = 0; i < count; i++) {
        const struct score *s = &scores[i];
        size_t mine = (size_t)n * s->width;
        c->metrics[i] = s->metric;
        c->filters[i] = "none";
        c->aggregations[i] = aggregation_word(s->aggregation);
        c->widths[i] = s->width;
        c->values[i] = s->estimate.value;
        c->errors[i] = s->estimate.error;
        c->no_error[i] = isnan(s->estimate.error);
        memcpy(c->item_values + c->item_values_count, s->values, mine * sizeof(double));
        c->item_values_count += mine;
    }
}

static bool scorer_id(int64_t *out, struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    uint8_t digest[32];
    bytes_unhex(digest, "\\x" SCORER_SHA256);
    if (!db_call(&rows, db, "select scorer_add($1, $2, $3)",
                 ARGS(TEXT(SCORER_NAME), I64(SCORER_VERSION), BYTES(digest, sizeof(digest))), err))
        return false;
    *out = rows_i64(rows, 0, "scorer_add");
    return true;
}

static bool write_all(struct db *db, int64_t job, int32_t attempt, const struct score *scores,
                      int32_t count, int32_t n, struct err *err)
{
    int64_t scorer;
    AUTO(columns_free) struct columns c = { 0 };
    if (!scorer_id(&scorer, db, err))
        return false;
    columns_fill(&c, scores, count, n);
    size_t rows = (size_t)count;
    return db_call(NULL, db, "select score_write($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                   ARGS(I64(job), I64(attempt), I64(scorer), TEXTS(c.metrics, rows),
                        TEXTS(c.filters, rows), TEXTS(c.aggregations, rows), I32S(c.widths, rows),
                        F64S(c.values, rows), F64S_NULLS(c.errors, rows, c.no_error),
                        F64S(c.item_values, c.item_values_count)),
                   err) &&
           db_call(NULL, db, "select job_finish($1, $2)", ARGS(I64(job), I64(attempt)), err);
}

bool store_score_write(struct db *db, int64_t job, int32_t attempt, const struct score *scores,
                       int32_t count, int32_t n, struct err *err)
{
    struct err ignored = { 0 };
    if (!db_exec(db, "begin", err))
        return false;
    if (write_all(db, job, attempt, scores, count, n, err))
        return db_exec(db, "commit", err);
    bool undone = db_exec(db, "rollback", &ignored);
    (void)undone; /* a connection that is gone rolls back by itself */
    return false;
}
