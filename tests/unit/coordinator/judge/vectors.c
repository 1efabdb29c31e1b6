#include "tests/unit/coordinator/judge/vectors.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/skip.h"

void shared_path(char out[4096], const char *below)
{
    const char *shared = getenv("KOEVAL_SHARED");
    snprintf(out, 4096, "%s/%s", shared ? shared : "../shared", below);
}

json_t *vectors_load(const char *test)
{
    char path[4096];
    shared_path(path, "spec/scoring_vectors.json");
    json_t *all = json_load_file(path, JSON_ALLOW_NUL, NULL);
    if (!all)
        SKIP("%s: no %s", test, path);
    return all;
}
