/* The readers of pickles. The library's: whatever it reads, it writes so that it reads the same again. The
 * tool's: it shows them. */
#include "fuzz.h"
#include "pickle.h"

#include "../../cli/cli.h"

static void show(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    uint8_t *copy = malloc(size ? size : 1); /* of its exact size, so that no byte more is read */
    struct json json = {0};

    if (!nowhere)
        nowhere = fopen("/dev/null", "we");
    if (!nowhere || !copy)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    json.out = nowhere;
    json_pickle(&json, copy, size);
    (void)print_pickle(nowhere, copy, size);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dcache_value pickle = dcache_sized(DCACHE_PICKLE, data, size), again = dcache_none();
    struct pickle_tuple tuple, second;

    show(data, size);
    if (pickle_read(&pickle, &tuple) == 0 && pickle_write(tuple.items, tuple.count, &again) == 0) {
        if (again.type != DCACHE_PICKLE || pickle_read(&again, &second) < 0 ||
            second.count != tuple.count)
            abort();
        for (size_t i = 0; i < tuple.count; i++)
            if (dcache_value_compare(&tuple.items[i], &second.items[i]) != 0)
                abort();
        pickle_clear(&second);
    }
    pickle_clear(&tuple);
    dcache_value_clear(&again);
    return 0;
}
