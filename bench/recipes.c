/* recipes.c - the modes of bench that measure recipes; see bench.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <diskcache_recipes.h>

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

static dcache *cache;

static void open_cache(void)
{
    expect(dcache_open(directory, NULL, &cache), "open");
}

static dcache_lock *make_lock(enum dcache_lock_kind kind)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
    struct dcache_value key = dcache_text("lock");
    dcache_lock *lock = NULL;

    options.kind = kind;
    options.permits = 2;
    expect(dcache_lock_open(cache, &key, &options, &lock), "lock_open");
    return lock;
}

static void mode_lock(enum row row, enum dcache_lock_kind kind)
{
    dcache_lock *lock;
    int64_t start;

    open_cache();
    lock = make_lock(kind);
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_lock_acquire(lock, DCACHE_FOREVER), "acquire");
        expect(dcache_lock_release(lock), "release");
        record(row, now_ns() - start);
    }
    dcache_lock_close(lock);
    dcache_close(cache);
}

/* Who holds it and who waits, at each moment of a hand-over. */
static struct baton {
    _Atomic int turn; /* 1: the waiter may begin to wait; 2: it has it; 3: it has given it back */
    _Atomic int64_t acquired;
} * baton;

static void wait_for_turn(int turn)
{
    while (atomic_load(&baton->turn) != turn)
        sleep_us(50);
}

static void be_waiter(void)
{
    dcache_lock *lock;

    open_cache();
    lock = make_lock(DCACHE_LOCK);
    for (unsigned n = 0; n < operations; n++) {
        wait_for_turn(1);
        expect(dcache_lock_acquire(lock, DCACHE_FOREVER), "acquire");
        atomic_store(&baton->acquired, now_ns());
        atomic_store(&baton->turn, 2);
        expect(dcache_lock_release(lock), "release");
        atomic_store(&baton->turn, 3);
    }
    _exit(0);
}

/* From the call of release in one process to the return of acquire in another, which has waited for
 * some milliseconds. */
static void mode_handover(void)
{
    dcache_lock *lock;
    int64_t start;
    int status;
    pid_t pid;

    baton = mmap(NULL, sizeof *baton, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (baton == MAP_FAILED)
        die("mmap: %m");
    pid = fork();
    if (pid < 0)
        die("fork: %m");
    if (pid == 0)
        be_waiter();
    open_cache();
    lock = make_lock(DCACHE_LOCK);
    for (unsigned n = 0; n < operations; n++) {
        expect(dcache_lock_acquire(lock, DCACHE_FOREVER), "acquire");
        atomic_store(&baton->turn, 1);
        sleep_us(4000 + n % 7 * 137);
        start = now_ns();
        expect(dcache_lock_release(lock), "release");
        wait_for_turn(3);
        record(HANDOVER, atomic_load(&baton->acquired) - start);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("the waiter failed");
    dcache_lock_close(lock);
    dcache_close(cache);
}

static void mode_average(void)
{
    struct dcache_value key = dcache_text("average");
    int64_t start;

    open_cache();
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_average_add(cache, &key, n, NULL), "average_add");
        record(AVERAGE, now_ns() - start);
    }
    dcache_close(cache);
}

static void mode_throttle(void)
{
    struct dcache_throttle_options options = DCACHE_OPTIONS(struct dcache_throttle_options);
    struct dcache_value key = dcache_text("throttle");
    double delay;
    int64_t start;

    options.count = 1e9;
    options.seconds = 1;
    open_cache();
    expect(dcache_throttle_reset(cache, &key, &options), "throttle_reset");
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_throttle_take(cache, &key, &options, &delay), "throttle_take");
        record(THROTTLE, now_ns() - start);
    }
    dcache_close(cache);
}

static int compute(void *arg, const struct dcache_value *key, struct dcache_value *ret_value)
{
    (void)arg;
    (void)key;
    *ret_value = dcache_text("computed");
    return 0;
}

static void mode_memoize(void)
{
    struct dcache_memoize_options options = DCACHE_OPTIONS(struct dcache_memoize_options);
    struct dcache_value key = dcache_text("memoize");
    struct dcache_entry entry;
    int64_t start;

    options.expire = 1e6;
    options.beta = 1;
    open_cache();
    for (unsigned n = 0; n <= operations; n++) {
        start = now_ns();
        expect(dcache_memoize(cache, &key, compute, NULL, &options, &entry), "memoize");
        dcache_entry_clear(&entry);
        if (n > 0) /* the first one is no hit */
            record(MEMOIZE, now_ns() - start);
    }
    dcache_close(cache);
}

int run_recipe(const char *mode)
{
    if (strcmp(mode, "lock") == 0)
        mode_lock(LOCK, DCACHE_LOCK);
    else if (strcmp(mode, "rlock") == 0)
        mode_lock(RLOCK, DCACHE_RLOCK);
    else if (strcmp(mode, "semaphore") == 0)
        mode_lock(SEMAPHORE, DCACHE_SEMAPHORE);
    else if (strcmp(mode, "handover") == 0)
        mode_handover();
    else if (strcmp(mode, "average") == 0)
        mode_average();
    else if (strcmp(mode, "throttle") == 0)
        mode_throttle();
    else if (strcmp(mode, "memoize") == 0)
        mode_memoize();
    else
        return 0;
    return 1;
}
