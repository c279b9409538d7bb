/* cmd_bench.c - bench: how fast the cache is on this machine and file system.
 *
 * In a directory of its own beside the cache, so that it is the same file system and nothing of
 * the user's is touched. One process, one thread; the project's bench/ compares and goes deeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SMALL = 100, LARGE = 65536 };

static char payload[LARGE];

static struct dcache_value numbered(char text[32], int64_t n)
{
    (void)snprintf(text, 32, "key-%lld", (long long)n); /* fits */
    return dcache_text(text);
}

static int do_set(dcache *cache, int64_t n)
{
    struct dcache_value value = dcache_bytes(payload, SMALL), key;
    char text[32];

    key = numbered(text, n);
    return dcache_set(cache, &key, &value, NULL);
}

static int do_get(dcache *cache, int64_t n)
{
    struct dcache_entry entry;
    struct dcache_value key;
    char text[32];
    int rc;

    key = numbered(text, n);
    rc = dcache_get(cache, &key, NULL, &entry);
    dcache_entry_clear(&entry);
    return rc;
}

static int do_miss(dcache *cache, int64_t n)
{
    int rc = do_get(cache, -1 - n);

    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static int do_incr(dcache *cache, int64_t n)
{
    struct dcache_value key = dcache_text("counter"), delta = dcache_int(1), sum;

    (void)n; /* always the same key */
    return dcache_incr(cache, &key, &delta, NULL, &sum);
}

static int do_push(dcache *cache, int64_t n)
{
    struct dcache_value value = dcache_bytes(payload, SMALL);

    (void)n; /* the queue numbers its keys itself */
    return dcache_push(cache, "queue", DCACHE_BACK, &value, NULL, NULL);
}

static int do_pull(dcache *cache, int64_t n)
{
    struct dcache_entry entry;
    int rc = dcache_pull(cache, "queue", DCACHE_FRONT, NULL, &entry);

    (void)n; /* whatever comes next */
    dcache_entry_clear(&entry);
    return rc;
}

static int do_delete(dcache *cache, int64_t n)
{
    struct dcache_value key;
    char text[32];

    key = numbered(text, n);
    return dcache_delete(cache, &key);
}

static int do_set_large(dcache *cache, int64_t n)
{
    struct dcache_value value = dcache_bytes(payload, LARGE), key;
    char text[32];

    key = numbered(text, n % 100); /* in place of a hundred, so that it needs 6 MiB at most */
    return dcache_set(cache, &key, &value, NULL);
}

static int do_get_large(dcache *cache, int64_t n)
{
    return do_get(cache, n % 100);
}

static const struct {
    const char *name;
    int (*run)(dcache *cache, int64_t n);
} steps[] = {
    {"insert", do_set},        {"get", do_get},           {"miss", do_miss}, {"overwrite", do_set},
    {"incr", do_incr},         {"push", do_push},         {"pull", do_pull}, {"delete", do_delete},
    {"set-64k", do_set_large}, {"get-64k", do_get_large},
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_step(struct json *json, const char *name, double *seconds, size_t count)
{
    double sum = 0, figures[5];
    static const char *const names[5] = {"per_second", "median_us", "p90_us", "p99_us", "max_us"};

    for (size_t i = 0; i < count; i++)
        sum += seconds[i];
    qsort(seconds, count, sizeof *seconds, compare);
    figures[0] = sum > 0 ? (double)count / sum : 0;
    figures[1] = seconds[count / 2] * 1e6;
    figures[2] = seconds[count * 9 / 10] * 1e6;
    figures[3] = seconds[count * 99 / 100] * 1e6;
    figures[4] = seconds[count - 1] * 1e6;
    if (!json) {
        printf("%-10s %10.0f %10.1f %10.1f %10.1f %10.1f\n", name, figures[0], figures[1],
               figures[2], figures[3], figures[4]);
        return;
    }
    json_open(json, '{');
    json_name(json, "operation");
    json_string(json, name);
    for (size_t i = 0; i < 5; i++) {
        json_name(json, names[i]);
        json_double(json, figures[i]);
    }
    json_close(json, '}');
    json_end(json);
}

static int measure(struct cli *cli, dcache *cache, double *seconds, int64_t count)
{
    struct json json = {.out = stdout};

    if (!cli->json)
        printf("%-10s %10s %10s %10s %10s %10s\n", "", "per second", "median us", "p90 us",
               "p99 us", "max us");
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++) {
        for (int64_t n = 0; n < count; n++) {
            double start = clock_now();
            int rc = steps[step].run(cache, n);

            if (rc < 0)
                return rc;
            seconds[n] = clock_now() - start;
        }
        print_step(cli->json ? &json : NULL, steps[step].name, seconds, (size_t)count);
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)where;
    return kind == FTW_DP || kind == FTW_D ? rmdir(path) : unlink(path);
}

static int bench_in(struct cli *cli, const char *directory, int64_t count)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    double *seconds = cli_alloc(cli, (size_t)count * sizeof *seconds);
    dcache *cache;
    int rc, code = EXIT_HIT;

    options.timeout = cli->timeout;
    rc = dcache_open(directory, &options, &cache);
    if (rc == 0) {
        rc = measure(cli, cache, seconds, count);
        if (rc < 0)
            code = fail_status(cli, rc);
        dcache_close(cache);
    } else {
        code = fail_status(cli, rc);
    }
    if (nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && code == EXIT_HIT)
        code = fail_errno(cli, directory);
    return code;
}

static int run_bench(struct cli *cli, const struct args *args)
{
    const char *text = args_option(args, "count");
    char *directory, *slash;
    size_t length, size;
    int64_t count = 2000;
    int rc;

    if (text && (parse_int(text, &count) < 0 || count < 1 || count > 10000000))
        return usage(cli, "'%s' is no count", text);
    rc = cli_directory(cli);
    if (rc)
        return rc;
    length = strlen(cli->directory);
    size = length + sizeof ".bench-XXXXXX";
    directory = cli_alloc(cli, size);
    while (length > 1 && cli->directory[length - 1] == '/')
        length--;
    (void)snprintf(directory, size, "%.*s", (int)length, cli->directory); /* fits, as below */
    slash = strrchr(directory, '/');
    if (slash && slash != directory) {
        *slash = 0; /* ~/.cache may not be there yet; more than this is not for us to make */
        (void)mkdir(directory, 0700); /* if it fails, mkdtemp() says why */
        *slash = '/';
    }
    (void)snprintf(directory + length, size - length, ".bench-XXXXXX");
    if (!mkdtemp(directory))
        return fail_errno(cli, directory);
    return bench_in(cli, directory, count);
}

static const struct option_spec bench_options[] = {
    {'n', "count", "NUMBER", "how often each operation is measured (default 2000)"},
    {0, NULL, NULL, NULL},
};

const struct command command_bench = {
    .name = "bench",
    .arguments = "",
    .summary = "measure the cache on this machine",
    .min = 0,
    .max = 0,
    .options = bench_options,
    .run = run_bench,
    .notes =
        "In a temporary directory beside the cache, which is not touched. Values of 100 bytes\n"
        "and of 64 KiB; one thread.",
};
