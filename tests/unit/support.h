/* support.h - what the unit tests of the public operations share: a directory for each test, short
 * ways to write values, and a look at the directory that owes nothing to the library. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include "os.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- values ---- */

#define VALUE(value) (&(struct dcache_value[]){value}[0])
#define TEXT(text) VALUE(dcache_text(text))
#define KEY(text) TEXT(text)
#define BYTES(data, size) VALUE(dcache_bytes((data), (size)))
#define INT(integer) VALUE(dcache_int(integer))
#define DOUBLE(real) VALUE(dcache_double(real))
#define NOTHING VALUE(dcache_none())

/* Designated fields of an options structure. */
#define SET(...) \
    (&(struct dcache_set_options){.struct_size = sizeof(struct dcache_set_options), __VA_ARGS__})
#define GET(...) \
    (&(struct dcache_get_options){.struct_size = sizeof(struct dcache_get_options), __VA_ARGS__})
#define INCR(...) \
    (&(struct dcache_incr_options){.struct_size = sizeof(struct dcache_incr_options), __VA_ARGS__})
#define ITER(...) \
    (&(struct dcache_iter_options){.struct_size = sizeof(struct dcache_iter_options), __VA_ARGS__})

#define LARGE 40000 /* bytes: above disk_min_file_size */

/* LARGE bytes, all of them `letter`. */
struct dcache_value large(char letter);

/* ---- a directory of the test's own ---- */

struct place {
    char dir[256];
    dcache *cache;   /* open, with a timeout of 0.25 s */
    int shards;      /* it is a fanout of so many; 0: a single directory */
    int descriptors; /* that this process had before */
};

/* For cmocka: `*state` is a struct place; the end checks that no descriptor is left. */
int place_make(void **state);
int place_remove(void **state);

void place_new(struct place *place); /* a new directory, nothing opened */
void place_open(struct place *place);
void place_close(struct place *place);
void place_clean(struct place *place); /* remove the directory and what is in it */

/* The directory of a shard, or of a cache of one part; NULL: there is none with that number. */
const char *place_part(const struct place *place, int number);

/* Another handle, with settings: `name`, value, ..., NULL. */
dcache *open_with(const char *dir, double timeout, ...);

int count_descriptors(void);

/* ---- what is there ---- */

/* Whether get finds exactly this value, type included. */
bool get_is(dcache *cache, const struct dcache_value *key, const struct dcache_value *value);
bool value_equals(const struct dcache_value *a, const struct dcache_value *b);

/* Numbers in queues: one that is pushed, and the one that is pulled or looked at, -1 when the queue is empty. */
void must_push(dcache *cache, const char *prefix, enum dcache_side side, int64_t number);
int64_t pull(dcache *cache, const char *prefix, enum dcache_side side);
int64_t peek(dcache *cache, const char *prefix, enum dcache_side side);

/* A get that is expected to succeed; the caller clears the entry. */
struct dcache_entry got(dcache *cache, const struct dcache_value *key);

/* Value files and temporary ones, wherever they are in the directory. */
int count_files(const char *dir);

/* One number from the database, by a connection of the test's own. */
int64_t sql_number(const char *dir, const char *sql);
void sql_run(const char *dir, const char *sql);

/* Settings' count and size are those of the rows. */
void assert_counters_right(const char *dir);

/* Each row that names a file has it, as long as it says; hands back how many files have no row. */
int assert_rows_have_files(const char *dir);

/* All items as text, in the order of their keys: what two states of a cache are compared by. Times
 * of storing and access and names of files are left out, contents of files are in. */
char *describe(const char *dir);

/* Take the file of a key away, as a foreign hand would. */
void lose_file(const char *dir, const char *key);

#endif
