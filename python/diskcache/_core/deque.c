/* deque.c - Deque: its ends, its items by index, rotate and reverse. */
#include "collection.h"

/* How many items of an extend() go into one transaction. */
#define BATCH 1000

static PyObject *raise_index(struct call *call, int rc, const char *text)
{
    if (rc != DCACHE_NOT_FOUND)
        return errors_raise(call->state, rc, NULL);
    PyErr_SetString(PyExc_IndexError, text);
    return NULL;
}

static int index_in(PyObject *given, int64_t *ret)
{
    *ret = PyNumber_AsSsize_t(given, PyExc_IndexError);
    return *ret == -1 && PyErr_Occurred() ? -1 : 0;
}

/* ---- out: pop, peek, [] ---- */

typedef int take_fn(dcache *deque, int64_t where, const struct dcache_get_options *options,
                    struct dcache_entry *ret_entry);

static int take_popped(dcache *deque, int64_t side, const struct dcache_get_options *options,
                       struct dcache_entry *ret_entry)
{
    return dcache_deque_pop(deque, (enum dcache_side)side, options, ret_entry);
}

static int take_peeked(dcache *deque, int64_t side, const struct dcache_get_options *options,
                       struct dcache_entry *ret_entry)
{
    return dcache_deque_peek(deque, (enum dcache_side)side, options, ret_entry);
}

static PyObject *take(PyObject *self, take_fn *function, int64_t where, const char *none)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry entry = {0};
    PyObject *value = NULL;
    struct call call;
    int rc;

    if (collection_begin(&call, self) < 0)
        goto done;
    options.flags = value_flags(&call);
    do {
        CALL_UNLOCKED(rc = function(call.cache, where, &options, &entry))
    } while (call_again(&call, &rc, true));
    if (rc == 0)
        value = value_out(&call, &entry, false);
    else
        raise_index(&call, rc, none);
    if (rc == 0 && function == take_popped)
        value_remove(&call, &entry);
done:
    dcache_entry_clear(&entry);
    call_end(&call);
    return value;
}

static PyObject *pop(PyObject *self, PyObject *unused)
{
    (void)unused;
    return take(self, take_popped, DCACHE_BACK, "pop from an empty deque");
}

static PyObject *popleft(PyObject *self, PyObject *unused)
{
    (void)unused;
    return take(self, take_popped, DCACHE_FRONT, "pop from an empty deque");
}

static PyObject *peek(PyObject *self, PyObject *unused)
{
    (void)unused;
    return take(self, take_peeked, DCACHE_BACK, "peek from an empty deque");
}

static PyObject *peekleft(PyObject *self, PyObject *unused)
{
    (void)unused;
    return take(self, take_peeked, DCACHE_FRONT, "peek from an empty deque");
}

static PyObject *subscript(PyObject *self, PyObject *given)
{
    int64_t index;

    if (index_in(given, &index) < 0)
        return NULL;
    return take(self, dcache_deque_get, index, "deque index out of range");
}

/* ---- in: append, [] = ---- */

typedef int store_fn(dcache *deque, int64_t where, const struct dcache_value *value);

static int store_pushed(dcache *deque, int64_t side, const struct dcache_value *value)
{
    return dcache_deque_push(deque, (enum dcache_side)side, value);
}

static int store(PyObject *self, store_fn *function, int64_t where, PyObject *object)
{
    struct value value = {0};
    struct call call;
    struct key key;
    int rc = DCACHE_CALLBACK;

    if (collection_begin(&call, self) < 0 || key_of_queue(&key, NULL) < 0)
        goto done;
    do { /* after a timeout, the file that a Disk made is gone: it makes another */
        value_clear(&value);
        rc = value_in(&value, &call, object, false, &key) < 0 ? DCACHE_CALLBACK : 0;
        if (rc == 0)
            CALL_UNLOCKED(rc = function(call.cache, where, &value.value))
    } while (call_again(&call, &rc, true));
    if (rc < 0)
        raise_index(&call, rc, "deque index out of range");
done:
    value_clear(&value);
    call_end(&call);
    return rc < 0 ? -1 : 0;
}

static const struct args_spec append_spec = {"append", 1, 1, {"value"}};

static PyObject *append_at(PyObject *self, enum dcache_side side, PyObject *const *args,
                           Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *value;

    if (args_parse(&append_spec, args, nargs, kwnames, &value) < 0 ||
        store(self, store_pushed, side, value) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *append(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return append_at(self, DCACHE_BACK, args, nargs, kwnames);
}

static PyObject *appendleft(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    return append_at(self, DCACHE_FRONT, args, nargs, kwnames);
}

/* ---- extend ---- */

/* Values up to the first that cannot be converted; how many. */
static Py_ssize_t values_in(struct call *call, PyObject *objects, struct value *values,
                            struct dcache_value *plain)
{
    Py_ssize_t count = PyList_GET_SIZE(objects), i;
    struct key key;

    (void)key_of_queue(&key, NULL); /* a number: it cannot fail */
    for (i = 0; i < count; i++) {
        if (value_in(&values[i], call, PyList_GET_ITEM(objects, i), false, &key) < 0)
            break;
        plain[i] = values[i].value;
    }
    return i;
}

/* As one append after the other does, but in one transaction: what comes before an object that cannot
 * be stored is appended. */
static int extend_batch(struct call *call, enum dcache_side side, PyObject *objects)
{
    size_t room = (size_t)PyList_GET_SIZE(objects) + 1;
    struct value *values = PyMem_Calloc(room, sizeof *values);
    struct dcache_value *plain = PyMem_Calloc(room, sizeof *plain);
    PyObject *type, *error, *traceback;
    Py_ssize_t count = 0;
    int rc = DCACHE_NOMEM;

    if (values && plain)
        do {
            PyErr_Clear();
            for (Py_ssize_t i = 0; i <= count; i++)
                value_clear(&values[i]);
            count = values_in(call, objects, values, plain);
            PyErr_Fetch(&type, &error, &traceback);
            CALL_UNLOCKED(rc = dcache_deque_extend(call->cache, side, plain, (size_t)count))
            PyErr_Restore(type, error, traceback);
        } while (call_again(call, &rc, true));
    for (Py_ssize_t i = 0; values && i <= count; i++)
        value_clear(&values[i]);
    PyMem_Free(values);
    PyMem_Free(plain);
    if (rc < 0)
        errors_raise(call->state, rc, NULL);
    return rc < 0 || PyErr_Occurred() ? -1 : 0;
}

/* Up to `limit` items of an iterator into a new list; an exception that ended it is left set. */
static PyObject *next_batch(PyObject *iterator, Py_ssize_t limit)
{
    PyObject *batch = PyList_New(0), *item;

    while (batch && PyList_GET_SIZE(batch) < limit && (item = PyIter_Next(iterator))) {
        if (PyList_Append(batch, item) < 0)
            Py_CLEAR(batch);
        Py_DECREF(item);
    }
    return batch;
}

static int extend_from(struct call *call, enum dcache_side side, PyObject *iterator,
                       Py_ssize_t limit)
{
    PyObject *type, *error, *traceback, *batch;
    Py_ssize_t got;

    do {
        batch = next_batch(iterator, limit);
        if (!batch)
            return -1;
        got = PyList_GET_SIZE(batch);
        PyErr_Fetch(&type, &error, &traceback);
        if (got > 0 && extend_batch(call, side, batch) < 0) {
            Py_XDECREF(type);
            Py_XDECREF(error);
            Py_XDECREF(traceback);
        } else {
            PyErr_Restore(type, error, traceback);
        }
        Py_DECREF(batch);
    } while (got == limit && !PyErr_Occurred());
    return PyErr_Occurred() ? -1 : 0;
}

static const struct args_spec extend_spec = {"extend", 1, 1, {"iterable"}};

static PyObject *extend_at(PyObject *self, enum dcache_side side, PyObject *const *args,
                           Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *iterable, *items, *iterator = NULL;
    struct call call;
    int rc = -1;

    if (args_parse(&extend_spec, args, nargs, kwnames, &iterable) < 0)
        return NULL;
    /* Of itself, as it is now; else it would never end. */
    items = iterable == self ? PySequence_List(iterable) : Py_NewRef(iterable);
    if (items && collection_begin(&call, self) == 0) {
        /* What has no length may be slow or endless: each item is appended when it comes. */
        Py_ssize_t limit = PyObject_Size(items) < 0 ? 1 : BATCH;

        PyErr_Clear();
        iterator = PyObject_GetIter(items);
        rc = iterator ? extend_from(&call, side, iterator, limit) : -1;
    }
    if (items)
        call_end(&call);
    Py_XDECREF(iterator);
    Py_XDECREF(items);
    if (rc < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *extend(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return extend_at(self, DCACHE_BACK, args, nargs, kwnames);
}

static PyObject *extendleft(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    return extend_at(self, DCACHE_FRONT, args, nargs, kwnames);
}

/* ---- the rest ---- */

typedef int change_fn(dcache *deque, int64_t argument);

static int change(PyObject *self, change_fn *function, int64_t argument)
{
    struct call call;
    int rc = DCACHE_CALLBACK;

    if (collection_begin(&call, self) == 0) {
        do {
            CALL_UNLOCKED(rc = function(call.cache, argument))
        } while (call_again(&call, &rc, true));
        if (rc < 0)
            raise_index(&call, rc, "deque index out of range");
    }
    call_end(&call);
    return rc < 0 ? -1 : 0;
}

static int assign(PyObject *self, PyObject *given, PyObject *value)
{
    int64_t index;

    if (index_in(given, &index) < 0)
        return -1;
    return value ? store(self, dcache_deque_set, index, value)
                 : change(self, dcache_deque_delete, index);
}

static const struct args_spec rotate_spec = {"rotate", 0, 1, {"steps"}};

static PyObject *rotate(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given;
    long long steps = 1;

    if (args_parse(&rotate_spec, args, nargs, kwnames, &given) < 0)
        return NULL;
    if (given && !PyLong_Check(given)) {
        PyErr_Format(PyExc_TypeError, "integer argument expected, got %s", Py_TYPE(given)->tp_name);
        return NULL;
    }
    if (given)
        steps = PyLong_AsLongLong(given);
    if ((steps == -1 && PyErr_Occurred()) || change(self, dcache_deque_rotate, steps) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static int change_reverse(dcache *deque, int64_t unused)
{
    (void)unused;
    return dcache_deque_reverse(deque);
}

static PyObject *reverse(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (change(self, change_reverse, 0) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- from one end to the other ---- */

/* The keys of the queue NULL, whatever a Disk would make of such keys. */
struct walk {
    struct dcache_value start, stop;
    struct dcache_iter_options options;
};

static void walk_init(struct walk *walk, bool reverse)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);

    walk->start = dcache_int(0);
    walk->stop = dcache_int(INT64_C(999999999999999));
    options.order = DCACHE_BY_KEY;
    options.start = &walk->start;
    options.stop = &walk->stop;
    options.flags = DCACHE_LIVE_ONLY | (reverse ? DCACHE_REVERSE : 0);
    walk->options = options;
}

static PyObject *iterate_from(PyObject *self, bool reverse)
{
    PyObject *iterator = NULL;
    struct walk walk;
    struct call call;

    walk_init(&walk, reverse);
    if (collection_begin(&call, self) == 0)
        iterator = iterate_values(&call, &walk.options);
    call_end(&call);
    return iterator;
}

static PyObject *iterate(PyObject *self)
{
    return iterate_from(self, false);
}

static PyObject *reversed(PyObject *self, PyObject *unused)
{
    (void)unused;
    return iterate_from(self, true);
}

/* Whether the item of an entry is equal to `value`, as Python tells, and was taken out; -1: error. */
static int remove_equal(struct call *call, struct dcache_entry *entry, PyObject *value)
{
    PyObject *item = value_out(call, entry, false);
    int equal = item ? PyObject_RichCompareBool(value, item, Py_EQ) : -1, rc;

    Py_XDECREF(item);
    if (equal <= 0)
        return equal;
    do {
        CALL_UNLOCKED(rc = dcache_delete(call->cache, &entry->key))
    } while (call_again(call, &rc, true));
    if (rc < 0 && rc != DCACHE_NOT_FOUND)
        errors_raise(call->state, rc, NULL);
    return rc == 0 ? 1 : rc == DCACHE_NOT_FOUND ? 0 : -1;
}

static int remove_first(struct call *call, PyObject *value)
{
    struct dcache_entry entry = {0};
    dcache_iter *iter = NULL;
    struct walk walk;
    int rc, removed = 0;

    walk_init(&walk, false);
    walk.options.flags |= value_flags(call);
    CALL_UNLOCKED(rc = dcache_iter_open(call->cache, &walk.options, &iter))
    while (rc == 0 && removed == 0) {
        CALL_UNLOCKED(rc = dcache_iter_next(iter, &entry))
        if (rc == 0)
            removed = remove_equal(call, &entry, value);
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    if (rc < 0 && rc != DCACHE_NOT_FOUND)
        errors_raise(call->state, rc, NULL);
    else if (removed == 0)
        PyErr_SetString(PyExc_ValueError, "deque.remove(value): value not in deque");
    return removed > 0 ? 0 : -1;
}

static const struct args_spec remove_spec = {"remove", 1, 1, {"value"}};

static PyObject *remove_value(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    PyObject *value;
    struct call call;
    int rc = -1;

    if (args_parse(&remove_spec, args, nargs, kwnames, &value) < 0)
        return NULL;
    if (collection_begin(&call, self) == 0)
        rc = remove_first(&call, value);
    call_end(&call);
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- maxlen: math.inf in Python, -1 in the library ---- */

static PyObject *get_maxlen(PyObject *self, void *unused)
{
    int64_t maxlen = -1;
    struct call call;
    int rc = -1;

    (void)unused;
    if (collection_begin(&call, self) == 0) {
        CALL_UNLOCKED(rc = dcache_deque_maxlen(call.cache, &maxlen))
        if (rc < 0)
            errors_raise(call.state, rc, NULL);
    }
    call_end(&call);
    if (rc < 0)
        return NULL;
    return maxlen < 0 ? PyFloat_FromDouble(Py_HUGE_VAL) : PyLong_FromLongLong(maxlen);
}

static int set_maxlen(PyObject *self, PyObject *given, void *unused)
{
    long long maxlen = -1;

    (void)unused;
    if (!given) {
        PyErr_SetString(PyExc_AttributeError, "maxlen cannot be deleted");
        return -1;
    }
    if (given != Py_None && !(PyFloat_Check(given) && PyFloat_AS_DOUBLE(given) == Py_HUGE_VAL)) {
        maxlen = PyLong_AsLongLong(given);
        if (maxlen == -1 && PyErr_Occurred())
            return -1;
        if (maxlen < 0) {
            PyErr_SetString(PyExc_ValueError, "maxlen must be non-negative");
            return -1;
        }
    }
    return change(self, dcache_deque_set_maxlen, maxlen);
}

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"append", FAST(append),
     "append($self, /, value)\n--\n\nAdd `value` to the back; beyond maxlen, the front one goes."},
    {"appendleft", FAST(appendleft),
     "appendleft($self, /, value)\n--\n\n"
     "Add `value` to the front; beyond maxlen, the back one goes."},
    {"extend", FAST(extend),
     "extend($self, /, iterable)\n--\n\nAppend each item of `iterable`: of a list or whatever else "
     "has a length, 1,000 in a transaction, of an iterator one by one."},
    {"extendleft", FAST(extendleft),
     "extendleft($self, /, iterable)\n--\n\nAs extend() at the front, where they come to lie in "
     "reverse."},
    {"pop", pop, METH_NOARGS,
     "pop($self, /)\n--\n\nRemove and return the item at the back. Raises IndexError."},
    {"popleft", popleft, METH_NOARGS,
     "popleft($self, /)\n--\n\nRemove and return the item at the front. Raises IndexError."},
    {"peek", peek, METH_NOARGS,
     "peek($self, /)\n--\n\nThe item at the back, which stays. Raises IndexError."},
    {"peekleft", peekleft, METH_NOARGS,
     "peekleft($self, /)\n--\n\nThe item at the front, which stays. Raises IndexError."},
    {"rotate", FAST(rotate),
     "rotate($self, /, steps=1)\n--\n\nMove `steps` items from the back to the front; if negative, "
     "from the front to the back."},
    {"remove", FAST(remove_value),
     "remove($self, /, value)\n--\n\nRemove the first item that is equal to `value`. Raises "
     "ValueError."},
    {"__reversed__", reversed, METH_NOARGS,
     "__reversed__($self, /)\n--\n\nThe items from the back to the front."},
    {"reverse", reverse, METH_NOARGS, "reverse($self, /)\n--\n\nReverse the order of the items."},
    {NULL},
};

static PyGetSetDef getset[] = {
    {"maxlen", get_maxlen, set_maxlen,
     "The greatest length, math.inf for none. It is kept in the directory; if it is made less, items "
     "go from the front.",
     NULL},
    {NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_iter, (void *)iterate},
    {Py_mp_subscript, (void *)subscript},
    {Py_mp_ass_subscript, (void *)assign},
    {0, NULL},
};

PyType_Spec deque_spec = {
    .name = "diskcache._core.Deque",
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
