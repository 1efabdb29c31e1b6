/* forward.h - the decoder over one wave, layer by layer over all its chunks.
 *
 * In a layer first K and V of every chunk are written, then everything else is computed: so K and V
 * exist for one layer only, one residual stream suffices, and what a row reads is there whatever
 * the chunks.  The last layer is the same with only the scored rows, gathered, in the second step;
 * the head follows at once, and no logits matrix exists.
 *
 * Row counts, chunk and wave sizes change no bit: every op computes a row from its own operands. */
#ifndef FORWARD_H
#define FORWARD_H

#include "agent/model/weights.h"
#include "agent/plan/plan.h"

/* Buffers for waves of up to rows_max rows and positions below positions_max. */
struct forward {
    struct dev *dev; /* borrowed, as are the next two */
    const struct model_config *config;
    const struct weights *weights;
    int32_t chunk, rows_max, positions_max;
    struct rope rope;
    struct kv kv;            /* of the layer in hand */
    struct mat x;            /* [rows_max, hidden] the residual stream */
    int32_t *rows;           /* [rows_max] 0, 1, 2, ... */
    struct mat last;         /* [chunk, hidden] scored rows on their way through the last layer */
    struct mat norm, branch; /* [chunk, hidden] */
    struct mat q, attended;  /* [chunk, heads * head_dim] */
    struct mat k, v;         /* [chunk, kv_heads * head_dim] */
    struct mat gate, up;     /* [chunk, inter] */
};

/* What a wave answers. */
struct scores {
    float *lse;      /* [scored] log of the sum of e^logit */
    int32_t *argmax; /* [scored] */
    float *logit;    /* [targets] */
    uint8_t *mark;   /* [rows + 1] a K or V of the row itself was not finite */
};

/* Asked between layers; true ends the call with ERR_RETRY.  fn may be NULL. */
struct stop {
    bool (*fn)(void *self);
    void *self;
};

bool forward_open(struct forward *out, struct dev *dev, const struct model_config *config,
                  const struct weights *weights, int32_t chunk, int32_t rows_max,
                  int32_t positions_max, struct err *err) MUST;
void forward_close(struct forward *forward);

/* The memory formula: fixed bytes (without weights) and bytes a row of what forward_open takes. */
int64_t forward_fixed_bytes(const struct dev *dev, const struct model_config *config, int32_t chunk,
                            int32_t positions_max);
int64_t forward_row_bytes(const struct dev *dev, const struct model_config *config);

/* tokens[i] is the token of target i, in the wave's order. */
bool forward_wave(struct forward *forward, const struct wave *wave, const int32_t *tokens,
                  const struct scores *out, const struct stop *stop, struct err *err) MUST;

#endif
