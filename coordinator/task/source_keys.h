/* source_keys.h - every key a YAML may have, by the map it stands in. */
#ifndef SOURCE_KEYS_H
#define SOURCE_KEYS_H

#include "coordinator/task/yaml.h"

enum key_table { KEYS_TASK, KEYS_FEWSHOT, KEYS_METRIC, KEYS_GROUP };

/* Refuses unknown keys and those that ask for what there is not, naming it. */
bool source_keys_check(const struct yaml *map, enum key_table table, struct err *err) MUST;

#endif
