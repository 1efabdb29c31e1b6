#include "coordinator/task/yaml_scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#define SCALAR_MAX 64

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
}

static bool is_null(const char *text)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL", NULL };
    return one_of(text, words);
}

static bool is_bool(const char *text, bool *value)
{
    static const char *const yes[] = { "yes",  "Yes", "YES", "true", "True",
                                       "TRUE", "on",  "On",  "ON",   NULL };
    static const char *const no[] = { "no",    "No",  "NO",  "false", "False",
                                      "FALSE", "off", "Off", "OFF",   NULL };
    *value = one_of(text, yes);
    return *value || one_of(text, no);
}

/* Without underscores and sign; the base its prefix says.  0 when it is no integer. */
static int base_of(const char *digits)
{
    if (digits[0] == '0' && digits[1] == 'b' && digits[2 + strspn(digits + 2, "01")] == 0)
        return digits[2] ? 2 : 0;
    if (digits[0] == '0' && digits[1] == 'x')
        return digits[2] && !digits[2 + strspn(digits + 2, "0123456789abcdefABCDEF")] ? 16 : 0;
    if (digits[0] == '0' && digits[1])
        return digits[strspn(digits, "01234567")] ? 0 : 8;
    return digits[0] && !digits[strspn(digits, "0123456789")] ? 10 : 0;
}

/* 1:30 is ninety in YAML 1.1; nobody means it. */
static bool is_sexagesimal(const char *digits)
{
    if (!isdigit((unsigned char)digits[0]) || !strchr(digits, ':'))
        return false;
    return digits[strspn(digits, "0123456789:.")] == 0;
}

/* 2024-01-31 */
static bool is_date(const char *text)
{
    for (int i = 0; i < 10; i++)
        if (i == 4 || i == 7 ? text[i] != '-' : !isdigit((unsigned char)text[i]))
            return false;
    return true;
}

/* PyYAML wants a point, and a sign in an exponent. */
static bool is_real(const char *digits, double *value)
{
    static const char *const infinite[] = { ".inf", ".Inf", ".INF", NULL };
    static const char *const none[] = { ".nan", ".NaN", ".NAN", NULL };
    if (one_of(digits, infinite) || one_of(digits, none)) {
        *value = one_of(digits, none) ? NAN : INFINITY;
        return true;
    }
    size_t whole = strspn(digits, "0123456789");
    if (digits[whole] != '.' || (!whole && !isdigit((unsigned char)digits[1])))
        return false;
    const char *rest = digits + whole + 1;
    rest += strspn(rest, "0123456789");
    if (*rest == 'e' || *rest == 'E') {
        if (rest[1] != '+' && rest[1] != '-')
            return false;
        rest += 2;
        if (!isdigit((unsigned char)*rest))
            return false;
        rest += strspn(rest, "0123456789");
    }
    *value = strtod(digits, NULL);
    return *rest == 0;
}

static bool resolve_number(struct yaml *node, const char *text)
{
    char digits[SCALAR_MAX];
    size_t size = 0;
    bool negative = text[0] == '-';
    if (text[0] == '_')
        return true;
    for (const char *at = text + (negative || text[0] == '+'); *at; at++)
        if (*at != '_')
            digits[size++] = *at;
    digits[size] = 0;
    int base = base_of(digits);
    if (base) {
        errno = 0;
        node->integer = strtoll(digits + (base == 2 || base == 16 ? 2 : 0), NULL, base);
        node->integer = negative ? -node->integer : node->integer;
        node->type = YAML_INT;
        return errno == 0;
    }
    if (is_real(digits, &node->real)) {
        node->real = negative ? -node->real : node->real;
        node->type = YAML_REAL;
        return !isnan(node->real) && !isinf(node->real);
    }
    return !is_sexagesimal(digits);
}

bool yaml_scalar_resolve(struct yaml *node)
{
    char text[SCALAR_MAX];
    if (node->text.size >= sizeof text ||
        memchr(node->text.bytes, 0, node->text.size + 1) != node->text.bytes + node->text.size)
        return true;
    memcpy(text, node->text.bytes, node->text.size + 1);
    if (is_null(text))
        node->type = YAML_NULL;
    else if (is_bool(text, &node->boolean))
        node->type = YAML_BOOL;
    else if (strlen(text) >= 10 && is_date(text))
        return false;
    else if (strchr("+-.0123456789", text[0]))
        return resolve_number(node, text);
    return true;
}
