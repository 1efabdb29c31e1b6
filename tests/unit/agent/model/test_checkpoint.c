#define _GNU_SOURCE /* memmem */
/* Folders: sharded sets, hostile indexes, strangers among the tensors. */
#include "agent/model/tensors.h"
#include "tests/random_model.h"
#include "tests/test.h"

#include <sys/stat.h>

static const char tiny[] =
    "{\"model_type\":\"llama\",\"vocab_size\":32,\"hidden_size\":8,\"intermediate_size\":16,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":2}";

static struct model_config config;
static struct err err;
static char dir[64];

static void file_write(const char *name, const char *bytes, size_t size)
{
    struct buf buf = { .bytes = (char *)bytes, .size = size };
    random_file(dir, name, (const struct buf *const[]){ &buf }, 1);
}

static void path_of(char path[512], const char *name) { snprintf(path, 512, "%s/%s", dir, name); }

static void remove_all(const char *const *names, size_t count)
{
    char path[512];
    for (size_t i = 0; i < count; i++) {
        path_of(path, names[i]);
        unlink(path);
    }
    random_model_remove(dir);
}

static bool checks(void)
{
    int64_t parameters;
    err = (struct err){ 0 };
    return model_check(&config, &parameters, dir, &err);
}

/* One tensor of U8s under a name. */
static void one_tensor_write(const char *file, const char *name)
{
    char bytes[512];
    int size = snprintf(bytes + 8, sizeof(bytes) - 8,
                        "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}x", name);
    uint64_t header = (uint64_t)size - 1;
    memcpy(bytes, &header, 8);
    file_write(file, bytes, (size_t)size + 8);
}

TEST(a_whole_model_is_taken_and_its_numbers_counted)
{
    int64_t parameters = 0;
    random_model_write(dir, tiny, strlen(tiny), 1, TENSOR_BF16);
    CHECK(model_check(&config, &parameters, dir, &err));
    random_model_remove(dir);
    CHECK(parameters == 2 * 32 * 8 + 8 + 2 * (2 * 8 + 4 * 64 + 3 * 16 * 8));
}

TEST(a_sharded_model_is_read_through_its_index)
{
    static const char index[] = "{\"metadata\":{\"total_size\":1},\"weight_map\":{"
                                "\"a\":\"x-1.safetensors\",\"b\":\"x-2.safetensors\"}}";
    static const char *const files[] = { "x-1.safetensors", "x-2.safetensors",
                                         "model.safetensors.index.json" };
    AUTO(checkpoint_close) struct checkpoint c = { 0 };

    snprintf(dir, sizeof(dir), "/tmp/koeval-model-XXXXXX");
    CHECK(mkdtemp(dir));
    one_tensor_write("x-1.safetensors", "a");
    one_tensor_write("x-2.safetensors", "b");
    file_write("model.safetensors.index.json", index, strlen(index));
    bool opened = checkpoint_open(&c, dir, &err);
    one_tensor_write("x-2.safetensors", "a");
    struct checkpoint twice = { 0 };
    bool opened_twice = checkpoint_open(&twice, dir, &err);
    remove_all(files, COUNT(files));

    CHECK(opened && c.count == 2 && checkpoint_find(&c, "a") && checkpoint_find(&c, "b"));
    CHECK(!checkpoint_find(&c, "c"));
    CHECK(!opened_twice && strstr(err.text, "stands in two files"));
}

TEST(an_index_names_files_of_its_folder_only)
{
    static const char *const names[] = { "../x.safetensors",
                                         "/etc/passwd",
                                         "a/b.safetensors",
                                         ".safetensors",
                                         "x.bin",
                                         "a\\\\b.safetensors",
                                         "",
                                         "x.safetensors\\u0000.safetensors" };
    static const char *const files[] = { "model.safetensors.index.json" };
    char text[256];
    bool refused = true;

    snprintf(dir, sizeof(dir), "/tmp/koeval-model-XXXXXX");
    CHECK(mkdtemp(dir));
    for (size_t i = 0; i < COUNT(names); i++) {
        struct checkpoint c = { 0 };
        snprintf(text, sizeof(text), "{\"weight_map\":{\"a\":\"%s\"}}", names[i]);
        file_write(files[0], text, strlen(text));
        refused = refused && !checkpoint_open(&c, dir, &err) && strstr(err.text, "weight_map");
    }
    remove_all(files, 1);
    CHECK(refused);
}

TEST(a_missing_shard_and_missing_weights_are_named)
{
    static const char index[] = "{\"weight_map\":{\"a\":\"gone.safetensors\"}}";
    static const char *const files[] = { "model.safetensors.index.json" };
    struct checkpoint c = { 0 };

    snprintf(dir, sizeof(dir), "/tmp/koeval-model-XXXXXX");
    CHECK(mkdtemp(dir));
    bool none = checkpoint_open(&c, dir, &err);
    struct err none_err = err;
    file_write(files[0], index, strlen(index));
    bool gone = checkpoint_open(&c, dir, &err);
    remove_all(files, 1);
    CHECK(!none && strstr(none_err.text, "neither model.safetensors nor"));
    CHECK(!gone && strstr(err.text, "gone.safetensors"));
}

TEST(a_link_may_leave_the_folder_only_for_a_hub_caches_blobs)
{
    static const char *const files[] = { "other.safetensors" };
    char path[512], link[512];

    random_model_write(dir, tiny, strlen(tiny), 1, TENSOR_F32);
    path_of(link, "model.safetensors");
    snprintf(path, sizeof(path), "%s-elsewhere", dir);
    CHECK(rename(link, path) == 0 && symlink(path, link) == 0);
    bool outside = checks();
    struct err outside_err = err;
    unlink(link);
    char inside_path[512];
    path_of(inside_path, "other.safetensors");
    CHECK(rename(path, inside_path) == 0 && symlink("other.safetensors", link) == 0);
    bool inside = checks();
    remove_all(files, 1);
    CHECK(!outside && strstr(outside_err.text, "the link leaves the folder"));
    CHECK(inside);
}

/* The cache's shape: ROOT/snapshots/REVISION/name -> ../../blobs/HASH. */
TEST(a_hub_cache_is_a_folder_of_links_to_its_blobs)
{
    char root[64], path[512], blob[512];
    random_model_write(dir, tiny, strlen(tiny), 1, TENSOR_F32);
    snprintf(root, sizeof(root), "%s-hub", dir);
    static const char *const folders[] = { "", "/blobs", "/snapshots", "/snapshots/r" };
    for (size_t i = 0; i < COUNT(folders); i++) {
        snprintf(path, sizeof(path), "%s%s", root, folders[i]);
        CHECK(mkdir(path, 0700) == 0);
    }
    static const char *const names[] = { "config.json", "model.safetensors" };
    for (size_t i = 0; i < COUNT(names); i++) {
        path_of(path, names[i]);
        snprintf(blob, sizeof(blob), "%s/blobs/%zu", root, i);
        CHECK(rename(path, blob) == 0);
        snprintf(path, sizeof(path), "%s/snapshots/r/%s", root, names[i]);
        snprintf(blob, sizeof(blob), "../../blobs/%zu", i);
        CHECK(symlink(blob, path) == 0);
    }
    rmdir(dir);
    snprintf(dir, sizeof(dir), "%s/snapshots/r", root);
    bool taken = checks();
    random_model_remove(dir);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/blobs/%zu", root, i);
        unlink(path);
    }
    for (size_t i = COUNT(folders) - 1; i-- > 0;) {
        snprintf(path, sizeof(path), "%s%s", root, folders[i]);
        rmdir(path);
    }
    CHECK(taken);
}

/* The random model's header with one thing changed. */
static bool refuses_changed(const char *from, const char *to, const char *why)
{
    AUTO(free) char *text = NULL;
    size_t size;
    random_model_write(dir, tiny, strlen(tiny), 1, TENSOR_F32);
    bool read = model_file_read(&text, &size, dir, "model.safetensors", 1 << 20, &err);
    char *at = read ? memmem(text, size, from, strlen(from)) : NULL;
    assert(at && strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
    file_write("model.safetensors", text, size);
    bool taken = checks();
    random_model_remove(dir);
    if (taken || !strstr(err.text, why))
        printf("  %s -> %s\n", to, taken ? "taken" : err.text);
    return !taken && strstr(err.text, why);
}

TEST(tensors_that_the_model_does_not_have_or_misses_are_named)
{
    CHECK(refuses_changed("self_attn.q_proj.weight", "self_attn.r_proj.weight",
                          "self_attn.q_proj.weight is missing"));
    CHECK(refuses_changed("\"shape\":[8,16]", "\"shape\":[16,8]", "8x16 is expected"));
    CHECK(refuses_changed("lm_head.weight", "lm_heat.weight", "lm_heat.weight is none of"));
    CHECK(refuses_changed("\"F32\"", "\"I32\"", "type I32"));
}

TEST(rotary_tables_and_layers_past_the_last_are_not_looked_at)
{
    static const char two[] = "\"num_hidden_layers\":2";
    char text[256];
    int64_t parameters;

    random_model_write(dir, tiny, strlen(tiny), 1, TENSOR_F32);
    snprintf(text, sizeof(text), "%s", tiny);
    memcpy(strstr(text, two), "\"num_hidden_layers\":1", strlen(two));
    file_write("config.json", text, strlen(text));
    bool taken = model_check(&config, &parameters, dir, &err);
    random_model_remove(dir);
    CHECK(taken && parameters == 2 * 32 * 8 + 8 + 1 * (2 * 8 + 4 * 64 + 3 * 16 * 8));
}

TEST(a_file_without_a_head_ties_it_whatever_the_config_says)
{
    static const char tied[] =
        "{\"model_type\":\"llama\",\"vocab_size\":32,\"hidden_size\":8,\"intermediate_size\":16,"
        "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"tie_word_embeddings\":true}";
    random_model_write(dir, tied, strlen(tied), 1, TENSOR_F32);
    file_write("config.json", tiny, strlen(tiny));
    bool taken = checks();
    random_model_remove(dir);
    CHECK(taken && !config.tied);
}
