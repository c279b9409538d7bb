/* bulk.c - get_many, set_many, delete_many: one call of the library for all keys. */
#include "core.h"

/* Keys and, for set_many, values; the C arrays are those that the library takes. */
struct batch {
    Py_ssize_t count;
    PyObject *objects; /* a list of the keys */
    struct key *keys;
    struct value *values;
    struct dcache_value *c_keys, *c_values;
    struct dcache_entry *entries;
    Py_ssize_t values_in; /* so many are there */
    bool ambiguous;
};

static void batch_clear(struct batch *b)
{
    for (Py_ssize_t i = 0; i < b->count; i++) {
        if (b->keys)
            key_clear(&b->keys[i]);
        if (b->values)
            value_clear(&b->values[i]);
        if (b->entries)
            dcache_entry_clear(&b->entries[i]);
    }
    PyMem_Free(b->keys);
    PyMem_Free(b->values);
    PyMem_Free(b->c_keys);
    PyMem_Free(b->c_values);
    PyMem_Free(b->entries);
    Py_CLEAR(b->objects);
}

/* Room for `list`, whose reference is taken over, and its keys. */
static int batch_in(struct batch *b, struct call *call, PyObject *list)
{
    size_t count;

    b->objects = list;
    if (!list)
        return -1;
    count = (size_t)PyList_GET_SIZE(list);
    b->keys = PyMem_Calloc(count + 1, sizeof *b->keys);
    b->c_keys = PyMem_Calloc(count + 1, sizeof *b->c_keys);
    if (!b->keys || !b->c_keys) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        b->count++;
        if (key_in(&b->keys[i], call, PyList_GET_ITEM(list, (Py_ssize_t)i)) < 0)
            return -1;
        b->c_keys[i] = b->keys[i].value;
        b->ambiguous |= b->keys[i].ambiguous;
    }
    return 0;
}

/* ---- get_many ---- */

static int get_one_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry *entry = arg;

    options.flags = entry->status == DCACHE_INVALID ? DCACHE_AS_STORED : 0;
    dcache_entry_clear(entry);
    return dcache_get(cache, key, &options, entry);
}

/* What was not found may be there under another form. */
static int get_ambiguous(struct batch *b, struct call *call)
{
    for (Py_ssize_t i = 0; i < b->count; i++) {
        int rc;

        if (!b->keys[i].ambiguous || b->entries[i].status != DCACHE_NOT_FOUND)
            continue;
        b->entries[i].status = call->self->custom ? DCACHE_INVALID : 0;
        rc = key_call(call, &b->keys[i], false, get_one_step, &b->entries[i]);
        if (rc < 0 && rc != DCACHE_NOT_FOUND)
            return rc;
        b->entries[i].status = rc;
    }
    return 0;
}

/* Deleted meanwhile, so that a Disk did not find the file; or it cannot be decoded, and the user
 * does not want to know. */
static bool is_as_if_missing(const struct call *call, const struct dcache_entry *entry)
{
    if (entry->value.type == DCACHE_STORED && PyErr_ExceptionMatches(PyExc_FileNotFoundError))
        return true;
    return value_is_passed_over(call);
}

static PyObject *found_out(struct batch *b, struct call *call)
{
    PyObject *found = PyDict_New();

    for (Py_ssize_t i = 0; found && i < b->count; i++) {
        PyObject *value;

        if (b->entries[i].status < 0)
            continue;
        value = value_out(call, &b->entries[i], false);
        if (!value && is_as_if_missing(call, &b->entries[i])) {
            PyErr_Clear();
            continue;
        }
        if (!value || PyDict_SetItem(found, PyList_GET_ITEM(b->objects, i), value) < 0)
            Py_CLEAR(found);
        Py_XDECREF(value);
    }
    return found;
}

static const struct args_spec get_many_spec = {"get_many", 1, 2, {"keys", "retry"}};

static PyObject *get_many(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    struct batch b = {0};
    PyObject *given[2], *result = NULL;
    struct call call;
    bool retry;
    int rc;

    if (args_parse(&get_many_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[1], false, &retry) < 0)
        return NULL;
    if (call_begin(&call, self) < 0 || batch_in(&b, &call, PySequence_List(given[0])) < 0)
        goto done;
    b.entries = PyMem_Calloc((size_t)b.count + 1, sizeof *b.entries);
    if (!b.entries) {
        PyErr_NoMemory();
        goto done;
    }
    options.flags = value_flags(&call);
    do {
        for (Py_ssize_t i = 0; i < b.count; i++)
            dcache_entry_clear(&b.entries[i]);
        CALL_UNLOCKED(
            rc = dcache_get_many(call.cache, b.c_keys, (size_t)b.count, &options, b.entries))
    } while (call_again(&call, &rc, retry));
    if (rc == 0 && b.ambiguous)
        rc = get_ambiguous(&b, &call);
    if (rc == 0)
        result = found_out(&b, &call);
    else
        errors_raise(call.state, rc, NULL);
done:
    batch_clear(&b);
    call_end(&call);
    return result;
}

/* ---- set_many ---- */

/* A mapping, or pairs of key and value, into two lists. */
static int split_pairs(PyObject *given, PyObject **ret_keys, PyObject **ret_values)
{
    PyObject *pairs = PyObject_HasAttrString(given, "items") ? PyMapping_Items(given)
                                                             : PySequence_List(given);

    *ret_keys = PyList_New(0);
    *ret_values = PyList_New(0);
    for (Py_ssize_t i = 0; pairs && i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = PySequence_Fast(PyList_GET_ITEM(pairs, i), "items are pairs");

        if (pair && PySequence_Fast_GET_SIZE(pair) != 2)
            PyErr_SetString(PyExc_ValueError, "items are pairs of key and value");
        else if (pair && *ret_keys && *ret_values &&
                 PyList_Append(*ret_keys, PySequence_Fast_GET_ITEM(pair, 0)) == 0)
            (void)PyList_Append(*ret_values, PySequence_Fast_GET_ITEM(pair, 1));
        Py_XDECREF(pair);
        if (PyErr_Occurred())
            break;
    }
    Py_XDECREF(pairs);
    return PyErr_Occurred() ? -1 : 0;
}

static int values_in(struct batch *b, struct call *call, PyObject *list)
{
    for (b->values_in = 0; b->values_in < b->count; b->values_in++) {
        Py_ssize_t i = b->values_in;

        value_clear(&b->values[i]);
        call_at(call, &b->keys[i].value);
        if (value_in(&b->values[i], call, PyList_GET_ITEM(list, i), false, &b->keys[i]) < 0) {
            for (Py_ssize_t j = 0; j < i; j++) {
                call_at(call, &b->keys[j].value);
                value_discard(&b->values[j], call);
            }
            return -1;
        }
        b->c_values[i] = b->values[i].value;
    }
    return 0;
}

/* In one transaction, so that what is there under another form is replaced, and not doubled. */
static int set_ambiguous(dcache *cache, struct batch *b, const struct dcache_set_options *options)
{
    dcache *txn;
    int rc = dcache_begin(cache, -1, &txn);

    if (rc < 0) {
        for (Py_ssize_t i = 0; i < b->count; i++)
            if (b->values[i].value.type == DCACHE_STORED && b->values[i].stored.filename)
                (void)dcache_remove_file(dcache_shard_for(cache, &b->c_keys[i]),
                                         b->values[i].stored.filename);
        return rc;
    }
    for (Py_ssize_t i = 0; i < b->count; i++)
        for (int j = 0; j < b->keys[i].other_count; j++)
            if (dcache_contains(txn, &b->keys[i].value) == DCACHE_NOT_FOUND &&
                dcache_contains(txn, &b->keys[i].others[j].value) == 0)
                b->c_keys[i] = b->keys[i].others[j].value;
    rc = dcache_set_many(txn, b->c_keys, b->c_values, (size_t)b->count, options);
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

enum { SET_ITEMS, SET_EXPIRE, SET_TAG, SET_RETRY, SET_ARGS };
static const struct args_spec set_many_spec = {
    "set_many", 1, 4, {"items", "expire", "tag", "retry"}};

static int set_arguments(struct call *call, PyObject *const *given,
                         struct dcache_set_options *options, struct dcache_value *tag,
                         PyObject **ret_owned)
{
    if (given[SET_TAG] && args_plain(call->state, given[SET_TAG], tag, ret_owned) < 0)
        return -1;
    options->tag = tag;
    return args_expire(call->state, given[SET_EXPIRE], &options->expire);
}

static PyObject *set_many(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct batch b = {0};
    PyObject *given[SET_ARGS], *keys = NULL, *values = NULL, *tag_owned = NULL, *result = NULL;
    struct dcache_value tag = dcache_none();
    struct call call;
    bool retry;
    int rc;

    if (args_parse(&set_many_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[SET_RETRY], false, &retry) < 0)
        return NULL;
    if (call_begin(&call, self) < 0 ||
        set_arguments(&call, given, &options, &tag, &tag_owned) < 0 ||
        split_pairs(given[SET_ITEMS], &keys, &values) < 0 ||
        batch_in(&b, &call, Py_NewRef(keys)) < 0)
        goto done;
    b.values = PyMem_Calloc((size_t)b.count + 1, sizeof *b.values);
    b.c_values = PyMem_Calloc((size_t)b.count + 1, sizeof *b.c_values);
    if (!b.values || !b.c_values) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < b.count; i++)
        if (b.keys[i].ambiguous && key_others(&b.keys[i], &call) < 0)
            goto done;
    do {
        if (values_in(&b, &call, values) < 0)
            goto done;
        CALL_UNLOCKED(rc = b.ambiguous ? set_ambiguous(call.cache, &b, &options)
                                       : dcache_set_many(call.cache, b.c_keys, b.c_values,
                                                         (size_t)b.count, &options))
    } while (call_again(&call, &rc, retry));
    if (rc == 0 || rc == DCACHE_TOO_BIG)
        result = PyBool_FromLong(rc == 0);
    else
        errors_raise(call.state, rc, NULL);
done:
    batch_clear(&b);
    Py_XDECREF(keys);
    Py_XDECREF(values);
    Py_XDECREF(tag_owned);
    call_end(&call);
    return result;
}

/* ---- delete_many ---- */

/* All forms of a key: no more than one of them is there. */
static int add_forms(struct batch *b, struct call *call, size_t *ret_count)
{
    size_t count = (size_t)b->count, room = count;
    struct dcache_value *more;

    for (Py_ssize_t i = 0; i < b->count; i++) {
        if (b->keys[i].ambiguous && key_others(&b->keys[i], call) < 0)
            return -1;
        room += (size_t)b->keys[i].other_count;
    }
    more = PyMem_Realloc(b->c_keys, (room + 1) * sizeof *more);
    if (!more) {
        PyErr_NoMemory();
        return -1;
    }
    b->c_keys = more;
    for (Py_ssize_t i = 0; i < b->count; i++)
        for (int j = 0; j < b->keys[i].other_count; j++)
            more[count++] = b->keys[i].others[j].value;
    *ret_count = count;
    return 0;
}

static const struct args_spec delete_many_spec = {"delete_many", 1, 2, {"keys", "retry"}};

static PyObject *delete_many(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    struct batch b = {0};
    PyObject *given[2], *result = NULL;
    struct call call;
    int64_t deleted = 0;
    size_t count;
    bool retry;
    int rc;

    if (args_parse(&delete_many_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[1], false, &retry) < 0)
        return NULL;
    if (call_begin(&call, self) < 0 || batch_in(&b, &call, PySequence_List(given[0])) < 0 ||
        add_forms(&b, &call, &count) < 0)
        goto done;
    do
        CALL_UNLOCKED(rc = dcache_delete_many(call.cache, b.c_keys, count, &deleted))
    while (call_again(&call, &rc, retry));
    if (rc == 0)
        result = PyLong_FromLongLong(deleted);
    else
        errors_raise(call.state, rc, NULL);
done:
    batch_clear(&b);
    call_end(&call);
    return result;
}

PyMethodDef bulk_methods[] = {
    {"get_many", (PyCFunction)(void (*)(void))get_many, METH_FASTCALL | METH_KEYWORDS,
     "get_many($self, keys, retry=False)\n--\n\n"
     "A dictionary of those of `keys` that are there, as they were at one moment."},
    {"set_many", (PyCFunction)(void (*)(void))set_many, METH_FASTCALL | METH_KEYWORDS,
     "set_many($self, items, expire=None, tag=None, retry=False)\n--\n\n"
     "Store a mapping, or pairs of key and value: all of them, or none. False if one is larger\n"
     "than the cache may be."},
    {"delete_many", (PyCFunction)(void (*)(void))delete_many, METH_FASTCALL | METH_KEYWORDS,
     "delete_many($self, keys, retry=False)\n--\n\n"
     "Remove those of `keys` that are there, in one transaction; return how many."},
    {NULL},
};
