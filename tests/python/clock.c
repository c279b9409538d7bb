/* clock.c - LD_PRELOADed into the Python tests: a wall clock that stands still where a test wants it.
 *
 * Both packages ask clock_gettime(), 5.6.3 by way of time.time(); so they see the same times, and
 * neither needs anything built in for tests. Other clocks, by which waits are measured, go on.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic double still_at; /* 0: it runs */

/* Stop the wall clock at `seconds` since the epoch; 0 lets it run again. */
void clock_stand_still(double seconds);

void clock_stand_still(double seconds)
{
    atomic_store(&still_at, seconds);
}

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    double at = atomic_load(&still_at);

    if (clock == CLOCK_REALTIME && at != 0.0) {
        ret_time->tv_sec = (time_t)at;
        ret_time->tv_nsec = (long)((at - (double)ret_time->tv_sec) * 1e9);
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, clock, ret_time);
}
