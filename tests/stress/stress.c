/* stress.c - many processes or threads do everything at once on one directory: no status that
 * should not be, no lost increment, each queue item delivered once, a clean check at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     stress [--processes N | --threads N] [--seconds S] [--seed N] [--policy NAME]
 *            [--fanout SHARDS]
 *
 * With --threads nothing is forked, so that it runs under TSan. */
#include "stress.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct board *board;
static const char *directory;
static uint64_t seed;

static void run_worker(dcache *cache, unsigned number)
{
    struct worker w = {.cache = cache,
                       .board = board,
                       .directory = directory,
                       .number = number,
                       .rng = seed * 1000 + number};

    w.buffer = must_alloc(MAX_VALUE);
    while (!board->stop)
        stress_step(&w);
    free(w.buffer);
}

static dcache *open_it(void)
{
    dcache *cache;
    int rc = stress_open(directory, NULL, &cache);

    if (rc != 0)
        die("open: %s", status_text(rc));
    return cache;
}

/* Threads with even numbers share a handle, the others open their own. */
static dcache *shared_handle;

static void *thread_main(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg;
    dcache *own = number % 2 ? open_it() : NULL;

    run_worker(own ? own : shared_handle, number);
    dcache_close(own);
    return NULL;
}

static void run_threads(unsigned count, double seconds)
{
    pthread_t threads[MAX_WORKERS];

    shared_handle = open_it();
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, thread_main, (void *)(uintptr_t)i) != 0)
            die("pthread_create: %m");
    sleep_us((int64_t)(seconds * 1e6));
    board->stop = 1;
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    dcache_close(shared_handle);
}

static void run_processes(unsigned count, double seconds)
{
    pid_t pids[MAX_WORKERS];
    int status;

    (void)fflush(NULL);
    for (unsigned i = 0; i < count; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            die("fork: %m");
        if (pids[i] == 0) {
            dcache *cache = open_it();

            run_worker(cache, i);
            dcache_close(cache);
            (void)fflush(NULL);
            _exit(0);
        }
    }
    sleep_us((int64_t)(seconds * 1e6));
    board->stop = 1;
    for (unsigned i = 0; i < count; i++) {
        (void)waitpid(pids[i], &status, 0);
        if (status != 0)
            stress_fault(board, "worker %u ended with status %#x", i, (unsigned)status);
    }
}

static void set_up(const char *policy)
{
    dcache *cache;
    const struct dcache_open_options *more = test_options();
    struct dcache_setting settings[5] = {
        {"eviction_policy", dcache_text(policy)},
        {"size_limit", dcache_int(1500000 * (stress_shards ? stress_shards : 1))},
        {"statistics", dcache_int(1)},
        {"tag_index", dcache_int(1)},
    };
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    int rc;

    options.settings = settings;
    options.settings_count = 4;
    if (more)
        settings[options.settings_count++] = more->settings[0];
    rc = stress_open(directory, &options, &cache);
    if (rc != 0)
        die("open: %s", status_text(rc));
    stress_set_up(cache);
    dcache_close(cache);
}

static void report(double seconds)
{
    uint64_t operations = 0;

    for (int i = 0; i < OPERATIONS; i++)
        operations += board->done[i];
    printf("%llu operations in %.1f s:", (unsigned long long)operations, seconds);
    for (unsigned i = 0; stress_name(i) != NULL; i++)
        printf(" %s %llu", stress_name(i), (unsigned long long)board->done[i]);
    printf("\n%lld increments, %lld queue items, %lld evictions\n", (long long)board->increments,
           (long long)board->pushed, (long long)board->evictions);
}

static void usage(void)
{
    die("usage: stress [--processes N | --threads N] [--seconds S] [--seed N] [--policy NAME]"
        " [--fanout SHARDS]");
}

int main(int argc, char **argv)
{
    unsigned processes = 8, threads = 0;
    double seconds = 5;
    const char *policy = "least-recently-stored";
    char *base;

    seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--processes") == 0)
            processes = (unsigned)to_number(argv[i + 1]);
        else if (strcmp(argv[i], "--threads") == 0)
            threads = (unsigned)to_number(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = to_seconds(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = (uint64_t)to_number(argv[i + 1]);
        else if (strcmp(argv[i], "--policy") == 0)
            policy = argv[i + 1];
        else if (strcmp(argv[i], "--fanout") == 0)
            stress_shards = (int)to_number(argv[i + 1]);
        else
            usage();
    }
    if (argc % 2 == 0 || threads > MAX_WORKERS || processes > MAX_WORKERS)
        usage();
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        die("mmap: %m");
    base = temp_dir("stress");
    directory = base;
    set_up(policy);
    if (threads > 0)
        run_threads(threads, seconds);
    else
        run_processes(processes, seconds);
    stress_verify(board, base);
    report(seconds);
    remove_tree(base);
    free(base);
    printf("stress, %u %s%s: %s, %d faults\n", threads ? threads : processes,
           threads ? "threads" : "processes", stress_shards ? " on a fanout" : "",
           board->faults ? "FAILED" : "ok", board->faults);
    return board->faults ? 1 : 0;
}
