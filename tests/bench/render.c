/* render.c - how long it takes to import and to render KMMLU: bench_render DIR SHOTS.
 *
 * DIR holds Accounting-test.csv and so on.  Times are of one thread; rendering is what the
 * coordinator does an item at a time, so microseconds an item is the figure. */
#include <stdio.h>

#include "common/buf.h"
#include "common/clock.h"
#include "coordinator/task/fewshot.h"
#include "coordinator/task/group.h"
#include "coordinator/task/import.h"
#include "coordinator/task/render.h"

#define TASKS "deploy/tasks/kmmlu/"

struct times {
    int64_t import_us, draw_us, render_us;
    int64_t items, requests, bytes;
    int64_t slowest_us; /* one item */
};

static void render_all(struct times *times, const struct import *import, const int32_t *drawn,
                       int32_t count)
{
    struct err err = { 0 };
    struct text shots[FEWSHOT_MAX];
    for (int32_t i = 0; i < import->evaluated.count; i++) {
        AUTO(rendered_free) struct rendered rendered = { 0 };
        int64_t begin = clock_cpu_us();
        for (int32_t k = 0; k < count; k++)
            shots[k] = import->shots.payloads[drawn[i * count + k]];
        if (!render_item(&rendered, import->task, import->evaluated.payloads[i], shots, count,
                         &err))
            abort();
        int64_t took = clock_cpu_us() - begin;
        times->render_us += took;
        times->slowest_us = took > times->slowest_us ? took : times->slowest_us;
        times->requests += rendered.requests_count;
        times->bytes += (int64_t)rendered.prompts[0].size;
    }
    times->items += import->evaluated.count;
}

static bool one_task(struct times *times, const char *path, const char *dir, int32_t shots,
                     struct err *err)
{
    AUTO(source_free) struct source *source = NULL;
    AUTO(columns_free) struct columns *columns = NULL;
    AUTO(import_free) struct import *import = NULL;
    AUTO(buf_free) struct buf test = { 0 };
    AUTO(buf_free) struct buf dev = { 0 };
    int64_t begin = clock_cpu_us();
    if (!source_open(&source, path, err) ||
        !columns_open(&columns, TASKS "kmmlu.columns.yaml", err))
        return false;
    buf_put_fmt(&test, "%s/%s-test.csv", dir, source_dataset(source));
    buf_put_fmt(&dev, "%s/%s-dev.csv", dir, source_dataset(source));
    struct import_data data[] = { { "test", buf_text(&test) }, { "dev", buf_text(&dev) } };
    if (!import_open(&import, source, data, 2, columns, err))
        return false;
    int64_t imported = clock_cpu_us();
    struct fewshot fewshot = { shots, 1234, TASK_SAMPLE_RANDOM, false };
    AUTO(free)
    int32_t *drawn = must_calloc((size_t)import->evaluated.count, (size_t)shots * sizeof(*drawn));
    if (!fewshot_draw(drawn, &fewshot, NULL, import->evaluated.count, NULL, import->shots.count,
                      err))
        return false;
    times->import_us += imported - begin;
    times->draw_us += clock_cpu_us() - imported;
    render_all(times, import, drawn, shots);
    return true;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    struct times times = { 0 };
    AUTO(group_free) struct group *group = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_render DIR SHOTS, from the top of the tree\n");
        return 2;
    }
    bool ok = group_open(&group, TASKS "kmmlu.yaml", &err);
    for (int32_t i = 0; ok && i < group->tasks_count; i++)
        ok = one_task(&times, group->tasks[i].path, argv[1], (int32_t)strtol(argv[2], NULL, 10),
                      &err);
    if (!ok) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("| items | requests | prompt bytes | import, CPU s | draw, CPU s | render, CPU s | us "
           "an item | "
           "slowest us "
           "|\n|---|---|---|---|---|---|---|---|\n");
    printf("| %lld | %lld | %lld | %.2f | %.2f | %.2f | %.1f | %lld |\n", (long long)times.items,
           (long long)times.requests, (long long)times.bytes, (double)times.import_us / 1e6,
           (double)times.draw_us / 1e6, (double)times.render_us / 1e6,
           (double)times.render_us / (double)times.items, (long long)times.slowest_us);
    return 0;
}
