/* settings.c - table Settings. See settings.h. */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { GET = DB_SETTINGS_STATEMENTS, PUT, PUT_MISSING, LIST, COUNT, COUNT_AND_SIZE, COUNTER_ADD };
_Static_assert((int)COUNTER_ADD < (int)DB_TXN_STATEMENTS, "see db.h");

static const char *const sql[] = {
    [GET - GET] = "SELECT value FROM Settings WHERE key = ?1",
    [PUT - GET] = "INSERT OR REPLACE INTO Settings (key, value) VALUES (?1, ?2)",
    [PUT_MISSING - GET] = "INSERT OR IGNORE INTO Settings (key, value) VALUES (?1, ?2)",
    [LIST - GET] = "SELECT key, value FROM Settings ORDER BY key",
    [COUNT - GET] = "UPDATE Settings SET value = value + ?1 WHERE key = 'count'",
    [COUNT_AND_SIZE - GET] = "UPDATE Settings SET value = value + CASE key WHEN 'count' THEN ?1"
                             " ELSE ?2 END WHERE key IN ('count', 'size')",
    [COUNTER_ADD - GET] = "INSERT INTO Settings (key, value) VALUES (?1, ?2)"
                          " ON CONFLICT (key) DO UPDATE SET value = value + ?2",
};

static int statement(struct db *db, int index, sqlite3_stmt **ret)
{
    return db_statement(db, index, sql[index - GET], ret);
}

/* ---- the twelve ---- */

static const char *const policies[] = {[POLICY_NONE] = "none",
                                       [POLICY_STORED] = "least-recently-stored",
                                       [POLICY_USED] = "least-recently-used",
                                       [POLICY_FREQUENT] = "least-frequently-used"};
static const char *const journals[] = {
    [JOURNAL_WAL] = "wal",         [JOURNAL_DELETE] = "delete", [JOURNAL_TRUNCATE] = "truncate",
    [JOURNAL_PERSIST] = "persist", [JOURNAL_MEMORY] = "memory", [JOURNAL_OFF] = "off"};

struct known {
    const char *name;
    size_t offset;   /* in struct settings */
    int64_t initial; /* or the index of the name */
    int64_t least, most;
    const char *const *names; /* for those that are text */
};

#define FIELD(field) offsetof(struct settings, field)
static const struct known known[] = {
    {"statistics", FIELD(statistics), 0, 0, 1, NULL},
    {"tag_index", FIELD(tag_index), 0, 0, 1, NULL},
    {"eviction_policy", FIELD(policy), POLICY_STORED, 0, 3, policies},
    {"size_limit", FIELD(size_limit), INT64_C(1) << 30, 0, INT64_MAX, NULL},
    {"cull_limit", FIELD(cull_limit), 10, 0, INT32_MAX, NULL},
    {"sqlite_auto_vacuum", FIELD(auto_vacuum), 1, 0, 2, NULL},
    {"sqlite_cache_size", FIELD(cache_size), 1 << 13, INT32_MIN, INT32_MAX, NULL},
    {"sqlite_journal_mode", FIELD(journal), JOURNAL_WAL, 0, 5, journals},
    {"sqlite_mmap_size", FIELD(mmap_size), 1 << 26, 0, INT64_MAX, NULL},
    {"sqlite_synchronous", FIELD(synchronous), 1, 0, 3, NULL},
    {"disk_min_file_size", FIELD(min_file_size), 1 << 15, 0, INT64_MAX, NULL},
    {"disk_pickle_protocol", FIELD(pickle_protocol), 5, 0, 255, NULL},
    {"deque_maxlen", FIELD(deque_maxlen), -1, -1, INT64_MAX, NULL},
    {"memtable_size", FIELD(memtable_size), 1 << 25, 0, INT64_MAX, NULL},
    {"checksums", FIELD(checksums), 0, 0, 1, NULL},
};
#define KNOWN (sizeof known / sizeof *known)
#define KNOWN_OF_FORMAT 12 /* the rest has a row only where it has been set */

static const char *const counters[] = {"count",     "size",     "hits",   "misses",
                                       "evictions", "timeouts", "damaged"};
#define COUNTERS (sizeof counters / sizeof *counters)
#define COUNTERS_OF_FORMAT 4 /* 5.6.3 has not the others: made when the first one happens */
#define OF_FORMAT (KNOWN_OF_FORMAT + COUNTERS_OF_FORMAT)
#define NAME_SIZE 64 /* of most names */
#define LIST_STEP 16 /* what most lists have room for at once */

static const struct known *find(const char *name)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    return NULL;
}

/* Whether it is one of the first `count` counters. */
static bool is_counter(const char *name, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(counters[i], name) == 0)
            return true;
    return false;
}

/* Whether a row of this name has to be there. */
static bool is_of_format(const char *name)
{
    const struct known *k = find(name);

    return k ? k < known + KNOWN_OF_FORMAT : is_counter(name, COUNTERS_OF_FORMAT);
}

static _Atomic int64_t *field(struct settings *settings, const struct known *k)
{
    return (_Atomic int64_t *)(void *)((char *)settings + k->offset);
}

int dcache_setting_known(const char *name)
{
    return name && find(name) ? 1 : 0;
}

const char *settings_journal_name(int64_t journal)
{
    return journals[journal];
}

void settings_default(struct settings *settings, unsigned shards)
{
    for (size_t i = 0; i < KNOWN; i++)
        atomic_store(field(settings, &known[i]), known[i].initial);
#ifdef DCACHE_FAULTS
    if (getenv("DCACHE_TEST_MEMTABLE")) /* all tests once more, with another default */
        settings->memtable_size = strtoll(getenv("DCACHE_TEST_MEMTABLE"), NULL, 10);
#endif
    settings->size_limit /= shards;
}

void settings_copy(struct settings *to, struct settings *from)
{
    for (size_t i = 0; i < KNOWN; i++)
        atomic_store(field(to, &known[i]), atomic_load(field(from, &known[i])));
}

/* The number that stands for a stored value, or false if it has no meaning. */
static bool parse(const struct known *k, const struct dcache_value *value, int64_t *ret)
{
    if (k->names) {
        for (int64_t i = 0; value->type == DCACHE_TEXT && i <= k->most; i++) {
            if (strlen(k->names[i]) == value->size &&
                strncasecmp(k->names[i], value->data, value->size) == 0) {
                *ret = i;
                return true;
            }
        }
        return false;
    }
    if (value->type == DCACHE_INT)
        *ret = value->integer;
    else if (value->type == DCACHE_DOUBLE && fabs(value->real) < 9e18)
        *ret = (int64_t)value->real; /* 5.6.3 stores size_limit=1e9 as it comes */
    else if (value->type == DCACHE_DOUBLE && value->real > 0 && k->most >= INT32_MAX)
        *ret = k->most; /* infinity: no limit */
    else
        return false;
    return *ret >= k->least && *ret <= k->most;
}

int settings_check(const char *name, const struct dcache_value *value)
{
    const struct known *k = name ? find(name) : NULL;
    int64_t unused;

    if (!name || !*name)
        return os_fail(DCACHE_INVALID, "the setting has no name");
    if (is_counter(name, COUNTERS))
        return os_fail(DCACHE_INVALID, "'%s' cannot be set", name);
    if (k && !parse(k, value, &unused))
        return os_fail(DCACHE_INVALID, "that is no value for the setting '%s'", name);
    if (value->type > DCACHE_BYTES || (value->type == DCACHE_DOUBLE && isnan(value->real)))
        return os_fail(DCACHE_INVALID, "a setting is a number, text, bytes or none");
    return 0;
}

void settings_apply(struct settings *settings, const char *name, const struct dcache_value *value)
{
    const struct known *k = find(name);
    int64_t number;

    if (k)
        atomic_store(field(settings, k), parse(k, value, &number) ? number : k->initial);
}

/* ---- of a fanout ---- */

bool settings_is_divided(const char *name)
{
    return strcmp(name, "size_limit") == 0;
}

struct dcache_value settings_share(const char *name, const struct dcache_value *value,
                                   size_t shards, size_t i)
{
    int64_t n = (int64_t)shards;

    if (!settings_is_divided(name))
        return *value;
    if (value->type == DCACHE_DOUBLE) /* 1e9; infinity: no limit */
        return dcache_double(value->real / (double)n);
    return dcache_int(value->integer / n + ((int64_t)i < value->integer % n));
}

static double as_real(const struct dcache_value *value)
{
    return value->type == DCACHE_INT      ? (double)value->integer
           : value->type == DCACHE_DOUBLE ? value->real
                                          : 0;
}

/* 5.6.3 stores what it divides as a float. */
void settings_add_share(struct dcache_value *sum, const struct dcache_value *share)
{
    const double exact = 9007199254740992.0; /* 2^53 */
    double real = as_real(sum) + as_real(share);
    int64_t integer;

    if (sum->type == DCACHE_INT && share->type == DCACHE_INT &&
        !__builtin_add_overflow(sum->integer, share->integer, &integer)) {
        *sum = dcache_int(integer);
        return;
    }
    dcache_value_clear(sum);
    *sum = real == nearbyint(real) && fabs(real) < exact ? dcache_int((int64_t)real)
                                                         : dcache_double(real);
}

/* ---- rows ---- */

int settings_load(struct db *db, struct settings *settings, bool *ret_complete)
{
    size_t present = 0;
    sqlite3_stmt *s;
    int rc = statement(db, LIST, &s);

    if (rc < 0)
        return rc;
    while ((rc = db_step(db, s)) == 1) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        struct dcache_value value = db_column(s, 1);

        if (!name)
            continue;
        settings_apply(settings, name, &value);
        present += is_of_format(name);
    }
    *ret_complete = present == OF_FORMAT;
    return rc;
}

static int put(struct db *db, int index, const char *name, const struct dcache_value *value)
{
    struct dcache_value key = dcache_text(name);
    sqlite3_stmt *s;
    int rc = statement(db, index, &s);

    if (rc == 0)
        rc = db_bind(db, s, 1, &key);
    if (rc == 0)
        rc = db_bind(db, s, 2, value);
    if (rc == 0)
        rc = db_run(db, s);
    return rc;
}

int settings_put(struct db *db, const char *name, const struct dcache_value *value)
{
    return put(db, PUT, name, value);
}

int settings_put_missing(struct db *db, struct settings *settings)
{
    struct dcache_value zero = dcache_int(0);
    struct settings defaults;
    int rc = 0;

    settings_default(&defaults, 1);
    for (size_t i = 0; rc == 0 && i < KNOWN; i++) {
        int64_t number = *field(settings, &known[i]);
        struct dcache_value value = known[i].names ? dcache_text(known[i].names[number])
                                                   : dcache_int(number);

        /* Ours, if the directory is made anew under who has set them. */
        if (i >= KNOWN_OF_FORMAT && number == *field(&defaults, &known[i]))
            continue;
        rc = put(db, PUT_MISSING, known[i].name, &value);
    }
    for (size_t i = 0; rc == 0 && i < COUNTERS_OF_FORMAT; i++)
        rc = put(db, PUT_MISSING, counters[i], &zero);
    return rc;
}

static int copy_value(const struct dcache_value *value, struct dcache_value *ret_value)
{
    char *memory;

    *ret_value = *value;
    if (!value_is_data(value))
        return 0;
    memory = os_malloc(value->size + 1);
    if (!memory) {
        *ret_value = dcache_none();
        return DCACHE_NOMEM;
    }
    if (value->size > 0)
        memcpy(memory, value->data, value->size);
    memory[value->size] = 0;
    ret_value->data = memory;
    return 0;
}

int settings_get(struct db *db, const char *name, struct dcache_value *ret_value)
{
    struct dcache_value key = dcache_text(name), value;
    sqlite3_stmt *s;
    int rc = statement(db, GET, &s);

    if (rc == 0)
        rc = db_bind(db, s, 1, &key);
    if (rc == 0)
        rc = db_step(db, s);
    if (rc == 0)
        return os_fail(DCACHE_NOT_FOUND, "no setting '%s'", name);
    if (rc < 0)
        return rc;
    value = db_column(s, 0);
    rc = copy_value(&value, ret_value);
    (void)sqlite3_reset(s);
    return rc;
}

static bool is_same(const struct dcache_value *a, const struct dcache_value *b)
{
    if (a->type != b->type)
        return false;
    if (value_is_data(a))
        return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
    if (a->type == DCACHE_DOUBLE)
        return a->real == b->real;
    return a->type == DCACHE_NONE || a->integer == b->integer;
}

bool settings_differs(struct db *db, const struct dcache_setting *setting)
{
    struct dcache_value now = dcache_none();
    bool same = settings_get(db, setting->name, &now) == 0 && is_same(&now, &setting->value);

    dcache_value_clear(&now);
    return !same;
}

bool settings_has(const struct dcache_setting *list, size_t count,
                  const struct dcache_setting *setting)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, setting->name) == 0)
            return is_same(&list[i].value, &setting->value);
    return false;
}

/* A row to a list that has room for it. */
static int append(struct dcache_setting *list, size_t *count, const char *name,
                  const struct dcache_value *value)
{
    char *copy = os_strdup(name);
    int rc = copy ? copy_value(value, &list[*count].value) : DCACHE_NOMEM;

    if (rc < 0) {
        free(copy);
        return rc;
    }
    list[(*count)++].name = copy;
    return 0;
}

/* Make room for one more, a few at a time. */
static int grow(struct dcache_setting **list, size_t count)
{
    struct dcache_setting *grown;

    if (count % LIST_STEP != 0)
        return 0;
    grown = os_realloc(*list, (count + LIST_STEP) * sizeof **list);
    if (!grown)
        return DCACHE_NOMEM;
    *list = grown;
    return 0;
}

int settings_list(struct db *db, struct dcache_setting **ret_settings, size_t *ret_count)
{
    struct dcache_setting *list = NULL;
    size_t count = 0;
    sqlite3_stmt *s;
    int rc = statement(db, LIST, &s);

    if (rc < 0)
        return rc;
    while ((rc = db_step(db, s)) == 1) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        struct dcache_value value = db_column(s, 1);

        if (!name || is_counter(name, COUNTERS))
            continue;
        rc = grow(&list, count);
        if (rc == 0)
            rc = append(list, &count, name, &value);
        if (rc < 0)
            break;
    }
    (void)sqlite3_reset(s);
    if (rc < 0) {
        dcache_settings_free(list, count);
        return rc;
    }
    *ret_settings = list;
    *ret_count = count;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct dcache_setting *one = a, *other = b;

    return strcmp(one->name, other->name);
}

/* What has no room here is no row that has to be there. */
static bool take_name(const struct dcache_value *column, char name[NAME_SIZE])
{
    if (column->type != DCACHE_TEXT || column->size >= NAME_SIZE ||
        memchr(column->data, 0, column->size))
        return false;
    memcpy(name, column->data, column->size);
    name[column->size] = 0;
    return true;
}

/* The row that is next, if there is one. */
static int peek_one(struct peek *peek, struct settings *settings, size_t *present,
                    struct dcache_setting **list, size_t *count)
{
    struct dcache_value columns[2];
    char name[NAME_SIZE];
    int rc = peek_row(peek, columns, 2);

    if (rc <= 0)
        return rc;
    if (!take_name(&columns[0], name))
        return DCACHE_NOT_FOUND;
    *present += is_of_format(name);
    if (is_counter(name, COUNTERS))
        return 1;
    settings_apply(settings, name, &columns[1]);
    rc = grow(list, *count);
    if (rc == 0)
        rc = append(*list, count, name, &columns[1]);
    return rc < 0 ? rc : 1;
}

int settings_peek(struct peek *peek, struct settings *settings,
                  struct dcache_setting **ret_settings, size_t *ret_count)
{
    struct dcache_setting *list = NULL;
    size_t count = 0, present = 0;
    int rc;

    do
        rc = peek_one(peek, settings, &present, &list, &count);
    while (rc == 1);
    if (rc == 0 && present != OF_FORMAT)
        rc = DCACHE_NOT_FOUND;
    if (rc < 0) {
        dcache_settings_free(list, count);
        return rc;
    }
    qsort(list, count, sizeof *list, by_name);
    *ret_settings = list;
    *ret_count = count;
    return 0;
}

void dcache_settings_free(struct dcache_setting *settings, size_t count)
{
    for (size_t i = 0; settings && i < count; i++) {
        free((void *)(uintptr_t)settings[i].name); /* const for readers; ours to release */
        dcache_value_clear(&settings[i].value);
    }
    free(settings);
}

/* ---- counters ---- */

int settings_counter(struct db *db, const char *name, int64_t *ret_value)
{
    struct dcache_value key = dcache_text(name);
    sqlite3_stmt *s;
    int rc = statement(db, GET, &s);

    if (rc == 0)
        rc = db_bind(db, s, 1, &key);
    return rc < 0 ? rc : db_integer(db, s, 0, ret_value);
}

int settings_maxlen(struct db *db, int64_t *ret_maxlen)
{
    struct dcache_value value = dcache_none();
    struct settings settings = {.deque_maxlen = -1};
    int rc = settings_get(db, "deque_maxlen", &value);

    if (rc == 0)
        settings_apply(&settings, "deque_maxlen", &value);
    dcache_value_clear(&value);
    *ret_maxlen = settings.deque_maxlen;
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int settings_counter_add(struct db *db, const char *name, int64_t delta)
{
    struct dcache_value value = dcache_int(delta);

    return delta == 0 ? 0 : put(db, COUNTER_ADD, name, &value);
}

int settings_counter_set(struct db *db, const char *name, int64_t value)
{
    struct dcache_value number = dcache_int(value);

    return put(db, PUT, name, &number);
}

int settings_count_and_size_add(struct db *db, int64_t count, int64_t size)
{
    sqlite3_stmt *s;
    int rc;

    if (count == 0 && size == 0)
        return 0;
    rc = statement(db, size == 0 ? COUNT : COUNT_AND_SIZE, &s); /* most items have no file */
    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, count);
    (void)sqlite3_bind_int64(s, 2, size); /* of the second only */
    return db_run(db, s);
}
