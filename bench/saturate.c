/* saturate.c - the longest call of each kind, of a process that does nothing but call.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Calls are too many to keep a sample of each for a minute: what is left of them is how long the longest of a row
 * took, how long the longest took without the time for which it could have run and had no processor, and as
 * OPERATIONS how many there were. With no keys nothing is called: the longest GET is what a process has to
 * wait that only looks at the clock. */
#include "bench.h"

#include <fcntl.h>

enum { VALUES = 512, DIGITS = 5, WARM_UP_SETS = 100, LONG = 1000000 }; /* LONG: nanoseconds */

static struct dcache_value values[VALUES];
static char data[VALUES][DIGITS * TIMES_MOST + 1];

/* As those of the published workload: a number's digits, 1 to 99 times. */
static void make_values(uint64_t *rng)
{
    for (unsigned n = 0; n < VALUES; n++) {
        unsigned times = 1 + rng_below(rng, TIMES_MOST);

        for (unsigned i = 0; i < times; i++)
            (void)snprintf(data[n] + (size_t)i * DIGITS, DIGITS + 1, "%05u", n);
        values[n] = dcache_bytes(data[n], (size_t)times * DIGITS);
    }
}

static int one(dcache *cache, enum row row, unsigned key, const struct dcache_value *value)
{
    char text[12];
    int length = snprintf(text, sizeof text, "%u", key), rc;
    struct dcache_value k = dcache_bytes(text, (size_t)length);
    struct dcache_entry e;

    if (row == SET)
        return dcache_set(cache, &k, value, NULL);
    if (row == DELETE) {
        rc = dcache_delete(cache, &k);
    } else {
        rc = dcache_get(cache, &k, NULL, &e);
        dcache_entry_clear(&e);
    }
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

/* Nanoseconds for which this thread could have run, and others did; as far as the kernel tells. */
static int64_t queued(void)
{
    static int file = -1;
    char text[64] = "";
    long long ran, waited = 0;

    if (file < 0)
        file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (file >= 0 && pread(file, text, sizeof text - 1, 0) > 0)
        (void)sscanf(text, "%lld %lld", &ran, &waited);
    return waited;
}

/* Of ten writes one is a delete; `gets` of a hundred calls are a get. */
void saturate(dcache *cache, uint64_t *rng, unsigned keys, unsigned gets, int64_t start,
              double seconds)
{
    int64_t longest[DELETE + 1] = {0}, waited[DELETE + 1] = {0}, count = 0;
    int64_t end = start + (int64_t)(seconds * 1e9), now, before, in_queue, later;

    make_values(rng);
    for (int n = 0; n < WARM_UP_SETS && keys > 0; n++)
        expect(one(cache, SET, rng_below(rng, keys), &values[n]), "set");
    while ((before = now_ns()) < start)
        sleep_us(200);
    in_queue = queued();
    for (; before < end; before = now, count++) {
        unsigned choice = rng_below(rng, 1000), key = keys > 0 ? rng_below(rng, keys) : 0;
        enum row row = choice < gets * 10 ? GET : choice % 10 == 0 ? DELETE : SET;

        if (keys > 0)
            expect(one(cache, row, key, &values[choice % VALUES]), "a call");
        now = now_ns();
        if (now - before < LONG)
            continue;
        longest[row] = now - before > longest[row] ? now - before : longest[row];
        later = queued();
        before += later - in_queue;
        waited[row] = now - before > waited[row] ? now - before : waited[row];
        in_queue = later;
    }
    for (enum row row = GET; row <= DELETE; row++)
        if (longest[row] > 0)
            record(row, longest[row]);
    record(SET_WAITED, waited[SET]);
    record(DELETE_WAITED, waited[DELETE]);
    record(OPERATIONS, count);
}
