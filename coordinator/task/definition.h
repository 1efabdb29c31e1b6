/* definition.h - a task as the database holds it, opened for use.
 *
 * A definition is one canonical JSON object (sorted keys, no spaces): what a task's YAML says after
 * includes, defaults, column names and native functions were resolved at import.  It alone, with an
 * item's payload, decides an item's requests; nothing is looked up elsewhere.
 *
 *   task                 name
 *   output_type          "multiple_choice" or "loglikelihood"
 *   doc_to_text, doc_to_target, doc_to_choice, gen_prefix, description
 *                        null or one of {"template":text} {"column":name} {"native":name}
 *                        {"list":[text,...]} {"int":n}
 *   target_delimiter, fewshot_delimiter      texts
 *   shot                 the same seven keys (without description), as few-shot examples use them
 *   fewshot              {"sampler":"default"|"first_n","exclude_self":bool,"num_fewshot":n|null}
 *   metric_list          [{"metric","aggregation","higher_is_better"}], aggregation a name
 *   multiple_input       doc_to_text gives an index, choices are contexts
 *   multiple_target      doc_to_target gives a list
 *   split                {"evaluate":name,"fewshot":name|null}
 *   version, tag         as the YAML says
 *
 * An opened task is constant: any number of threads may render with it. */
#ifndef DEFINITION_H
#define DEFINITION_H

#include "common/err.h"
#include "common/text.h"

struct task;

#define TASK_DEFINITION_BYTES_MAX (256 * 1024)
#define TASK_METRICS_MAX          16

enum task_output {
    TASK_MULTIPLE_CHOICE, /* one request a choice */
    TASK_LOGLIKELIHOOD,   /* one request: the target after the context */
};

enum task_sampler {
    TASK_SAMPLE_RANDOM,  /* "default": random.sample from the pool */
    TASK_SAMPLE_FIRST_N, /* "first_n": the pool's first documents */
};

/* All pointers live as long as the task. */
struct task_metric {
    const char *name;        /* acc, acc_norm, acc_bytes, acc_mutual_info, f1, exact_match, ... */
    const char *aggregation; /* mean, f1, macro_f1, mcc, brier_score, perplexity */
    bool higher_is_better;
};

/* Checks the definition whole (templates are compiled), so that rendering can only fail on an item.
 * A definition is untrusted: sizes, depths and counts are bounded. */
bool task_open(struct task **out, const char *definition, size_t size, struct err *err) MUST;
void task_free(struct task *task);
AUTO_FREES(struct task *, task_free)

const char *task_name(const struct task *task);
enum task_output task_output(const struct task *task);
enum task_sampler task_sampler(const struct task *task);
/* The shots the task itself asks for, -1 when it says nothing.  A task that says 0 keeps 0 whatever
 * a campaign asks. */
int32_t task_shots(const struct task *task);
/* Whether an evaluated document that also stands in the pool is kept out of its own shots. */
bool task_excludes_self(const struct task *task);
int32_t task_metrics_count(const struct task *task);
const struct task_metric *task_metric(const struct task *task, int32_t i);

#endif
