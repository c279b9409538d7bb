/* watch.h - what a process keeps beside its segment to read the memtable: where SQLite counts commits,
 * the segment of the writers if it may not write itself, and that of a directory that was removed. */
#ifndef WATCH_H
#define WATCH_H

#include "memtable.h"
#include "pool.h"

struct watch {
    pthread_mutex_t mutex; /* of what follows, for who changes it */
    /* In memory that stays mapped for good. That it counts, a connection of its own sees to, which is open
     * as long. */
    const _Atomic uint32_t *_Atomic commits;
    struct db *db;
    bool borrowed; /* it is SQLite's own mapping, since there could be no other (under valgrind) */
    struct db *retired;     /* connections that keep such mappings, which may still be looked at */
    struct shared view;     /* the writers' segment, or none */
    _Atomic unsigned views; /* grows when that becomes another */
    struct shared *_Atomic rescued;
};

void watch_init(struct watch *watch);

/* In a child: the connection is the parent's. */
void watch_forget(struct watch *watch);
void watch_destroy(struct watch *watch);

/* SQLite's commit counter as a reader sees it, DB_NO_COMMITS if it cannot be seen (yet). */
static inline uint64_t watch_commits(const struct watch *watch)
{
    const _Atomic uint32_t *index = atomic_load_explicit(&watch->commits, memory_order_acquire);

    return index ? vfs_commits(index) : DB_NO_COMMITS;
}

/* Have it seen through a connection that has read something. False: it cannot be. */
bool watch_begin(struct watch *watch, struct db *db);
void watch_end(struct watch *watch);

/* The segment that writers have in a directory just now; one that is not mapped if there is none. */
struct shared *watch_view(struct watch *watch, int dir, unsigned *ret_views);

/* What the memtable of a directory that was removed holds has been acknowledged, some of it perhaps after
 * the directory was removed: it stays mapped, until drain.c has brought it to the new directory. With
 * the append lock, so that no thread of ours is writing to it. */
void watch_rescue(struct watch *watch, const struct shared *shared);
void watch_drop_rescued(struct watch *watch);

/* The segment is still there, as when only the database was replaced, or making the directory failed: its
 * records need no rescue, but what is clean in it is of another database. Lets go of the append lock,
 * which was taken under another slot. */
void watch_keep_segment(struct watch *watch, struct shared *shared, uint32_t old_slot);

#endif
