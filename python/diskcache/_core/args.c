/* args.c - arguments of methods, without a tuple or a dictionary in between. */
#include "core.h"

static int keyword(const struct args_spec *spec, PyObject *name, PyObject *value, PyObject **ret)
{
    for (int i = 0; spec->names[i]; i++)
        if (PyUnicode_CompareWithASCIIString(name, spec->names[i]) == 0) {
            if (ret[i]) {
                PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'",
                             spec->function, spec->names[i]);
                return -1;
            }
            ret[i] = value;
            return 0;
        }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", spec->function,
                 name);
    return -1;
}

int args_parse(const struct args_spec *spec, PyObject *const *args, Py_ssize_t nargs,
               PyObject *kwnames, PyObject **ret)
{
    Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;

    if (nargs > spec->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments (%zd given)",
                     spec->function, spec->positional, nargs);
        return -1;
    }
    for (Py_ssize_t i = 0; i < nargs; i++)
        ret[i] = args[i];
    for (Py_ssize_t i = nargs; spec->names[i]; i++)
        ret[i] = NULL;
    for (Py_ssize_t i = 0; i < keywords; i++)
        if (keyword(spec, PyTuple_GET_ITEM(kwnames, i), args[nargs + i], ret) < 0)
            return -1;
    for (int i = 0; i < spec->required; i++)
        if (!ret[i]) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'", spec->function,
                         spec->names[i]);
            return -1;
        }
    return 0;
}

int args_bool(PyObject *given, bool otherwise, bool *ret)
{
    int truth = given ? PyObject_IsTrue(given) : otherwise;

    *ret = truth > 0;
    return truth < 0 ? -1 : 0;
}

int args_side(PyObject *given, enum dcache_side otherwise, enum dcache_side *ret)
{
    *ret = otherwise;
    if (!given)
        return 0;
    if (PyUnicode_Check(given) && PyUnicode_CompareWithASCIIString(given, "front") == 0) {
        *ret = DCACHE_FRONT;
    } else if (PyUnicode_Check(given) && PyUnicode_CompareWithASCIIString(given, "back") == 0) {
        *ret = DCACHE_BACK;
    } else {
        PyErr_SetObject(PyExc_KeyError, given);
        return -1;
    }
    return 0;
}

int args_expire(struct state *state, PyObject *given, double *ret)
{
    PyObject *seconds = NULL;

    *ret = 0;
    if (!given || given == Py_None)
        return 0;
    if (!PyFloat_Check(given) && !PyLong_Check(given) &&
        PyObject_HasAttr(given, state->s_total_seconds)) {
        seconds = PyObject_CallMethodNoArgs(given, state->s_total_seconds);
        if (!seconds)
            return -1;
        given = seconds;
    }
    *ret = PyFloat_AsDouble(given);
    Py_XDECREF(seconds);
    if (*ret == -1 && PyErr_Occurred())
        return -1;
    if (*ret == 0) /* at once; for the library, 0 is never */
        *ret = -1e-300;
    return 0;
}

static int plain_int(PyObject *given, struct dcache_value *ret)
{
    int overflow;
    long long integer = PyLong_AsLongLongAndOverflow(given, &overflow);

    if (overflow) {
        PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to SQLite INTEGER");
        return -1;
    }
    *ret = dcache_int(integer);
    return 0;
}

static int plain_text(PyObject *given, struct dcache_value *ret)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(given, &size);

    if (!text)
        return -1;
    *ret = dcache_sized(DCACHE_TEXT, text, (size_t)size);
    return 0;
}

int args_plain(struct state *state, PyObject *given, struct dcache_value *ret, PyObject **ret_owned)
{
    *ret_owned = NULL;
    if (given == Py_None) {
        *ret = dcache_none();
    } else if (PyLong_Check(given)) {
        return plain_int(given, ret);
    } else if (PyFloat_Check(given)) {
        *ret = dcache_double(PyFloat_AS_DOUBLE(given));
    } else if (PyUnicode_Check(given)) {
        return plain_text(given, ret);
    } else if (PyObject_CheckBuffer(given)) {
        *ret_owned = PyBytes_FromObject(given);
        if (!*ret_owned)
            return -1;
        *ret = dcache_bytes(PyBytes_AS_STRING(*ret_owned), (size_t)PyBytes_GET_SIZE(*ret_owned));
    } else {
        PyErr_Format(state->unsupported, "type '%s' is not supported", Py_TYPE(given)->tp_name);
        return -1;
    }
    return 0;
}
