/* rank.c - a board's bootstrap: bench_rank [MODELS [TASKS [ITEMS [REPLICATES]]]].
 *
 * Prints seconds for drawing with the product, and for turning replicates into ranges and ties. */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "coordinator/judge/bootstrap.h"
#include "coordinator/judge/rank.h"

static int32_t argument(int argc, char **argv, int at, int32_t fallback)
{
    return argc > at ? (int32_t)strtol(argv[at], NULL, 10) : fallback;
}

static void answer(double *out, int32_t items, int32_t model, int32_t task)
{
    for (int32_t i = 0; i < items; i++) {
        uint64_t key = bootstrap_word((uint64_t)task, (uint64_t)model);
        double luck = (double)(bootstrap_word(key, (uint64_t)i) >> 11) * 0x1p-53;
        out[i] = luck < 0.3 + 0.005 * model;
    }
}

int main(int argc, char **argv)
{
    int32_t models = argument(argc, argv, 1, 50), tasks = argument(argc, argv, 2, 20);
    int32_t items = argument(argc, argv, 3, 40000), replicates = argument(argc, argv, 4, 1000);
    double weight = 1, draw = 0;
    double *values = must_calloc((size_t)models * items, sizeof(double));
    const double **of_model = must_calloc((size_t)models, sizeof(*of_model));
    AUTO(rank_free) struct rank *rank = rank_new(models, 1, &weight, 1, replicates);
    for (int32_t t = 0; t < tasks; t++) {
        for (int32_t m = 0; m < models; m++) {
            of_model[m] = values + (size_t)m * items;
            answer(values + (size_t)m * items, items, m, t);
        }
        struct rank_task task = { (uint64_t)t, 0, 1, AGGREGATE_MEAN, items, of_model };
        int64_t start = clock_cpu_us();
        rank_add(rank, &task);
        draw += (double)(clock_cpu_us() - start) / 1e6;
    }
    struct rank_row *rows = must_calloc((size_t)models, sizeof(*rows));
    int64_t start = clock_cpu_us();
    rank_rows(rows, NULL, rank);
    printf("| models | tasks | items | replicates | draw and product, CPU s | ranges, CPU s |\n"
           "|---|---|---|---|---|---|\n| %d | %d | %d | %d | %.2f | %.3f |\n",
           models, tasks, items, replicates, draw, (double)(clock_cpu_us() - start) / 1e6);
    free(rows);
    free(of_model);
    free(values);
    return 0;
}
