/* index.c - Index: what a mapping does, on the keys of its cache. */
#include "collection.h"

/* ---- as the cache does ---- */

static PyObject *subscript(PyObject *self, PyObject *key)
{
    PyObject *cache = collection_cache(self);

    return cache ? operation_subscript(cache, key) : NULL;
}

static int assign(PyObject *self, PyObject *key, PyObject *value)
{
    PyObject *cache = collection_cache(self);

    return cache ? operation_assign(cache, key, value) : -1;
}

static int contains(PyObject *self, PyObject *key)
{
    PyObject *cache = collection_cache(self);

    return cache ? operation_contains(cache, key) : -1;
}

static PyObject *iterate(PyObject *self)
{
    PyObject *cache = collection_cache(self);

    return cache ? iterate_forward(cache) : NULL;
}

static const struct args_spec get_spec = {"get", 1, 2, {"key", "default"}};

static PyObject *get(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[2], *value;

    if (args_parse(&get_spec, args, nargs, kwnames, given) < 0)
        return NULL;
    value = subscript(self, given[0]);
    if (value || !PyErr_ExceptionMatches(PyExc_KeyError))
        return value;
    PyErr_Clear();
    return Py_NewRef(given[1] ? given[1] : Py_None);
}

static const struct args_spec peekitem_spec = {"peekitem", 0, 1, {"last"}};

static PyObject *peekitem(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    PyObject *last;

    if (args_parse(&peekitem_spec, args, nargs, kwnames, &last) < 0)
        return NULL;
    return collection_retry(self, "peekitem", (PyObject *[]){last ? last : Py_True}, 1);
}

static const struct args_spec push_spec = {"push", 1, 3, {"value", "prefix", "side"}};

static PyObject *push(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[3], *back = PyUnicode_InternFromString("back"), *key = NULL;

    if (back && args_parse(&push_spec, args, nargs, kwnames, given) == 0) {
        PyObject *all[] = {given[0], given[1] ? given[1] : Py_None, given[2] ? given[2] : back};

        key = collection_retry(self, "push", all, 3);
    }
    Py_XDECREF(back);
    return key;
}

static const struct args_spec pull_spec = {"pull", 0, 3, {"prefix", "default", "side"}};

static PyObject *pull(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[3], *front = PyUnicode_InternFromString("front"), *item = NULL;
    PyObject *none = PyTuple_Pack(2, Py_None, Py_None);

    if (front && none && args_parse(&pull_spec, args, nargs, kwnames, given) == 0) {
        PyObject *all[] = {given[0] ? given[0] : Py_None, given[1] ? given[1] : none,
                           given[2] ? given[2] : front};

        item = collection_retry(self, "pull", all, 3);
    }
    Py_XDECREF(front);
    Py_XDECREF(none);
    return item;
}

/* ---- popitem ---- */

static PyObject *pair_out(struct call *call, struct dcache_entry *entry)
{
    PyObject *key = key_out(call, &entry->key);
    PyObject *value = key ? value_out(call, entry, false) : NULL;
    PyObject *pair = value ? PyTuple_Pack(2, key, value) : NULL;

    Py_XDECREF(key);
    Py_XDECREF(value);
    return pair;
}

static const struct args_spec popitem_spec = {"popitem", 0, 1, {"last"}};

static PyObject *popitem(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry entry = {0};
    PyObject *given, *pair = NULL;
    struct call call;
    bool last;
    int rc;

    if (args_parse(&popitem_spec, args, nargs, kwnames, &given) < 0 ||
        args_bool(given, true, &last) < 0)
        return NULL;
    if (collection_begin(&call, self) < 0)
        goto done;
    options.flags = value_flags(&call);
    do {
        CALL_UNLOCKED(
            rc = dcache_popitem(call.cache, last ? DCACHE_BACK : DCACHE_FRONT, &options, &entry))
    } while (call_again(&call, &rc, true));
    if (rc == 0) {
        pair = pair_out(&call, &entry);
        value_remove(&call, &entry);
    } else if (rc == DCACHE_NOT_FOUND) {
        PyErr_SetString(PyExc_KeyError, "dictionary is empty");
    } else {
        errors_raise(call.state, rc, NULL);
    }
done:
    dcache_entry_clear(&entry);
    call_end(&call);
    return pair;
}

/* ---- setdefault ---- */

struct default_args {
    struct value value;
    struct dcache_get_options options;
    struct dcache_entry entry;
};

static int default_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    struct default_args *a = arg;

    dcache_entry_clear(&a->entry);
    return dcache_setdefault(cache, key, &a->value.value, NULL, &a->options, &a->entry);
}

static int store_default(struct call *call, struct key *key, struct default_args *a,
                         PyObject *object)
{
    int rc;

    do { /* after a timeout, the file that a Disk made is gone: it makes another */
        value_clear(&a->value);
        if (value_in(&a->value, call, object, false, key) < 0)
            return DCACHE_CALLBACK;
        rc = key_call(call, key, true, default_step, a);
    } while (call_again(call, &rc, true));
    return rc;
}

static const struct args_spec setdefault_spec = {"setdefault", 1, 2, {"key", "default"}};

static PyObject *setdefault(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    struct default_args a = {.options = DCACHE_OPTIONS(struct dcache_get_options)};
    PyObject *given[2], *value = NULL;
    struct key key = {0};
    struct call call;
    int rc;

    if (args_parse(&setdefault_spec, args, nargs, kwnames, given) < 0)
        return NULL;
    /* What is there is looked up first: that needs no lock, and no default. */
    value = subscript(self, given[0]);
    if (value || !PyErr_ExceptionMatches(PyExc_KeyError))
        return value;
    PyErr_Clear();
    if (collection_begin(&call, self) < 0 || key_in(&key, &call, given[0]) < 0)
        goto done;
    a.options.flags = value_flags(&call);
    rc = store_default(&call, &key, &a, given[1] ? given[1] : Py_None);
    if (rc == 0)
        value = value_out(&call, &a.entry, false);
    else
        errors_raise(call.state, rc, given[0]);
done:
    value_clear(&a.value);
    dcache_entry_clear(&a.entry);
    key_clear(&key);
    call_end(&call);
    return value;
}

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"get", FAST(get), "get($self, /, key, default=None)\n--\n\nThe value of `key`, or `default`."},
    {"setdefault", FAST(setdefault),
     "setdefault($self, /, key, default=None)\n--\n\n"
     "The value of `key`; if it is missing, `default` is stored first."},
    {"popitem", FAST(popitem),
     "popitem($self, /, last=True)\n--\n\n"
     "Remove and return the item that was inserted last, or first. Raises KeyError."},
    {"peekitem", FAST(peekitem),
     "peekitem($self, /, last=True)\n--\n\n"
     "The item that was inserted last, or first; it stays. Raises KeyError."},
    {"push", FAST(push),
     "push($self, /, value, prefix=None, side='back')\n--\n\n"
     "Add `value` to a side of the queue `prefix`; return its key."},
    {"pull", FAST(pull),
     "pull($self, /, prefix=None, default=(None, None), side='front')\n--\n\n"
     "Remove and return key and value from a side of the queue `prefix`."},
    {NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_iter, (void *)iterate},
    {Py_mp_subscript, (void *)subscript},
    {Py_mp_ass_subscript, (void *)assign},
    {Py_sq_contains, (void *)contains},
    {0, NULL},
};

PyType_Spec index_spec = {
    .name = "diskcache._core.Index",
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
