/* errors.c - the table of what a status of the library is in Python. */
#include "core.h"

/* Those of sqlite3 where 5.6.3 lets them through, so that what catches them still does. */
static PyObject *exception(struct state *state, int status)
{
    switch (status) {
    case DCACHE_NOT_FOUND:
        return PyExc_KeyError;
    case DCACHE_TIMEOUT:
        return state->timeout;
    case DCACHE_CORRUPT:
        return state->database_error;
    case DCACHE_SQLITE:
    case DCACHE_READONLY:
    case DCACHE_FULL:
    case DCACHE_GONE:
    case DCACHE_ABORTED:
        return state->operational_error;
    case DCACHE_TYPE:
        return PyExc_TypeError;
    case DCACHE_RANGE:
        return PyExc_OverflowError;
    case DCACHE_EXISTS:
    case DCACHE_TOO_BIG:
    case DCACHE_INVALID:
        return PyExc_ValueError;
    default:
        return PyExc_RuntimeError;
    }
}

static PyObject *raise_os_error(const struct dcache_error *error)
{
    PyObject *args = Py_BuildValue("(is)", error->sys_errno, error->text);

    if (args) {
        PyErr_SetObject(PyExc_OSError, args);
        Py_DECREF(args);
    }
    return NULL;
}

PyObject *errors_raise(struct state *state, int status, PyObject *key)
{
    const struct dcache_error *error = dcache_last_error();
    const char *text = error->status == status && error->text[0] ? error->text
                                                                 : dcache_strerror(status);

    if (status == DCACHE_CALLBACK && PyErr_Occurred())
        return NULL;
    if (status == DCACHE_NOMEM)
        return PyErr_NoMemory();
    if (status == DCACHE_NOT_FOUND && key)
        PyErr_SetObject(PyExc_KeyError, key);
    else if (status == DCACHE_IO && error->sys_errno != 0)
        return raise_os_error(error);
    else if (status == DCACHE_TIMEOUT)
        PyErr_SetNone(state->timeout);
    else
        PyErr_SetString(exception(state, status), text);
    return NULL;
}
