#include "coordinator/task/native.h"

/* Pieces of text; {} stands for str() of a column. */
struct piece {
    const char *before, *column, *after;
};

static bool column_of(struct value *out, const struct value *document, const char *name,
                      struct err *err)
{
    struct value key = value_str(text_of(name));
    const struct value *found = value_get(document, &key);
    if (!found)
        return err_set(err, ERR_INPUT, "no column '%s'", name);
    *out = *found;
    return true;
}

static bool join_pieces(struct value *out, const struct piece *pieces, int count,
                        const struct value *document, struct heap *heap, struct err *err)
{
    AUTO(buf_free) struct buf text = { .max = heap->max };
    struct value column;
    for (int i = 0; i < count; i++) {
        buf_put_text(&text, pieces[i].before);
        if (!column_of(&column, document, pieces[i].column, err))
            return false;
        value_put_str(&text, &column);
        buf_put_text(&text, pieces[i].after);
    }
    struct text kept;
    if (!buf_ok(&text))
        return err_set(err, ERR_INPUT, "text too long");
    if (!heap_copy(&kept, heap, (struct text){ buf_text(&text), text.size }, err))
        return false;
    *out = value_str(kept);
    return true;
}

/* KoBEST (lm_eval/tasks/kobest/utils.py) --------------------------------------------------------
 */

static bool copa_text(struct value *out, const struct value *document, struct heap *heap,
                      struct err *err)
{
    struct value question;
    if (!column_of(&question, document, "question", err))
        return false;
    if (question.type != VALUE_STR)
        return err_set(err, ERR_INPUT, "column 'question' is no text");
    struct text asked = pystr_strip(question.text, PYSTR_BOTH, NULL);
    bool cause = text_is(asked, "원인"), effect = text_is(asked, "결과");
    if (!cause && !effect)
        return err_set(err, ERR_INPUT, "column 'question' is neither 원인 nor 결과");
    struct piece piece = { "", "premise", cause ? "  왜냐하면" : "  그래서" };
    return join_pieces(out, &piece, 1, document, heap, err);
}

static bool copa_target(struct value *out, const struct value *document, struct heap *heap,
                        struct err *err)
{
    struct value label, zero = value_int(0);
    if (!column_of(&label, document, "label", err))
        return false;
    struct piece piece = { "", value_equal(&label, &zero) ? "alternative_1" : "alternative_2", "" };
    return join_pieces(out, &piece, 1, document, heap, err);
}

static bool copa_choice(struct value *out, const struct value *document, struct heap *heap,
                        struct err *err)
{
    static const struct piece pieces[] = { { "", "alternative_1", "" },
                                           { "", "alternative_2", "" } };
    if (!value_list(out, VALUE_LIST, 2, heap, err))
        return false;
    for (int i = 0; i < 2; i++)
        if (!join_pieces(&out->items[i], &pieces[i], 1, document, heap, err))
            return false;
    return true;
}

static bool sentineg_text(struct value *out, const struct value *document, struct heap *heap,
                          struct err *err)
{
    static const struct piece piece = { "문장: ", "sentence", " 긍부정:" };
    return join_pieces(out, &piece, 1, document, heap, err);
}

static bool wic_text(struct value *out, const struct value *document, struct heap *heap,
                     struct err *err)
{
    static const struct piece pieces[] = { { "문장1: ", "context_1", "" },
                                           { " 문장2: ", "context_2", " 두 문장에서 " },
                                           { "", "word", "가 같은 뜻으로 쓰였나?" } };
    return join_pieces(out, pieces, 3, document, heap, err);
}

static bool hellaswag_process(json_t *document, struct err *err)
{
    static const char *const endings[] = { "ending_1", "ending_2", "ending_3", "ending_4" };
    const char *context = json_string_value(json_object_get(document, "context"));
    json_t *label = json_object_get(document, "label"), *choices = json_array();
    json_object_set_new(document, "choices", choices);
    if (!context || !json_is_integer(label))
        return err_set(err, ERR_INPUT, "column 'context' is no text or 'label' no integer");
    for (int i = 0; i < 4; i++) {
        json_t *ending = json_object_get(document, endings[i]);
        if (!json_is_string(ending))
            return err_set(err, ERR_INPUT, "column '%s' is no text", endings[i]);
        json_array_append(choices, ending);
    }
    json_object_set_new(document, "query", json_sprintf("문장: %s", context));
    json_object_set_new(document, "gold", json_integer(json_integer_value(label)));
    return true;
}

/* clang-format off */
static const struct native natives[] = {
    { "utils.copa_doc_to_text",     "kobest.copa_doc_to_text",     copa_text     },
    { "utils.copa_doc_to_target",   "kobest.copa_doc_to_target",   copa_target   },
    { "utils.copa_doc_to_choice",   "kobest.copa_doc_to_choice",   copa_choice   },
    { "utils.sentineg_doc_to_text", "kobest.sentineg_doc_to_text", sentineg_text },
    { "utils.wic_doc_to_text",      "kobest.wic_doc_to_text",      wic_text      },
};
static const struct native_process processes[] = {
    { "utils.hellaswag_process_doc", "kobest.hellaswag_process_doc", hellaswag_process },
};
/* clang-format on */

const struct native *native_find(struct text name)
{
    for (size_t i = 0; i < COUNT(natives); i++)
        if (text_is(name, natives[i].yaml_name) || text_is(name, natives[i].name))
            return &natives[i];
    return NULL;
}

const struct native_process *native_process_find(struct text name)
{
    for (size_t i = 0; i < COUNT(processes); i++)
        if (text_is(name, processes[i].yaml_name) || text_is(name, processes[i].name))
            return &processes[i];
    return NULL;
}

const char *native_aggregation(struct text yaml_name)
{
    return text_is(yaml_name, "utils.macro_f1_score") ? "macro_f1" : NULL;
}
