/* whole.c - the cache as a whole: removal of many, counters, settings, checking, copies. */
#include "core.h"

/* ---- removal ---- */

enum whole { EXPIRE, EVICT, CULL, CLEAR };

/* A timeout says how much was removed until then. */
static PyObject *remove_many(struct call *call, enum whole what, double now,
                             const struct dcache_value *tag, bool retry)
{
    int64_t total = 0;
    PyObject *count;
    int rc;

    do {
        int64_t removed = 0;

        CALL_BEGIN_UNLOCKED
        if (what == EXPIRE)
            rc = dcache_expire(call->cache, now, &removed);
        else if (what == EVICT)
            rc = dcache_evict(call->cache, tag, &removed);
        else if (what == CULL)
            rc = dcache_cull(call->cache, &removed);
        else
            rc = dcache_clear(call->cache, &removed);
        CALL_END_UNLOCKED
        total += removed;
    } while (call_again(call, &rc, retry));
    if (rc < 0 && rc != DCACHE_TIMEOUT)
        return errors_raise(call->state, rc, NULL);
    count = PyLong_FromLongLong(total);
    if (rc < 0 && count) {
        PyErr_SetObject(call->state->timeout, count);
        Py_CLEAR(count);
    }
    return count;
}

static PyObject *expire(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"expire", 0, 2, {"now", "retry"}};
    PyObject *given[2], *result = NULL;
    struct call call;
    double now = 0;
    bool retry;

    if (args_parse(&spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[1], false, &retry) < 0)
        return NULL;
    if (given[0] && given[0] != Py_None)
        now = PyFloat_AsDouble(given[0]);
    if (PyErr_Occurred())
        return NULL;
    if (call_begin(&call, self) == 0)
        result = remove_many(&call, EXPIRE, now, NULL, retry);
    call_end(&call);
    return result;
}

static PyObject *evict(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"evict", 1, 2, {"tag", "retry"}};
    PyObject *given[2], *owned = NULL, *result = NULL;
    struct dcache_value tag;
    struct call call;
    bool retry;

    if (args_parse(&spec, args, nargs, kwnames, given) < 0 ||
        args_bool(given[1], false, &retry) < 0)
        return NULL;
    if (given[0] == Py_None) /* nothing has the tag None: without a tag, it has none */
        return PyLong_FromLong(0);
    if (call_begin(&call, self) == 0 && args_plain(call.state, given[0], &tag, &owned) == 0)
        result = remove_many(&call, EVICT, 0, &tag, retry);
    Py_XDECREF(owned);
    call_end(&call);
    return result;
}

static PyObject *cull_or_clear(PyObject *self, const struct args_spec *spec, enum whole what,
                               PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[1], *result = NULL;
    struct call call;
    bool retry;

    if (args_parse(spec, args, nargs, kwnames, given) < 0 || args_bool(given[0], false, &retry) < 0)
        return NULL;
    if (call_begin(&call, self) == 0)
        result = remove_many(&call, what, 0, NULL, retry);
    call_end(&call);
    return result;
}

static PyObject *cull(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"cull", 0, 1, {"retry"}};

    return cull_or_clear(self, &spec, CULL, args, nargs, kwnames);
}

static PyObject *clear(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct args_spec spec = {"clear", 0, 1, {"retry"}};

    return cull_or_clear(self, &spec, CLEAR, args, nargs, kwnames);
}

/* ---- counters ---- */

static int64_t number_of(PyObject *self, int (*ask)(dcache *, int64_t *))
{
    int64_t number = -1;
    struct call call;
    int rc;

    if (call_begin(&call, self) == 0) {
        CALL_UNLOCKED(rc = ask(call.cache, &number))
        if (rc < 0) {
            number = -1;
            errors_raise(call.state, rc, NULL);
        }
    }
    call_end(&call);
    return number;
}

Py_ssize_t whole_length(PyObject *self)
{
    return (Py_ssize_t)number_of(self, dcache_count);
}

static PyObject *volume(PyObject *self, PyObject *unused)
{
    int64_t bytes = number_of(self, dcache_volume);

    (void)unused;
    return bytes < 0 ? NULL : PyLong_FromLongLong(bytes);
}

static PyStructSequence_Field stats_fields[] = {
    {"hits", "found by get(), while statistics are on"},
    {"misses", "not found"},
    {"evicted", "items taken by the policy"},
    {"items", "expired ones included"},
    {"expired", "of these, how many have expired"},
    {"size", "bytes in value files"},
    {"db_bytes", "bytes of the database"},
    {"wal_bytes", "bytes of the log beside it"},
    {"timeouts", "writes that gave up waiting"},
    {"damaged", "reads of a value file that was not as it had been written"},
    {NULL, NULL},
};

/* 5.6.3 returns a pair, and so it unpacks; the rest are attributes. */
PyStructSequence_Desc stats_desc = {
    .name = "diskcache.Stats",
    .doc = "Hits and misses, and as attributes what else is counted.",
    .fields = stats_fields,
    .n_in_sequence = 2,
};

static PyObject *stats(PyObject *self, PyObject *reset)
{
    struct dcache_stats s;
    PyObject *result = NULL;
    struct call call;
    int rc, truth = PyObject_IsTrue(reset);

    if (truth < 0)
        return NULL;
    if (call_begin(&call, self) < 0)
        goto done;
    CALL_UNLOCKED(rc = dcache_stats(call.cache, truth, &s))
    if (rc < 0) {
        errors_raise(call.state, rc, NULL);
        goto done;
    }
    result = PyStructSequence_New(call.state->stats_type);
    if (result) {
        const int64_t numbers[] = {s.hits,       s.misses,   s.evictions, s.count,    s.expired,
                                   s.file_bytes, s.db_bytes, s.wal_bytes, s.timeouts, s.damaged};

        for (Py_ssize_t i = 0; i < 10; i++)
            PyStructSequence_SetItem(result, i, PyLong_FromLongLong(numbers[i]));
        if (PyErr_Occurred())
            Py_CLEAR(result);
    }
done:
    call_end(&call);
    return result;
}

/* ---- settings ---- */

static PyObject *setting_get(PyObject *self, PyObject *name)
{
    const char *utf8 = PyUnicode_AsUTF8(name);
    struct dcache_value value = dcache_none();
    PyObject *result = NULL;
    struct call call;
    int rc;

    if (!utf8)
        return NULL;
    if (call_begin(&call, self) == 0) {
        CALL_UNLOCKED(rc = dcache_setting_get(call.cache, utf8, &value))
        if (rc == 0)
            result = plain_out(&value);
        else
            errors_raise(call.state, rc, name);
        dcache_value_clear(&value);
    }
    call_end(&call);
    return result;
}

static PyObject *setting_set(PyObject *self, PyObject *args)
{
    PyObject *object, *owned = NULL, *result = NULL;
    struct dcache_value value;
    struct call call;
    const char *name;
    int rc;

    if (!PyArg_ParseTuple(args, "sO:_setting_set", &name, &object))
        return NULL;
    if (call_begin(&call, self) == 0 && args_plain(call.state, object, &value, &owned) == 0) {
        do /* 5.6.3 tries for a minute; the handle's own patience is what its user asked for */
            CALL_UNLOCKED(rc = dcache_setting_set(call.cache, name, &value))
        while (call_again(&call, &rc, false));
        result = rc == 0 ? Py_NewRef(Py_None) : errors_raise(call.state, rc, NULL);
    }
    Py_XDECREF(owned);
    call_end(&call);
    return result;
}

static PyObject *settings(PyObject *self, PyObject *unused)
{
    struct dcache_setting *list = NULL;
    PyObject *result = NULL;
    struct call call;
    size_t count = 0;
    int rc;

    (void)unused;
    if (call_begin(&call, self) < 0)
        goto done;
    CALL_UNLOCKED(rc = dcache_settings(call.cache, &list, &count))
    if (rc < 0) {
        errors_raise(call.state, rc, NULL);
        goto done;
    }
    result = PyDict_New();
    for (size_t i = 0; result && i < count; i++) {
        PyObject *value = plain_out(&list[i].value);

        if (!value || PyDict_SetItemString(result, list[i].name, value) < 0)
            Py_CLEAR(result);
        Py_XDECREF(value);
    }
    dcache_settings_free(list, count);
done:
    call_end(&call);
    return result;
}

/* ---- checking, copies ---- */

static PyObject *report_out(const struct dcache_report *report)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; list && i < report->count; i++) {
        const struct dcache_problem *problem = &report->problems[i];
        PyObject *one = Py_BuildValue("(is)", (int)problem->kind, problem->text);

        if (!one || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

static PyObject *check(PyObject *self, PyObject *args)
{
    struct dcache_report report = {0};
    int fix, retry, rc;
    PyObject *result = NULL;
    struct call call;

    if (!PyArg_ParseTuple(args, "pp:_check", &fix, &retry))
        return NULL;
    if (call_begin(&call, self) == 0) {
        do
            CALL_UNLOCKED(rc = dcache_check(call.cache, fix, &report))
        while (call_again(&call, &rc, retry));
        result = rc == 0 ? report_out(&report) : errors_raise(call.state, rc, NULL);
        if (rc == 0)
            dcache_report_clear(&report);
    }
    call_end(&call);
    return result;
}

static PyObject *compact(PyObject *self, PyObject *unused)
{
    PyObject *result = NULL;
    struct call call;
    int rc;

    (void)unused;
    if (call_begin(&call, self) == 0) {
        CALL_UNLOCKED(rc = dcache_compact(call.cache))
        result = rc == 0 ? Py_NewRef(Py_None) : errors_raise(call.state, rc, NULL);
    }
    call_end(&call);
    return result;
}

static PyObject *backup(PyObject *self, PyObject *directory)
{
    PyObject *path, *result = NULL;
    struct call call;
    int rc;

    if (!PyUnicode_FSConverter(directory, &path))
        return NULL;
    if (call_begin(&call, self) == 0) {
        CALL_UNLOCKED(rc = dcache_backup(call.cache, PyBytes_AS_STRING(path)))
        result = rc == 0 ? Py_NewRef(Py_None) : errors_raise(call.state, rc, NULL);
    }
    Py_DECREF(path);
    call_end(&call);
    return result;
}

/* ---- an item without its value ---- */

struct look {
    struct dcache_get_options options;
    struct dcache_entry entry;
};

static int look_step(dcache *cache, const struct dcache_value *key, void *arg)
{
    struct look *look = arg;

    dcache_entry_clear(&look->entry);
    return dcache_get(cache, key, &look->options, &look->entry);
}

/* (path of the file or None, expire time or None), or None if there is no such key. */
static PyObject *look(PyObject *self, PyObject *object)
{
    struct look look = {.options = DCACHE_OPTIONS(struct dcache_get_options)};
    PyObject *result = NULL;
    struct call call;
    struct key key = {0};
    int rc;

    look.options.flags = DCACHE_NO_VALUE | DCACHE_NO_ACCESS;
    if (call_begin(&call, self) == 0 && key_in(&key, &call, object) == 0) {
        rc = key_call(&call, &key, false, look_step, &look);
        if (rc == 0)
            result = Py_BuildValue("(NN)", path_out(&call, &look.entry),
                                   time_out(look.entry.expire_time));
        else if (rc == DCACHE_NOT_FOUND)
            result = Py_NewRef(Py_None);
        else
            errors_raise(call.state, rc, object);
    }
    dcache_entry_clear(&look.entry);
    key_clear(&key);
    call_end(&call);
    return result;
}

PyMethodDef whole_methods[] = {
    {"expire", (PyCFunction)(void (*)(void))expire, METH_FASTCALL | METH_KEYWORDS,
     "expire($self, now=None, retry=False)\n--\n\n"
     "Remove what has expired (by `now`); return how much. Batch by batch: a Timeout has as its\n"
     "argument what was removed until then. So have those of evict, cull and clear."},
    {"evict", (PyCFunction)(void (*)(void))evict, METH_FASTCALL | METH_KEYWORDS,
     "evict($self, tag, retry=False)\n--\n\nRemove what has the tag; return how much."},
    {"cull", (PyCFunction)(void (*)(void))cull, METH_FASTCALL | METH_KEYWORDS,
     "cull($self, retry=False)\n--\n\n"
     "Remove what has expired, then by policy until the cache is within size_limit."},
    {"clear", (PyCFunction)(void (*)(void))clear, METH_FASTCALL | METH_KEYWORDS,
     "clear($self, retry=False)\n--\n\nRemove all items; return how many."},
    {"volume", volume, METH_NOARGS,
     "volume($self)\n--\n\nBytes on disk: the pages of the database, and value files."},
    {"compact", compact, METH_NOARGS,
     "compact($self)\n--\n\nGive free pages of the database back to the file system."},
    {"backup", backup, METH_O,
     "backup($self, directory, /)\n--\n\n"
     "A consistent copy in `directory`, which must be empty or not be there."},
    {"_stats", stats, METH_O, NULL},
    {"_setting_get", setting_get, METH_O, NULL},
    {"_setting_set", setting_set, METH_VARARGS, NULL},
    {"_settings", settings, METH_NOARGS, NULL},
    {"_check", check, METH_VARARGS, NULL},
    {"_look", look, METH_O, NULL},
    {NULL},
};
