/* fields.h - the members of a JSON object by name, each as the bytes of its value.
 *
 * A tokenizer.json may give its members in any order, and what one means depends on another: so an
 * object is first cut into its members, and each is read when its turn comes.  Values point into
 * the file; an absent one has no bytes. */
#ifndef FIELDS_H
#define FIELDS_H

#include "common/json.h"
#include "common/text.h"

struct field {
    const char *name;
    struct text raw;
};

/* Fills fields[i].raw of every member that has the name; others are passed over. */
bool fields_read(struct field *fields, int32_t count, struct text object, struct err *err) MUST;

/* Absent or null. */
bool field_empty(struct text raw) MUST;
bool field_bool(bool *out, struct text raw, bool otherwise, struct err *err) MUST;
/* An empty field gives the empty string. */
bool field_string(struct buf *out, struct text raw, struct err *err) MUST;

/* Calls each for the raw value of every element of an array, which must be there. */
bool field_each(struct text array, bool (*each)(void *self, struct text raw, struct err *err),
                void *self, struct err *err) MUST;

#endif
