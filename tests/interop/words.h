/* words.h - values as words of a line: the driver's language.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A value is a letter and its contents: n (none), i decimal, d sixteen hexadecimal digits of the
 * IEEE bits, t b p hexadecimal digits of text, bytes or a pickle; as input also f (bytes handed
 * over as a descriptor) and r (bytes through a read callback). */
#ifndef INTEROP_WORDS_H
#define INTEROP_WORDS_H

#include "../torture/support.h"

#include <inttypes.h>
#include <sys/mman.h>

static inline int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    die("not a hexadecimal digit: %c", c);
}

struct bytes_reader {
    const unsigned char *data;
    size_t left;
};

/* In small and uneven pieces, as a pipe would. */
static inline ssize_t read_bytes(void *arg, void *buffer, size_t size)
{
    struct bytes_reader *r = arg;
    size_t n = r->left < size ? r->left : size;

    if (n > 7001)
        n = 7001;
    memcpy(buffer, r->data, n);
    r->data += n;
    r->left -= n;
    return (ssize_t)n;
}

static inline struct dcache_value fd_of(const void *data, size_t size)
{
    int fd = memfd_create("value", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        die("memfd: %m");
    return dcache_fd(fd);
}

/* What parse_value() makes is released at the end of the request. */
static void *garbage[8192];
static size_t garbage_count;
static int garbage_fd = -1;

static inline void *keep(void *p)
{
    if (garbage_count == sizeof garbage / sizeof *garbage)
        die("too many values in one request");
    garbage[garbage_count++] = p;
    return p;
}

static inline void drop_garbage(void)
{
    while (garbage_count > 0)
        free(garbage[--garbage_count]);
    if (garbage_fd >= 0)
        (void)close(garbage_fd);
    garbage_fd = -1;
}

static inline struct dcache_value parse_blob(char type, const unsigned char *data, size_t size)
{
    struct bytes_reader *reader;
    struct dcache_value v;

    switch (type) {
    case 't':
        return dcache_sized(DCACHE_TEXT, data, size);
    case 'b':
        return dcache_sized(DCACHE_BYTES, data, size);
    case 'p':
        return dcache_sized(DCACHE_PICKLE, data, size);
    case 'f':
        v = fd_of(data, size);
        garbage_fd = v.fd;
        return v;
    case 'r':
        reader = keep(must_alloc(sizeof *reader));
        reader->data = data;
        reader->left = size;
        return dcache_reader(read_bytes, reader);
    default:
        die("unknown kind of value: %c", type);
    }
}

static inline struct dcache_value parse_value(const char *word)
{
    size_t size;
    unsigned char *data;
    uint64_t bits;
    double real;

    if (word == NULL)
        die("a value is missing");
    if (word[0] == 'n')
        return dcache_none();
    if (word[0] == 'i')
        return dcache_int(strtoll(word + 1, NULL, 10));
    if (word[0] == 'd') {
        bits = strtoull(word + 1, NULL, 16);
        memcpy(&real, &bits, sizeof real);
        return dcache_double(real);
    }
    size = strlen(word + 1) / 2;
    data = keep(must_alloc(size));
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)(hex_digit(word[1 + 2 * i]) * 16 + hex_digit(word[2 + 2 * i]));
    return parse_blob(word[0], data, size);
}

static inline void print_blob(char letter, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;

    (void)putchar(letter);
    for (size_t i = 0; i < size; i++) {
        (void)putchar(digits[p[i] >> 4]);
        (void)putchar(digits[p[i] & 15]);
    }
}

static inline void print_fd(int fd)
{
    unsigned char buffer[4096];
    ssize_t n;

    (void)putchar('f');
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < n; i++)
            printf("%02x", buffer[i]);
    if (n < 0)
        printf("READ-FAILED");
}

static inline void print_value(const struct dcache_value *v)
{
    uint64_t bits;

    (void)putchar(' ');
    switch (v->type) {
    case DCACHE_NONE:
        (void)putchar('n');
        break;
    case DCACHE_INT:
        printf("i%" PRId64, v->integer);
        break;
    case DCACHE_DOUBLE:
        memcpy(&bits, &v->real, sizeof bits);
        printf("d%016" PRIx64, bits);
        break;
    case DCACHE_TEXT:
        print_blob('t', v->data, v->size);
        break;
    case DCACHE_BYTES:
        print_blob('b', v->data, v->size);
        break;
    case DCACHE_PICKLE:
        print_blob('p', v->data, v->size);
        break;
    case DCACHE_FD:
        print_fd(v->fd);
        break;
    default:
        printf("?%d", (int)v->type);
    }
}

#endif
