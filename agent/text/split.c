#define _GNU_SOURCE /* memmem */
#include "agent/text/split.h"

#include "agent/text/unicode.h"

/* One piece on its way through one step. */
struct cut {
    const struct split *split;
    struct split_sink *sink;
    int32_t step;
    const char *start; /* of the whole piece at this step */
    bool first;
    struct text held; /* a word that may still grow */
    bool held_any, held_match;
};

static void step_apply(const struct split *split, int32_t step, struct text piece, bool first,
                       struct split_sink *sink);

static void emit(struct cut *cut, struct text word)
{
    if (word.size)
        step_apply(cut->split, cut->step + 1, word, cut->first && word.bytes == cut->start,
                   cut->sink);
}

static void release(struct cut *cut)
{
    if (cut->held_any)
        emit(cut, cut->held);
    cut->held_any = false;
}

/* Whether this stretch belongs to the held word rather than to a word of its own. */
static bool joins(const struct cut *cut, enum split_behavior behavior, bool match)
{
    if (!cut->held_any)
        return false;
    switch (behavior) {
    case SPLIT_CONTIGUOUS:
        return match == cut->held_match;
    case SPLIT_MERGED_WITH_PREVIOUS:
        return match && !cut->held_match;
    case SPLIT_MERGED_WITH_NEXT:
        return !match && cut->held_match;
    default:
        return false;
    }
}

/* Takes the next match or gap of the piece. */
static void stretch(struct cut *cut, const struct split_step *step, struct text text, bool match)
{
    if (!text.size)
        return;
    match = match != step->invert;
    if (joins(cut, step->behavior, match)) {
        cut->held.size += text.size;
        cut->held_match = match;
        return;
    }
    release(cut);
    if (match && step->behavior == SPLIT_REMOVED)
        return;
    cut->held = text;
    cut->held_match = match;
    cut->held_any = true;
}

static size_t match_literal(const struct split_step *step, struct text text, size_t *at)
{
    const char *hit = !step->literal_size ? NULL
                                          : memmem(text.bytes + *at, text.size - *at, step->literal,
                                                   step->literal_size);
    *at = hit ? (size_t)(hit - text.bytes) : text.size;
    return hit ? step->literal_size : 0;
}

static size_t match_digit(struct text text, size_t at)
{
    size_t size;
    return is_number(utf8_at(text.bytes + at, &size)) ? size : 0;
}

/* Moves *at to the next match and returns its size; 0: there is none, *at is the end. */
static size_t match_next(const struct split_step *step, struct text text, size_t *at)
{
    if (step->kind == SPLIT_LITERAL || step->kind == SPLIT_METASPACE)
        return match_literal(step, text, at);
    while (*at < text.size) {
        size_t size =
            step->kind == SPLIT_DIGITS ? match_digit(text, *at) : step->pattern(text, *at);
        if (size)
            return size;
        utf8_at(text.bytes + *at, &size);
        *at += size;
    }
    return 0;
}

static void cut_matches(struct cut *cut, const struct split_step *step, struct text piece)
{
    size_t at = 0;
    while (at < piece.size) {
        size_t gap = at, size = match_next(step, piece, &at);
        stretch(cut, step, (struct text){ piece.bytes + gap, at - gap }, false);
        stretch(cut, step, (struct text){ piece.bytes + at, size }, true);
        at += size;
    }
    release(cut);
}

static bool starts_with(struct text text, const char *bytes, size_t size)
{
    return text.size >= size && !memcmp(text.bytes, bytes, size);
}

static struct text with_prefix_space(struct text piece, struct buf *buffer)
{
    if (starts_with(piece, " ", 1))
        return piece;
    buf_clear(buffer);
    buf_put_char(buffer, ' ');
    buf_put(buffer, piece.bytes, piece.size);
    return (struct text){ buf_text(buffer), buffer->size };
}

/* Every space becomes the mark, and one is put in front where the scheme says so. */
static struct text with_marks(const struct split_step *step, struct text piece, bool first,
                              struct buf *buffer)
{
    buf_clear(buffer);
    bool marked =
        starts_with(piece, " ", 1) || starts_with(piece, step->literal, step->literal_size);
    if (!marked && (step->prepend == SPLIT_ALWAYS || (step->prepend == SPLIT_FIRST && first)))
        buf_put(buffer, step->literal, step->literal_size);
    for (size_t at = 0; at < piece.size;) {
        const char *from = piece.bytes + at, *space = memchr(from, ' ', piece.size - at);
        size_t size = space ? (size_t)(space - from) : piece.size - at;
        buf_put(buffer, from, size);
        buf_put(buffer, step->literal, space ? step->literal_size : 0);
        at += size + (space != NULL);
    }
    return (struct text){ buf_text(buffer), buffer->size };
}

static void step_apply(const struct split *split, int32_t at, struct text piece, bool first,
                       struct split_sink *sink)
{
    if (at == split->count) {
        sink->word(sink->self, piece);
        return;
    }
    const struct split_step *step = &split->steps[at];
    if (step->kind == SPLIT_METASPACE)
        piece = with_marks(step, piece, first, &sink->buffers[at]);
    if (step->prefix_space)
        piece = with_prefix_space(piece, &sink->buffers[at]);

    struct cut cut = {
        .split = split, .sink = sink, .step = at, .start = piece.bytes, .first = first
    };
    if (step->whole)
        emit(&cut, piece);
    else
        cut_matches(&cut, step, piece);
}

void split_apply(const struct split *split, struct text piece, bool first, struct split_sink *sink)
{
    if (piece.size)
        step_apply(split, 0, piece, first, sink);
}
