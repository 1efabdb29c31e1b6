/* engine.h - a model, and log-likelihoods of token sequences under it.
 *
 * An answer is a function of (weights, the request's own tokens and where its prompt ends, numerics
 * class) and of nothing else: not of the other requests, their order, threads, wave or chunk sizes.
 * Requests that share prefixes are computed together, so callers hand over all they have.
 *
 * One engine belongs to one thread; it owns its compute threads. */
#ifndef ENGINE_H
#define ENGINE_H

#include "agent/plan/plan.h"
#include "common/err.h"

struct engine;
struct model_config; /* agent/model/config.h */

enum engine_dtype { ENGINE_F32, ENGINE_BF16, ENGINE_F16 };

/* HF rounds where Hugging Face's modules round to the dtype; FP32 keeps the weights' dtype and
 * computes in fp32 throughout.  With ENGINE_F32 the two are one. */
enum engine_mode { ENGINE_HF, ENGINE_FP32 };

struct engine_conf {
    const char *device;   /* "cpu", or "ref" for the plain loops that tests compare with */
    int32_t threads;      /* 0: one */
    int64_t memory_bytes; /* for weights, scratch and waves together; 0: no limit */
    int32_t wave_rows;    /* most rows of a wave; 0: default.  No bit depends on it */
    int32_t chunk_rows;   /* rows computed together; 0: default.  No bit depends on it */
    const char *packed; /* folder for packed weights, shared by the engines of a host; NULL: none */
};

bool engine_open(struct engine **out, const struct engine_conf *conf, struct err *err) MUST;
void engine_close(struct engine *engine);
AUTO_FREES(struct engine *, engine_close)

/* Reads config.json and the safetensors of a folder; whatever was loaded goes first.  Weights are
 * converted to dtype.  ERR_INPUT: a model that we do not run or a file that lies; ERR_DEVICE: it
 * does not fit memory_bytes. */
bool engine_load(struct engine *engine, const char *dir, enum engine_dtype dtype,
                 enum engine_mode mode, struct err *err) MUST;
void engine_unload(struct engine *engine);
/* Names the weights of the next loads by a digest of all that decides them (NULL: no name).  With
 * it and a folder `packed` they lie in DIGEST-TYPE.packed there: built once, mapped by all,
 * streamed layer by layer where they are larger than memory_bytes.  The file may be removed at any
 * time. */
void engine_identity(struct engine *engine, const char *digest);
/* Where the loaded weights lie, for logs.  Borrowed. */
const char *engine_weights_note(const struct engine *engine);

/* The numerics class of this engine, as JSON in stable bytes: equal text, equal bits.  It speaks of
 * the device, the backend and its numerics version, not of a model, dtype or mode: an agent says it
 * before it has loaded anything, and a run adds its own dtype and mode.  Never NULL after
 * engine_open; borrowed. */
const char *engine_class_facts(const struct engine *engine);
/* Asks the device for its known bits (known.h), before anything is loaded: where they are not those
 * that its facts promise, the facts say so from then on, and it is another class.  fault: as if the
 * device computed wrongly.  ERR_DEVICE: it could not be asked. */
bool engine_class_check(struct engine *engine, bool fault, struct err *err) MUST;
/* The instruction set and the like, for logs: no part of the class.  Borrowed. */
const char *engine_about(const struct engine *engine);
/* For self-tests: flips the last bit of every number of the last norm until the model goes. */
bool engine_fault(struct engine *engine, struct err *err) MUST;
/* Vocabulary, most positions, ...; NULL when nothing is loaded. */
const struct model_config *engine_model(const struct engine *engine);

enum engine_verdict {
    ENGINE_ANSWERED,
    ENGINE_NONFINITE, /* a value on the request's own path was not finite; neighbours are unharmed
                       */
    ENGINE_TOO_LONG,  /* more tokens than the model has positions for */
};

struct engine_answer {
    double loglik; /* fp32 log-probs summed in ascending order; 0 unless answered */
    bool greedy;   /* every scored token is the argmax; ties go to the lowest id */
    enum engine_verdict verdict;
    int32_t tokens; /* n - ctx */
};

/* One answer a request, in their order.  token_logprobs: NULL, or room for the sum of (n - ctx), in
 * request order (0 where not answered).  stop (or NULL) is asked between waves and layers; when it
 * says true the call ends with ERR_RETRY.  ERR_INPUT: an empty prompt or continuation, or a token
 * that the model's vocabulary has not; ERR_DEVICE: a request that no wave under memory_bytes
 * holds. */
bool engine_score(struct engine *engine, const struct request *requests, int32_t count,
                  struct engine_answer *answers, float *token_logprobs, bool (*stop)(void *self),
                  void *self, struct err *err) MUST;

#endif
