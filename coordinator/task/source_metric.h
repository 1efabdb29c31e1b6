/* source_metric.h - a YAML's metric_list as definitions hold it. */
#ifndef SOURCE_METRIC_H
#define SOURCE_METRIC_H

#include <stdbool.h>

#include "coordinator/task/yaml.h"

/* A new reference: [{"metric","aggregation","higher_is_better"}], defaults filled in.  list may be
 * NULL: then the output type's own metrics. */
bool source_metrics(json_t **out, const struct yaml *root, const struct yaml *list,
                    bool multiple_choice, struct err *err) MUST;

#endif
