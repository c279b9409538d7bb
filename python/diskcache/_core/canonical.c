/* canonical.c - the pickle of a tuple that does not depend on the identity of its parts.
 *
 * A pickler writes an object that it meets a second time as a reference to the first. Whether two
 * equal strings are one object is chance, so that equal tuples have several pickles. Here each part
 * is written out, as the pickler writes it where nothing is met twice: for most keys, that is what
 * 5.6.3 stores. Parts other than None, bool, int, float, str, bytes and tuples of these are left to
 * the pickler. */
#include "core.h"

#define MOST 60000 /* bytes: a longer pickle has several frames */
#define DEEPEST 50
#define COMPARED 32 /* parts that are compared with one another */

struct writer {
    char *data;
    size_t size, room;
    int protocol;
    bool foreign;            /* met what is the pickler's */
    bool repeated;           /* two equal parts that the pickler might write as one */
    PyObject *met[COMPARED]; /* borrowed */
    int met_count;
};

static bool put(struct writer *w, const void *data, size_t size)
{
    if (w->size + size > w->room) {
        size_t room = 2 * (w->size + size);
        char *grown = PyMem_Realloc(w->data, room);

        if (!grown) {
            PyErr_NoMemory();
            return false;
        }
        w->data = grown;
        w->room = room;
    }
    memcpy(w->data + w->size, data, size);
    w->size += size;
    if (w->size > MOST)
        w->foreign = true;
    return true;
}

static bool put_op(struct writer *w, char op)
{
    return put(w, &op, 1);
}

/* An opcode and `bytes` bytes of a number, the least significant first. */
static bool put_number(struct writer *w, char op, uint64_t number, int bytes)
{
    char buffer[9] = {op};

    for (int i = 0; i < bytes; i++)
        buffer[1 + i] = (char)(number >> (8 * i));
    return put(w, buffer, (size_t)bytes + 1);
}

static bool put_int(struct writer *w, PyObject *object)
{
    int overflow, bytes = 1;
    long long n = PyLong_AsLongLongAndOverflow(object, &overflow);

    if (overflow) {
        w->foreign = true;
        return true;
    }
    if (n >= 0 && n <= 0xFF)
        return put_number(w, 'K', (uint64_t)n, 1);
    if (n >= 0 && n <= 0xFFFF)
        return put_number(w, 'M', (uint64_t)n, 2);
    if (n >= -0x7FFFFFFF - 1 && n <= 0x7FFFFFFF)
        return put_number(w, 'J', (uint64_t)n, 4);
    while (bytes < 8 &&
           (n >= INT64_C(1) << (8 * bytes - 1) || n < -(INT64_C(1) << (8 * bytes - 1))))
        bytes++;
    return put_number(w, '\x8a', (uint64_t)bytes, 1) &&
           put_number(w, (char)n, (uint64_t)(n >> 8), bytes - 1);
}

static bool put_float(struct writer *w, double number)
{
    char buffer[9] = {'G'};
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    for (int i = 0; i < 8; i++)
        buffer[1 + i] = (char)(bits >> (56 - 8 * i));
    return put(w, buffer, sizeof buffer);
}

static bool put_sized(struct writer *w, char small, char large, const char *data, Py_ssize_t size)
{
    if (size > MOST) {
        w->foreign = true;
        return true;
    }
    return (size <= 0xFF && small ? put_number(w, small, (uint64_t)size, 1)
                                  : put_number(w, large, (uint64_t)size, 4)) &&
           put(w, data, (size_t)size);
}

static bool put_text(struct writer *w, PyObject *object)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(object, &size);

    if (!text) { /* surrogates, of which the pickler makes something */
        PyErr_Clear();
        w->foreign = true;
        return true;
    }
    return put_sized(w, w->protocol >= 4 ? '\x8c' : 0, 'X', text, size);
}

/* Whether the pickler might have met an equal one before. */
static bool note(struct writer *w, PyObject *object)
{
    for (int i = 0; i < w->met_count && !w->repeated; i++)
        if (Py_TYPE(w->met[i]) == Py_TYPE(object)) {
            int equal = PyObject_RichCompareBool(w->met[i], object, Py_EQ);

            if (equal < 0)
                return false;
            w->repeated = equal;
        }
    if (w->met_count == COMPARED)
        w->repeated = true; /* for all that we know */
    else
        w->met[w->met_count++] = object;
    return true;
}

static bool put_part(struct writer *w, PyObject *object, int depth);

static bool put_tuple(struct writer *w, PyObject *tuple, int depth)
{
    Py_ssize_t size = PyTuple_GET_SIZE(tuple);

    if (size == 0)
        return put_op(w, ')');
    if (size > 3 && !put_op(w, '('))
        return false;
    for (Py_ssize_t i = 0; i < size && !w->foreign; i++)
        if (!put_part(w, PyTuple_GET_ITEM(tuple, i), depth + 1))
            return false;
    return put_op(w, size > 3 ? 't' : (char)('\x84' + size)) && (depth == 0 || note(w, tuple));
}

static bool put_part(struct writer *w, PyObject *object, int depth)
{
    if (object == Py_None)
        return put_op(w, 'N');
    if (object == Py_True || object == Py_False)
        return put_op(w, object == Py_True ? '\x88' : '\x89');
    if (PyLong_CheckExact(object))
        return put_int(w, object);
    if (PyFloat_CheckExact(object))
        return put_float(w, PyFloat_AS_DOUBLE(object));
    if (PyUnicode_CheckExact(object))
        return put_text(w, object) && note(w, object);
    if (PyBytes_CheckExact(object) && w->protocol >= 3)
        return put_sized(w, 'C', 'B', PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object)) &&
               note(w, object);
    if (PyTuple_CheckExact(object) && depth < DEEPEST)
        return put_tuple(w, object, depth);
    w->foreign = true;
    return true;
}

PyObject *canonical_pickle(PyObject *object, int protocol, bool *ret_ambiguous)
{
    struct writer w = {.protocol = protocol};
    size_t head = protocol >= 4 ? 11 : 2; /* PROTO, and FRAME with its length */
    PyObject *pickle = NULL;

    *ret_ambiguous = false;
    if (protocol < 2 || protocol > 5)
        return NULL;
    if (!put(&w, "\x80 \x95         ", head) || !put_part(&w, object, 0) || !put_op(&w, '.'))
        goto done;
    w.data[1] = (char)protocol;
    for (int i = 0; protocol >= 4 && i < 8; i++)
        w.data[3 + i] = (char)((w.size - head) >> (8 * i));
    if (protocol >= 4 && w.size - head < 4) { /* the pickler gives no frame to so little */
        memmove(w.data + 2, w.data + head, w.size - head);
        w.size -= 9;
    }
    if (!w.foreign)
        pickle = PyBytes_FromStringAndSize(w.data, (Py_ssize_t)w.size);
    *ret_ambiguous = w.repeated;
done:
    PyMem_Free(w.data);
    return pickle;
}
