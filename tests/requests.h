/* requests.h - nasty pools of requests from a seed: random tries, prefixes of each other,
 * duplicates, prompts of one token, and stars whose arms leave just before, at and after a page's
 * edge.  Header only, for test programs. */
#ifndef REQUESTS_H
#define REQUESTS_H

#include "agent/plan/plan.h"

#include <string.h>

#define POOL_REQUESTS_MAX 48
#define POOL_TOKENS_MAX   200

struct pool {
    struct request request[POOL_REQUESTS_MAX];
    int32_t tokens[POOL_REQUESTS_MAX][POOL_TOKENS_MAX];
    int32_t count, longest;
};

/* splitmix64 */
static inline uint64_t rnd_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline int32_t rnd_below(uint64_t *state, int32_t n)
{
    return (int32_t)(rnd_next(state) % (uint64_t)n);
}

#define RND_PICK(array, state) ((array)[rnd_below(state, (int32_t)COUNT(array))])

static inline int32_t clamp(int32_t x, int32_t least, int32_t most)
{
    return x < least ? least : x > most ? most : x;
}

/* Keeps a prefix of an earlier request and grows on: at random, at a page's edge, or not at all. */
static inline void pool_grow(struct pool *p, int32_t alphabet, int32_t longest, int32_t slots,
                             int32_t vocab, uint64_t *seed)
{
    int32_t i = p->count++, keep = 0, from = i ? rnd_below(seed, i) : 0;

    if (i && rnd_below(seed, 8)) {
        int32_t edge = p->request[from].n / slots * slots + rnd_below(seed, 3) - 1;
        keep = rnd_below(seed, 2) ? rnd_below(seed, p->request[from].n + 1) : edge;
        keep = clamp(keep, 0, p->request[from].n);
        memcpy(p->tokens[i], p->tokens[from], (size_t)keep * sizeof(int32_t));
    }
    int32_t more = rnd_below(seed, 4) ? rnd_below(seed, longest - keep + 1) : rnd_below(seed, 3);
    int32_t n = clamp(keep + more, 2, longest);
    for (int32_t q = keep; q < n; q++)
        p->tokens[i][q] = rnd_below(seed, alphabet) * 37 % vocab;
    int32_t ctx = 1 + (rnd_below(seed, 3) ? rnd_below(seed, n - 1) : 0);
    p->request[i] = (struct request){ p->tokens[i], ctx, n };
}

/* Branches at one position. */
static inline void pool_star(struct pool *p, int32_t at, int32_t arm, int32_t vocab, uint64_t *seed)
{
    for (; p->count < POOL_REQUESTS_MAX; p->count++) {
        int32_t i = p->count, n = clamp(at + 1 + rnd_below(seed, arm), 2, POOL_TOKENS_MAX);
        for (int32_t q = 0; q < n; q++)
            p->tokens[i][q] = q < at ? q * 7 % vocab : q == at ? i : rnd_below(seed, vocab);
        int32_t ctx = at > 1 ? at - rnd_below(seed, 2) : 1;
        p->request[i] = (struct request){ p->tokens[i], ctx, n };
    }
}

/* longest: at most POOL_TOKENS_MAX; vocab: more than POOL_REQUESTS_MAX. */
static inline void pool_make(struct pool *p, int32_t slots, int32_t longest, int32_t vocab,
                             uint64_t *seed)
{
    memset(p, 0, sizeof(*p));
    if (rnd_below(seed, 5) == 0) {
        int32_t at[] = { 1, slots > 1 ? slots - 1 : 1, slots, slots + 1 };
        pool_star(p, RND_PICK(at, seed), 2 + rnd_below(seed, 8), vocab, seed);
    } else {
        int32_t want = 1 + rnd_below(seed, POOL_REQUESTS_MAX / 2);
        int32_t alphabet = 1 + rnd_below(seed, 6), most = 2 + rnd_below(seed, longest - 2);
        while (p->count < want)
            pool_grow(p, alphabet, most, slots, vocab, seed);
    }
    for (int32_t i = 0; i < p->count; i++)
        p->longest = p->request[i].n > p->longest ? p->request[i].n : p->longest;
}

#endif
