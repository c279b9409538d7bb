/* value.c - keys, values, tags and durations from arguments; values and entries to stdout.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const type_names[] = {
    [DCACHE_NONE] = "none", [DCACHE_INT] = "int",     [DCACHE_DOUBLE] = "float",
    [DCACHE_TEXT] = "text", [DCACHE_BYTES] = "bytes", [DCACHE_PICKLE] = "pickle",
};

const char *type_name(enum dcache_type type)
{
    size_t n = (size_t)type;

    return n < sizeof type_names / sizeof *type_names ? type_names[n] : "bytes";
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int parse_hex(struct cli *cli, const char *text, enum dcache_type type,
                     struct dcache_value *ret)
{
    size_t length = strlen(text);
    unsigned char *data = cli_alloc(cli, length / 2 + 1);

    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]); /* or the final NUL */

        if (high < 0 || low < 0)
            return usage(cli, "'%s' is not an even number of hex digits", text);
        data[i / 2] = (unsigned char)(high * 16 + low);
    }
    *ret = dcache_sized(type, data, length / 2);
    return 0;
}

int value_parse(struct cli *cli, const char *type, const char *text, struct dcache_value *ret)
{
    int64_t integer;
    double real;

    if (!type || strcmp(type, "text") == 0) {
        *ret = dcache_text(text);
        return 0;
    }
    if (strcmp(type, "int") == 0) {
        if (parse_int(text, &integer) < 0)
            return usage(cli, "'%s' is no integer of 64 bits", text);
        *ret = dcache_int(integer);
        return 0;
    }
    if (strcmp(type, "float") == 0) {
        if (parse_double(text, &real) < 0)
            return usage(cli, "'%s' is no number", text);
        *ret = dcache_double(real);
        return 0;
    }
    if (strcmp(type, "bytes") == 0)
        return parse_hex(cli, text, DCACHE_BYTES, ret);
    if (strcmp(type, "pickle") == 0)
        return parse_hex(cli, text, DCACHE_PICKLE, ret);
    if (strcmp(type, "none") == 0) {
        if (strcmp(text, "none") != 0)
            return usage(cli, "the one thing of type none is none, not '%s'", text);
        *ret = dcache_none();
        return 0;
    }
    return usage(cli, "'%s' is no type; there are text, int, float, bytes, pickle, none", type);
}

int key_argument(struct cli *cli, const struct args *args, const char *text,
                 struct dcache_value *ret_key)
{
    return value_parse(cli, args_option(args, "type"), text, ret_key);
}

int tag_argument(struct cli *cli, const struct args *args, const char *option,
                 struct dcache_value *ret_tag)
{
    const char *text = args_option(args, option), *type = args_option(args, "tag-type");

    *ret_tag = dcache_none();
    if (!text)
        return 0;
    if (type && strcmp(type, "pickle") == 0)
        return usage(cli, "a tag cannot be a pickle");
    return value_parse(cli, type, text, ret_tag);
}

int side_argument(struct cli *cli, const struct args *args, enum dcache_side otherwise,
                  enum dcache_side *ret_side)
{
    const char *text = args_option(args, "side");

    if (text && strcmp(text, "front") != 0 && strcmp(text, "back") != 0)
        return usage(cli, "'%s' is no side; there are front and back", text);
    *ret_side = otherwise;
    if (text)
        *ret_side = strcmp(text, "front") == 0 ? DCACHE_FRONT : DCACHE_BACK;
    return 0;
}

int expire_argument(struct cli *cli, const struct args *args, double *ret_expire)
{
    const char *text = args_option(args, "expire");

    *ret_expire = 0;
    if (!text)
        return 0;
    if (parse_duration(text, ret_expire) < 0)
        return usage(cli, "'%s' is no duration, such as 90, 1h30m, 500ms, 2d or never", text);
    if (*ret_expire == 0 && strcmp(text, "never") != 0)
        *ret_expire = -1; /* "0" says at once; the library's 0 says never */
    return 0;
}

void format_double(double number, char text[NUMBER_SIZE])
{
    if (isnan(number)) {
        strcpy(text, "nan");
        return;
    }
    if (isinf(number)) {
        strcpy(text, number < 0 ? "-inf" : "inf");
        return;
    }
    if (number == floor(number) && fabs(number) < 1e15) { /* 100000.0, not 1e+05 */
        (void)snprintf(text, NUMBER_SIZE, "%.1f", number);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, NUMBER_SIZE - 3, "%.*g", digits, number); /* at most 24 characters */
        if (strtod(text, NULL) == number)
            break;
    }
    if (!strpbrk(text, ".e")) /* else it would come back as an integer */
        strcat(text, ".0");
}

static void print_hex(FILE *out, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        fprintf(out, "%02x", bytes[i]);
}

static void print_escaped(FILE *out, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];

        if (c == '\\')
            fputs("\\\\", out);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c == '\t')
            fputs("\\t", out);
        else if (c < ' ' || c == 127)
            fprintf(out, "\\x%02x", c);
        else
            putc(c, out);
    }
}

void print_plain(FILE *out, const struct dcache_value *value)
{
    char number[NUMBER_SIZE];

    switch (value->type) {
    case DCACHE_INT:
        fprintf(out, "%lld", (long long)value->integer);
        break;
    case DCACHE_DOUBLE:
        format_double(value->real, number);
        fputs(number, out);
        break;
    case DCACHE_TEXT:
        print_escaped(out, value->data, value->size);
        break;
    case DCACHE_BYTES:
    case DCACHE_PICKLE:
        print_hex(out, value->data, value->size);
        break;
    default:
        fputs("none", out);
    }
}

void print_time(FILE *out, double time)
{
    char text[64];
    time_t seconds = (time_t)0;
    struct tm parts;

    if (time == DCACHE_NEVER) {
        fputs("never", out);
        return;
    }
    if (time > -1e15 && time < 1e15)
        seconds = (time_t)time;
    if (localtime_r(&seconds, &parts) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) > 0)
        fputs(text, out);
    else
        fprintf(out, "%.0f", time);
}

void print_size(FILE *out, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double size = (double)bytes;
    size_t unit = 0;

    while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    fprintf(out, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

int64_t entry_value_size(const struct dcache_entry *entry)
{
    const struct dcache_stored *stored = entry->value.stored;

    if (entry->filename)
        return entry->size;
    if (entry->kind == DCACHE_INT || entry->kind == DCACHE_DOUBLE)
        return 8;
    if (entry->kind == DCACHE_NONE || stored->value.type == DCACHE_NONE)
        return 0;
    return (int64_t)stored->value.size;
}

int entry_settle(struct dcache_entry *entry)
{
    char text[64];
    size_t have = 0;
    int64_t integer = 0;
    double real = 0;

    if (entry->value.type != DCACHE_FD ||
        (entry->kind != DCACHE_INT && entry->kind != DCACHE_DOUBLE && entry->kind != DCACHE_NONE))
        return 0;
    while (have < sizeof text - 1) {
        ssize_t got = read_some(entry->value.fd, text + have, sizeof text - 1 - have);

        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    text[have] = 0;
    if ((entry->kind == DCACHE_INT && parse_int(text, &integer) < 0) ||
        (entry->kind == DCACHE_DOUBLE && parse_double(text, &real) < 0)) {
        errno = EINVAL;
        return -1;
    }
    (void)close(dcache_entry_take_fd(entry)); /* was only read */
    if (entry->kind == DCACHE_INT)
        entry->value = dcache_int(integer);
    else
        entry->value = entry->kind == DCACHE_DOUBLE ? dcache_double(real) : dcache_none();
    return 0;
}
