/* pickle.c - a tuple of plain values to the bytes of a pickle, and back. See pickle.h.
 *
 * The opcodes are those of Python's pickletools. */
#include "pickle.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#define MOST_ITEMS 30000 /* what a hostile pickle may make us look through */
#define UNNAMED UINT64_MAX

enum opcode {
    PROTO = 0x80,
    FRAME = 0x95,
    MARK = '(',
    STOP = '.',
    NONE = 'N',
    INT = 'I',
    LONG = 'L',
    BININT = 'J',
    BININT1 = 'K',
    BININT2 = 'M',
    LONG1 = 0x8a,
    LONG4 = 0x8b,
    FLOAT = 'F',
    BINFLOAT = 'G',
    UNICODE = 'V',
    BINUNICODE = 'X',
    SHORT_BINUNICODE = 0x8c,
    BINUNICODE8 = 0x8d,
    BINBYTES = 'B',
    SHORT_BINBYTES = 'C',
    BINBYTES8 = 0x8e,
    EMPTY_TUPLE = ')',
    TUPLE = 't',
    TUPLE1 = 0x85,
    TUPLE2 = 0x86,
    TUPLE3 = 0x87,
    PUT = 'p',
    BINPUT = 'q',
    LONG_BINPUT = 'r',
    MEMOIZE = 0x94,
    GET = 'g',
    BINGET = 'h',
    LONG_BINGET = 'j'
};

struct reader {
    const unsigned char *at, *end;
    struct pickle_tuple *tuple;
    uint64_t *names; /* under which each item is in the memo */
    size_t room;
    uint64_t memo; /* how much has been put there */
    char *text;    /* where the next unescaped string goes */
    size_t size;   /* of the whole pickle */
    bool marked, closed;
};

static int refuse(void)
{
    return os_fail(DCACHE_TYPE, "the pickle is not a tuple of plain values");
}

/* ---- numbers and lengths ---- */

/* The next `size` bytes, or NULL. */
static const unsigned char *take(struct reader *r, uint64_t size)
{
    const unsigned char *at = r->at;

    if (size > (uint64_t)(r->end - r->at))
        return NULL;
    r->at += size;
    return at;
}

/* An unsigned number of up to eight bytes, the least first. */
static bool take_number(struct reader *r, unsigned size, uint64_t *ret)
{
    const unsigned char *at = take(r, size);

    *ret = 0;
    for (unsigned i = size; at && i > 0; i--)
        *ret = *ret << 8 | at[i - 1];
    return at != NULL;
}

static bool take_signed(struct reader *r, uint64_t size, int64_t *ret)
{
    uint64_t bits;

    if (size > 8 || !take_number(r, (unsigned)size, &bits))
        return false;
    if (size > 0 && size < 8 && bits >> (8 * size - 1))
        bits |= UINT64_MAX << 8 * size;
    *ret = (int64_t)bits;
    return true;
}

/* A line without its end, as a string of its own. */
static bool take_line(struct reader *r, char *line, size_t room)
{
    size_t left = (size_t)(r->end - r->at), length;
    const unsigned char *end = memchr(r->at, '\n', left < room ? left : room);

    if (!end)
        return false;
    length = (size_t)(end - r->at);
    memcpy(line, r->at, length);
    line[length] = 0;
    r->at = end + 1;
    return true;
}

static bool take_decimal(struct reader *r, char suffix, int64_t *ret)
{
    char line[32], *end;

    if (!take_line(r, line, sizeof line) || strcmp(line, "00") == 0 || strcmp(line, "01") == 0)
        return false; /* the last two are False and True */
    errno = 0;
    *ret = strtoll(line, &end, 10);
    if (*end && *end == suffix)
        end++;
    return errno == 0 && end != line && !*end;
}

/* Whatever the locale of the program is, the point is a point. */
static bool take_float_line(struct reader *r, double *ret)
{
    char line[64], *end;
    locale_t c;

    if (!take_line(r, line, sizeof line))
        return false;
    c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return false;
    *ret = strtod_l(line, &end, c);
    freelocale(c);
    return end != line && !*end;
}

static bool take_double(struct reader *r, double *ret)
{
    const unsigned char *at = take(r, 8);
    uint64_t bits = 0;

    for (int i = 0; at && i < 8; i++)
        bits = bits << 8 | at[i];
    memcpy(ret, &bits, sizeof bits);
    return at != NULL;
}

/* ---- items ---- */

static int push(struct reader *r, struct dcache_value item)
{
    struct pickle_tuple *tuple = r->tuple;

    if (r->closed || tuple->count >= MOST_ITEMS)
        return refuse();
    if (tuple->count == r->room) {
        size_t room = r->room ? 2 * r->room : 4;
        struct dcache_value *items = os_realloc(tuple->items, room * sizeof *items);
        uint64_t *names;

        if (!items)
            return DCACHE_NOMEM;
        tuple->items = items;
        names = os_realloc(r->names, room * sizeof *names);
        if (!names)
            return DCACHE_NOMEM;
        r->names = names;
        r->room = room;
    }
    r->names[tuple->count] = UNNAMED;
    tuple->items[tuple->count++] = item;
    return 0;
}

static int read_number(struct reader *r, int opcode)
{
    struct dcache_value item = dcache_int(0);
    uint64_t size = 0, bits = 0;
    bool good = false;

    switch (opcode) {
    case BININT1:
    case BININT2:
        good = take_number(r, opcode == BININT1 ? 1 : 2, &bits);
        item.integer = (int64_t)bits;
        break;
    case BININT:
        good = take_signed(r, 4, &item.integer);
        break;
    case LONG1:
    case LONG4:
        good = take_number(r, opcode == LONG1 ? 1 : 4, &size) &&
               take_signed(r, size, &item.integer);
        break;
    case INT:
    case LONG:
        good = take_decimal(r, opcode == LONG ? 'L' : 0, &item.integer);
        break;
    default:
        item = dcache_double(0);
        good = opcode == FLOAT ? take_float_line(r, &item.real) : take_double(r, &item.real);
    }
    return good ? push(r, item) : refuse();
}

static int read_data(struct reader *r, int opcode)
{
    bool is_text = opcode == BINUNICODE || opcode == SHORT_BINUNICODE || opcode == BINUNICODE8;
    bool is_short = opcode == SHORT_BINUNICODE || opcode == SHORT_BINBYTES;
    bool is_long = opcode == BINUNICODE8 || opcode == BINBYTES8;
    const unsigned char *data = NULL;
    uint64_t size;

    if (take_number(r, is_short ? 1 : is_long ? 8 : 4, &size))
        data = take(r, size);
    if (!data)
        return refuse();
    return push(r, dcache_sized(is_text ? DCACHE_TEXT : DCACHE_BYTES, data, (size_t)size));
}

/* ---- strings of protocol 0: Latin-1, and \uXXXX and \UXXXXXXXX for what is not ---- */

static char *put_utf8(char *to, uint32_t c)
{
    static const struct {
        uint32_t below;
        unsigned char lead;
        unsigned shift;
    } lengths[] = {{0x80, 0, 0}, {0x800, 0xC0, 6}, {0x10000, 0xE0, 12}, {0x110000, 0xF0, 18}};
    int i = 0;

    while (c >= lengths[i].below)
        i++;
    *to++ = (char)(lengths[i].lead | c >> lengths[i].shift);
    for (unsigned shift = lengths[i].shift; shift > 0; shift -= 6)
        *to++ = (char)(0x80 | (c >> (shift - 6) & 0x3F));
    return to;
}

static bool take_escape(const unsigned char **at, const unsigned char *end, uint32_t *ret)
{
    int digits = end - *at > 1 && (*at)[1] == 'u' ? 4 : end - *at > 1 && (*at)[1] == 'U' ? 8 : 0;

    *ret = '\\';
    if (digits == 0) { /* a backslash on its own */
        (*at)++;
        return true;
    }
    if (end - *at < 2 + digits)
        return false;
    *ret = 0;
    for (int i = 0; i < digits; i++) {
        unsigned char c = (*at)[2 + i];
        uint32_t digit = c >= '0' && c <= '9'                 ? c - (uint32_t)'0'
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - (uint32_t)'a' + 10
                                                              : 16;

        if (digit > 15)
            return false;
        *ret = *ret << 4 | digit;
    }
    *at += 2 + digits;
    return *ret < 0x110000 && (*ret < 0xD800 || *ret > 0xDFFF); /* a surrogate is no character */
}

static int read_escaped(struct reader *r)
{
    const unsigned char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
    char *to;

    if (!end)
        return refuse();
    if (!r->tuple->text) /* two bytes for each one at most, for all strings together */
        r->text = r->tuple->text = os_malloc(2 * r->size);
    if (!r->text)
        return DCACHE_NOMEM;
    to = r->text;
    while (r->at < end) {
        uint32_t c = *r->at;

        if (c != '\\')
            r->at++;
        else if (!take_escape(&r->at, end, &c))
            return refuse();
        to = put_utf8(to, c);
    }
    r->at = end + 1;
    end = (unsigned char *)r->text;
    r->text = to;
    return push(r, dcache_sized(DCACHE_TEXT, end, (size_t)((unsigned char *)to - end)));
}

/* ---- the tuple and the memo ---- */

/* The tuple is all that there is: no other may be in it or around it. */
static int close_tuple(struct reader *r, int opcode)
{
    size_t count = r->tuple->count;
    bool good = opcode == TUPLE         ? r->marked
                : opcode == EMPTY_TUPLE ? !r->marked && count == 0
                                        : !r->marked && count == (size_t)opcode - TUPLE1 + 1;

    if (!good || r->closed)
        return refuse();
    r->closed = true;
    return 0;
}

static bool take_name(struct reader *r, int opcode, uint64_t *ret)
{
    int64_t decimal;

    if (opcode == MEMOIZE) {
        *ret = r->memo;
        return true;
    }
    if (opcode != PUT && opcode != GET)
        return take_number(r, opcode == BINPUT || opcode == BINGET ? 1 : 4, ret);
    if (!take_decimal(r, 0, &decimal) || decimal < 0)
        return false;
    *ret = (uint64_t)decimal;
    return true;
}

static int put_memo(struct reader *r, int opcode)
{
    size_t count = r->tuple->count;
    uint64_t name;

    if (!take_name(r, opcode, &name) || (count == 0 && !r->closed))
        return refuse();
    r->memo++;
    if (!r->closed) /* else it is the tuple, for which nobody can ask */
        r->names[count - 1] = name;
    return 0;
}

static int get_memo(struct reader *r, int opcode)
{
    uint64_t name;

    if (take_name(r, opcode, &name))
        for (size_t i = 0; i < r->tuple->count; i++)
            if (r->names[i] == name)
                return push(r, r->tuple->items[i]);
    return refuse();
}

static int read_one(struct reader *r, int opcode)
{
    switch (opcode) {
    case PROTO:
        return take(r, 1) && r->at[-1] <= 5 ? 0 : refuse();
    case FRAME:
        return take(r, 8) ? 0 : refuse();
    case MARK:
        if (r->marked || r->closed || r->tuple->count > 0)
            return refuse();
        r->marked = true;
        return 0;
    case NONE:
        return push(r, dcache_none());
    case UNICODE:
        return read_escaped(r);
    case BINUNICODE:
    case SHORT_BINUNICODE:
    case BINUNICODE8:
    case BINBYTES:
    case SHORT_BINBYTES:
    case BINBYTES8:
        return read_data(r, opcode);
    case INT:
    case LONG:
    case BININT:
    case BININT1:
    case BININT2:
    case LONG1:
    case LONG4:
    case FLOAT:
    case BINFLOAT:
        return read_number(r, opcode);
    case EMPTY_TUPLE:
    case TUPLE:
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
        return close_tuple(r, opcode);
    case PUT:
    case BINPUT:
    case LONG_BINPUT:
    case MEMOIZE:
        return put_memo(r, opcode);
    case GET:
    case BINGET:
    case LONG_BINGET:
        return get_memo(r, opcode);
    default:
        return refuse();
    }
}

int pickle_read(const struct dcache_value *pickle, struct pickle_tuple *ret_tuple)
{
    struct reader r = {.tuple = ret_tuple};
    int rc = 0;

    memset(ret_tuple, 0, sizeof *ret_tuple);
    if (pickle->type != DCACHE_PICKLE || pickle->size == 0)
        return refuse();
    r.at = pickle->data;
    r.end = r.at + pickle->size;
    r.size = pickle->size;
    while (rc == 0 && r.at < r.end && *r.at != STOP)
        rc = read_one(&r, *r.at++);
    if (rc == 0 && !(r.closed && r.end - r.at == 1))
        rc = refuse();
    free(r.names);
    if (rc < 0)
        pickle_clear(ret_tuple);
    return rc;
}

void pickle_clear(struct pickle_tuple *tuple)
{
    free(tuple->items);
    free(tuple->text);
    memset(tuple, 0, sizeof *tuple);
}

/* ---- write ---- */

static char *put_number(char *to, uint64_t number, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        *to++ = (char)(number >> 8 * i);
    return to;
}

static char *put_int(char *to, int64_t number)
{
    if (number >= INT32_MIN && number <= INT32_MAX) {
        *to++ = BININT;
        return put_number(to, (uint64_t)number, 4);
    }
    *to++ = (char)LONG1;
    *to++ = 8;
    return put_number(to, (uint64_t)number, 8);
}

static char *put_item(char *to, const struct dcache_value *item)
{
    uint64_t bits;

    switch (item->type) {
    case DCACHE_INT:
        return put_int(to, item->integer);
    case DCACHE_DOUBLE:
        *to++ = BINFLOAT;
        memcpy(&bits, &item->real, sizeof bits);
        return put_number(to, __builtin_bswap64(bits), 8);
    case DCACHE_TEXT:
    case DCACHE_BYTES:
        *to++ = item->type == DCACHE_TEXT ? BINUNICODE : BINBYTES;
        to = put_number(to, item->size, 4);
        if (item->size > 0)
            memcpy(to, item->data, item->size);
        return to + item->size;
    default:
        *to++ = NONE;
        return to;
    }
}

int pickle_write(const struct dcache_value *items, size_t count, struct dcache_value *ret_pickle)
{
    size_t size = 8; /* the opcodes around the items */
    char *data, *to;

    for (size_t i = 0; i < count; i++) {
        bool is_data = items[i].type == DCACHE_TEXT || items[i].type == DCACHE_BYTES;

        if (!is_data && items[i].type > DCACHE_DOUBLE)
            return os_fail(DCACHE_TYPE, "a value of type %d cannot be kept here",
                           (int)items[i].type);
        if (is_data && items[i].size > UINT32_MAX)
            return os_fail(DCACHE_TOO_BIG, "a value of more than 4 GiB cannot be kept here");
        size += 10 + (is_data ? items[i].size : 0);
    }
    data = to = os_malloc(size);
    if (!data)
        return DCACHE_NOMEM;
    *to++ = (char)PROTO;
    *to++ = 3;
    *to++ = MARK;
    for (size_t i = 0; i < count; i++)
        to = put_item(to, &items[i]);
    *to++ = TUPLE;
    *to++ = STOP;
    *ret_pickle = dcache_sized(DCACHE_PICKLE, data, (size_t)(to - data));
    return 0;
}
