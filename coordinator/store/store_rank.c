#include "coordinator/store/store_rank.h"

#include <math.h>
#include <string.h>

#include "common/version.h"

void rank_input_free(struct rank_input *input)
{
    for (int32_t i = 0; i < input->categories_count && input->categories; i++)
        free(input->categories[i]);
    free(input->categories);
    free(input->category_weights);
    free(input->models);
    free(input->scores);
}

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(must_calloc(size, 1), text, size);
}

static bool read_board(struct rank_input *in, struct db *db, int64_t job, int32_t attempt,
                       struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, "select * from rank_begin($1, $2)", ARGS(I64(job), I64(attempt)), err))
        return false;
    int32_t n = rows_count(rows);
    in->categories = must_calloc((size_t)n, sizeof(*in->categories));
    in->category_weights = must_calloc((size_t)n, sizeof(double));
    for (int32_t i = 0; i < n; i++) {
        in->board = rows_i64(rows, i, "board_id");
        in->dirty = rows_i64(rows, i, "dirty");
        in->categories[i] = copy(rows_text(rows, i, "category"));
        in->category_weights[i] = rows_f64(rows, i, "weight");
        in->categories_count = i + 1;
    }
    return true;
}

static int32_t category_place(const struct rank_input *in, const char *category)
{
    for (int32_t i = 0; i < in->categories_count; i++)
        if (!strcmp(in->categories[i], category))
            return i;
    return -1;
}

/* Rows come by task_no and model: the first task names the models. */
static bool read_score(struct rank_input *in, const struct rows *rows, int32_t i, struct err *err)
{
    struct rank_score *s = &in->scores[i];
    int32_t model = (int32_t)rows_i64(rows, i, "model_id");
    s->score = rows_i64(rows, i, "score_id");
    s->task_no = (int32_t)rows_i64(rows, i, "task_no");
    s->task_version = rows_i64(rows, i, "task_version_id");
    s->category = category_place(in, rows_text(rows, i, "category"));
    s->weight = rows_f64(rows, i, "weight");
    s->n = (int32_t)rows_i64(rows, i, "n");
    if (s->category < 0 || !aggregation_find(&s->aggregation, rows_text(rows, i, "aggregation")))
        return err_set(err, ERR_RETRY, "the board changed while it was read");
    if (s->task_no == in->scores[0].task_no) {
        in->models[i] = model;
        in->models_count = i + 1;
    }
    if (in->models[i % in->models_count] != model)
        return err_set(err, ERR_RETRY, "the scores changed while they were read");
    return true;
}

bool store_rank_begin(struct rank_input *out, struct db *db, int64_t job, int32_t attempt,
                      struct err *err)
{
    AUTO(rank_input_free) struct rank_input in = { 0 };
    AUTO(rows_free) struct rows *rows = NULL;
    if (!read_board(&in, db, job, attempt, err) ||
        !db_call(&rows, db, "select * from rank_scores($1, $2)", ARGS(I64(job), I64(attempt)), err))
        return false;
    in.scores_count = rows_count(rows);
    in.scores = must_calloc((size_t)in.scores_count, sizeof(*in.scores));
    in.models = must_calloc((size_t)in.scores_count, sizeof(*in.models));
    for (int32_t i = 0; i < in.scores_count; i++)
        if (!read_score(&in, rows, i, err))
            return false;
    *out = in;
    in = (struct rank_input){ 0 };
    return true;
}

bool store_rank_values(double **values, struct db *db, int64_t job, int32_t attempt,
                       const struct rank_score *scores, int32_t count, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(free) int64_t *ids = must_calloc((size_t)count, sizeof(*ids));
    for (int32_t i = 0; i < count; i++)
        ids[i] = scores[i].score;
    if (!db_call(&rows, db, "select * from rank_values($1, $2, $3)",
                 ARGS(I64(job), I64(attempt), I64S(ids, (size_t)count)), err))
        return false;
    for (int32_t i = 0; i < count; i++) {
        int32_t n = 0, expected = scores[i].n * aggregation_width(scores[i].aggregation);
        const double *from = rows_f64s(rows, i, "item_value", &n);
        if (n != expected)
            return err_set(err, ERR_INPUT, "score %lld has %d numbers of %d",
                           (long long)scores[i].score, n, expected);
        values[i] = must_calloc((size_t)n, sizeof(double));
        memcpy(values[i], from, (size_t)n * sizeof(double));
    }
    return true;
}

/* Rows and categories of the result side by side, as rank_publish takes them. */
struct columns {
    int32_t *rank, *lo, *hi, *tie, *category_model;
    double *score, *error, *category_score, *category_error;
    const char **category;
    int64_t *score_ids;
};

static void columns_free(struct columns *c)
{
    free(c->rank);
    free(c->lo);
    free(c->hi);
    free(c->tie);
    free(c->category_model);
    free(c->score);
    free(c->error);
    free(c->category_score);
    free(c->category_error);
    free(c->category);
    free(c->score_ids);
}
AUTO_ENDS(struct columns, columns_free)

static void columns_fill(struct columns *c, const struct rank_input *in,
                         const struct rank_result *result)
{
    size_t models = (size_t)in->models_count, cells = models * in->categories_count;
    c->rank = must_calloc(models, sizeof(int32_t));
    c->lo = must_calloc(models, sizeof(int32_t));
    c->hi = must_calloc(models, sizeof(int32_t));
    c->tie = must_calloc(models, sizeof(int32_t));
    c->score = must_calloc(models, sizeof(double));
    c->error = must_calloc(models, sizeof(double));
    c->category_model = must_calloc(cells, sizeof(int32_t));
    c->category = must_calloc(cells, sizeof(*c->category));
    c->category_score = must_calloc(cells, sizeof(double));
    c->category_error = must_calloc(cells, sizeof(double));
    c->score_ids = must_calloc((size_t)in->scores_count, sizeof(int64_t));
    for (size_t m = 0; m < models; m++) {
        const struct rank_row *row = &result->rows[m];
        c->rank[m] = row->rank;
        c->lo[m] = row->rank_lo;
        c->hi[m] = row->rank_hi;
        c->tie[m] = row->tie_group;
        c->score[m] = row->score;
        c->error[m] = row->error;
    }
    for (size_t i = 0; i < cells; i++) {
        c->category_model[i] = in->models[i / (size_t)in->categories_count];
        c->category[i] = in->categories[i % (size_t)in->categories_count];
        c->category_score[i] = result->categories[i].value;
        c->category_error[i] = result->categories[i].error;
    }
    for (int32_t i = 0; i < in->scores_count; i++)
        c->score_ids[i] = in->scores[i].score;
}

bool store_rank_publish(struct db *db, int64_t job, int32_t attempt, const struct rank_input *input,
                        const struct rank_result *result, struct err *err)
{
    AUTO(columns_free) struct columns c = { 0 };
    size_t models = (size_t)input->models_count, cells = models * input->categories_count;
    columns_fill(&c, input, result);
    return db_call(NULL, db,
                   "select rank_publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
                   "$14, $15, $16, $17, $18)",
                   ARGS(I64(job), I64(attempt), I64(input->dirty), TEXT("koeval " KOEVAL_VERSION),
                        I64((int64_t)result->seed), I64(result->replicates),
                        I32S(input->models, models), I32S(c.rank, models), I32S(c.lo, models),
                        I32S(c.hi, models), I32S(c.tie, models), F64S(c.score, models),
                        F64S(c.error, models), I32S(c.category_model, cells),
                        TEXTS(c.category, cells), F64S(c.category_score, cells),
                        F64S(c.category_error, cells),
                        I64S(c.score_ids, (size_t)input->scores_count)),
                   err);
}
