#include "coordinator/task/source_metric.h"

#include "coordinator/task/definition.h"
#include "coordinator/task/native.h"
#include "coordinator/task/source_keys.h"

/* What each output type can be measured by, and lm-eval's default aggregation. */
/* clang-format off */
static const struct metric {
    const char *name, *aggregation;
    bool multiple_choice, loglikelihood;
    bool higher_is_better, is_default;
} metrics[] = {
    { "acc",             "mean",                 true,  true,  true,  true  },
    { "acc_norm",        "mean",                 true,  false, true,  true  },
    { "acc_bytes",       "mean",                 true,  false, true,  false },
    { "acc_mutual_info", "mean",                 true,  false, true,  false },
    { "exact_match",     "mean",                 true,  false, true,  false },
    { "f1",              "f1",                   true,  false, true,  false },
    { "mcc",             "mcc",    true,  false, true,  false },
    { "brier_score",     "brier_score",          true,  false, false, false },
    { "perplexity",      "perplexity",           false, true,  false, true  },
};
static const char *const aggregations[] = {
    "mean", "f1", "macro_f1", "mcc", "matthews_corrcoef", "brier_score", "perplexity", NULL
};
/* clang-format on */

static json_t *entry_of(const char *name, const char *aggregation, bool higher_is_better)
{
    return json_pack("{s:s, s:s, s:b}", "metric", name, "aggregation", aggregation,
                     "higher_is_better", higher_is_better);
}

static bool find_metric(const struct metric **out, const struct yaml *node, bool multiple_choice,
                        struct err *err)
{
    for (size_t i = 0; i < COUNT(metrics); i++)
        if (yaml_is_text(node, metrics[i].name) &&
            (multiple_choice ? metrics[i].multiple_choice : metrics[i].loglikelihood)) {
            *out = &metrics[i];
            return true;
        }
    return yaml_fail(node, err, "metric: '%.*s' is not supported",
                     (int)(node->text.size > 60 ? 60 : node->text.size),
                     node->text.bytes ? node->text.bytes : "");
}

static bool find_aggregation(const char **out, const struct yaml *node, struct err *err)
{
    const char *native = node->type == YAML_FUNCTION ? native_aggregation(node->text) : NULL;
    for (int i = 0; !native && aggregations[i]; i++)
        if (yaml_is_text(node, aggregations[i]))
            native = aggregations[i];
    if (native && !strcmp(native, "matthews_corrcoef"))
        native = "mcc";
    if (!native)
        return yaml_fail(node, err, "aggregation: %s '%.*s' is not built in",
                         node->type == YAML_FUNCTION ? "function" : "the name",
                         (int)(node->text.size > 60 ? 60 : node->text.size),
                         node->text.bytes ? node->text.bytes : "");
    *out = native;
    return true;
}

static bool add_metric(json_t *out, const struct yaml *entry, bool multiple_choice, struct err *err)
{
    const struct metric *metric = NULL;
    if (entry->type != YAML_MAP || !yaml_get(entry, "metric"))
        return yaml_fail(entry, err, "metric_list: an entry needs the key metric");
    if (!source_keys_check(entry, KEYS_METRIC, err) ||
        !find_metric(&metric, yaml_get(entry, "metric"), multiple_choice, err))
        return false;
    assert(metric);
    const struct yaml *node = yaml_get(entry, "aggregation");
    const struct yaml *higher = yaml_get(entry, "higher_is_better");
    const char *aggregation = metric->aggregation;
    if (node && !find_aggregation(&aggregation, node, err))
        return false;
    if (higher && higher->type != YAML_BOOL)
        return yaml_fail(higher, err, "higher_is_better: true or false expected");
    json_array_append_new(out, entry_of(metric->name, aggregation,
                                        higher ? higher->boolean : metric->higher_is_better));
    return true;
}

bool source_metrics(json_t **out, const struct yaml *root, const struct yaml *list,
                    bool multiple_choice, struct err *err)
{
    json_t *found = json_array();
    bool ok = true;
    if (list && list->type != YAML_NULL) {
        ok = list->type == YAML_LIST && list->count > 0 && list->count <= TASK_METRICS_MAX
                 ? true
                 : yaml_fail(root, err, "metric_list: a list of 1 to %d metrics expected",
                             TASK_METRICS_MAX);
        for (int32_t i = 0; ok && i < list->count; i++)
            ok = add_metric(found, list->items[i], multiple_choice, err);
    } else {
        for (size_t i = 0; i < COUNT(metrics); i++)
            if (metrics[i].is_default &&
                (multiple_choice ? metrics[i].multiple_choice : metrics[i].loglikelihood))
                json_array_append_new(found, entry_of(metrics[i].name, metrics[i].aggregation,
                                                      metrics[i].higher_is_better));
    }
    if (ok)
        *out = found;
    else
        json_decref(found);
    return ok;
}
