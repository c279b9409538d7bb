/* opened.c - what a cache object has open: handles, calls on them, transactions. */
#include "core.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- handles ---- */

int opened_new(CacheObject *self, const struct dcache_setting *settings, size_t count)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct handle *handle = PyMem_Calloc(1, sizeof *handle);
    const char *directory = PyBytes_AS_STRING(self->directory);
    int rc;

    if (!handle) {
        PyErr_NoMemory();
        return -1;
    }
    options.flags = self->open_flags & ~OPEN_REBUILD;
    options.on_corruption = self->open_flags & OPEN_REBUILD ? DCACHE_REBUILD : DCACHE_RAISE;
    options.timeout = self->timeout;
    options.settings = settings;
    options.settings_count = count;
    if (self->shards > 0)
        CALL_UNLOCKED(rc = dcache_open_fanout(directory, self->shards, &options, &handle->cache))
    else
        CALL_UNLOCKED(rc = dcache_open(directory, &options, &handle->cache))
    if (rc < 0) {
        PyMem_Free(handle);
        errors_raise(self->state, rc, NULL);
        return -1;
    }
    handle->users = 1;
    self->shards = dcache_shard_count(handle->cache); /* which may have been there before */
    if (self->handle)                                 /* another thread was faster */
        opened_release(handle);
    else
        self->handle = handle;
    return 0;
}

void opened_keep(struct handle *handle, struct idle *idle)
{
    idle->next = handle->idle;
    idle->at = &handle->idle;
    if (idle->next)
        idle->next->at = &idle->next;
    handle->idle = idle;
}

void opened_take(struct idle *idle)
{
    *idle->at = idle->next;
    if (idle->next)
        idle->next->at = idle->at;
    idle->next = NULL;
    idle->at = NULL;
}

void opened_release(struct handle *handle)
{
    dcache *cache;

    if (!handle || --handle->users > 0)
        return;
    while (handle->idle) {
        struct idle *idle = handle->idle;

        opened_take(idle);
        idle->drop(idle);
    }
    cache = handle->cache;
    PyMem_Free(handle);
    CALL_UNLOCKED(dcache_close(cache))
}

/* ---- whose transaction ---- */

/* The asyncio task that is running in this thread, or NULL; -1 on an error. */
static int current_task(PyObject **ret_task)
{
    PyObject *name = PyUnicode_FromString("asyncio"), *asyncio, *loop, *task = NULL;

    *ret_task = NULL;
    if (!name)
        return -1;
    asyncio = PyImport_GetModule(name);
    Py_DECREF(name);
    if (!asyncio)
        return PyErr_Occurred() ? -1 : 0;
    loop = PyObject_CallMethod(asyncio, "_get_running_loop", NULL);
    if (loop && loop != Py_None)
        task = PyObject_CallMethod(asyncio, "current_task", "O", loop);
    else if (loop)
        task = Py_NewRef(Py_None);
    Py_XDECREF(loop);
    Py_DECREF(asyncio);
    if (!task)
        return -1;
    if (task == Py_None)
        Py_DECREF(task);
    else
        *ret_task = task;
    return 0;
}

/* A task that was started inside a transaction, or a thread that was handed the context, finds the
 * transaction in its context, but it is not its own; neither is the parent's after a fork. */
static int is_ours(const TxnObject *txn, bool *ret)
{
    PyObject *task;

    *ret = false;
    if (!txn->txn || txn->thread != PyThread_get_thread_ident() || txn->pid != getpid())
        return 0;
    if (current_task(&task) < 0)
        return -1;
    *ret = task == txn->task;
    Py_XDECREF(task);
    return 0;
}

static int find_transaction(CacheObject *self, TxnObject **ret_txn)
{
    PyObject *innermost = NULL;
    bool ours = false;
    int rc = 0;

    *ret_txn = NULL;
    if (self->open_txns == 0)
        return 0;
    if (PyContextVar_Get(self->state->transactions, Py_None, &innermost) < 0)
        return -1;
    if (innermost != Py_None)
        for (TxnObject *txn = (TxnObject *)innermost; rc == 0 && txn && !ours; txn = txn->outer)
            if (txn->cache == self) {
                rc = is_ours(txn, &ours);
                if (ours)
                    *ret_txn = (TxnObject *)Py_NewRef((PyObject *)txn);
            }
    Py_XDECREF(innermost);
    return rc;
}

/* ---- the GIL, and signals ---- */

/* Of this thread: its state while it is in the library, and whether it has been there before. */
static _Thread_local struct {
    PyThreadState *unlocked;
    bool known;
} here;

/* Python hears of a signal in its main thread, once that has the GIL. */
static int look_for_signals(void *unused)
{
    PyThreadState *thread = here.unlocked;
    int rc;

    (void)unused;
    if (!thread)
        return 0;
    call_lock(thread);
    rc = PyErr_CheckSignals();
    (void)call_unlock();
    return rc;
}

PyThreadState *call_unlock(void)
{
    PyThreadState *thread = PyEval_SaveThread();

    if (!here.known && syscall(SYS_gettid) == getpid())
        dcache_on_wait(look_for_signals, NULL);
    here.known = true;
    here.unlocked = thread;
    return thread;
}

void call_lock(PyThreadState *thread)
{
    here.unlocked = NULL;
    PyEval_RestoreThread(thread);
}

/* ---- calls ---- */

int call_begin(struct call *call, PyObject *object)
{
    CacheObject *self = (CacheObject *)object;

    memset(call, 0, sizeof *call);
    if (!self->state || !self->directory) {
        PyErr_SetString(PyExc_ValueError, "the cache was never opened");
        return -1;
    }
    call->state = self->state;
    call->self = (CacheObject *)Py_NewRef(object);
    call->disk = self->disk;
    if (find_transaction(self, &call->txn) < 0)
        return -1;
    if (call->txn) {
        call->txn->users++;
        call->handle = call->txn->handle;
        call->cache = call->txn->txn;
    } else {
        if (!self->handle && opened_new(self, NULL, 0) < 0)
            return -1;
        call->handle = self->handle;
        call->cache = call->handle->cache;
    }
    call->handle->users++;
    return 0;
}

static void see_to_one(CacheObject *self, struct handle *handle, const struct dcache_left *left)
{
    struct call call = {.state = self->state, .self = self, .handle = handle, .disk = self->disk};
    PyObject *key, *done = NULL;

    if (self->disks && left->shard < PyTuple_GET_SIZE(self->disks))
        call.disk = PyTuple_GET_ITEM(self->disks, left->shard);
    if (left->filename) {
        value_remove_file(call.state, call.disk, left->filename);
    } else if (self->on_evict) {
        key = key_out(&call, &left->key);
        if (key)
            done = PyObject_CallOneArg(self->on_evict, key);
        if (!done)
            PyErr_WriteUnraisable(self->on_evict);
        Py_XDECREF(key);
        Py_XDECREF(done);
    }
}

void opened_see_to_left(CacheObject *self, struct handle *handle)
{
    PyObject *type, *error, *traceback;
    struct dcache_left *left;
    size_t count;

    if (!(self->open_flags & (DCACHE_LEAVE_FILES | DCACHE_NAME_EVICTED)) ||
        dcache_take_left(handle->cache, &left, &count) < 0 || count == 0)
        return;
    PyErr_Fetch(&type, &error, &traceback);
    for (size_t i = 0; i < count; i++)
        see_to_one(self, handle, &left[i]);
    dcache_left_free(left, count);
    PyErr_Restore(type, error, traceback);
}

void call_end(struct call *call)
{
    if (call->handle)
        opened_see_to_left(call->self, call->handle);
    opened_release(call->handle);
    if (call->txn)
        call->txn->users--;
    Py_CLEAR(call->txn);
    Py_CLEAR(call->self);
}

void call_at(struct call *call, const struct dcache_value *key)
{
    const dcache *shard;

    if (!call->self->disks)
        return;
    shard = dcache_shard_for(call->cache, key);
    for (int i = 0; i < PyTuple_GET_SIZE(call->self->disks); i++)
        if (dcache_shard(call->cache, i) == shard)
            call->disk = PyTuple_GET_ITEM(call->self->disks, i);
}

bool call_again(struct call *call, int *status, bool retry)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    if (*status != DCACHE_TIMEOUT || !retry || dcache_last_error()->sys_errno == EDEADLK)
        return false;
    if (PyErr_CheckSignals() < 0) {
        *status = DCACHE_CALLBACK;
        return false;
    }
    if (call->self->timeout < 0.001) /* who does not wait would spin */
        CALL_UNLOCKED((void)nanosleep(&moment, NULL))
    return true;
}

/* ---- transactions ---- */

static TxnObject *new_transaction(struct call *call)
{
    TxnObject *txn = PyObject_New(TxnObject, call->state->txn_type);
    PyObject *innermost = NULL;

    if (!txn)
        return NULL;
    txn->cache = (CacheObject *)Py_NewRef((PyObject *)call->self);
    txn->handle = NULL;
    txn->txn = NULL;
    txn->outer = NULL;
    txn->task = NULL;
    txn->thread = PyThread_get_thread_ident();
    txn->pid = getpid();
    txn->users = 0;
    if (PyContextVar_Get(call->state->transactions, Py_None, &innermost) < 0 ||
        current_task(&txn->task) < 0) {
        Py_XDECREF(innermost);
        Py_DECREF(txn);
        return NULL;
    }
    if (innermost != Py_None)
        txn->outer = (TxnObject *)innermost;
    else
        Py_DECREF(innermost);
    return txn;
}

static int make_innermost(struct state *state, PyObject *txn)
{
    PyObject *token = PyContextVar_Set(state->transactions, txn);

    Py_XDECREF(token);
    return token ? 0 : -1;
}

PyObject *transaction_begin(PyObject *self, PyObject *args)
{
    struct call call;
    TxnObject *txn = NULL;
    int retry = 0, rc;

    if (!PyArg_ParseTuple(args, "|p:_begin", &retry))
        return NULL;
    if (call_begin(&call, self) < 0 || !(txn = new_transaction(&call)))
        goto failed;
    do
        CALL_UNLOCKED(rc = dcache_begin(call.cache, -1, &txn->txn))
    while (call_again(&call, &rc, retry));
    if (rc < 0) {
        txn->txn = NULL;
        errors_raise(call.state, rc, NULL);
        goto failed;
    }
    txn->handle = call.handle;
    txn->handle->users++;
    txn->cache->open_txns++;
    if (make_innermost(call.state, (PyObject *)txn) < 0)
        goto failed;
    call_end(&call);
    return (PyObject *)txn;
failed:
    Py_XDECREF(txn);
    call_end(&call);
    return NULL;
}

static int finish(TxnObject *txn, bool commit)
{
    dcache *handle = txn->txn;
    int rc = 0;

    txn->txn = NULL;
    if (!handle)
        return 0;
    txn->cache->open_txns--;
    if (commit) {
        CALL_UNLOCKED(rc = dcache_commit(handle))
        opened_see_to_left(txn->cache, txn->handle);
    } else {
        CALL_UNLOCKED(dcache_rollback(handle))
    }
    return rc;
}

/* end(commit): a child that was forked inside has had its writes one by one, and the parent's
 * transaction is not its own to end. */
static PyObject *txn_end(PyObject *object, PyObject *commit)
{
    TxnObject *txn = (TxnObject *)object;
    struct state *state = txn->cache->state;
    bool forked = txn->pid != getpid();
    int rc;

    if (txn->users > 0) {
        PyErr_SetString(PyExc_RuntimeError, "the transaction is in use");
        return NULL;
    }
    if (make_innermost(state, txn->outer ? (PyObject *)txn->outer : Py_None) < 0)
        return NULL;
    rc = finish(txn, commit == Py_True);
    if (rc < 0 && !(forked && rc == DCACHE_FORKED))
        return errors_raise(state, rc, NULL);
    Py_RETURN_NONE;
}

PyObject *transaction_owner(PyObject *self, void *unused)
{
    CacheObject *cache = (CacheObject *)self;
    TxnObject *txn;
    PyObject *owner;

    (void)unused;
    if (!cache->state || find_transaction(cache, &txn) < 0)
        return cache->state ? NULL : Py_NewRef(Py_None);
    owner = txn ? PyLong_FromUnsignedLong(txn->thread) : Py_NewRef(Py_None);
    Py_XDECREF(txn);
    return owner;
}

static void txn_dealloc(PyObject *object)
{
    TxnObject *txn = (TxnObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    (void)finish(txn, false); /* dropped without an end: as if it had failed */
    opened_release(txn->handle);
    Py_CLEAR(txn->outer);
    Py_CLEAR(txn->task);
    Py_CLEAR(txn->cache);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyMethodDef txn_methods[] = {
    {"end", txn_end, METH_O, "end($self, commit, /)\n--\n\nCommit, or with False undo."},
    {NULL},
};

static PyType_Slot txn_slots[] = {
    {Py_tp_dealloc, (void *)txn_dealloc},
    {Py_tp_methods, txn_methods},
    {0, NULL},
};

PyType_Spec txn_spec = {
    .name = "diskcache._core.Transaction",
    .basicsize = sizeof(TxnObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = txn_slots,
};
