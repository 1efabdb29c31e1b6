#include "coordinator/task/field.h"

#include "coordinator/task/render.h"

static bool open_list(struct field *out, const char *key, const json_t *list, struct err *err)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > FIELD_LIST_MAX)
        return err_set(err, ERR_INPUT, "%s: a list of at most %d texts expected", key,
                       FIELD_LIST_MAX);
    for (size_t i = 0; i < count; i++)
        if (!json_is_string(json_array_get(list, i)))
            return err_set(err, ERR_INPUT, "%s: item %zu of the list is no text", key, i);
    out->type = FIELD_LIST;
    out->list = list;
    return true;
}

static bool open_native(struct field *out, const char *key, struct text name, struct err *err)
{
    out->native = native_find(name);
    if (!out->native)
        return err_set(err, ERR_INPUT, "%s: function '%.*s' is not built in", key,
                       (int)(name.size > 100 ? 100 : name.size), name.bytes);
    out->type = FIELD_NATIVE;
    return true;
}

static bool open_template(struct field *out, const char *key, struct text source, struct err *err)
{
    if (!template_compile(&out->template, source, err))
        return err_wrap(err, "%s", key);
    out->type = FIELD_TEMPLATE;
    return true;
}

bool field_open(struct field *out, const char *key, const json_t *json, struct err *err)
{
    *out = (struct field){ 0 };
    if (!json || json_is_null(json))
        return true;
    const json_t *list = json_object_get(json, "list"), *number = json_object_get(json, "int");
    static const char *const kinds[] = { "template", "column", "native" };
    if (json_object_size(json) == 1 && list)
        return open_list(out, key, list, err);
    if (json_object_size(json) == 1 && json_is_integer(number)) {
        out->type = FIELD_INT;
        out->integer = json_integer_value(number);
        return true;
    }
    for (int i = 0; i < 3 && json_object_size(json) == 1; i++) {
        const json_t *string = json_object_get(json, kinds[i]);
        struct text text = { json_string_value(string), json_string_length(string) };
        if (!text.bytes)
            continue;
        if (i == 0)
            return open_template(out, key, text, err);
        if (i == 2)
            return open_native(out, key, text, err);
        out->type = FIELD_COLUMN;
        out->column = text;
        return true;
    }
    return err_set(err, ERR_INPUT, "%s: template, column, native, list or int expected", key);
}

void field_close(struct field *field)
{
    template_free(field->template);
    *field = (struct field){ 0 };
}

static bool render_template(struct value *out, const struct field *field,
                            const struct value *document, struct heap *heap, struct err *err)
{
    AUTO(buf_free) struct buf text = { .max = RENDER_PROMPT_BYTES_MAX };
    struct text kept;
    if (!template_render(&text, field->template, document, heap, err))
        return false;
    if (!buf_ok(&text))
        return err_set(err, ERR_INPUT, "text longer than %d bytes", RENDER_PROMPT_BYTES_MAX);
    if (!heap_copy(&kept, heap, (struct text){ buf_text(&text), text.size }, err))
        return false;
    *out = value_str(kept);
    return true;
}

bool field_value(struct value *out, const struct field *field, const struct value *document,
                 struct heap *heap, struct err *err)
{
    struct value key = value_str(field->column);
    const struct value *found;
    switch (field->type) {
    case FIELD_TEMPLATE:
        return render_template(out, field, document, heap, err);
    case FIELD_COLUMN:
        found = value_get(document, &key);
        if (!found)
            return err_set(err, ERR_INPUT, "no column '%.*s'",
                           (int)(field->column.size > 100 ? 100 : field->column.size),
                           field->column.bytes);
        *out = *found;
        return true;
    case FIELD_NATIVE:
        return field->native->run(out, document, heap, err);
    case FIELD_LIST:
        return value_from_json(out, field->list, heap, err);
    case FIELD_INT:
        *out = value_int(field->integer);
        return true;
    default:
        *out = value_none();
        return true;
    }
}

/* int() of a text of digits, as ast.literal_eval reads it: 007 is an error. */
static bool digits_to_int(struct value *v, struct heap *heap, struct err *err)
{
    struct value number;
    if (!value_from_literal(&number, v->text, heap, err))
        return err_set(err, ERR_INPUT, "digits that are no Python integer of 64 bits");
    *v = number;
    return true;
}

bool field_text(struct value *out, const struct field *field, bool has_choices,
                const struct value *document, struct heap *heap, struct err *err)
{
    if (!field_value(out, field, document, heap, err))
        return err_wrap(err, "doc_to_text");
    if (field->type == FIELD_TEMPLATE && has_choices && pystr_is_digits(out->text) &&
        !digits_to_int(out, heap, err))
        return err_wrap(err, "doc_to_text");
    if (out->type != VALUE_STR && out->type != VALUE_INT)
        return err_set(err, ERR_INPUT, "doc_to_text: gives %s, not a text", value_type_name(out));
    return true;
}

static bool target_of_template(struct value *out, bool has_choices, struct heap *heap,
                               struct err *err)
{
    struct text text = out->text;
    if (has_choices && pystr_is_digits(text))
        return digits_to_int(out, heap, err);
    struct value list;
    struct err no_list = { 0 };
    if (text.size >= 2 && text.bytes[0] == '[' && text.bytes[text.size - 1] == ']' &&
        value_from_literal(&list, text, heap, &no_list))
        *out = list;
    return true;
}

bool field_target(struct value *out, const struct field *field, bool has_choices,
                  const struct value *document, struct heap *heap, struct err *err)
{
    if (!field_value(out, field, document, heap, err))
        return err_wrap(err, "doc_to_target");
    if (field->type == FIELD_TEMPLATE && !target_of_template(out, has_choices, heap, err))
        return err_wrap(err, "doc_to_target");
    if (out->type == VALUE_BOOL)
        *out = value_int(out->boolean); /* isinstance(True, int) */
    return true;
}

bool field_choices(struct value *out, const struct field *field, const struct value *document,
                   struct heap *heap, struct err *err)
{
    if (!field_value(out, field, document, heap, err))
        return err_wrap(err, "doc_to_choice");
    if (field->type == FIELD_TEMPLATE && !value_from_literal(out, out->text, heap, err))
        return err_set(err, ERR_INPUT, "doc_to_choice: the rendered text is no Python list");
    if (!value_is_sequence(out) || !out->count || out->count > FIELD_LIST_MAX)
        return err_set(err, ERR_INPUT, "doc_to_choice: gives %s, not a list of 1 to %d texts",
                       value_type_name(out), FIELD_LIST_MAX);
    for (int32_t i = 0; i < out->count; i++)
        if (out->items[i].type != VALUE_STR)
            return err_set(err, ERR_INPUT, "doc_to_choice: choice %d is %s, not a text", i,
                           value_type_name(&out->items[i]));
    return true;
}
