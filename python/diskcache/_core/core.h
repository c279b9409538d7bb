/* core.h - the extension diskcache._core: Python objects to C values and back, the GIL, exceptions.
 *
 * Everything here holds the GIL but where it says so. Each call of the library that can block runs
 * without it: it is let go once and taken back once (CALL_UNLOCKED).
 *
 * A method reads from top to bottom: arguments, call_begin(), key and value in, the library, value
 * out, call_end(). A function that fails returns -1 or NULL with a Python exception; the library's
 * statuses stay what they are until errors_raise(). */
#ifndef CORE_H
#define CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <diskcache.h>
#include <stdbool.h>

#if PY_VERSION_HEX < 0x030A0000
static inline PyObject *Py_NewRef(PyObject *object)
{
    Py_INCREF(object);
    return object;
}
static inline PyObject *Py_XNewRef(PyObject *object)
{
    Py_XINCREF(object);
    return object;
}
#endif

/* ---- module.c: what there is once for each interpreter ---- */

/* References and nothing else: module.c goes through them as an array. */
struct state {
    PyObject *timeout; /* diskcache.Timeout */
    PyObject *unsafe;  /* diskcache.UnsafeDirectoryError */
    PyObject *sqlite_error, *operational_error, *database_error, *unsupported; /* of sqlite3 */
    PyObject *dumps, *loads, *unpickling_error, *optimize, *aliases;
    PyObject *fileio, *buffered_reader;
    PyObject *transactions; /* ContextVar: the innermost transaction of a task or thread */
    PyTypeObject *cache_type, *iter_type, *txn_type, *stats_type, *reader_type, *seal_type;
    /* interned */
    PyObject *s_protocol, *s_put, *s_get, *s_store, *s_fetch, *s_remove, *s_aliases;
    PyObject *s_total_seconds, *s_name;
};

struct state *module_state(PyObject *module);

/* Whether an object is a Cache or FanoutCache. */
bool cache_check(PyObject *object);

/* The types, each in its file. */
extern PyType_Spec cache_spec, iter_spec, txn_spec;
extern PyStructSequence_Desc stats_desc;

/* ---- errors.c ---- */

/* Raise what a status means; `key` (may be NULL) is the argument of a KeyError. Returns NULL. With
 * DCACHE_CALLBACK the exception is there already. */
PyObject *errors_raise(struct state *state, int status, PyObject *key);

/* ---- args.c ---- */

#define ARGS_MOST 8

struct args_spec {
    const char *function;
    int required;
    int positional;                   /* the rest are for keywords only */
    const char *names[ARGS_MOST + 1]; /* NULL at the end */
};

/* Arguments of a vectorcall into `ret`, in the order of the names; NULL for what is not given. */
int args_parse(const struct args_spec *spec, PyObject *const *args, Py_ssize_t nargs,
               PyObject *kwnames, PyObject **ret);
int args_bool(PyObject *given, bool otherwise, bool *ret);
int args_side(PyObject *given, enum dcache_side otherwise, enum dcache_side *ret);

/* Seconds from a number or a timedelta, as the library takes them: 0 for None. */
int args_expire(struct state *state, PyObject *given, double *ret);

/* What SQLite can keep as it is: None, int, float, str, bytes or a buffer. The value borrows from
 * `given`, or from `*ret_owned`. */
int args_plain(struct state *state, PyObject *given, struct dcache_value *ret,
               PyObject **ret_owned);

/* ---- opened.c: what is open, and calls on it ---- */

/* An open directory. The cache object, its transactions and iterators and the calls that are under
 * way share it; the last one closes. */
struct handle {
    dcache *cache;
    Py_ssize_t users;
    struct idle *idle;
};

/* What get() does about a value that cannot be decoded. */
enum on_decode_error { DECODE_RAISE, DECODE_MISS, DECODE_DELETE };

/* What a Disk without hooks has of its own, by the names of its attributes (with an underscore before
 * them); NULL: as Disk has it. References and nothing else: cache.c goes through them as an array. */
struct coding {
    PyObject *loads;  /* what makes a value of what `dumps` has made; NULL: pickle.loads */
    PyObject *seal;   /* keys and values that are not plain are signed by it; NULL: nothing is */
    PyObject *dumps;  /* what makes bytes of a value that is not plain; NULL: pickle.dumps */
    PyObject *shrink; /* makes fewer bytes of a long text or bytes, or None */
    PyObject *marker; /* what the bytes of `dumps` begin with: then they are no pickle */
    PyObject *pack;   /* with a marker: what makes bytes of a key */
};

#define OPEN_REBUILD 0x10000U /* on_corruption is DCACHE_REBUILD */

typedef struct {
    PyObject_HEAD
    struct state *state;   /* NULL until opened */
    struct handle *handle; /* NULL while closed; the next call opens anew */
    PyObject *directory;   /* bytes */
    PyObject *disk;
    PyObject *disks;     /* of a fanout whose Disk has hooks: a tuple with one of each shard */
    PyObject *on_evict;  /* called with each key that a policy took, or NULL */
    double timeout;      /* as the library takes it */
    unsigned open_flags; /* of the library, and OPEN_REBUILD */
    int shards;          /* a fanout has some; 0: a single directory */
    bool custom;         /* the disk's class has hooks of its own: they are called */
    bool aliases;        /* it says under which other forms a key may be found */
    bool guarded;        /* pickles are loaded only from a directory that nobody else may write */
    struct coding coding;
    enum on_decode_error on_decode_error;
    bool lenient;         /* a timeout of a single operation is a miss, as FanoutCache has it */
    Py_ssize_t open_txns; /* in all threads and tasks */
} CacheObject;

/* A transaction of one thread or task. `outer` is what was the innermost one when it began. */
typedef struct TxnObject {
    PyObject_HEAD
    CacheObject *cache;
    struct handle *handle;
    dcache *txn; /* NULL: it has ended */
    struct TxnObject *outer;
    PyObject *task; /* asyncio's, or NULL */
    unsigned long thread;
    int pid;
    Py_ssize_t users; /* calls under way */
} TxnObject;

struct call {
    struct state *state;
    CacheObject *self;
    struct handle *handle;
    TxnObject *txn; /* NULL: in none */
    dcache *cache;  /* the directory, or this task's transaction on it */
    PyObject *disk; /* borrowed: whose hooks are called */
};

/* Find what to call the library with. call_end() is right in any case. */
int call_begin(struct call *call, PyObject *object);
void call_end(struct call *call);

/* From here on it is about this key: in a fanout, each shard has a Disk, which keeps its files. */
void call_at(struct call *call, const struct dcache_value *key);

/* Files that a write has left to the Disk to remove, keys that a policy took in it: after the write,
 * call whom it concerns. An exception that is set stays; one of theirs is reported and dropped. */
void opened_see_to_left(CacheObject *self, struct handle *handle);

/* The GIL is let go between the two, except while a wait looks for signals. */
PyThreadState *call_unlock(void);
void call_lock(PyThreadState *thread);

#define CALL_BEGIN_UNLOCKED \
    {                       \
        PyThreadState *call_thread = call_unlock();
#define CALL_END_UNLOCKED   \
    call_lock(call_thread); \
    }
#define CALL_UNLOCKED(call)                         \
    {                                               \
        PyThreadState *call_thread = call_unlock(); \
        call;                                       \
        call_lock(call_thread);                     \
    }

/* After a call: whether to try again, since it was a timeout and `retry` is given. A thread that
 * would wait for itself is not made to. A signal's exception turns `*status` into CALLBACK. */
bool call_again(struct call *call, int *status, bool retry);

int opened_new(CacheObject *self, const struct dcache_setting *settings, size_t count);
void opened_release(struct handle *handle);

/* What is kept for its next use while the directory is open anyway, but does not keep it open: drop() is
 * called before it is closed. */
struct idle {
    struct idle *next, **at; /* `at` NULL: not in a list */
    void (*drop)(struct idle *idle);
};
void opened_keep(struct handle *handle, struct idle *idle);
void opened_take(struct idle *idle);

/* Methods of a cache. */
PyObject *transaction_begin(PyObject *self, PyObject *args);
PyObject *transaction_owner(PyObject *self, void *unused);

/* ---- canonical.c ---- */

/* NULL without an exception: this object is the pickler's. `ret_ambiguous`: the pickler may have
 * written it otherwise, depending on the identity of its parts. */
PyObject *canonical_pickle(PyObject *object, int protocol, bool *ret_ambiguous);

/* ---- keys.c ---- */

struct key_form {
    struct dcache_value value;
    PyObject *owned; /* what `value` points into */
};

struct key {
    PyObject *object; /* borrowed */
    struct dcache_value value;
    PyObject *owned;         /* what `value` points into, if not the object */
    bool ambiguous;          /* 5.6.3 may have it under other forms */
    struct key_form *others; /* NULL: not yet known */
    int other_count;
};

int key_in(struct key *key, struct call *call, PyObject *object);
void key_clear(struct key *key);

/* A key that the library will give to an item of this queue (NULL: that without a prefix). `owned` is
 * to be cleared. */
int key_of_queue(struct key *key, const char *prefix);

/* Find the other forms, if that was not done yet. */
int key_others(struct key *key, struct call *call);

/* The key of an entry that was handed back. */
PyObject *key_out(struct call *call, const struct dcache_value *key);
PyObject *pickle_out(struct call *call, const struct dcache_value *value);

/* Whether what lies in the directory may be unpickled: -1 with UnsafeDirectoryError if others may have
 * written it. */
int pickle_is_trusted(struct call *call);

/* Whether bytes are what a Disk's dumps has made, by their beginning. */
bool packed_is_marked(const struct call *call, const struct dcache_value *value);

/* What sealed bytes are: of a key (`key` NULL) or of a value of this key. */
PyObject *sealed_out(struct call *call, const struct dcache_value *key,
                     const struct dcache_value *sealed);

typedef int key_step(dcache *cache, const struct dcache_value *key, void *arg);

/* Run `step`, without the GIL, on the form under which the key is stored. Returns its status. */
int key_call(struct call *call, struct key *key, bool writes, key_step *step, void *arg);

/* Functions of the module: a key's pickle whatever the identity of its parts, and other forms. */
PyObject *keys_pickle(PyObject *module, PyObject *args);
PyObject *keys_aliases(PyObject *module, PyObject *args);

/* ---- packed.c ---- */

/* Function of the module: whether bytes are one sound value of MessagePack. */
PyObject *packed_is_sound(PyObject *module, PyObject *args);

/* ---- values.c ---- */

struct value {
    struct dcache_value value;
    PyObject *owned;
    PyObject *stream; /* borrowed; its read() is called by the library, through `thread` */
    PyThreadState *thread;
    struct dcache_stored stored;
};

/* `read`: the object is a stream. `key`: its object is for a Disk's store(), NULL if not known; its
 * value, for a Disk that signs, is in any case of the kind that the library will choose. Call it
 * last before the library: with a Disk's own store() there is a file from then on. */
int value_in(struct value *value, struct call *call, PyObject *object, bool read,
             const struct key *key);
void value_clear(struct value *value);

/* The value is not handed to the library after all: the file that a Disk made for it goes. */
void value_discard(const struct value *value, struct call *call);

/* A stream is read once, but stored anew after each timeout: all of it in a temporary file. The
 * spool may be NULL. */
PyObject *value_spool(PyObject *stream);
int value_rewind(PyObject *spool);

/* The flags with which the library hands values back as value_out() wants them. */
unsigned value_flags(const struct call *call);
PyObject *value_out(struct call *call, struct dcache_entry *entry, bool read);

/* The bytes or the str that an entry read with DCACHE_FILE_AS_FD has in its file. A status;
 * DCACHE_CALLBACK: an exception is set. */
int value_read(struct dcache_entry *entry, PyObject **ret_object);

/* A file object for an entry read with DCACHE_AS_FD; takes its descriptor. `or_object`: a pickle that
 * is signed, which lies in a file as bytes do, is loaded instead. */
PyObject *value_file(struct call *call, struct dcache_entry *entry, bool or_object);

/* Remove the file of an entry that a pop or pull has left to us, by way of the Disk. The exception
 * that is set, if any, stays. */
void value_remove(struct call *call, const struct dcache_entry *entry);
void value_remove_file(struct state *state, PyObject *disk, const char *filename);

/* After value_out() has failed: whether that is as if the value were missing, as the user wishes. */
bool value_is_passed_over(const struct call *call);

PyObject *plain_out(const struct dcache_value *value);
PyObject *path_out(const struct call *call, const struct dcache_entry *entry); /* of its file */
PyObject *time_out(double expire_time);

/* `value`, or a tuple of it with expire time and tag; takes over `value`, which may be NULL. */
PyObject *result_out(PyObject *value, const struct dcache_entry *entry, bool expire_time, bool tag);
PyObject *result_default(PyObject *value, bool expire_time, bool tag);

/* ---- methods of a cache, by file ---- */

extern PyMethodDef operation_methods[], queue_methods[], bulk_methods[], whole_methods[];

PyObject *operation_subscript(PyObject *self, PyObject *object);
int operation_assign(PyObject *self, PyObject *object, PyObject *value);
int operation_contains(PyObject *self, PyObject *object);
Py_ssize_t whole_length(PyObject *self);
PyObject *iterate_forward(PyObject *self);

/* An iterator over values. */
PyObject *iterate_values(struct call *call, const struct dcache_iter_options *options);
extern PyMethodDef iterate_methods[];

#endif
