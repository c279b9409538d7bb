/* shared.c - the segment and the lock in it. See shared.h for the invariants. */
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC UINT32_C(0x64637368) /* also tells the byte order */
#define VERSION 6
#define SLOTS 4096
#define WAITERS UINT32_C(0x80000000)
#define RESERVED UINT32_C(0x7fffffff) /* in place of a slot */
#define SPIN (OS_MS / 50)
#define PATIENCE OS_MS           /* before a waiter gets precedence, S4 */
#define FORGET (1000 * OS_MS)    /* a waiter that does not get it with precedence is dead */
#define ATTEMPTS 1000            /* to open a file that others remove */
#define DEATH_CHECK (10 * OS_MS) /* how often a waiter asks whether the owner lives, S1 */

enum { BYTE_INIT = 0, BYTE_PRESENT = 1, BYTE_SLOTS = 16 };

/* ---- the lock ---- */

static bool owner_died(const struct shared *shared, uint32_t value)
{
    uint32_t owner = (value & ~WAITERS) - 1;

    if (shared->fd < 0 || (value & ~WAITERS) == 0 || (value & ~WAITERS) == RESERVED)
        return false;
    return owner >= SLOTS /* nobody's: somebody wrote into the file */ ||
           (owner != shared->slot && !os_byte_locked(shared->fd, BYTE_SLOTS + (int64_t)owner));
}

/* Take the word if it is free, or kept for one of those who have slept. */
static bool try_take(struct shared *shared, bool slept, uint32_t *value)
{
    _Atomic uint32_t *word = &shared->segment->lock;
    uint32_t owner = *value & ~WAITERS;

    if (owner != 0 && !(owner == RESERVED && slept))
        return false;
    /* Others may wait as well; the bit costs them at most a needless wake-up. */
    return atomic_compare_exchange_strong(word, value, (shared->slot + 1) | WAITERS);
}

/* A small set holds the lock for some 10 microseconds; to sleep and be woken takes longer, and on a
 * busy machine the woken one gets no processor for milliseconds. So first look whether the holder is
 * about to let go; if it does not, it sleeps itself, or does something larger. */
static bool spin(struct shared *shared)
{
    _Atomic uint32_t *word = &shared->segment->lock;
    int64_t end = os_is_multiprocessor() ? os_monotonic() + SPIN : 0;

    while (os_monotonic() < end) {
        for (int i = 0; i < 16; i++) {
            uint32_t value = atomic_load_explicit(word, memory_order_relaxed);

            if ((value & ~WAITERS) == RESERVED)
                return false;
            if ((value & ~WAITERS) == 0 && try_take(shared, false, &value))
                return true;
            os_relax();
        }
    }
    return false;
}

/* Who waits says since when, if nobody is known who has waited longer: S4. */
static void announce(struct shared_segment *segment, int64_t start)
{
    int64_t since = atomic_load(&segment->waiting_since);

    if (since == 0 || start < since)
        (void)atomic_compare_exchange_strong(&segment->waiting_since, &since, start);
}

static void withdraw(struct shared_segment *segment, int64_t start)
{
    (void)atomic_compare_exchange_strong(&segment->waiting_since, &start, 0);
}

static int wait_for_lock(struct shared *shared, int64_t deadline)
{
    struct shared_segment *segment = shared->segment;
    int64_t start = os_monotonic(), now = start, check = now + DEATH_CHECK, until;
    bool slept = false, kept;

    for (;;) {
        uint32_t value = atomic_load(&segment->lock);

        if (try_take(shared, slept, &value))
            break;
        if (!(value & WAITERS) &&
            !atomic_compare_exchange_strong(&segment->lock, &value, value | WAITERS))
            continue;
        /* What is kept for a sleeper, who may be dead, even who cannot wait sleeps for once: S4. */
        kept = (value & ~WAITERS) == RESERVED;
        if (now >= deadline && (slept || !kept)) {
            withdraw(segment, start);
            os_futex_wake(&segment->lock); /* in case that we were the one to be woken */
            return os_fail(DCACHE_TIMEOUT, "waiting for the write lock of the cache");
        }
        announce(segment, start);
        until = kept ? now + PATIENCE : check < deadline ? check : deadline;
        os_futex_wait(&segment->lock, value | WAITERS, until - now);
        slept = true;
        if (os_waiting() < 0) {
            withdraw(segment, start);
            os_futex_wake(&segment->lock);
            return DCACHE_CALLBACK;
        }
        now = os_monotonic();
        if (now < check)
            continue;
        check = now + DEATH_CHECK;
        value = atomic_load(&segment->lock);
        if (owner_died(shared, value) &&
            atomic_compare_exchange_strong(&segment->lock, &value, (shared->slot + 1) | WAITERS))
            break;
    }
    withdraw(segment, start);
    return 0;
}

int shared_lock(struct shared *shared, int64_t deadline)
{
    uint32_t nobody = 0;

    if (atomic_compare_exchange_strong(&shared->segment->lock, &nobody, shared->slot + 1))
        return 0;
    if (deadline > 0 && spin(shared))
        return 0;
    return wait_for_lock(shared, deadline);
}

/* Whether somebody is known to have waited for too long. Who was, and has died, is forgotten. */
static bool somebody_starves(struct shared_segment *segment)
{
    int64_t since = atomic_load(&segment->waiting_since), waited = os_minus(os_monotonic(), since);

    if (since != 0 && waited > FORGET)
        withdraw(segment, since);
    return since != 0 && waited >= PATIENCE;
}

void shared_unlock(struct shared *shared)
{
    struct shared_segment *segment = shared->segment;
    uint32_t mine = shared->slot + 1, next;

    if (atomic_compare_exchange_strong(&segment->lock, &mine, 0))
        return;
    /* S4; else who runs may take it, which is quicker than who has to wake up. */
    next = somebody_starves(segment) ? RESERVED | WAITERS : 0;
    mine = (shared->slot + 1) | WAITERS;
    if (!atomic_compare_exchange_strong(&segment->lock, &mine, next))
        return; /* not ours: the segment is another one than we have locked */
    if (os_futex_wake(&segment->lock) == 0) { /* nobody waits any more */
        atomic_store(&segment->waiting_since, 0);
        if (next != 0)
            (void)atomic_compare_exchange_strong(&segment->lock, &next, 0);
    }
}

/* ---- the file ---- */

/* Initialisation, arrival and departure take turns. Each is short, so a poll will do. */
static int init_lock(int fd, int64_t deadline)
{
    while (os_byte_lock(fd, BYTE_INIT, F_WRLCK) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return os_fail_errno("lock %s", SHARED_NAME);
        if (os_monotonic() >= deadline)
            return os_fail(DCACHE_TIMEOUT, "waiting for %s", SHARED_NAME);
        os_sleep(OS_MS / 4);
    }
    return 0;
}

static int take_slot(struct shared *shared)
{
    uint32_t first = (uint32_t)getpid() % SLOTS;

    for (uint32_t i = 0; i < SLOTS; i++) {
        shared->slot = (first + i) % SLOTS;
        if (os_byte_lock(shared->fd, BYTE_SLOTS + (int64_t)shared->slot, F_WRLCK) == 0)
            return 0;
        if (errno != EAGAIN && errno != EACCES)
            return os_fail_errno("lock %s", SHARED_NAME);
    }
    return os_fail(DCACHE_IO, "more than %d processes have the cache open", SLOTS);
}

/* S2: what a dead process with our slot has left is not ours. */
static void free_inherited(struct shared *shared)
{
    uint32_t value = atomic_load(&shared->segment->lock);

    if ((value & ~WAITERS) == shared->slot + 1)
        shared_unlock(shared);
}

/* Called with the init lock held: nobody else arrives, leaves or initialises. */
static int arrive(struct shared *shared)
{
    struct shared_segment *segment;
    bool alone = os_byte_lock(shared->fd, BYTE_PRESENT, F_WRLCK) == 0, empty = false;
    struct stat st;

    if (os_fstat(shared->fd, &st) < 0)
        return os_fail_errno("stat %s", SHARED_NAME);
    if ((size_t)st.st_size != sizeof *segment) {
        if (!alone)
            return os_fail(DCACHE_IO, "%s belongs to another version", SHARED_NAME);
        if (st.st_nlink > 1)
            return DCACHE_GONE; /* has another name elsewhere: not ours to write into */
        if (os_ftruncate(shared->fd, 0) < 0)
            return os_fail_errno("truncate %s", SHARED_NAME);
        empty = true;
    }
    /* Allocated up front: a full disk must show here, not as SIGBUS later. */
    if ((alone || st.st_blocks == 0) && os_fallocate(shared->fd, sizeof *segment) < 0)
        return os_fail_errno("allocate %s", SHARED_NAME);
    segment = os_map(shared->fd, sizeof *segment, shared->mapped ? shared->segment : NULL);
    if (!segment)
        return os_fail_errno("map %s", SHARED_NAME);
    if (!shared->mapped) /* else it is the same, and other threads look at it */
        shared->segment = segment;
    shared->mapped = true;
    if (segment->magic != MAGIC || segment->version != VERSION ||
        segment->size != sizeof *segment) {
        if (!alone)
            return os_fail(DCACHE_IO, "%s belongs to another version", SHARED_NAME);
        if (st.st_nlink > 1)
            return DCACHE_GONE;
        if (!empty) /* else it is zero, and threads of ours may have locked in it already */
            memset(segment, 0, sizeof *segment);
        segment->version = VERSION;
        segment->size = sizeof *segment;
        segment->magic = MAGIC;
    } else if (alone) {
        atomic_store(&segment->checkpointing, 0);
        atomic_store(&segment->waiting_since, 0);
        atomic_store(&segment->lock, 0);
        for (int i = 0; i < SHARED_BELLS; i++)
            atomic_store(&segment->bell[i].sleepers, 0);
        for (int i = 0; i < SHARED_WAITERS; i++)
            atomic_store(&segment->waiter[i].word, 0);
    }
    if (os_byte_lock(shared->fd, BYTE_PRESENT, F_RDLCK) < 0)
        return os_fail_errno("lock %s", SHARED_NAME);
    return take_slot(shared);
}

static int open_once(struct shared *shared, int dir, unsigned mode, int64_t deadline)
{
    struct stat st;
    int rc;

    shared->fd = os_openat(dir, SHARED_NAME, O_RDWR | O_CREAT | O_NOFOLLOW, mode);
    if (shared->fd < 0)
        return os_fail_errno("open %s", SHARED_NAME);
    rc = init_lock(shared->fd, deadline);
    if (rc < 0)
        return rc;
    if (os_fstat(shared->fd, &st) < 0)
        return os_fail_errno("stat %s", SHARED_NAME);
    if (!S_ISREG(st.st_mode))
        return os_fail(DCACHE_IO, "%s is not a regular file", SHARED_NAME);
    if (st.st_nlink == 0)
        return DCACHE_GONE; /* its last user has just removed it: make a new one */
    rc = arrive(shared);
    if (rc < 0) {
        if (os_byte_lock(shared->fd, BYTE_PRESENT, F_WRLCK) == 0)
            (void)os_unlinkat(dir, SHARED_NAME, 0); /* left over: made anew by the next */
        return rc;
    }
    free_inherited(shared);
    if (os_byte_lock(shared->fd, BYTE_INIT, F_UNLCK) < 0)
        return os_fail_errno("unlock %s", SHARED_NAME);
    return 0;
}

int shared_open(struct shared *shared, int dir, unsigned mode, int64_t deadline)
{
    bool had = shared->mapped;
    int attempts = 0, rc;

    do {
        rc = open_once(shared, dir, mode, deadline);
        if (rc < 0) {
            os_close(shared->fd);
            shared->fd = -1;
        }
    } while (rc == DCACHE_GONE && ++attempts < ATTEMPTS);
    if (rc == DCACHE_GONE)
        rc = os_fail(DCACHE_IO, "%s cannot be made anew", SHARED_NAME);
    if (rc < 0 && shared->mapped && !had) {
        os_unmap(shared->segment, sizeof *shared->segment);
        shared->segment = NULL;
        shared->mapped = false;
    }
    return rc;
}

int shared_private(struct shared *shared)
{
    shared->fd = -1;
    shared->slot = SLOTS; /* nobody's: those who share a segment must not take ours for dead */
    if (!shared->segment)
        shared->segment = os_calloc(1, sizeof *shared->segment);
    return shared->segment ? 0 : DCACHE_NOMEM;
}

void shared_close(struct shared *shared, int dir)
{
    /* The last one present removes the file; a turn not had in time leaves it to the next. */
    if (shared->fd >= 0) {
        if (init_lock(shared->fd, os_monotonic() + 100 * OS_MS) == 0 &&
            os_byte_lock(shared->fd, BYTE_PRESENT, F_WRLCK) == 0)
            (void)os_unlinkat(dir, SHARED_NAME, 0); /* left over: found valid by the next */
        os_close(shared->fd);
    }
    if (shared->mapped)
        os_unmap(shared->segment, sizeof *shared->segment);
    else
        free(shared->segment);
    shared->segment = NULL;
    shared->mapped = false;
    shared->fd = -1;
}

void shared_forked(struct shared *shared)
{
    if (shared->fd >= 0)
        (void)close(shared->fd); /* locks stay with the parent, who has it open too */
    shared->fd = -1;
    if (shared->mapped) { /* a mapping keeps the description open too, and with it the locks */
        (void)munmap(shared->segment, sizeof *shared->segment);
        shared->segment = NULL;
        shared->mapped = false;
    }
}

int shared_slot_lives(const struct shared *shared, uint32_t slot)
{
    if (shared->fd < 0 || slot >= SLOTS)
        return -1;
    return slot == shared->slot || os_byte_locked(shared->fd, BYTE_SLOTS + (int64_t)slot);
}

/* ---- bells ---- */

uint32_t shared_bell_listen(const struct shared *shared, uint32_t hash)
{
    return atomic_load(&shared->segment->bell[hash % SHARED_BELLS].rings);
}

void shared_bell_wait(struct shared *shared, uint32_t hash, uint32_t heard, int64_t nanoseconds)
{
    struct shared_bell *bell = &shared->segment->bell[hash % SHARED_BELLS];

    atomic_fetch_add(&bell->sleepers, 1);
    os_futex_wait(&bell->rings, heard, nanoseconds);
    atomic_fetch_sub(&bell->sleepers, 1);
}

void shared_bell_ring(struct shared *shared, uint32_t hash, bool all)
{
    struct shared_bell *bell = &shared->segment->bell[hash % SHARED_BELLS];

    /* Who is not counted yet finds that the number has changed, and does not sleep. */
    atomic_fetch_add(&bell->rings, 1);
    if (atomic_load(&bell->sleepers) == 0)
        return;
    if (all)
        os_futex_wake_all(&bell->rings);
    else
        (void)os_futex_wake(&bell->rings); /* nobody sleeps any more: good */
}

/* ---- access records ---- */

static uint64_t double_bits(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

bool shared_note_access(struct shared *shared, int64_t rowid, double time)
{
    struct shared_segment *segment = shared->segment;
    uint64_t hash = (uint64_t)rowid * UINT64_C(0x9E3779B97F4A7C15);

    for (unsigned probe = 0; probe < 8; probe++) {
        struct shared_access *slot = &segment->access[((hash >> 32) + probe) % SHARED_ACCESS_SLOTS];
        int64_t holder = atomic_load_explicit(&slot->rowid, memory_order_relaxed);

        if (holder == 0)
            /* On failure, `holder` is who came first: perhaps a note of the same row. */
            if (atomic_compare_exchange_strong(&slot->rowid, &holder, rowid))
                holder = rowid;
        if (holder == rowid) {
            atomic_store_explicit(&slot->time, double_bits(time), memory_order_relaxed);
            /* One count may be lost to a flush at this moment: it is a statistic. */
            atomic_fetch_add_explicit(&slot->count, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&segment->accesses, 1, memory_order_relaxed);
            return true;
        }
    }
    return false;
}

bool shared_take_access(struct shared *shared, unsigned i, int64_t *ret_rowid, double *ret_time,
                        int64_t *ret_count)
{
    struct shared_access *slot = &shared->segment->access[i];
    uint64_t bits;

    *ret_rowid = atomic_load(&slot->rowid);
    if (*ret_rowid == 0)
        return false;
    bits = atomic_load(&slot->time);
    memcpy(ret_time, &bits, sizeof bits);
    *ret_count = (int64_t)atomic_exchange(&slot->count, 0);
    atomic_store(&slot->rowid, 0);
    return *ret_count > 0;
}
