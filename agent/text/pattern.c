#include "agent/text/pattern.h"

#include "agent/text/unicode.h"

typedef bool class_fn(uint32_t c);

/* What stands at an offset: class functions are asked of c only where size > 0. */
struct here {
    uint32_t c;
    size_t size;
};

static struct here look(struct text text, size_t at)
{
    struct here here = { 0 };
    if (at < text.size)
        here.c = utf8_at(text.bytes + at, &here.size);
    return here;
}

static bool looks(struct text text, size_t at, class_fn *class)
{
    struct here here = look(text, at);
    return here.size && class(here.c);
}

/* The offset after the run of a class that starts at `at`. */
static size_t run(struct text text, size_t at, class_fn *class)
{
    for (;;) {
        struct here here = look(text, at);
        if (!here.size || !class(here.c))
            return at;
        at += here.size;
    }
}

static bool is_newline(uint32_t c) { return c == '\r' || c == '\n'; }

static bool is_newline_or_slash(uint32_t c) { return is_newline(c) || c == '/'; }

static bool is_letter_or_mark(uint32_t c) { return is_letter(c) || is_mark(c); }

/* [^\s\p{L}\p{N}] and the same without marks. */
static bool is_other(uint32_t c) { return !is_letter(c) && !is_space(c) && !is_number(c); }

static bool is_other_unmarked(uint32_t c) { return is_other(c) && !is_mark(c); }

/* [^\r\n\p{L}\p{N}] */
static bool is_lead(uint32_t c) { return !is_letter(c) && !is_newline(c) && !is_number(c); }

/* The lower-case ASCII letter that c is under (?i), or 0.  The long s folds to s. */
static char fold(uint32_t c, bool caseless)
{
    if (c - 'a' < 26)
        return (char)c;
    if (!caseless)
        return 0;
    return c - 'A' < 26 ? (char)(c | 0x20) : c == 0x17f ? 's' : 0;
}

/* 's|'t|'re|'ve|'m|'ll|'d */
static size_t contraction(struct text text, size_t at, bool caseless)
{
    if (at >= text.size || text.bytes[at] != '\'')
        return 0;
    struct here one = look(text, at + 1), two = look(text, at + 1 + one.size);
    char a = one.size ? fold(one.c, caseless) : 0, b = two.size ? fold(two.c, caseless) : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 1 + one.size;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return 1 + one.size + two.size;
    return 0;
}

/* \s+(?!\S)|\s+ : a run of white space leaves its last character to the word that follows. */
static size_t spaces(struct text text, size_t at)
{
    size_t end = run(text, at, is_space);
    if (end == at || end == text.size)
        return end - at;
    size_t last = utf8_size_before(text.bytes + end, text.bytes + at);
    return end - at > last ? end - at - last : end - at;
}

/* \s*[\r\n]+ : white space up to and with the last line end in its run. */
static size_t line_ends(struct text text, size_t at)
{
    size_t end = run(text, at, is_space);
    while (end > at && !is_newline((unsigned char)text.bytes[end - 1]))
        end--;
    return end - at;
}

/* X{1,most} */
static size_t numbers(struct text text, size_t at, int32_t most)
{
    size_t end = at;
    for (int32_t i = 0; i < most && looks(text, end, is_number); i++)
        end += look(text, end).size;
    return end - at;
}

/* ' ?X+T*' : a run, with a space before it and a tail behind it. */
static size_t spaced_run(struct text text, size_t at, class_fn *class, class_fn *tail)
{
    size_t from = at + (text.bytes[at] == ' ');
    size_t end = run(text, from, class);
    if (end == from)
        return 0;
    return (tail ? run(text, end, tail) : end) - at;
}

size_t pattern_gpt2(struct text text, size_t at)
{
    size_t size = contraction(text, at, false);
    if (!size)
        size = spaced_run(text, at, is_letter, NULL);
    if (!size)
        size = spaced_run(text, at, is_number, NULL);
    if (!size)
        size = spaced_run(text, at, is_other, NULL);
    return size ? size : spaces(text, at);
}

/* [^\r\n\p{L}\p{N}]?X+ */
static size_t led_run(struct text text, size_t at, class_fn *class)
{
    struct here here = look(text, at);
    if (is_lead(here.c) && looks(text, at + here.size, class))
        return run(text, at + here.size, class) - at;
    return run(text, at, class) - at;
}

/* What Llama-3 and Qwen share: they differ in digits at a time and in who owns the marks. */
static size_t words(struct text text, size_t at, int32_t digits, class_fn *letter, class_fn *other)
{
    size_t size = contraction(text, at, true);
    if (!size)
        size = led_run(text, at, letter);
    if (!size)
        size = numbers(text, at, digits);
    if (!size)
        size = spaced_run(text, at, other, is_newline);
    if (!size)
        size = line_ends(text, at);
    return size ? size : spaces(text, at);
}

static size_t pattern_llama3(struct text text, size_t at)
{
    return words(text, at, 3, is_letter, is_other);
}

static size_t pattern_qwen2(struct text text, size_t at)
{
    return words(text, at, 1, is_letter, is_other);
}

static size_t pattern_qwen35(struct text text, size_t at)
{
    return words(text, at, 1, is_letter_or_mark, is_other_unmarked);
}

/* U*W+ from `from`, greedy: where U took what W needs, it gives back the last such character. */
static size_t cased_word(struct text text, size_t from)
{
    size_t upper = run(text, from, is_upper_side);
    size_t end = run(text, upper, is_lower_side);
    if (end > upper)
        return end - from;
    while (upper > from) {
        size_t last = utf8_size_before(text.bytes + upper, text.bytes + from);
        if (looks(text, upper - last, is_lower_side))
            return upper - from;
        upper -= last;
    }
    return 0;
}

/* U+W* */
static size_t capital_word(struct text text, size_t from)
{
    size_t upper = run(text, from, is_upper_side);
    return upper == from ? 0 : run(text, upper, is_lower_side) - from;
}

/* L?X : with the leading character if X matches behind it, else without. */
static size_t led_word(struct text text, size_t at, size_t (*word)(struct text, size_t))
{
    struct here here = look(text, at);
    size_t size = is_lead(here.c) ? word(text, at + here.size) : 0;
    return size ? here.size + size : word(text, at);
}

static size_t cased(struct text text, size_t at, int32_t digits, bool contractions)
{
    size_t size = led_word(text, at, cased_word);
    if (!size)
        size = led_word(text, at, capital_word);
    if (size)
        return size + (contractions ? contraction(text, at + size, true) : 0);
    size = numbers(text, at, digits);
    if (!size)
        size = spaced_run(text, at, is_other, is_newline_or_slash);
    if (!size)
        size = line_ends(text, at);
    return size ? size : spaces(text, at);
}

static size_t pattern_o200k(struct text text, size_t at) { return cased(text, at, 3, true); }

static size_t pattern_tekken(struct text text, size_t at) { return cased(text, at, 1, false); }

static size_t pattern_number(struct text text, size_t at) { return numbers(text, at, 1); }

static size_t pattern_numbers(struct text text, size_t at) { return numbers(text, at, 3); }

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define ENDS         "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LEAD         "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"

/* clang-format off */
static const struct {
    const char *regex;
    pattern_fn *pattern;
} patterns[] = {
    { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
      pattern_gpt2 },
    { "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
      pattern_gpt2 },
    { CONTRACTIONS "|" LEAD "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" ENDS,
      pattern_llama3 },
    { CONTRACTIONS "|" LEAD "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" ENDS,
      pattern_qwen2 },
    { CONTRACTIONS "|" LEAD "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" ENDS,
      pattern_qwen35 },
    { LEAD UPPER "*" LOWER "+" CONTRACTIONS "?|" LEAD UPPER "+" LOWER "*" CONTRACTIONS
      "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" ENDS,
      pattern_o200k },
    { LEAD UPPER "*" LOWER "+|" LEAD UPPER "+" LOWER
      "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" ENDS,
      pattern_tekken },
    { "\\p{N}",      pattern_number },
    { "\\p{N}{1,3}", pattern_numbers },
};
/* clang-format on */

pattern_fn *pattern_find(struct text regex)
{
    for (size_t i = 0; i < COUNT(patterns); i++)
        if (text_is(regex, patterns[i].regex))
            return patterns[i].pattern;
    return NULL;
}
