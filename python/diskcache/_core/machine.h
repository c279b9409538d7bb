/* machine.h - the machine of reader.c: its input, stack and memo, and what it may do to objects. */
#ifndef MACHINE_H
#define MACHINE_H

#include "reader.h"

typedef struct {
    PyObject_HEAD
    PyObject *find, *builders;
    PyObject *names;      /* (module, name): what find() has handed out for it */
    PyObject *from_bytes; /* int.from_bytes, of two's complement */
    PyObject *dunder;     /* "__" */
    PyObject *error;      /* pickle.UnpicklingError */
} ReaderObject;

/* How an object came about. A name is something shared, which is called and no more. What a call has
 * made is changed only if nobody else has it: of a class whose instances are shared, as those of
 * an Enum, it is an old one. */
enum origin { PLAIN, NAMED, MADE };

struct slot {
    PyObject *object;
    PyObject *call; /* of a name: what to call, borrowed from `names`; NULL: nothing */
    unsigned depth; /* of tuples in tuples: their hash is computed by recursion, unguarded */
    enum origin origin;
};

#define MACHINE_STACK 64 /* beyond that, memory of the heap */
#define MACHINE_DEPTH 400
#define MACHINE_NUMBER 64 /* characters of a number in a line, of those that are not long */

struct machine {
    ReaderObject *reader;
    const unsigned char *begin, *at, *end;
    struct slot *stack; /* `first` or of the heap */
    size_t count, room;
    size_t *marks, mark_count, mark_room; /* what is below the last one cannot be taken */
    struct slot *memo;
    size_t memo_count, memo_room;
    struct slot first[MACHINE_STACK];
};

/* ---- machine.c: these return -1 with an exception ---- */

/* The format is that of PyErr_Format(). A macro, for the compiler to see that it is -1. */
#define machine_fail(...) (machine_raise(__VA_ARGS__), -1)
void machine_raise(struct machine *m, const char *format, ...);
void machine_begin(struct machine *m, PyObject *reader, const char *data, size_t size);
void machine_clear(struct machine *m);

/* Input. A line ends before its newline. */
int machine_line(struct machine *m, const unsigned char **ret_line, size_t *ret_size);
int machine_number_line(struct machine *m, char ret[MACHINE_NUMBER]);

/* Stack. */
int machine_grow(struct machine *m);
int machine_push_slot(struct machine *m, const struct slot *slot); /* a copy of it */
int machine_pop(struct machine *m, struct slot *ret);
struct slot *machine_top(struct machine *m);
void machine_drop(struct machine *m, size_t count);
int machine_tuple(struct machine *m, size_t count);
int machine_mark(struct machine *m);
int machine_unmark(struct machine *m, size_t *ret_count); /* of what is above it */

/* Memo. */
int machine_put(struct machine *m, uint64_t at);
int machine_get(struct machine *m, uint64_t at);

/* ---- what each instruction does, so that it is compiled into each ---- */

static inline const unsigned char *machine_take(struct machine *m, uint64_t size)
{
    const unsigned char *data = m->at;

    if (size > (size_t)(m->end - m->at)) {
        machine_raise(m, "it is cut off");
        return NULL;
    }
    m->at += size;
    return data;
}

/* Unsigned, its least byte first. */
static inline int machine_number(struct machine *m, size_t width, uint64_t *ret)
{
    const unsigned char *data = machine_take(m, width);

    if (!data)
        return -1;
    *ret = 0;
    for (size_t i = width; i-- > 0;)
        *ret = *ret << 8 | data[i];
    return 0;
}

/* Takes over the slot's object. */
static inline int machine_push_new(struct machine *m, struct slot slot)
{
    if (m->count == m->room && machine_grow(m) < 0) {
        Py_DECREF(slot.object);
        return -1;
    }
    m->stack[m->count++] = slot;
    return 0;
}

/* Takes over the object; NULL is an exception. */
static inline int machine_push(struct machine *m, PyObject *object, unsigned depth)
{
    if (!object)
        return -1;
    return machine_push_new(m, (struct slot){.object = object, .depth = depth});
}

/* ---- objects.c: the instructions that concern names, and objects that are there ---- */

int object_name(struct machine *m);
int object_named(struct machine *m);
int object_call(struct machine *m);
int object_new(struct machine *m);
int object_new_ex(struct machine *m);
int object_build(struct machine *m);
int object_append(struct machine *m);
int object_appends(struct machine *m);
int object_item(struct machine *m);
int object_items(struct machine *m);
int object_add(struct machine *m);

#endif
