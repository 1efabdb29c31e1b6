/* cmd_render.c - `koeval task render`: the request list of the operator's own files.
 *
 * It reads no database, so it is how one compares our requests with another program's.  The digest
 * is SHA-256 over one line a request: the canonical JSON array [item_no, idx, context,
 * continuation] and a newline. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/task_files.h"
#include "coordinator/task/fewshot.h"
#include "coordinator/task/group.h"
#include "coordinator/task/render.h"

extern const struct option task_render_options[];
bool task_render(struct cli *cli, struct err *err);

const struct option task_render_options[] = {
    TASK_FILES_OPTIONS,
    { OPTION_I64, "shots", "N", "0", "few-shot examples of each item" },
    { OPTION_I64, "seed", "N", "1234", "of the few-shot draws" },
    { OPTION_I64, "limit", "N", "-1", "the first so many items; -1: all" },
    { OPTION_FLAG, "digest", NULL, NULL, "one line a task: name, shots, requests, SHA-256" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

struct rendering {
    const struct import *import;
    struct fewshot fewshot;
    int32_t items_count;
    int32_t *shots;     /* [items_count * fewshot.shots] */
    EVP_MD_CTX *digest; /* NULL: requests are printed */
    struct buf line;
    int64_t requests_count;
};

static void rendering_end(struct rendering *r)
{
    EVP_MD_CTX_free(r->digest);
    buf_free(&r->line);
    free(r->shots);
}
AUTO_ENDS(struct rendering, rendering_end)

static bool draw(struct rendering *r, struct err *err)
{
    AUTO(free) int64_t *items = NULL;
    AUTO(free) int64_t *pool = NULL;
    import_numbers(&items, &pool, r->import);
    r->shots = must_calloc((size_t)r->items_count, (size_t)r->fewshot.shots * sizeof *r->shots);
    return fewshot_draw(r->shots, &r->fewshot, items, r->items_count, pool, r->import->shots.count,
                        err);
}

static void put_json(struct buf *out, struct text text)
{
    buf_put_json_string(out, text.bytes, text.size);
}

static void put_request(struct rendering *r, int32_t item, int32_t idx, struct text context,
                        struct text continuation)
{
    struct buf *line = &r->line;
    buf_clear(line);
    buf_put_fmt(line, r->digest ? "[%d,%d," : "{\"item_no\": %d, \"idx\": %d, \"context\": ", item,
                idx);
    put_json(line, context);
    buf_put_text(line, r->digest ? "," : ", \"continuation\": ");
    put_json(line, continuation);
    buf_put_text(line, r->digest ? "]\n" : "}\n");
    r->requests_count++;
    if (r->digest)
        EVP_DigestUpdate(r->digest, line->bytes, line->size);
    else
        fwrite(line->bytes, 1, line->size, stdout);
}

static bool render_one(struct rendering *r, int32_t item, struct err *err)
{
    struct text shots[FEWSHOT_MAX];
    AUTO(rendered_free) struct rendered rendered = { 0 };
    for (int32_t i = 0; i < r->fewshot.shots; i++)
        shots[i] = r->import->shots.payloads[r->shots[item * r->fewshot.shots + i]];
    if (!render_item(&rendered, r->import->task, r->import->evaluated.payloads[item], shots,
                     r->fewshot.shots, err))
        return err_wrap(err, "item %d", item);
    for (int32_t i = 0; i < rendered.requests_count; i++)
        put_request(r, item, i, rendered.prompts[rendered.requests[i].prompt],
                    rendered.requests[i].continuation);
    return true;
}

static void print_digest(struct rendering *r)
{
    unsigned char sha256[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(r->digest, sha256, &size);
    printf("%s\t%d\t%lld\t", task_name(r->import->task), r->fewshot.shots,
           (long long)r->requests_count);
    for (unsigned i = 0; i < size; i++)
        printf("%02x", sha256[i]);
    printf("\n");
}

static bool render_file(struct cli *cli, const char *path, struct err *err)
{
    AUTO(task_files_close) struct task_files files = { 0 };
    AUTO(rendering_end) struct rendering r = { 0 };
    if (!task_files_open(&files, cli, path, err))
        return false;
    const struct task *task = files.import->task;
    int64_t limit = cli_i64(cli, "limit");
    r.import = files.import;
    r.items_count = files.import->evaluated.count;
    if (limit >= 0 && limit < r.items_count)
        r.items_count = (int32_t)limit;
    r.fewshot = (struct fewshot){
        .shots = task_shots(task) == 0 ? 0 : (int32_t)cli_i64(cli, "shots"),
        .seed = cli_i64(cli, "seed"),
        .sampler = task_sampler(task),
        .excludes_self = task_excludes_self(task),
    };
    if (cli_flag(cli, "digest")) {
        r.digest = EVP_MD_CTX_new();
        EVP_DigestInit_ex(r.digest, EVP_sha256(), NULL);
    }
    if (!draw(&r, err))
        return false;
    for (int32_t i = 0; i < r.items_count; i++)
        if (!render_one(&r, i, err))
            return false;
    if (r.digest)
        print_digest(&r);
    return true;
}

bool task_render(struct cli *cli, struct err *err)
{
    bool is_group;
    int64_t shots = cli_i64(cli, "shots");
    AUTO(group_free) struct group *group = NULL;
    if (shots < 0 || shots > FEWSHOT_MAX)
        return cli_usage(cli, err, "--shots is 0 to %d", FEWSHOT_MAX);
    if (!group_is(&is_group, cli_arg(cli, 0), err))
        return false;
    if (!is_group)
        return render_file(cli, cli_arg(cli, 0), err);
    if (!cli_flag(cli, "digest"))
        return cli_usage(cli, err, "a group's requests are only shown as --digest");
    if (!group_open(&group, cli_arg(cli, 0), err))
        return false;
    for (int32_t i = 0; i < group->tasks_count; i++)
        if (!render_file(cli, group->tasks[i].path, err))
            return false;
    return true;
}
