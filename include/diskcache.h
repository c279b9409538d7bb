/* diskcache.h - a persistent cache in a directory: SQLite, value files, shared memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A cache is a directory. Any number of processes and threads may use it at once, through this
 * library, through Python's diskcache 5.6.3 (whose on-disk format this is) or, for reading,
 * through the sqlite3 shell.
 *
 *     dcache *c;
 *     struct dcache_value key = dcache_text("answer"), value = dcache_int(42);
 *     struct dcache_entry found;
 *
 *     if (dcache_open("/tmp/my-cache", NULL, &c) == 0) {
 *         dcache_set(c, &key, &value, NULL);
 *         if (dcache_get(c, &key, NULL, &found) == 0)
 *             printf("%lld\n", (long long)found.value.integer);
 *         dcache_entry_clear(&found);
 *         dcache_close(c);
 *     }
 *
 * Conventions
 *   - A function that can fail returns 0, or a negative status from the table below. What it hands
 *     back through `ret_...` is written only on success, except that a `struct dcache_entry` or
 *     `struct dcache_value` is emptied first, so that clearing it is right in either case.
 *   - Inputs are borrowed for the call. Outputs belong to the caller, who releases them with the
 *     `_clear`, `_free` or `_close` function named there; those accept NULL and what is empty.
 *   - Options may be NULL: then every field has its default, which is 0. Fill them with
 *     `DCACHE_OPTIONS(struct ...)`; the leading `struct_size` lets them grow.
 *   - Durations are in seconds, points in time in seconds since the epoch, sizes in bytes.
 *   - A `dcache *` may be used by any number of threads at once, a transaction too (its calls then
 *     run one after the other). An iterator belongs to one thread at a time.
 *   - Every call may fail with DCACHE_NOMEM, DCACHE_INVALID, DCACHE_SQLITE, DCACHE_IO or
 *     DCACHE_CORRUPT; every one that writes also with DCACHE_TIMEOUT, DCACHE_READONLY,
 *     DCACHE_FULL. These are not repeated below.
 *   - A call that fails has changed nothing, unless it says so.
 *   - Expiry goes by the clock of the wall, and by nothing else. An item is absent while that clock
 *     shows a time after its expire_time, and there again if the clock is set back, provided that
 *     no write has met it in between: one removes `cull_limit` of them at most. What has no expiry
 *     does not go because the clock jumps. Eviction happens for want of room only, whatever the
 *     clock shows; its order is that of the times that the clock showed.
 */
#ifndef DISKCACHE_H
#define DISKCACHE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DCACHE_VERSION_MAJOR 6
#define DCACHE_VERSION_MINOR 0
#define DCACHE_VERSION_PATCH 0
#define DCACHE_VERSION "6.0.0"
#define DCACHE_VERSION_NUMBER (6 * 1000000 + 0 * 1000 + 0)

#if defined(__GNUC__)
#define DCACHE_API __attribute__((visibility("default")))
#else
#define DCACHE_API
#endif

/* These take the address of a buffer, and read it only in the call that it is handed to later. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define DCACHE_ADDRESS_ONLY(argument) __attribute__((access(none, argument)))
#else
#define DCACHE_ADDRESS_ONLY(argument)
#endif

/* ---- status ------------------------------------------------------------------------------- */

/* 0 is success, a failure is negative. The numbers never change. */
#define DCACHE_ERRORS(X)                                                   \
    X(NOT_FOUND, -1, "no such key")                                        \
    X(TIMEOUT, -2, "timed out waiting for the cache lock")                 \
    X(EXISTS, -3, "the key is there already")                              \
    X(NOMEM, -4, "out of memory")                                          \
    X(IO, -5, "file system error, see sys_errno")                          \
    X(SQLITE, -6, "SQLite error, see sqlite_code")                         \
    X(CORRUPT, -7, "the database is damaged or is not a cache")            \
    X(READONLY, -8, "the cache is read-only")                              \
    X(FULL, -9, "the disk is full")                                        \
    X(TOO_BIG, -10, "the value is larger than the cache can hold")         \
    X(TYPE, -11, "the value is not of the type that the operation needs")  \
    X(RANGE, -12, "the result does not fit into 64 bits")                  \
    X(INVALID, -13, "invalid argument")                                    \
    X(GONE, -14, "the cache directory was removed")                        \
    X(FORKED, -15, "the transaction belongs to the parent process")        \
    X(CALLBACK, -16, "the caller's function reported an error")            \
    X(ABORTED, -17, "the transaction was rolled back by an earlier error") \
    X(NOT_OWNER, -18, "the lock is not held by who releases it")

enum dcache_status {
    DCACHE_OK = 0,
#define DCACHE_X(name, number, text) DCACHE_##name = (number),
    DCACHE_ERRORS(DCACHE_X)
#undef DCACHE_X
};

/* The text of a status from the table above, a constant; "unknown status" for any other number. */
DCACHE_API const char *dcache_strerror(int status);

/* What lies behind the last failure of a call in this thread, in the way of errno: a success does
 * not reset it. `text` says what was being done; it may name a file, never the contents of one. */
struct dcache_error {
    int status;      /* the status that was returned */
    int sqlite_code; /* SQLite's extended result code, 0 when SQLite was not the cause */
    int sys_errno;   /* errno, 0 when no system call was the cause */
    char text[240];
};
DCACHE_API const struct dcache_error *dcache_last_error(void);

/* The version of the library that is running: "6.0.0". DCACHE_VERSION is that of this header. */
DCACHE_API const char *dcache_version(void);

/* ---- values ------------------------------------------------------------------------------- */

/* Reads up to `size` bytes into `buffer`; returns how many, 0 at the end, negative on an error
 * (the operation then fails with DCACHE_CALLBACK). */
typedef ssize_t dcache_read_fn(void *arg, void *buffer, size_t size);

enum dcache_type {
    DCACHE_NONE = 0, /* nothing: as a tag, no tag; as a key or value, what Python calls None */
    DCACHE_INT,      /* integer */
    DCACHE_DOUBLE,   /* real; NaN and the infinities included */
    DCACHE_TEXT,     /* data, size: UTF-8, may hold NULs; what is not UTF-8 is DCACHE_INVALID */
    DCACHE_BYTES,    /* data, size */
    DCACHE_PICKLE,   /* data, size: a Python pickle; the library does not look inside */
    DCACHE_FD,       /* fd: everything from its position to its end, or, handed back, a file
                        opened for reading at its start. Values only, stored as bytes. */
    DCACHE_READER,   /* read, arg: a stream from the caller. Values only, stored as bytes. */
    DCACHE_STORED    /* stored: for bindings, see struct dcache_stored. Values only. */
};

struct dcache_stored;

struct dcache_value {
    enum dcache_type type;
    union {
        int64_t integer;
        double real;
        struct {
            const void *data;
            size_t size;
        };
        int fd;
        struct {
            dcache_read_fn *read;
            void *arg;
        };
        const struct dcache_stored *stored;
    };
};

static inline struct dcache_value dcache_none(void)
{
    struct dcache_value v;
    memset(&v, 0, sizeof v);
    return v;
}
static inline struct dcache_value dcache_int(int64_t integer)
{
    struct dcache_value v = dcache_none();
    v.type = DCACHE_INT;
    v.integer = integer;
    return v;
}
static inline struct dcache_value dcache_double(double real)
{
    struct dcache_value v = dcache_none();
    v.type = DCACHE_DOUBLE;
    v.real = real;
    return v;
}
DCACHE_ADDRESS_ONLY(2)
static inline struct dcache_value dcache_sized(enum dcache_type type, const void *data, size_t size)
{
    struct dcache_value v = dcache_none();
    v.type = type;
    v.data = data;
    v.size = size;
    return v;
}
static inline struct dcache_value dcache_text(const char *text)
{
    return dcache_sized(DCACHE_TEXT, text, strlen(text));
}
DCACHE_ADDRESS_ONLY(1)
static inline struct dcache_value dcache_bytes(const void *data, size_t size)
{
    return dcache_sized(DCACHE_BYTES, data, size);
}
static inline struct dcache_value dcache_fd(int fd)
{
    struct dcache_value v = dcache_none();
    v.type = DCACHE_FD;
    v.fd = fd;
    return v;
}
static inline struct dcache_value dcache_reader(dcache_read_fn *read, void *arg)
{
    struct dcache_value v = dcache_none();
    v.type = DCACHE_READER;
    v.read = read;
    v.arg = arg;
    return v;
}

/* A value as it lies in the columns of table Cache: for bindings whose own code turns objects into
 * stored values (a Python Disk subclass). Handed in, `filename` is a relative path in the cache
 * directory or NULL; the file is the cache's from then on, and is removed if the operation fails.
 * Handed out (DCACHE_AS_STORED), pointers live as long as the entry; the file that a pop or pull
 * leaves behind is then the caller's to remove with dcache_remove_file(). */
struct dcache_stored {
    int mode; /* 0 none, 1 raw, 2 binary file, 3 text file, 4 pickle */
    int64_t size;
    const char *filename;
    struct dcache_value value; /* NONE (SQL NULL), INT, DOUBLE, TEXT or BYTES */
};

/* One item of a cache, as get, pop, peek and iteration hand it back. All pointers live until
 * dcache_entry_clear(). */
struct dcache_entry {
    int status;            /* get_many: 0 or DCACHE_NOT_FOUND for this key */
    enum dcache_type kind; /* what the value is, also when it was not asked for or comes as fd */
    struct dcache_value key;
    struct dcache_value value;
    struct dcache_value tag; /* NONE: no tag */
    double store_time;
    double expire_time;   /* DCACHE_NEVER: does not expire */
    double access_time;   /* kept up to date under the policy least-recently-used */
    int64_t access_count; /* kept up to date under the policy least-frequently-used */
    int64_t rowid;        /* grows with insertion, kept when a value is replaced; 0: none yet, of
                             an item that waits in the memtable */
    int64_t size;         /* bytes of the value's file, 0 when it has none */
    const char *filename; /* of the value's file, relative to the directory, or NULL */
    void *owned;          /* private */
};

#define DCACHE_NEVER HUGE_VAL

/* Release what an entry holds (memory, and the descriptor of a DCACHE_FD) and empty it. */
DCACHE_API void dcache_entry_clear(struct dcache_entry *entry);

/* Take the descriptor out of an entry whose value is a DCACHE_FD; the caller closes it.
 * -1 when there is none. */
DCACHE_API int dcache_entry_take_fd(struct dcache_entry *entry);

/* Release a value that a call has handed back (a queue key, a setting). */
DCACHE_API void dcache_value_clear(struct dcache_value *value);

/* The order of keys and values: none < numbers < text < bytes < pickles, numbers by value whatever
 * their type (NaN first), the others by their bytes. Returns -1, 0 or 1. Streams and stored values
 * are not looked into: they come last, and equal one another. */
DCACHE_API int dcache_value_compare(const struct dcache_value *a, const struct dcache_value *b);

/* The hash that chooses a fanout shard, the same as 5.6.3's: the shard is hash mod shards. For
 * INT the key modulo 0xFFFFFFFF, else adler32 of the stored key's bytes. */
DCACHE_API uint32_t dcache_hash(const struct dcache_value *key);

#define DCACHE_OPTIONS(type)        \
    {                               \
        .struct_size = sizeof(type) \
    }

/* ---- open and close ------------------------------------------------------------------------ */

typedef struct dcache dcache; /* an open directory, or a transaction on one */

/* A setting: one of
 *   statistics 0            count hits and misses
 *   tag_index 0             keep an index for tags: evict(tag) and iteration by tag are then fast
 *   eviction_policy         "least-recently-stored" (default), "least-recently-used",
 *                           "least-frequently-used" or "none"
 *   size_limit 2^30         bytes of database and files above which items are evicted
 *   cull_limit 10           how many items one write may expire or evict; 0: only cull() does
 *   sqlite_auto_vacuum 1, sqlite_cache_size 2^13 (pages), sqlite_journal_mode "wal",
 *   sqlite_mmap_size 2^26 (bytes), sqlite_synchronous 1
 *                           PRAGMAs of the same names; a database is mapped only once it has more
 *                           pages than sqlite_cache_size
 *   disk_min_file_size 2^15 values from so many bytes (text: characters) on are files
 *   disk_pickle_protocol 5  for Python
 *   checksums 0             1: values that are stored from now on have a checksum, in the name of their
 *                           file, or in a column of their row. Whoever reads such a value compares
 *                           (before he gets a descriptor of it); if it differs, the value is missing.
 *                           dcache_check() compares in any case. (5.6.3 does not, and what it
 *                           stores has none.)
 *   deque_maxlen -1         how many items the cache may have after a push to the queue NULL: those
 *                           beyond go, from the other side; -1: any number
 *   memtable_size 2^25      bytes of shared memory, at most, in which small values wait some 20 ms for
 *                           SQLite; 0: each write goes there at once. 64 KiB to 1 GiB make sense,
 *                           and are taken as they are used; what is read stays in it too, so it
 *                           should have room for twice what is used all the time. Beyond 32 MiB it
 *                           does not grow while a process has the cache open that is limited in its
 *                           addresses (RLIMIT_AS). Foreign processes and who opens with
 *                           NO_SHARED see a write within 50 ms, all others at once. The shards of
 *                           a fanout share it.
 * or any other name: kept, and nothing else (programs rely on that; see dcache_setting_known). */
struct dcache_setting {
    const char *name;
    struct dcache_value value; /* INT, DOUBLE, TEXT, BYTES or NONE */
};

enum dcache_open_flags {
    DCACHE_READ_ONLY = 1,    /* nothing is written, not even beside the database */
    DCACHE_NO_CREATE = 2,    /* fail with DCACHE_NOT_FOUND where there is no cache yet */
    DCACHE_NO_SHARED = 4,    /* use no shared memory and no WAL, as on network file systems, where
                             this is chosen by itself */
    DCACHE_LEAVE_FILES = 8,  /* see dcache_take_left() */
    DCACHE_NAME_EVICTED = 16 /* see dcache_take_left() */
};

enum dcache_on_corruption {
    DCACHE_RAISE = 0,  /* what meets damage fails with DCACHE_CORRUPT, and nothing is changed */
    DCACHE_REBUILD = 1 /* the damaged database is moved aside, and the cache is empty */
};

struct dcache_open_options {
    size_t struct_size;
    unsigned flags;
    double timeout; /* longest wait of any call for locks, in seconds; 0: 60; negative: do not
                        wait. It is the default of transactions too. */
    unsigned directory_mode;               /* 0: 0700, for directories that are made */
    unsigned file_mode;                    /* 0: 0600, for files that are made */
    const struct dcache_setting *settings; /* stored if they differ from what is there; checked */
    size_t settings_count;                 /* before any is stored */
    enum dcache_on_corruption on_corruption;
};

/* Open the cache in `directory`, making both if need be. Opening one that is there and whose
 * settings do not change writes nothing. The same directory opened twice shares connections.
 * A read-only directory opens as with DCACHE_READ_ONLY. Fails: NOT_FOUND, TIMEOUT, CORRUPT (what is
 * there is no cache), INVALID (a setting has no meaning). Nothing is left behind by a failure,
 * except that a new directory may be there, with a database in it that has no tables yet. */
DCACHE_API int dcache_open(const char *directory, const struct dcache_open_options *options,
                           dcache **ret_cache);

/* on_corruption, DCACHE_REBUILD: when opening, or a call, meets what SQLite says is damage, the whole
 * database is checked, under the write lock. If it is damaged it is renamed to cache.db-damaged-1 (2 and
 * so on; the ninth is replaced), with its log, and an empty one takes its place, with the settings of the
 * process that does it. Every process of this library that has the directory open goes on with the new
 * one from its next call on (without shared memory: within 50 ms). Value files stay until the next
 * dcache_check() with `fix`. Opening, get, contains, set and add then go on; of another call, the first to
 * meet the damage fails with CORRUPT. Nothing is moved if it is no database of a cache, if it is only
 * read, or in a transaction. It counts for all handles of this process on the directory. */

/* Close a handle; the last one of a directory closes its connections. Its transactions must have
 * ended. Not for transactions: a transaction is rolled back by it. */
DCACHE_API void dcache_close(dcache *cache);

/* The absolute path of the directory. Lives as long as the handle. */
DCACHE_API const char *dcache_directory(const dcache *cache);

/* Whether writes are refused: opened so, or the directory allows no other. */
DCACHE_API int dcache_is_read_only(const dcache *cache);

/* Whether users other than this one and root may write to the directory, the database or what lies
 * beside it, by owner and mode: then what is read may be anybody's, and a pickle is code. 1 or 0.
 * A group that has no member but this user does not count; the directories above are not looked at.
 * Looked at once; again when the directory was made anew, or while the answer is 1. Not for
 * transactions. Fails: IO. */
DCACHE_API int dcache_others_write(dcache *cache);

/* Current value of a setting, from the database. Fails: NOT_FOUND. Release with
 * dcache_value_clear(). */
DCACHE_API int dcache_setting_get(dcache *cache, const char *name, struct dcache_value *ret_value);

/* Change a setting, for all processes, now (5.6.3: when it next opens). Fails: INVALID. */
DCACHE_API int dcache_setting_set(dcache *cache, const char *name,
                                  const struct dcache_value *value);

/* All settings in the order of their names, without the counters. Release the array with
 * dcache_settings_free(). */
DCACHE_API int dcache_settings(dcache *cache, struct dcache_setting **ret_settings,
                               size_t *ret_count);
DCACHE_API void dcache_settings_free(struct dcache_setting *settings, size_t count);

/* 1 if `name` is a setting with a meaning, else 0 (worth a warning to a user who gives it). */
DCACHE_API int dcache_setting_known(const char *name);

/* ---- fanout: one cache in several directories ------------------------------------------------ */

/* Open a cache whose items are spread over shards, `directory`/000, 001 and so on, each with its own
 * lock: writers of different shards do not wait for one another. It is used as any other cache, and
 * closed with dcache_close(); its files are those of 5.6.3's FanoutCache. `shards` is for a new
 * directory (0: 8, at most 1000); one that is there keeps its number. `options` are for each shard,
 * but `size_limit`, there and in dcache_setting_get() and _set(), is that of the whole, of which each
 * shard has an equal share: a value larger than that is TOO_BIG.
 * Fails: as dcache_open(); NOT_FOUND, where nothing is to be made and there are no shards.
 *
 * What is different in a cache of several directories:
 *   - set_many, delete_many and transactions take the locks of their shards in order, so that no two
 *     wait for each other for ever. They commit shard after shard: each is atomic, and the whole
 *     unless the process dies, or a disk fails, between two commits. get_many is a snapshot of each.
 *   - What is done to the whole cache, a setting included, is done to shard after shard; what was done
 *     before a failure stays done. dcache_check() and dcache_backup() leave named caches out.
 *   - Iteration by insertion goes shard by shard, and a rowid is of its shard; by key it goes over
 *     all of them.
 *   - Queues, peekitem and popitem have no meaning: INVALID. (Use a cache of their own.)
 *   - dcache_rename() to a key of another shard copies the value, into a new place by insertion; what
 *     fails between the two commits leaves it under both keys.
 *   - Files of stored values (DCACHE_STORED) are in the directory of the key's shard;
 *     dcache_remove_file() wants that.
 *   - Numbers that are equal are one key, as in a single directory: 1.0 is kept where 1 is. 5.6.3
 *     keeps it elsewhere, perhaps both: such an item is found, and brought home by the first write
 *     (the one stored last, of two). Until then, of two a get sees the one that 5.6.3 would see under
 *     that key, and walks and counts see both. */
DCACHE_API int dcache_open_fanout(const char *directory, int shards,
                                  const struct dcache_open_options *options, dcache **ret_cache);

/* How many shards a cache has; 0: it is a single directory. */
DCACHE_API int dcache_shard_count(const dcache *cache);

/* A shard as a cache of its own, and of a transaction the part in that shard; of a single directory
 * that itself, as number 0. It lives as long as `cache`, and is not to be closed, committed or
 * rolled back. NULL: there is none with that number. */
DCACHE_API dcache *dcache_shard(dcache *cache, int number);

/* The shard of a key: for what is to happen in one transaction on that key and does not need the
 * others. */
DCACHE_API dcache *dcache_shard_for(dcache *cache, const struct dcache_value *key);

/* Open a cache of its own in the directory of a fanout: `kind` is "cache", "deque" or "index" (the
 * last two without eviction unless `options` name a policy), `name` one or more names with slashes
 * between them; it is in the directory kind/name. To be closed before or after `cache`.
 * Fails: as dcache_open(); INVALID (`cache` is no fanout or a transaction; a name is empty, "." or
 * ".."). */
DCACHE_API int dcache_open_named(dcache *cache, const char *kind, const char *name,
                                 const struct dcache_open_options *options, dcache **ret_cache);

/* ---- transactions -------------------------------------------------------------------------- */

/* Begin a transaction: no other process or handle writes until it ends, and no one sees what is
 * done through `*ret_txn` until it is committed. Use that handle in place of the cache in any call
 * below. Begun on a transaction it is a nested one, and the outer handle refuses (INVALID) until it
 * has ended. It belongs to whoever holds the handle, not to a thread; but a thread that has begun
 * one and asks for the same cache through another handle gets TIMEOUT at once, with EDEADLK as the
 * sys_errno of dcache_last_error(): trying again is in vain.
 * With a memtable, a foreign process (5.6.3, the sqlite3 shell) that is the first of its kind and comes
 * while the transaction is open may write meanwhile; with memtable_size 0 none does. The commit
 * may then have to wait for it: TIMEOUT, and the transaction is rolled back.
 * `timeout` in seconds, negative: that of the cache. After a fork, the child's copy is FORKED. */
DCACHE_API int dcache_begin(dcache *cache, double timeout, dcache **ret_txn);

/* Make the transaction durable and visible (a nested one: part of the outer). The handle is
 * released in any case but one: while an inner transaction is open, nothing happens (INVALID).
 * If it fails otherwise, everything in the transaction is undone. Fails: ABORTED, GONE, TIMEOUT (see
 * dcache_begin()). */
DCACHE_API int dcache_commit(dcache *txn);

/* Undo everything in the transaction and release the handle. Inner ones that are open, and not in use
 * by another thread, are undone too: their handles are then ABORTED, and still to be released. */
DCACHE_API void dcache_rollback(dcache *txn);

/* ---- single keys --------------------------------------------------------------------------- */

enum dcache_flags {
    /* set, add, push, incr */
    DCACHE_PINNED = 1,      /* no eviction policy takes this item; 5.6.3, which takes ten items at a
                               time, only when there are hardly any others */
    DCACHE_MUST_EXIST = 2,  /* incr: NOT_FOUND rather than beginning from `initial` */
    DCACHE_KEEP_EXPIRE = 4, /* touch, set: keep the expiry that a live item has (incr does) */
    /* get, pop */
    DCACHE_FILE_AS_FD =
        8, /* bytes and text that are in a file as a descriptor, for who has a place to read
                              them to; anything else, and all in a cache with checksums, as a value */
    /* get, pop, pull, peek, iterate */
    DCACHE_AS_FD = 16,      /* the value as a descriptor, whatever its kind and size */
    DCACHE_AS_STORED = 32,  /* the value as a struct dcache_stored */
    DCACHE_NO_VALUE = 64,   /* everything but the value */
    DCACHE_NO_ACCESS = 128, /* get: look only; neither statistics nor the policy take note */
    /* iterate */
    DCACHE_REVERSE = 256,
    DCACHE_LIVE_ONLY = 512,     /* leave out expired items */
    DCACHE_EXPIRED_ONLY = 1024, /* only expired items */
    DCACHE_KEYS_ONLY = 2048     /* keys and nothing else: for dcache_iter_keys() */
};

struct dcache_set_options {
    size_t struct_size;
    unsigned flags;
    double expire;    /* seconds from now; 0: never; negative: expired already. NaN is INVALID. */
    double expire_at; /* point in time, instead of `expire` */
    const struct dcache_value *tag; /* NULL or NONE: no tag; else INT, DOUBLE, TEXT, BYTES */
};

struct dcache_get_options {
    size_t struct_size;
    unsigned flags;
};

/* Store `value` under `key`, replacing what was there. If it fails, the key has its old value and
 * no new file is left. (A crash may leave a stray file, never a row without one; dcache_check()
 * removes it.) If `size_limit` is exceeded, other items are evicted, never this one.
 * On a full disk, with a policy other than "none", as much is evicted as the value takes, and it is
 * tried once more; what was evicted stays so even if that fails (not of a stream, nor in a transaction,
 * nor with DCACHE_LEAVE_FILES, nor where there is no room for the log of the eviction itself: FULL).
 * Fails: TOO_BIG (more than `size_limit`, with a policy other than "none"), CALLBACK. */
DCACHE_API int dcache_set(dcache *cache, const struct dcache_value *key,
                          const struct dcache_value *value,
                          const struct dcache_set_options *options);

/* As dcache_set(), but only if there is no live item. Fails: EXISTS, and as dcache_set(). */
DCACHE_API int dcache_add(dcache *cache, const struct dcache_value *key,
                          const struct dcache_value *value,
                          const struct dcache_set_options *options);

/* Look an item up. Takes no lock and writes nothing. Fails: NOT_FOUND (also when it has expired,
 * or when its file is missing or shorter than recorded). */
DCACHE_API int dcache_get(dcache *cache, const struct dcache_value *key,
                          const struct dcache_get_options *options, struct dcache_entry *ret_entry);

/* 0 if dcache_get() would find the key, else NOT_FOUND. Does not count as an access. */
DCACHE_API int dcache_contains(dcache *cache, const struct dcache_value *key);

/* Give a live item a new expiry: that of `options`, where none means never (5.6.3 does so), and
 * DCACHE_KEEP_EXPIRE leaves it. Fails: NOT_FOUND. */
DCACHE_API int dcache_touch(dcache *cache, const struct dcache_value *key,
                            const struct dcache_set_options *options);

struct dcache_incr_options {
    size_t struct_size;
    unsigned flags;
    const struct dcache_value *initial; /* INT or DOUBLE; NULL: 0 */
    double expire;                      /* these three only for a new item */
    double expire_at;
    const struct dcache_value *tag;
};

/* Add `delta` (INT or DOUBLE; negative to decrement) to a number, atomically, and hand back the
 * sum; a missing or expired item begins from `initial`. An existing one keeps expiry and tag.
 * Fails: TYPE (the value is no number: text, bytes, a pickle or a file), RANGE (int64 overflow),
 * NOT_FOUND (with DCACHE_MUST_EXIST). */
DCACHE_API int dcache_incr(dcache *cache, const struct dcache_value *key,
                           const struct dcache_value *delta,
                           const struct dcache_incr_options *options,
                           struct dcache_value *ret_value);

/* Remove an item and hand it back. Fails: NOT_FOUND. */
DCACHE_API int dcache_pop(dcache *cache, const struct dcache_value *key,
                          const struct dcache_get_options *options, struct dcache_entry *ret_entry);

/* Remove an item. Fails: NOT_FOUND (also when it has expired; then nothing is removed). */
DCACHE_API int dcache_delete(dcache *cache, const struct dcache_value *key);

/* Give a live item another key. Value, file, times, tag and place by insertion stay; nothing is
 * copied. Fails: NOT_FOUND, EXISTS (there is a live item with the new key; a dead one goes). */
DCACHE_API int dcache_rename(dcache *cache, const struct dcache_value *key,
                             const struct dcache_value *new_key);

/* ---- many keys, in one transaction --------------------------------------------------------- */

/* Look up `count` keys in one snapshot. `ret_entries` has room for `count`; each gets its status.
 * Clear each of them, also after a failure. */
DCACHE_API int dcache_get_many(dcache *cache, const struct dcache_value *keys, size_t count,
                               const struct dcache_get_options *options,
                               struct dcache_entry *ret_entries);

/* Store `count` items: all or, on a failure, none. */
DCACHE_API int dcache_set_many(dcache *cache, const struct dcache_value *keys,
                               const struct dcache_value *values, size_t count,
                               const struct dcache_set_options *options);

/* Remove those of `count` keys that are there; `ret_deleted` (may be NULL) says how many. */
DCACHE_API int dcache_delete_many(dcache *cache, const struct dcache_value *keys, size_t count,
                                  int64_t *ret_deleted);

/* ---- queues -------------------------------------------------------------------------------- */

enum dcache_side { DCACHE_FRONT = 0, DCACHE_BACK = 1 };

/* Append a value to a side of the queue `prefix` (NULL: the queue whose keys are integers from
 * 500000000000000 on; else text keys "prefix-500000000000000"). Note that a user's own integer
 * key between 0 and 999999999999999 is an item of the queue NULL. `ret_key` may be NULL; else
 * release it with dcache_value_clear(). Fails: RANGE (the numbers are used up), TOO_BIG. */
DCACHE_API int dcache_push(dcache *cache, const char *prefix, enum dcache_side side,
                           const struct dcache_value *value,
                           const struct dcache_set_options *options, struct dcache_value *ret_key);

/* Append `count` values at a side, one after the other, in one transaction: all or, on a failure,
 * none. (So at DCACHE_FRONT they come to lie in reverse.) Fails: as dcache_push(). */
DCACHE_API int dcache_push_many(dcache *cache, const char *prefix, enum dcache_side side,
                                const struct dcache_value *values, size_t count,
                                const struct dcache_set_options *options);

/* Remove and hand back the first live item from a side of a queue; expired ones, and ones whose
 * file is missing, are dropped on the way. Each item goes to exactly one caller.
 * Fails: NOT_FOUND (the queue is empty). */
DCACHE_API int dcache_pull(dcache *cache, const char *prefix, enum dcache_side side,
                           const struct dcache_get_options *options,
                           struct dcache_entry *ret_entry);

/* As dcache_pull(), but the item stays. (Writes only if there is something to drop.) */
DCACHE_API int dcache_peek(dcache *cache, const char *prefix, enum dcache_side side,
                           const struct dcache_get_options *options,
                           struct dcache_entry *ret_entry);

/* The item that is `index` (from 0) items from a side. In logarithmic time if the cache holds the
 * queue NULL and nothing else, in keys without gaps (as it does until an item that is at neither end
 * is removed); else the keys are counted. Expired items count, too. Fails: NOT_FOUND (the queue is
 * shorter, or that item has expired or lost its file). */
DCACHE_API int dcache_peek_at(dcache *cache, const char *prefix, enum dcache_side side,
                              int64_t index, const struct dcache_get_options *options,
                              struct dcache_entry *ret_entry);

/* The item inserted last (DCACHE_BACK) or first (DCACHE_FRONT), of the whole cache, as
 * dcache_peek(). */
DCACHE_API int dcache_peekitem(dcache *cache, enum dcache_side side,
                               const struct dcache_get_options *options,
                               struct dcache_entry *ret_entry);

/* Remove and hand back that item. Each goes to exactly one caller. Fails: NOT_FOUND (there is
 * none). */
DCACHE_API int dcache_popitem(dcache *cache, enum dcache_side side,
                              const struct dcache_get_options *options,
                              struct dcache_entry *ret_entry);

/* ---- iteration ----------------------------------------------------------------------------- */

enum dcache_order { DCACHE_BY_INSERTION = 0, DCACHE_BY_KEY = 1 };

struct dcache_iter_options {
    size_t struct_size;
    unsigned flags;
    enum dcache_order order;
    const struct dcache_value *prefix; /* TEXT or BYTES: only keys of this type that begin so */
    const struct dcache_value *tag;    /* only items with this tag (NONE: only those without) */
    const struct dcache_value *start;  /* BY_KEY: keys from here ... */
    const struct dcache_value *stop;   /* ... to before here (numbers < text < bytes) */
};

typedef struct dcache_iter dcache_iter;

/* Walk over the items. No lock or transaction is held between calls, so writers go on: an item
 * that is there during the whole walk comes exactly once, one that comes or goes meanwhile at most
 * once; by insertion, items inserted after the beginning do not come. Expired items come too,
 * unless the flags say otherwise. The cache must stay open longer than the iterator. */
DCACHE_API int dcache_iter_open(dcache *cache, const struct dcache_iter_options *options,
                                dcache_iter **ret_iter);

/* The next item; the entry's former contents are not cleared. Fails: NOT_FOUND (the end). */
DCACHE_API int dcache_iter_next(dcache_iter *iter, struct dcache_entry *ret_entry);

/* The keys of the next items, at least one and up to `room` of them: several times faster than item
 * by item, and for iterators opened with DCACHE_KEYS_ONLY, as dcache_iter_next() is for the others
 * (INVALID otherwise). The keys live until the next call on the iterator. Fails: NOT_FOUND (the
 * end). */
DCACHE_API int dcache_iter_keys(dcache_iter *iter, struct dcache_value *ret_keys, size_t room,
                                size_t *ret_count);
DCACHE_API void dcache_iter_close(dcache_iter *iter);

/* ---- the cache as a whole ------------------------------------------------------------------ */

/* Each of these works in batches of a bounded size, so that other writers are not held up for
 * long; what was removed before a failure stays removed, and `ret_removed` (may be NULL) counts
 * it, on failure too. */

/* Remove all items that have expired by `now` (0: the present). */
DCACHE_API int dcache_expire(dcache *cache, double now, int64_t *ret_removed);

/* Remove all items with a tag. */
DCACHE_API int dcache_evict(dcache *cache, const struct dcache_value *tag, int64_t *ret_removed);

/* Remove expired items, then by policy until the volume is within `size_limit`. */
DCACHE_API int dcache_cull(dcache *cache, int64_t *ret_removed);

/* Remove everything, files that no row names included. Settings stay. */
DCACHE_API int dcache_clear(dcache *cache, int64_t *ret_removed);

/* How many items there are, expired ones included. */
DCACHE_API int dcache_count(dcache *cache, int64_t *ret_count);

/* Bytes: pages of the database plus value files. */
DCACHE_API int dcache_volume(dcache *cache, int64_t *ret_bytes);

struct dcache_stats {
    int64_t hits; /* of get, while the setting `statistics` is on */
    int64_t misses;
    int64_t evictions;  /* items taken by the policy since the cache was made, or a reset */
    int64_t count;      /* items, expired ones included */
    int64_t expired;    /* of these, how many have expired */
    int64_t file_bytes; /* in value files */
    int64_t db_bytes;   /* pages of the database */
    int64_t wal_bytes;  /* of the write-ahead log beside it */
    int64_t timeouts;   /* writes that gave up with TIMEOUT since the cache was made, or a reset */
    int64_t damaged;    /* reads that met a value file which is not as it was written, since then */
};

/* `reset` 1: set hits, misses, evictions, timeouts and damaged back to 0 after reading them. */
DCACHE_API int dcache_stats(dcache *cache, int reset, struct dcache_stats *ret_stats);

/* Give free pages of the database back to the file system (VACUUM), and empty the log. */
DCACHE_API int dcache_compact(dcache *cache);

/* Make a consistent copy in `directory`, which must be empty or not be there yet, while others read
 * and write. Value files are immutable; they are linked where possible, else copied.
 * Fails: EXISTS. What was made is removed on failure. */
DCACHE_API int dcache_backup(dcache *cache, const char *directory);

enum dcache_problem_kind {
    DCACHE_PROBLEM_DATABASE = 1, /* PRAGMA integrity_check reports */
    DCACHE_PROBLEM_MISSING,      /* a row's file is not there: fixed by removing the row */
    DCACHE_PROBLEM_SIZE,         /* a file is longer than its row says: the row is corrected, or
                                    removed if the file is not as it was written */
    DCACHE_PROBLEM_TRUNCATED,    /* a file is shorter than its row says: the row is removed */
    DCACHE_PROBLEM_STRAY,        /* a value file that no row names: removed */
    DCACHE_PROBLEM_EMPTY_DIR,    /* an empty directory of the value files: removed */
    DCACHE_PROBLEM_COUNT,        /* the counter `count` is wrong: corrected */
    DCACHE_PROBLEM_TOTAL,        /* the counter `size` is wrong: corrected */
    DCACHE_PROBLEM_UNKNOWN,      /* not of the layout of a cache: left alone */
    DCACHE_PROBLEM_DAMAGED       /* a file has other bytes than were written: it and its row
                                    are removed */
};

struct dcache_problem {
    enum dcache_problem_kind kind;
    int fixed;
    char *text; /* what and where, one line */
};

struct dcache_report {
    struct dcache_problem *problems;
    size_t count;
};

/* Look for disagreement between rows and files and in the database. With `fix`, mend it: a write
 * that is going on, here or in another process, is never repaired away (a stray file that could be
 * a write of 5.6.3 going on is left until it is ten minutes old, and not reported). Returns 0 when
 * it could look, whatever it found. */
DCACHE_API int dcache_check(dcache *cache, int fix, struct dcache_report *ret_report);
DCACHE_API void dcache_report_clear(struct dcache_report *report);

/* What the writes through a handle have left behind, if it was opened so:
 *   DCACHE_LEAVE_FILES   the files of items that were removed or replaced, which then are not removed
 *                        but named: for bindings that do so themselves
 *   DCACHE_NAME_EVICTED  the keys of items that a policy took: to follow what becomes of them
 * Of other handles and processes nothing is named, and of a transaction after its commit. */
struct dcache_left {
    char *filename; /* of a file that is the caller's to remove, or NULL: `key` was evicted */
    int shard;      /* of a fanout: in which of them */
    struct dcache_value key;
};

/* Take what there is since this was last called (of a transaction's handle: nothing). Release it with
 * dcache_left_free(). Files that nobody has taken are removed when the handle is closed. */
DCACHE_API int dcache_take_left(dcache *cache, struct dcache_left **ret_left, size_t *ret_count);
DCACHE_API void dcache_left_free(struct dcache_left *left, size_t count);

/* For bindings, in whose place a C library cannot look for signals: while a call of this thread waits for
 * others, other than for opening a directory anew, `check` is called up to ten times a second; if it
 * returns other than 0, the call ends with DCACHE_CALLBACK. It must not use a cache itself: this one may
 * be locked. NULL: no longer. */
typedef int dcache_wait_fn(void *arg);
DCACHE_API void dcache_on_wait(dcache_wait_fn *check, void *arg);

/* For bindings: remove a value file that DCACHE_AS_STORED left to the caller. */
DCACHE_API int dcache_remove_file(dcache *cache, const char *filename);

#ifdef __cplusplus
}
#endif
#endif
