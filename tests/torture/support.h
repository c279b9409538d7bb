/* support.h - what the test programs share: fatal errors, a clock, numbers that look random and
 * can be repeated, directories that go away again.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything is static inline, so that each program is one file for the build. */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <diskcache.h>

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

__attribute__((format(printf, 1, 2), noreturn)) static inline void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fflush(stdout);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

/* A status with what lies behind it, for messages. Valid until the next call in this thread. */
static inline const char *status_text(int rc)
{
    static _Thread_local char text[400];
    const struct dcache_error *error = dcache_last_error();

    (void)snprintf(text, sizeof text, "%d (%s; sqlite %d, errno %d, %s)", rc, dcache_strerror(rc),
                   rc < 0 ? error->sqlite_code : 0, rc < 0 ? error->sys_errno : 0,
                   rc < 0 ? error->text : "");
    return text;
}

/* How each of these programs opens a directory: with a memtable of as many bytes as TEST_MEMTABLE says. */
static inline const struct dcache_open_options *test_options(void)
{
    static struct dcache_setting setting;
    static struct dcache_open_options options;
    const char *size = getenv("TEST_MEMTABLE");

    if (!size)
        return NULL;
    setting.name = "memtable_size";
    setting.value = dcache_int(strtoll(size, NULL, 10));
    options.struct_size = sizeof options;
    options.settings = &setting;
    options.settings_count = 1;
    return &options;
}

static inline int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void sleep_us(int64_t us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};

    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* splitmix64; bench.py has the same, so that both sides do the same operations. */
static inline uint64_t rng_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline unsigned rng_below(uint64_t *state, unsigned limit)
{
    return (unsigned)((rng_next(state) >> 32) * limit >> 32);
}

/* A new directory below $TMPDIR or /tmp. The caller frees the name. */
static inline char *temp_dir(const char *name)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;

    if (base == NULL || *base == 0)
        base = "/tmp";
    if (asprintf(&path, "%s/%s-XXXXXX", base, name) < 0 || mkdtemp(path) == NULL)
        die("no temporary directory below %s: %m", base);
    return path;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    (void)remove(path); /* another process may have been faster */
    return 0;
}

static inline void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Numbers from a command line. */
static inline long long to_number(const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);

    if (end == text || *end != 0)
        die("not a number: %s", text);
    return number;
}

static inline double to_seconds(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != 0)
        die("not a number: %s", text);
    return seconds;
}

/* The numbers of "A:B:..." (in bytes that do not end with a NUL), each below its limit: 1. */
static inline int two_numbers(const struct dcache_value *v, unsigned long a_limit,
                              unsigned long b_limit, unsigned *ret_a, unsigned *ret_b)
{
    char text[48], *end;
    unsigned long a, b;
    size_t size = v->size < sizeof text ? v->size : sizeof text - 1;

    if (v->type != DCACHE_BYTES)
        return 0;
    memcpy(text, v->data, size);
    text[size] = 0;
    a = strtoul(text, &end, 10);
    if (end == text || *end != ':')
        return 0;
    b = strtoul(end + 1, &end, 10);
    if (*end != ':' || a >= a_limit || b >= b_limit)
        return 0;
    *ret_a = (unsigned)a;
    *ret_b = (unsigned)b;
    return 1;
}

static inline void *must_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (p == NULL)
        die("out of memory");
    return p;
}

#endif
