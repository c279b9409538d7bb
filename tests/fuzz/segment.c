/* The segment: the input is written over it, but for its first three words, while the cache is in use. */
#include "fuzz.h"

#include <sys/mman.h>

#define HEAD 12 /* magic, version, size: who has another does not use it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    char path[128];
    struct dcache_stats stats;
    struct stat st;
    uint8_t *segment, *saved;
    dcache *c;
    int fd;

    options.timeout = -1;
    if (dcache_open(fuzz_directory(), &options, &c) < 0)
        return 0;                         /* the last input is in what it has left */
    if (dcache_stats(c, 0, &stats) < 0) { /* the first use makes the segment */
        dcache_close(c);
        return 0;
    }
    (void)snprintf(path, sizeof path, "%s/cache.db-shared", fuzz_directory());
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        abort();
    segment = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    saved = malloc((size_t)st.st_size);
    if (segment == MAP_FAILED || !saved || size == 0)
        goto done;
    memcpy(saved, segment, (size_t)st.st_size);
    for (size_t at = HEAD; at < (size_t)st.st_size; at += size) {
        size_t left = (size_t)st.st_size - at;

        memcpy(segment + at, data, left < size ? left : size);
        if (data[0] & 1)
            break; /* the fields at the front only */
    }
    fuzz_use(c);
    memcpy(segment, saved, (size_t)st.st_size);
done:
    if (segment != MAP_FAILED)
        (void)munmap(segment, (size_t)st.st_size);
    free(saved);
    (void)close(fd);
    dcache_close(c);
    return 0;
}
