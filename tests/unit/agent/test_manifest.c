/* test_manifest.c - a model is its bytes: what counts, what does not, and what is refused. */
#include "agent/manifest.h"
#include "tests/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void put(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert(file);
    fputs(text, file);
    fclose(file);
}

static void folder_new(void)
{
    snprintf(dir, sizeof(dir), "/tmp/test_manifest.XXXXXX");
    char *made = mkdtemp(dir);
    assert(made);
}

static void folder_drop(void)
{
    char command[200];
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    int rc = system(command);
    assert(rc == 0);
}

static void model_new(void)
{
    folder_new();
    put("config.json", "{}");
    put("model.safetensors", "weights");
    put("tokenizer.json", "{\"a\":1}");
}

static void hex_of_folder(char hex[MANIFEST_DIGEST_HEX])
{
    struct err err = { 0 };
    AUTO(manifest_free) struct manifest m = { 0 };
    bool ok = manifest_read(&m, dir, &err);
    assert(ok);
    manifest_hex(hex, m.digest);
}

TEST(files_are_listed_by_name_with_their_sha256)
{
    struct err err = { 0 };
    model_new();
    AUTO(manifest_free) struct manifest m = { 0 };
    bool ok = manifest_read(&m, dir, &err);
    folder_drop();
    CHECK(ok);
    CHECK(m.files_count == 3);
    CHECK(!strcmp(m.files[0].name, "config.json"));
    CHECK(!strcmp(m.files[1].name, "model.safetensors"));
    CHECK(!strcmp(m.files[2].name, "tokenizer.json"));
    CHECK(m.files[0].bytes == 2);
    char hex[MANIFEST_DIGEST_HEX];
    manifest_hex(hex, m.files[0].sha256); /* printf '{}' | sha256sum */
    CHECK(!strcmp(hex, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"));
}

TEST(the_digest_is_sha256_of_one_line_a_file)
{
    char hex[MANIFEST_DIGEST_HEX], command[300], line[200] = "";
    model_new();
    hex_of_folder(hex);
    snprintf(command, sizeof(command),
             "cd %s && for f in config.json model.safetensors tokenizer.json; do "
             "printf '%%s  %%s  %%s\\n' $(sha256sum < $f | cut -d' ' -f1) $(stat -c %%s $f) $f; "
             "done | sha256sum",
             dir);
    FILE *pipe = popen(command, "r");
    CHECK(pipe && fgets(line, sizeof(line), pipe));
    pclose(pipe);
    folder_drop();
    CHECK(!strncmp(line, hex, 64));
}

TEST(a_file_that_decides_no_answer_does_not_count)
{
    char before[MANIFEST_DIGEST_HEX], after[MANIFEST_DIGEST_HEX];
    model_new();
    hex_of_folder(before);
    put("README.md", "x");
    put("pytorch_model.bin", "x");
    hex_of_folder(after);
    CHECK(!strcmp(before, after));
    put("generation_config.json", "{}");
    hex_of_folder(after);
    folder_drop();
    CHECK(strcmp(before, after));
}

TEST(a_changed_byte_is_another_model_and_another_stamp)
{
    struct err err = { 0 };
    char before[MANIFEST_DIGEST_HEX], after[MANIFEST_DIGEST_HEX];
    uint64_t first = 0, same = 0, other = 0;
    model_new();
    hex_of_folder(before);
    bool ok = manifest_stamp(&first, dir, &err) && manifest_stamp(&same, dir, &err);
    put("README.md", "x");
    ok = ok && manifest_stamp(&same, dir, &err);
    put("model.safetensors", "weighty");
    ok = ok && manifest_stamp(&other, dir, &err);
    hex_of_folder(after);
    folder_drop();
    CHECK(ok && first == same && first != other);
    CHECK(strcmp(before, after));
}

TEST(a_link_is_followed_and_a_circle_of_links_is_refused_by_name)
{
    struct err err = { 0 };
    char from[200], plain[MANIFEST_DIGEST_HEX], linked[MANIFEST_DIGEST_HEX];
    model_new();
    hex_of_folder(plain);
    snprintf(from, sizeof(from), "%s/model.safetensors", dir);
    put("blob", "weights");
    CHECK(!unlink(from) && !symlink("blob", from));
    hex_of_folder(linked);
    CHECK(!strcmp(plain, linked));
    CHECK(!unlink(from) && !symlink("model.safetensors", from));
    AUTO(manifest_free) struct manifest m = { 0 };
    bool ok = manifest_read(&m, dir, &err);
    folder_drop();
    CHECK(!ok && err.code == ERR_INPUT && strstr(err.text, "model.safetensors"));
}

static bool refused(const char *word)
{
    struct err err = { 0 };
    AUTO(manifest_free) struct manifest m = { 0 };
    return !manifest_read(&m, dir, &err) && strstr(err.text, word);
}

TEST(a_folder_without_config_or_weights_is_no_model)
{
    folder_new();
    CHECK(refused("config.json"));
    put("config.json", "{}");
    put("pytorch_model.bin", "x");
    put("model.safetensors.index.json", "{}");
    CHECK(refused("safetensors"));
    folder_drop();
    CHECK(refused("No such file"));
}

TEST(what_is_no_file_is_refused_and_not_waited_for)
{
    char path[200];
    model_new();
    snprintf(path, sizeof(path), "%s/tokenizer_config.json", dir);
    CHECK(!mkfifo(path, 0600));
    bool fifo = refused("tokenizer_config.json is not a file");
    folder_drop();
    CHECK(fifo);
}
