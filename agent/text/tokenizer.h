/* tokenizer.h - from text to token ids, as the model's own tokenizer.json says.
 *
 * A tokenizer is a list of steps read from the file: added tokens are cut out, what is left is
 * normalised, split into words, and each word is merged by BPE; the template then puts the special
 * tokens around.  Ids equal those of the Hugging Face fast tokenizer of the same folder.  A step we
 * do not know is refused at open, by its name: never approximated.
 *
 * After open a tokenizer is constant, so threads share it.  What a thread needs of its own (buffers
 * and a cache from word to ids) lives in its struct tokens, which the caller keeps between calls.
 */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "common/err.h"
#include "common/text.h"

/* What a lying file may ask for at most. */
#define TOKENIZER_FILE_BYTES_MAX ((size_t)256 << 20)
#define TOKENIZER_VOCABULARY_MAX (1 << 22)
#define TOKENIZER_MERGES_MAX     (1 << 23)
#define TOKENIZER_ADDED_MAX      (1 << 16)
#define TOKENIZER_ADDED_BYTES    (1 << 20) /* of all their contents */
#define TOKENIZER_TOKEN_BYTES    4096
#define TOKENIZER_TEXT_BYTES_MAX ((size_t)16 << 20) /* of one text to encode */
#define TOKENIZER_STEPS_MAX      16
#define TOKENIZER_SPECIAL_MAX    8

struct tokenizer;
struct scratch;

/* Ids of one text, and the scratch of the thread that encodes: zero it once, keep it, free it once.
 * The scratch belongs to the tokenizer that used it first. */
struct tokens {
    int32_t *ids;
    int32_t count, capacity;
    struct scratch *scratch;
};

void tokens_free(struct tokens *tokens);
/* Grows the array by doubling. */
void tokens_append(struct tokens *tokens, int32_t id);
AUTO_ENDS(struct tokens, tokens_free)

/* Reads tokenizer.json, and tokenizer_config.json, special_tokens_map.json and config.json where
 * they exist, from the model's folder. */
bool tokenizer_open(struct tokenizer **out, const char *dir, struct err *err) MUST;

/* The same from memory; the bytes are needed during the call only. */
struct tokenizer_files {
    struct text tokenizer; /* tokenizer.json */
    struct text config;    /* the others: {} where there is no such file */
    struct text tokenizer_config;
    struct text special_tokens_map;
};
bool tokenizer_read(struct tokenizer **out, const struct tokenizer_files *files,
                    struct err *err) MUST;
void tokenizer_free(struct tokenizer *tokenizer);
AUTO_FREES(struct tokenizer *, tokenizer_free)

/* Replaces out's ids by those of text.  add_special: with what the template puts around it.  Fails
 * on invalid UTF-8 and on more than INT32_MAX tokens; the error never quotes the text. */
bool tokenizer_encode(const struct tokenizer *tokenizer, struct text text, bool add_special,
                      struct tokens *out, struct err *err) MUST;

/* -1 where the folder names none. */
int32_t tokenizer_bos(const struct tokenizer *tokenizer);
int32_t tokenizer_eos(const struct tokenizer *tokenizer);
int32_t tokenizer_unk(const struct tokenizer *tokenizer);
int32_t tokenizer_pad(const struct tokenizer *tokenizer);

/* What stands before a continuation without a context: bos, or eos where there is no bos; -1 where
 * there is neither.  Its text is empty then. */
int32_t tokenizer_prefix(const struct tokenizer *tokenizer);
struct text tokenizer_prefix_text(const struct tokenizer *tokenizer);

/* One more than the greatest id that encode can give. */
int32_t tokenizer_vocabulary(const struct tokenizer *tokenizer);

/* model_max_length of tokenizer_config.json; 0 where it is absent or means "no limit". */
int32_t tokenizer_max_length(const struct tokenizer *tokenizer);

#endif
