#include "coordinator/cli/task_files.h"

#include <string.h>

/* The pattern with {dataset_name} and {task} replaced; the caller frees. */
static bool expand(char **out, const char *pattern, const struct source *source, struct err *err)
{
    const char *const names[2] = { "{dataset_name}", "{task}" };
    const char *const values[2] = { source_dataset(source), source_task(source) };
    struct buf path = { 0 };
    while (*pattern) {
        int which = -1;
        for (int i = 0; i < 2; i++)
            if (!strncmp(pattern, names[i], strlen(names[i])))
                which = i;
        if (which >= 0 && !values[which]) {
            buf_free(&path);
            return err_set(err, ERR_INPUT, "task %s has no %s", source_task(source), names[which]);
        }
        if (which < 0)
            buf_put_char(&path, *pattern++);
        else {
            buf_put_text(&path, values[which]);
            pattern += strlen(names[which]);
        }
    }
    *out = path.bytes;
    return true;
}

struct data {
    struct import_data list[TASK_DATA_MAX]; /* the texts are its own */
    int32_t count;
};

static void data_end(struct data *data)
{
    for (int32_t i = 0; i < data->count; i++) {
        free((char *)data->list[i].split);
        free((char *)data->list[i].path);
    }
}
AUTO_ENDS(struct data, data_end)

static bool read_data(struct data *out, struct cli *cli, const struct source *source,
                      struct err *err)
{
    int count = cli_list_count(cli, "data");
    if (count > TASK_DATA_MAX)
        return cli_usage(cli, err, "--data: at most %d files", TASK_DATA_MAX);
    for (int i = 0; i < count; i++) {
        AUTO(free) char *path = NULL;
        const char *word = cli_list(cli, "data", i), *equals = strchr(word, '=');
        if (!equals || equals == word || !equals[1])
            return cli_usage(cli, err, "--data takes SPLIT=FILE, not '%s'", word);
        if (!expand(&path, equals + 1, source, err))
            return false;
        out->list[out->count++] =
            (struct import_data){ strndup(word, (size_t)(equals - word)), TAKE(path) };
    }
    return true;
}

static bool read_columns(struct columns **out, struct cli *cli, const struct source *source,
                         struct err *err)
{
    AUTO(free) char *path = NULL;
    const char *pattern = cli_text(cli, "columns");
    return !pattern || (expand(&path, pattern, source, err) && columns_open(out, path, err));
}

bool task_files_open(struct task_files *out, struct cli *cli, const char *path, struct err *err)
{
    AUTO(task_files_close) struct task_files files = { 0 };
    AUTO(data_end) struct data data = { 0 };
    if (!source_open(&files.source, path, err) ||
        !read_columns(&files.columns, cli, files.source, err) ||
        !read_data(&data, cli, files.source, err) ||
        !import_open(&files.import, files.source, data.list, data.count, files.columns, err))
        return false;
    *out = files;
    files = (struct task_files){ 0 };
    return true;
}

void task_files_close(struct task_files *files)
{
    import_free(files->import);
    source_free(files->source);
    columns_free(files->columns);
    *files = (struct task_files){ 0 };
}
