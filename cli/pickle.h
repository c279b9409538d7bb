/* pickle.h - a pickle as a tree of plain data: pickle.c makes it, pickle_show.c shows it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLI_PICKLE_H
#define CLI_PICKLE_H

#include "cli.h"

enum pickle_form {
    PICKLE_NONE,
    PICKLE_TRUTH,
    PICKLE_INTEGER,
    PICKLE_LONG, /* two's complement of any length, the least byte first */
    PICKLE_REAL,
    PICKLE_TEXT,
    PICKLE_ESCAPED, /* Latin-1, and \uXXXX and \UXXXXXXXX for what is not */
    PICKLE_BYTES,
    PICKLE_LIST,
    PICKLE_TUPLE,
    PICKLE_SET,
    PICKLE_FROZENSET,
    PICKLE_DICT /* the items are keys and values in turn */
};

struct pickle_node {
    enum pickle_form form;
    int64_t integer; /* also of truth */
    double real;
    const unsigned char *at; /* data, in the pickle */
    size_t size;
    uint32_t *items; /* numbers of nodes */
    uint32_t count, room;
};

struct pickle {
    const unsigned char *at, *end;
    struct pickle_node *nodes;
    uint32_t *stack, *memo; /* of the memo: the node's number + 1, or 0 */
    uint32_t count, room, height, stack_room, memo_room, memo_count;
    uint32_t result;
    char imports[200]; /* "module.name" that would be imported first, or "" */
};

/* The data have to live as long as what is made of them. NULL: it is no pickle of plain data, it would
 * be too deep or too large to be shown, or there is no memory. */
struct pickle *pickle_parse(const void *data, size_t size);
void pickle_free(struct pickle *pickle);

#endif
