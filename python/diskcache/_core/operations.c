/* operations.c - the methods on one key: get, set, add, touch, incr, decr, pop, delete. */
#include "core.h"

/* A timeout in a fanout of 5.6.3's manners is as if nothing had been there. */
static bool is_miss(const struct call *call, int rc, bool retry)
{
    return rc == DCACHE_NOT_FOUND || (rc == DCACHE_TIMEOUT && call->self->lenient && !retry);
}

/* There, get() passes over what SQLite complains about, too. */
static bool is_get_miss(const struct call *call, int rc, bool retry)
{
    return is_miss(call, rc, retry) || (rc == DCACHE_SQLITE && call->self->lenient);
}

/* ---- get ---- */

struct get_args {
    struct dcache_get_options options;
    bool no_access;
    bool found; /* `entry` is an item */
    struct dcache_entry entry;
};

static int get_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    struct get_args *a = arg;

    if (a->no_access)
        a->options.flags |= DCACHE_NO_ACCESS;
    dcache_entry_clear(&a->entry);
    return dcache_get(cache, key, &a->options, &a->entry);
}

static int get_entry(struct call *call, struct key *key, struct get_args *a, bool retry)
{
    int rc;

    do
        rc = key_call(call, key, false, get_step, a);
    while (call_again(call, &rc, retry));
    a->found = rc == 0;
    return rc;
}

/* A Disk that cannot open the file may have come after the value was replaced: then there is another
 * name to try. The same name again is a miss. */
static int get_custom(struct call *call, struct key *key, struct get_args *a, bool read, bool retry,
                      PyObject **ret_object)
{
    PyObject *missing = NULL;
    int rc;

    for (;;) {
        const char *name;
        bool again;

        rc = get_entry(call, key, a, retry);
        if (rc < 0)
            break;
        *ret_object = value_out(call, &a->entry, read);
        if (*ret_object)
            break;
        rc = DCACHE_CALLBACK;
        if (!PyErr_ExceptionMatches(PyExc_OSError))
            break;
        name = a->entry.value.stored->filename ? a->entry.value.stored->filename : "";
        again = !missing || strcmp(PyBytes_AS_STRING(missing), name) != 0;
        PyErr_Clear();
        rc = DCACHE_NOT_FOUND;
        if (!again)
            break;
        Py_XSETREF(missing, PyBytes_FromString(name));
        if (!missing) {
            rc = DCACHE_CALLBACK;
            break;
        }
    }
    Py_XDECREF(missing);
    return rc;
}

/* With `read`, 5.6.3 gives a file object for what is in a file as bytes, else the value. Between the
 * two looks the value may be replaced by one of the other kind. */
static int get_stream(struct call *call, struct key *key, struct get_args *a, bool retry,
                      PyObject **ret_object)
{
    int rc;

    for (;;) {
        a->options.flags = DCACHE_AS_FD;
        rc = get_entry(call, key, a, retry);
        if (rc < 0)
            return rc;
        if (a->entry.filename && a->entry.kind == DCACHE_BYTES) {
            *ret_object = value_file(call, &a->entry, true);
            break;
        }
        a->options.flags = 0;
        rc = get_entry(call, key, a, retry);
        if (rc < 0)
            return rc;
        if (!a->entry.filename || a->entry.kind != DCACHE_BYTES) {
            *ret_object = value_out(call, &a->entry, false);
            break;
        }
    }
    return *ret_object ? 0 : DCACHE_CALLBACK;
}

static int find_object(struct call *call, struct key *key, struct get_args *a, bool read,
                       bool retry, PyObject **ret_object)
{
    int rc;

    *ret_object = NULL;
    a->options.flags = value_flags(call);
    if (call->self->custom)
        return get_custom(call, key, a, read, retry, ret_object);
    if (read)
        return get_stream(call, key, a, retry, ret_object);
    if (!call->self->coding.seal && !call->self->coding.marker)
        a->options.flags |= DCACHE_FILE_AS_FD;
    rc = get_entry(call, key, a, retry);
    if (rc < 0)
        return rc;
    if (a->entry.value.type == DCACHE_FD)
        return value_read(&a->entry, ret_object);
    *ret_object = value_out(call, &a->entry, false);
    return *ret_object ? 0 : DCACHE_CALLBACK;
}

/* Remove the item that was read, unless another is there by now. (While it waits in the memtable it has no
 * rowid.) */
static int delete_same_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    const struct dcache_entry *read = arg;
    struct dcache_entry now;
    dcache *txn;
    int rc = dcache_begin(cache, -1, &txn);

    if (rc < 0)
        return rc;
    options.flags = DCACHE_NO_VALUE | DCACHE_NO_ACCESS;
    rc = dcache_get(txn, key, &options, &now);
    if (rc == 0 && (now.rowid == read->rowid || read->rowid == 0) &&
        now.store_time == read->store_time)
        rc = dcache_delete(txn, key);
    dcache_entry_clear(&now);
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

/* The same, and the user's choice about what cannot be decoded. */
static int get_object(struct call *call, struct key *key, struct get_args *a, bool read, bool retry,
                      PyObject **ret_object)
{
    int rc = find_object(call, key, a, read, retry, ret_object);

    if (rc != DCACHE_CALLBACK || !a->found || !value_is_passed_over(call))
        return rc;
    PyErr_Clear();
    if (call->self->on_decode_error ==
        DECODE_DELETE) /* if it cannot be now, the next one will try */
        (void)key_call(call, key, true, delete_same_step, &a->entry);
    return DCACHE_NOT_FOUND;
}

static int touch_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    return dcache_touch(cache, key, arg);
}

enum { GET_KEY, GET_DEFAULT, GET_READ, GET_EXPIRE_TIME, GET_TAG, GET_RETRY, GET_TOUCH, GET_ARGS };
static const struct args_spec get_spec = {
    "get", 1, 6, {"key", "default", "read", "expire_time", "tag", "retry", "touch"}};

static PyObject *get(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    struct get_args a = {.options = DCACHE_OPTIONS(struct dcache_get_options)};
    struct dcache_set_options touch = DCACHE_OPTIONS(struct dcache_set_options);
    PyObject *given[GET_ARGS], *result = NULL;
    bool read, expire_time, tag, retry;
    struct call call;
    struct key key = {0};
    int rc;

    if (args_parse(&get_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[GET_READ], false, &read) < 0 ||
        args_bool(given[GET_EXPIRE_TIME], false, &expire_time) < 0 ||
        args_bool(given[GET_TAG], false, &tag) < 0 ||
        args_bool(given[GET_RETRY], false, &retry) < 0)
        return NULL;
    if (call_begin(&call, self) < 0 ||
        args_expire(call.state, given[GET_TOUCH], &touch.expire) < 0 ||
        key_in(&key, &call, given[GET_KEY]) < 0)
        goto done;
    rc = get_object(&call, &key, &a, read, retry, &result);
    if (rc == 0 && touch.expire != 0) {
        int touched;

        do
            touched = key_call(&call, &key, true, touch_step, &touch);
        while (call_again(&call, &touched, retry));
        if (touched < 0 && !is_miss(&call, touched, retry)) {
            Py_CLEAR(result);
            rc = touched;
        }
    }
    if (rc == 0)
        result = result_out(result, &a.entry, expire_time, tag);
    else if (is_get_miss(&call, rc, retry))
        result = result_default(given[GET_DEFAULT], expire_time, tag);
    else
        errors_raise(call.state, rc, given[GET_KEY]);
done:
    dcache_entry_clear(&a.entry);
    key_clear(&key);
    call_end(&call);
    return result;
}

PyObject *operation_subscript(PyObject *self, PyObject *object)
{
    struct get_args a = {.options = DCACHE_OPTIONS(struct dcache_get_options)};
    PyObject *result = NULL;
    struct call call;
    struct key key = {0};
    int rc;

    if (call_begin(&call, self) < 0 || key_in(&key, &call, object) < 0)
        goto done;
    rc = get_object(&call, &key, &a, false, true, &result);
    if (rc < 0)
        errors_raise(call.state, rc, object);
done:
    dcache_entry_clear(&a.entry);
    key_clear(&key);
    call_end(&call);
    return result;
}

/* (value, tag), or None: for incr() in Python, to which reading is no access. */
static PyObject *get_for_incr(PyObject *self, PyObject *object)
{
    struct get_args a = {.options = DCACHE_OPTIONS(struct dcache_get_options), .no_access = true};
    PyObject *result = NULL;
    struct call call;
    struct key key = {0};
    int rc;

    if (call_begin(&call, self) < 0 || key_in(&key, &call, object) < 0)
        goto done;
    rc = get_object(&call, &key, &a, false, false, &result);
    if (rc == 0)
        result = result_out(result, &a.entry, false, true);
    else if (rc == DCACHE_NOT_FOUND)
        result = Py_NewRef(Py_None);
    else
        errors_raise(call.state, rc, object);
done:
    dcache_entry_clear(&a.entry);
    key_clear(&key);
    call_end(&call);
    return result;
}

static const struct args_spec read_spec = {"read", 1, 2, {"key", "retry"}};

static PyObject *read_file(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                           PyObject *kwnames)
{
    struct get_args a = {.options = DCACHE_OPTIONS(struct dcache_get_options)};
    PyObject *given[2], *result = NULL;
    struct call call;
    struct key key = {0};
    bool retry;
    int rc;

    if (args_parse(&read_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[1], false, &retry) < 0)
        return NULL;
    if (call_begin(&call, self) < 0 || key_in(&key, &call, given[0]) < 0)
        goto done;
    if (call.self->custom) {
        rc = get_object(&call, &key, &a, true, retry, &result);
    } else {
        a.options.flags = DCACHE_AS_FD;
        rc = get_entry(&call, &key, &a, retry);
        result = rc == 0 ? value_file(&call, &a.entry, false) : NULL;
    }
    if (rc < 0)
        errors_raise(call.state, rc, given[0]);
done:
    dcache_entry_clear(&a.entry);
    key_clear(&key);
    call_end(&call);
    return result;
}

static int contains_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    (void)arg;
    return dcache_contains(cache, key);
}

int operation_contains(PyObject *self, PyObject *object)
{
    struct call call;
    struct key key = {0};
    int rc, found = -1;

    if (call_begin(&call, self) == 0 && key_in(&key, &call, object) == 0) {
        rc = key_call(&call, &key, false, contains_step, NULL);
        if (rc == 0 || rc == DCACHE_NOT_FOUND)
            found = rc == 0;
        else
            errors_raise(call.state, rc, object);
    }
    key_clear(&key);
    call_end(&call);
    return found;
}

/* ---- set, add ---- */

struct set_args {
    bool add;
    struct value value;
    PyObject *tag_owned;
    struct dcache_value tag;
    struct dcache_set_options options;
};

static int set_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    struct set_args *a = arg;

    return a->add ? dcache_add(cache, key, &a->value.value, &a->options)
                  : dcache_set(cache, key, &a->value.value, &a->options);
}

static int store(struct call *call, struct key *key, struct set_args *a, PyObject *object,
                 bool read, bool retry)
{
    PyObject *spool = read && retry ? value_spool(object) : NULL;
    int rc = DCACHE_CALLBACK;

    if (read && retry && !spool)
        return rc;
    do { /* after a timeout, the file that a Disk made is gone: it makes another */
        value_clear(&a->value);
        rc = DCACHE_CALLBACK;
        if (value_rewind(spool) < 0 ||
            value_in(&a->value, call, spool ? spool : object, read, key) < 0)
            break;
        rc = key_call(call, key, true, set_step, a);
    } while (call_again(call, &rc, retry));
    Py_XDECREF(spool);
    return rc;
}

enum { SET_KEY, SET_VALUE, SET_EXPIRE, SET_READ, SET_TAG, SET_RETRY, SET_KEEP, SET_ARGS };
static const struct args_spec set_spec = {
    "set", 2, 6, {"key", "value", "expire", "read", "tag", "retry", "keep_expire"}};
static const struct args_spec add_spec = {
    "add", 2, 6, {"key", "value", "expire", "read", "tag", "retry"}};

static PyObject *set_or_add(PyObject *self, PyObject *const *given, bool add)
{
    struct set_args a = {.add = add, .options = DCACHE_OPTIONS(struct dcache_set_options)};
    PyObject *result = NULL;
    struct call call;
    struct key key = {0};
    bool read, retry, keep;
    int rc;

    if (args_bool(given[SET_READ], false, &read) < 0 ||
        args_bool(given[SET_RETRY], false, &retry) < 0 ||
        args_bool(given[SET_KEEP], false, &keep) < 0)
        return NULL;
    a.options.flags = keep ? DCACHE_KEEP_EXPIRE : 0;
    if (call_begin(&call, self) < 0 ||
        args_expire(call.state, given[SET_EXPIRE], &a.options.expire) < 0 ||
        key_in(&key, &call, given[SET_KEY]) < 0 ||
        (given[SET_TAG] && args_plain(call.state, given[SET_TAG], &a.tag, &a.tag_owned) < 0))
        goto done;
    a.options.tag = &a.tag;
    rc = store(&call, &key, &a, given[SET_VALUE], read, retry);
    if (rc == 0)
        result = Py_NewRef(Py_True);
    else if (rc == DCACHE_EXISTS || rc == DCACHE_TOO_BIG || is_miss(&call, rc, retry))
        result = Py_NewRef(Py_False);
    else
        errors_raise(call.state, rc, given[SET_KEY]);
done:
    Py_XDECREF(a.tag_owned);
    value_clear(&a.value);
    key_clear(&key);
    call_end(&call);
    return result;
}

static PyObject *set(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[SET_ARGS];

    if (args_parse(&set_spec, args, nargs, kwnames, given) < 0)
        return NULL;
    return set_or_add(self, given, false);
}

static PyObject *add(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[SET_ARGS] = {NULL};

    if (args_parse(&add_spec, args, nargs, kwnames, given) < 0)
        return NULL;
    return set_or_add(self, given, true);
}

/* ---- delete, touch ---- */

static int delete_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    (void)arg;
    return dcache_delete(cache, key);
}

/* Runs a step that needs a key and nothing else; 1, or 0 if there was no such key, or -1. */
static int simple_write(PyObject *self, PyObject *object, bool retry, key_step *step, void *arg)
{
    struct call call;
    struct key key = {0};
    int rc, result = -1;

    if (call_begin(&call, self) == 0 && key_in(&key, &call, object) == 0) {
        do
            rc = key_call(&call, &key, true, step, arg);
        while (call_again(&call, &rc, retry));
        if (rc == 0 || is_miss(&call, rc, retry))
            result = rc == 0;
        else
            errors_raise(call.state, rc, object);
    }
    key_clear(&key);
    call_end(&call);
    return result;
}

/* c[key] = value, and del c[key]. What cannot be kept is an error here: there is no False. */
int operation_assign(PyObject *self, PyObject *object, PyObject *value)
{
    struct set_args a = {.options = DCACHE_OPTIONS(struct dcache_set_options)};
    struct call call;
    struct key key = {0};
    int rc = DCACHE_CALLBACK;

    if (!value) {
        rc = simple_write(self, object, true, delete_step, NULL);
        if (rc == 0)
            PyErr_SetObject(PyExc_KeyError, object);
        return rc > 0 ? 0 : -1;
    }
    if (call_begin(&call, self) == 0 && key_in(&key, &call, object) == 0) {
        rc = store(&call, &key, &a, value, false, true);
        if (rc < 0)
            errors_raise(call.state, rc, object);
    }
    value_clear(&a.value);
    key_clear(&key);
    call_end(&call);
    return rc < 0 ? -1 : 0;
}

static const struct args_spec delete_spec = {"delete", 1, 2, {"key", "retry"}};

static PyObject *delete (PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[2];
    bool retry;
    int rc;

    if (args_parse(&delete_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[1], false, &retry) < 0)
        return NULL;
    rc = simple_write(self, given[0], retry, delete_step, NULL);
    return rc < 0 ? NULL : PyBool_FromLong(rc);
}

static const struct args_spec touch_spec = {
    "touch", 1, 3, {"key", "expire", "retry", "keep_expire"}};

static PyObject *touch(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    CacheObject *cache = (CacheObject *)self;
    PyObject *given[4];
    bool retry, keep;
    int rc;

    if (args_parse(&touch_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[2], false, &retry) < 0 || args_bool(given[3], false, &keep) < 0 ||
        args_expire(cache->state, given[1], &options.expire) < 0)
        return NULL;
    options.flags = keep ? DCACHE_KEEP_EXPIRE : 0;
    rc = simple_write(self, given[0], retry, touch_step, &options);
    return rc < 0 ? NULL : PyBool_FromLong(rc);
}

/* ---- incr, decr ---- */

struct incr_args {
    struct dcache_value delta, initial, sum, tag;
    PyObject *tag_owned;
    struct dcache_incr_options options;
};

static int incr_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    struct incr_args *a = arg;

    return dcache_incr(cache, key, &a->delta, &a->options, &a->sum);
}

static int number_in(struct call *call, PyObject *given, struct dcache_value *ret)
{
    PyObject *owned;

    if (args_plain(call->state, given, ret, &owned) < 0)
        return -1;
    Py_XDECREF(owned);
    if (ret->type == DCACHE_INT || ret->type == DCACHE_DOUBLE)
        return 0;
    PyErr_Format(PyExc_TypeError, "not a number: %s", Py_TYPE(given)->tp_name);
    return -1;
}

static int negate(struct dcache_value *delta)
{
    if (delta->type == DCACHE_DOUBLE) {
        delta->real = -delta->real;
    } else if (delta->integer == INT64_MIN) {
        PyErr_SetString(PyExc_OverflowError, "the result does not fit into 64 bits");
        return -1;
    } else {
        delta->integer = -delta->integer;
    }
    return 0;
}

enum { INCR_KEY, INCR_DELTA, INCR_DEFAULT, INCR_RETRY, INCR_EXPIRE, INCR_TAG, INCR_ARGS };
static const struct args_spec incr_spec = {
    "incr", 1, 4, {"key", "delta", "default", "retry", "expire", "tag"}};
static const struct args_spec decr_spec = {
    "decr", 1, 4, {"key", "delta", "default", "retry", "expire", "tag"}};

static int incr_arguments(struct call *call, PyObject *const *given, int sign, struct incr_args *a)
{
    a->delta = dcache_int(1);
    a->initial = dcache_int(0);
    if (given[INCR_DELTA] && number_in(call, given[INCR_DELTA], &a->delta) < 0)
        return -1;
    if (sign < 0 && negate(&a->delta) < 0)
        return -1;
    if (given[INCR_DEFAULT] == Py_None)
        a->options.flags = DCACHE_MUST_EXIST;
    else if (given[INCR_DEFAULT] && number_in(call, given[INCR_DEFAULT], &a->initial) < 0)
        return -1;
    if (given[INCR_TAG] && args_plain(call->state, given[INCR_TAG], &a->tag, &a->tag_owned) < 0)
        return -1;
    a->options.initial = &a->initial;
    a->options.tag = &a->tag;
    return args_expire(call->state, given[INCR_EXPIRE], &a->options.expire);
}

/* A Disk with forms of its own: the number is in Python, and so is the sum (core.py). */
static PyObject *incr_custom(struct call *call, PyObject *const *given, int sign)
{
    PyObject *one = PyLong_FromLong(sign), *zero = PyLong_FromLong(0), *result = NULL;
    PyObject *delta = !given[INCR_DELTA] ? Py_XNewRef(one)
                      : sign > 0         ? Py_NewRef(given[INCR_DELTA])
                                         : PyNumber_Negative(given[INCR_DELTA]);

    if (one && zero && delta)
        result = PyObject_CallMethod((PyObject *)call->self, "_incr_by_disk", "OOOOOO",
                                     given[INCR_KEY], delta,
                                     given[INCR_DEFAULT] ? given[INCR_DEFAULT] : zero,
                                     given[INCR_RETRY] ? given[INCR_RETRY] : Py_False,
                                     given[INCR_EXPIRE] ? given[INCR_EXPIRE] : Py_None,
                                     given[INCR_TAG] ? given[INCR_TAG] : Py_None);
    Py_XDECREF(one);
    Py_XDECREF(zero);
    Py_XDECREF(delta);
    return result;
}

static PyObject *incr_by(PyObject *self, PyObject *const *given, int sign)
{
    struct incr_args a = {.options = DCACHE_OPTIONS(struct dcache_incr_options)};
    PyObject *result = NULL;
    struct call call;
    struct key key = {0};
    bool retry;
    int rc;

    if (args_bool(given[INCR_RETRY], false, &retry) < 0)
        return NULL;
    if (call_begin(&call, self) < 0)
        goto done;
    if (call.self->custom) {
        result = incr_custom(&call, given, sign);
        goto done;
    }
    if (incr_arguments(&call, given, sign, &a) < 0 || key_in(&key, &call, given[INCR_KEY]) < 0)
        goto done;
    do
        rc = key_call(&call, &key, true, incr_step, &a);
    while (call_again(&call, &rc, retry));
    if (rc == 0)
        result = plain_out(&a.sum);
    else if (rc == DCACHE_TIMEOUT && is_miss(&call, rc, retry))
        result = Py_NewRef(Py_None);
    else
        errors_raise(call.state, rc, given[INCR_KEY]);
done:
    Py_XDECREF(a.tag_owned);
    key_clear(&key);
    call_end(&call);
    return result;
}

static PyObject *incr(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[INCR_ARGS];

    if (args_parse(&incr_spec, args, nargs, kwnames, given) < 0)
        return NULL;
    return incr_by(self, given, 1);
}

static PyObject *decr(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[INCR_ARGS];

    if (args_parse(&decr_spec, args, nargs, kwnames, given) < 0)
        return NULL;
    return incr_by(self, given, -1);
}

/* ---- pop ---- */

static int pop_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    struct get_args *a = arg;

    dcache_entry_clear(&a->entry);
    return dcache_pop(cache, key, &a->options, &a->entry);
}

enum { POP_KEY, POP_DEFAULT, POP_EXPIRE_TIME, POP_TAG, POP_RETRY, POP_ARGS };
static const struct args_spec pop_spec = {
    "pop", 1, 5, {"key", "default", "expire_time", "tag", "retry"}};

static PyObject *pop(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    struct get_args a = {.options = DCACHE_OPTIONS(struct dcache_get_options)};
    PyObject *given[POP_ARGS], *result = NULL;
    bool expire_time, tag, retry;
    struct call call;
    struct key key = {0};
    int rc;

    if (args_parse(&pop_spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[POP_EXPIRE_TIME], false, &expire_time) < 0 ||
        args_bool(given[POP_TAG], false, &tag) < 0 ||
        args_bool(given[POP_RETRY], false, &retry) < 0)
        return NULL;
    if (call_begin(&call, self) < 0 || key_in(&key, &call, given[POP_KEY]) < 0)
        goto done;
    a.options.flags = value_flags(&call);
    do
        rc = key_call(&call, &key, true, pop_step, &a);
    while (call_again(&call, &rc, retry));
    if (rc == 0) {
        result = result_out(value_out(&call, &a.entry, false), &a.entry, expire_time, tag);
        value_remove(&call, &a.entry);
        if (!result && a.entry.value.type == DCACHE_STORED &&
            PyErr_ExceptionMatches(PyExc_OSError)) {
            PyErr_Clear();
            result = result_default(given[POP_DEFAULT], expire_time, tag);
        }
    } else if (is_miss(&call, rc, retry)) {
        result = result_default(given[POP_DEFAULT], expire_time, tag);
    } else {
        errors_raise(call.state, rc, given[POP_KEY]);
    }
done:
    dcache_entry_clear(&a.entry);
    key_clear(&key);
    call_end(&call);
    return result;
}

/* ---- the table ---- */

#define METHOD(name, signature, text)                                              \
    {                                                                              \
#name, (PyCFunction)(void (*)(void))(name), METH_FASTCALL | METH_KEYWORDS, \
            #name "(" signature ")\n--\n\n" text                                   \
    }

PyMethodDef operation_methods[] = {
    METHOD(get,
           "$self, key, default=None, read=False, expire_time=False, tag=False, retry=False, *, "
           "touch=None",
           "The value of `key`, or `default`. With `read`, a file object for what is kept in a\n"
           "file as bytes. With `expire_time` and `tag`, a tuple of the value and these. With\n"
           "`touch`, seconds or a timedelta, an item that is found expires that much later."),
    METHOD(set,
           "$self, key, value, expire=None, read=False, tag=None, retry=False, *, "
           "keep_expire=False",
           "Store `value` under `key`; with `read`, all that `value.read()` gives. `expire` is in\n"
           "seconds or a timedelta; with `keep_expire`, what the item has stays. False if the\n"
           "value is larger than the cache may be."),
    METHOD(add, "$self, key, value, expire=None, read=False, tag=None, retry=False",
           "As set(), but only if `key` is not there; else False."),
    METHOD(touch, "$self, key, expire=None, retry=False, *, keep_expire=False",
           "Give `key` a new time to live; without one it never expires, but with `keep_expire`\n"
           "what it has stays. False if it is not there."),
    METHOD(incr, "$self, key, delta=1, default=0, retry=False, *, expire=None, tag=None",
           "Add `delta` to a number, atomically; return the sum. What is not there begins from\n"
           "`default`, with `expire` and `tag`; with None that is a KeyError."),
    METHOD(decr, "$self, key, delta=1, default=0, retry=False, *, expire=None, tag=None",
           "As incr() of the negative."),
    METHOD(delete, "$self, key, retry=False", "Remove `key`. False if it was not there."),
    METHOD(pop, "$self, key, default=None, expire_time=False, tag=False, retry=False",
           "Remove `key` and return its value, or `default`."),
    {"read", (PyCFunction)(void (*)(void))read_file, METH_FASTCALL | METH_KEYWORDS,
     "read($self, key, retry=False)\n--\n\nA file object for the value of `key`, opened for\n"
     "reading. Raises KeyError if it is not there."},
    {"_get_for_incr", get_for_incr, METH_O, NULL},
    {NULL},
};
