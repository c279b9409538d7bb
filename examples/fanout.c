/* fanout.c - count the words of several files, a thread for each file. The counters are spread over
 * directories with a lock each, so that the threads seldom wait for one another.
 * cc fanout.c $(pkg-config --cflags --libs diskcache) && ./a.out words-cache FILE... */
#include <diskcache.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    dcache *cache;
    const char *file;
    pthread_t thread;
    int failed;
};

static void *count_words(void *arg)
{
    struct job *job = arg;
    FILE *file = fopen(job->file, "r");
    char word[64];

    job->failed = file == NULL;
    while (file && fscanf(file, "%63s", word) == 1) {
        struct dcache_value key = dcache_text(word), one = dcache_int(1);

        if (dcache_incr(job->cache, &key, &one, NULL, NULL) < 0)
            job->failed = 1; /* a word that is not UTF-8, perhaps */
    }
    if (file)
        (void)fclose(file); /* only read */
    return NULL;
}

/* In the order of the words, whatever shards they are in. */
static int print_counts(dcache *cache)
{
    struct dcache_iter_options by_key = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry entry;
    dcache_iter *walk;
    int rc;

    by_key.order = DCACHE_BY_KEY;
    rc = dcache_iter_open(cache, &by_key, &walk);
    if (rc < 0)
        return rc;
    while ((rc = dcache_iter_next(walk, &entry)) == 0) {
        printf("%5lld %.*s\n", (long long)entry.value.integer, (int)entry.key.size,
               (const char *)entry.key.data);
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(walk);
    return rc == DCACHE_NOT_FOUND ? 0 : rc; /* the end */
}

int main(int argc, char **argv)
{
    struct job *jobs = calloc((size_t)argc, sizeof *jobs);
    int failed = argc < 3 || !jobs;
    dcache *cache;

    if (failed || dcache_open_fanout(argv[1], 8, NULL, &cache) < 0) {
        (void)fprintf(stderr, "usage: fanout DIRECTORY FILE... %s\n", dcache_last_error()->text);
        free(jobs);
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        jobs[i] = (struct job){.cache = cache, .file = argv[i]};
        if (pthread_create(&jobs[i].thread, NULL, count_words, &jobs[i]) != 0)
            return 1;
    }
    for (int i = 2; i < argc; i++) {
        (void)pthread_join(jobs[i].thread, NULL); /* cannot fail: it is ours */
        failed |= jobs[i].failed;
    }
    failed |= print_counts(cache) < 0;
    dcache_close(cache);
    free(jobs);
    return failed;
}
