/* queues.c - push, pull, peek, peekitem. */
#include "core.h"

/* ---- push ---- */

enum {
    PUSH_VALUE,
    PUSH_PREFIX,
    PUSH_SIDE,
    PUSH_EXPIRE,
    PUSH_READ,
    PUSH_TAG,
    PUSH_RETRY,
    PUSH_ARGS
};
static const struct args_spec push_spec = {
    "push", 1, 7, {"value", "prefix", "side", "expire", "read", "tag", "retry"}};

static int prefix_in(PyObject *given, const char **ret_prefix)
{
    *ret_prefix = given && given != Py_None ? PyUnicode_AsUTF8(given) : NULL;
    return given && given != Py_None && !*ret_prefix ? -1 : 0;
}

static int push_value(struct call *call, PyObject *object, bool read, bool retry,
                      const char *prefix, enum dcache_side side,
                      const struct dcache_set_options *options, struct dcache_value *ret_key)
{
    PyObject *spool = read && retry ? value_spool(object) : NULL;
    struct value value = {0};
    struct key key;
    int rc = DCACHE_CALLBACK;

    if ((read && retry && !spool) || key_of_queue(&key, prefix) < 0) {
        Py_XDECREF(spool);
        return rc;
    }
    do {
        value_clear(&value);
        rc = DCACHE_CALLBACK;
        if (value_rewind(spool) < 0 ||
            value_in(&value, call, spool ? spool : object, read, &key) < 0)
            break;
        CALL_UNLOCKED(rc = dcache_push(call->cache, prefix, side, &value.value, options, ret_key))
    } while (call_again(call, &rc, retry));
    value_clear(&value);
    key_clear(&key);
    Py_XDECREF(spool);
    return rc;
}

static PyObject *push(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_value tag = dcache_none(), key = dcache_none();
    PyObject *given[PUSH_ARGS], *tag_owned = NULL, *result = NULL;
    enum dcache_side side;
    const char *prefix;
    struct call call;
    bool read, retry;
    int rc;

    if (args_parse(&push_spec, args, nargs, kwnames, given) < 0 ||
        args_side(given[PUSH_SIDE], DCACHE_BACK, &side) < 0 ||
        args_bool(given[PUSH_READ], false, &read) < 0 ||
        args_bool(given[PUSH_RETRY], false, &retry) < 0 ||
        prefix_in(given[PUSH_PREFIX], &prefix) < 0)
        return NULL;
    if (call_begin(&call, self) < 0 ||
        args_expire(call.state, given[PUSH_EXPIRE], &options.expire) < 0 ||
        (given[PUSH_TAG] && args_plain(call.state, given[PUSH_TAG], &tag, &tag_owned) < 0))
        goto done;
    options.tag = &tag;
    rc = push_value(&call, given[PUSH_VALUE], read, retry, prefix, side, &options, &key);
    if (rc == 0)
        result = plain_out(&key);
    else
        errors_raise(call.state, rc, NULL);
    dcache_value_clear(&key);
done:
    Py_XDECREF(tag_owned);
    call_end(&call);
    return result;
}

/* ---- pull, peek, peekitem ---- */

struct take {
    bool remove, item; /* `item`: of the whole cache, the key by way of the Disk */
    const char *prefix;
    enum dcache_side side;
    bool expire_time, tag, retry;
};

static int take_entry(struct call *call, const struct take *take, struct dcache_entry *entry)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    int rc;

    options.flags = value_flags(call);
    do {
        dcache_entry_clear(entry);
        CALL_BEGIN_UNLOCKED
        if (take->item)
            rc = dcache_peekitem(call->cache, take->side, &options, entry);
        else if (take->remove)
            rc = dcache_pull(call->cache, take->prefix, take->side, &options, entry);
        else
            rc = dcache_peek(call->cache, take->prefix, take->side, &options, entry);
        CALL_END_UNLOCKED
    } while (call_again(call, &rc, take->retry));
    return rc;
}

/* The pair of key and value. NULL without an exception: a Disk did not find the file, so there is
 * another item to try. */
static PyObject *pair_out(struct call *call, const struct take *take, struct dcache_entry *entry)
{
    PyObject *key = take->item ? key_out(call, &entry->key) : plain_out(&entry->key);
    PyObject *value = key ? value_out(call, entry, false) : NULL;
    PyObject *pair = value ? PyTuple_Pack(2, key, value) : NULL;

    if (take->remove)
        value_remove(call, entry);
    if (key && !value && entry->value.type == DCACHE_STORED &&
        PyErr_ExceptionMatches(take->remove ? PyExc_OSError : PyExc_FileNotFoundError))
        PyErr_Clear();
    Py_XDECREF(key);
    Py_XDECREF(value);
    return pair;
}

static PyObject *take_out(struct call *call, const struct take *take, PyObject *otherwise)
{
    struct dcache_entry entry = {0};
    PyObject *result = NULL;
    int rc;

    do {
        rc = take_entry(call, take, &entry);
        if (rc < 0)
            break;
        result = pair_out(call, take, &entry);
    } while (!result && !PyErr_Occurred());
    if (rc == 0)
        result = result_out(result, &entry, take->expire_time, take->tag);
    else if (rc == DCACHE_NOT_FOUND && otherwise)
        result = result_default(otherwise, take->expire_time, take->tag);
    else if (rc == DCACHE_NOT_FOUND)
        PyErr_SetString(PyExc_KeyError, "dictionary is empty");
    else
        errors_raise(call->state, rc, NULL);
    dcache_entry_clear(&entry);
    return result;
}

enum { PULL_PREFIX, PULL_DEFAULT, PULL_SIDE, PULL_EXPIRE_TIME, PULL_TAG, PULL_RETRY, PULL_ARGS };
#define PULL_NAMES                                                 \
    {                                                              \
        "prefix", "default", "side", "expire_time", "tag", "retry" \
    }

static PyObject *pull_or_peek(PyObject *self, PyObject *const *given, bool remove)
{
    struct take take = {.remove = remove};
    PyObject *nothing = NULL, *result = NULL;
    struct call call;

    if (args_side(given[PULL_SIDE], DCACHE_FRONT, &take.side) < 0 ||
        args_bool(given[PULL_EXPIRE_TIME], false, &take.expire_time) < 0 ||
        args_bool(given[PULL_TAG], false, &take.tag) < 0 ||
        args_bool(given[PULL_RETRY], false, &take.retry) < 0 ||
        prefix_in(given[PULL_PREFIX], &take.prefix) < 0)
        return NULL;
    nothing = given[PULL_DEFAULT] ? Py_NewRef(given[PULL_DEFAULT])
                                  : PyTuple_Pack(2, Py_None, Py_None);
    if (nothing && call_begin(&call, self) == 0)
        result = take_out(&call, &take, nothing);
    if (nothing)
        call_end(&call);
    Py_XDECREF(nothing);
    return result;
}

static PyObject *pull(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"pull", 0, 6, PULL_NAMES};
    PyObject *given[PULL_ARGS];

    if (args_parse(&spec, args, nargs, kwnames, given) < 0)
        return NULL;
    return pull_or_peek(self, given, true);
}

static PyObject *peek(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"peek", 0, 6, PULL_NAMES};
    PyObject *given[PULL_ARGS];

    if (args_parse(&spec, args, nargs, kwnames, given) < 0)
        return NULL;
    return pull_or_peek(self, given, false);
}

static const struct args_spec peekitem_spec = {
    "peekitem", 0, 4, {"last", "expire_time", "tag", "retry"}};

static PyObject *peekitem(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    struct take take = {.item = true};
    PyObject *given[4], *result = NULL;
    struct call call;
    bool last;

    if (args_parse(&peekitem_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[0], true, &last) < 0 || args_bool(given[1], false, &take.expire_time) < 0 ||
        args_bool(given[2], false, &take.tag) < 0 || args_bool(given[3], false, &take.retry) < 0)
        return NULL;
    take.side = last ? DCACHE_BACK : DCACHE_FRONT;
    if (call_begin(&call, self) == 0)
        result = take_out(&call, &take, NULL);
    call_end(&call);
    return result;
}

PyMethodDef queue_methods[] = {
    {"push", (PyCFunction)(void (*)(void))push, METH_FASTCALL | METH_KEYWORDS,
     "push($self, value, prefix=None, side='back', expire=None, read=False, tag=None, "
     "retry=False)\n--\n\n"
     "Append `value` to a side of the queue `prefix`; return its key. The queue None has integer\n"
     "keys from 500000000000000 on: a key of your own between 0 and 999999999999999 is in it."},
    {"pull", (PyCFunction)(void (*)(void))pull, METH_FASTCALL | METH_KEYWORDS,
     "pull($self, prefix=None, default=(None, None), side='front', expire_time=False, tag=False, "
     "retry=False)\n--\n\n"
     "Remove and return key and value from a side of a queue, or `default` if it is empty."},
    {"peek", (PyCFunction)(void (*)(void))peek, METH_FASTCALL | METH_KEYWORDS,
     "peek($self, prefix=None, default=(None, None), side='front', expire_time=False, tag=False, "
     "retry=False)\n--\n\n"
     "As pull(), but the item stays."},
    {"peekitem", (PyCFunction)(void (*)(void))peekitem, METH_FASTCALL | METH_KEYWORDS,
     "peekitem($self, last=True, expire_time=False, tag=False, retry=False)\n--\n\n"
     "Key and value of what was inserted last, or first. Raises KeyError if there is nothing."},
    {NULL},
};
