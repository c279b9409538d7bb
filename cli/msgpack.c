/* msgpack.c - values that Python's MsgpackDisk has packed, as JSON (docs/FORMAT.md has the form).
 *
 * Strict: all that the bytes say they have is there, nothing is nested too deep, and nothing is left over;
 * that is looked at first, so that printing cannot fail in the middle.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <string.h>
#include <time.h>

#define MARKER "\xc1mp" /* and a 0: it is not compressed */
#define MARKER_SIZE 4
#define DEEPEST 100
#define TIMESTAMP 0xff /* MessagePack's own extension, -1 */

enum form { NIL, TRUTH, INTEGER, UNSIGNED, REAL, TEXT, BYTES, ARRAY, MAP, EXTENSION };

/* Names of the extensions from 1 on, and whether there is a value in them or text. */
static const struct extension {
    const char *name;
    int has_value;
} extensions[] = {
    {"tuple", 1}, {"set", 1},       {"frozenset", 1}, {"datetime", 0}, {"date", 0},
    {"time", 0},  {"timedelta", 0}, {"decimal", 0},   {"uuid", 0},     {"integer", 0},
};
#define UUID 9
#define UUID_SIZE 16

struct cursor {
    const unsigned char *at, *end;
};

struct item {
    enum form form;
    unsigned char code;      /* of an extension */
    uint64_t number;         /* also how many items, pairs or bytes */
    const unsigned char *at; /* the bytes */
};

static int take(struct cursor *cursor, uint64_t size, const unsigned char **ret)
{
    if (size > (uint64_t)(cursor->end - cursor->at))
        return -1;
    *ret = cursor->at;
    cursor->at += size;
    return 0;
}

/* The most significant byte first. */
static int number(struct cursor *cursor, size_t width, uint64_t *ret)
{
    const unsigned char *data;

    if (take(cursor, width, &data) < 0)
        return -1;
    *ret = 0;
    for (size_t i = 0; i < width; i++)
        *ret = *ret << 8 | data[i];
    return 0;
}

static uint64_t with_sign(uint64_t number, size_t width)
{
    uint64_t sign = UINT64_C(1) << (8 * width - 1);

    return (number ^ sign) - sign;
}

static uint64_t bits_of(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static int read_float(struct cursor *cursor, size_t width, struct item *item)
{
    uint32_t half;
    float single;

    item->form = REAL;
    if (number(cursor, width, &item->number) < 0)
        return -1;
    if (width == 4) {
        half = (uint32_t)item->number;
        memcpy(&single, &half, sizeof single);
        item->number = bits_of((double)single);
    }
    return 0;
}

static int read_number(struct cursor *cursor, unsigned char first, struct item *item)
{
    size_t width = (size_t)1 << (first & 3);

    if (first < 0xcc)
        return read_float(cursor, first == 0xca ? 4 : 8, item);
    item->form = first < 0xd0 ? UNSIGNED : INTEGER;
    if (number(cursor, width, &item->number) < 0)
        return -1;
    if (item->form == INTEGER)
        item->number = with_sign(item->number, width);
    return 0;
}

/* Text, bytes and extensions: a length of 1, 2 or 4 bytes, or, of some extensions, a fixed one. */
static int read_sized(struct cursor *cursor, unsigned char first, struct item *item)
{
    unsigned char base = first >= 0xd9 ? 0xd9 : first >= 0xc7 ? 0xc7 : 0xc4;
    uint64_t code;

    item->form = base == 0xd9 ? TEXT : base == 0xc7 ? EXTENSION : BYTES;
    if (first < 0xd4 || first > 0xd8) {
        if (number(cursor, (size_t)1 << (first - base), &item->number) < 0)
            return -1;
    } else {
        item->number = UINT64_C(1) << (first - 0xd4);
    }
    if (item->form == EXTENSION) {
        if (number(cursor, 1, &code) < 0)
            return -1;
        item->code = (unsigned char)code;
    }
    return take(cursor, item->number, &item->at);
}

/* What follows a byte from 0xc0 to 0xdf. */
static int read_long(struct cursor *cursor, unsigned char first, struct item *item)
{
    if (first == 0xc1)
        return -1;
    if (first <= 0xc3) {
        item->form = first == 0xc0 ? NIL : TRUTH;
        item->number = first & 1;
        return 0;
    }
    if (first >= 0xca && first <= 0xd3)
        return read_number(cursor, first, item);
    if (first < 0xdc)
        return read_sized(cursor, first, item);
    item->form = first < 0xde ? ARRAY : MAP;
    return number(cursor, first & 1 ? 4 : 2, &item->number);
}

static int read_item(struct cursor *cursor, struct item *item)
{
    const unsigned char *first;

    if (take(cursor, 1, &first) < 0)
        return -1;
    if (*first >= 0xc0 && *first < 0xe0)
        return read_long(cursor, *first, item);
    item->number = *first;
    if (*first < 0x80) {
        item->form = UNSIGNED;
    } else if (*first >= 0xe0) {
        item->form = INTEGER;
        item->number = with_sign(*first, 1);
    } else if (*first < 0xa0) {
        item->form = *first < 0x90 ? MAP : ARRAY;
        item->number = *first & 0x0f;
    } else {
        item->form = TEXT;
        item->number = *first & 0x1f;
        return take(cursor, item->number, &item->at);
    }
    return 0;
}

static const struct extension *extension_of(const struct item *item)
{
    size_t known = sizeof extensions / sizeof *extensions;

    return item->code >= 1 && item->code <= known ? &extensions[item->code - 1] : NULL;
}

/* ---- first, whether it is sound ---- */

static int check(struct cursor *cursor, int depth)
{
    const struct extension *extension;
    struct cursor inner;
    struct item item;
    uint64_t count;

    if (depth > DEEPEST || read_item(cursor, &item) < 0)
        return -1;
    if (item.form == EXTENSION && (extension = extension_of(&item)) && extension->has_value) {
        inner.at = item.at;
        inner.end = item.at + item.number;
        return check(&inner, depth + 1) < 0 || inner.at != inner.end ? -1 : 0;
    }
    if (item.form == EXTENSION && item.code == UUID)
        return item.number == UUID_SIZE ? 0 : -1;
    if (item.form != ARRAY && item.form != MAP)
        return 0;
    count = item.form == MAP ? 2 * item.number : item.number;
    while (count-- > 0)
        if (check(cursor, depth + 1) < 0)
            return -1;
    return 0;
}

/* ---- then as JSON ---- */

static void show(struct json *json, struct cursor *cursor);

static void text(struct json *json, const unsigned char *data, size_t size)
{
    json_string_begin(json);
    json_string_add(json, data, size);
    json_string_end(json);
}

static void uuid(struct json *json, const unsigned char *data)
{
    char hex[2 * UUID_SIZE + 5], *at = hex;

    for (int i = 0; i < UUID_SIZE; i++)
        at += snprintf(at, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", data[i]);
    json_string(json, hex);
}

/* 4 bytes of seconds; 8, of 30 bits of nanoseconds and 34 of seconds; or 4 and 8. */
static void timestamp(struct json *json, const struct item *item)
{
    struct cursor cursor = {item->at, item->at + item->number};
    uint64_t seconds = 0, nanoseconds = 0;
    char date[64], whole[96];
    struct tm parts;
    time_t time;

    if (item->number == 12)
        (void)number(&cursor, 4, &nanoseconds); /* it is there */
    (void)number(&cursor, item->number == 4 ? 4 : 8, &seconds);
    if (item->number == 8) {
        nanoseconds = seconds >> 34;
        seconds &= (UINT64_C(1) << 34) - 1;
    }
    time = (time_t)(int64_t)seconds;
    if (!gmtime_r(&time, &parts) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        strcpy(date, "?");
    (void)snprintf(whole, sizeof whole, "%s.%06lluZ", date, (unsigned long long)nanoseconds / 1000);
    json_string(json, whole);
}

static void show_extension(struct json *json, const struct item *item)
{
    const struct extension *extension = extension_of(item);
    struct cursor inner = {item->at, item->at + item->number};
    int is_time = item->code == TIMESTAMP &&
                  (item->number == 4 || item->number == 8 || item->number == 12);

    json_open(json, '{');
    json_name(json, extension ? extension->name : is_time ? "datetime" : "extension");
    if (extension && extension->has_value)
        show(json, &inner);
    else if (extension && item->code == UUID)
        uuid(json, item->at);
    else if (extension)
        text(json, item->at, (size_t)item->number);
    else if (is_time)
        timestamp(json, item);
    else
        json_int(json, (int8_t)item->code);
    json_close(json, '}');
}

/* JSON's own objects have texts as keys only. */
static int has_text_keys(struct cursor cursor, uint64_t pairs)
{
    struct item key;

    for (; pairs > 0; pairs--)
        if (read_item(&cursor, &key) < 0 || key.form != TEXT || check(&cursor, 0) < 0)
            return 0;
    return 1;
}

static void show_map(struct json *json, struct cursor *cursor, uint64_t pairs)
{
    int plain = has_text_keys(*cursor, pairs);
    struct item key;

    json_open(json, '{');
    if (!plain) {
        json_name(json, "map");
        json_open(json, '[');
    }
    for (; pairs > 0; pairs--) {
        if (plain) {
            (void)read_item(cursor, &key); /* was checked */
            text(json, key.at, (size_t)key.number);
            json_colon(json);
            show(json, cursor);
        } else {
            json_open(json, '[');
            show(json, cursor);
            show(json, cursor);
            json_close(json, ']');
        }
    }
    if (!plain)
        json_close(json, ']');
    json_close(json, '}');
}

static void show(struct json *json, struct cursor *cursor)
{
    struct dcache_value bytes;
    struct item item = {0};
    double real;

    (void)read_item(cursor, &item); /* was checked */
    switch (item.form) {
    case NIL:
        json_null(json);
        break;
    case TRUTH:
        json_bool(json, (int)item.number);
        break;
    case INTEGER:
        json_int(json, (int64_t)item.number);
        break;
    case UNSIGNED:
        json_unsigned(json, item.number);
        break;
    case REAL:
        memcpy(&real, &item.number, sizeof real);
        json_double(json, real);
        break;
    case TEXT:
        text(json, item.at, (size_t)item.number);
        break;
    case BYTES:
        bytes = dcache_bytes(item.at, (size_t)item.number);
        json_value(json, &bytes);
        break;
    case ARRAY:
        json_open(json, '[');
        for (uint64_t i = 0; i < item.number; i++)
            show(json, cursor);
        json_close(json, ']');
        break;
    case MAP:
        show_map(json, cursor, item.number);
        break;
    case EXTENSION:
        show_extension(json, &item);
    }
}

int json_msgpack(struct json *json, const char *name, const void *data, size_t size)
{
    struct cursor cursor = {data, (const unsigned char *)data + size}, sound;

    if (size < MARKER_SIZE || memcmp(data, MARKER, MARKER_SIZE) != 0) /* with the 0 at its end */
        return 0;
    cursor.at += MARKER_SIZE;
    sound = cursor;
    if (check(&sound, 0) < 0 || sound.at != sound.end)
        return 0;
    json_name(json, name);
    show(json, &cursor);
    return 1;
}
