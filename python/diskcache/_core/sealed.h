/* sealed.h - keys and values with a keyed checksum, for SignedDisk.
 *
 * Sealed bytes are a magic, what they are (a letter), by which key, a checksum, and the bytes. The
 * checksum, keyed BLAKE2b of hashlib, is also over where they belong: of a value, the key under which it
 * is stored; so that a value of another key is none here. Numbers, texts and None are not sealed.
 *
 * The library gives a queue's item its key, and moves items of a deque to others: a value under such a
 * key (an integer from 10**14 up, or PREFIX- and 15 digits) belongs to the queue instead. */
#ifndef SEALED_H
#define SEALED_H

#include "core.h"

#define SEALED_BYTES 'b'
#define SEALED_PICKLE 'p'

/* Seal(keys): a list of (id of 4 bytes, keyed hash object). The first seals; each opens. */
extern PyType_Spec seal_spec;

/* Where a value belongs, as bytes; NULL: it is a key itself. */
PyObject *sealed_place(const struct dcache_value *key);

/* Whether it is a stream, which signed.py has sealed chunk by chunk. */
bool sealed_is_stream(const char *data, size_t size);

/* Bytes in a seal, and out of it: then `ret_letter` says what they are. */
PyObject *sealed_close(PyObject *seal, PyObject *place, char letter, const char *data, size_t size);
PyObject *sealed_open(PyObject *seal, PyObject *place, const char *data, size_t size,
                      char *ret_letter);

#endif
