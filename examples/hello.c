/* hello.c - remember how often this program has run.
 * cc hello.c $(pkg-config --cflags --libs diskcache) && ./a.out */
#include <diskcache.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct dcache_value key = dcache_text("runs"), one = dcache_int(1), runs;
    dcache *cache;

    if (dcache_open(argc > 1 ? argv[1] : "hello-cache", NULL, &cache) < 0 ||
        dcache_incr(cache, &key, &one, NULL, &runs) < 0) {
        (void)fprintf(stderr, "hello: %s\n", dcache_last_error()->text);
        return 1;
    }
    printf("run %lld\n", (long long)runs.integer);
    dcache_close(cache);
    return 0;
}
