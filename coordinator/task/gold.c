#include "coordinator/task/gold.h"

#include "coordinator/task/render.h"
#include "coordinator/task/task.h"

struct asking {
    const struct task *task;
    struct heap heap;
    json_t *json;
    struct value document;
};

static bool asking_open(struct asking *asking, const struct task *task, struct text payload,
                        struct err *err)
{
    *asking = (struct asking){ .task = task, .heap = { .max = RENDER_HEAP_BYTES } };
    return document_open(&asking->document, &asking->json, payload, &asking->heap, err);
}

static void asking_close(struct asking *asking)
{
    json_decref(asking->json);
    heap_free(&asking->heap);
}
AUTO_ENDS(struct asking, asking_close)

static bool has_choices(const struct task *task) { return task->item.choice.type != FIELD_NONE; }

bool gold_shape(bool *multiple_input, bool *multiple_target, const struct task *task,
                struct text payload, struct err *err)
{
    AUTO(asking_close) struct asking asking = { 0 };
    struct value text, target;
    const struct task_fields *fields = &task->item;
    if (!asking_open(&asking, task, payload, err) ||
        !field_text(&text, &fields->text, has_choices(task), &asking.document, &asking.heap, err) ||
        !field_target(&target, &fields->target, has_choices(task), &asking.document, &asking.heap,
                      err))
        return false;
    *multiple_input = text.type == VALUE_INT && has_choices(task);
    *multiple_target = value_is_sequence(&target);
    return true;
}

/* Which choice a target is: an index, or the text of one. */
static bool index_of(int32_t *out, const struct value *target, const struct value *choices,
                     struct err *err)
{
    if (target->type == VALUE_INT) {
        if (target->integer < 0 || target->integer >= choices->count)
            return err_set(err, ERR_INPUT, "gold is out of range: choice %lld of %d",
                           (long long)target->integer, choices->count);
        *out = (int32_t)target->integer;
        return true;
    }
    if (target->type != VALUE_STR)
        return err_set(err, ERR_INPUT, "gives %s, not an index or a choice",
                       value_type_name(target));
    for (int32_t i = 0; i < choices->count; i++)
        if (value_equal(&choices->items[i], target)) {
            *out = i;
            return true;
        }
    return err_set(err, ERR_INPUT, "gold is none of the %d choices", choices->count);
}

static bool put_gold(struct buf *out, const struct value *target, const struct value *choices,
                     struct err *err)
{
    int32_t index = 0;
    bool list = value_is_sequence(target);
    if (list && !target->count)
        return err_set(err, ERR_INPUT, "gives an empty list");
    buf_put_text(out, "\"gold\":[");
    for (int32_t i = 0; i < (list ? target->count : 1); i++) {
        if (!index_of(&index, list ? &target->items[i] : target, choices, err))
            return false;
        buf_put_fmt(out, "%s%d", i ? "," : "", index);
    }
    buf_put_char(out, ']');
    return true;
}

/* Keys in alphabetical order: bytes, chars, gold. */
static bool put_json(struct buf *out, const struct value *target, const struct value *choices,
                     struct err *err)
{
    buf_put_text(out, "{\"bytes\":[");
    for (int32_t i = 0; i < choices->count; i++)
        buf_put_fmt(out, "%s%zu", i ? "," : "", choices->items[i].text.size);
    buf_put_text(out, "],\"chars\":[");
    for (int32_t i = 0; i < choices->count; i++)
        buf_put_fmt(out, "%s%zu", i ? "," : "", pystr_length(choices->items[i].text));
    buf_put_text(out, "],");
    if (!put_gold(out, target, choices, err))
        return false;
    buf_put_char(out, '}');
    return true;
}

/* loglikelihood: the target is the one choice, and it is right. */
static bool put_single(struct buf *out, struct value *target, struct err *err)
{
    struct value gold = value_int(0);
    struct value choices = { .type = VALUE_LIST, .count = 1, .items = target };
    if (target->type != VALUE_STR)
        return err_set(err, ERR_INPUT, "gives %s, not a text", value_type_name(target));
    return put_json(out, &gold, &choices, err);
}

static bool put_item(struct buf *out, const struct task *task, struct value *target,
                     struct asking *a, struct err *err)
{
    struct value choices;
    if (task->output == TASK_LOGLIKELIHOOD)
        return put_single(out, target, err);
    if (value_is_sequence(target) != task->multiple_target)
        return err_set(err, ERR_INPUT, "one index here, a list elsewhere");
    return field_choices(&choices, &task->item.choice, &a->document, &a->heap, err) &&
           put_json(out, target, &choices, err);
}

bool gold_item(struct buf *out, const struct task *task, struct text payload, struct err *err)
{
    AUTO(asking_close) struct asking a = { 0 };
    struct value target;
    const struct task_fields *fields = &task->item;
    if (!asking_open(&a, task, payload, err))
        return false;
    bool ok =
        task->multiple_input
            ? field_text(&target, &fields->text, true, &a.document, &a.heap, err)
            : field_target(&target, &fields->target, has_choices(task), &a.document, &a.heap, err);
    if (!ok)
        return false;
    return put_item(out, task, &target, &a, err) ||
           err_wrap(err, task->multiple_input ? "doc_to_text" : "doc_to_target");
}
