/* shared.c - the segment and the lock in it. See shared.h for the invariants. */
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC UINT32_C(0x64637368) /* also tells the byte order */
#define VERSION 14
#define SLOTS 4096
#define WAITERS UINT32_C(0x80000000)
#define RESERVED UINT32_C(0x7fffffff) /* in place of a slot */
#define PROBES 8                      /* places that a note may be in */
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
static bool try_take(struct shared *shared, struct shared_mutex *mutex, bool slept, uint32_t *value)
{
    _Atomic uint32_t *word = &mutex->word;
    uint32_t owner = *value & ~WAITERS;

    if (owner != 0 && !(owner == RESERVED && slept))
        return false;
    /* Others may wait as well; the bit costs them at most a needless wake-up. */
    return atomic_compare_exchange_strong(word, value, (shared->slot + 1) | WAITERS);
}

/* A small set holds the lock for some 10 microseconds; to sleep and be woken takes longer, and on a
 * busy machine the woken one gets no processor for milliseconds. So first look whether the holder is
 * about to let go; if it does not, it sleeps itself, or does something larger. */
static bool spin(struct shared *shared, struct shared_mutex *mutex)
{
    _Atomic uint32_t *word = &mutex->word;
    int64_t end = os_is_multiprocessor() ? os_monotonic() + SPIN : 0;

    while (os_monotonic() < end) {
        for (int i = 0; i < 16; i++) {
            uint32_t value = atomic_load_explicit(word, memory_order_relaxed);

            if ((value & ~WAITERS) == RESERVED)
                return false;
            if ((value & ~WAITERS) == 0 && try_take(shared, mutex, false, &value))
                return true;
            os_relax();
        }
    }
    return false;
}

/* Who waits says since when, if nobody is known who has waited longer: S4. */
static void announce(struct shared_mutex *mutex, int64_t start)
{
    int64_t since = atomic_load(&mutex->waiting_since);

    if (since == 0 || start < since)
        (void)atomic_compare_exchange_strong(&mutex->waiting_since, &since, start);
}

static void withdraw(struct shared_mutex *mutex, int64_t start)
{
    (void)atomic_compare_exchange_strong(&mutex->waiting_since, &start, 0);
}

static int wait_for_lock(struct shared *shared, struct shared_mutex *mutex, int64_t deadline)
{
    int64_t start = os_monotonic(), now = start, check = now + DEATH_CHECK, until;
    bool slept = false, kept;

    for (;;) {
        uint32_t value = atomic_load(&mutex->word);

        if (try_take(shared, mutex, slept, &value))
            break;
        if (!(value & WAITERS) &&
            !atomic_compare_exchange_strong(&mutex->word, &value, value | WAITERS))
            continue;
        /* What is kept for a sleeper, who may be dead, even who cannot wait sleeps for once: S4. */
        kept = (value & ~WAITERS) == RESERVED;
        if (now >= deadline && (slept || !kept)) {
            uint32_t held = value | WAITERS;

            /* Who has little time may be the only one who ever asks. */
            if (deadline > 0 && owner_died(shared, held) &&
                atomic_compare_exchange_strong(&mutex->word, &held, (shared->slot + 1) | WAITERS))
                break;
            withdraw(mutex, start);
            os_futex_wake(&mutex->word); /* in case that we were the one to be woken */
            return os_fail(DCACHE_TIMEOUT, "waiting for the lock of the cache");
        }
        announce(mutex, start);
        until = kept ? now + PATIENCE : check < deadline ? check : deadline;
        os_futex_wait(&mutex->word, value | WAITERS, until - now);
        slept = true;
        if (os_waiting() < 0) {
            withdraw(mutex, start);
            os_futex_wake(&mutex->word);
            return DCACHE_CALLBACK;
        }
        now = os_monotonic();
        if (now < check)
            continue;
        check = now + DEATH_CHECK;
        value = atomic_load(&mutex->word);
        if (owner_died(shared, value) &&
            atomic_compare_exchange_strong(&mutex->word, &value, (shared->slot + 1) | WAITERS))
            break;
    }
    withdraw(mutex, start);
    return 0;
}

bool shared_mutex_try(struct shared *shared, struct shared_mutex *mutex)
{
    uint32_t nobody = 0;

    return atomic_compare_exchange_strong(&mutex->word, &nobody, shared->slot + 1);
}

int shared_mutex_lock(struct shared *shared, struct shared_mutex *mutex, int64_t deadline)
{
    if (shared_mutex_try(shared, mutex))
        return 0;
    if (deadline > 0 && spin(shared, mutex))
        return 0;
    return wait_for_lock(shared, mutex, deadline);
}

/* Whether somebody is known to have waited for too long. Who was, and has died, is forgotten. */
static bool somebody_starves(struct shared_mutex *mutex)
{
    int64_t since = atomic_load(&mutex->waiting_since), waited = os_minus(os_monotonic(), since);

    if (since != 0 && waited > FORGET)
        withdraw(mutex, since);
    return since != 0 && waited >= PATIENCE;
}

void shared_mutex_unlock(struct shared *shared, struct shared_mutex *mutex)
{
    uint32_t mine = shared->slot + 1, next;

    if (atomic_compare_exchange_strong(&mutex->word, &mine, 0))
        return;
    /* S4; else who runs may take it, which is quicker than who has to wake up. */
    next = somebody_starves(mutex) ? RESERVED | WAITERS : 0;
    mine = (shared->slot + 1) | WAITERS;
    if (!atomic_compare_exchange_strong(&mutex->word, &mine, next))
        return; /* not ours: the segment is another one than we have locked */
    if (os_futex_wake(&mutex->word) == 0) { /* nobody waits any more */
        atomic_store(&mutex->waiting_since, 0);
        if (next != 0)
            (void)atomic_compare_exchange_strong(&mutex->word, &next, 0);
    }
}

int shared_lock(struct shared *shared, int64_t deadline)
{
    return shared_mutex_lock(shared, &shared->segment->lock, deadline);
}

void shared_unlock(struct shared *shared)
{
    shared_mutex_unlock(shared, &shared->segment->lock);
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
    struct shared_segment *segment = shared->segment;
    struct shared_mutex *mutexes[] = {&segment->lock, &segment->memtable.append};

    for (int i = 0; i < 2; i++)
        if ((atomic_load(&mutexes[i]->word) & ~WAITERS) == shared->slot + 1)
            shared_mutex_unlock(shared, mutexes[i]);
}

/* After a crash of all who were there. Records that are not in SQLite yet wait for who drains them;
 * but after a power cut (another boot) what is in the file is of no known moment. */
static void take_over(struct shared_segment *segment, const unsigned char boot[16])
{
    struct shared_memtable *m = &segment->memtable;

    atomic_store(&segment->checkpointing, 0);
    memset(&segment->lock, 0, sizeof segment->lock);
    for (int i = 0; i < SHARED_BELLS; i++)
        atomic_store(&segment->bell[i].sleepers, 0);
    for (int i = 0; i < SHARED_WAITERS; i++)
        atomic_store(&segment->waiter[i].word, 0);
    if (memcmp(m->boot, boot, sizeof m->boot) != 0)
        memset(m, 0, sizeof *m);
    memset(&m->append, 0, sizeof m->append);
    atomic_store(&m->sleepers, 0);
}

static bool is_valid(const struct shared_segment *segment)
{
    return segment->magic == MAGIC && segment->version == VERSION &&
           segment->size == sizeof *segment;
}

static int initialise(struct shared *shared, bool empty)
{
    struct shared_segment *segment = shared->segment;
    unsigned char boot[16];

    if (os_boot_id(boot) < 0)
        return os_fail_errno("read the boot id");
    shared->made = !is_valid(segment);
    if (!shared->made) {
        take_over(segment, boot);
        shared->inherited = atomic_load(&segment->memtable.capacity) != 0;
    } else {
        if (!empty) /* else it is zero, and threads of ours may have locked in it already */
            memset(segment, 0, sizeof *segment);
        segment->version = VERSION;
        segment->size = sizeof *segment;
        segment->magic = MAGIC;
    }
    memcpy(segment->memtable.boot, boot, sizeof boot);
    return 0;
}

/* The rest is a hole, until the ring fills it: behind the end would be SIGBUS, for threads too that are
 * still looking at a larger ring of a directory that was there before. */
static int extend(struct shared *shared, const struct stat *st, bool alone)
{
    uint64_t reach = shared->mapped ? atomic_load(&shared->reach) : 0;
    off_t length = (off_t)SHARED_END(reach > SHARED_RING_LEAST ? reach : SHARED_RING_LEAST);

    if (st->st_size >= length)
        return 0;
    if (!alone && st->st_blocks != 0 && reach <= SHARED_RING_LEAST)
        return os_fail(DCACHE_IO, "%s belongs to another version", SHARED_NAME);
    if (os_ftruncate(shared->fd, length) < 0)
        return os_fail_errno("extend %s", SHARED_NAME);
    return 0;
}

static size_t size_of_mapping(void)
{
    return SHARED_END(os_addresses_are_scarce() ? SHARED_RING_LEAST : SHARED_RING_MOST);
}

static int map(struct shared *shared)
{
    struct shared_segment *segment;

    if (!shared->mapped)
        shared->size = size_of_mapping();
    segment = os_map(shared->fd, shared->size, shared->mapped ? shared->segment : NULL);
    if (!segment)
        return os_fail_errno("map %s", SHARED_NAME);
    if (!shared->mapped) { /* else it is the same, and other threads look at it */
        shared->segment = segment;
        atomic_store(&shared->reach, SHARED_RING_LEAST);
        shared->mapped = true;
    }
    return 0;
}

/* Whoever has few addresses says so, then looks how large the ring is; who lets it grow, looks after that
 * whether somebody has said so (memtable_grow). So one of them sees the other. */
static int ask_for_room(struct shared *shared)
{
    struct shared_memtable *m = &shared->segment->memtable;

    if (shared->size >= SHARED_END(SHARED_RING_MOST))
        return 0;
    atomic_store(&m->cramped, 1);
    if (atomic_load(&m->capacity) <= SHARED_RING_LEAST)
        return 0;
    return os_fail(DCACHE_NOMEM, "%s is larger than this process may map", SHARED_NAME);
}

bool shared_reaches(const struct shared *shared, uint64_t capacity)
{
    _Atomic uint64_t *reach = &((struct shared *)(uintptr_t)shared)->reach; /* it becomes known */
    uint64_t before = atomic_load(reach);
    struct stat st;

    if (capacity <= before)
        return true;
    if (!shared->mapped || shared->view || capacity > SHARED_RING_MOST ||
        SHARED_END(capacity) > shared->size || os_fstat(shared->fd, &st) < 0 ||
        (uint64_t)st.st_size < SHARED_END(capacity))
        return false;
    while (before < capacity && !atomic_compare_exchange_weak(reach, &before, capacity))
        ;
    return true;
}

/* Called with the init lock held: nobody else arrives, leaves or initialises. */
static int arrive(struct shared *shared)
{
    struct shared_segment *segment;
    bool alone = os_byte_lock(shared->fd, BYTE_PRESENT, F_WRLCK) == 0, empty = false;
    struct stat st;
    int rc;

    if (os_fstat(shared->fd, &st) < 0)
        return os_fail_errno("stat %s", SHARED_NAME);
    if ((size_t)st.st_size < sizeof *segment) {
        if (!alone)
            return os_fail(DCACHE_IO, "%s belongs to another version", SHARED_NAME);
        if (st.st_nlink > 1)
            return DCACHE_GONE; /* has another name elsewhere: not ours to write into */
        if (os_ftruncate(shared->fd, 0) < 0)
            return os_fail_errno("truncate %s", SHARED_NAME);
        empty = true;
    }
    /* Allocated up front: a full disk must show here, not as SIGBUS later. */
    if (alone || st.st_blocks == 0) {
        rc = shared_allocate(shared, 0, sizeof *segment);
        if (rc < 0)
            return rc;
    }
    rc = extend(shared, &st, alone);
    if (rc == 0)
        rc = map(shared);
    if (rc < 0)
        return rc;
    segment = shared->segment;
    shared->made = shared->inherited = false;
    if (!is_valid(segment)) {
        if (!alone)
            return os_fail(DCACHE_IO, "%s belongs to another version", SHARED_NAME);
        if (st.st_nlink > 1)
            return DCACHE_GONE;
    }
    rc = alone ? initialise(shared, empty) : 0;
    if (rc == 0)
        rc = ask_for_room(shared);
    if (rc < 0)
        return rc;
    if (os_byte_lock(shared->fd, BYTE_PRESENT, F_RDLCK) < 0)
        return os_fail_errno("lock %s", SHARED_NAME);
    return take_slot(shared);
}

int shared_allocate(struct shared *shared, uint64_t offset, uint64_t size)
{
    if (os_fallocate(shared->fd, (int64_t)offset, (int64_t)size) < 0)
        return os_fail_errno("allocate %s", SHARED_NAME);
    return 0;
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
        /* What it holds may be wanted, but for one that is not ours. */
        if ((st.st_size == 0 || rc == DCACHE_GONE) &&
            os_byte_lock(shared->fd, BYTE_PRESENT, F_WRLCK) == 0)
            (void)os_unlinkat(dir, SHARED_NAME, 0); /* left over: made anew by the next */
        return rc;
    }
    free_inherited(shared);
    return shared->inherited ? 0 : shared_admit(shared);
}

int shared_admit(struct shared *shared)
{
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
        os_unmap(shared->segment, shared->size);
        shared->segment = NULL;
        shared->mapped = false;
    }
    return rc;
}

/* The largest ring that a file of this length has room for, in a mapping of that size. */
static uint64_t ring_within(off_t length, size_t size)
{
    uint64_t capacity = SHARED_RING_LEAST;

    while (2 * capacity <= SHARED_RING_MOST && SHARED_END(2 * capacity) <= size &&
           SHARED_END(2 * capacity) <= (uint64_t)length)
        capacity *= 2;
    return capacity;
}

/* Who only reads cannot extend the file: behind its end, where others of our threads may still be looking
 * for what was there, there are zeroes. */
static struct shared_segment *map_view(struct shared *shared, int fd, off_t length)
{
    size_t size = shared->mapped ? shared->size : size_of_mapping();
    uint64_t reach = ring_within(length, size);
    char *base = shared->mapped ? (char *)shared->segment : os_reserve(size, NULL);

    if (!base || (shared->mapped && atomic_load(&shared->reach) > reach &&
                  !os_reserve(size - SHARED_END(reach), base + SHARED_END(reach))))
        return NULL;
    if (!os_map_to_read(fd, SHARED_END(reach), base)) {
        if (!shared->mapped)
            os_unmap(base, size);
        return NULL;
    }
    shared->size = size;
    atomic_store(&shared->reach, reach);
    return (struct shared_segment *)(void *)base;
}

int shared_look(struct shared *shared, int dir)
{
    struct shared_segment *segment = NULL;
    struct stat st;
    int fd = os_openat(dir, SHARED_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0); /* of a FIFO */

    if (fd < 0)
        return DCACHE_NOT_FOUND;
    if (os_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)SHARED_LENGTH)
        segment = map_view(shared, fd, st.st_size);
    if (!segment) {
        os_close(fd);
        return DCACHE_NOT_FOUND;
    }
    if (shared->mapped)
        os_close(shared->fd);
    shared->segment = segment;
    shared->fd = fd;
    shared->mapped = shared->view = true;
    return is_valid(segment) ? 0 : DCACHE_NOT_FOUND;
}

bool shared_is_current(struct shared *shared)
{
    struct stat st;

    if (!shared->mapped || os_fstat(shared->fd, &st) < 0 || st.st_nlink == 0 ||
        !is_valid(shared->segment))
        return false;
    return ring_within(st.st_size, shared->size) <= atomic_load(&shared->reach) ||
           map_view(shared, shared->fd, st.st_size) != NULL;
}

bool shared_is_file(const struct shared *shared, int fd)
{
    struct stat mine, other;

    return shared->fd == fd || (os_fstat(shared->fd, &mine) == 0 && os_fstat(fd, &other) == 0 &&
                                mine.st_dev == other.st_dev && mine.st_ino == other.st_ino);
}

int shared_private(struct shared *shared)
{
    shared->fd = -1;
    shared->slot = SLOTS; /* nobody's: those who share a segment must not take ours for dead */
    if (!shared->segment)
        shared->segment = os_calloc(1, sizeof *shared->segment);
    return shared->segment ? 0 : DCACHE_NOMEM;
}

/* What is not in SQLite yet, since that could not be written, is for the next who opens. */
static bool holds_records(const struct shared *shared)
{
    struct shared_memtable *m = &shared->segment->memtable;

    return shared->mapped && atomic_load(&m->capacity) != 0 &&
           atomic_load(&m->tail) != atomic_load(&m->drained);
}

void shared_close(struct shared *shared, int dir)
{
    /* The last one present removes the file; a turn not had in time leaves it to the next. */
    if (shared->fd >= 0) {
        if (init_lock(shared->fd, os_monotonic() + 100 * OS_MS) == 0 &&
            os_byte_lock(shared->fd, BYTE_PRESENT, F_WRLCK) == 0 && !holds_records(shared))
            (void)os_unlinkat(dir, SHARED_NAME, 0); /* left over: found valid by the next */
        os_close(shared->fd);
    }
    if (shared->mapped)
        os_unmap(shared->segment, shared->size);
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
        (void)munmap(shared->segment, shared->size);
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

/* The place of a note, and those that it may be in if it is not there. */
static unsigned place_of(int64_t rowid, unsigned probe)
{
    uint64_t hash = (uint64_t)rowid * UINT64_C(0x9E3779B97F4A7C15);

    return (unsigned)((hash >> 32) + probe) % SHARED_ACCESS_SLOTS;
}

bool shared_note_access(struct shared *shared, int64_t rowid, double time, uint32_t count)
{
    struct shared_segment *segment = shared->segment;

    for (unsigned probe = 0; probe < PROBES; probe++) {
        struct shared_access *slot = &segment->access[place_of(rowid, probe)];
        int64_t holder = atomic_load_explicit(&slot->rowid, memory_order_relaxed);

        if (holder == 0)
            /* On failure, `holder` is who came first: perhaps a note of the same row. */
            if (atomic_compare_exchange_strong(&slot->rowid, &holder, rowid))
                holder = rowid;
        if (holder == rowid) {
            atomic_store_explicit(&slot->time, double_bits(time), memory_order_relaxed);
            /* One count may be lost to a flush at this moment: it is a statistic. */
            atomic_fetch_add_explicit(&slot->count, count, memory_order_relaxed);
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

bool shared_take_access_of(struct shared *shared, int64_t rowid, double *ret_time,
                           int64_t *ret_count)
{
    int64_t taken;

    for (unsigned probe = 0; probe < PROBES; probe++) {
        unsigned i = place_of(rowid, probe);

        if (atomic_load_explicit(&shared->segment->access[i].rowid, memory_order_relaxed) == rowid)
            return shared_take_access(shared, i, &taken, ret_time, ret_count);
    }
    return false;
}
