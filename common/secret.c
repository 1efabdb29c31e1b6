#include "common/secret.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

bool secret_begin(struct err *err)
{
    const struct rlimit none = { 0, 0 };
    /* The limit alone would not do: a core_pattern that is a pipe does not ask for it. */
    if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_set(err, ERR_RETRY, "core files cannot be switched off");
    return true;
}

bool secret_mode(enum secret_mode *out, const char *word, struct err *err)
{
    static const char *const words[] = {
        [SECRET_AUTO] = "auto", [SECRET_YES] = "yes", [SECRET_NO] = "no"
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (!strcmp(words[i], word)) {
            *out = (enum secret_mode)i;
            return true;
        }
    return err_set(err, ERR_INPUT, "lock-memory is auto, yes or no");
}

/* CAP_IPC_LOCK of linux/capability.h: the limit does not count for who has it. */
#define CAP_IPC_LOCK_BIT 14

static bool may_lock_all(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
        return true;
    char line[256];
    unsigned long long caps = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line, "CapEff: %llx", &caps) == 1)
            break;
    if (status)
        fclose(status);
    return caps >> CAP_IPC_LOCK_BIT & 1;
}

bool secret_lock(struct err *err)
{
    if (!may_lock_all())
        return err_set(err, ERR_RETRY,
                       "RLIMIT_MEMLOCK is not unlimited: LimitMEMLOCK=infinity, or CAP_IPC_LOCK");
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
        return err_set(err, ERR_RETRY, "mlockall: %s", strerror(errno));
    return true;
}
