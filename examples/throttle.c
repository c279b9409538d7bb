/* throttle.c - copy lines from stdin to stdout, no more than so many in so many seconds: all processes
 * together that use the same directory.
 * cc throttle.c $(pkg-config --cflags --libs diskcache) && ./a.out rate-cache 5 1 <lines */
#include <diskcache_recipes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void sleep_seconds(double seconds)
{
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    (void)nanosleep(&pause, NULL); /* cut short: then the bucket says again how long */
}

/* Wait for a token. */
static int wait_turn(dcache *cache, const struct dcache_throttle_options *rate)
{
    struct dcache_value key = dcache_text("lines");
    double delay;
    int rc;

    while ((rc = dcache_throttle_take(cache, &key, rate, &delay)) == 0 && delay > 0)
        sleep_seconds(delay);
    return rc;
}

int main(int argc, char **argv)
{
    struct dcache_throttle_options rate = DCACHE_OPTIONS(struct dcache_throttle_options);
    dcache *cache = NULL;
    char line[4096];
    int rc;

    if (argc < 4) {
        (void)fprintf(stderr, "usage: throttle DIRECTORY COUNT SECONDS\n");
        return 2;
    }
    rate.count = atof(argv[2]);
    rate.seconds = atof(argv[3]);
    rc = dcache_open(argv[1], NULL, &cache);
    while (rc == 0 && fgets(line, sizeof line, stdin)) {
        rc = wait_turn(cache, &rate);
        if (rc == 0 && (fputs(line, stdout) < 0 || fflush(stdout) != 0))
            break;
    }
    if (rc < 0)
        (void)fprintf(stderr, "throttle: %s\n", dcache_last_error()->text);
    dcache_close(cache);
    return rc < 0 || ferror(stdout);
}
