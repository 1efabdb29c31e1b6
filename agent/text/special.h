/* special.h - which tokens are bos, eos, unk and pad, and what the tokenizer puts around a text.
 *
 * Three files speak of it.  tokenizer.json has the template; tokenizer_config.json names the
 * special tokens and the class; the class decides the rest, because some classes of transformers
 * (4.57) throw the file's template away and build one from add_bos_token and add_eos_token.  Where
 * no tokenizer_config.json names a class, the model_type of config.json does. */
#ifndef SPECIAL_H
#define SPECIAL_H

#include "agent/text/added.h"

struct special {
    int32_t bos, eos, unk, pad; /* -1: none */
    int32_t before[TOKENIZER_SPECIAL_MAX], after[TOKENIZER_SPECIAL_MAX];
    int32_t before_count, after_count;
    int32_t max_length; /* 0: none */
    char *prefix;       /* text of bos, or of eos where there is no bos; NULL: neither */
};

/* add_prefix_space of tokenizer_config.json, which decides for a lone ByteLevel. */
bool special_prefix_space(bool *out, const struct tokenizer_files *files, struct err *err) MUST;

/* Reads the files, adds to `added` what they name, and the template: from post_processor (a raw
 * value of tokenizer.json) or from the class. */
bool special_read(struct special *special, const struct tokenizer_files *files,
                  struct text post_processor, struct added *added, const struct bpe *bpe,
                  struct err *err) MUST;
void special_free(struct special *special);

/* Appends what the post-processor puts around a single text; ByteLevel puts nothing. */
bool template_read(struct special *special, struct text post_processor, struct err *err) MUST;

#endif
