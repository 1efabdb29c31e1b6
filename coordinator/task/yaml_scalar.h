/* yaml_scalar.h - what a plain YAML scalar is: YAML 1.1's implicit types, as PyYAML resolves them.
 */
#ifndef YAML_SCALAR_H
#define YAML_SCALAR_H

#include "coordinator/task/yaml.h"

/* Sets type and value from the text.  False: a date, or a number that does not fit. */
bool yaml_scalar_resolve(struct yaml *node) MUST;

#endif
