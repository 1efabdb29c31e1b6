/* shelf.h - the models on this machine's disks, by digest.
 *
 * Folders are given by the operator (--models DIR...); a model is DIR itself or a folder in it that
 * has a config.json.  A scan reads every byte of what is new, so it runs in a thread of its own and
 * tells what it finds; what did not change since the last scan costs a few stat calls.
 *
 * Nobody trusts a path: who loads a model asks shelf_still() first. */
#ifndef SHELF_H
#define SHELF_H

#include "common/err.h"

#define SHELF_MODELS_MAX 256

struct shelf_model {
    char *dir;
    uint8_t digest[32];
    uint64_t stamp; /* of manifest.h */
    bool good;      /* false: it was looked at and is no model, at this stamp */
    bool seen;      /* by the running scan */
};

struct shelf {
    int32_t roots_count;
    char *const *roots; /* borrowed */
    int32_t count;
    struct shelf_model models[SHELF_MODELS_MAX];
};

enum shelf_news { SHELF_FOUND, SHELF_GONE, SHELF_BAD };

/* model->dir is borrowed for the call; err is set for SHELF_BAD (a root that cannot be read has no
 * model). */
typedef void shelf_tell(void *self, enum shelf_news news, const struct shelf_model *model,
                        const struct err *err);

void shelf_init(struct shelf *shelf, char *const *roots, int32_t roots_count);
void shelf_free(struct shelf *shelf);

/* Looks through all roots, in order.  stop (or NULL) is asked between models. */
void shelf_scan(struct shelf *shelf, shelf_tell *tell, void *self, bool (*stop)(void *self));

/* Whether the folder is still what was verified. */
bool shelf_still(const char *dir, uint64_t stamp, struct err *err) MUST;

#endif
