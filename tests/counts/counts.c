/* counts.c - one operation many times between two marks, for counts.py, which counts the system
 * calls between them.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     counts DIRECTORY OPERATION TIMES
 *
 * The mark is getppid(), which nothing else calls. Memory for the operation is warm before the
 * first mark: each operation has run a few hundred times. */
#include "../torture/support.h"

#include <sys/syscall.h>

static const char *directory;
static dcache *cache;
static unsigned char bytes[100];

static void expect(int rc, const char *what)
{
    if (rc != 0)
        die("%s: %s", what, status_text(rc));
}

static struct dcache_value key_of(char *text, size_t size, int number)
{
    (void)snprintf(text, size, "key-%d", number % 100);
    return dcache_text(text);
}

static void op_get(int number)
{
    char text[32];
    struct dcache_value key = key_of(text, sizeof text, number);
    struct dcache_entry e;

    expect(dcache_get(cache, &key, NULL, &e), "get");
    dcache_entry_clear(&e);
}

static void op_miss(int number)
{
    struct dcache_value key = dcache_int(number);
    struct dcache_entry e;

    if (dcache_get(cache, &key, NULL, &e) != DCACHE_NOT_FOUND)
        die("a key that nobody set");
    dcache_entry_clear(&e);
}

static void op_contains(int number)
{
    char text[32];
    struct dcache_value key = key_of(text, sizeof text, number);

    expect(dcache_contains(cache, &key), "contains");
}

static void op_set(int number)
{
    char text[32];
    struct dcache_value key = key_of(text, sizeof text, number);
    struct dcache_value value = dcache_bytes(bytes, sizeof bytes);

    memset(bytes, number & 255, sizeof bytes);
    expect(dcache_set(cache, &key, &value, NULL), "set");
}

static void op_incr(int number)
{
    struct dcache_value key = dcache_text("counter"), one = dcache_int(1), sum;

    (void)number;
    expect(dcache_incr(cache, &key, &one, NULL, &sum), "incr");
}

static void op_delete(int number)
{
    char text[32];
    struct dcache_value key = key_of(text, sizeof text, number);

    expect(dcache_delete(cache, &key), "delete");
}

static void op_open(int number)
{
    dcache *other;

    (void)number;
    expect(dcache_open(directory, test_options(), &other), "open");
    dcache_close(other);
}

static void op_read_all(int number)
{
    char text[32];
    struct dcache_value key = key_of(text, sizeof text, number);
    struct dcache_entry e;
    int64_t n;
    dcache *other;

    expect(dcache_open(directory, test_options(), &other), "open");
    expect(dcache_get(other, &key, NULL, &e), "get");
    dcache_entry_clear(&e);
    expect(dcache_contains(other, &key), "contains");
    expect(dcache_count(other, &n), "count");
    expect(dcache_volume(other, &n), "volume");
    dcache_close(other);
}

static const struct {
    const char *name;
    void (*call)(int number);
    int needs_open, warm_up;
} table[] = {
    {"get", op_get, 1, 300}, {"miss", op_miss, 1, 300},       {"contains", op_contains, 1, 300},
    {"set", op_set, 1, 300}, {"incr", op_incr, 1, 300},       {"delete", op_delete, 1, 0},
    {"open", op_open, 0, 0}, {"read-all", op_read_all, 0, 0},
};

static void mark(void)
{
    (void)syscall(SYS_getppid);
}

static void run(size_t i, int times)
{
    if (table[i].needs_open) {
        expect(dcache_open(directory, test_options(), &cache), "open");
        for (int n = 0; n < 100; n++)
            op_set(n);
    }
    for (int n = 0; n < table[i].warm_up; n++)
        table[i].call(n);
    mark();
    for (int n = 0; n < times; n++)
        table[i].call(n);
    mark();
    dcache_close(cache);
}

/* hold: an open directory, until stdin ends. */
static int hold(void)
{
    expect(dcache_open(directory, test_options(), &cache), "open");
    op_set(1);
    printf("held\n");
    (void)fflush(stdout);
    while (getchar() != EOF)
        ;
    dcache_close(cache);
    return 0;
}

static int fill(void)
{
    expect(dcache_open(directory, test_options(), &cache), "open");
    for (int n = 0; n < 100; n++)
        op_set(n);
    dcache_close(cache);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: counts DIRECTORY OPERATION [TIMES]");
    directory = argv[1];
    if (strcmp(argv[2], "hold") == 0)
        return hold();
    if (strcmp(argv[2], "fill") == 0)
        return fill();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(argv[2], table[i].name) == 0) {
            run(i, argc > 3 ? (int)to_number(argv[3]) : 100);
            return 0;
        }
    }
    die("unknown operation: %s", argv[2]);
}
