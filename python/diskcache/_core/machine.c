/* machine.c - the machine of reader.c: input, stack, memo. See machine.h. */
#include "machine.h"

void machine_raise(struct machine *m, const char *format, ...)
{
    PyObject *text;
    va_list args;

    va_start(args, format);
    text = PyUnicode_FromFormatV(format, args);
    va_end(args);
    if (text)
        PyErr_Format(m->reader->error, "%U (at byte %zd of the pickle)", text,
                     (Py_ssize_t)(m->at - m->begin));
    Py_XDECREF(text);
}

void machine_begin(struct machine *m, PyObject *reader, const char *data, size_t size)
{
    m->reader = (ReaderObject *)reader;
    m->begin = m->at = (const unsigned char *)data;
    m->end = m->begin + size;
    m->stack = m->first;
    m->room = MACHINE_STACK;
    m->marks = NULL;
    m->memo = NULL;
    m->count = m->mark_count = m->mark_room = m->memo_count = m->memo_room = 0;
}

void machine_clear(struct machine *m)
{
    machine_drop(m, m->count);
    for (size_t i = 0; i < m->memo_room; i++)
        Py_CLEAR(m->memo[i].object);
    if (m->stack != m->first)
        PyMem_Free(m->stack);
    PyMem_Free(m->marks);
    PyMem_Free(m->memo);
}

/* ---- input ---- */

int machine_line(struct machine *m, const unsigned char **ret_line, size_t *ret_size)
{
    const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));

    if (!end)
        return machine_fail(m, "it is cut off");
    *ret_line = m->at;
    *ret_size = (size_t)(end - m->at);
    m->at = end + 1;
    return 0;
}

int machine_number_line(struct machine *m, char ret[MACHINE_NUMBER])
{
    const unsigned char *line;
    size_t size;

    if (machine_line(m, &line, &size) < 0)
        return -1;
    if (size >= MACHINE_NUMBER || memchr(line, 0, size))
        return machine_fail(m, "a number of %zd characters", (Py_ssize_t)size);
    memcpy(ret, line, size);
    ret[size] = 0;
    return 0;
}

/* ---- stack ---- */

/* Room for one more of what has `width` bytes each; `first` is what is not of the heap. */
static int grow(void **array, size_t *room, size_t width, const void *first)
{
    size_t wanted = *room ? 2 * *room : 16;
    void *grown = PyMem_Realloc(*array == first ? NULL : *array, wanted * width);

    if (!grown) {
        PyErr_NoMemory();
        return -1;
    }
    if (*array == first && first)
        memcpy(grown, first, *room * width);
    *array = grown;
    *room = wanted;
    return 0;
}

int machine_grow(struct machine *m)
{
    return grow((void **)&m->stack, &m->room, sizeof *m->stack, m->first);
}

int machine_push_slot(struct machine *m, const struct slot *slot)
{
    struct slot copy = *slot;

    Py_INCREF(copy.object);
    return machine_push_new(m, copy);
}

static size_t available(const struct machine *m)
{
    return m->count - (m->mark_count > 0 ? m->marks[m->mark_count - 1] : 0);
}

int machine_pop(struct machine *m, struct slot *ret)
{
    if (available(m) == 0)
        return machine_fail(m, "its stack is empty");
    *ret = m->stack[--m->count];
    return 0;
}

struct slot *machine_top(struct machine *m)
{
    if (available(m) > 0)
        return m->stack + m->count - 1;
    machine_raise(m, "its stack is empty");
    return NULL;
}

void machine_drop(struct machine *m, size_t count)
{
    while (count-- > 0)
        Py_DECREF(m->stack[--m->count].object);
}

int machine_tuple(struct machine *m, size_t count)
{
    struct slot *items;
    unsigned depth = 0;
    PyObject *tuple;

    if (available(m) < count)
        return machine_fail(m, "its stack is empty");
    items = m->stack + m->count - count;
    for (size_t i = 0; i < count; i++)
        if (items[i].depth > depth)
            depth = items[i].depth;
    if (depth >= MACHINE_DEPTH)
        return machine_fail(m, "tuples in tuples, more than %d deep", MACHINE_DEPTH);
    tuple = PyTuple_New((Py_ssize_t)count);
    if (!tuple)
        return -1;
    for (size_t i = 0; i < count; i++)
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, items[i].object);
    m->count -= count;
    return machine_push(m, tuple, depth + 1);
}

int machine_mark(struct machine *m)
{
    if (m->mark_count == m->mark_room &&
        grow((void **)&m->marks, &m->mark_room, sizeof *m->marks, NULL) < 0)
        return -1;
    m->marks[m->mark_count++] = m->count;
    return 0;
}

int machine_unmark(struct machine *m, size_t *ret_count)
{
    if (m->mark_count == 0)
        return machine_fail(m, "no mark was set");
    *ret_count = available(m);
    m->mark_count--;
    return 0;
}

/* ---- memo ---- */

/* A pickler numbers what it puts aside from 0 on: a number that is larger than the pickle has bytes is
 * there to make us take memory. */
int machine_put(struct machine *m, uint64_t at)
{
    struct slot *top = machine_top(m);

    if (!top)
        return -1;
    if (at > (size_t)(m->end - m->begin))
        return machine_fail(m, "object number %llu", (unsigned long long)at);
    while (at >= m->memo_room) {
        size_t before = m->memo_room;

        if (grow((void **)&m->memo, &m->memo_room, sizeof *m->memo, NULL) < 0)
            return -1;
        memset(m->memo + before, 0, (m->memo_room - before) * sizeof *m->memo);
    }
    if (!m->memo[at].object)
        m->memo_count++;
    Py_INCREF(top->object);
    Py_XDECREF(m->memo[at].object);
    m->memo[at] = *top;
    return 0;
}

int machine_get(struct machine *m, uint64_t at)
{
    if (at >= m->memo_room || !m->memo[at].object)
        return machine_fail(m, "there is no object number %llu", (unsigned long long)at);
    return machine_push_slot(m, &m->memo[at]);
}
