/* store.h - an open directory in this process: its connections, its segment, its settings.
 *
 * All handles on one directory share one store (opened read-only and read-write: two). The list of
 * stores is the only global state of the library. */
#ifndef STORE_H
#define STORE_H

#include "file.h"
#include "guard.h"
#include "pool.h"
#include "schema.h"
#include "shared.h"

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
    struct dcache_setting *rested; /* rows of Settings as they were when all was in one file */
    size_t rested_count;
    struct stat rest; /* of the database then */
    bool use_shared;
    _Atomic bool journal_matched; /* the database is in the journal mode that the settings name */
    _Atomic bool gone; /* the directory was removed and could not be made anew: to be tried again */
    _Atomic unsigned fork_generation;
    _Atomic unsigned
        private_since;       /* generation of the pool, plus 1, in which nobody else could write */
    _Atomic int64_t looked;  /* when somebody last looked whether the database is still there */
    _Atomic uintptr_t owner; /* thread that began the transaction that is open; 0: none */

    struct pool pool;
};

/* Make a directory with a mode (0: 0700), and those above it as usual. One that is there is no error. */
int store_make_path(const char *directory, unsigned mode);

/* Find or make the store of a directory, which is one of so many shards, or 1. */
int store_open(const char *directory, const struct dcache_open_options *options, unsigned shards,
               struct store **ret_store);
void store_close(struct store *store);

/* Call first in each operation: after a fork the child gets its own of everything. */
int store_enter(struct store *store);

/* Whether this process is a child that has not entered the store yet. */
bool store_is_stale(const struct store *store);

/* Borrow a connection, waiting for one until `deadline`. Fails: TIMEOUT and what opening may. */
int store_borrow(struct store *store, int64_t deadline, struct db **ret_db);
void store_return(struct store *store, struct db *db);

/* For readers: the same, but of a directory that was still there a moment ago. Makes it anew if it
 * was not. */
int store_borrow_reader(struct store *store, int64_t deadline, struct db **ret_db);

/* Whether the directory was removed; within 50 ms, whether its database was. */
bool store_is_gone(struct store *store, struct db *db);

/* The directory or its database is gone: make it anew, in place, for all handles. `generation` is
 * that of the connection that noticed: if another thread has done it meanwhile, it is done. Called
 * with nothing held. */
int store_revive(struct store *store, unsigned generation, int64_t deadline);

/* Whether others may write to what this store reads (guard.h). Found out once, unless they may. */
int store_others_write(struct store *store, bool *ret_others);

/* Read the settings again if a process has changed them; outside of transactions. */
bool store_settings_current(struct store *store);
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
