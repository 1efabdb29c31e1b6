/* tensors.h - a checkpoint's tensors by what they are for, every shape checked.
 *
 * A tensor that the architecture does not have is refused, because ignoring it would score another
 * model than the one in the file; known left-overs (rotary tables, layers past the last) are not
 * looked at. */
#ifndef MODEL_TENSORS_H
#define MODEL_TENSORS_H

#include "agent/model/arch.h"
#include "agent/model/checkpoint.h"

struct tensors {
    const struct tensor **at; /* [ROLE_LAYER outside, then layers * (ROLE_COUNT - ROLE_LAYER)] */
    bool tied;                /* no head of its own: the embedding is it */
    int64_t parameters;       /* numbers, each counted once */
};

/* Borrows the checkpoint's tensors. */
bool tensors_find(struct tensors *out, const struct model_config *config,
                  const struct checkpoint *checkpoint, struct err *err) MUST;
void tensors_free(struct tensors *tensors);
AUTO_ENDS(struct tensors, tensors_free)

/* NULL: the model has none (a bias, the head of a tied model).  layer is ignored outside layers. */
const struct tensor *tensors_at(const struct tensors *tensors, enum role role, int32_t layer);

/* Rows and columns of a role's tensor; a vector has rows = 1. */
struct role_shape {
    int32_t rows, cols;
    bool vector;
};
struct role_shape role_shape(const struct model_config *config, enum role role);
/* Does a model of this configuration have it? */
bool role_exists(const struct model_config *config, enum role role);

/* All checks that loading makes, without a device: config, files, tensors. */
bool model_check(struct model_config *config, int64_t *parameters, const char *dir,
                 struct err *err) MUST;

#endif
