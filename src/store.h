/* store.h - an open directory in this process: its connections, its segment, its settings.
 *
 * All handles on one directory share one store (opened read-only and read-write: two). The list of
 * stores is the only global state of the library. */
#ifndef STORE_H
#define STORE_H

#include "file.h"
#include "guard.h"
#include "heal.h"
#include "pool.h"
#include "rest.h"
#include "watch.h"

struct store {
    struct store *next;
    unsigned references;
    dev_t device; /* with inode and flags: the key in the list */
    ino_t inode;
    unsigned flags; /* DCACHE_READ_ONLY, DCACHE_NO_SHARED as asked for by the opener */
    char *path;     /* of the directory, absolute */
    char *db_path;
    unsigned shards; /* of which this is one: what a new one's share of the default limit is */
    struct files files;
    struct shared shared;
    struct settings settings;
    _Atomic uint32_t settings_epoch; /* of the segment, when settings were last read */
    bool read_only;
    _Atomic bool immutable; /* no log is beside the database and we may not make one: a snapshot */
    struct stat snapshot;   /* of the database then */
    struct rest rest;       /* as the open has found the database, if it was at rest */
    double timeout;         /* of the first opener: for what is put off until the first use */
    bool use_shared;
    _Atomic bool rebuild;         /* DCACHE_REBUILD, as an opener has asked for */
    _Atomic uint32_t rebuilds;    /* of the segment, when the database was opened */
    _Atomic bool journal_matched; /* the database is in the journal mode that the settings name */
    _Atomic bool gone; /* the directory was removed and could not be made anew: to be tried again */
    _Atomic unsigned fork_generation;
    _Atomic unsigned
        private_since;       /* generation of the pool, plus 1, in which nobody else could write */
    _Atomic int64_t looked;  /* when somebody last looked whether the database is still there */
    _Atomic uintptr_t owner; /* thread that began the transaction that is open; 0: none */

    struct pool pool;

    struct watch watch;
    _Atomic int64_t
        ticked; /* coarse: when a writer last looked whether the directory was removed */
    _Atomic uint32_t lookups;      /* in SQLite, while there is no ring */
    struct helper *_Atomic helper; /* helper.c */
};

/* Find or make the store of a directory, which is one of so many shards, or 1. If `*ret_store` is set
 * after a failure, it was there, and is to be left. */
int store_open(const char *directory, const struct dcache_open_options *options, unsigned shards,
               struct store **ret_store);

/* Leave it; true for the last, who has to free it when nobody is at work in it any more. */
bool store_leave(struct store *store);
void store_free(struct store *store);

/* The open directories one after the other, for who ends the process: `store` (NULL: begin) is left, and
 * the next one, or NULL, is handed back. */
struct store *store_next(struct store *store);

/* Grows with each fork. */
extern _Atomic unsigned store_forks;

/* Whether nobody has entered the store in this process: it is resting, or this is a child. */
static inline bool store_is_stale(const struct store *store)
{
    return atomic_load_explicit(&store->fork_generation, memory_order_acquire) !=
           atomic_load_explicit(&store_forks, memory_order_relaxed);
}

/* Call first in each operation. Who opens a directory at rest has looked at it, and no more: the first
 * operation comes into the segment. After a fork the child gets its own of everything. */
int store_start(struct store *store);
static inline int store_enter(struct store *store)
{
    return store_is_stale(store) ? store_start(store) : 0;
}

/* Borrow a connection, waiting for one until `deadline`. Fails: TIMEOUT and what opening may. */
int store_borrow(struct store *store, int64_t deadline, struct db **ret_db);
void store_return(struct store *store, struct db *db);

/* For readers: the same, but of a directory that was still there a moment ago. Makes it anew if it
 * was not. */
int store_borrow_reader(struct store *store, int64_t deadline, struct db **ret_db);

/* Whether settings and directory allow single keys to stay in the memtable for a while. */
static inline bool store_uses_memtable(struct store *store)
{
    const struct settings *s = &store->settings;

    if (store->read_only)
        return store->watch.view.mapped;
    return store->shared.mapped && s->memtable_size > 0 && s->journal == JOURNAL_WAL &&
           s->synchronous < 2 && store->journal_matched;
}

/* The segment with the memtable that a reader has to ask: of a read-only store, that of the writers,
 * if there are any. `*ret_views` (may be NULL) is to be compared with `watch.views` afterwards. */
struct shared *store_table(struct store *store, unsigned *ret_views);

/* Whether that may be asked at once: all is as it was when the directory and its settings were looked at
 * last, and that is not long ago. */
bool store_may_ask(struct store *store);

/* Have SQLite's commit counter seen from now on, if that can be: watch_commits(). */
void store_watch(struct store *store);

/* Whether it was removed, as far as that can be told without a system call each time: the clock that is
 * asked ticks every few milliseconds. */
bool store_seems_removed(struct store *store);

/* Whether the directory was removed; within 50 ms, whether its database was. */
bool store_is_gone(struct store *store, struct db *db);

/* The directory or its database is gone: make it anew, in place, for all handles. `generation` is
 * that of the connection that noticed: if another thread has done it meanwhile, it is done. Called
 * with nothing held. */
int store_revive(struct store *store, unsigned generation, int64_t deadline);

/* Whether others may write to what this store reads (guard.h). Found out once, unless they may. */
int store_others_write(struct store *store, bool *ret_others);

/* If the database is damaged, and to be rebuilt: move it aside and open an empty one, for all handles.
 * Called with nothing held. Fails: CORRUPT (it is not to be rebuilt, or is not damaged). */
int store_rebuild(struct store *store, int64_t deadline);

/* The same if a call has met damage since this was last asked; before others meet it. */
void store_heal(struct store *store, int64_t deadline);

/* Read the settings again if a process has changed them; outside of transactions. */
static inline bool store_settings_current(struct store *store)
{
    return atomic_load(&store->shared.segment->settings_epoch) ==
           atomic_load_explicit(&store->settings_epoch, memory_order_relaxed);
}
int store_refresh_settings(struct store *store, struct db *db);

/* All settings as the open has read them, once, if the database lies there as it did then: so whoever asks
 * right after opening needs no connection. False: they are to be read. */
bool store_take_rested(struct store *store, struct dcache_setting **ret_settings,
                       size_t *ret_count);

/* A setting has changed; connections whose pragmas are affected are opened anew. */
void store_settings_changed(struct store *store, bool reopen);

/* Whether this thread has a transaction open on the store (through any handle). */
bool store_owned_here(const struct store *store);
uintptr_t store_thread(void);

#endif
