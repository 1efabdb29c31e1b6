#include "agent/text/fields.h"

static void member_keep(struct field *fields, int32_t count, const char *key, struct text raw)
{
    for (int32_t i = 0; i < count; i++)
        if (!strcmp(fields[i].name, key))
            fields[i].raw = raw; /* of equal keys the last counts, as Python reads it */
}

bool fields_read(struct field *fields, int32_t count, struct text object, struct err *err)
{
    AUTO(buf_free) struct buf key = { 0 };
    struct json json;
    json_begin(&json, object.bytes, object.size);
    json_object(&json);
    while (json_member(&json, &key)) {
        struct text raw = { 0 };
        json_raw(&json, &raw.bytes, &raw.size);
        if (json_ok(&json))
            member_keep(fields, count, buf_text(&key), raw);
    }
    return json_end(&json, err);
}

bool field_empty(struct text raw) { return !raw.bytes || text_is(raw, "null"); }

bool field_bool(bool *out, struct text raw, bool otherwise, struct err *err)
{
    *out = otherwise;
    if (field_empty(raw))
        return true;
    struct json json;
    json_begin(&json, raw.bytes, raw.size);
    bool value = json_bool(&json);
    if (!json_end(&json, err))
        return false;
    *out = value;
    return true;
}

bool field_string(struct buf *out, struct text raw, struct err *err)
{
    buf_clear(out);
    if (field_empty(raw))
        return true;
    struct json json;
    json_begin(&json, raw.bytes, raw.size);
    json_string(&json, out);
    return json_end(&json, err);
}

bool field_each(struct text array, bool (*each)(void *self, struct text raw, struct err *err),
                void *self, struct err *err)
{
    struct json json;
    if (!array.bytes)
        return err_set(err, ERR_INPUT, "a list is missing");
    json_begin(&json, array.bytes, array.size);
    json_array(&json);
    while (json_item(&json)) {
        struct text raw = { 0 };
        json_raw(&json, &raw.bytes, &raw.size);
        if (json_ok(&json) && !each(self, raw, err))
            return false;
    }
    return json_end(&json, err);
}
