/* value.c - typed values and the columns of a row. See value.h. */
#include "value.h"

#include <stdlib.h>

/* 1 to 7 bytes as a number; which of them it is does not matter. */
static uint64_t few_bytes(const char *at, size_t size)
{
    uint32_t first, last;

    if (size < 4)
        return (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[size / 2] << 8 |
               (uint64_t)(unsigned char)at[size - 1] << 16;
    memcpy(&first, at, 4);
    memcpy(&last, at + size - 4, 4);
    return first | (uint64_t)last << 32;
}

/* ---- UTF-8 ---- */

/* Length of the well-formed sequence at `s`, 0 if there is none (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t length;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        length = 2;
    else if (s[0] >= 0xE0 && s[0] <= 0xEF)
        length = 3;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        length = 4;
    else
        return 0;
    if (s[0] == 0xE0)
        low = 0xA0;
    if (s[0] == 0xED)
        high = 0x9F; /* no surrogates */
    if (s[0] == 0xF0)
        low = 0x90;
    if (s[0] == 0xF4)
        high = 0x8F;
    if (left < length || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return length;
}

/* Number of characters, or -1. */
static int64_t utf8_length(const void *text, size_t size)
{
    const unsigned char *at = text;
    int64_t length = 0;
    uint64_t word;

    while (size > 0) {
        size_t several = size < sizeof word ? size : sizeof word, step;

        /* Eight at once, where they are ASCII: takes a seventh of the time. */
        if (several == sizeof word)
            memcpy(&word, at, sizeof word);
        else
            word = few_bytes((const char *)at, several);
        if ((word & UINT64_C(0x8080808080808080)) == 0) {
            at += several;
            size -= several;
            length += (int64_t)several;
            continue;
        }
        step = utf8_sequence(at, size);
        if (step == 0)
            return -1;
        at += step;
        size -= step;
        length++;
    }
    return length;
}

/* ---- pickles of None and NaN ---- */

static struct dcache_value pickle_none(int protocol, char *scratch)
{
    size_t n = 0;

    if (protocol >= 2) {
        scratch[n++] = '\x80';
        scratch[n++] = (char)protocol;
    }
    scratch[n++] = 'N';
    scratch[n++] = '.';
    return dcache_bytes(scratch, n);
}

static struct dcache_value pickle_nan(int protocol, char *scratch)
{
    static const char body[] = "G\x7f\xf8\0\0\0\0\0\0."; /* BINFLOAT, big-endian, STOP */
    size_t n = 0;

    if (protocol < 1)
        return dcache_bytes("Fnan\n.", 6);
    if (protocol >= 2) {
        scratch[n++] = '\x80';
        scratch[n++] = (char)protocol;
    }
    if (protocol >= 4) { /* FRAME and its length, as pickle writes them from 4 bytes up */
        memcpy(scratch + n, "\x95\x0a\0\0\0\0\0\0\0", 9);
        n += 9;
    }
    memcpy(scratch + n, body, 10);
    return dcache_bytes(scratch, n + 10);
}

/* What comes after the protocol and the frame. */
static const char *pickle_body(const struct dcache_value *pickle, size_t *ret_size)
{
    const char *at = pickle->data;
    size_t size = pickle->size;

    if (size > 2 && at[0] == '\x80') {
        at += 2;
        size -= 2;
    }
    if (size > 9 && at[0] == '\x95') {
        at += 9;
        size -= 9;
    }
    *ret_size = size;
    return at;
}

void value_recognise(struct dcache_value *value)
{
    size_t size;
    const char *body = pickle_body(value, &size);

    if (size == 2 && memcmp(body, "N.", 2) == 0) {
        *value = dcache_none();
    } else if (size == 10 && body[0] == 'G' && (body[1] & 0x7f) == 0x7f &&
               ((unsigned char)body[2] & 0xf8) == 0xf8 && body[9] == '.') {
        *value = dcache_double((double)NAN);
    } else if (size == 6 && memcmp(body, "Fnan\n.", 6) == 0) {
        *value = dcache_double((double)NAN);
    } else {
        value->type = DCACHE_PICKLE;
    }
}

/* ---- in ---- */

/* `ret_length`: characters of text, else bytes. */
static int check_data(const struct dcache_value *value, int64_t *ret_length)
{
    if (!value->data && value->size > 0)
        return os_fail(DCACHE_INVALID, "data is NULL");
    *ret_length = value->type == DCACHE_TEXT ? utf8_length(value->data, value->size)
                                             : (int64_t)value->size;
    return *ret_length < 0 ? os_fail(DCACHE_INVALID, "text is not valid UTF-8") : 0;
}

int value_key(const struct dcache_value *key, int protocol, char scratch[VALUE_SCRATCH],
              struct dcache_value *ret_column, int *ret_raw)
{
    int64_t unused;

    *ret_raw = 1;
    *ret_column = *key;
    switch (key->type) {
    case DCACHE_INT:
        return 0;
    case DCACHE_TEXT:
    case DCACHE_BYTES:
        return check_data(key, &unused);
    case DCACHE_DOUBLE:
        if (isnan(key->real)) {
            *ret_column = pickle_nan(protocol, scratch);
            *ret_raw = 0;
        }
        return 0;
    case DCACHE_NONE:
        *ret_column = pickle_none(protocol, scratch);
        *ret_raw = 0;
        return 0;
    case DCACHE_PICKLE:
        ret_column->type = DCACHE_BYTES;
        *ret_raw = 0;
        return check_data(key, &unused);
    case DCACHE_FD:
    case DCACHE_READER:
    case DCACHE_STORED:
    default:
        return os_fail(DCACHE_INVALID, "a key cannot be of type %d", (int)key->type);
    }
}

int value_inline(const struct dcache_value *value, int64_t min_file_size, int protocol,
                 char scratch[VALUE_SCRATCH], struct dcache_value *ret_column, int *ret_mode,
                 bool *ret_file)
{
    int64_t length = 0;
    int rc = 0;

    *ret_file = false;
    *ret_column = *value;
    *ret_mode = MODE_RAW;
    switch (value->type) {
    case DCACHE_INT:
        return 0;
    case DCACHE_DOUBLE:
        if (isnan(value->real)) {
            *ret_column = pickle_nan(protocol, scratch);
            *ret_mode = MODE_PICKLE;
        }
        return 0;
    case DCACHE_NONE:
        *ret_column = pickle_none(protocol, scratch);
        *ret_mode = MODE_PICKLE;
        return 0;
    case DCACHE_TEXT:
    case DCACHE_BYTES:
    case DCACHE_PICKLE:
        rc = check_data(value, &length);
        break;
    case DCACHE_FD:
    case DCACHE_READER:
        length = INT64_MAX;
        break;
    case DCACHE_STORED:
    default:
        return os_fail(DCACHE_INVALID, "a value cannot be of type %d", (int)value->type);
    }
    if (rc < 0)
        return rc;
    *ret_file = length >= min_file_size;
    if (value->type == DCACHE_TEXT)
        *ret_mode = *ret_file ? MODE_TEXT : MODE_RAW;
    else if (value->type == DCACHE_PICKLE)
        *ret_mode = MODE_PICKLE;
    else
        *ret_mode = *ret_file ? MODE_BINARY : MODE_RAW;
    if (*ret_file)
        *ret_column = dcache_none();
    else if (value->type == DCACHE_PICKLE)
        ret_column->type = DCACHE_BYTES;
    return 0;
}

int value_tag(const struct dcache_value *tag, struct dcache_value *ret_column)
{
    int64_t unused;

    *ret_column = dcache_none();
    if (!tag || tag->type == DCACHE_NONE)
        return 0;
    if (tag->type != DCACHE_INT && tag->type != DCACHE_DOUBLE && tag->type != DCACHE_TEXT &&
        tag->type != DCACHE_BYTES)
        return os_fail(DCACHE_INVALID, "a tag cannot be of type %d", (int)tag->type);
    if (tag->type == DCACHE_DOUBLE && isnan(tag->real))
        return os_fail(DCACHE_INVALID, "a tag cannot be NaN");
    *ret_column = *tag;
    return value_is_data(tag) ? check_data(tag, &unused) : 0;
}

/* ---- out ---- */

enum dcache_type value_type_of_mode(int mode)
{
    return mode == MODE_TEXT ? DCACHE_TEXT : mode == MODE_PICKLE ? DCACHE_PICKLE : DCACHE_BYTES;
}

/* ---- keys as SQLite compares them ---- */

/* A double that is a 64-bit integer becomes that integer; -0.0 becomes 0. */
struct dcache_value value_normal_key(const struct dcache_value *key)
{
    if (key->type == DCACHE_DOUBLE && key->real >= -0x1p63 && key->real < 0x1p63 &&
        (double)(int64_t)key->real == key->real)
        return dcache_int((int64_t)key->real);
    return *key;
}

uint64_t value_hash_key(const struct dcache_value *key, int raw)
{
    uint64_t hash = UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(key->type * 2 + (raw != 0)), word;
    const char *at = key->data;
    size_t left = value_bytes(key);

    if (!value_is_data(key)) {
        hash ^= (uint64_t)key->integer; /* a double's bits are in the same place */
        hash *= UINT64_C(0xFF51AFD7ED558CCD);
        hash ^= hash >> 32; /* once after each product: twice would undo it */
    }
    for (; left >= 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0xFF51AFD7ED558CCD);
        hash ^= hash >> 32;
    }
    if (left > 0) {
        word = few_bytes(at, left);
        hash = (hash ^ word ^ (uint64_t)left << 56) * UINT64_C(0xFF51AFD7ED558CCD);
        hash ^= hash >> 32;
    }
    hash *= UINT64_C(0xC4CEB9FE1A85EC53);
    return hash ^ hash >> 32;
}

/* ---- public helpers that need nothing else ---- */

static uint32_t adler32(const unsigned char *data, size_t size)
{
    uint32_t a = 1, b = 0; /* RFC 1950 */

    while (size > 0) {
        size_t run = size < 5552 ? size : 5552; /* the most before b could overflow */

        for (size_t i = 0; i < run; i++) {
            a += data[i];
            b += a;
        }
        a %= 65521;
        b %= 65521;
        data += run;
        size -= run;
    }
    return b << 16 | a;
}

uint32_t value_hash(const struct dcache_value *column)
{
    unsigned char big_endian[8];
    uint64_t bits;

    if (column->type == DCACHE_INT) {
        int64_t mask = 0xFFFFFFFF, rest = column->integer % mask;

        return (uint32_t)(rest < 0 ? rest + mask : rest);
    }
    if (column->type != DCACHE_DOUBLE)
        return adler32(column->data, column->size);
    memcpy(&bits, &column->real, sizeof bits);
    for (int i = 0; i < 8; i++)
        big_endian[i] = (unsigned char)(bits >> (56 - 8 * i));
    return adler32(big_endian, 8);
}

uint32_t dcache_hash(const struct dcache_value *key)
{
    char scratch[VALUE_SCRATCH];
    struct dcache_value column;
    int raw;

    return value_key(key, 5, scratch, &column, &raw) < 0 ? 0 : value_hash(&column);
}

/* Exact: 2^53 + 1 as an integer is more than 2^53 as a real. */
static int compare_int_with_double(int64_t integer, double real)
{
    int64_t whole;

    if (real >= 9223372036854775808.0)
        return -1;
    if (real < -9223372036854775808.0)
        return 1;
    whole = (int64_t)real;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    return ((double)whole < real) ? -1 : (double)whole > real;
}

static int compare_numbers(const struct dcache_value *a, const struct dcache_value *b)
{
    bool a_nan = a->type == DCACHE_DOUBLE && isnan(a->real);
    bool b_nan = b->type == DCACHE_DOUBLE && isnan(b->real);

    if (a_nan || b_nan)
        return b_nan - a_nan;
    if (a->type == DCACHE_INT && b->type == DCACHE_INT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if (a->type == DCACHE_INT)
        return compare_int_with_double(a->integer, b->real);
    if (b->type == DCACHE_INT)
        return -compare_int_with_double(b->integer, a->real);
    return (a->real > b->real) - (a->real < b->real);
}

/* Where a type stands among the others. */
static int rank(enum dcache_type type)
{
    if (type == DCACHE_DOUBLE)
        return DCACHE_INT;
    return type > DCACHE_PICKLE ? DCACHE_FD : (int)type;
}

int dcache_value_compare(const struct dcache_value *a, const struct dcache_value *b)
{
    size_t size;
    int order = rank(a->type) - rank(b->type);

    if (order != 0)
        return order < 0 ? -1 : 1;
    if (rank(a->type) == DCACHE_INT)
        return compare_numbers(a, b);
    if (!value_is_data(a))
        return 0;
    size = a->size < b->size ? a->size : b->size;
    order = size > 0 ? memcmp(a->data, b->data, size) : 0;
    if (order == 0)
        return (a->size > b->size) - (a->size < b->size);
    return order < 0 ? -1 : 1;
}

void dcache_value_clear(struct dcache_value *value)
{
    if (value && value_is_data(value))
        free((void *)(uintptr_t)value->data); /* const for readers; ours to release */
    if (value)
        *value = dcache_none();
}
