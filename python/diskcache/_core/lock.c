/* lock.c - what Lock, RLock and BoundedSemaphore are made of: an object for one key of a cache. */
#include "recipes.h"

#include <math.h>
#include <unistd.h>

/* ---- a lock object ---- */

/* The library's lock object keeps the directory open while a hold or a call needs it: a cache may be
 * closed while a lock on it is held, and a lock that nobody holds keeps nothing open. */
typedef struct {
    PyObject_HEAD
    PyObject *cache, *key, *tag;
    struct dcache_lock_options options;
    struct handle *handle; /* of `lock`; without users, borrowed */
    dcache_lock *lock;
    struct idle idle;
    Py_ssize_t users; /* holds and calls */
    Py_ssize_t holds; /* that `pid` acquired through this object */
    int pid;
    bool lost; /* a hold has ended before its release */
} LockObject;

/* On the directory, or on the transaction of the call. */
static int lock_open(struct call *call, LockObject *self, dcache *cache, dcache_lock **ret_lock)
{
    struct dcache_lock_options options = self->options;
    PyObject *tag_owned = NULL;
    struct dcache_value tag;
    struct key key = {0};
    int rc = -1;

    options.same_as = self->lock;
    if (key_in(&key, call, self->key) == 0 &&
        args_plain(call->state, self->tag, &tag, &tag_owned) == 0) {
        options.tag = self->tag == Py_None ? NULL : &tag;
        rc = dcache_lock_open(cache, &key.value, &options, ret_lock);
        if (rc < 0)
            errors_raise(call->state, rc, NULL);
    }
    Py_XDECREF(tag_owned);
    key_clear(&key);
    return rc < 0 ? -1 : 0;
}

static void lock_drop(struct idle *idle)
{
    LockObject *self = (LockObject *)(void *)((char *)idle - offsetof(LockObject, idle));

    dcache_lock_close(self->lock);
    self->lock = NULL;
    self->handle = NULL;
}

static void lock_use(LockObject *self)
{
    if (self->users++ > 0)
        return;
    if (self->idle.at)
        opened_take(&self->idle);
    self->handle->users++;
}

static void lock_leave(LockObject *self)
{
    struct handle *handle = self->handle;

    if (--self->users > 0)
        return;
    opened_keep(handle, &self->idle);
    opened_release(handle);
}

/* A call, and the library's object that it is about: inside a transaction one for this call only. */
struct lock_call {
    struct call call;
    dcache_lock *lock;
    bool entered;
};

static int lock_enter(struct lock_call *c, LockObject *self)
{
    struct call *call = &c->call;

    memset(c, 0, sizeof *c);
    if (!self->cache) {
        PyErr_SetString(PyExc_ValueError, "the lock has no cache");
        return -1;
    }
    if (call_begin(call, self->cache) < 0)
        return -1;
    if (!self->lock) {
        if (lock_open(call, self, call->handle->cache, &self->lock) < 0)
            return -1;
        self->handle = call->handle;
    }
    if (!call->txn)
        c->lock = self->lock;
    else if (lock_open(call, self, call->cache, &c->lock) < 0)
        return -1;
    lock_use(self);
    c->entered = true;
    if (self->pid != getpid()) { /* what the parent holds is not this process's */
        self->pid = getpid();
        self->users -= self->holds;
        self->holds = 0;
        self->lost = false;
    }
    return 0;
}

static void lock_exit(struct lock_call *c, LockObject *self)
{
    if (c->lock != self->lock)
        dcache_lock_close(c->lock);
    if (c->entered)
        lock_leave(self);
    call_end(&c->call);
}

static int lock_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    LockObject *self = (LockObject *)object;
    PyObject *cache, *key, *expire, *tag;
    long long permits;
    int kind;

    (void)kwargs;
    if (!PyArg_ParseTuple(args, "OOOOiL:Lock", &cache, &key, &expire, &tag, &kind, &permits))
        return -1;
    if (!cache_check(cache) || self->cache) {
        PyErr_SetString(PyExc_TypeError, "a lock is made on a Cache or FanoutCache");
        return -1;
    }
    self->idle.drop = lock_drop;
    self->options.struct_size = sizeof self->options;
    self->options.kind = (enum dcache_lock_kind)kind;
    self->options.permits = permits;
    if (args_expire(((CacheObject *)cache)->state, expire, &self->options.expire) < 0)
        return -1;
    self->cache = Py_NewRef(cache);
    self->key = Py_NewRef(key);
    self->tag = Py_NewRef(tag);
    self->pid = getpid();
    return 0;
}

/* acquire(timeout): whether it was. */
static PyObject *lock_acquire(PyObject *object, PyObject *arg)
{
    LockObject *self = (LockObject *)object;
    double timeout = PyFloat_AsDouble(arg);
    PyObject *result = NULL;
    struct lock_call c;
    int rc;

    if (timeout == -1 && PyErr_Occurred())
        return NULL;
    if (lock_enter(&c, self) == 0) {
        CALL_UNLOCKED(rc = dcache_lock_acquire(c.lock, timeout))
        if (rc == 0 && PyErr_Occurred()) { /* handed over while a signal ended the wait */
            CALL_UNLOCKED((void)dcache_lock_release(c.lock))
            rc = DCACHE_CALLBACK;
        }
        if (rc == 0) {
            self->holds++;
            self->users++;
            self->lost = false;
        }
        if (rc == DCACHE_TIMEOUT &&
            isinf(timeout)) /* at once, since its holder would wait for us */
            PyErr_SetString(PyExc_RuntimeError,
                            "another holds the lock, who cannot release it before "
                            "the end of this thread's transaction");
        else if (rc == 0 || rc == DCACHE_TIMEOUT)
            result = PyBool_FromLong(rc == 0);
        else
            errors_raise(c.call.state, rc, NULL);
    }
    lock_exit(&c, self);
    return result;
}

/* release(): whether there was something to release. One who never acquired may, as in 5.6.3, for
 * another; one whose lease has ended may not, for it would be the next holder's. */
static PyObject *lock_release(PyObject *object, PyObject *unused)
{
    LockObject *self = (LockObject *)object;
    PyObject *result = NULL;
    struct lock_call c;
    bool held, foreign;
    int rc;

    (void)unused;
    if (lock_enter(&c, self) == 0) {
        held = self->holds > 0;
        foreign = !held && !self->lost && self->options.kind != DCACHE_RLOCK;
        do {
            CALL_UNLOCKED(rc = foreign ? dcache_lock_break(c.lock) : dcache_lock_release(c.lock))
        } while (call_again(&c.call, &rc, true));
        if (held && (rc == 0 || rc == DCACHE_NOT_OWNER)) {
            self->holds--;
            lock_leave(self);
        }
        if (rc == DCACHE_NOT_OWNER)
            self->lost = true;
        if (rc == 0 || rc == DCACHE_NOT_OWNER || rc == DCACHE_NOT_FOUND)
            result = PyBool_FromLong(rc == 0);
        else
            errors_raise(c.call.state, rc, NULL);
    }
    lock_exit(&c, self);
    return result;
}

/* renew(expire): whether the lease was still there. */
static PyObject *lock_renew(PyObject *object, PyObject *arg)
{
    LockObject *self = (LockObject *)object;
    PyObject *result = NULL;
    struct lock_call c;
    double expire;
    int rc;

    if (lock_enter(&c, self) == 0) {
        rc = args_expire(c.call.state, arg, &expire) < 0 ? DCACHE_CALLBACK : 0;
        if (rc == 0)
            do {
                CALL_UNLOCKED(rc = dcache_lock_renew(c.lock, expire))
            } while (call_again(&c.call, &rc, true));
        if (rc == 0 || rc == DCACHE_NOT_OWNER)
            result = PyBool_FromLong(rc == 0);
        else
            errors_raise(c.call.state, rc, NULL);
    }
    lock_exit(&c, self);
    return result;
}

/* state(): how many hold it, and whether one of them is this object (of an RLock: this thread). */
static PyObject *lock_state(PyObject *object, PyObject *unused)
{
    LockObject *self = (LockObject *)object;
    struct dcache_lock_state state;
    PyObject *result = NULL;
    struct lock_call c;
    int rc;

    (void)unused;
    if (lock_enter(&c, self) == 0) {
        CALL_UNLOCKED(rc = dcache_lock_state(c.lock, &state))
        result = rc == 0
                     ? Py_BuildValue("(LN)", (long long)state.holds, PyBool_FromLong(state.mine))
                     : errors_raise(c.call.state, rc, NULL);
    }
    lock_exit(&c, self);
    return result;
}

static int lock_traverse(PyObject *object, visitproc visit, void *arg)
{
    LockObject *self = (LockObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->cache);
    Py_VISIT(self->key);
    Py_VISIT(self->tag);
    return 0;
}

static void lock_dealloc(PyObject *object)
{
    LockObject *self = (LockObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    if (self->idle.at)
        opened_take(&self->idle);
    dcache_lock_close(self->lock);
    if (self->users > 0)
        opened_release(self->handle);
    Py_CLEAR(self->cache);
    Py_CLEAR(self->key);
    Py_CLEAR(self->tag);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef lock_methods[] = {
    {"acquire", lock_acquire, METH_O, NULL},
    {"release", lock_release, METH_NOARGS, NULL},
    {"renew", lock_renew, METH_O, NULL},
    {"state", lock_state, METH_NOARGS, NULL},
    {NULL},
};

static PyType_Slot lock_slots[] = {
    {Py_tp_init, (void *)lock_init},
    {Py_tp_traverse, (void *)lock_traverse},
    {Py_tp_dealloc, (void *)lock_dealloc},
    {Py_tp_methods, lock_methods},
    {0, NULL},
};

PyType_Spec lock_spec = {
    .name = "diskcache._core.Lock",
    .basicsize = sizeof(LockObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = lock_slots,
};
