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
