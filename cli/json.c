/* json.c - write JSON to a stream, piece by piece, so that a value may be larger than memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static void separate(struct json *json)
{
    if (json->comma)
        fputs(", ", json->out);
    json->comma = 1;
}

void json_open(struct json *json, char bracket)
{
    separate(json);
    putc(bracket, json->out);
    json->comma = 0;
}

void json_close(struct json *json, char bracket)
{
    putc(bracket, json->out);
    json->comma = 1;
}

void json_end(struct json *json)
{
    putc('\n', json->out);
    json->comma = 0;
}

void json_name(struct json *json, const char *name)
{
    separate(json);
    fprintf(json->out, "\"%s\": ", name); /* our own names need no escapes */
    json->comma = 0;
}

void json_colon(struct json *json)
{
    fputs(": ", json->out);
    json->comma = 0;
}

/* How long the UTF-8 sequence is that begins with `c`; 0 when none does. */
static size_t sequence_length(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return 2;
    if (c >= 0xe0 && c <= 0xef)
        return 3;
    if (c >= 0xf0 && c <= 0xf4)
        return 4;
    return 0;
}

/* Whether `c` may stand at `at` (from 1 on) of a sequence. The second byte has narrower limits
 * after some first bytes: no overlong forms, no surrogates, nothing above U+10FFFF. */
static int continues(unsigned char first, size_t at, unsigned char c)
{
    unsigned char low = 0x80, high = 0xbf;

    if (at == 1) {
        if (first == 0xe0)
            low = 0xa0;
        if (first == 0xed)
            high = 0x9f;
        if (first == 0xf0)
            low = 0x90;
        if (first == 0xf4)
            high = 0x8f;
    }
    return c >= low && c <= high;
}

static void put_ascii(FILE *out, unsigned char c)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    if (c == '"' || c == '\\')
        fprintf(out, "\\%c", c);
    else if (c < sizeof letters && letters[c])
        fprintf(out, "\\%c", letters[c]);
    else if (c < ' ' || c == 127)
        fprintf(out, "\\u%04x", c);
    else
        putc(c, out);
}

/* What was begun is no UTF-8 after all. */
static void put_broken(struct json *json)
{
    for (size_t i = 0; i < json->part_size; i++)
        fprintf(json->out, "\\udc%02x", json->part[i]);
    json->part_size = 0;
}

void json_string_begin(struct json *json)
{
    separate(json);
    json->part_size = 0;
    putc('"', json->out);
}

void json_string_add(struct json *json, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++) {
        unsigned char c = bytes[i];

        if (json->part_size && !continues(json->part[0], json->part_size, c))
            put_broken(json);
        if (json->part_size == 0 && c < 0x80) {
            put_ascii(json->out, c);
            continue;
        }
        json->part[json->part_size++] = c;
        if (sequence_length(json->part[0]) == 0) {
            put_broken(json);
        } else if (json->part_size == sequence_length(json->part[0])) {
            (void)fwrite(json->part, 1, json->part_size, json->out); /* main.c looks at ferror */
            json->part_size = 0;
        }
    }
}

void json_string_end(struct json *json)
{
    put_broken(json);
    putc('"', json->out);
}

void json_string(struct json *json, const char *text)
{
    json_string_begin(json);
    json_string_add(json, text, strlen(text));
    json_string_end(json);
}

static void put_group(FILE *out, const unsigned char *in, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = (unsigned)in[0] << 16;

    if (size > 1)
        bits |= (unsigned)in[1] << 8;
    if (size > 2)
        bits |= in[2];
    putc(digits[bits >> 18 & 63], out);
    putc(digits[bits >> 12 & 63], out);
    putc(size > 1 ? digits[bits >> 6 & 63] : '=', out);
    putc(size > 2 ? digits[bits & 63] : '=', out);
}

void json_base64_begin(struct json *json)
{
    json_string_begin(json);
}

void json_base64_add(struct json *json, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++) {
        json->part[json->part_size++] = bytes[i];
        if (json->part_size == 3) {
            put_group(json->out, json->part, 3);
            json->part_size = 0;
        }
    }
}

void json_base64_end(struct json *json)
{
    if (json->part_size)
        put_group(json->out, json->part, json->part_size);
    json->part_size = 0;
    putc('"', json->out);
}

void json_int(struct json *json, int64_t number)
{
    separate(json);
    fprintf(json->out, "%lld", (long long)number);
}

void json_unsigned(struct json *json, uint64_t number)
{
    separate(json);
    fprintf(json->out, "%llu", (unsigned long long)number);
}

void json_double(struct json *json, double number)
{
    char text[NUMBER_SIZE];

    format_double(number, text);
    if (isfinite(number)) {
        separate(json);
        fputs(text, json->out);
        return;
    }
    json_open(json, '{');
    json_name(json, "float");
    json_string(json, text);
    json_close(json, '}');
}

void json_bool(struct json *json, int truth)
{
    separate(json);
    fputs(truth ? "true" : "false", json->out);
}

void json_null(struct json *json)
{
    separate(json);
    fputs("null", json->out);
}

void json_expire(struct json *json, double time)
{
    if (time == DCACHE_NEVER)
        json_null(json);
    else
        json_double(json, time);
}

static void begin_binary(struct json *json, enum dcache_type kind)
{
    json_open(json, '{');
    json_name(json, kind == DCACHE_PICKLE ? "pickle" : "bytes");
    json_base64_begin(json);
}

static void end_binary(struct json *json)
{
    json_base64_end(json);
    json_close(json, '}');
}

void json_value(struct json *json, const struct dcache_value *value)
{
    switch (value->type) {
    case DCACHE_INT:
        json_int(json, value->integer);
        break;
    case DCACHE_DOUBLE:
        json_double(json, value->real);
        break;
    case DCACHE_TEXT:
        json_string_begin(json);
        json_string_add(json, value->data, value->size);
        json_string_end(json);
        break;
    case DCACHE_BYTES:
    case DCACHE_PICKLE:
        begin_binary(json, value->type);
        json_base64_add(json, value->data, value->size);
        end_binary(json);
        break;
    default:
        json_null(json);
    }
}

int json_fd(struct json *json, int fd, enum dcache_type kind)
{
    char buffer[32768];
    ssize_t got;

    if (kind == DCACHE_TEXT)
        json_string_begin(json);
    else
        begin_binary(json, kind);
    while ((got = read_some(fd, buffer, sizeof buffer)) > 0) {
        if (kind == DCACHE_TEXT)
            json_string_add(json, buffer, (size_t)got);
        else
            json_base64_add(json, buffer, (size_t)got);
        if (ferror(json->out))
            break; /* no use in reading on */
    }
    if (kind == DCACHE_TEXT)
        json_string_end(json);
    else
        end_binary(json);
    return got < 0 ? -1 : 0;
}

void json_tag_and_times(struct json *json, const struct dcache_entry *entry)
{
    json_name(json, "tag");
    json_value(json, &entry->tag);
    json_name(json, "store_time");
    json_double(json, entry->store_time);
    json_name(json, "expire_time");
    json_expire(json, entry->expire_time);
    json_name(json, "access_time");
    json_double(json, entry->access_time);
    json_name(json, "access_count");
    json_int(json, entry->access_count);
}

void json_number_line(const char *name, int64_t number)
{
    struct json json = {.out = stdout};

    json_open(&json, '{');
    json_name(&json, name);
    json_int(&json, number);
    json_close(&json, '}');
    json_end(&json);
}

void print_number(const struct cli *cli, const char *name, int64_t number)
{
    if (cli->json)
        json_number_line(name, number);
    else
        printf("%lld\n", (long long)number);
}

void json_truth_line(const char *name, int truth)
{
    struct json json = {.out = stdout};

    json_open(&json, '{');
    json_name(&json, name);
    json_bool(&json, truth);
    json_close(&json, '}');
    json_end(&json);
}
