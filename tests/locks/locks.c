/* locks.c - eight processes on one lock of each kind, killed at random moments: never are there more
 * holders than permits, and nobody waits for a dead one.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     locks [--kills N] [--seed N]
 *
 * A holder says so in a table that all see, and looks whether others say so too. With one permit it
 * also adds 1 to a counter, not atomically, with a pause in the middle: two holders at once would
 * lose an addition. Who is about to be killed does not count any more: the next one may have the lock
 * before we have come to cross him out. */
#include "../torture/support.h"

#include <diskcache_recipes.h>

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { WORKERS = 8, PATIENCE = 30 };

struct worker {
    _Atomic int inside;
    _Atomic int dying;
    _Atomic int64_t holds; /* finished ones */
};

static struct table {
    struct worker worker[WORKERS];
    int64_t counter; /* not atomic: only a holder may touch it */
    _Atomic int stop;
    _Atomic int faults;
} * table;

struct kind {
    const char *name;
    enum dcache_lock_kind kind;
    int64_t permits;
};

static const struct kind kinds[] = {
    {"lock", DCACHE_LOCK, 1},
    {"rlock", DCACHE_RLOCK, 1},
    {"semaphore of 1", DCACHE_SEMAPHORE, 1},
    {"semaphore of 3", DCACHE_SEMAPHORE, 3},
};

static void fault(const char *what, int rc)
{
    atomic_fetch_add(&table->faults, 1);
    (void)fprintf(stderr, "FAULT: %s: %s\n", what, status_text(rc));
}

static dcache_lock *open_lock(const char *directory, const struct kind *kind, dcache **ret_cache)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
    struct dcache_value key = dcache_text("lock");
    dcache_lock *lock = NULL;
    int rc = dcache_open(directory, test_options(), ret_cache);

    options.kind = kind->kind;
    options.permits = kind->permits;
    if (rc == 0)
        rc = dcache_lock_open(*ret_cache, &key, &options, &lock);
    if (rc < 0)
        die("open: %s", status_text(rc));
    return lock;
}

static void pause_at_random(uint64_t *rng)
{
    unsigned way = rng_below(rng, 4);

    if (way == 0)
        sleep_us(rng_below(rng, 1000));
    else if (way == 1)
        (void)sched_yield(); /* cannot fail */
}

/* Between acquire and release. */
static void be_holder(unsigned self, const struct kind *kind, uint64_t *rng)
{
    struct worker *me = &table->worker[self];
    int64_t seen, holders = 0;

    atomic_store(&me->inside, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        holders += atomic_load(&table->worker[i].inside) && !atomic_load(&table->worker[i].dying);
    if (holders > kind->permits && !atomic_load(&me->dying))
        fault("too many holders", 0);
    if (kind->permits == 1) {
        seen = *(volatile int64_t *)&table->counter;
        pause_at_random(rng);
        *(volatile int64_t *)&table->counter = seen + 1;
    } else {
        pause_at_random(rng);
    }
    atomic_fetch_add(&me->holds, 1);
    atomic_store(&me->inside, 0);
}

__attribute__((noreturn)) static void work(const char *directory, unsigned self,
                                           const struct kind *kind, uint64_t seed)
{
    dcache *cache = NULL;
    dcache_lock *lock = open_lock(directory, kind, &cache);
    uint64_t rng = seed;

    while (!atomic_load(&table->stop)) {
        int depth = kind->kind == DCACHE_RLOCK ? 1 + (int)rng_below(&rng, 2) : 1, rc = 0;

        for (int i = 0; rc == 0 && i < depth; i++)
            rc = dcache_lock_acquire(lock, PATIENCE);
        if (rc == 0)
            be_holder(self, kind, &rng);
        for (int i = 0; rc == 0 && i < depth; i++)
            rc = dcache_lock_release(lock);
        if (rc < 0) {
            fault(rc == DCACHE_TIMEOUT ? "a waiter hangs" : "acquire or release", rc);
            _exit(1);
        }
        pause_at_random(&rng);
    }
    dcache_lock_close(lock);
    dcache_close(cache);
    _exit(0);
}

static pid_t start(const char *directory, unsigned number, const struct kind *kind, uint64_t *rng)
{
    uint64_t seed = rng_next(rng);
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid < 0)
        die("fork: %m");
    if (pid == 0)
        work(directory, number, kind, seed);
    return pid;
}

static void kill_one(pid_t pid, struct worker *worker)
{
    int status;

    atomic_store(&worker->dying, 1);
    (void)kill(pid, SIGKILL); /* it is our child: it is there */
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        fault("a worker ended by itself", 0);
    atomic_store(&worker->inside, 0);
    atomic_store(&worker->dying, 0);
}

/* When all are gone: nothing was lost, and the permits can all be had, at once. */
static int64_t verify(const char *directory, const struct kind *kind, int kills)
{
    dcache *cache = NULL;
    dcache_lock *lock = open_lock(directory, kind, &cache);
    int64_t holds = 0, count = -1;
    int rc = 0;

    for (unsigned i = 0; i < WORKERS; i++)
        holds += atomic_load(&table->worker[i].holds);
    /* Who was killed between his two additions has done one of them. */
    if (kind->permits == 1 && (table->counter < holds || table->counter > holds + kills))
        fault("an addition was lost", 0);
    for (int64_t i = 0; rc == 0 && i < kind->permits; i++)
        rc = dcache_lock_acquire(lock, 0);
    if (rc < 0)
        fault("a dead holder's lock is not free", rc);
    for (int64_t i = 0; rc == 0 && i < kind->permits; i++)
        rc = dcache_lock_release(lock);
    if (rc == 0)
        rc = dcache_count(cache, &count);
    if (rc < 0 || count != 0)
        fault("something is left", rc);
    dcache_lock_close(lock);
    dcache_close(cache);
    return holds;
}

static int run_kind(const struct kind *kind, int kills, uint64_t *rng)
{
    char *directory = temp_dir("locks");
    pid_t pids[WORKERS];
    int64_t holds;
    int status;

    memset(table, 0, sizeof *table);
    for (unsigned i = 0; i < WORKERS; i++)
        pids[i] = start(directory, i, kind, rng);
    for (int n = 0; n < kills && atomic_load(&table->faults) == 0; n++) {
        unsigned victim = rng_below(rng, WORKERS);

        sleep_us(1000 + rng_below(rng, 20000));
        kill_one(pids[victim], &table->worker[victim]);
        pids[victim] = start(directory, victim, kind, rng);
    }
    atomic_store(&table->stop, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            fault("a worker failed", 0);
    holds = verify(directory, kind, kills);
    printf("%-16s %lld holds, %d kills, %d faults\n", kind->name, (long long)holds, kills,
           atomic_load(&table->faults));
    remove_tree(directory);
    free(directory);
    return atomic_load(&table->faults) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    int kills = 30, failed = 0, count = (int)(sizeof kinds / sizeof *kinds);
    uint64_t seed = (uint64_t)now_ns();

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--kills") == 0 && i + 1 < argc)
            kills = (int)to_number(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = (uint64_t)to_number(argv[++i]);
        else
            die("usage: locks [--kills N] [--seed N]");
    }
    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        die("mmap: %m");
    printf("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < count; i++)
        failed += run_kind(&kinds[i], kills, &seed);
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed == 0 ? 0 : 1;
}
