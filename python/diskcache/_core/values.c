/* values.c - values to C and back: the plain ones at once, others by pickle, all of them by the
 * hooks of a Disk that has its own. */
#include "sealed.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHRINK_FROM 256 /* characters or bytes */

/* ---- in ---- */

/* What the Disk has made of a value: a pickle, or something with a marker. Takes over `data`. */
static int coded_in(struct value *value, struct call *call, PyObject *data)
{
    if (data && !PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "a Disk makes bytes of a value");
        Py_CLEAR(data);
    }
    value->owned = data;
    if (!data)
        return -1;
    value->value = dcache_sized(call->self->coding.marker ? DCACHE_BYTES : DCACHE_PICKLE,
                                PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
    return 0;
}

static int pickle_in(struct value *value, struct call *call, PyObject *object)
{
    PyObject *protocol, *data;

    if (call->self->coding.dumps)
        return coded_in(value, call, PyObject_CallOneArg(call->self->coding.dumps, object));
    protocol = PyObject_GetAttr(call->disk, call->state->s_protocol);
    if (!protocol)
        return -1;
    data = PyObject_Vectorcall(call->state->dumps, (PyObject *[]){object, protocol}, 2, NULL);
    Py_DECREF(protocol);
    return coded_in(value, call, data);
}

/* Long texts and bytes may become shorter. 1: done; 0: they stay as they are. */
static int shrunk_in(struct value *value, struct call *call, PyObject *object)
{
    Py_ssize_t length = PyUnicode_Check(object) ? PyUnicode_GET_LENGTH(object)
                                                : PyBytes_GET_SIZE(object);
    PyObject *data;

    if (!call->self->coding.shrink || length < SHRINK_FROM)
        return 0;
    data = PyObject_CallOneArg(call->self->coding.shrink, object);
    if (data != Py_None)
        return coded_in(value, call, data) < 0 ? -1 : 1;
    Py_DECREF(data);
    return 0;
}

static int text_in(struct value *value, PyObject *text)
{
    /* A str keeps the UTF-8 that it is asked for. Of a long one that would be a second copy for as
     * long as the caller has it. */
    if (PyUnicode_IS_COMPACT_ASCII(text) || PyUnicode_GET_LENGTH(text) < 1000) {
        Py_ssize_t size;
        const char *data = PyUnicode_AsUTF8AndSize(text, &size);

        value->value = dcache_sized(DCACHE_TEXT, data, (size_t)size);
        return data ? 0 : -1;
    }
    value->owned = PyUnicode_AsUTF8String(text);
    if (!value->owned)
        return -1;
    value->value = dcache_sized(DCACHE_TEXT, PyBytes_AS_STRING(value->owned),
                                (size_t)PyBytes_GET_SIZE(value->owned));
    return 0;
}

/* The library's read function: it comes without the GIL, in the thread that called. */
static ssize_t read_stream(void *arg, void *buffer, size_t size)
{
    struct value *value = arg;
    ssize_t got = -1;
    PyObject *chunk;

    call_lock(value->thread);
    chunk = PyObject_CallMethod(value->stream, "read", "n", (Py_ssize_t)size);
    if (chunk && !PyBytes_Check(chunk)) {
        PyErr_Format(PyExc_TypeError, "read() of the value returned %s, not bytes",
                     Py_TYPE(chunk)->tp_name);
    } else if (chunk && (size_t)PyBytes_GET_SIZE(chunk) > size) {
        PyErr_SetString(PyExc_ValueError, "read() of the value returned more than was asked for");
    } else if (chunk) {
        got = PyBytes_GET_SIZE(chunk);
        memcpy(buffer, PyBytes_AS_STRING(chunk), (size_t)got);
    }
    Py_XDECREF(chunk);
    (void)call_unlock();
    return got;
}

static int custom_in(struct value *value, struct call *call, PyObject *object, bool read,
                     PyObject *key)
{
    PyObject *args[] = {NULL, call->disk, object, read ? Py_True : Py_False, key};
    PyObject *names = key ? Py_BuildValue("(s)", "key") : NULL, *filename;
    const char *name = NULL;
    PyObject *stored;
    int rc = -1;

    if (key && !names)
        return -1;
    stored = PyObject_VectorcallMethod(call->state->s_store, args + 1,
                                       3 | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    Py_XDECREF(names);
    if (!stored)
        return -1;
    if (!PyTuple_Check(stored) || PyTuple_GET_SIZE(stored) != 4) {
        PyErr_SetString(PyExc_TypeError,
                        "store() of a Disk returns size, mode, filename and value");
        goto done;
    }
    value->owned = Py_BuildValue("[O]", stored); /* what is added below lives as long */
    filename = PyTuple_GET_ITEM(stored, 2);
    if (!value->owned || (filename != Py_None && !(name = PyUnicode_AsUTF8(filename))))
        goto done;
    value->stored.filename = name;
    value->stored.size = PyLong_AsLongLong(PyTuple_GET_ITEM(stored, 0));
    value->stored.mode = (int)PyLong_AsLong(PyTuple_GET_ITEM(stored, 1));
    if (PyErr_Occurred())
        goto done;
    PyObject *more;
    rc = args_plain(call->state, PyTuple_GET_ITEM(stored, 3), &value->stored.value, &more);
    if (rc == 0 && more) {
        rc = PyList_Append(value->owned, more);
        Py_DECREF(more);
    }
    value->value = dcache_none();
    value->value.type = DCACHE_STORED;
    value->value.stored = &value->stored;
done:
    Py_DECREF(stored);
    return rc;
}

static int plain_in(struct value *value, struct call *call, PyObject *object, bool read)
{
    int shrunk = 0;

    if (PyUnicode_CheckExact(object) || PyBytes_CheckExact(object))
        shrunk = shrunk_in(value, call, object);
    if (shrunk != 0)
        return shrunk < 0 ? -1 : 0;
    if (PyUnicode_CheckExact(object))
        return text_in(value, object);
    if (PyBytes_CheckExact(object)) {
        value->value = dcache_bytes(PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
        if (packed_is_marked(call, &value->value)) /* they only look so */
            return pickle_in(value, call, object);
    } else if (PyLong_CheckExact(object)) {
        int overflow;

        value->value = dcache_int(PyLong_AsLongLongAndOverflow(object, &overflow));
        return overflow ? pickle_in(value, call, object) : 0;
    } else if (PyFloat_CheckExact(object)) {
        value->value = dcache_double(PyFloat_AS_DOUBLE(object));
    } else if (read) {
        value->stream = object;
        value->thread = PyThreadState_Get();
        value->value = dcache_reader(read_stream, value);
    } else if (object == Py_None) {
        value->value = dcache_none();
    } else {
        return pickle_in(value, call, object);
    }
    return 0;
}

/* What is plain stays as it is; of a stream, chunk after chunk is signed. */
static int sealed_in(struct value *value, struct call *call, const struct key *key)
{
    bool is_pickle = value->value.type == DCACHE_PICKLE;
    PyObject *place, *sealed;

    if (!is_pickle && value->value.type != DCACHE_BYTES && value->value.type != DCACHE_READER)
        return 0;
    place = sealed_place(&key->value);
    if (!place)
        return -1;
    if (value->value.type == DCACHE_READER)
        sealed = PyObject_CallMethod(call->disk, "_seal_stream", "OO", place, value->stream);
    else
        sealed = sealed_close(call->self->coding.seal, place,
                              is_pickle ? SEALED_PICKLE : SEALED_BYTES, value->value.data,
                              value->value.size);
    Py_DECREF(place);
    if (!sealed)
        return -1;
    Py_XSETREF(value->owned, sealed);
    if (value->value.type == DCACHE_READER)
        value->stream = sealed;
    else
        value->value = dcache_bytes(PyBytes_AS_STRING(sealed), (size_t)PyBytes_GET_SIZE(sealed));
    return 0;
}

int value_in(struct value *value, struct call *call, PyObject *object, bool read,
             const struct key *key)
{
    int rc;

    memset(value, 0, sizeof *value);
    if (call->self->custom)
        return custom_in(value, call, object, read, key->object);
    rc = plain_in(value, call, object, read);
    return rc == 0 && call->self->coding.seal ? sealed_in(value, call, key) : rc;
}

PyObject *value_spool(PyObject *stream)
{
    PyObject *tempfile = PyImport_ImportModule("tempfile"),
             *shutil = PyImport_ImportModule("shutil");
    PyObject *file = tempfile && shutil ? PyObject_CallMethod(tempfile, "TemporaryFile", NULL)
                                        : NULL;
    PyObject *done = file ? PyObject_CallMethod(shutil, "copyfileobj", "OO", stream, file) : NULL;

    if (!done)
        Py_CLEAR(file);
    Py_XDECREF(done);
    Py_XDECREF(tempfile);
    Py_XDECREF(shutil);
    return file;
}

int value_rewind(PyObject *spool)
{
    PyObject *done = spool ? PyObject_CallMethod(spool, "seek", "i", 0) : Py_NewRef(Py_None);

    Py_XDECREF(done);
    return done ? 0 : -1;
}

void value_clear(struct value *value)
{
    Py_CLEAR(value->owned);
}

/* ---- out ---- */

unsigned value_flags(const struct call *call)
{
    return call->self->custom ? DCACHE_AS_STORED : 0;
}

PyObject *plain_out(const struct dcache_value *value)
{
    switch (value->type) {
    case DCACHE_NONE:
        return Py_NewRef(Py_None);
    case DCACHE_INT:
        return PyLong_FromLongLong(value->integer);
    case DCACHE_DOUBLE:
        return PyFloat_FromDouble(value->real);
    case DCACHE_TEXT:
        return PyUnicode_DecodeUTF8(value->data, (Py_ssize_t)value->size, NULL);
    case DCACHE_BYTES:
    case DCACHE_PICKLE:
        return PyBytes_FromStringAndSize(value->data, (Py_ssize_t)value->size);
    case DCACHE_FD:
    case DCACHE_READER:
    case DCACHE_STORED:
    default:
        PyErr_SetString(PyExc_SystemError, "a value of no plain type");
        return NULL;
    }
}

static PyObject *custom_out(struct call *call, const struct dcache_entry *entry, bool read)
{
    const struct dcache_stored *stored = entry->value.stored;
    PyObject *mode, *value, *filename, *object = NULL;

    if (entry->kind == DCACHE_PICKLE && pickle_is_trusted(call) < 0)
        return NULL;
    mode = PyLong_FromLong(stored->mode);
    value = plain_out(&stored->value);
    filename = stored->filename ? PyUnicode_DecodeFSDefault(stored->filename) : Py_NewRef(Py_None);
    call_at(call, &entry->key);
    if (mode && value && filename)
        object = PyObject_CallMethodObjArgs(call->disk, call->state->s_fetch, mode, filename, value,
                                            read ? Py_True : Py_False, NULL);
    Py_XDECREF(mode);
    Py_XDECREF(value);
    Py_XDECREF(filename);
    return object;
}

/* A stream that was signed in chunks; NULL without an exception: it is none. */
static PyObject *stream_out(struct call *call, const struct dcache_entry *entry)
{
    PyObject *place, *object = NULL;

    if (entry->value.type != DCACHE_BYTES ||
        !sealed_is_stream(entry->value.data, entry->value.size))
        return NULL;
    place = sealed_place(&entry->key);
    if (place)
        object = PyObject_CallMethod(call->disk, "_open_stream", "Oy#", place, entry->value.data,
                                     (Py_ssize_t)entry->value.size);
    Py_XDECREF(place);
    return object;
}

PyObject *value_out(struct call *call, struct dcache_entry *entry, bool read)
{
    if (entry->value.type == DCACHE_STORED)
        return custom_out(call, entry, read);
    if (call->self->coding.seal &&
        (entry->value.type == DCACHE_BYTES || entry->value.type == DCACHE_PICKLE)) {
        PyObject *object = stream_out(call, entry);

        return object || PyErr_Occurred() ? object : sealed_out(call, &entry->key, &entry->value);
    }
    if (entry->value.type == DCACHE_PICKLE || packed_is_marked(call, &entry->value))
        return pickle_out(call, &entry->value);
    return plain_out(&entry->value);
}

/* Into `memory`, without the GIL. Fails: NOT_FOUND (it has become shorter), IO. */
static int read_all(int fd, char *memory, Py_ssize_t size)
{
    Py_ssize_t done = 0;
    ssize_t got = 1;

    CALL_BEGIN_UNLOCKED
    while (done < size && got != 0) {
        got = read(fd, memory + done, (size_t)(size - done));
        if (got < 0 && errno != EINTR)
            break;
        done += got > 0 ? got : 0;
    }
    CALL_END_UNLOCKED
    if (got < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return DCACHE_CALLBACK;
    }
    return done == size ? 0 : DCACHE_NOT_FOUND;
}

static bool is_ascii(const char *data, size_t size)
{
    uint64_t bits = 0, word;
    size_t i = 0;

    for (; i + sizeof word <= size; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        bits |= word;
    }
    for (; i < size; i++)
        bits |= (unsigned char)data[i];
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

/* What is ASCII, as most text is, lies in a str as it does in a file. */
static PyObject *text_of(PyObject *ascii)
{
    const char *data = PyUnicode_DATA(ascii);
    Py_ssize_t size = PyUnicode_GET_LENGTH(ascii);
    PyObject *text;

    if (is_ascii(data, (size_t)size))
        return ascii;
    text = PyUnicode_DecodeUTF8(data, size, NULL);
    Py_DECREF(ascii);
    return text;
}

/* A large value takes as long as its memory is being touched: so it is read to where it stays. */
int value_read(struct dcache_entry *entry, PyObject **ret_object)
{
    bool is_text = entry->kind == DCACHE_TEXT;
    PyObject *object = NULL;
    struct stat st;
    int rc = fstat(entry->value.fd, &st);

    if (rc < 0)
        PyErr_SetFromErrno(PyExc_OSError);
    else if (is_text)
        object = PyUnicode_New((Py_ssize_t)st.st_size, 127);
    else
        object = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)st.st_size);
    if (!object)
        return DCACHE_CALLBACK;
    rc = read_all(entry->value.fd, is_text ? PyUnicode_DATA(object) : PyBytes_AS_STRING(object),
                  (Py_ssize_t)st.st_size);
    if (rc < 0) {
        Py_DECREF(object);
        return rc;
    }
    *ret_object = is_text ? text_of(object) : object;
    return *ret_object ? 0 : DCACHE_CALLBACK;
}

/* Not so if memory ran out, or if it is the directory that is refused: others would see the value. */
bool value_is_passed_over(const struct call *call)
{
    return call->self->on_decode_error != DECODE_RAISE && PyErr_ExceptionMatches(PyExc_Exception) &&
           !PyErr_ExceptionMatches(PyExc_MemoryError) &&
           !PyErr_ExceptionMatches(call->state->unsafe);
}

PyObject *path_out(const struct call *call, const struct dcache_entry *entry)
{
    const char *directory = dcache_directory(dcache_shard_for(call->cache, &entry->key));

    return entry->filename ? PyUnicode_FromFormat("%s/%s", directory, entry->filename)
                           : Py_NewRef(Py_None);
}

static PyObject *plain_file(struct call *call, struct dcache_entry *entry)
{
    int fd = dcache_entry_take_fd(entry);
    PyObject *raw = PyObject_CallFunction(call->state->fileio, "is", fd, "rb"), *file, *path;

    if (!raw)
        return NULL;
    /* Programs look where the file is; what was in the database has none. */
    path = path_out(call, entry);
    if (!path || PyObject_SetAttr(raw, call->state->s_name, path) < 0) {
        Py_XDECREF(path);
        Py_DECREF(raw);
        return NULL;
    }
    Py_DECREF(path);
    file = PyObject_CallOneArg(call->state->buffered_reader, raw);
    Py_DECREF(raw);
    return file;
}

/* Of what is signed, a file that checks what it gives. */
PyObject *value_file(struct call *call, struct dcache_entry *entry, bool or_object)
{
    PyObject *file = plain_file(call, entry), *place, *checked = NULL;

    if (!file || !call->self->coding.seal ||
        (entry->kind != DCACHE_BYTES && entry->kind != DCACHE_PICKLE))
        return file;
    place = sealed_place(&entry->key);
    if (place)
        checked = PyObject_CallMethod(call->disk, "_open_file", "OOO", place, file,
                                      or_object ? Py_True : Py_False);
    Py_XDECREF(place);
    Py_DECREF(file);
    return checked;
}

void value_remove_file(struct state *state, PyObject *disk, const char *filename)
{
    PyObject *type, *error, *traceback, *done, *name;

    PyErr_Fetch(&type, &error, &traceback);
    name = PyUnicode_DecodeFSDefault(filename);
    done = name ? PyObject_CallMethodOneArg(disk, state->s_remove, name) : NULL;
    if (!done)
        PyErr_WriteUnraisable(disk);
    Py_XDECREF(name);
    Py_XDECREF(done);
    PyErr_Restore(type, error, traceback);
}

void value_remove(struct call *call, const struct dcache_entry *entry)
{
    if (entry->value.type == DCACHE_STORED && entry->value.stored->filename)
        value_remove_file(call->state, call->disk, entry->value.stored->filename);
}

void value_discard(const struct value *value, struct call *call)
{
    if (value->value.type == DCACHE_STORED && value->stored.filename)
        value_remove_file(call->state, call->disk, value->stored.filename);
}

PyObject *time_out(double expire_time)
{
    return expire_time == DCACHE_NEVER ? Py_NewRef(Py_None) : PyFloat_FromDouble(expire_time);
}

PyObject *result_out(PyObject *value, const struct dcache_entry *entry, bool expire_time, bool tag)
{
    PyObject *time = NULL, *label = NULL, *result = NULL;

    if (!value || (!expire_time && !tag))
        return value;
    if (expire_time)
        time = time_out(entry->expire_time);
    if (tag)
        label = plain_out(&entry->tag);
    if (expire_time && tag && time && label)
        result = PyTuple_Pack(3, value, time, label);
    else if (time || label)
        result = PyTuple_Pack(2, value, time ? time : label);
    Py_DECREF(value);
    Py_XDECREF(time);
    Py_XDECREF(label);
    return result;
}

PyObject *result_default(PyObject *value, bool expire_time, bool tag)
{
    if (!value)
        value = Py_None;
    if (expire_time && tag)
        return PyTuple_Pack(3, value, Py_None, Py_None);
    if (expire_time || tag)
        return PyTuple_Pack(2, value, Py_None);
    return Py_NewRef(value);
}
