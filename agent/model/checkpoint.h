/* checkpoint.h - the weights of a folder as one set of named tensors.
 *
 * model.safetensors, or what model.safetensors.index.json maps names to.  The index is as untrusted
 * as the rest: it may name files of this folder only, and a name stands in one file only. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "agent/model/safetensors.h"

#define CHECKPOINT_FILES_MAX 1024

struct checkpoint {
    struct safetensors *file; /* [count] */
    int32_t count;
};

bool checkpoint_open(struct checkpoint *out, const char *dir, struct err *err) MUST;
void checkpoint_close(struct checkpoint *checkpoint);
AUTO_ENDS(struct checkpoint, checkpoint_close)

/* NULL when it is in no file.  Borrowed. */
const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name);

/* One file of a model's folder as text of at most `most` bytes, *text yours.  Symbolic links may
 * leave the folder only for the blobs of a hub cache (snapshots/REVISION/ beside blobs/). */
bool model_file_read(char **text, size_t *size, const char *dir, const char *name, size_t most,
                     struct err *err) MUST;

#endif
