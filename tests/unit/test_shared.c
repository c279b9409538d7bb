/* test_shared.c - the segment: who is there, who has the lock and what becomes of it when he dies,
 * who removes the file (shared.h, S1 to S4); and the notes of reads.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "shared.h"
#include "sandbox.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

/* As in shared.c. */
#define WAITERS UINT32_C(0x80000000)
#define RESERVED UINT32_C(0x7fffffff)

static int dir;

static int make(void **state)
{
    int rc = sandbox_make(state);

    dir = open(sandbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return rc;
}

static int unmake(void **state)
{
    (void)close(dir);
    return sandbox_remove(state);
}

#undef TEST
#define TEST(function) cmocka_unit_test_setup_teardown(function, make, unmake)

static struct shared closed(void)
{
    struct shared shared = {.fd = -1};

    return shared;
}

static struct shared opened(void)
{
    struct shared shared = closed();

    assert_int_equal(shared_open(&shared, dir, 0600, os_deadline(20)), 0);
    return shared;
}

static int lock_for(struct shared *shared, double seconds)
{
    return shared_lock(shared, os_deadline(seconds));
}

/* ---- coming and going ---- */

static void last_to_leave_removes_the_file(void **state)
{
    struct shared a = opened(), b = opened();

    (void)state;
    assert_true(exists(in("cache.db-shared")));
    assert_ptr_not_equal(a.segment, b.segment);
    shared_close(&a, dir);
    assert_null(a.segment);
    assert_true(exists(in("cache.db-shared")));
    shared_close(&b, dir);
    assert_false(exists(in("cache.db-shared")));
    shared_close(&b, dir); /* closed already: nothing */
}

static void what_one_writes_the_other_sees(void **state)
{
    struct shared a = opened(), b = opened();

    (void)state;
    atomic_store(&a.segment->hits, 77);
    assert_int_equal(atomic_load(&b.segment->hits), 77);
    shared_close(&a, dir);
    shared_close(&b, dir);
}

static void everyone_has_a_slot_of_his_own_while_he_lives(void **state) /* S1 */
{
    struct shared a = opened(), b = opened();
    uint32_t slot = b.slot;

    (void)state;
    assert_int_not_equal(a.slot, b.slot);
    assert_int_equal(shared_slot_lives(&a, a.slot), 1);
    assert_int_equal(shared_slot_lives(&a, slot), 1);
    shared_close(&b, dir);
    assert_int_equal(shared_slot_lives(&a, slot), 0);
    b = opened();
    assert_int_equal(b.slot, slot); /* free again */
    shared_close(&a, dir);
    shared_close(&b, dir);
}

static void file_gets_the_mode_asked_for_and_its_whole_size(void **state)
{
    struct shared a = opened();
    struct stat st;

    (void)state;
    assert_int_equal(stat(in("cache.db-shared"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, SHARED_LENGTH);
    assert_true(st.st_blocks * 512 >=
                (int64_t)sizeof(struct shared_segment)); /* the rest is a hole */
    shared_close(&a, dir);
}

/* ---- what is found ---- */

static void truncated_or_foreign_leftover_is_made_anew(void **state)
{
    static const char garbage[sizeof(struct shared_segment)] = "not a segment";
    static const size_t sizes[] = {0, 1, 100, sizeof garbage};
    struct shared a;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(write_file(in("cache.db-shared"), garbage, sizes[i]), 0);
        a = opened();
        assert_int_equal(atomic_load(&a.segment->lock.word), 0);
        assert_int_equal(atomic_load(&a.segment->settings_epoch), 0);
        assert_int_equal(lock_for(&a, 0), 0);
        shared_close(&a, dir);
        assert_false(exists(in("cache.db-shared")));
    }
}

static void segment_of_another_version_in_use_is_refused_and_left_alone(void **state)
{
    struct shared a = opened(), b = closed();

    (void)state;
    a.segment->version = 99;
    assert_int_equal(shared_open(&b, dir, 0600, os_deadline(1)), DCACHE_IO);
    assert_null(b.segment);
    assert_int_equal(b.fd, -1);
    assert_int_equal(a.segment->version, 99);
    assert_int_equal(size_of(in("cache.db-shared")), SHARED_LENGTH);
    shared_close(&a, dir);
}

static void segment_of_another_size_in_use_is_refused(void **state)
{
    struct shared a = opened(), b = closed();

    (void)state;
    assert_int_equal(ftruncate(a.fd, (off_t)sizeof(struct shared_segment) - 4096), 0);
    assert_int_equal(shared_open(&b, dir, 0600, os_deadline(1)), DCACHE_IO);
    assert_int_equal(size_of(in("cache.db-shared")), sizeof(struct shared_segment) - 4096);
    assert_int_equal(ftruncate(a.fd, SHARED_LENGTH), 0); /* or closing would be SIGBUS */
    shared_close(&a, dir);
}

static void what_is_no_file_is_refused_and_left_alone(void **state)
{
    struct shared a = closed();

    (void)state;
    assert_int_equal(mkdir(in("cache.db-shared"), 0700), 0);
    assert_int_equal(shared_open(&a, dir, 0600, os_deadline(1)), DCACHE_IO);
    assert_int_equal(rmdir(in("cache.db-shared")), 0);
    assert_int_equal(mkfifo(in("cache.db-shared"), 0600), 0);
    assert_int_equal(shared_open(&a, dir, 0600, os_deadline(1)), DCACHE_IO);
    assert_true(exists(in("cache.db-shared")));
    assert_int_equal(unlink(in("cache.db-shared")), 0);
    assert_int_equal(symlink("elsewhere", in("cache.db-shared")), 0);
    assert_int_equal(shared_open(&a, dir, 0600, os_deadline(1)), DCACHE_IO);
    assert_false(exists(in("elsewhere")));
    assert_null(a.segment);
}

static void opening_that_fails_leaves_nothing(void **state)
{
    struct shared a = closed();

    (void)state;
    for (long n = 1;; n++) {
        bool fired;
        int rc;

        os_fault_at = n;
        rc = shared_open(&a, dir, 0600, os_deadline(1));
        fired = os_fault_at == 0;
        os_fault_at = 0;
        if (!fired) {
            assert_int_equal(rc, 0);
            break;
        }
        if (rc < 0) { /* a failing unlock of what close() unlocks anyway may be overlooked */
            assert_null(a.segment);
            assert_int_equal(a.fd, -1);
        }
        shared_close(&a, dir);
        (void)unlink(in("cache.db-shared")); /* failures before it could be known whose it is */
    }
    shared_close(&a, dir);
}

static void disk_without_room_shows_at_opening_and_leaves_no_file(void **state)
{
    struct shared a = closed();

    (void)state;
    os_fault_at = 7; /* open, lock, stat, who is there, stat, truncate: allocate */
    assert_int_equal(shared_open(&a, dir, 0600, os_deadline(1)), DCACHE_FULL);
    assert_int_equal(os_fault_at, 0);
    assert_false(exists(in("cache.db-shared")));
}

/* ---- the lock ---- */

static void lock_is_exclusive_and_waits_no_longer_than_asked(void **state)
{
    struct shared a = opened(), b = opened();
    int64_t begin;

    (void)state;
    assert_int_equal(lock_for(&a, 0), 0);
    begin = now_ms();
    assert_int_equal(lock_for(&b, 0), DCACHE_TIMEOUT);
    assert_true(now_ms() - begin < 1000);
    begin = now_ms();
    assert_int_equal(lock_for(&b, 0.1), DCACHE_TIMEOUT);
    assert_in_range(now_ms() - begin, 95, 5000);
    assert_int_equal(dcache_last_error()->status, DCACHE_TIMEOUT);
    shared_unlock(&a);
    assert_int_equal(lock_for(&b, 0), 0);
    shared_unlock(&b);
    shared_close(&a, dir);
    shared_close(&b, dir);
}

static void *unlock_in_thread(void *arg)
{
    shared_unlock(arg);
    return NULL;
}

static void another_thread_may_release_the_lock(void **state) /* S3 */
{
    struct shared a = opened(), b = opened();
    pthread_t thread;

    (void)state;
    assert_int_equal(lock_for(&a, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, unlock_in_thread, &a), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(lock_for(&b, 0), 0);
    shared_close(&a, dir);
    shared_close(&b, dir);
}

static int hold_lock(struct child *self)
{
    struct shared mine = closed();

    MUST(shared_open(&mine, dir, 0600, os_deadline(20)) == 0);
    MUST(lock_for(&mine, 20) == 0);
    child_say(self, 'l');
    (void)child_hear(self);
    shared_unlock(&mine);
    shared_close(&mine, dir);
    return 0;
}

static int wait_for_lock(struct child *self)
{
    struct shared mine = closed();

    MUST(shared_open(&mine, dir, 0600, os_deadline(20)) == 0);
    child_say(self, 'w');
    MUST(lock_for(&mine, 20) == 0);
    child_say(self, 'l');
    shared_unlock(&mine);
    shared_close(&mine, dir);
    return 0;
}

static void lock_of_a_killed_process_is_had_within_100_ms(void **state) /* S1, S2 */
{
    struct shared a = opened();

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct child holder = child_start(hold_lock);
        int64_t begin;

        assert_int_equal(child_hear(&holder), 'l');
        assert_int_equal(lock_for(&a, 0), DCACHE_TIMEOUT);
        assert_int_equal(child_kill(&holder), -SIGKILL);
        begin = now_ms();
        assert_int_equal(lock_for(&a, 10), 0);
        assert_true(now_ms() - begin < 100);
        shared_unlock(&a);
    }
    shared_close(&a, dir);
}

/* As drain_wait() asks: again and again, each time for a moment. */
static void lock_of_a_killed_process_is_had_by_who_has_no_patience(void **state)
{
    struct child holder = child_start(hold_lock);
    struct shared a = opened();

    (void)state;
    assert_int_equal(child_hear(&holder), 'l');
    assert_int_equal(lock_for(&a, 0.002), DCACHE_TIMEOUT);
    assert_int_equal(child_kill(&holder), -SIGKILL);
    assert_int_equal(lock_for(&a, 0.002), 0);
    shared_unlock(&a);
    shared_close(&a, dir);
}

static void who_waits_has_the_lock_within_100_ms_of_its_owners_death(void **state)
{
    struct child holder = child_start(hold_lock), waiter;
    struct shared a;
    int64_t begin;

    (void)state;
    assert_int_equal(child_hear(&holder), 'l');
    a = opened();
    waiter = child_start(wait_for_lock);
    assert_int_equal(child_hear(&waiter), 'w');
    while (!(atomic_load(&a.segment->lock.word) & WAITERS))
        sched_yield();
    begin = now_ms();
    assert_int_equal(child_kill(&holder), -SIGKILL);
    assert_int_equal(child_hear(&waiter), 'l');
    assert_true(now_ms() - begin < 100);
    assert_int_equal(child_end(&waiter), 0);
    shared_close(&a, dir);
}

static void who_dies_waiting_does_not_keep_it(void **state) /* S4 */
{
    struct shared a = opened();
    struct child waiter;
    int64_t begin;

    (void)state;
    assert_int_equal(lock_for(&a, 0), 0);
    waiter = child_start(wait_for_lock);
    assert_int_equal(child_hear(&waiter), 'w');
    while (!(atomic_load(&a.segment->lock.word) & WAITERS))
        sched_yield();
    assert_int_equal(child_kill(&waiter), -SIGKILL);
    shared_unlock(&a);
    begin = now_ms();
    assert_int_equal(lock_for(&a, 10), 0);
    assert_true(now_ms() - begin < 100);
    shared_unlock(&a);
    shared_close(&a, dir);
}

static void lock_left_by_a_dead_one_with_the_same_slot_is_free(void **state) /* S2 */
{
    struct shared a = opened(), b = opened();
    uint32_t slot = b.slot;

    (void)state;
    shared_close(&b, dir);
    atomic_store(&a.segment->lock.word, slot + 1); /* as if it had died with it */
    b = opened();
    assert_int_equal(b.slot, slot);
    assert_int_equal(atomic_load(&a.segment->lock.word), 0);
    shared_close(&a, dir);
    shared_close(&b, dir);
}

static void segment_whose_users_have_all_died_is_usable_at_once(void **state)
{
    struct child holder = child_start(hold_lock);
    struct shared a;

    (void)state;
    assert_int_equal(child_hear(&holder), 'l');
    assert_int_equal(child_kill(&holder), -SIGKILL);
    assert_true(exists(in("cache.db-shared")));
    a = opened();
    assert_int_equal(lock_for(&a, 0), 0);
    shared_unlock(&a);
    shared_close(&a, dir);
    assert_false(exists(in("cache.db-shared")));
}

static void newcomers_leave_a_lock_that_is_kept_for_who_has_waited(void **state) /* S4 */
{
    struct shared a = opened();

    (void)state;
    atomic_store(&a.segment->lock.word, RESERVED | WAITERS);
    assert_int_equal(lock_for(&a, 10), 0); /* those it was kept for are dead: a millisecond */
    shared_unlock(&a);
    /* Nor is it lost to who never waits. */
    atomic_store(&a.segment->lock.word, RESERVED | WAITERS);
    assert_int_equal(lock_for(&a, 0), 0);
    shared_unlock(&a);
    shared_close(&a, dir);
}

static int hammer(struct child *self)
{
    struct shared mine = closed();
    struct pollfd end = {.fd = self->from, .events = POLLIN};

    MUST(shared_open(&mine, dir, 0600, os_deadline(20)) == 0);
    child_say(self, 'h');
    while (poll(&end, 1, 0) == 0)
        for (int i = 0; i < 1000; i++) {
            MUST(lock_for(&mine, 20) == 0);
            shared_unlock(&mine);
        }
    shared_close(&mine, dir);
    return 0;
}

static void who_does_nothing_but_lock_does_not_starve_others(void **state) /* S4 */
{
    struct shared a = opened();
    struct child one = child_start(hammer), two = child_start(hammer);

    (void)state;
    assert_int_equal(child_hear(&one), 'h');
    assert_int_equal(child_hear(&two), 'h');
    for (int i = 0; i < 100; i++) {
        int64_t begin = now_ms();

        assert_int_equal(lock_for(&a, 20), 0);
        shared_unlock(&a);
        assert_true(now_ms() - begin < 500);
    }
    child_say(&one, 'e');
    child_say(&two, 'e');
    assert_int_equal(child_end(&one), 0);
    assert_int_equal(child_end(&two), 0);
    shared_close(&a, dir);
}

static volatile long *counter; /* shared memory; on purpose not atomic: the lock protects it */

static int open_count_close(struct child *self)
{
    (void)self;
    for (int i = 0; i < 200; i++) {
        struct shared mine = closed();

        MUST(shared_open(&mine, dir, 0600, os_deadline(20)) == 0);
        MUST(lock_for(&mine, 20) == 0);
        *counter = *counter + 1;
        shared_unlock(&mine);
        shared_close(&mine, dir);
    }
    return 0;
}

static void openers_and_closers_race_for_one_segment(void **state)
{
    struct child children[4];

    (void)state;
    counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0);
    assert_ptr_not_equal(counter, MAP_FAILED);
    for (int i = 0; i < 4; i++)
        children[i] = child_start(open_count_close);
    for (int i = 0; i < 4; i++)
        assert_int_equal(child_end(&children[i]), 0);
    assert_int_equal(*counter, 800);
    assert_false(exists(in("cache.db-shared")));
    assert_int_equal(munmap((void *)(uintptr_t)counter, sizeof *counter), 0);
}

/* ---- fork ---- */

static int die_with_a_child(struct child *self)
{
    struct shared mine = closed();
    pid_t grandchild;

    MUST(shared_open(&mine, dir, 0600, os_deadline(20)) == 0);
    grandchild = fork();
    MUST(grandchild >= 0);
    if (grandchild == 0) {
        shared_forked(&mine);
        MUST(write(self->to, &mine.slot, sizeof mine.slot) == sizeof mine.slot);
        (void)child_hear(self);
        _exit(0);
    }
    for (;;)
        pause();
}

static void child_that_lives_on_does_not_keep_its_parents_slot(void **state) /* S1 */
{
    struct shared a = opened();
    struct child parent = child_start(die_with_a_child);
    struct pollfd wait = {.fd = parent.from, .events = POLLIN};
    uint32_t slot = 0;

    (void)state;
    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
    assert_int_equal(read(parent.from, &slot, sizeof slot), sizeof slot);
    assert_int_equal(shared_slot_lives(&a, slot), 1); /* the child's end is not its parent's */
    (void)kill(parent.pid, SIGKILL);
    assert_int_equal(waitpid(parent.pid, NULL, 0), parent.pid);
    assert_int_equal(shared_slot_lives(&a, slot), 0);
    (void)close(parent.to); /* the grandchild hears it */
    (void)close(parent.from);
    shared_close(&a, dir);
}

/* ---- private memory ---- */

static void private_segment_locks_threads_and_knows_no_processes(void **state)
{
    struct shared a = closed(), b = opened();
    struct shared_segment *segment;

    (void)state;
    assert_int_equal(shared_private(&a), 0);
    segment = a.segment;
    assert_int_equal(lock_for(&a, 0), 0);
    assert_int_equal(lock_for(&a, 0), DCACHE_TIMEOUT);
    shared_unlock(&a);
    assert_int_equal(lock_for(&a, 0), 0);
    assert_int_equal(shared_slot_lives(&a, b.slot), -1);
    assert_int_equal(shared_slot_lives(&b, a.slot), -1); /* alive or not, only age tells (F2) */
    assert_int_equal(shared_private(&a), 0);
    assert_ptr_equal(a.segment, segment);
    shared_close(&a, dir);
    shared_close(&b, dir);
}

/* ---- notes of reads ---- */

static void notes_of_a_row_add_up_to_one_record(void **state)
{
    struct shared a = opened(), b = opened();
    int64_t rowid, count;
    int found = 0;
    double time;

    (void)state;
    assert_true(shared_note_access(&a, 42, 100.5, 1));
    assert_true(shared_note_access(&b, 42, 101.5, 1));
    assert_int_equal(atomic_load(&a.segment->accesses), 2);
    for (unsigned i = 0; i < SHARED_ACCESS_SLOTS; i++)
        if (shared_take_access(&a, i, &rowid, &time, &count)) {
            found++;
            assert_int_equal(rowid, 42);
            assert_int_equal(count, 2);
            assert_true(time == 101.5);
        }
    assert_int_equal(found, 1);
    for (unsigned i = 0; i < SHARED_ACCESS_SLOTS; i++)
        assert_false(shared_take_access(&b, i, &rowid, &time, &count));
    shared_close(&a, dir);
    shared_close(&b, dir);
}

static void table_without_room_says_so_and_loses_nothing(void **state)
{
    struct shared a = opened();
    int64_t rowid, count, noted = 0, taken = 0, row = 1;
    double time;

    (void)state;
    for (; shared_note_access(&a, row, 1.0, 1); row++)
        noted++;
    assert_in_range(noted, 100, SHARED_ACCESS_SLOTS);
    for (unsigned i = 0; i < SHARED_ACCESS_SLOTS; i++)
        if (shared_take_access(&a, i, &rowid, &time, &count)) {
            assert_in_range(rowid, 1, noted);
            taken += count;
        }
    assert_int_equal(taken, noted);
    assert_true(shared_note_access(&a, row, 1.0, 1));
    shared_close(&a, dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(last_to_leave_removes_the_file),
        TEST(what_one_writes_the_other_sees),
        TEST(everyone_has_a_slot_of_his_own_while_he_lives),
        TEST(file_gets_the_mode_asked_for_and_its_whole_size),
        TEST(truncated_or_foreign_leftover_is_made_anew),
        TEST(segment_of_another_version_in_use_is_refused_and_left_alone),
        TEST(segment_of_another_size_in_use_is_refused),
        TEST(what_is_no_file_is_refused_and_left_alone),
        TEST(opening_that_fails_leaves_nothing),
        TEST(disk_without_room_shows_at_opening_and_leaves_no_file),
        TEST(lock_is_exclusive_and_waits_no_longer_than_asked),
        TEST(another_thread_may_release_the_lock),
        TEST(lock_of_a_killed_process_is_had_within_100_ms),
        TEST(lock_of_a_killed_process_is_had_by_who_has_no_patience),
        TEST(who_waits_has_the_lock_within_100_ms_of_its_owners_death),
        TEST(who_dies_waiting_does_not_keep_it),
        TEST(lock_left_by_a_dead_one_with_the_same_slot_is_free),
        TEST(segment_whose_users_have_all_died_is_usable_at_once),
        TEST(newcomers_leave_a_lock_that_is_kept_for_who_has_waited),
        TEST(who_does_nothing_but_lock_does_not_starve_others),
        TEST(openers_and_closers_race_for_one_segment),
        TEST(child_that_lives_on_does_not_keep_its_parents_slot),
        TEST(private_segment_locks_threads_and_knows_no_processes),
        TEST(notes_of_a_row_add_up_to_one_record),
        TEST(table_without_room_says_so_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
