/* iterate.c - iterators over keys, values and items. Items come in batches, so that the GIL is let
 * go once for each batch. */
#include "core.h"

#define KEYS_AT_FIRST \
    100 /* then twice as many each time: who takes a few only does not wait for many */
#define KEYS_AT_ONCE 800
#define VALUES_AT_ONCE 10

enum what { KEYS, VALUES, ITEMS };

typedef struct {
    PyObject_HEAD
    CacheObject *cache;
    struct handle *handle;
    TxnObject *txn; /* begun in a transaction, it ends with it */
    dcache_iter *iter;
    enum what what;
    bool running; /* in another thread, which has let go of the GIL */
    bool ended;
    int status; /* what stopped the last batch */
    int at, count, room;
    struct dcache_value *keys; /* of KEYS, and else */
    struct dcache_entry *entries;
} IterObject;

struct filters {
    struct key start, stop;
    struct dcache_value prefix, tag;
    PyObject *prefix_owned, *tag_owned;
    struct dcache_iter_options options;
};

static void filters_clear(struct filters *filters)
{
    key_clear(&filters->start);
    key_clear(&filters->stop);
    Py_XDECREF(filters->prefix_owned);
    Py_XDECREF(filters->tag_owned);
}

/* ---- making one ---- */

static PyObject *iter_new(struct call *call, enum what what,
                          const struct dcache_iter_options *given)
{
    struct dcache_iter_options options = *given;
    PyTypeObject *type = call->state->iter_type;
    IterObject *self = (IterObject *)type->tp_alloc(type, 0);
    int rc;

    if (!self)
        return NULL;
    self->what = what;
    self->cache = (CacheObject *)Py_NewRef((PyObject *)call->self);
    self->room = what == KEYS ? KEYS_AT_FIRST : VALUES_AT_ONCE;
    if (what == KEYS)
        self->keys = PyMem_Calloc(KEYS_AT_ONCE, sizeof *self->keys);
    else
        self->entries = PyMem_Calloc((size_t)self->room, sizeof *self->entries);
    if (!self->keys && !self->entries) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    options.flags |= what == KEYS ? DCACHE_KEYS_ONLY : value_flags(call);
    CALL_UNLOCKED(rc = dcache_iter_open(call->cache, &options, &self->iter))
    if (rc < 0) {
        self->iter = NULL;
        Py_DECREF(self);
        return errors_raise(call->state, rc, NULL);
    }
    self->handle = call->handle;
    self->handle->users++;
    self->txn = call->txn ? (TxnObject *)Py_NewRef((PyObject *)call->txn) : NULL;
    return (PyObject *)self;
}

PyObject *iterate_values(struct call *call, const struct dcache_iter_options *options)
{
    return iter_new(call, VALUES, options);
}

/* All that has no filters. */
static PyObject *simple(PyObject *self, enum dcache_order order, bool reverse)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct call call;
    PyObject *iter = NULL;

    options.order = order;
    options.flags = reverse ? DCACHE_REVERSE : 0;
    if (call_begin(&call, self) == 0)
        iter = iter_new(&call, KEYS, &options);
    call_end(&call);
    return iter;
}

PyObject *iterate_forward(PyObject *self)
{
    return simple(self, DCACHE_BY_INSERTION, false);
}

static PyObject *reversed(PyObject *self, PyObject *unused)
{
    (void)unused;
    return simple(self, DCACHE_BY_INSERTION, true);
}

static const struct args_spec iterkeys_spec = {"iterkeys", 0, 1, {"reverse"}};

static PyObject *iterkeys(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    PyObject *given[1];
    bool reverse;

    if (args_parse(&iterkeys_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[0], false, &reverse) < 0)
        return NULL;
    return simple(self, DCACHE_BY_KEY, reverse);
}

enum { PREFIX, TAG, START, STOP, REVERSE, EXPIRED, FILTERS };
#define FILTER_NAMES                                           \
    {                                                          \
        "prefix", "tag", "start", "stop", "reverse", "expired" \
    }

static int filters_in(struct filters *f, struct call *call, PyObject *const *given)
{
    struct dcache_iter_options *options = &f->options;
    bool reverse;

    if (args_bool(given[REVERSE], false, &reverse) < 0)
        return -1;
    if (given[PREFIX] && given[PREFIX] != Py_None) {
        if (args_plain(call->state, given[PREFIX], &f->prefix, &f->prefix_owned) < 0)
            return -1;
        options->prefix = &f->prefix;
    }
    if (given[TAG] && given[TAG] != Py_Ellipsis) {
        if (args_plain(call->state, given[TAG], &f->tag, &f->tag_owned) < 0)
            return -1;
        options->tag = &f->tag;
    }
    if (given[START] && given[START] != Py_None) {
        if (key_in(&f->start, call, given[START]) < 0)
            return -1;
        options->start = &f->start.value;
    }
    if (given[STOP] && given[STOP] != Py_None) {
        if (key_in(&f->stop, call, given[STOP]) < 0)
            return -1;
        options->stop = &f->stop.value;
    }
    options->order = options->start || options->stop ? DCACHE_BY_KEY : DCACHE_BY_INSERTION;
    options->flags = reverse ? DCACHE_REVERSE : 0;
    if (given[EXPIRED] && given[EXPIRED] != Py_None) {
        int expired = PyObject_IsTrue(given[EXPIRED]);

        if (expired < 0)
            return -1;
        options->flags |= expired ? DCACHE_EXPIRED_ONLY : DCACHE_LIVE_ONLY;
    }
    return 0;
}

static PyObject *filtered(PyObject *self, const struct args_spec *spec, enum what what,
                          PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    struct filters filters = {.options = DCACHE_OPTIONS(struct dcache_iter_options)};
    PyObject *given[FILTERS], *iter = NULL;
    struct call call;

    if (args_parse(spec, args, nargs, kwnames, given) < 0)
        return NULL;
    if (call_begin(&call, self) == 0 && filters_in(&filters, &call, given) == 0)
        iter = iter_new(&call, what, &filters.options);
    filters_clear(&filters);
    call_end(&call);
    return iter;
}

static PyObject *keys(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"keys", 0, 0, FILTER_NAMES};

    return filtered(self, &spec, KEYS, args, nargs, kwnames);
}

static PyObject *values(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"values", 0, 0, FILTER_NAMES};

    return filtered(self, &spec, VALUES, args, nargs, kwnames);
}

static PyObject *items(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"items", 0, 0, FILTER_NAMES};

    return filtered(self, &spec, ITEMS, args, nargs, kwnames);
}

#define FILTER_SIGNATURE \
    "($self, *, prefix=None, tag=..., start=None, stop=None, reverse=False, expired=None)\n--\n\n"
#define FILTER_TEXT                                                                               \
    " in the order of insertion, or with `start` or `stop` in that of the keys (numbers < str\n"  \
    "< bytes), `stop` left out. `prefix`: of keys. `expired`: True for what has expired, False\n" \
    "for what has not, None for both."

PyMethodDef iterate_methods[] = {
    {"iterkeys", (PyCFunction)(void (*)(void))iterkeys, METH_FASTCALL | METH_KEYWORDS,
     "iterkeys($self, reverse=False)\n--\n\nKeys in the order of the keys."},
    {"keys", (PyCFunction)(void (*)(void))keys, METH_FASTCALL | METH_KEYWORDS,
     "keys" FILTER_SIGNATURE "Keys" FILTER_TEXT},
    {"values", (PyCFunction)(void (*)(void))values, METH_FASTCALL | METH_KEYWORDS,
     "values" FILTER_SIGNATURE "Values" FILTER_TEXT},
    {"items", (PyCFunction)(void (*)(void))items, METH_FASTCALL | METH_KEYWORDS,
     "items" FILTER_SIGNATURE "Pairs of key and value" FILTER_TEXT},
    {"__reversed__", reversed, METH_NOARGS,
     "__reversed__($self, /)\n--\n\nKeys, what was inserted last first."},
    {NULL},
};

/* ---- the walk ---- */

/* The next batch, up to what stops it: the end, or an error that is reported when its turn comes. */
static void fill(IterObject *self)
{
    size_t keys = 0;

    self->at = self->count = 0;
    self->running = true;
    CALL_BEGIN_UNLOCKED
    if (self->keys) {
        self->status = dcache_iter_keys(self->iter, self->keys, (size_t)self->room, &keys);
        self->count = self->status == 0 ? (int)keys : 0;
        if (self->room < KEYS_AT_ONCE)
            self->room *= 2;
    } else {
        do
            self->status = dcache_iter_next(self->iter, &self->entries[self->count]);
        while (self->status == 0 && ++self->count < self->room);
    }
    CALL_END_UNLOCKED
    self->running = false;
}

/* A key, a value or a pair. NULL without an exception: a Disk did not find the file, since the item
 * was deleted meanwhile. */
static PyObject *next_out(IterObject *self, int at)
{
    struct call call = {.state = self->cache->state, .self = self->cache, .handle = self->handle};
    struct dcache_entry *entry = self->keys ? NULL : &self->entries[at];
    PyObject *key = NULL, *value, *pair = NULL;

    call.cache = self->handle->cache;
    call.disk = self->cache->disk;
    if (self->keys)
        return key_out(&call, &self->keys[at]);
    if (self->what == ITEMS && !(key = key_out(&call, &entry->key)))
        return NULL;
    value = value_out(&call, entry, false);
    if (!value && entry->value.type == DCACHE_STORED &&
        PyErr_ExceptionMatches(PyExc_FileNotFoundError))
        PyErr_Clear();
    dcache_entry_clear(entry);
    if (!key)
        return value;
    if (value)
        pair = PyTuple_Pack(2, key, value);
    Py_DECREF(key);
    Py_XDECREF(value);
    return pair;
}

static bool may_go_on(const IterObject *self)
{
    if (self->running)
        PyErr_SetString(PyExc_ValueError, "iterator already executing");
    else if (self->txn && !self->txn->txn)
        PyErr_SetString(PyExc_RuntimeError, "the iterator's transaction has ended");
    return !PyErr_Occurred();
}

static PyObject *iter_next(PyObject *object)
{
    IterObject *self = (IterObject *)object;
    PyObject *result = NULL;

    if (self->ended || !may_go_on(self))
        return NULL;
    while (!result && !PyErr_Occurred()) {
        if (self->at == self->count && self->status == 0)
            fill(self);
        if (self->at == self->count && self->status < 0) {
            int status = self->status;

            self->status = 0;
            self->ended = status == DCACHE_NOT_FOUND;
            return self->ended ? NULL : errors_raise(self->cache->state, status, NULL);
        }
        result = next_out(self, self->at++);
    }
    return result;
}

static int iter_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT((PyObject *)((IterObject *)object)->cache);
    return 0;
}

static void iter_dealloc(PyObject *object)
{
    IterObject *self = (IterObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    dcache_iter_close(self->iter);
    for (int i = self->at; self->entries && i < self->count; i++)
        dcache_entry_clear(&self->entries[i]);
    PyMem_Free(self->keys);
    PyMem_Free(self->entries);
    opened_release(self->handle);
    Py_XDECREF((PyObject *)self->txn);
    Py_XDECREF((PyObject *)self->cache);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot iter_slots[] = {
    {Py_tp_dealloc, (void *)iter_dealloc},
    {Py_tp_traverse, (void *)iter_traverse},
    {Py_tp_iter, (void *)PyObject_SelfIter},
    {Py_tp_iternext, (void *)iter_next},
    {0, NULL},
};

PyType_Spec iter_spec = {
    .name = "diskcache._core.Iterator",
    .basicsize = sizeof(IterObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = iter_slots,
};
