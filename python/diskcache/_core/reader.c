/* reader.c - reading pickles without running what they say: the instructions. See reader.h. */
#include "machine.h"

/* ---- numbers and texts ---- */

static int op_none(struct machine *m)
{
    return machine_push(m, Py_NewRef(Py_None), 0);
}

static int op_true(struct machine *m)
{
    return machine_push(m, Py_NewRef(Py_True), 0);
}

static int op_false(struct machine *m)
{
    return machine_push(m, Py_NewRef(Py_False), 0);
}

static int push_int(struct machine *m, size_t width, bool is_signed)
{
    uint64_t number;

    if (machine_number(m, width, &number) < 0)
        return -1;
    return machine_push(m, PyLong_FromLong(is_signed ? (int32_t)number : (long)number), 0);
}

static int op_int1(struct machine *m)
{
    return push_int(m, 1, false);
}

static int op_int2(struct machine *m)
{
    return push_int(m, 2, false);
}

static int op_int4(struct machine *m)
{
    return push_int(m, 4, true);
}

/* Two's complement, least byte first, of any size. */
static int push_long(struct machine *m, size_t width)
{
    const unsigned char *data;
    PyObject *bytes, *object = NULL;
    uint64_t size, number = 0;

    if (machine_number(m, width, &size) < 0 || !(data = machine_take(m, size)))
        return -1;
    if (size <= 8) {
        for (size_t i = size; i-- > 0;)
            number = number << 8 | data[i];
        if (size > 0 && size < 8 && data[size - 1] & 0x80)
            number |= UINT64_MAX << 8 * size;
        return machine_push(m, PyLong_FromLongLong((int64_t)number), 0);
    }
    bytes = PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
    if (bytes)
        object = PyObject_CallFunctionObjArgs(m->reader->from_bytes, bytes, NULL);
    Py_XDECREF(bytes);
    return machine_push(m, object, 0);
}

static int op_long1(struct machine *m)
{
    return push_long(m, 1);
}

static int op_long4(struct machine *m)
{
    return push_long(m, 4);
}

static int op_float(struct machine *m)
{
    const unsigned char *data = machine_take(m, 8);
    uint64_t bits = 0;
    double number;

    for (int i = 0; data && i < 8; i++)
        bits = bits << 8 | data[i];
    memcpy(&number, &bits, sizeof number);
    return data ? machine_push(m, PyFloat_FromDouble(number), 0) : -1;
}

/* What protocol 0 writes: a line of text. */
static int op_int_line(struct machine *m)
{
    char text[MACHINE_NUMBER], *end;
    PyObject *object;

    if (machine_number_line(m, text) < 0)
        return -1;
    if (strcmp(text, "00") == 0 || strcmp(text, "01") == 0)
        return text[1] == '1' ? op_true(m) : op_false(m);
    object = PyLong_FromString(text, &end, 10);
    if (object && *end) {
        Py_CLEAR(object);
        machine_raise(m, "%s is no number", text);
    }
    return machine_push(m, object, 0);
}

static int op_long_line(struct machine *m)
{
    const unsigned char *line;
    PyObject *text, *object = NULL;
    size_t size;

    if (machine_line(m, &line, &size) < 0)
        return -1;
    if (size > 0 && line[size - 1] == 'L')
        size--;
    text = PyUnicode_DecodeASCII((const char *)line, (Py_ssize_t)size, NULL);
    if (text) /* Python's own limit on digits holds */
        object = PyLong_FromUnicodeObject(text, 10);
    Py_XDECREF(text);
    return machine_push(m, object, 0);
}

static int op_float_line(struct machine *m)
{
    char text[MACHINE_NUMBER];
    double number;

    if (machine_number_line(m, text) < 0)
        return -1;
    number = PyOS_string_to_double(text, NULL, NULL);
    return machine_push(m, PyErr_Occurred() ? NULL : PyFloat_FromDouble(number), 0);
}

static int op_text_line(struct machine *m)
{
    const unsigned char *line;
    size_t size;

    if (machine_line(m, &line, &size) < 0)
        return -1;
    return machine_push(
        m, PyUnicode_DecodeRawUnicodeEscape((const char *)line, (Py_ssize_t)size, NULL), 0);
}

enum kind { TEXT, OLD_TEXT, BYTES, BYTEARRAY };

static int push_data(struct machine *m, size_t width, enum kind kind)
{
    const char *data;
    PyObject *object;
    uint64_t size;

    if (machine_number(m, width, &size) < 0 || !(data = (const char *)machine_take(m, size)))
        return -1;
    if (kind == TEXT)
        object = PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, "surrogatepass");
    else if (kind == OLD_TEXT) /* of Python 2 */
        object = PyUnicode_DecodeASCII(data, (Py_ssize_t)size, NULL);
    else if (kind == BYTES)
        object = PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    else
        object = PyByteArray_FromStringAndSize(data, (Py_ssize_t)size);
    return machine_push(m, object, 0);
}

static int op_text1(struct machine *m)
{
    return push_data(m, 1, TEXT);
}

static int op_text4(struct machine *m)
{
    return push_data(m, 4, TEXT);
}

static int op_text8(struct machine *m)
{
    return push_data(m, 8, TEXT);
}

static int op_old_text1(struct machine *m)
{
    return push_data(m, 1, OLD_TEXT);
}

static int op_old_text4(struct machine *m)
{
    return push_data(m, 4, OLD_TEXT);
}

static int op_bytes1(struct machine *m)
{
    return push_data(m, 1, BYTES);
}

static int op_bytes4(struct machine *m)
{
    return push_data(m, 4, BYTES);
}

static int op_bytes8(struct machine *m)
{
    return push_data(m, 8, BYTES);
}

static int op_bytearray8(struct machine *m)
{
    return push_data(m, 8, BYTEARRAY);
}

/* ---- containers ---- */

static int op_empty_list(struct machine *m)
{
    return machine_push(m, PyList_New(0), 0);
}

static int op_empty_dict(struct machine *m)
{
    return machine_push(m, PyDict_New(), 0);
}

static int op_empty_set(struct machine *m)
{
    return machine_push(m, PySet_New(NULL), 0);
}

static int op_tuple0(struct machine *m)
{
    return machine_push(m, PyTuple_New(0), 0);
}

static int op_tuple1(struct machine *m)
{
    return machine_tuple(m, 1);
}

static int op_tuple2(struct machine *m)
{
    return machine_tuple(m, 2);
}

static int op_tuple3(struct machine *m)
{
    return machine_tuple(m, 3);
}

static int op_tuple(struct machine *m)
{
    size_t count;

    return machine_unmark(m, &count) < 0 ? -1 : machine_tuple(m, count);
}

static int op_frozenset(struct machine *m)
{
    struct slot items;
    PyObject *set;

    if (op_tuple(m) < 0 || machine_pop(m, &items) < 0)
        return -1;
    set = PyFrozenSet_New(items.object);
    Py_DECREF(items.object);
    return machine_push(m, set, items.depth);
}

static int op_list(struct machine *m)
{
    struct slot items;
    PyObject *list;

    if (op_tuple(m) < 0 || machine_pop(m, &items) < 0)
        return -1;
    list = PySequence_List(items.object);
    Py_DECREF(items.object);
    return machine_push(m, list, 0);
}

/* Protocol 0 writes a dict as all that is above a mark. */
static int op_dict(struct machine *m)
{
    PyObject *dict = PyDict_New();
    size_t count;
    int rc = dict ? machine_unmark(m, &count) : -1;

    if (rc == 0 && count % 2)
        rc = machine_fail(m, "a key without its value");
    for (size_t i = 0; rc == 0 && i < count; i += 2) {
        struct slot *pair = m->stack + m->count - count + i;

        rc = PyDict_SetItem(dict, pair[0].object, pair[1].object);
    }
    if (rc < 0) {
        Py_XDECREF(dict);
        return -1;
    }
    machine_drop(m, count);
    return machine_push(m, dict, 0);
}

/* ---- marks, memo, stack ---- */

static int op_mark(struct machine *m)
{
    return machine_mark(m);
}

static int op_pop(struct machine *m)
{
    struct slot slot;
    size_t none;

    if (m->mark_count > 0 && m->marks[m->mark_count - 1] == m->count)
        return machine_unmark(m, &none);
    if (machine_pop(m, &slot) < 0)
        return -1;
    Py_DECREF(slot.object);
    return 0;
}

static int op_pop_mark(struct machine *m)
{
    size_t count;

    if (machine_unmark(m, &count) < 0)
        return -1;
    machine_drop(m, count);
    return 0;
}

static int op_dup(struct machine *m)
{
    struct slot *top = machine_top(m);

    return top ? machine_push_slot(m, top) : -1;
}

static int op_memoize(struct machine *m)
{
    return machine_put(m, m->memo_count);
}

static int put(struct machine *m, size_t width)
{
    uint64_t at;

    return machine_number(m, width, &at) < 0 ? -1 : machine_put(m, at);
}

static int op_put1(struct machine *m)
{
    return put(m, 1);
}

static int op_put4(struct machine *m)
{
    return put(m, 4);
}

static int get(struct machine *m, size_t width)
{
    uint64_t at;

    return machine_number(m, width, &at) < 0 ? -1 : machine_get(m, at);
}

static int op_get1(struct machine *m)
{
    return get(m, 1);
}

static int op_get4(struct machine *m)
{
    return get(m, 4);
}

static int place_line(struct machine *m, uint64_t *ret)
{
    char text[MACHINE_NUMBER], *end;

    if (machine_number_line(m, text) < 0)
        return -1;
    *ret = strtoull(text, &end, 10);
    return *end || end == text ? machine_fail(m, "%s is no number", text) : 0;
}

static int op_put_line(struct machine *m)
{
    uint64_t at;

    return place_line(m, &at) < 0 ? -1 : machine_put(m, at);
}

static int op_get_line(struct machine *m)
{
    uint64_t at;

    return place_line(m, &at) < 0 ? -1 : machine_get(m, at);
}

/* ---- the pickle as a whole ---- */

static int op_proto(struct machine *m)
{
    uint64_t protocol;

    if (machine_number(m, 1, &protocol) < 0)
        return -1;
    return protocol > 5 ? machine_fail(m, "protocol %d is not known", (int)protocol) : 0;
}

/* A frame says how much is to be read at once: all of it is there. */
static int op_frame(struct machine *m)
{
    uint64_t size;

    if (machine_number(m, 8, &size) < 0)
        return -1;
    return size > (size_t)(m->end - m->at) ? machine_fail(m, "it is cut off") : 0;
}

/* All that is not here is refused: what Python 3 does not write (INST, OBJ, STRING), persistent ids,
 * the registry of extensions, whose cache is no find()'s, and buffers out of band. */
#define STOP '.'
static int (*const instructions[256])(struct machine *m) = {
    ['N'] = op_none,       [0x88] = op_true,       [0x89] = op_false,     ['K'] = op_int1,
    ['M'] = op_int2,       ['J'] = op_int4,        [0x8a] = op_long1,     [0x8b] = op_long4,
    ['G'] = op_float,      ['I'] = op_int_line,    ['L'] = op_long_line,  ['F'] = op_float_line,
    ['V'] = op_text_line,  [0x8c] = op_text1,      ['X'] = op_text4,      [0x8d] = op_text8,
    ['U'] = op_old_text1,  ['T'] = op_old_text4,   ['C'] = op_bytes1,     ['B'] = op_bytes4,
    [0x8e] = op_bytes8,    [0x96] = op_bytearray8, [']'] = op_empty_list, ['}'] = op_empty_dict,
    [0x8f] = op_empty_set, [')'] = op_tuple0,      [0x85] = op_tuple1,    [0x86] = op_tuple2,
    [0x87] = op_tuple3,    ['t'] = op_tuple,       ['l'] = op_list,       ['d'] = op_dict,
    [0x91] = op_frozenset, ['('] = op_mark,        ['0'] = op_pop,        ['1'] = op_pop_mark,
    ['2'] = op_dup,        [0x94] = op_memoize,    ['q'] = op_put1,       ['r'] = op_put4,
    ['h'] = op_get1,       ['j'] = op_get4,        ['p'] = op_put_line,   ['g'] = op_get_line,
    [0x80] = op_proto,     [0x95] = op_frame,      ['a'] = object_append, ['e'] = object_appends,
    ['s'] = object_item,   ['u'] = object_items,   [0x90] = object_add,   ['c'] = object_name,
    [0x93] = object_named, ['R'] = object_call,    [0x81] = object_new,   [0x92] = object_new_ex,
    ['b'] = object_build,
};

static PyObject *run(struct machine *m)
{
    struct slot result;

    for (;;) {
        const unsigned char *code = machine_take(m, 1);
        int (*instruction)(struct machine *);

        if (!code)
            return NULL;
        if (*code == STOP)
            return machine_pop(m, &result) < 0 ? NULL : result.object;
        instruction = instructions[*code];
        if (!instruction) {
            machine_raise(m, "instruction 0x%02x is not allowed", *code);
            return NULL;
        }
        if (instruction(m) < 0)
            return NULL;
    }
}

PyObject *reader_load(PyObject *reader, const char *data, size_t size)
{
    struct machine machine;
    PyObject *object;

    machine_begin(&machine, reader, data, size);
    object = run(&machine);
    machine_clear(&machine);
    return object;
}
