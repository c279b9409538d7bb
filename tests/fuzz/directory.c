/* The directory as a whole: the input is cache.db, as whoever may write there could have made it. It is
 * opened as it is, for reading only, and to be mended. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const others[] = {"cache.db-wal", "cache.db-journal", "cache.db-shm",
                                         "cache.db-damaged-1"};
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    char path[128];

    options.timeout = -1;
    for (int way = 0; way < 3; way++) {
        dcache *c = NULL;

        for (int i = 0; i < 4; i++) {
            (void)snprintf(path, sizeof path, "%s/%s", fuzz_directory(), others[i]);
            (void)unlink(path);
        }
        (void)snprintf(path, sizeof path, "%s/cache.db", fuzz_directory());
        fuzz_write(path, data, size);
        options.flags = way == 1 ? DCACHE_READ_ONLY : 0;
        options.on_corruption = way == 2 ? DCACHE_REBUILD : DCACHE_RAISE;
        if (dcache_open(fuzz_directory(), &options, &c) == 0)
            fuzz_use(c);
        dcache_close(c);
    }
    return 0;
}
