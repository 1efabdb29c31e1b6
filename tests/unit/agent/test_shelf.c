/* test_shelf.c - what is found, what is told again, what goes. */
#include "agent/shelf.h"
#include "tests/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static int found, gone, bad;
static char told[300];

static void tell(void *self, enum shelf_news news, const struct shelf_model *model,
                 const struct err *err)
{
    (void)self;
    found += news == SHELF_FOUND;
    gone += news == SHELF_GONE;
    bad += news == SHELF_BAD;
    snprintf(told, sizeof(told), "%s", model ? model->dir : err->text);
}

static void run(const char *fmt, const char *a)
{
    char command[500];
    snprintf(command, sizeof(command), fmt, root, a, root, a, root, a);
    int rc = system(command);
    assert(rc == 0);
}

static void model_put(const char *name)
{
    run("mkdir -p %s/%s && printf '{}' > %s/%s/config.json && printf w > %s/%s/model.safetensors",
        name);
}

static void scan(struct shelf *shelf)
{
    found = gone = bad = 0;
    shelf_scan(shelf, tell, NULL, NULL);
}

static struct shelf shelf_new(char **roots)
{
    struct shelf shelf;
    snprintf(root, sizeof(root), "/tmp/test_shelf.XXXXXX");
    roots[0] = mkdtemp(root);
    assert(roots[0]);
    shelf_init(&shelf, roots, 1);
    return shelf;
}

static void shelf_drop(struct shelf *shelf)
{
    shelf_free(shelf);
    run("rm -rf %s%.0s", "");
}

TEST(each_folder_with_a_config_is_looked_at_and_told_once)
{
    char *roots[1];
    struct shelf shelf = shelf_new(roots);
    model_put("a");
    model_put("b");
    run("printf x >> %s/%s/model.safetensors", "b");
    run("mkdir %s/%s", "empty");
    scan(&shelf);
    CHECK(found == 2 && gone == 0 && bad == 0);
    scan(&shelf);
    CHECK(found == 0 && gone == 0 && bad == 0);
    shelf_drop(&shelf);
}

TEST(a_root_may_be_the_model_itself)
{
    char *roots[1];
    struct shelf shelf = shelf_new(roots);
    model_put(".");
    scan(&shelf);
    CHECK(found == 1 && !strcmp(told, root));
    shelf_drop(&shelf);
}

TEST(a_changed_model_goes_and_another_comes)
{
    struct err err = { 0 };
    char *roots[1];
    struct shelf shelf = shelf_new(roots);
    model_put("a");
    scan(&shelf);
    uint64_t stamp = shelf.models[0].stamp;
    CHECK(shelf_still(shelf.models[0].dir, stamp, &err));
    run("printf other > %s/%s/model.safetensors", "a");
    CHECK(!shelf_still(shelf.models[0].dir, stamp, &err));
    scan(&shelf);
    CHECK(gone == 1 && found == 1);
    shelf_drop(&shelf);
}

TEST(a_model_that_lies_in_two_folders_goes_with_the_last)
{
    char *roots[1];
    struct shelf shelf = shelf_new(roots);
    model_put("a");
    model_put("b");
    scan(&shelf);
    CHECK(found == 2);
    run("rm -r %s/%s", "a");
    scan(&shelf);
    CHECK(gone == 0);
    run("rm -r %s/%s", "b");
    scan(&shelf);
    CHECK(gone == 1);
    shelf_drop(&shelf);
}

TEST(half_a_model_is_named_once_and_found_when_it_is_whole)
{
    char *roots[1];
    struct shelf shelf = shelf_new(roots);
    model_put("a");
    run("rm %s/%s/model.safetensors", "a");
    scan(&shelf);
    CHECK(bad == 1 && found == 0);
    scan(&shelf);
    CHECK(bad == 0);
    model_put("a");
    scan(&shelf);
    CHECK(found == 1);
    shelf_drop(&shelf);
}

TEST(a_root_that_is_not_there_is_named)
{
    char *roots[1];
    struct shelf shelf = shelf_new(roots);
    run("rmdir %s%.0s", "");
    scan(&shelf);
    CHECK(bad == 1 && strstr(told, root));
    shelf_free(&shelf);
}
