/* msg.h - a message as the two cores see it: decoded, checked, flat, without its heavy part.
 *
 * What the cores do not look at (rows of results, text of items, facts, telemetry) is a body.  In a
 * core a body is a number that the loop gave out and owns; a core that keeps a message keeps the
 * number, and says so exactly once when it is done with it.  On the wire side a body is one of the
 * decoded parts in struct body, borrowed from the arena of its Envelope. */
#ifndef MSG_H
#define MSG_H

#include "common/base.h"

#define PROTOCOL_VERSION 1 /* the only one there is so far */

#define HELD_MAX     16  /* leases of one agent */
#define RESIDENT_MAX 8   /* models in memory that are worth naming, the running one first */
#define DISK_MAX     256 /* models on an agent's disks */

struct lease {
    int64_t shard;
    int32_t epoch;
};

static inline bool lease_same(struct lease a, struct lease b)
{
    return a.shard == b.shard && a.epoch == b.epoch;
}

enum msg_kind {
    /* from agents */
    MSG_HELLO,
    MSG_HEARTBEAT,
    MSG_CREDIT,
    MSG_ITEM_REQUEST,
    MSG_RESULTS,
    MSG_SHARD_END,
    MSG_BYE,
    /* from coordinators */
    MSG_WELCOME,
    MSG_HEARTBEAT_ACK,
    MSG_GRANT,
    MSG_CHUNK,
    MSG_ACK,
    MSG_REVOKE,
    MSG_DRAIN,
    MSG_RESUME,
    MSG_ERROR,
};

/* Numbers of koeval.proto; codec.c asserts that they are. */
enum verdict { VERDICT_NONE, VERDICT_COMMITTED, VERDICT_ALREADY, VERDICT_REJECTED };

enum refusal {
    REFUSAL_NONE,
    REFUSAL_NO_SUCH_LEASE,
    REFUSAL_KEY_REVOKED,
    REFUSAL_RUN_NOT_LIVE,
    REFUSAL_CLASS,
    REFUSAL_NOT_IN_LEASE,
    REFUSAL_INVALID,
    REFUSALS_COUNT,
};

enum reason {
    REASON_NONE,
    REASON_OOM,
    REASON_NONFINITE,
    REASON_TOKENIZER_MISMATCH,
    REASON_UNSUPPORTED_FEATURE,
    REASON_MODEL_ON_NO_NODE,
    REASON_CLASS_ON_NO_NODE,
    REASON_TOO_LONG,
    REASON_TIMEOUT,
    REASON_LEASE_EXPIRED,
    REASON_AGENT_LOST,
    REASON_RETURNED,
    REASON_REVOKED,
    REASON_INVALID_RESULT,
    REASON_INTERNAL,
    REASONS_COUNT,
};

/* Its word, alike in SQL, CLI and docs. */
const char *reason_name(enum reason reason);

enum code {
    CODE_NONE,
    CODE_NOT_LEADER,
    CODE_VERSION,
    CODE_UNKNOWN_BODY,
    CODE_BAD_MESSAGE,
    CODE_NO_SESSION,
    CODE_SUPERSEDED,
    CODE_UNAUTHORISED,
    CODE_BUSY,
    CODE_BYE_DRAINED,
    CODES_COUNT,
};

/* Its word, for logs. */
const char *code_name(enum code code);
const char *refusal_name(enum refusal refusal);

struct msg {
    enum msg_kind kind;
    uint64_t session, seq;
    struct lease lease;          /* all that name one */
    struct lease held[HELD_MAX]; /* HELLO, HEARTBEAT; keep in WELCOME; lost in HEARTBEAT_ACK */
    int32_t progress[HELD_MAX];  /* HEARTBEAT: next plan number of each, 0 not said */
    int32_t held_count;
    int32_t version_min, version_max; /* HELLO; WELCOME has the agreed one in version_max */
    int32_t slot, shards;             /* HELLO; CREDIT has shards */
    uint64_t incarnation;             /* HELLO: the first 8 of its 16 bytes */
    int32_t resident[RESIDENT_MAX];   /* HELLO, CREDIT: models by number, the running one first */
    int32_t resident_count;
    int32_t disk_count;      /* HELLO, CREDIT */
    const int32_t *disk;     /* models by number, borrowed until the next codec call */
    int64_t number;          /* batch of RESULTS and ACK; beat of HEARTBEAT, its ack and GRANT */
    int32_t items, bytes;    /* RESULTS; unacked bytes in HEARTBEAT; most bytes in ITEM_REQUEST */
    int32_t from;            /* ITEM_REQUEST, CHUNK: plan number */
    int32_t model, run;      /* GRANT */
    int32_t lo, hi, replica; /* GRANT: plan numbers [lo, hi) */
    int32_t missing;         /* GRANT: about how many of them */
    int32_t age_ms;          /* HEARTBEAT_ACK: since the renewal was sent to the database */
    int32_t lease_ms;        /* WELCOME, GRANT */
    int32_t heartbeat_ms;    /* WELCOME */
    int32_t window_bytes;    /* WELCOME, ACK (0: unchanged) */
    int32_t batch_items;     /* WELCOME */
    int32_t wait_ms;         /* DRAIN: deadline; ERROR: try again after */
    int64_t epoch;           /* WELCOME: of the coordinator */
    enum verdict verdict;    /* ACK */
    enum refusal refusal;    /* ACK */
    enum reason reason;      /* SHARD_END, REVOKE */
    int64_t reason_num;      /* SHARD_END */
    enum code code;          /* ERROR, BYE */
    bool done;               /* ACK: the shard is done */
    bool last;               /* CHUNK: nothing is missing after these */
    bool drain;              /* WELCOME */
    bool degraded;           /* HEARTBEAT_ACK */
    int32_t body;            /* 0 none */
};

#endif
