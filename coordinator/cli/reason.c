#include "coordinator/cli/reason.h"

#include <string.h>

#include "coordinator/cli/table.h"

/* clang-format off */
static const struct {
    const char *word, *hint;
} reasons[] = {
    { "oom",                 "more `--memory`, or a larger machine" },
    { "nonfinite",           "look at the model's weights and dtype; try `--mode fp32`" },
    { "tokenizer_mismatch",  "mend the model's folder; for -1 see docs/fidelity.md" },
    { "unsupported_feature", "the log of the agent names it: `model.refused`" },
    { "model_on_no_node",    "put the model's folder under an agent's `--models`" },
    { "class_on_no_node",    "bring such an agent back, or `koeval run restart RUN`" },
    { "too_long",            "a model with more positions, or leave the item out" },
    { "timeout",             "nothing: it was granted again" },
    { "lease_expired",       "nothing: it was granted again" },
    { "agent_lost",          "nothing: it was granted again" },
    { "returned",            "nothing: it was granted again" },
    { "revoked",             "nothing: it was granted again" },
    { "invalid_result",      "a bug or a broken node: see the logs" },
    { "internal",            "a bug: see the logs" },
    { "paused",              "`koeval campaign resume NAME`" },
};
/* clang-format on */

const char *reason_hint(const char *word)
{
    for (size_t i = 0; i < COUNT(reasons); i++)
        if (!strcmp(reasons[i].word, word))
            return reasons[i].hint;
    return NULL;
}

static bool has(struct rows *const *results, int count, const char *word)
{
    for (int i = 0; i < count; i++)
        for (int r = 0; r < rows_count(results[i]); r++)
            if (!rows_null(results[i], r, "reason") &&
                !strcmp(rows_text(results[i], r, "reason"), word))
                return true;
    return false;
}

void reason_hints(struct cli *cli, struct rows *const *results, int count)
{
    static const struct column columns[] = { { "reason", NULL, COLUMN_LEFT },
                                             { "todo", "what to do", COLUMN_LEFT } };
    AUTO(table_free) struct table *table = table_new(columns, COUNT(columns));
    bool any = false;
    for (size_t i = 0; i < COUNT(reasons); i++) {
        if (!has(results, count, reasons[i].word))
            continue;
        table_text(table, reasons[i].word);
        table_text(table, reasons[i].hint);
        any = true;
    }
    if (any)
        cli_line(cli, "%s", "");
    if (any || cli_json(cli))
        cli_table(cli, "todo", table);
}
