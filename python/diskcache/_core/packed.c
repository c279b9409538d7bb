/* packed.c - whether bytes are one value of MessagePack that may be handed to its library.
 *
 * That makes room for as many items as an array says it has before it looks for them, and an array in
 * an array may say so again: so a small value could take all memory. Here each item has to be there,
 * and nothing is nested too deep. */
#include "core.h"

#define DEEPEST 100

/* Extensions that have a value in them (packed.py). */
static bool has_value(unsigned char code)
{
    return code >= 1 && code <= 3;
}

struct scan {
    const unsigned char *at, *end;
};

static bool number(struct scan *s, size_t width, uint64_t *ret)
{
    if ((size_t)(s->end - s->at) < width)
        return false;
    *ret = 0;
    while (width-- > 0)
        *ret = *ret << 8 | *s->at++;
    return true;
}

static bool skip(struct scan *s, uint64_t size)
{
    if (size > (uint64_t)(s->end - s->at))
        return false;
    s->at += size;
    return true;
}

static bool one(struct scan *s, int depth);

static bool several(struct scan *s, uint64_t count, int depth)
{
    if (depth >= DEEPEST || count > (uint64_t)(s->end - s->at))
        return false;
    while (count-- > 0)
        if (!one(s, depth + 1))
            return false;
    return true;
}

static bool extension(struct scan *s, uint64_t size, int depth)
{
    struct scan inner;
    uint64_t code;

    if (!number(s, 1, &code) || size > (uint64_t)(s->end - s->at))
        return false;
    inner.at = s->at;
    inner.end = s->at += size;
    if (!has_value((unsigned char)code))
        return true;
    return depth < DEEPEST && one(&inner, depth + 1) && inner.at == inner.end;
}

/* 0xc0 to 0xdf: those with a length or a fixed size of their own. */
static bool long_form(struct scan *s, unsigned char first, int depth)
{
    static const unsigned char fixed[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8};
    uint64_t size;

    switch (first) {
    case 0xc0: /* nil */
    case 0xc2: /* false */
    case 0xc3: /* true */
        return true;
    case 0xc4: /* bin, of 1, 2, 4 bytes of length */
    case 0xc5:
    case 0xc6:
        return number(s, (size_t)1 << (first - 0xc4), &size) && skip(s, size);
    case 0xc7: /* ext */
    case 0xc8:
    case 0xc9:
        return number(s, (size_t)1 << (first - 0xc7), &size) && extension(s, size, depth);
    case 0xd9: /* str */
    case 0xda:
    case 0xdb:
        return number(s, (size_t)1 << (first - 0xd9), &size) && skip(s, size);
    case 0xdc: /* array */
    case 0xdd:
        return number(s, (size_t)2 << (first - 0xdc), &size) && several(s, size, depth);
    case 0xde: /* map */
    case 0xdf:
        return number(s, (size_t)2 << (first - 0xde), &size) && several(s, 2 * size, depth);
    default: /* numbers, then fixext; 0xc1 is none */
        if (first == 0xc1)
            return false;
        if (first >= 0xd4)
            return extension(s, (uint64_t)1 << (first - 0xd4), depth);
        return skip(s, fixed[first - 0xca]);
    }
}

static bool one(struct scan *s, int depth)
{
    unsigned char first;

    if (s->at == s->end)
        return false;
    first = *s->at++;
    if (first < 0x80 || first >= 0xe0) /* small integers */
        return true;
    if (first < 0x90)
        return several(s, 2 * (first & 0x0fu), depth);
    if (first < 0xa0)
        return several(s, first & 0x0fu, depth);
    if (first < 0xc0)
        return skip(s, first & 0x1fu);
    return long_form(s, first, depth);
}

PyObject *packed_is_sound(PyObject *module, PyObject *args)
{
    struct scan scan;
    Py_buffer data;
    bool sound;

    (void)module;
    if (!PyArg_ParseTuple(args, "y*:packed_is_sound", &data))
        return NULL;
    scan.at = data.buf;
    scan.end = scan.at + data.len;
    sound = one(&scan, 0) && scan.at == scan.end;
    PyBuffer_Release(&data);
    return PyBool_FromLong(sound);
}
