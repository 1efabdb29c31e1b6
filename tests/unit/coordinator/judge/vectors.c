#include "tests/unit/coordinator/judge/vectors.h"

#include <stdio.h>
#include <stdlib.h>

json_t *vectors_load(const char *test)
{
    char path[4096];
    const char *shared = getenv("KOEVAL_SHARED");
    snprintf(path, sizeof(path), "%s/spec/scoring_vectors.json", shared ? shared : "../shared");
    json_t *all = json_load_file(path, JSON_ALLOW_NUL, NULL);
    if (!all)
        printf("SKIP %s: no %s\n", test, path);
    return all;
}
