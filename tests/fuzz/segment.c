/* The segment: the input is written over it, but for its first three words, while the cache is in use: over and
 * over again, or (PATCHES) word by word into its parts, once or (LIVE) all the time. */
#include "fuzz.h"
#include "ring.h"

#include <pthread.h>
#include <sys/mman.h>

#define HEAD 12 /* magic, version, size: who has another does not use it */
#define PATCH 11

enum { FRONT_ONLY = 1, MEMTABLE = 2, PATCHES = 4, LIVE = 8 }; /* in the first byte */

/* What is written over: the front, the ring and the index of the smallest memtable; by patches also the
 * memtable's own words. */
static const struct {
    size_t at, size;
} parts[] = {
    {HEAD, sizeof(struct shared_segment) - HEAD},
    {SHARED_RING_OFFSET, RING_SMALLEST},
    {SHARED_RING_OFFSET + RING_SMALLEST + SHARED_INDEX_BEHIND,
     RING_SMALLEST / RING_BYTES_PER_SLOT * sizeof(uint64_t)},
    {offsetof(struct shared_segment, memtable), sizeof(struct shared_memtable)},
};

static void fill(uint8_t *segment, const uint8_t *data, size_t size)
{
    for (int part = 0; part < (data[0] & FRONT_ONLY ? 1 : 3); part++)
        for (size_t at = 0; at < parts[part].size; at += size) {
            size_t left = parts[part].size - at;

            memcpy(segment + parts[part].at + at, data, left < size ? left : size);
        }
}

/* Each: a part, which word of it, what it becomes. */
static void patch(uint8_t *segment, const uint8_t *data, size_t size)
{
    for (; size >= PATCH; data += PATCH, size -= PATCH) {
        size_t part = data[0] & 3, at = 8 * (data[1] | (size_t)data[2] << 8);
        size_t begin = (parts[part].at + 7) / 8 * 8;

        memcpy(segment + begin + at % (parts[part].size / 8 * 8 - 8), data + 3, 8);
    }
}

/* Who writes on while it is read, so that what was looked at is not what is then used. */
struct writer {
    uint8_t *segment;
    const uint8_t *data;
    size_t size;
    _Atomic bool stopping;
};

static void *write_on(void *arg)
{
    struct writer *writer = arg;
    uint8_t *kept = malloc(SHARED_END(RING_SMALLEST));

    if (!kept)
        abort();
    memcpy(kept, writer->segment, SHARED_END(RING_SMALLEST));
    for (int turn = 0; !writer->stopping; turn++) {
        const struct shared_memtable *was = &((struct shared_segment *)kept)->memtable;

        patch(writer->segment, writer->data + 1, writer->size - 1);
        if (turn % 4 == 0) /* sound again, for a moment */
            memcpy(&((struct shared_segment *)writer->segment)->memtable, was,
                   offsetof(struct shared_memtable, append));
    }
    free(kept);
    return NULL;
}

static void use(dcache *c, uint8_t *segment, const uint8_t *data, size_t size)
{
    struct writer writer = {.segment = segment, .data = data, .size = size};
    uint8_t *saved = malloc(SHARED_END(RING_SMALLEST));
    bool live = (data[0] & (PATCHES | LIVE)) == (PATCHES | LIVE);
    pthread_t thread;

    if (!saved)
        abort();
    for (int part = 0; part < 3; part++)
        memcpy(saved + parts[part].at, segment + parts[part].at, parts[part].size);
    if (data[0] & PATCHES)
        patch(segment, data + 1, size - 1);
    else
        fill(segment, data, size);
    live = live && pthread_create(&thread, NULL, write_on, &writer) == 0;
    fuzz_use(c);
    writer.stopping = true;
    if (live)
        (void)pthread_join(thread, NULL);
    for (int part = 0; part < 3; part++)
        memcpy(segment + parts[part].at, saved + parts[part].at, parts[part].size);
    free(saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting memtable = {"memtable_size", dcache_int(0)};
    struct dcache_value key = dcache_text("key"), value = dcache_text("a value");
    char path[128];
    uint8_t *segment;
    dcache *c;
    int fd;

    if (size == 0)
        return 0;
    memtable.value.integer = data[0] & MEMTABLE ? (int64_t)RING_SMALLEST : 0;
    options.timeout = -1;
    options.settings = &memtable;
    options.settings_count = 1;
    if (dcache_open(fuzz_directory(), &options, &c) < 0)
        return 0; /* the last input is in what it has left */
    for (int i = 0; i < 4; i++) {
        (void)dcache_set(c, &key, &value, NULL);
        key = dcache_text(i % 2 ? "key" : "number");
        value = dcache_int(i);
    }
    (void)snprintf(path, sizeof path, "%s/cache.db-shared", fuzz_directory());
    fd = open(path, O_RDWR | O_CLOEXEC);
    segment = fd < 0 ? MAP_FAILED /* the last input is still in the way */
                     : mmap(NULL, SHARED_LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (segment != MAP_FAILED) {
        use(c, segment, data, size);
        (void)munmap(segment, SHARED_LENGTH);
    }
    if (fd >= 0)
        (void)close(fd);
    dcache_close(c);
    return 0;
}
