/* pickle.h - flat tuples of plain values, in the form in which 5.6.3's recipes keep them.
 *
 * A pickle is a program, and this reads it as data: of its opcodes those that build None, int (of 64
 * bits), float, str, bytes (from protocol 3 on) and one tuple of these. Anything else is refused, so
 * nothing that comes from a cache is ever executed. Protocols 0 to 5 are read; what is written, all of
 * them can read that know bytes. */
#ifndef PICKLE_H
#define PICKLE_H

#include "os.h"

struct pickle_tuple {
    struct dcache_value *items; /* text and bytes lie in the pickle, or in `text` */
    size_t count;
    char *text; /* strings of protocol 0, without their escapes */
};

/* Read a value of the type PICKLE; it has to live as long as the tuple. Fails: TYPE (it is something
 * else). To be cleared in any case. */
int pickle_read(const struct dcache_value *pickle, struct pickle_tuple *ret_tuple);
void pickle_clear(struct pickle_tuple *tuple);

/* Write one; release it with dcache_value_clear(). Fails: TYPE (an item is a stream or a pickle),
 * TOO_BIG (one of 4 GiB). */
int pickle_write(const struct dcache_value *items, size_t count, struct dcache_value *ret_pickle);

#endif
