/* recipes.c - the recipes of libdiskcache behind a line protocol, for recipes.py.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One request a line, words separated by blanks; one answer a line: "ok VALUE..." or "err NUMBER
 * TEXT". For values see words.h; numbers are decimal. */
#include "requests.h"

#include <diskcache_recipes.h>

#include <fcntl.h>
#include <string.h>

static dcache *cache;
static dcache_lock *lock;
static double number(void)
{
    const char *w = word();

    return w != NULL ? strtod(w, NULL) : 0;
}

/* By pointer: arguments are evaluated in any order, the call that gives `rc` sets the number. */
static void answer_number(int rc, const double *n)
{
    struct dcache_value value;

    if (rc < 0) {
        answer(rc);
        return;
    }
    value = dcache_double(*n);
    printf("ok");
    print_value(&value);
    (void)putchar('\n');
}

static void do_open(void)
{
    answer(dcache_open(word(), NULL, &cache));
}

/* lock KIND PERMITS EXPIRE KEY: the lock that the next requests are about */
static void do_lock(void)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
    struct dcache_value key;

    options.kind = (enum dcache_lock_kind)number();
    options.permits = (int64_t)number();
    options.expire = number();
    key = parse_value(word());
    dcache_lock_close(lock);
    lock = NULL;
    answer(dcache_lock_open(cache, &key, &options, &lock));
}

/* acquire TIMEOUT, release, break, holds */
static void do_acquire(void)
{
    answer(dcache_lock_acquire(lock, number()));
}

static void do_release(void)
{
    answer(dcache_lock_release(lock));
}

static void do_break(void)
{
    answer(dcache_lock_break(lock));
}

static void do_holds(void)
{
    struct dcache_lock_state state = {0};
    int rc = dcache_lock_state(lock, &state);
    double holds = (double)state.holds;

    answer_number(rc, &holds);
}

/* average add|get|pop KEY [NUMBER] */
static void do_average(void)
{
    const char *verb = word();
    struct dcache_value key = parse_value(word());
    double average = 0;
    int rc;

    if (strcmp(verb, "add") == 0) {
        answer(dcache_average_add(cache, &key, number(), NULL));
        return;
    }
    rc = strcmp(verb, "get") == 0 ? dcache_average_get(cache, &key, &average)
                                  : dcache_average_pop(cache, &key, &average);
    answer_number(rc, &average);
}

/* throttle reset|take KEY COUNT SECONDS NOW */
static void do_throttle(void)
{
    struct dcache_throttle_options options = DCACHE_OPTIONS(struct dcache_throttle_options);
    const char *verb = word();
    struct dcache_value key = parse_value(word());
    double delay = 0;
    int rc;

    options.count = number();
    options.seconds = number();
    options.now = number();
    rc = strcmp(verb, "reset") == 0 ? dcache_throttle_reset(cache, &key, &options)
                                    : dcache_throttle_take(cache, &key, &options, &delay);
    answer_number(rc, &delay);
}

static int give(void *arg, const struct dcache_value *key, struct dcache_value *ret_value)
{
    (void)key;
    *ret_value = *(struct dcache_value *)arg;
    return 0;
}

/* memoize KEY VALUE EXPIRE BETA: the value that is there, else that one */
static void do_memoize(void)
{
    struct dcache_memoize_options options = DCACHE_OPTIONS(struct dcache_memoize_options);
    struct dcache_value key = parse_value(word()), value = parse_value(word());
    struct dcache_entry entry;
    int rc;

    options.expire = number();
    options.beta = number();
    rc = dcache_memoize(cache, &key, give, &value, &options, &entry);
    if (rc < 0) {
        answer(rc);
    } else {
        printf("ok");
        print_value(&entry.value);
        (void)putchar('\n');
    }
    dcache_entry_clear(&entry);
}

/* contend SECONDS FILE: add to the number at the beginning of the file, under the lock; the answer
 * says how often. Nothing but the lock keeps two from adding at once. */
static void do_contend(void)
{
    int64_t end = now_ns() + (int64_t)(number() * 1e9);
    int fd = open(word(), O_RDWR | O_CLOEXEC), rc = 0;
    volatile int64_t *counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                     0);
    double added = 0;

    if (counter == MAP_FAILED)
        die("mmap: %m");
    while (rc == 0 && now_ns() < end) {
        int64_t seen;

        rc = dcache_lock_acquire(lock, 60);
        if (rc < 0)
            break;
        seen = *counter;
        sleep_us(50);
        *counter = seen + 1;
        added++;
        rc = dcache_lock_release(lock);
        sleep_us(500); /* let those who poll have it too */
    }
    (void)munmap((void *)(uintptr_t)counter, sizeof *counter);
    (void)close(fd); /* a file of the test's */
    answer_number(rc, &added);
}

static const struct request table[] = {
    REQUEST(open),  REQUEST(lock),    REQUEST(acquire),  REQUEST(release), REQUEST(break),
    REQUEST(holds), REQUEST(average), REQUEST(throttle), REQUEST(memoize), REQUEST(contend),
};

static void run(const char *verb)
{
    if (!request_run(table, sizeof table / sizeof *table, verb))
        die("unknown request: %s", verb);
}

int main(void)
{
    int status = serve(run);

    dcache_lock_close(lock);
    dcache_close(cache);
    return status;
}
