/* The reader of pickles: whatever it reads, it writes so that it reads the same again. */
#include "fuzz.h"
#include "pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dcache_value pickle = dcache_sized(DCACHE_PICKLE, data, size), again = dcache_none();
    struct pickle_tuple tuple, second;

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
