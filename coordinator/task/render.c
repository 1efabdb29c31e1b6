#include "coordinator/task/render.h"

#include "coordinator/task/task.h"

/* Texts are gathered in one buffer and named by offset, since the buffer moves as it grows. */
struct span {
    size_t begin, size;
};

struct drawing {
    const struct task *task;
    struct heap heap;
    struct buf bytes;
    struct span prompts[RENDER_CHOICES_MAX + 1];
    struct span continuations[2 * RENDER_CHOICES_MAX];
    int32_t prompt_of[2 * RENDER_CHOICES_MAX];
    int32_t prompts_count, requests_count;
    struct err *err;
};

static void put(struct drawing *d, struct text text) { buf_put(&d->bytes, text.bytes, text.size); }

/* lm-eval's maybe_delimit and requires_delimiter: a delimiter only where no whitespace is. */
static bool needs_delimiter(struct text left, struct text right)
{
    return left.size && right.size && !pystr_ends_with_space(left) &&
           !pystr_starts_with_space(right);
}

/* What stands between the question and what follows it, and then that. */
static void put_turn(struct drawing *d, struct text question, struct text prefix,
                     const struct text *answer, struct text target_delimiter,
                     struct text fewshot_delimiter)
{
    put(d, question);
    if (prefix.size ? needs_delimiter(question, prefix) : answer != NULL)
        put(d, target_delimiter);
    put(d, prefix);
    if (!answer)
        return;
    if (needs_delimiter(prefix, *answer))
        put(d, TEXT_LITERAL(" "));
    put(d, *answer);
    put(d, fewshot_delimiter);
}

static bool read_text(struct text *out, struct drawing *d, const struct field *field,
                      const struct value *document, const char *key)
{
    struct value v;
    if (!field_value(&v, field, document, &d->heap, d->err))
        return err_wrap(d->err, "%s", key);
    if (v.type != VALUE_STR && v.type != VALUE_NONE)
        return err_set(d->err, ERR_INPUT, "%s: gives %s, not a text", key, value_type_name(&v));
    *out = v.type == VALUE_STR ? v.text : (struct text){ 0 };
    return true;
}

/* A shot's answer as text.  *has is false for an empty one: then the question stands alone. */
static bool read_answer(struct text *out, bool *has, struct drawing *d, const struct value *target,
                        const struct value *choices)
{
    const struct value *answer = target;
    *has = true;
    if (target->type == VALUE_INT && choices) {
        if (target->integer < 0 || target->integer >= choices->count)
            return err_set(d->err, ERR_INPUT, "a shot's answer is out of range: choice %lld of %d",
                           (long long)target->integer, choices->count);
        answer = &choices->items[target->integer];
    } else if (value_is_sequence(target)) {
        if (!target->count)
            return err_set(d->err, ERR_INPUT, "a shot's answer is an empty list");
        answer = &target->items[0];
    } else if (target->type == VALUE_NONE || (target->type == VALUE_STR && !target->text.size)) {
        *has = false;
        return true;
    }
    if (answer->type != VALUE_STR)
        return err_set(d->err, ERR_INPUT, "a shot's answer is %s, not a text",
                       value_type_name(answer));
    *out = answer->text;
    return true;
}

/* A shot of a multiple-input task asks with the context that its text names. */
static bool read_shot_question(struct text *out, struct drawing *d, const struct value *text,
                               const struct value *choices)
{
    if (d->task->multiple_input) {
        if (text->type != VALUE_INT || !choices || text->integer < 0 ||
            text->integer >= choices->count)
            return err_set(d->err, ERR_INPUT, "a shot's context is out of range");
        *out = choices->items[text->integer].text;
        return true;
    }
    if (text->type != VALUE_STR)
        return err_set(d->err, ERR_INPUT, "doc_to_text: gives a number where a text is needed");
    *out = text->text;
    return true;
}

static bool put_shot(struct drawing *d, const struct value *document)
{
    const struct task_fields *fields = &d->task->shot;
    bool has_choices = d->task->item.choice.type != FIELD_NONE, lists, answered;
    lists = fields->choice.type != FIELD_NONE;
    struct value text, target, choices;
    struct text question, answer, prefix;
    if (!field_text(&text, &fields->text, has_choices, document, &d->heap, d->err) ||
        (lists && !field_choices(&choices, &fields->choice, document, &d->heap, d->err)) ||
        !field_target(&target, &fields->target, has_choices, document, &d->heap, d->err) ||
        !read_text(&prefix, d, &fields->prefix, document, "gen_prefix") ||
        !read_shot_question(&question, d, &text, lists ? &choices : NULL) ||
        !read_answer(&answer, &answered, d, &target,
                     lists && !d->task->multiple_input ? &choices : NULL))
        return false;
    put_turn(d, question, prefix, answered ? &answer : NULL, fields->target_delimiter,
             fields->fewshot_delimiter);
    return true;
}

static bool put_shots(struct drawing *d, const struct text *shots, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        json_t *json = NULL;
        struct value document;
        bool ok =
            document_open(&document, &json, shots[i], &d->heap, d->err) && put_shot(d, &document);
        json_decref(json);
        if (!ok)
            return err_wrap(d->err, "shot %d", i);
    }
    return true;
}

static void begin_prompt(struct drawing *d) { d->prompts[d->prompts_count].begin = d->bytes.size; }

static void end_prompt(struct drawing *d)
{
    struct span *span = &d->prompts[d->prompts_count++];
    span->size = d->bytes.size - span->begin;
}

static bool add_request(struct drawing *d, int32_t prompt, struct text delimiter,
                        struct text continuation)
{
    assert(d->requests_count < (int32_t)COUNT(d->continuations));
    struct span *span = &d->continuations[d->requests_count];
    span->begin = d->bytes.size;
    put(d, delimiter);
    put(d, continuation);
    span->size = d->bytes.size - span->begin;
    d->prompt_of[d->requests_count++] = prompt;
    return span->size ? true : err_set(d->err, ERR_INPUT, "a continuation is empty");
}

/* Each context is a prompt of its own; what follows is the same. */
static bool draw_contexts(struct drawing *d, const struct value *document,
                          const struct value *choices, struct text prefix)
{
    const struct task_fields *fields = &d->task->item;
    struct span head = { 0, d->bytes.size };
    struct value target;
    if (!field_target(&target, &fields->target, true, document, &d->heap, d->err))
        return false;
    for (int32_t i = 0; i < choices->count; i++) {
        begin_prompt(d);
        for (size_t at = 0; at < head.size; at += 4096) { /* the buffer may move under us */
            char piece[4096];
            size_t size = head.size - at < sizeof piece ? head.size - at : sizeof piece;
            if (!buf_ok(&d->bytes))
                break;
            memcpy(piece, d->bytes.bytes + at, size);
            buf_put(&d->bytes, piece, size);
        }
        put_turn(d, choices->items[i].text, prefix, NULL, (struct text){ 0 }, (struct text){ 0 });
        end_prompt(d);
    }
    AUTO(buf_free) struct buf text = { .max = RENDER_PROMPT_BYTES_MAX };
    value_put_str(&text, &target);
    for (int32_t i = 0; i < choices->count; i++)
        if (!add_request(d, i, fields->target_delimiter,
                         (struct text){ buf_text(&text), text.size }))
            return false;
    return true;
}

/* One prompt, a continuation a choice; with mutual information the same after an empty prompt. */
static bool draw_choices(struct drawing *d, const struct value *choices)
{
    struct text delimiter = d->task->item.target_delimiter;
    for (int32_t i = 0; i < choices->count; i++)
        if (!add_request(d, 0, delimiter, choices->items[i].text))
            return false;
    if (!d->task->mutual_info)
        return true;
    begin_prompt(d);
    end_prompt(d);
    for (int32_t i = 0; i < choices->count; i++)
        if (!add_request(d, 1, delimiter, choices->items[i].text))
            return false;
    return true;
}

static bool draw_target(struct drawing *d, const struct value *document)
{
    struct value target;
    bool has_choices = d->task->item.choice.type != FIELD_NONE;
    if (!field_target(&target, &d->task->item.target, has_choices, document, &d->heap, d->err))
        return false;
    if (target.type != VALUE_STR)
        return err_set(d->err, ERR_INPUT, "doc_to_target: gives %s, not a text",
                       value_type_name(&target));
    return add_request(d, 0, (struct text){ 0 }, target.text);
}

static bool draw_question(struct drawing *d, const struct value *document)
{
    const struct task_fields *fields = &d->task->item;
    bool lists = fields->choice.type != FIELD_NONE;
    struct value text, choices = value_none();
    struct text prefix;
    if (!field_text(&text, &fields->text, lists, document, &d->heap, d->err) ||
        (lists && !field_choices(&choices, &fields->choice, document, &d->heap, d->err)) ||
        !read_text(&prefix, d, &fields->prefix, document, "gen_prefix"))
        return false;
    if ((text.type == VALUE_INT) != d->task->multiple_input)
        return err_set(d->err, ERR_INPUT, "doc_to_text: a number here, a text elsewhere");
    if (d->task->multiple_input)
        return draw_contexts(d, document, &choices, prefix);
    put_turn(d, text.text, prefix, NULL, fields->target_delimiter, (struct text){ 0 });
    end_prompt(d);
    return d->task->output == TASK_LOGLIKELIHOOD ? draw_target(d, document)
                                                 : draw_choices(d, &choices);
}

static bool draw(struct drawing *d, const struct value *document, const struct text *shots,
                 int32_t shots_count)
{
    struct text description;
    if (!read_text(&description, d, &d->task->description, document, "description"))
        return false;
    begin_prompt(d);
    put(d, description);
    if (!put_shots(d, shots, shots_count) || !draw_question(d, document))
        return false;
    return buf_ok(&d->bytes) ? true
                             : err_set(d->err, ERR_INPUT, "prompts longer than %d bytes",
                                       RENDER_PROMPT_BYTES_MAX);
}

/* One block: prompts, requests, bytes. */
static void deliver(struct rendered *out, const struct drawing *d)
{
    size_t prompts = (size_t)d->prompts_count, requests = (size_t)d->requests_count;
    struct rendered_request *request;
    char *block =
        must_calloc(1, prompts * sizeof(struct text) + requests * sizeof *request + d->bytes.size);
    struct text *prompt = (struct text *)block;
    request = (struct rendered_request *)(prompt + prompts);
    char *bytes = (char *)(request + requests);
    if (d->bytes.size)
        memcpy(bytes, d->bytes.bytes, d->bytes.size);
    for (size_t i = 0; i < prompts; i++)
        prompt[i] = (struct text){ bytes + d->prompts[i].begin, d->prompts[i].size };
    for (size_t i = 0; i < requests; i++)
        request[i] = (struct rendered_request){
            d->prompt_of[i], { bytes + d->continuations[i].begin, d->continuations[i].size }
        };
    *out = (struct rendered){ d->prompts_count, d->requests_count, prompt, request, block };
}

bool render_item(struct rendered *out, const struct task *task, struct text payload,
                 const struct text *shots, int32_t shots_count, struct err *err)
{
    static_assert(FIELD_LIST_MAX <= RENDER_CHOICES_MAX, "every choice has a request");
    assert(shots_count >= 0);
    struct drawing d = { .task = task, .err = err };
    d.heap.max = RENDER_HEAP_BYTES;
    d.bytes.max = RENDER_PROMPT_BYTES_MAX;
    json_t *json = NULL;
    struct value document;
    bool ok = document_open(&document, &json, payload, &d.heap, err) &&
              draw(&d, &document, shots, shots_count);
    if (ok)
        deliver(out, &d);
    json_decref(json);
    heap_free(&d.heap);
    buf_free(&d.bytes);
    return ok;
}

void rendered_free(struct rendered *rendered)
{
    free(rendered->storage);
    *rendered = (struct rendered){ 0 };
}
