/* spool.c - bytes on their way: collected in memory while few, else in a file without a name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SPOOL_MEMORY = 1 << 18 };

ssize_t read_some(int fd, void *data, size_t size)
{
    ssize_t got;

    do
        got = read(fd, data, size);
    while (got < 0 && errno == EINTR);
    return got;
}

int write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t put = write(fd, at, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        at += put;
        size -= (size_t)put;
    }
    return 0;
}

void spool_init(struct spool *spool)
{
    memset(spool, 0, sizeof *spool);
    spool->fd = -1;
}

/* A file in $TMPDIR that goes away with its descriptor. */
static int nameless_file(void)
{
    const char *directory = getenv("TMPDIR");
    char path[PATH_MAX];
    int fd;

    if (!directory || !*directory)
        directory = "/tmp";
    fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    if (snprintf(path, sizeof path, "%s/diskcache-XXXXXX", directory) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path); /* at worst a name is left in the directory of temporary files */
    return fd;
}

static int spill(struct spool *spool)
{
    spool->fd = nameless_file();
    if (spool->fd < 0 || write_all(spool->fd, spool->buffer, spool->buffered) < 0)
        return -1;
    spool->buffered = 0;
    return 0;
}

int spool_descriptor(struct spool *spool)
{
    if (spool->fd < 0 && spill(spool) < 0)
        return -1;
    return lseek(spool->fd, 0, SEEK_SET) < 0 ? -1 : spool->fd;
}

int spool_add(struct spool *spool, const void *data, size_t size)
{
    if (spool->fd < 0 && spool->buffered + size <= SPOOL_MEMORY) {
        if (!spool->buffer)
            spool->buffer = malloc(SPOOL_MEMORY);
        if (!spool->buffer)
            return -1;
        if (size)
            memcpy(spool->buffer + spool->buffered, data, size);
        spool->buffered += size;
        spool->total += (int64_t)size;
        return 0;
    }
    if (spool->fd < 0 && spill(spool) < 0)
        return -1;
    if (write_all(spool->fd, data, size) < 0)
        return -1;
    spool->total += (int64_t)size;
    return 0;
}

int spool_add_fd(struct spool *spool, int fd)
{
    char buffer[65536];
    ssize_t got;

    while ((got = read_some(fd, buffer, sizeof buffer)) > 0)
        if (spool_add(spool, buffer, (size_t)got) < 0)
            return -1;
    return got < 0 ? -1 : 0;
}

int spool_patch(struct spool *spool, const void *data, size_t size)
{
    if (spool->fd < 0) {
        memcpy(spool->buffer, data, size);
        return 0;
    }
    return pwrite(spool->fd, data, size, 0) == (ssize_t)size ? 0 : -1;
}

ssize_t spool_read(const struct spool *spool, int64_t offset, void *data, size_t size)
{
    size_t left;

    if (spool->fd >= 0)
        return pread(spool->fd, data, size, offset);
    left = spool->buffered - (size_t)offset;
    if (size > left)
        size = left;
    if (size)
        memcpy(data, spool->buffer + offset, size);
    return (ssize_t)size;
}

int spool_value(struct spool *spool, enum dcache_type type, struct dcache_value *ret_value)
{
    if (spool->fd < 0) {
        *ret_value = dcache_sized(type, spool->buffer ? spool->buffer : "", spool->buffered);
        return 0;
    }
    if (type == DCACHE_BYTES) {
        if (spool_descriptor(spool) < 0)
            return -1;
        *ret_value = dcache_fd(spool->fd);
        return 0;
    }
    /* Descriptors are stored as bytes; for large text and pickles the kernel pages for us. */
    spool->map = mmap(NULL, (size_t)spool->total, PROT_READ, MAP_PRIVATE, spool->fd, 0);
    if (spool->map == MAP_FAILED) {
        spool->map = NULL;
        return -1;
    }
    *ret_value = dcache_sized(type, spool->map, (size_t)spool->total);
    return 0;
}

void spool_clear(struct spool *spool)
{
    if (spool->map)
        (void)munmap(spool->map, (size_t)spool->total); /* our own mapping: cannot fail */
    if (spool->fd >= 0)
        (void)close(spool->fd); /* a file without a name: nothing to lose */
    free(spool->buffer);
    spool_init(spool);
}
