/* commits.c - what commits to SQLite, and their times, mean for the memtable (M7, M8): ours, and those of foreign
 * processes. See memtable.h. */
#include "ends.h"
#include "memtable.h"

#define PATIENCE (100 * OS_MS)
#define FOREIGN (1000 * OS_MS) /* after a foreign commit, how long more are expected, at first */
#define FOREIGN_MOST (60000 * OS_MS)  /* and at last */
#define FOREIGN_OFTEN (60000 * OS_MS) /* after a pause: who comes within it comes often */
#define STEP_BACK 60                  /* seconds */

bool memtable_is_past(const struct shared *shared, double time)
{
    uint64_t bits = ring_load(&ring_state(shared)->time);
    double latest;

    memcpy(&latest, &bits, sizeof latest);
    return time <= latest;
}

double memtable_time(struct shared *shared, double now)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t bits = ring_load(&m->time);
    double latest;

    memcpy(&latest, &bits, sizeof latest);
    /* A clock that was set back stands still for a minute at most. */
    if (latest > now && latest - now < STEP_BACK)
        return latest;
    memcpy(&bits, &now, sizeof bits);
    atomic_store_explicit(&m->time, bits, memory_order_relaxed);
    return now;
}

void memtable_settle_queue(struct shared *shared, uint64_t commits)
{
    struct shared_memtable *m = ring_state(shared);

    ring_release(&m->floor, ring_load(&m->tail));
    ring_release(&m->known, commits);
}

void memtable_settle_key(struct shared *shared, const struct memtable_key *key, bool queue,
                         uint64_t commits)
{
    if (!queue)
        ends_forget(shared, key);
    memtable_unlist(shared, key);
    ring_release(&ring_state(shared)->known, commits);
}

void memtable_settle(struct shared *shared, uint64_t commits)
{
    ends_forget_all(shared);
    memtable_settle_queue(shared, commits);
}

void memtable_own_commit(struct shared *shared, uint64_t commits)
{
    bool exists = memtable_exists(shared); /* else nobody makes one meanwhile */

    if (!shared->mapped || (exists && memtable_lock(shared, os_monotonic() + PATIENCE) < 0))
        return; /* it passes for a foreign one */
    memtable_settle(shared, commits);
    if (exists)
        memtable_unlock(shared);
}

/* A pause that was over when the next foreign commit came soon after was too short: the next is twice as
 * long. */
void memtable_note_foreign(struct shared *shared)
{
    struct shared_memtable *m = ring_state(shared);
    int64_t now = os_coarse(), seen = atomic_load(&m->foreign), age = os_minus(now, seen);
    int64_t pause = atomic_load(&m->pause);

    if (seen == 0 || age < 0 || age >= os_plus(FOREIGN_OFTEN, pause))
        pause = FOREIGN;
    else if (age >= pause)
        pause = pause < FOREIGN_MOST / 2 ? 2 * pause : FOREIGN_MOST;
    atomic_store(&m->pause, pause);
    atomic_store(&m->foreign, now);
}

bool memtable_was_foreign(const struct shared *shared)
{
    return shared->mapped && atomic_load(&ring_state(shared)->foreign) != 0;
}

bool memtable_is_shunned(const struct shared *shared)
{
    const struct shared_memtable *m = ring_state(shared);
    int64_t seen = atomic_load_explicit(&m->foreign, memory_order_relaxed);
    int64_t age = seen != 0 ? os_minus(os_coarse(), seen) : -1;

    return age >= 0 && age < atomic_load_explicit(&m->pause, memory_order_relaxed);
}
