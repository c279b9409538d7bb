/* pickle_show.c - the data of a pickle as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

static void show(struct json *json, const struct pickle *p, uint32_t which);

static int hex(const unsigned char *at, size_t digits, uint32_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < digits; i++) {
        unsigned char c = at[i], lower = c | 32;

        if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'f'))
            return -1;
        *ret = *ret << 4 | (uint32_t)(c <= '9' ? c - '0' : lower - 'a' + 10);
    }
    return 0;
}

static void add_character(struct json *json, uint32_t c)
{
    unsigned char utf8[4];
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = size; i > 1; i--, c >>= 6)
        utf8[i - 1] = (unsigned char)(0x80 | (c & 0x3f));
    utf8[0] = (unsigned char)(size == 1 ? c : (0xf00U >> size & 0xff) | c);
    json_string_add(json, utf8, size);
}

static void show_escaped(struct json *json, const struct pickle_node *node)
{
    json_string_begin(json);
    for (size_t i = 0; i < node->size;) {
        size_t left = node->size - i - 1, digits = 0;
        uint32_t c = node->at[i];

        if (c == '\\' && left > 0)
            digits = node->at[i + 1] == 'u' ? 4 : node->at[i + 1] == 'U' ? 8 : 0;
        if (digits == 0 || left < 1 + digits || hex(node->at + i + 2, digits, &c) < 0 ||
            c > 0x10ffff) {
            c = node->at[i];
            digits = 0;
        }
        add_character(json, c);
        i += digits ? 2 + digits : 1;
    }
    json_string_end(json);
}

/* Of more than 64 bits: in hex. */
static void show_large(struct json *json, const struct pickle_node *node)
{
    int negative = node->at[node->size - 1] & 0x80, begun = 0;
    size_t zeros = 0;
    char text[3];

    while (zeros < node->size && node->at[zeros] == 0)
        zeros++; /* which stay, where the number is negated */
    json_open(json, '{');
    json_name(json, "integer");
    json_string_begin(json);
    json_string_add(json, negative ? "-0x" : "0x", negative ? 3 : 2);
    for (size_t i = node->size; i > 0; i--) {
        unsigned byte = node->at[i - 1];

        if (negative && i - 1 >= zeros)
            byte = (i - 1 == zeros ? ~byte + 1 : ~byte) & 0xff;
        if (!begun && byte == 0 && i > 1)
            continue;
        (void)snprintf(text, sizeof text, begun ? "%02x" : "%x", byte);
        json_string_add(json, text, strlen(text));
        begun = 1;
    }
    json_string_end(json);
    json_close(json, '}');
}

static void show_long(struct json *json, const struct pickle_node *node)
{
    uint64_t bits = node->size > 0 && node->at[node->size - 1] & 0x80 ? UINT64_MAX : 0;

    if (node->size > 8) {
        show_large(json, node);
        return;
    }
    for (size_t i = node->size; i > 0; i--)
        bits = bits << 8 | node->at[i - 1];
    json_int(json, (int64_t)bits);
}

static void show_items(struct json *json, const struct pickle *p, const struct pickle_node *node,
                       const char *name)
{
    if (name) {
        json_open(json, '{');
        json_name(json, name);
    }
    json_open(json, '[');
    for (uint32_t i = 0; i < node->count; i++)
        show(json, p, node->items[i]);
    json_close(json, ']');
    if (name)
        json_close(json, '}');
}

/* JSON's own objects have texts as keys only. */
static void show_dict(struct json *json, const struct pickle *p, const struct pickle_node *node)
{
    int plain = 1;

    for (uint32_t i = 0; i < node->count; i += 2)
        plain &= p->nodes[node->items[i]].form == PICKLE_TEXT ||
                 p->nodes[node->items[i]].form == PICKLE_ESCAPED;
    json_open(json, '{');
    if (!plain) {
        json_name(json, "map");
        json_open(json, '[');
    }
    for (uint32_t i = 0; i < node->count; i += 2) {
        if (!plain)
            json_open(json, '[');
        show(json, p, node->items[i]);
        if (plain)
            json_colon(json);
        show(json, p, node->items[i + 1]);
        if (!plain)
            json_close(json, ']');
    }
    if (!plain)
        json_close(json, ']');
    json_close(json, '}');
}

static void show(struct json *json, const struct pickle *p, uint32_t which)
{
    const struct pickle_node *node = &p->nodes[which];
    struct dcache_value data = dcache_bytes(node->at, node->size);

    switch (node->form) {
    case PICKLE_NONE:
        json_null(json);
        break;
    case PICKLE_TRUTH:
        json_bool(json, node->integer != 0);
        break;
    case PICKLE_INTEGER:
        json_int(json, node->integer);
        break;
    case PICKLE_LONG:
        show_long(json, node);
        break;
    case PICKLE_REAL:
        json_double(json, node->real);
        break;
    case PICKLE_TEXT:
        data.type = DCACHE_TEXT;
        json_value(json, &data);
        break;
    case PICKLE_ESCAPED:
        show_escaped(json, node);
        break;
    case PICKLE_BYTES:
        json_value(json, &data);
        break;
    case PICKLE_LIST:
        show_items(json, p, node, NULL);
        break;
    case PICKLE_TUPLE:
        show_items(json, p, node, "tuple");
        break;
    case PICKLE_SET:
        show_items(json, p, node, "set");
        break;
    case PICKLE_FROZENSET:
        show_items(json, p, node, "frozenset");
        break;
    case PICKLE_DICT:
        show_dict(json, p, node);
    }
}

void json_pickle(struct json *json, const void *data, size_t size)
{
    struct pickle *p = pickle_parse(data, size);

    if (p && p->imports[0]) {
        json_name(json, "imports");
        json_string(json, p->imports);
    } else if (p) {
        json_name(json, "pickle");
        show(json, p, p->result);
    }
    pickle_free(p);
}

int print_pickle(FILE *out, const void *data, size_t size)
{
    struct pickle *p = pickle_parse(data, size);
    struct dcache_value name = dcache_none();
    struct json json = {.out = out};
    int plain = p && !p->imports[0];

    if (plain) {
        show(&json, p, p->result);
    } else {
        fputs("<pickle", out);
        if (p) {
            name = dcache_text(p->imports);
            fputs(": ", out);
            print_plain(out, &name);
            fputs(" ...", out);
        }
        putc('>', out);
    }
    pickle_free(p);
    return plain;
}
