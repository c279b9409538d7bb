/* structures.c - deques and indexes of libdiskcache behind a line protocol, for structures.py.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One request a line, words separated by blanks; one answer a line: "ok VALUE..." or "err NUMBER
 * TEXT". For values see words.h; a side is 0 (front) or 1 (back). */
#include "requests.h"

#include <diskcache_collections.h>

static dcache *cache;
static int64_t number(void)
{
    const char *w = word();

    return w != NULL ? strtoll(w, NULL, 10) : 0;
}

static enum dcache_side side(void)
{
    return number() != 0 ? DCACHE_BACK : DCACHE_FRONT;
}

/* ---- answers ---- */

/* By pointer: arguments are evaluated in any order, the call that gives `rc` sets the number. */
static void answer_number(int rc, const int64_t *n)
{
    if (rc < 0)
        answer(rc);
    else
        printf("ok %" PRId64 "\n", *n);
}

static void answer_value(int rc, struct dcache_entry *entry, int with_key)
{
    if (rc < 0) {
        answer(rc);
    } else {
        printf("ok");
        if (with_key)
            print_value(&entry->key);
        print_value(&entry->value);
        (void)putchar('\n');
    }
    dcache_entry_clear(entry);
}

/* All values by key, or all items by insertion, from the beginning or from the end. */
static void answer_all(int by_key, int reverse)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry entry;
    dcache_iter *iter;
    int rc;

    options.order = by_key ? DCACHE_BY_KEY : DCACHE_BY_INSERTION;
    options.flags = reverse ? DCACHE_REVERSE : 0;
    rc = dcache_iter_open(cache, &options, &iter);
    if (rc < 0) {
        answer(rc);
        return;
    }
    printf("ok");
    while ((rc = dcache_iter_next(iter, &entry)) == 0) {
        if (!by_key)
            print_value(&entry.key);
        print_value(&entry.value);
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    printf(rc == DCACHE_NOT_FOUND ? "\n" : " FAILED:%d\n", rc);
}

/* ---- deque ---- */

static void do_extend(void)
{
    static struct dcache_value values[4096];
    enum dcache_side where = side();
    size_t count = 0;
    const char *w;

    while (count < 4096 && (w = word()) != NULL)
        values[count++] = parse_value(w);
    answer(dcache_deque_extend(cache, where, values, count));
}

static void do_ends(const char *verb)
{
    enum dcache_side where = side();
    struct dcache_entry entry;
    int rc;

    if (strcmp(verb, "pop") == 0)
        rc = dcache_deque_pop(cache, where, NULL, &entry);
    else
        rc = dcache_deque_peek(cache, where, NULL, &entry);
    answer_value(rc, &entry, 0);
}

static void do_index(const char *verb)
{
    int64_t index = number();
    struct dcache_value value;
    struct dcache_entry entry;
    int rc;

    if (strcmp(verb, "at") == 0) {
        rc = dcache_deque_get(cache, index, NULL, &entry);
        answer_value(rc, &entry, 0);
    } else if (strcmp(verb, "put") == 0) {
        value = parse_value(word());
        answer(dcache_deque_set(cache, index, &value));
    } else {
        answer(dcache_deque_delete(cache, index));
    }
}

/* Of a value, or of nothing. */
static void do_deque(const char *verb)
{
    const char *w = word();
    struct dcache_value value = w != NULL ? parse_value(w) : dcache_none();
    int64_t n = 0;

    if (strcmp(verb, "rotate") == 0)
        answer(dcache_deque_rotate(cache, value.integer));
    else if (strcmp(verb, "reverse") == 0)
        answer(dcache_deque_reverse(cache));
    else if (strcmp(verb, "remove") == 0)
        answer(dcache_deque_remove(cache, &value));
    else if (strcmp(verb, "occurrences") == 0)
        answer_number(dcache_deque_count(cache, &value, &n), &n);
    else if (w != NULL)
        answer(dcache_deque_set_maxlen(cache, value.integer));
    else
        answer_number(dcache_deque_maxlen(cache, &n), &n);
}

/* ---- index ---- */

static void do_key(const char *verb)
{
    struct dcache_value key = parse_value(word()), value;
    struct dcache_entry entry;
    int rc;

    if (strcmp(verb, "drop") == 0) {
        answer(dcache_delete(cache, &key));
        return;
    }
    value = parse_value(word());
    if (strcmp(verb, "set") == 0) {
        answer(dcache_set(cache, &key, &value, NULL));
        return;
    }
    rc = dcache_setdefault(cache, &key, &value, NULL, NULL, &entry);
    answer_value(rc, &entry, 0);
}

static void do_item(const char *verb)
{
    enum dcache_side where = side();
    struct dcache_entry entry;
    int rc;

    if (strcmp(verb, "popitem") == 0)
        rc = dcache_popitem(cache, where, NULL, &entry);
    else
        rc = dcache_peekitem(cache, where, NULL, &entry);
    answer_value(rc, &entry, 1);
}

/* compare DIRECTORY, equal DIRECTORY ORDERED */
static void do_two(const char *verb)
{
    const char *directory = word();
    dcache *other;
    int64_t n = 0;
    int result = 0, rc = dcache_open_collection(directory, NULL, &other);

    if (rc < 0)
        die("%s: %s", directory, status_text(rc));
    if (strcmp(verb, "compare") == 0)
        rc = dcache_deque_compare(cache, other, &result);
    else
        rc = dcache_equal(cache, other, number() != 0, &result);
    n = result;
    answer_number(rc, &n);
    dcache_close(other);
}

/* ---- the worker of the concurrent test ---- */

/* work SECONDS ID -> popped... = pushed: pushes "ID:n" at either side and pops at either. */
static void do_work(void)
{
    int64_t end = now_ns() + number() * 1000000000, id = number(), pushed = 0;
    uint64_t rng = (uint64_t)id * 7919 + 1;
    int rc = 0;

    printf("ok");
    while (now_ns() < end && rc == 0) {
        enum dcache_side where = rng_below(&rng, 2) ? DCACHE_BACK : DCACHE_FRONT;
        struct dcache_value value;
        struct dcache_entry entry;
        char text[64];

        if (rng_below(&rng, 2) == 0) {
            (void)snprintf(text, sizeof text, "%" PRId64 ":%" PRId64, id, pushed);
            value = dcache_text(text);
            rc = dcache_deque_push(cache, where, &value);
            pushed += rc == 0;
        } else {
            rc = dcache_deque_pop(cache, where, NULL, &entry);
            if (rc == 0)
                print_value(&entry.value);
            if (rc == DCACHE_NOT_FOUND)
                rc = 0;
            dcache_entry_clear(&entry);
        }
        if (rng_below(&rng, 50) == 0 && rc == 0)
            rc = dcache_deque_rotate(cache, (int64_t)rng_below(&rng, 20) - 10);
    }
    printf(" = %" PRId64 " %d\n", pushed, rc);
}

/* ---- the loop ---- */

static void do_open(void)
{
    int rc = dcache_open_collection(word(), NULL, &cache);

    answer(rc);
}

static void do_push(void)
{
    enum dcache_side where = side();
    struct dcache_value value = parse_value(word());

    answer(dcache_deque_push(cache, where, &value));
}

static void do_all(const char *verb)
{
    answer_all(strcmp(verb, "values") == 0, (int)number());
}

static void do_count(void)
{
    int64_t n = 0;

    answer_number(dcache_count(cache, &n), &n);
}

static const struct request table[] = {
    {"open", do_open, NULL},      {"push", do_push, NULL},    {"extend", do_extend, NULL},
    {"pop", NULL, do_ends},       {"peek", NULL, do_ends},    {"at", NULL, do_index},
    {"put", NULL, do_index},      {"del", NULL, do_index},    {"rotate", NULL, do_deque},
    {"reverse", NULL, do_deque},  {"remove", NULL, do_deque}, {"occurrences", NULL, do_deque},
    {"maxlen", NULL, do_deque},   {"set", NULL, do_key},      {"drop", NULL, do_key},
    {"setdefault", NULL, do_key}, {"popitem", NULL, do_item}, {"peekitem", NULL, do_item},
    {"compare", NULL, do_two},    {"equal", NULL, do_two},    {"values", NULL, do_all},
    {"items", NULL, do_all},      {"count", do_count, NULL},  {"work", do_work, NULL},
};

static void run(const char *verb)
{
    if (!request_run(table, sizeof table / sizeof *table, verb))
        die("unknown request: %s", verb);
}

int main(void)
{
    int status = serve(run);

    dcache_close(cache);
    return status;
}
