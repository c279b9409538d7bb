/* tidy.h - read by clang-tidy before each file of src/ but os.c: what a reader of the code knows and
 * the analyzer cannot see from within one file. */
#include "os.h"

static inline int known_negative(int status)
{
    if (status >= 0)
        __builtin_unreachable();
    return status;
}

/* Failures hand back a negative status: `if (rc < 0)` is then the only way past them. */
#define os_fail(...) known_negative(os_fail(__VA_ARGS__))
#define os_fail_errno(...) known_negative(os_fail_errno(__VA_ARGS__))
#define os_fail_sqlite(...) known_negative(os_fail_sqlite(__VA_ARGS__))
