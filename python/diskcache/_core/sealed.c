/* sealed.c - keys and values with a keyed checksum. See sealed.h. */
#include "sealed.h"

#define MAGIC "\xd5SD1"
#define STREAM_MAGIC "\xd5SDS"
#define MAGIC_SIZE 4
#define ID_SIZE 4
#define SUM_SIZE 32
#define LETTER_AT MAGIC_SIZE
#define ID_AT (LETTER_AT + 1)
#define SUM_AT (ID_AT + ID_SIZE)
#define HEAD_SIZE (SUM_AT + SUM_SIZE)

#define QUEUE_FIRST INT64_C(100000000000000)
#define QUEUE_END INT64_C(1000000000000000)
#define QUEUE_DIGITS 15

typedef struct {
    PyObject_HEAD
    PyObject *keys; /* a tuple of pairs */
    PyObject *error;
    PyObject *s_copy, *s_update, *s_digest;
} SealObject;

/* ---- where a value belongs ---- */

/* A kind and the bytes of the key: no two keys have the same. */
static PyObject *place_of(char kind, const void *data, size_t size)
{
    PyObject *place = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size + 1);

    if (place) {
        PyBytes_AS_STRING(place)[0] = kind;
        memcpy(PyBytes_AS_STRING(place) + 1, data, size);
    }
    return place;
}

static PyObject *place_of_int(int64_t number)
{
    if (number >= QUEUE_FIRST && number < QUEUE_END)
        return place_of('q', "", 0);
    return place_of('i', &number, sizeof number);
}

/* SQLite takes 1.0 for 1. */
static PyObject *place_of_double(double number)
{
    if (number >= -9e18 && number <= 9e18 && number == (double)(int64_t)number)
        return place_of_int((int64_t)number);
    if (isnan(number))
        return place_of('n', "", 0);
    return place_of('f', &number, sizeof number);
}

static PyObject *place_of_text(const char *text, size_t size)
{
    size_t digits = 0;

    while (digits < size && text[size - 1 - digits] >= '0' && text[size - 1 - digits] <= '9')
        digits++;
    if (digits == QUEUE_DIGITS && size > digits && text[size - digits - 1] == '-')
        return place_of('Q', text, size - digits - 1);
    return place_of('t', text, size);
}

PyObject *sealed_place(const struct dcache_value *key)
{
    if (!key)
        return place_of('k', "", 0);
    switch (key->type) {
    case DCACHE_INT:
        return place_of_int(key->integer);
    case DCACHE_DOUBLE:
        return place_of_double(key->real);
    case DCACHE_TEXT:
        return place_of_text(key->data, key->size);
    case DCACHE_BYTES:
        return place_of('b', key->data, key->size);
    default:
        return place_of('0', "", 0); /* None; there is no other that is not sealed itself */
    }
}

bool sealed_is_stream(const char *data, size_t size)
{
    return size >= MAGIC_SIZE && memcmp(data, STREAM_MAGIC, MAGIC_SIZE) == 0;
}

/* ---- checksums ---- */

/* Over the length of the place, the place, the letter and the data. The hash object has the key. */
static PyObject *checksum(SealObject *seal, PyObject *keyed, PyObject *place, char letter,
                          const char *data, size_t size)
{
    uint64_t length = (uint64_t)PyBytes_GET_SIZE(place);
    PyObject *text = PyBytes_FromStringAndSize(NULL,
                                               (Py_ssize_t)(sizeof length + length + 1 + size));
    PyObject *hash = text ? PyObject_CallMethodNoArgs(keyed, seal->s_copy) : NULL, *done = NULL;
    PyObject *sum = NULL;

    if (hash) {
        char *at = PyBytes_AS_STRING(text);

        memcpy(at, &length, sizeof length);
        memcpy(at += sizeof length, PyBytes_AS_STRING(place), length);
        *(at += length) = letter;
        memcpy(at + 1, data, size);
        done = PyObject_CallMethodOneArg(hash, seal->s_update, text);
    }
    if (done)
        sum = PyObject_CallMethodNoArgs(hash, seal->s_digest);
    if (sum && (!PyBytes_Check(sum) || PyBytes_GET_SIZE(sum) != SUM_SIZE)) {
        PyErr_SetString(PyExc_TypeError, "the checksum has another size");
        Py_CLEAR(sum);
    }
    Py_XDECREF(text);
    Py_XDECREF(hash);
    Py_XDECREF(done);
    return sum;
}

PyObject *sealed_close(PyObject *seal, PyObject *place, char letter, const char *data, size_t size)
{
    SealObject *self = (SealObject *)seal;
    PyObject *key = PyTuple_GET_ITEM(self->keys, 0), *sealed = NULL;
    PyObject *sum = checksum(self, PyTuple_GET_ITEM(key, 1), place, letter, data, size);

    if (sum)
        sealed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(HEAD_SIZE + size));
    if (sealed) {
        char *at = PyBytes_AS_STRING(sealed);

        memcpy(at, MAGIC, MAGIC_SIZE);
        at[LETTER_AT] = letter;
        memcpy(at + ID_AT, PyBytes_AS_STRING(PyTuple_GET_ITEM(key, 0)), ID_SIZE);
        memcpy(at + SUM_AT, PyBytes_AS_STRING(sum), SUM_SIZE);
        memcpy(at + HEAD_SIZE, data, size);
    }
    Py_XDECREF(sum);
    return sealed;
}

/* Without a hint at where they differ: it takes the same time. */
static bool is_equal(const char *a, const char *b)
{
    unsigned char difference = 0;

    for (int i = 0; i < SUM_SIZE; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

static PyObject *key_of(const SealObject *seal, const char *id)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(seal->keys); i++) {
        PyObject *key = PyTuple_GET_ITEM(seal->keys, i);

        if (memcmp(PyBytes_AS_STRING(PyTuple_GET_ITEM(key, 0)), id, ID_SIZE) == 0)
            return PyTuple_GET_ITEM(key, 1);
    }
    return NULL;
}

PyObject *sealed_open(PyObject *seal, PyObject *place, const char *data, size_t size,
                      char *ret_letter)
{
    SealObject *self = (SealObject *)seal;
    PyObject *keyed, *sum;
    bool good;

    if (size < HEAD_SIZE || memcmp(data, MAGIC, MAGIC_SIZE) != 0) {
        PyErr_SetString(self->error, "it has no signature");
        return NULL;
    }
    keyed = key_of(self, data + ID_AT);
    if (!keyed) {
        PyErr_SetString(self->error, "it is signed by an unknown key");
        return NULL;
    }
    sum = checksum(self, keyed, place, data[LETTER_AT], data + HEAD_SIZE, size - HEAD_SIZE);
    if (!sum)
        return NULL;
    good = is_equal(PyBytes_AS_STRING(sum), data + SUM_AT);
    Py_DECREF(sum);
    if (!good) {
        PyErr_SetString(self->error, "the signature is not that of this value under this key");
        return NULL;
    }
    *ret_letter = data[LETTER_AT];
    return PyBytes_FromStringAndSize(data + HEAD_SIZE, (Py_ssize_t)(size - HEAD_SIZE));
}

/* ---- the type ---- */

static PyObject *seal_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *keys, *error;
    SealObject *self;

    if ((keywords && PyDict_GET_SIZE(keywords) > 0) ||
        !PyArg_ParseTuple(args, "O!O:Seal", &PyTuple_Type, &keys, &error))
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys); i++) {
        PyObject *key = PyTuple_GET_ITEM(keys, i);

        if (!PyTuple_Check(key) || PyTuple_GET_SIZE(key) != 2 ||
            !PyBytes_Check(PyTuple_GET_ITEM(key, 0)) ||
            PyBytes_GET_SIZE(PyTuple_GET_ITEM(key, 0)) != ID_SIZE) {
            PyErr_SetString(PyExc_TypeError, "a key is an id of 4 bytes and a hash object");
            return NULL;
        }
    }
    if (PyTuple_GET_SIZE(keys) == 0) {
        PyErr_SetString(PyExc_ValueError, "no key");
        return NULL;
    }
    self = (SealObject *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->keys = Py_NewRef(keys);
    self->error = Py_NewRef(error);
    self->s_copy = PyUnicode_InternFromString("copy");
    self->s_update = PyUnicode_InternFromString("update");
    self->s_digest = PyUnicode_InternFromString("digest");
    if (!self->s_copy || !self->s_update || !self->s_digest)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyObject *seal_close(PyObject *self, PyObject *args)
{
    PyObject *place, *sealed = NULL;
    Py_buffer data;
    int letter;

    if (!PyArg_ParseTuple(args, "SCy*:close", &place, &letter, &data))
        return NULL;
    if (letter < 128)
        sealed = sealed_close(self, place, (char)letter, data.buf, (size_t)data.len);
    else
        PyErr_SetString(PyExc_ValueError, "the letter is not of ASCII");
    PyBuffer_Release(&data);
    return sealed;
}

static PyObject *seal_open(PyObject *self, PyObject *args)
{
    PyObject *place, *opened;
    Py_buffer data;
    char letter;

    if (!PyArg_ParseTuple(args, "Sy*:open", &place, &data))
        return NULL;
    opened = sealed_open(self, place, data.buf, (size_t)data.len, &letter);
    PyBuffer_Release(&data);
    return opened ? Py_BuildValue("CN", letter, opened) : NULL;
}

static int seal_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((SealObject *)object)->keys);
    Py_VISIT(((SealObject *)object)->error);
    return 0;
}

static int seal_clear(PyObject *object)
{
    Py_CLEAR(((SealObject *)object)->keys);
    Py_CLEAR(((SealObject *)object)->error);
    return 0;
}

static void seal_dealloc(PyObject *object)
{
    SealObject *self = (SealObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    (void)seal_clear(object);
    Py_CLEAR(self->s_copy);
    Py_CLEAR(self->s_update);
    Py_CLEAR(self->s_digest);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef seal_methods[] = {
    {"close", seal_close, METH_VARARGS,
     "close($self, place, letter, data, /)\n--\n\nThe data with a signature."},
    {"open", seal_open, METH_VARARGS,
     "open($self, place, data, /)\n--\n\n(letter, data) of what close() has made for this place."},
    {NULL},
};

static PyType_Slot seal_slots[] = {
    {Py_tp_new, (void *)seal_new},         {Py_tp_traverse, (void *)seal_traverse},
    {Py_tp_clear, (void *)seal_clear},     {Py_tp_dealloc, (void *)seal_dealloc},
    {Py_tp_methods, (void *)seal_methods}, {0, NULL},
};

PyType_Spec seal_spec = {
    .name = "diskcache._core.Seal",
    .basicsize = sizeof(SealObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = seal_slots,
};
