/* recipes.c - averages and token buckets: functions on a key of a cache. */
#include "recipes.h"

struct item {
    struct call call;
    struct key key;
    struct dcache_value tag;
    PyObject *tag_owned;
    double expire;
};

/* item_end() is right in any case. `expire` and `tag` may be NULL. */
static int item_begin(struct item *item, PyObject *cache, PyObject *key, PyObject *expire,
                      PyObject *tag)
{
    memset(item, 0, sizeof *item);
    if (!cache_check(cache)) {
        PyErr_SetString(PyExc_TypeError, "a recipe works on a Cache or FanoutCache");
        return -1;
    }
    if (call_begin(&item->call, cache) < 0 || key_in(&item->key, &item->call, key) < 0 ||
        args_expire(item->call.state, expire, &item->expire) < 0)
        return -1;
    return tag ? args_plain(item->call.state, tag, &item->tag, &item->tag_owned) : 0;
}

static void item_end(struct item *item)
{
    Py_XDECREF(item->tag_owned);
    key_clear(&item->key);
    call_end(&item->call);
}

/* average_add(cache, key, value, expire, tag) */
static PyObject *average_add(PyObject *module, PyObject *args)
{
    struct dcache_item_options options = DCACHE_OPTIONS(struct dcache_item_options);
    PyObject *cache, *key, *expire, *tag;
    struct item item;
    double value;
    int rc = DCACHE_CALLBACK;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOdOO:average_add", &cache, &key, &value, &expire, &tag))
        return NULL;
    if (item_begin(&item, cache, key, expire, tag) == 0) {
        options.expire = item.expire;
        options.tag = &item.tag;
        do {
            CALL_UNLOCKED(
                rc = dcache_average_add(item.call.cache, &item.key.value, value, &options))
        } while (call_again(&item.call, &rc, true));
        if (rc < 0)
            errors_raise(item.call.state, rc, key);
    }
    item_end(&item);
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}

/* average_get(cache, key, pop): None if nothing was added. */
static PyObject *average_get(PyObject *module, PyObject *args)
{
    PyObject *cache, *key, *result = NULL;
    struct item item;
    double average = 0;
    int pop, rc;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOp:average_get", &cache, &key, &pop))
        return NULL;
    if (item_begin(&item, cache, key, NULL, NULL) == 0) {
        do {
            CALL_UNLOCKED(rc = pop ? dcache_average_pop(item.call.cache, &item.key.value, &average)
                                   : dcache_average_get(item.call.cache, &item.key.value, &average))
        } while (call_again(&item.call, &rc, true));
        if (rc == 0)
            result = PyFloat_FromDouble(average);
        else if (rc == DCACHE_NOT_FOUND)
            result = Py_NewRef(Py_None);
        else
            errors_raise(item.call.state, rc, key);
    }
    item_end(&item);
    return result;
}

/* throttle(cache, key, count, seconds, now, expire, tag, reset): the delay, in seconds; with `reset`
 * the bucket is filled, and that is all. */
static PyObject *throttle(PyObject *module, PyObject *args)
{
    struct dcache_throttle_options options = DCACHE_OPTIONS(struct dcache_throttle_options);
    PyObject *cache, *key, *expire, *tag;
    struct item item;
    double delay = 0;
    int reset, rc = DCACHE_CALLBACK;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOdddOOp:throttle", &cache, &key, &options.count, &options.seconds,
                          &options.now, &expire, &tag, &reset))
        return NULL;
    if (item_begin(&item, cache, key, expire, tag) == 0) {
        options.expire = item.expire;
        options.tag = &item.tag;
        if (options.now ==
            0) /* a clock of the caller's may begin there; for the library it is now */
            options.now = 1e-300;
        do {
            CALL_UNLOCKED(
                rc = reset
                         ? dcache_throttle_reset(item.call.cache, &item.key.value, &options)
                         : dcache_throttle_take(item.call.cache, &item.key.value, &options, &delay))
        } while (call_again(&item.call, &rc, true));
        if (rc < 0)
            errors_raise(item.call.state, rc, key);
    }
    item_end(&item);
    return rc < 0 ? NULL : PyFloat_FromDouble(delay);
}

PyMethodDef recipe_functions[] = {
    {"average_add", average_add, METH_VARARGS, NULL},
    {"average_get", average_get, METH_VARARGS, NULL},
    {"throttle", throttle, METH_VARARGS, NULL},
    {NULL},
};
