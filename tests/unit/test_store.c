/* test_store.c - an open directory: what opening writes, who shares what, forks, threads, directories
 * that go away, reading only, doing without shared memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"
#include "txn.h"

#define CONNECTIONS 8 /* that a process has at most of a directory */

static const char *cache(void)
{
    return in("c");
}

static dcache *opened(void)
{
    dcache *c = NULL;

    assert_int_equal(open_with(cache(), 0, 20, &c), 0);
    return c;
}

/* A cache with two values, closed again. */
static void make_cache(void)
{
    dcache *c = opened();

    assert_int_equal(put(c, "small", "value"), 0);
    assert_int_equal(put_bytes(c, "large", 'L', 50000), 0);
    dcache_close(c);
}

static int add_to(dcache *c, const char *key, int64_t delta)
{
    struct dcache_value k = dcache_text(key), d = dcache_int(delta);

    return dcache_incr(c, &k, &d, NULL, NULL);
}

static int64_t number_in(dcache *c, const char *key)
{
    struct dcache_value k = dcache_text(key);
    struct dcache_entry e;
    int64_t number = dcache_get(c, &k, NULL, &e) == 0 ? e.value.integer : -1;

    dcache_entry_clear(&e);
    return number;
}

/* ---- opening ---- */

static int sit(struct child *self)
{
    dcache *c;

    MUST(open_with(cache(), 0, 20, &c) == 0);
    MUST(put(c, "sitting", "yes") == 0);
    MUST(count_of(c) > 0); /* the memtable has nothing left to write */
    child_say(self, 'o');
    (void)child_hear(self);
    dcache_close(c);
    return 0;
}

static void opening_an_existing_cache_writes_nothing(void **state)
{
    char *before, *after;
    struct stat was, is;
    dcache *c;

    (void)state;
    make_cache();
    before = read_file(in("c/cache.db"), NULL);
    assert_int_equal(stat(in("c/cache.db"), &was), 0);
    c = opened();
    assert_int_equal(has(c, "small", "value"), 1);
    assert_int_equal(size_of(in("c/cache.db-wal")), 0); /* the log has not been begun */
    dcache_close(c);
    after = read_file(in("c/cache.db"), NULL);
    assert_int_equal(stat(in("c/cache.db"), &is), 0);
    assert_int_equal(is.st_size, was.st_size);
    assert_memory_equal(before, after, (size_t)was.st_size);
    assert_memory_equal(&is.st_mtim, &was.st_mtim, sizeof is.st_mtim);
    free(before);
    free(after);
}

static void opening_a_directory_at_rest_leaves_no_trace(void **state)
{
    char *before, *after;
    dcache *c;

    (void)state;
    make_cache();
    before = listing(cache());
    c = opened();
    dcache_close(c);
    c = opened();
    after = listing(cache());
    assert_string_equal(before, after);
    free(after);
    free(before);
    assert_int_equal(has(c, "small", "value"), 1);
    assert_true(exists(in("c/cache.db-shared"))); /* the first use */
    dcache_close(c);
}

/* Between the open and the first use. */
static void first_use_finds_what_has_become_of_the_directory(void **state)
{
    static const char *const events[] = {"rm -r c", "mv c elsewhere", "rm c/cache.db",
                                         "mv c elsewhere; cp -r elsewhere c"};
    dcache *c;

    (void)state;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        assert_int_equal(shell("rm -rf c elsewhere"), 0);
        make_cache();
        c = opened();
        assert_int_equal(shell(events[i]), 0);
        assert_int_equal(has(c, "small", "value"), i == 3);
        assert_int_equal(put(c, "k", "v"), 0);
        dcache_close(c);
        c = opened();
        assert_int_equal(has(c, "k", "v"), 1);
        dcache_close(c);
    }
}

static void first_use_sees_what_others_have_done_since_the_open(void **state)
{
    struct dcache_value limit = dcache_int(77);
    struct child child;
    dcache *c;

    (void)state;
    make_cache();
    c = opened();
    assert_int_equal(shell("sqlite3 c/cache.db \"UPDATE Settings SET value = 77"
                           " WHERE key = 'cull_limit'\""),
                     0);
    child = child_start(sit);
    assert_int_equal(child_hear(&child), 'o');
    assert_int_equal(has(c, "sitting", "yes"), 1);
    assert_int_equal(c->store->settings.cull_limit, limit.integer);
    assert_int_equal(put(c, "k", "v"), 0);
    assert_int_equal(child_end(&child), 0);
    dcache_close(c);
}

static dcache *resting;

static int use_it(struct child *self)
{
    (void)self;
    MUST(has(resting, "small", "value") == 1);
    MUST(put(resting, "child", "was here") == 0);
    dcache_close(resting);
    return 0;
}

static void fork_before_the_first_use_gives_each_its_own(void **state)
{
    struct child child;

    (void)state;
    make_cache();
    resting = opened();
    child = child_start(use_it);
    assert_int_equal(put(resting, "parent", "too"), 0);
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(has(resting, "child", "was here"), 1);
    assert_int_equal(has(resting, "parent", "too"), 1);
    dcache_close(resting);
}

static void *use_first(void *arg)
{
    dcache *c = arg;

    for (int i = 0; i < 20; i++)
        if (add_to(c, "number", 1) < 0)
            return arg;
    return NULL;
}

static void threads_may_use_it_first_together(void **state)
{
    pthread_t threads[8];
    void *failed;
    dcache *c;

    (void)state;
    make_cache();
    c = opened();
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_first, c), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(number_in(c, "number"), 160);
    dcache_close(c);
}

static void opening_one_in_use_writes_nothing_to_database_and_log(void **state)
{
    struct child child = child_start(sit);
    char *before, *after;
    dcache *c;

    (void)state;
    assert_int_equal(child_hear(&child), 'o');
    assert_int_equal(shell("stat -c '%n %s %y' c/cache.db c/cache.db-wal >before;"
                           "cksum c/cache.db c/cache.db-wal >>before"),
                     0);
    c = opened();
    assert_int_equal(has(c, "sitting", "yes"), 1);
    dcache_close(c);
    assert_int_equal(shell("stat -c '%n %s %y' c/cache.db c/cache.db-wal >after;"
                           "cksum c/cache.db c/cache.db-wal >>after"),
                     0);
    before = read_file(in("before"), NULL);
    after = read_file(in("after"), NULL);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_int_equal(child_end(&child), 0);
}

static void closed_directory_holds_nothing_of_ours(void **state)
{
    (void)state;
    make_cache();
    assert_true(exists(in("c/cache.db")));
    assert_false(exists(in("c/cache.db-shared")));
    assert_false(exists(in("c/cache.db-wal")));
    assert_false(exists(in("c/cache.db-shm")));
    assert_int_equal(count_temporary(cache()), 0);
}

static void directories_are_made_private_or_as_asked(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct stat st;
    dcache *c = NULL;

    (void)state;
    assert_int_equal(dcache_open(in("a/b//c/"), NULL, &c), 0);
    assert_string_equal(dcache_directory(c), in("a/b/c"));
    assert_int_equal(put(c, "k", "v"), 0);
    assert_int_equal(stat(in("a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(in("a/b/c/cache.db"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(in("a/b/c/cache.db-wal"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    dcache_close(c);
    options.directory_mode = 0750;
    options.file_mode = 0640;
    assert_int_equal(dcache_open(in("shared"), &options, &c), 0);
    assert_int_equal(stat(in("shared"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    assert_int_equal(stat(in("shared/cache.db-shared"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    dcache_close(c);
}

static void without_leave_to_create_nothing_is_made(void **state)
{
    dcache *c = NULL;

    (void)state;
    assert_int_equal(open_with(cache(), DCACHE_NO_CREATE, 1, &c), DCACHE_NOT_FOUND);
    assert_false(exists(cache()));
    assert_int_equal(mkdir(cache(), 0700), 0);
    assert_int_equal(write_file(in("c/mine"), "x", 1), 0);
    assert_int_equal(open_with(cache(), DCACHE_NO_CREATE, 1, &c), DCACHE_NOT_FOUND);
    assert_int_equal(open_with(cache(), DCACHE_READ_ONLY, 1, &c), DCACHE_NOT_FOUND);
    assert_false(exists(in("c/cache.db")));
    assert_false(exists(in("c/cache.db-shared")));
    assert_null(c);
    make_cache();
    assert_int_equal(open_with(cache(), DCACHE_NO_CREATE, 1, &c), 0);
    assert_int_equal(has(c, "small", "value"), 1);
    dcache_close(c);
}

static void wrong_arguments_are_refused(void **state)
{
    dcache *c = NULL;

    (void)state;
    assert_int_equal(dcache_open(NULL, NULL, &c), DCACHE_INVALID);
    assert_int_equal(dcache_open("", NULL, &c), DCACHE_INVALID);
    assert_int_equal(open_with(cache(), 0, (double)NAN, &c), DCACHE_INVALID);
    assert_int_equal(write_file(in("file"), "x", 1), 0);
    assert_int_equal(open_with(in("file"), 0, 1, &c), DCACHE_IO);
    assert_int_equal(open_with(in("file/c"), 0, 1, &c), DCACHE_IO);
    assert_null(c);
    dcache_close(NULL);
}

static int open_and_put(struct child *self)
{
    char key[16];
    dcache *c;

    (void)child_hear(self);
    MUST(open_with(cache(), 0, 20, &c) == 0);
    (void)snprintf(key, sizeof key, "%d", (int)getpid());
    MUST(put(c, key, "mine") == 0);
    dcache_close(c);
    return 0;
}

static void many_may_make_one_cache_at_once(void **state)
{
    struct child children[6];
    char key[16];
    dcache *c;

    (void)state;
    for (int i = 0; i < 6; i++)
        children[i] = child_start(open_and_put);
    for (int i = 0; i < 6; i++)
        child_say(&children[i], 'g');
    for (int i = 0; i < 6; i++)
        assert_int_equal(child_end(&children[i]), 0);
    c = opened();
    for (int i = 0; i < 6; i++) {
        (void)snprintf(key, sizeof key, "%d", (int)children[i].pid);
        assert_int_equal(has(c, key, "mine"), 1);
    }
    assert_int_equal(count_of(c), 6);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

/* ---- sharing within a process ---- */

static void handles_of_one_directory_share_what_lies_below(void **state)
{
    dcache *a = opened(), *b = opened(), *through_link = NULL, *reader = NULL;

    (void)state;
    assert_int_equal(symlink("c", in("link")), 0);
    assert_int_equal(open_with(in("link"), 0, 20, &through_link), 0);
    assert_int_equal(open_with(cache(), DCACHE_READ_ONLY, 20, &reader), 0);
    assert_ptr_equal(a->store, b->store);
    assert_ptr_equal(a->store, through_link->store);
    assert_ptr_not_equal(a->store, reader->store);
    assert_int_equal(put(a, "k", "v"), 0);
    dcache_close(a); /* the others go on */
    assert_int_equal(has(b, "k", "v"), 1);
    assert_int_equal(has(through_link, "k", "v"), 1);
    assert_int_equal(has(reader, "k", "v"), 1);
    dcache_close(b);
    dcache_close(through_link);
    dcache_close(reader);
    assert_false(exists(in("c/cache.db-shared")));
}

static void pool_is_bounded_and_waiting_for_it_too(void **state)
{
    struct db *lent[CONNECTIONS], *more;
    dcache *c = opened();
    int64_t begin;

    (void)state;
    for (int i = 0; i < CONNECTIONS; i++)
        assert_int_equal(store_borrow(c->store, os_deadline(1), &lent[i]), 0);
    begin = now_ms();
    assert_int_equal(store_borrow(c->store, os_deadline(0.1), &more), DCACHE_TIMEOUT);
    assert_in_range(now_ms() - begin, 95, 5000);
    assert_int_equal(store_borrow(c->store, 0, &more), DCACHE_TIMEOUT);
    for (int i = 0; i < CONNECTIONS; i++)
        store_return(c->store, lent[i]);
    assert_int_equal(store_borrow(c->store, 0, &more), 0);
    store_return(c->store, more);
    dcache_close(c);
}

static void *work(void *arg)
{
    dcache *c = arg;
    char key[32];
    long failed = 0;

    (void)snprintf(key, sizeof key, "%p", (void *)&key);
    for (int i = 0; i < 30; i++) {
        failed += put(c, key, "mine") != 0;
        failed += has(c, key, "mine") != 1;
        failed += add_to(c, "together", 1) != 0;
    }
    return (void *)failed;
}

static int open_descriptors(void)
{
    DIR *stream = opendir("/proc/self/fd");
    int count = 0;

    while (stream && readdir(stream))
        count++;
    if (stream)
        (void)closedir(stream);
    return count;
}

static void more_threads_than_connections_get_on(void **state)
{
    dcache *c = opened();
    pthread_t threads[24];
    int before = open_descriptors();

    (void)state;
    for (int i = 0; i < 24; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, c), 0);
    for (int i = 0; i < 24; i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(number_in(c, "together"), 24 * 30);
    assert_true(open_descriptors() - before <= 3 * CONNECTIONS);
    dcache_close(c);
}

static void thread_with_a_transaction_is_told_at_once_that_it_waits_for_itself(void **state)
{
    dcache *c = opened(), *other = opened(), *txn;
    int64_t begin;

    (void)state;
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    begin = now_ms();
    assert_int_equal(put(c, "k", "v"), DCACHE_TIMEOUT);
    assert_int_equal(put(other, "k", "v"), DCACHE_TIMEOUT);
    assert_true(now_ms() - begin < 5000);
    assert_int_equal(absent(other, "k"), 1); /* reading is free */
    assert_int_equal(put(txn, "k", "v"), 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(has(other, "k", "v"), 1);
    dcache_close(c);
    dcache_close(other);
}

/* ---- fork ---- */

static dcache *inherited, *inherited_txn;

static int use_inherited(struct child *self)
{
    MUST(has(inherited, "small", "value") == 1);
    MUST(has_bytes(inherited, "large", 'L', 50000) == 1);
    MUST(put(inherited, "child", "small") == 0);
    MUST(put_bytes(inherited, "child-large", 'C', 60000) == 0);
    child_say(self, 'w');
    MUST(child_hear(self) == 'p');
    MUST(has(inherited, "parent", "later") == 1);
    for (int i = 0; i < 100; i++)
        MUST(add_to(inherited, "both", 1) == 0);
    dcache_close(inherited);
    return 0;
}

static void child_of_a_fork_goes_on_with_connections_of_its_own(void **state)
{
    struct child child;

    (void)state;
    make_cache();
    inherited = opened();
    assert_int_equal(has(inherited, "small", "value"), 1);
    child = child_start(use_inherited);
    assert_int_equal(child_hear(&child), 'w');
    assert_int_equal(has(inherited, "child", "small"), 1);
    assert_int_equal(put(inherited, "parent", "later"), 0);
    child_say(&child, 'p');
    for (int i = 0; i < 100; i++)
        assert_int_equal(add_to(inherited, "both", 1), 0);
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(number_in(inherited, "both"), 200);
    assert_int_equal(has_bytes(inherited, "child-large", 'C', 60000), 1);
    assert_int_equal(problems(inherited, 0), 0);
    dcache_close(inherited);
    assert_false(exists(in("c/cache.db-shared")));
}

static int only_close(struct child *self)
{
    (void)self;
    dcache_close(inherited); /* never used here */
    return 0;
}

static int fork_again(struct child *self)
{
    struct child grandchild;

    (void)self;
    MUST(put(inherited, "child", "1") == 0);
    grandchild = child_start(only_close);
    MUST(child_end(&grandchild) == 0);
    MUST(put(inherited, "child", "2") == 0);
    MUST(has(inherited, "child", "2") == 1);
    return 0;
}

static void child_that_only_closes_takes_nothing_from_its_parent(void **state)
{
    struct child child;

    (void)state;
    inherited = opened();
    assert_int_equal(put(inherited, "k", "v"), 0);
    child = child_start(only_close);
    assert_int_equal(child_end(&child), 0);
    assert_true(exists(in("c/cache.db-shared")));
    child = child_start(fork_again);
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(has(inherited, "child", "2"), 1);
    assert_int_equal(put(inherited, "k", "w"), 0);
    assert_int_equal(has(inherited, "k", "w"), 1);
    dcache_close(inherited);
}

static int use_inherited_transaction(struct child *self)
{
    struct dcache_value key = dcache_text("large");
    struct dcache_entry e;
    dcache *more;

    MUST(put(inherited_txn, "x", "y") == DCACHE_FORKED);
    MUST(put_bytes(inherited_txn, "x", 'y', 50000) == DCACHE_FORKED);
    MUST(dcache_get(inherited_txn, &key, NULL, &e) == DCACHE_FORKED);
    MUST(dcache_delete(inherited_txn, &key) == DCACHE_FORKED);
    MUST(dcache_begin(inherited_txn, -1, &more) == DCACHE_FORKED);
    MUST(dcache_commit(inherited_txn) == DCACHE_FORKED);
    MUST(has_bytes(inherited, "large", 'L', 50000) == 1); /* as before the transaction */
    MUST(absent(inherited, "in"));
    MUST(put(inherited, "child", "early") == DCACHE_TIMEOUT); /* the parent holds the lock */
    child_say(self, 'f');
    MUST(child_hear(self) == 'c');
    MUST(has(inherited, "in", "side") == 1);
    MUST(has_bytes(inherited, "large", 'N', 70000) == 1);
    MUST(put(inherited, "child", "late") == 0);
    dcache_close(inherited);
    return 0;
}

static void fork_in_a_transaction_leaves_it_to_the_parent(void **state)
{
    struct child child;

    (void)state;
    make_cache();
    assert_int_equal(open_with(cache(), 0, 0.2, &inherited), 0);
    assert_int_equal(dcache_begin(inherited, -1, &inherited_txn), 0);
    assert_int_equal(put(inherited_txn, "in", "side"), 0);
    assert_int_equal(put_bytes(inherited_txn, "large", 'N', 70000), 0);
    child = child_start(use_inherited_transaction);
    assert_int_equal(child_hear(&child), 'f');
    assert_int_equal(put(inherited_txn, "after", "fork"), 0);
    assert_int_equal(dcache_commit(inherited_txn), 0);
    child_say(&child, 'c');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(has(inherited, "child", "late"), 1);
    assert_int_equal(has(inherited, "after", "fork"), 1);
    assert_int_equal(has_bytes(inherited, "large", 'N', 70000), 1);
    assert_int_equal(count_ending(cache(), ".val"), 1);
    assert_int_equal(problems(inherited, 0), 0);
    dcache_close(inherited);
}

static int roll_back_inherited(struct child *self)
{
    (void)self;
    dcache_rollback(inherited_txn);
    dcache_close(inherited);
    return 0;
}

static void rollback_in_the_child_undoes_nothing_of_the_parent(void **state)
{
    struct child child;

    (void)state;
    inherited = opened();
    assert_int_equal(dcache_begin(inherited, -1, &inherited_txn), 0);
    assert_int_equal(put_bytes(inherited_txn, "large", 'N', 70000), 0);
    child = child_start(roll_back_inherited);
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(dcache_commit(inherited_txn), 0);
    assert_int_equal(has_bytes(inherited, "large", 'N', 70000), 1);
    dcache_close(inherited);
}

/* ---- the directory goes away ---- */

/* Readers notice within a moment, not at once. */
static int soon_absent(dcache *c, const char *key)
{
    int64_t end = now_ms() + 5000;

    while (!absent(c, key))
        if (now_ms() > end)
            return 0;
    return 1;
}

static int has_key_k(struct child *self)
{
    dcache *c;

    (void)self;
    MUST(open_with(cache(), DCACHE_NO_CREATE, 20, &c) == 0);
    MUST(has(c, "k", "v") == 1);
    MUST(problems(c, 0) == 0);
    dcache_close(c);
    return 0;
}

static void removed_directory_is_made_anew_by_a_write(void **state)
{
    dcache *c, *other;
    struct child child;

    (void)state;
    make_cache();
    c = opened();
    other = opened();
    for (int i = 0; i < 3; i++) {
        remove_tree(cache());
        assert_int_equal(put(c, "k", "v"), 0);
        child = child_start(has_key_k); /* no lie: others see it */
        assert_int_equal(child_end(&child), 0);
        assert_int_equal(absent(c, "small"), 1);
        assert_int_equal(has(other, "k", "v"), 1);
        remove_tree(cache());
        assert_int_equal(put_bytes(c, "large", 'M', 50000), 0);
        assert_int_equal(has_bytes(other, "large", 'M', 50000), 1);
    }
    assert_int_equal(problems(c, 0), 0);
    dcache_close(other);
    dcache_close(c);
    assert_false(exists(in("c/cache.db-shared")));
}

static void removed_directory_is_empty_to_a_reader(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    c = opened();
    assert_int_equal(has(c, "small", "value"), 1);
    remove_tree(cache());
    assert_int_equal(soon_absent(c, "small"), 1);
    assert_int_equal(count_of(c), 0);
    dcache_close(c);
}

static void directory_that_cannot_be_made_anew_is_an_error_until_it_can(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    c = opened();
    remove_tree(cache());
    assert_int_equal(write_file(cache(), "a file", 6), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(c, "k", "v"), DCACHE_IO);
        assert_int_equal(put_bytes(c, "k", 'v', 50000), DCACHE_IO);
    }
    assert_int_equal(unlink(cache()), 0);
    assert_int_equal(mkdir(cache(), 0700), 0);
    assert_int_equal(mkdir(in("c/cache.db"), 0700), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(c, "k", "v"), DCACHE_CORRUPT);
        assert_int_equal(has(c, "k", "v"), DCACHE_CORRUPT);
    }
    assert_int_equal(rmdir(in("c/cache.db")), 0);
    assert_int_equal(put(c, "k", "v"), 0);
    assert_int_equal(has(c, "k", "v"), 1);
    dcache_close(c);
}

static void transaction_in_a_removed_directory_is_no_success(void **state)
{
    dcache *c, *txn;

    (void)state;
    make_cache();
    c = opened();
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(put(txn, "k", "v"), 0);
    remove_tree(cache());
    assert_int_equal(put(txn, "l", "w"), 0);
    assert_int_equal(dcache_commit(txn), DCACHE_GONE);
    assert_int_equal(put(c, "k", "v"), 0);
    assert_int_equal(has(c, "k", "v"), 1);
    assert_int_equal(absent(c, "l"), 1);
    dcache_close(c);
}

/* A directory that is gone shows in each write; a file that is another one within 50 ms. */
static void replaced_database_is_noticed_within_a_moment(void **state)
{
    dcache *c, *made = NULL;
    int64_t end = now_ms() + 5000;

    (void)state;
    assert_int_equal(open_with(in("new"), 0, 20, &made), 0);
    assert_int_equal(put(made, "new", "there"), 0);
    dcache_close(made);
    make_cache();
    c = opened();
    assert_int_equal(has(c, "small", "value"), 1);
    assert_int_equal(shell("rm -f c/cache.db-wal c/cache.db-shm && mv new/cache.db c/cache.db"), 0);
    while (has(c, "new", "there") != 1 && now_ms() < end)
        assert_int_equal(put(c, "early", "e"), 0);
    assert_int_equal(absent(c, "small"), 1);
    assert_int_equal(put(c, "k", "v"), 0);
    dcache_close(c);
    c = opened();
    assert_int_equal(has(c, "new", "there"), 1);
    assert_int_equal(has(c, "k", "v"), 1);
    assert_int_equal(problems(c, 1), 1); /* the file of the value that the old database had */
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

/* ---- the log ---- */

static void log_of_a_large_transaction_is_bounded_and_counted(void **state)
{
    struct dcache_stats stats;
    dcache *c = NULL, *txn;

    (void)state;
    assert_int_equal(open_setting(cache(), "disk_min_file_size", dcache_int(1 << 30), &c), 0);
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(put_bytes(txn, in("%d", i), 'x', 800000), 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_true(size_of(in("c/cache.db-wal")) <= 20 << 20);
    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    assert_int_equal(stats.wal_bytes, size_of(in("c/cache.db-wal")));
    assert_true(stats.db_bytes >= 80000000);
    assert_int_equal(count_of(c), 100);
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opening_an_existing_cache_writes_nothing),
        TEST(opening_a_directory_at_rest_leaves_no_trace),
        TEST(first_use_finds_what_has_become_of_the_directory),
        TEST(first_use_sees_what_others_have_done_since_the_open),
        TEST(fork_before_the_first_use_gives_each_its_own),
        TEST(threads_may_use_it_first_together),
        TEST(opening_one_in_use_writes_nothing_to_database_and_log),
        TEST(closed_directory_holds_nothing_of_ours),
        TEST(directories_are_made_private_or_as_asked),
        TEST(without_leave_to_create_nothing_is_made),
        TEST(wrong_arguments_are_refused),
        TEST(many_may_make_one_cache_at_once),
        TEST(handles_of_one_directory_share_what_lies_below),
        TEST(pool_is_bounded_and_waiting_for_it_too),
        TEST(more_threads_than_connections_get_on),
        TEST(thread_with_a_transaction_is_told_at_once_that_it_waits_for_itself),
        TEST(child_of_a_fork_goes_on_with_connections_of_its_own),
        TEST(child_that_only_closes_takes_nothing_from_its_parent),
        TEST(fork_in_a_transaction_leaves_it_to_the_parent),
        TEST(rollback_in_the_child_undoes_nothing_of_the_parent),
        TEST(removed_directory_is_made_anew_by_a_write),
        TEST(removed_directory_is_empty_to_a_reader),
        TEST(directory_that_cannot_be_made_anew_is_an_error_until_it_can),
        TEST(transaction_in_a_removed_directory_is_no_success),
        TEST(replaced_database_is_noticed_within_a_moment),
        TEST(log_of_a_large_transaction_is_bounded_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
