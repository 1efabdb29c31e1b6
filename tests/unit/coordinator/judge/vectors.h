/* vectors.h - the sections of scoring_vectors.json, where the file lies. */
#ifndef VECTORS_H
#define VECTORS_H

#include <jansson.h>

/* A path below the shared folder. */
void shared_path(char out[4096], const char *below);

/* NULL after a line that says the test is skipped.  The caller owns the whole file's value. */
json_t *vectors_load(const char *test);

#endif
