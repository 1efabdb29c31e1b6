/* A merge sort that carries the common prefixes along, so that a shared token is read about once
 * and not once a comparison. */
#include "agent/plan/plan.h"

#include <string.h>

struct sorter {
    const struct request *requests;
    int32_t *req, *lcp;           /* the runs being merged */
    int32_t *req_room, *lcp_room; /* the merged run */
};

static int32_t path_len(const struct request *requests, int32_t req) { return requests[req].n - 1; }

/* Is path a to stand before path b, and how far do they agree, when `from` tokens are known equal?
 */
static bool in_order(const struct sorter *s, int32_t a, int32_t b, int32_t from, int32_t *agree)
{
    int32_t a_len = path_len(s->requests, a), b_len = path_len(s->requests, b);
    int32_t n = a_len < b_len ? a_len : b_len;
    const int32_t *x = s->requests[a].tokens, *y = s->requests[b].tokens;

    while (from < n && x[from] == y[from])
        from++;
    *agree = from;
    return from < n ? x[from] < y[from] : a_len <= b_len;
}

/* Both heads know their agreement with the last output, which is before both: the longer agreement
 * is the smaller path, and only a tie reads tokens.  All merges together read
 * O(sum of lcp + n log n). */
static void merge(struct sorter *s, int32_t low, int32_t mid, int32_t high)
{
    int32_t i = low, j = mid, out = low, left_lcp = 0, right_lcp = 0;

    while (i < mid || j < high) {
        bool left = j == high || (i < mid && left_lcp > right_lcp);
        s->lcp_room[out] = left ? left_lcp : right_lcp;
        if (i < mid && j < high && left_lcp == right_lcp) {
            int32_t agree;
            left = in_order(s, s->req[i], s->req[j], left_lcp, &agree);
            *(left ? &right_lcp : &left_lcp) = agree;
        }
        s->req_room[out++] = left ? s->req[i++] : s->req[j++];
        if (left && i < mid)
            left_lcp = s->lcp[i];
        if (!left && j < high)
            right_lcp = s->lcp[j];
    }
    memcpy(s->req + low, s->req_room + low, (size_t)(high - low) * sizeof(*s->req));
    memcpy(s->lcp + low, s->lcp_room + low, (size_t)(high - low) * sizeof(*s->lcp));
}

static void sort(struct sorter *s, int32_t low, int32_t high)
{
    if (high - low < 2)
        return;
    int32_t mid = low + (high - low) / 2;
    sort(s, low, mid);
    sort(s, mid, high);
    merge(s, low, mid, high);
}

static bool request_check(const struct request *request, int32_t i, struct err *err)
{
    if (request->ctx < 1)
        return err_set(err, ERR_INPUT, "request %d: empty prompt", i);
    if (request->n <= request->ctx)
        return err_set(err, ERR_INPUT, "request %d: empty continuation", i);
    return true;
}

static int32_t *ints(int32_t count) { return must_calloc((size_t)count, sizeof(int32_t)); }

bool trie_sort(struct trie *out, const struct request *requests, int32_t count, struct err *err)
{
    for (int32_t i = 0; i < count; i++)
        if (!request_check(&requests[i], i, err))
            return false;

    struct sorter s = { requests, ints(count), ints(count), ints(count), ints(count) };
    for (int32_t i = 0; i < count; i++)
        s.req[i] = i;
    sort(&s, 0, count);

    for (int32_t i = 0; i < count; i++)
        s.req_room[i] = path_len(requests, s.req[i]);
    *out = (struct trie){
        .count = count, .req = s.req, .len = s.req_room, .lcp = s.lcp, .requests = requests
    };
    free(s.lcp_room);
    return true;
}

void trie_free(struct trie *trie)
{
    free(trie->req);
    free(trie->len);
    free(trie->lcp);
    *trie = (struct trie){ 0 };
}
