/* field.h - one of a task's questions to a document: what is the text, the target, the choices?
 *
 * In a definition a field is null or an object with one key:
 *   {"template":text}  Jinja      {"column":name}  the document's value as it is
 *   {"native":name}    C          {"list":[text,...]}      {"int":n} */
#ifndef FIELD_H
#define FIELD_H

#include "coordinator/task/jinja.h"
#include "coordinator/task/native.h"

enum field_type {
    FIELD_NONE,
    FIELD_TEMPLATE,
    FIELD_COLUMN,
    FIELD_NATIVE,
    FIELD_LIST,
    FIELD_INT,
};

struct field {
    enum field_type type;
    struct template *template;
    const struct native *native;
    struct text column;
    const json_t *list; /* of texts; the definition's */
    int64_t integer;
};

#define FIELD_LIST_MAX 256

/* key names the field in errors; json is borrowed for as long as the field lives. */
bool field_open(struct field *out, const char *key, const json_t *json, struct err *err) MUST;
void field_close(struct field *field);

/* The field's plain value: templates give a str. */
bool field_value(struct value *out, const struct field *field, const struct value *document,
                 struct heap *heap, struct err *err) MUST;

/* doc_to_text: str, or the index of a context when the task has choices and all is digits. */
bool field_text(struct value *out, const struct field *field, bool has_choices,
                const struct value *document, struct heap *heap, struct err *err) MUST;
/* doc_to_target: int (also of all digits when the task has choices), a list that "[...]" spells, or
 * str. */
bool field_target(struct value *out, const struct field *field, bool has_choices,
                  const struct value *document, struct heap *heap, struct err *err) MUST;
/* doc_to_choice: a list of str, 1 to FIELD_LIST_MAX. */
bool field_choices(struct value *out, const struct field *field, const struct value *document,
                   struct heap *heap, struct err *err) MUST;

#endif
