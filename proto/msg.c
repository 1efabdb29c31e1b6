#include "proto/msg.h"

#include <string.h>

/* The words of fail_reason in SQL, in its order. */
static const char *const reasons[REASONS_COUNT] = {
    [REASON_NONE] = "none",
    [REASON_OOM] = "oom",
    [REASON_NONFINITE] = "nonfinite",
    [REASON_TOKENIZER_MISMATCH] = "tokenizer_mismatch",
    [REASON_UNSUPPORTED_FEATURE] = "unsupported_feature",
    [REASON_MODEL_ON_NO_NODE] = "model_on_no_node",
    [REASON_CLASS_ON_NO_NODE] = "class_on_no_node",
    [REASON_TOO_LONG] = "too_long",
    [REASON_TIMEOUT] = "timeout",
    [REASON_LEASE_EXPIRED] = "lease_expired",
    [REASON_AGENT_LOST] = "agent_lost",
    [REASON_RETURNED] = "returned",
    [REASON_REVOKED] = "revoked",
    [REASON_INVALID_RESULT] = "invalid_result",
    [REASON_INTERNAL] = "internal",
};

const char *reason_name(enum reason reason)
{
    return reason >= 0 && reason < REASONS_COUNT ? reasons[reason] : reasons[REASON_NONE];
}

const char *code_name(enum code code)
{
    static const char *const names[CODES_COUNT] = {
        [CODE_NONE] = "none",
        [CODE_NOT_LEADER] = "not_leader",
        [CODE_VERSION] = "version",
        [CODE_UNKNOWN_BODY] = "unknown_body",
        [CODE_BAD_MESSAGE] = "bad_message",
        [CODE_NO_SESSION] = "no_session",
        [CODE_SUPERSEDED] = "superseded",
        [CODE_UNAUTHORISED] = "unauthorised",
        [CODE_BUSY] = "busy",
        [CODE_BYE_DRAINED] = "drained",
    };
    return code >= 0 && code < CODES_COUNT ? names[code] : names[CODE_NONE];
}

const char *refusal_name(enum refusal refusal)
{
    static const char *const names[REFUSALS_COUNT] = {
        [REFUSAL_NONE] = "none",
        [REFUSAL_NO_SUCH_LEASE] = "no_such_lease",
        [REFUSAL_KEY_REVOKED] = "key_revoked",
        [REFUSAL_RUN_NOT_LIVE] = "run_not_live",
        [REFUSAL_CLASS] = "class",
        [REFUSAL_NOT_IN_LEASE] = "not_in_lease",
        [REFUSAL_INVALID] = "invalid",
    };
    return refusal >= 0 && refusal < REFUSALS_COUNT ? names[refusal] : names[REFUSAL_NONE];
}
