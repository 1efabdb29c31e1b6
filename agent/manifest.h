/* manifest.h - what a model folder holds, by content.
 *
 * A model is its bytes: the operator stores a manifest, an agent finds the same digest on its own
 * disk, and no path ever travels.  The digest is SHA-256 over one line a file, sorted by name:
 *
 *     <sha256, hex>  <bytes>  <name>\n
 *
 * of everything that decides an answer: config.json, tokenizer.json, tokenizer_config.json,
 * generation_config.json, special_tokens_map.json, chat_template.jinja, *.safetensors and
 * *.safetensors.index.json, as far as they exist.  Other files of the folder do not count.
 *
 * Links are followed (the hub's own cache is made of them); what must be there and cannot be read
 * is an error that names the file. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "common/err.h"

#define MANIFEST_FILES_MAX  1024
#define MANIFEST_DIGEST_HEX 65 /* 64 digits and a NUL */

struct manifest_file {
    char name[256];
    int64_t bytes;
    uint8_t sha256[32];
};

struct manifest {
    int32_t files_count;
    struct manifest_file *files; /* sorted by name, bytewise */
    uint8_t digest[32];
    uint64_t stamp; /* manifest_stamp of the moment it was read */
};

/* Reads every byte of the folder's files.  ERR_INPUT: no model folder; ERR_RETRY: a file cannot be
 * read or changed while it was read. */
bool manifest_read(struct manifest *out, const char *dir, struct err *err) MUST;
void manifest_free(struct manifest *manifest);
AUTO_ENDS(struct manifest, manifest_free)

void manifest_hex(char out[MANIFEST_DIGEST_HEX], const uint8_t digest[32]);

/* Changes whenever a file of the folder does: a hash of their names, inodes, sizes and times. Costs
 * a few stat calls, so a model of 60 GB is read once and looked at again before each load. */
bool manifest_stamp(uint64_t *out, const char *dir, struct err *err) MUST;

#endif
