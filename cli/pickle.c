/* pickle.c - a pickle as the data that it is made of, without running it.
 *
 * Of its opcodes those are known that build plain data: None, truth, numbers, text, bytes, lists, tuples,
 * dicts, sets. Where one comes that imports or calls, the reader stops, and says what would be imported.
 * What is built here is nodes, which name one another by their number; so the memo can have lists in
 * themselves and doublings of doublings: printing is limited in depth and number, and looked at first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pickle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_NODES 200000
#define MOST_SHOWN 200000 /* nodes, and KiB of their data */
#define DEEPEST 100
#define MARK UINT32_MAX /* on the stack */

/* The opcodes are those of Python's pickletools. */
enum opcode {
    OP_MARK = '(',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_DUP = '2',
    OP_FLOAT = 'F',
    OP_INT = 'I',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_LONG = 'L',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_UNICODE = 'V',
    OP_BINUNICODE = 'X',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINFLOAT = 'G',
    OP_APPEND = 'a',
    OP_GLOBAL = 'c',
    OP_DICT = 'd',
    OP_APPENDS = 'e',
    OP_GET = 'g',
    OP_BINGET = 'h',
    OP_INST = 'i',
    OP_LONG_BINGET = 'j',
    OP_LIST = 'l',
    OP_PUT = 'p',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_LIST = ']',
    OP_EMPTY_DICT = '}',
    OP_EMPTY_TUPLE = ')',
    OP_STOP = '.',
    OP_PROTO = 0x80,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_LONG4 = 0x8b,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINBYTES8 = 0x8e,
    OP_EMPTY_SET = 0x8f,
    OP_ADDITEMS = 0x90,
    OP_FROZENSET = 0x91,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
    OP_BYTEARRAY8 = 0x96
};

/* ---- bytes ---- */

static const unsigned char *take(struct pickle *p, uint64_t size)
{
    const unsigned char *at = p->at;

    if (size > (uint64_t)(p->end - p->at))
        return NULL;
    p->at += size;
    return at;
}

static int take_number(struct pickle *p, size_t width, uint64_t *ret)
{
    const unsigned char *data = take(p, width);

    *ret = 0;
    for (size_t i = width; data && i > 0; i--)
        *ret = *ret << 8 | data[i - 1];
    return data ? 0 : -1;
}

/* Up to the end of the line, which is not counted. */
static const unsigned char *take_line(struct pickle *p, size_t *ret_size)
{
    const unsigned char *at = p->at, *end = memchr(p->at, '\n', (size_t)(p->end - p->at));

    if (!end)
        return NULL;
    *ret_size = (size_t)(end - at);
    p->at = end + 1;
    return at;
}

static int line_as_text(struct pickle *p, char *text, size_t room)
{
    size_t size;
    const unsigned char *line = take_line(p, &size);

    if (!line || size >= room)
        return -1;
    memcpy(text, line, size);
    text[size] = 0;
    return 0;
}

/* ---- nodes ---- */

/* Room for one more in an array that doubles; -1 beyond the limit too. */
static int grow(void **array, uint32_t count, uint32_t *room, size_t size)
{
    uint32_t wanted = *room ? 2 * *room : 8;
    void *grown;

    if (count < *room)
        return 0;
    if (count >= MOST_NODES)
        return -1;
    grown = realloc(*array, wanted * size);
    if (!grown)
        return -1;
    *array = grown;
    *room = wanted;
    return 0;
}

static int push(struct pickle *p, uint32_t what)
{
    void *stack = p->stack;
    int rc = grow(&stack, p->height, &p->stack_room, sizeof *p->stack);

    p->stack = stack;
    if (rc == 0)
        p->stack[p->height++] = what;
    return rc;
}

/* A new node on the stack; NULL: too many. */
static struct pickle_node *make(struct pickle *p, enum pickle_form form)
{
    void *nodes = p->nodes;
    int rc = grow(&nodes, p->count, &p->room, sizeof *p->nodes);
    struct pickle_node *node;

    p->nodes = nodes;
    if (rc < 0 || push(p, p->count) < 0)
        return NULL;
    node = &p->nodes[p->count++];
    memset(node, 0, sizeof *node);
    node->form = form;
    return node;
}

static int add_item(struct pickle_node *node, uint32_t item)
{
    void *items = node->items;
    int rc = grow(&items, node->count, &node->room, sizeof *node->items);

    node->items = items;
    if (rc == 0)
        node->items[node->count++] = item;
    return rc;
}

/* Where the things above the last mark begin; -1: there is none. */
static int64_t above_mark(const struct pickle *p)
{
    for (uint32_t i = p->height; i > 0; i--)
        if (p->stack[i - 1] == MARK)
            return i;
    return -1;
}

/* The node at the top of what is `height` high. */
static struct pickle_node *top(const struct pickle *p, int64_t height)
{
    return height > 0 && p->stack[height - 1] != MARK ? &p->nodes[p->stack[height - 1]] : NULL;
}

/* What is on the stack from `from` on goes into a node that is not among it. */
static int gather(struct pickle *p, struct pickle_node *node, int64_t from)
{
    for (uint32_t i = (uint32_t)from; i < p->height; i++)
        if (p->stack[i] == MARK || add_item(node, p->stack[i]) < 0)
            return -1;
    if (node->form == PICKLE_DICT && node->count % 2 != 0)
        return -1;
    return 0;
}

/* A container out of what is above the last mark, which goes too. */
static int build(struct pickle *p, enum pickle_form form, int64_t from, int marked)
{
    struct pickle_node *node;
    uint32_t made;

    if (from < 0 || from > p->height)
        return -1;
    if (!make(p, form))
        return -1;
    made = p->stack[--p->height];
    node = &p->nodes[made];
    if (gather(p, node, from) < 0)
        return -1;
    p->height = (uint32_t)from - (marked ? 1 : 0);
    return push(p, made);
}

/* Things on the stack from `from` on go into the container below `below`. */
static int extend(struct pickle *p, enum pickle_form form, int64_t from, int64_t below)
{
    struct pickle_node *node = from < 0 || from > p->height ? NULL : top(p, below);

    if (!node || node->form != form || gather(p, node, from) < 0)
        return -1;
    p->height = (uint32_t)below;
    return 0;
}

/* ---- opcodes ---- */

static int read_integer(struct pickle *p, size_t width)
{
    struct pickle_node *node = make(p, PICKLE_INTEGER);
    uint64_t number;

    if (!node || take_number(p, width, &number) < 0)
        return -1;
    node->integer = width == 4 ? (int32_t)(uint32_t)number : (int64_t)number;
    return 0;
}

static int read_long(struct pickle *p, size_t width)
{
    struct pickle_node *node = make(p, PICKLE_LONG);
    uint64_t size;

    if (!node || take_number(p, width, &size) < 0)
        return -1;
    node->at = take(p, size);
    node->size = (size_t)size;
    return node->at ? 0 : -1;
}

/* Of protocol 0; also "00" and "01", which are False and True. */
static int read_decimal(struct pickle *p, char suffix)
{
    struct pickle_node *node = make(p, PICKLE_INTEGER);
    char text[40], *end;

    if (!node || line_as_text(p, text, sizeof text) < 0)
        return -1;
    errno = 0;
    node->integer = strtoll(text, &end, 10);
    if (strcmp(text, "00") == 0 || strcmp(text, "01") == 0)
        node->form = PICKLE_TRUTH;
    if (suffix && *end == suffix)
        end++;
    return errno || end == text || *end ? -1 : 0;
}

static int read_real(struct pickle *p, int is_text)
{
    struct pickle_node *node = make(p, PICKLE_REAL);
    const unsigned char *data;
    uint64_t bits = 0;
    char text[64];

    if (!node)
        return -1;
    if (is_text)
        return line_as_text(p, text, sizeof text) < 0 || parse_double(text, &node->real) < 0 ? -1
                                                                                             : 0;
    data = take(p, 8);
    for (int i = 0; data && i < 8; i++)
        bits = bits << 8 | data[i];
    memcpy(&node->real, &bits, sizeof bits);
    return data ? 0 : -1;
}

static int read_data(struct pickle *p, enum pickle_form form, size_t width)
{
    struct pickle_node *node = make(p, form);
    uint64_t size;

    if (!node || take_number(p, width, &size) < 0)
        return -1;
    node->at = take(p, size);
    node->size = (size_t)size;
    return node->at ? 0 : -1;
}

static int read_escaped(struct pickle *p)
{
    struct pickle_node *node = make(p, PICKLE_ESCAPED);

    if (!node)
        return -1;
    node->at = take_line(p, &node->size);
    return node->at ? 0 : -1;
}

static int put_memo(struct pickle *p, uint64_t name)
{
    if (!top(p, p->height) || name >= MOST_NODES)
        return -1;
    if (name >= p->memo_room) {
        uint32_t room = 2 * (uint32_t)name + 64;
        uint32_t *memo = realloc(p->memo, room * sizeof *memo);

        if (!memo)
            return -1;
        memset(memo + p->memo_room, 0, (room - p->memo_room) * sizeof *memo);
        p->memo = memo;
        p->memo_room = room;
    }
    p->memo[name] = p->stack[p->height - 1] + 1;
    p->memo_count++;
    return 0;
}

static int get_memo(struct pickle *p, uint64_t name)
{
    return name < p->memo_room && p->memo[name] ? push(p, p->memo[name] - 1) : -1;
}

static int read_memo(struct pickle *p, int opcode)
{
    int is_get = opcode == OP_GET || opcode == OP_BINGET || opcode == OP_LONG_BINGET;
    int64_t decimal;
    uint64_t name;
    char text[24];

    if (opcode == OP_MEMOIZE) {
        name = p->memo_count;
    } else if (opcode == OP_PUT || opcode == OP_GET) {
        if (line_as_text(p, text, sizeof text) < 0 || parse_int(text, &decimal) < 0 || decimal < 0)
            return -1;
        name = (uint64_t)decimal;
    } else if (take_number(p, opcode == OP_BINPUT || opcode == OP_BINGET ? 1 : 4, &name) < 0) {
        return -1;
    }
    return is_get ? get_memo(p, name) : put_memo(p, name);
}

/* Remember what would be imported; the reader ends there. */
static int stop_at_import(struct pickle *p, int opcode)
{
    char *to = p->imports;
    size_t left = sizeof p->imports - 1, size = 0;
    const struct pickle_node *node;

    for (int part = 0; part < 2; part++) {
        const unsigned char *text = NULL;

        if (opcode != OP_STACK_GLOBAL) {
            text = take_line(p, &size);
        } else if ((node = top(p, (int64_t)p->height - 1 + part)) && node->form == PICKLE_TEXT) {
            text = node->at;
            size = node->size;
        }
        if (!text || size + 1 > left || memchr(text, 0, size))
            break;
        if (part == 1)
            *to++ = '.';
        memcpy(to, text, size);
        to += size;
        left -= size + 1;
    }
    if (to == p->imports)
        *to = '?';
    return -1;
}

static int read_marked(struct pickle *p, int opcode)
{
    int64_t marked = above_mark(p);

    switch (opcode) {
    case OP_LIST:
        return build(p, PICKLE_LIST, marked, 1);
    case OP_TUPLE:
        return build(p, PICKLE_TUPLE, marked, 1);
    case OP_DICT:
        return build(p, PICKLE_DICT, marked, 1);
    case OP_FROZENSET:
        return build(p, PICKLE_FROZENSET, marked, 1);
    case OP_APPENDS:
        return extend(p, PICKLE_LIST, marked, marked - 1);
    case OP_SETITEMS:
        return extend(p, PICKLE_DICT, marked, marked - 1);
    case OP_ADDITEMS:
        return extend(p, PICKLE_SET, marked, marked - 1);
    default: /* OP_POP_MARK */
        p->height = marked < 0 ? 0 : (uint32_t)marked - 1;
        return marked < 0 ? -1 : 0;
    }
}

static int read_container(struct pickle *p, int opcode)
{
    switch (opcode) {
    case OP_EMPTY_LIST:
        return make(p, PICKLE_LIST) ? 0 : -1;
    case OP_EMPTY_TUPLE:
        return make(p, PICKLE_TUPLE) ? 0 : -1;
    case OP_EMPTY_DICT:
        return make(p, PICKLE_DICT) ? 0 : -1;
    case OP_EMPTY_SET:
        return make(p, PICKLE_SET) ? 0 : -1;
    case OP_APPEND:
        return extend(p, PICKLE_LIST, (int64_t)p->height - 1, (int64_t)p->height - 1);
    case OP_SETITEM:
        return extend(p, PICKLE_DICT, (int64_t)p->height - 2, (int64_t)p->height - 2);
    default: /* OP_TUPLE1 to OP_TUPLE3 */
        return build(p, PICKLE_TUPLE, (int64_t)p->height - (opcode - OP_TUPLE1 + 1), 0);
    }
}

static int read_stack(struct pickle *p, int opcode)
{
    if (opcode == OP_MARK)
        return push(p, MARK);
    if (opcode == OP_DUP)
        return top(p, p->height) ? push(p, p->stack[p->height - 1]) : -1;
    if (p->height == 0)
        return -1;
    p->height--;
    return 0;
}

static int read_scalar(struct pickle *p, int opcode)
{
    struct pickle_node *node;

    switch (opcode) {
    case OP_NONE:
        return make(p, PICKLE_NONE) ? 0 : -1;
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        node = make(p, PICKLE_TRUTH);
        if (node)
            node->integer = opcode == OP_NEWTRUE;
        return node ? 0 : -1;
    case OP_BININT:
        return read_integer(p, 4);
    case OP_BININT1:
        return read_integer(p, 1);
    case OP_BININT2:
        return read_integer(p, 2);
    case OP_INT:
    case OP_LONG:
        return read_decimal(p, opcode == OP_LONG ? 'L' : 0);
    case OP_LONG1:
        return read_long(p, 1);
    case OP_LONG4:
        return read_long(p, 4);
    default:
        return read_real(p, opcode == OP_FLOAT);
    }
}

static int read_text_or_bytes(struct pickle *p, int opcode)
{
    switch (opcode) {
    case OP_UNICODE:
        return read_escaped(p);
    case OP_BINUNICODE:
        return read_data(p, PICKLE_TEXT, 4);
    case OP_BINUNICODE8:
        return read_data(p, PICKLE_TEXT, 8);
    case OP_SHORT_BINUNICODE:
        return read_data(p, PICKLE_TEXT, 1);
    case OP_BINBYTES:
    case OP_BINSTRING:
        return read_data(p, PICKLE_BYTES, 4);
    case OP_BINBYTES8:
    case OP_BYTEARRAY8:
        return read_data(p, PICKLE_BYTES, 8);
    default:
        return read_data(p, PICKLE_BYTES, 1);
    }
}

static int skip(struct pickle *p, int opcode)
{
    return take(p, opcode == OP_PROTO ? 1 : 8) ? 0 : -1;
}

/* What calls comes after an import; nothing of it is known. */
static int (*const readers[256])(struct pickle *, int) = {
    [OP_PROTO] = skip,
    [OP_FRAME] = skip,
    [OP_MARK] = read_stack,
    [OP_DUP] = read_stack,
    [OP_POP] = read_stack,
    [OP_NONE] = read_scalar,
    [OP_NEWTRUE] = read_scalar,
    [OP_NEWFALSE] = read_scalar,
    [OP_BININT] = read_scalar,
    [OP_BININT1] = read_scalar,
    [OP_BININT2] = read_scalar,
    [OP_INT] = read_scalar,
    [OP_LONG] = read_scalar,
    [OP_LONG1] = read_scalar,
    [OP_LONG4] = read_scalar,
    [OP_FLOAT] = read_scalar,
    [OP_BINFLOAT] = read_scalar,
    [OP_UNICODE] = read_text_or_bytes,
    [OP_BINUNICODE] = read_text_or_bytes,
    [OP_BINUNICODE8] = read_text_or_bytes,
    [OP_SHORT_BINUNICODE] = read_text_or_bytes,
    [OP_BINBYTES] = read_text_or_bytes,
    [OP_BINSTRING] = read_text_or_bytes,
    [OP_SHORT_BINBYTES] = read_text_or_bytes,
    [OP_SHORT_BINSTRING] = read_text_or_bytes,
    [OP_BINBYTES8] = read_text_or_bytes,
    [OP_BYTEARRAY8] = read_text_or_bytes,
    [OP_PUT] = read_memo,
    [OP_BINPUT] = read_memo,
    [OP_LONG_BINPUT] = read_memo,
    [OP_MEMOIZE] = read_memo,
    [OP_GET] = read_memo,
    [OP_BINGET] = read_memo,
    [OP_LONG_BINGET] = read_memo,
    [OP_LIST] = read_marked,
    [OP_TUPLE] = read_marked,
    [OP_DICT] = read_marked,
    [OP_FROZENSET] = read_marked,
    [OP_APPENDS] = read_marked,
    [OP_SETITEMS] = read_marked,
    [OP_ADDITEMS] = read_marked,
    [OP_POP_MARK] = read_marked,
    [OP_EMPTY_LIST] = read_container,
    [OP_EMPTY_TUPLE] = read_container,
    [OP_EMPTY_DICT] = read_container,
    [OP_EMPTY_SET] = read_container,
    [OP_APPEND] = read_container,
    [OP_SETITEM] = read_container,
    [OP_TUPLE1] = read_container,
    [OP_TUPLE2] = read_container,
    [OP_TUPLE3] = read_container,
    [OP_GLOBAL] = stop_at_import,
    [OP_STACK_GLOBAL] = stop_at_import,
    [OP_INST] = stop_at_import,
};

/* What would be printed; more than there may be if it is too deep. */
static uint64_t shown(const struct pickle *p, uint32_t which, int depth, uint64_t so_far)
{
    const struct pickle_node *node = &p->nodes[which];

    so_far += 1 + (node->size >> 10);
    if (depth > DEEPEST)
        return MOST_SHOWN + 1;
    for (uint32_t i = 0; i < node->count && so_far <= MOST_SHOWN; i++)
        so_far = shown(p, node->items[i], depth + 1, so_far);
    return so_far;
}

struct pickle *pickle_parse(const void *data, size_t size)
{
    struct pickle *p = calloc(1, sizeof *p);
    int rc = 0;

    if (!p)
        return NULL;
    p->at = data;
    p->end = p->at + size;
    while (rc == 0 && p->at < p->end && *p->at != OP_STOP) {
        int opcode = *p->at++;

        rc = readers[opcode] ? readers[opcode](p, opcode) : -1;
    }
    if (p->imports[0])
        return p;
    if (rc == 0 && p->at + 1 == p->end && p->height == 1 && p->stack[0] != MARK) {
        p->result = p->stack[0];
        if (shown(p, p->result, 0, 0) <= MOST_SHOWN)
            return p;
    }
    pickle_free(p);
    return NULL;
}

void pickle_free(struct pickle *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->count; i++)
        free(p->nodes[i].items);
    free(p->nodes);
    free(p->stack);
    free(p->memo);
    free(p);
}
