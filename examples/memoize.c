/* memoize.c - the largest prime factor of a number, remembered for an hour. Of several processes that
 * ask for the same number at the same time, one computes.
 * cc memoize.c $(pkg-config --cflags --libs diskcache) && ./a.out factors-cache NUMBER... */
#include <diskcache_recipes.h>
#include <stdio.h>
#include <stdlib.h>

/* The function that is worth remembering. `arg` counts how often it was called. */
static int largest_factor(void *arg, const struct dcache_value *key, struct dcache_value *ret_value)
{
    int64_t n = key->integer, factor = 2;

    if (n < 2)
        return -1; /* dcache_memoize() fails with CALLBACK, and nothing is remembered */
    while (factor <= n / factor)
        if (n % factor == 0)
            n /= factor;
        else
            factor++;
    *ret_value = dcache_int(n);
    ++*(int *)arg;
    return 0;
}

int main(int argc, char **argv)
{
    struct dcache_memoize_options options = DCACHE_OPTIONS(struct dcache_memoize_options);
    struct dcache_entry entry;
    dcache *cache = NULL;
    int computed = 0, rc;

    if (argc < 3) {
        (void)fprintf(stderr, "usage: memoize DIRECTORY NUMBER...\n");
        return 2;
    }
    options.expire = 3600;
    options.single_flight = 1;
    rc = dcache_open(argv[1], NULL, &cache);
    for (int i = 2; rc == 0 && i < argc; i++) {
        struct dcache_value key = dcache_int(strtoll(argv[i], NULL, 10));

        rc = dcache_memoize(cache, &key, largest_factor, &computed, &options, &entry);
        if (rc == 0)
            printf("%s %lld\n", argv[i], (long long)entry.value.integer);
        dcache_entry_clear(&entry);
    }
    if (rc < 0)
        (void)fprintf(stderr, "memoize: %s\n", dcache_last_error()->text);
    printf("%d computed\n", computed);
    dcache_close(cache);
    return rc < 0;
}
