/* test_faults.c - each operation runs again and again, and each time the next thing in it fails: the
 * library's own system calls, allocations and SQL steps; SQLite's allocations; SQLite's system
 * calls. Afterwards there is the old value or the new one, never neither; a call that failed has
 * changed nothing; no file is left over, no row without one; and the handle goes on working.
 *
 *     test_faults 'SQLite*set_many'     only those
 *     DCACHE_TEST_EVERY=1               leave out none */
#include "scenarios.h"
#include "txn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- what fails ---- */

static long sqlite_memory_left, sqlite_call_left;

static bool hit(long *left)
{
    return *left > 0 && --*left == 0;
}

static sqlite3_mem_methods memory;

static void *failing_malloc(int size)
{
    return hit(&sqlite_memory_left) ? NULL : memory.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
    return hit(&sqlite_memory_left) ? NULL : memory.xRealloc(old, size);
}

static bool fails(int error)
{
    if (!hit(&sqlite_call_left))
        return false;
    errno = error;
    return true;
}

/* What cannot be opened for writing SQLite opens for reading; that one is to fail, too. */
static int failing_open(const char *path, int flags, int mode)
{
    static _Thread_local bool again;
    bool refused = fails(EIO) || (again && (flags & O_ACCMODE) == O_RDONLY);

    again = refused && (flags & O_ACCMODE) == O_RDWR;
    if (!refused)
        return open(path, flags, mode);
    errno = EIO;
    return -1;
}

static ssize_t failing_read(int fd, void *buffer, size_t size)
{
    return fails(EIO) ? -1 : read(fd, buffer, size);
}

static ssize_t failing_pread(int fd, void *buffer, size_t size, off_t offset)
{
    return fails(EIO) ? -1 : pread(fd, buffer, size, offset);
}

static ssize_t failing_write(int fd, const void *buffer, size_t size)
{
    return fails(ENOSPC) ? -1 : write(fd, buffer, size);
}

static ssize_t failing_pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
    return fails(ENOSPC) ? -1 : pwrite(fd, buffer, size, offset);
}

static int failing_ftruncate(int fd, off_t size)
{
    return fails(EIO) ? -1 : ftruncate(fd, size);
}

static int failing_fstat(int fd, struct stat *st)
{
    return fails(EIO) ? -1 : fstat(fd, st);
}

static int failing_unlink(const char *path)
{
    return fails(EIO) ? -1 : unlink(path);
}

static void *failing_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    return fails(ENOMEM) ? MAP_FAILED : mmap(at, size, access, flags, fd, offset);
}

/* SQLite calls these past its table; the dynamic linker prefers ours. */
int fdatasync(int fd)
{
    return fails(EIO) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fails(EIO) ? -1 : (int)syscall(SYS_fsync, fd);
}

/* Locks are left out: that one is refused is how they work, and SQLite takes a failure for it. */
static void install(void)
{
    static const struct {
        const char *name;
        sqlite3_syscall_ptr call;
    } calls[] = {
        {"open", (sqlite3_syscall_ptr)failing_open},
        {"read", (sqlite3_syscall_ptr)failing_read},
        {"pread", (sqlite3_syscall_ptr)failing_pread},
        {"pread64", (sqlite3_syscall_ptr)failing_pread},
        {"write", (sqlite3_syscall_ptr)failing_write},
        {"pwrite", (sqlite3_syscall_ptr)failing_pwrite},
        {"pwrite64", (sqlite3_syscall_ptr)failing_pwrite},
        {"ftruncate", (sqlite3_syscall_ptr)failing_ftruncate},
        {"fstat", (sqlite3_syscall_ptr)failing_fstat},
        {"unlink", (sqlite3_syscall_ptr)failing_unlink},
        {"mmap", (sqlite3_syscall_ptr)failing_mmap},
    };
    sqlite3_mem_methods failing;
    sqlite3_vfs *vfs;

    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory), SQLITE_OK);
    failing = memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    /* Else small allocations never come here. */
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    vfs = sqlite3_vfs_find(NULL);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (vfs->xGetSystemCall(vfs, calls[i].name))
            assert_int_equal(vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call), SQLITE_OK);
}

/* ---- on and off ---- */

enum kind { OURS, SQLITE_MEMORY, SQLITE_CALLS, KINDS };

static const char *const kind_names[] = {"ours", "SQLite's memory", "SQLite's calls"};
static bool on, fired;
static long *left;

static void faults_on(enum kind kind, long n)
{
    left = kind == OURS            ? &os_fault_at
           : kind == SQLITE_MEMORY ? &sqlite_memory_left
                                   : &sqlite_call_left;
    *left = n;
    fired = false;
    on = true;
}

void faults_off(void)
{
    if (!on)
        return;
    fired = *left == 0;
    *left = 0;
    on = false;
}

/* ---- what has to be true afterwards ---- */

#define MOST_PARTS 2

struct state {
    char *part[MOST_PARTS];
};

static char *state_of_part(const char *dir)
{
    char path[320];

    (void)snprintf(path, sizeof path, "%s/cache.db", dir);
    /* An open that has failed may leave a database without tables. */
    if (access(path, F_OK) < 0 ||
        sql_number(dir, "SELECT count(*) FROM sqlite_schema WHERE name = 'Cache'") == 0)
        return strdup("");
    return describe(dir);
}

static struct state state_of(const struct place *place)
{
    struct state state = {{NULL}};

    for (int i = 0; place_part(place, i); i++)
        state.part[i] = state_of_part(place_part(place, i));
    return state;
}

static bool same_state(const struct state *a, const struct state *b)
{
    for (int i = 0; i < MOST_PARTS && a->part[i]; i++)
        if (strcmp(a->part[i], b->part[i]) != 0)
            return false;
    return true;
}

static void free_state(struct state *state)
{
    for (int i = 0; i < MOST_PARTS; i++)
        free(state->part[i]);
}

/* Whether each line of `part` is in `whole`. */
static bool is_part(const char *part, const char *whole)
{
    while (*part) {
        size_t length = strcspn(part, "\n") + 1;
        const char *at = whole;

        while (*at && strncmp(at, part, length) != 0)
            at += strcspn(at, "\n") + 1;
        if (!*at)
            return false;
        part += length;
    }
    return true;
}

static void assert_status(const struct scenario *s, enum kind kind, int rc)
{
    const struct dcache_error *last = dcache_last_error();

    if (rc == s->wanted)
        return;
    if (kind == SQLITE_CALLS && rc == DCACHE_CORRUPT)
        return; /* so SQLite takes an EIO when it reads */
    /* Never "no such key" or another answer of the operation's own. */
    if ((rc != DCACHE_NOMEM && rc != DCACHE_IO && rc != DCACHE_FULL && rc != DCACHE_ABORTED) ||
        last->status != rc || last->text[0] == 0)
        fail_msg("%s (%d); noted: %d, SQLite %d, errno %d: %s", dcache_strerror(rc), rc,
                 last->status, last->sqlite_code, last->sys_errno, last->text);
}

/* On a disk that seemed full: each item that is there is as it should be, those that are not there have
 * gone (assert_rows_have_files() then finds no file of theirs), and what the operation is about, which
 * is what `should` has and `other` has not, is there. */
static void assert_old_or_new(const char *should, const char *other, const char *now)
{
    assert_true(is_part(now, should));
    for (const char *line = should; *line; line += strcspn(line, "\n") + 1) {
        char *text = strndup(line, strcspn(line, "\n") + 1);

        assert_true(is_part(text, other) || is_part(text, now));
        free(text);
    }
}

/* One part of a state; `other`: the whole may be the new one, and is. */
static void assert_part(const struct scenario *s, int rc, bool other, const char *now,
                        const char *before, const char *after)
{
    if (s->flags & OWN)
        return;
    if (s->flags & EVICTS)
        assert_old_or_new(rc == s->wanted ? after : before, rc == s->wanted ? before : after, now);
    else if (rc == s->wanted)
        assert_string_equal(now, after);
    else if (s->flags & IN_BATCHES)
        assert_true(is_part(now, before) && is_part(after, now));
    else if (!other && !((s->flags & EACH_SHARD) && strcmp(now, after) == 0))
        assert_string_equal(now, before);
}

static void assert_state(const struct scenario *s, const struct place *place, int rc,
                         const struct state *before, const struct state *after)
{
    struct state now = state_of(place);
    bool same = (s->flags & OWN) || same_state(&now, before);
    bool other = (s->flags & EITHER) && same_state(&now, after);
    int strays = 0;

    for (int i = 0; place_part(place, i); i++) {
        assert_part(s, rc, other, now.part[i], before->part[i], after->part[i]);
        if (*now.part[i] && !(same && (s->flags & BROKEN))) {
            strays += assert_rows_have_files(place_part(place, i));
            assert_counters_right(place_part(place, i));
        }
    }
    /* What was done stays done, though a file could not be removed. */
    assert_true(strays == 0 ||
                (fired && strays == 1 && (rc == s->wanted || (s->flags & EACH_SHARD))));
    free_state(&now);
}

static int idle_connections(struct store *store)
{
    int idle = 0;

    pthread_mutex_lock(&store->pool.mutex);
    for (struct db *db = store->pool.idle; db; db = db->next)
        idle++;
    idle -= store->pool.connections;
    pthread_mutex_unlock(&store->pool.mutex);
    return idle;
}

/* Neither the locks nor a connection is lost, and the next write goes through. The helper may have them for
 * the moment. */
static void assert_nothing_is_held(struct store *store)
{
    struct shared_segment *segment = store->shared.segment;
    int64_t end = os_monotonic() + 5000 * OS_MS;

    if (store_is_stale(store)) /* opened, and no more */
        return;
    while ((idle_connections(store) != 0 || segment->lock.word != 0 ||
            segment->memtable.append.word != 0) &&
           os_monotonic() < end)
        os_relax();
    assert_int_equal(idle_connections(store), 0);
    assert_int_equal(segment->lock.word, 0);
    assert_int_equal(segment->memtable.append.word, 0);
    assert_int_equal(store->owner, 0);
}

static void assert_usable(struct place *place)
{
    for (int i = 0; dcache_shard(place->cache, i); i++)
        assert_nothing_is_held(dcache_shard(place->cache, i)->store);
    if (dcache_is_read_only(place->cache))
        return;
    if (dcache_set(place->cache, KEY("probe"), INT(1), SET(.flags = DCACHE_PINNED)) < 0)
        fail_msg("the next write: %s", dcache_last_error()->text);
    assert_true(get_is(place->cache, KEY("probe"), INT(1)));
    assert_int_equal(dcache_delete(place->cache, KEY("probe")), 0);
}

/* Once this process has let go of the directory, a check leaves nothing to find. */
static void assert_mended(struct place *place)
{
    struct dcache_report report;

    place_open(place);
    assert_int_equal(dcache_check(place->cache, 1, &report), 0);
    dcache_report_clear(&report);
    assert_int_equal(dcache_check(place->cache, 0, &report), 0);
    for (size_t i = 0; i < report.count; i++)
        fail_msg("%s", report.problems[i].text);
    dcache_report_clear(&report);
    place_close(place);
    for (int i = 0; place_part(place, i); i++) {
        assert_int_equal(assert_rows_have_files(place_part(place, i)), 0);
        assert_counters_right(place_part(place, i));
    }
}

/* ---- the loop ---- */

struct task {
    const struct scenario *scenario;
    enum kind kind;
    int shards;
};

static void begin(const struct task *task, struct place *place)
{
    const struct scenario *s = task->scenario;

    faults_off(); /* a test that has failed may have left them on */
    place_new(place);
    place->shards = task->shards;
    if (s->prepare || !(s->flags & OPENS))
        place_open(place);
    if (s->prepare)
        s->prepare(place);
    if (s->flags & OPENS)
        place_close(place);
}

static void end(struct place *place)
{
    place_close(place);
    assert_int_equal(count_descriptors(), place->descriptors);
    place_clean(place);
}

/* Run it with the n-th thing failing; false when there is no n-th. */
static bool attempt(const struct task *task, long n, const struct state *before,
                    const struct state *after)
{
    const struct scenario *s = task->scenario;
    struct place place;
    int rc;

    begin(task, &place);
    memset((void *)(uintptr_t)dcache_last_error(), 0, sizeof(struct dcache_error));
    faults_on(task->kind, n);
    rc = s->run(&place);
    faults_off();
    if (!fired)
        assert_int_equal(rc, s->wanted);
    assert_status(s, task->kind, rc);
    assert_state(s, &place, rc, before, after);
    if (!place.cache) {
        assert_true(rc < 0 || !(s->flags & OPENS));
        place_open(&place);
    }
    assert_usable(&place);
    place_close(&place);
    if (fired)
        assert_mended(&place);
    end(&place);
    return fired;
}

static const long most_attempts = 20000;
static bool every; /* else only some of SQLite's allocations beyond the first: they are many */

static void old_or_new_and_nothing_left_over(void **state)
{
    const struct task *task = *state;
    const struct scenario *s = task->scenario;
    struct state before, after;
    struct place place;
    long n = 1;

    begin(task, &place);
    before = state_of(&place);
    assert_int_equal(s->run(&place), s->wanted);
    after = state_of(&place);
    end(&place);
    while (attempt(task, n, &before, &after)) {
        n += task->kind == SQLITE_MEMORY && !every ? 1 + n / 12 : 1;
        assert_true(n < most_attempts); /* it would never end */
    }
    free_state(&before);
    free_state(&after);
}

struct list {
    struct task *tasks;
    struct CMUnitTest *tests;
    size_t count;
};

static void add(struct list *list, const struct scenario *all, size_t count, enum kind kind,
                int shards)
{
    for (size_t i = 0; i < count; i++, list->count++) {
        struct CMUnitTest *test = &list->tests[list->count];
        char name[120];

        (void)snprintf(name, sizeof name, "%s: %s", kind_names[kind], all[i].name);
        list->tasks[list->count] = (struct task){&all[i], kind, shards};
        test->name = strdup(name);
        test->test_func = old_or_new_and_nothing_left_over;
        test->initial_state = &list->tasks[list->count];
    }
}

int main(int argc, char **argv)
{
    size_t most = KINDS * (scenario_count + collection_scenario_count + txn_scenario_count +
                           fanout_scenario_count);
    struct list list = {calloc(most, sizeof *list.tasks), calloc(most, sizeof *list.tests), 0};
    int failed;

    install();
    every = getenv("DCACHE_TEST_EVERY") != NULL;
    for (int kind = 0; kind < KINDS; kind++) {
        add(&list, scenarios, scenario_count, (enum kind)kind, 0);
        add(&list, collection_scenarios, collection_scenario_count, (enum kind)kind, 0);
        add(&list, txn_scenarios, txn_scenario_count, (enum kind)kind, 0);
        add(&list, fanout_scenarios, fanout_scenario_count, (enum kind)kind, 2);
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    failed = _cmocka_run_group_tests("faults", list.tests, list.count, NULL, NULL);
    for (size_t i = 0; i < list.count; i++)
        free((char *)(uintptr_t)list.tests[i].name);
    free(list.tests);
    free(list.tasks);
    return failed;
}
