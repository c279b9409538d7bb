/* test_handover.c - a lock goes to who has waited longest for it, whoever dies on the way (handover.h, H1 to H5).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "locks.h"

#include <pthread.h>
#include <sched.h>

/* In a state, by its number in handover.c. */
static int count_places(uint32_t code)
{
    struct shared_segment *segment = cache->store->shared.segment;
    int count = 0;

    for (int i = 0; i < SHARED_WAITERS; i++)
        count += atomic_load(&segment->waiter[i].word) % 8 == code;
    return count;
}

static int count_waiting(void)
{
    return count_places(2);
}

static int order[4];
static _Atomic int taken;

static void *wait_in_turn(void *arg)
{
    int *number = arg;

    if (dcache_lock_acquire(inherited, 20) == 0) {
        order[taken++] = *number;
        if (dcache_lock_release(inherited) < 0)
            order[0] = -1;
    }
    return NULL;
}

static void who_has_waited_longest_gets_it(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        int numbers[4] = {0, 1, 2, 3};
        pthread_t threads[4];

        inherited = of_kind(kinds[way]);
        taken = 0;
        assert_int_equal(dcache_lock_acquire(inherited, 0), 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, wait_in_turn, &numbers[i]), 0);
            while (count_waiting() <= i)
                (void)sched_yield();
        }
        assert_int_equal(dcache_lock_release(inherited), 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(taken, 4);
        for (int i = 0; i < 4; i++)
            assert_int_equal(order[i], i);
        assert_int_equal(count_of(cache), 0);
        dcache_lock_close(inherited);
    }
}

static void who_died_waiting_is_passed_over(void **state) /* H3 */
{
    struct child child;

    (void)state;
    inherited = of_kind(DCACHE_LOCK);
    assert_int_equal(dcache_lock_acquire(inherited, 0), 0);
    child = child_start(wait_for_it);
    while (count_waiting() == 0)
        (void)sched_yield();
    assert_int_equal(child_kill(&child), -SIGKILL);
    assert_int_equal(dcache_lock_release(inherited), 0);
    assert_int_equal(count_of(cache), 0);
    assert_int_equal(count_waiting(), 0);
    dcache_lock_close(inherited);
}

static void a_place_is_left_or_granted_but_not_both(void **state) /* H1, H2 */
{
    struct dcache_value key = dcache_text("k"), other = dcache_text("l");
    struct handover waiter, giver, next;
    char line[OWNER_TEXT];
    double expire = 0;

    (void)state;
    waiter = handover_join(cache, &key, "somebody", 7);
    assert_null(handover_choose(cache, &other, line, &expire).place);
    giver = handover_choose(cache, &key, line, &expire);
    assert_ptr_equal(giver.place, waiter.place);
    assert_string_equal(line, "somebody");
    assert_true(expire == 7);
    assert_null(handover_choose(cache, &key, line, &expire).place); /* one giver for each */
    assert_false(handover_leave(&waiter));
    handover_done(&giver, false);
    assert_false(handover_is_granted(&waiter));
    giver = handover_choose(cache, &key, line, &expire);
    handover_done(&giver, true);
    assert_true(handover_is_granted(&waiter));
    assert_true(handover_end(&waiter));
    assert_int_equal(count_waiting(), 0);

    waiter = handover_join(cache, &key, "somebody", 0);
    giver = handover_choose(cache, &key, line, &expire);
    assert_false(handover_end(&waiter)); /* has found out that the giver is dead */
    next = handover_join(cache, &key, "another", 0);
    handover_done(&giver, true); /* but he was only slow: H3 */
    assert_false(handover_is_granted(&next));
    handover_poke(cache, &key);
    assert_true(handover_sleep(&next, 20000 * OS_MS));
    assert_true(handover_leave(&next));
}

static void the_place_of_who_died_with_it_is_used_again(void **state) /* H3 */
{
    struct dcache_value key = dcache_text("k");
    struct handover places[SHARED_WAITERS], giver, again;
    uint32_t nobody = (cache->store->shared.slot + 1) % 4096;
    char line[OWNER_TEXT];
    double expire;

    (void)state;
    for (int i = 0; i < SHARED_WAITERS; i++)
        places[i] = handover_join(cache, &key, "somebody", 0);
    giver = handover_choose(cache, &key, line, &expire);
    handover_done(&giver, true); /* the first is granted, */
    handover_poke(cache, &key);  /* the second was told to look, */
    for (int i = 0; i < 3; i++)  /* the third waits: all of a process that is gone */
        atomic_store(&places[i].place->process, nobody);
    for (int i = 0; i < 3; i++) {
        again = handover_join(cache, &key, "another", 0);
        assert_ptr_equal(again.place, places[i].place);
        places[i] = again;
    }
    assert_null(handover_join(cache, &key, "another", 0).place);
    for (int i = 0; i < SHARED_WAITERS; i++)
        assert_true(handover_leave(&places[i]));
}

/* Between the commit of who gives it and his word, who waits may look by himself. */
static void what_was_handed_over_is_not_acquired_once_more(void **state)
{
    dcache_lock *lock = of_kind(DCACHE_RLOCK);
    struct handover none = {.place = NULL};
    struct owner self = lock->self;

    (void)state;
    self.mark = (uint64_t)gettid();
    assert_int_equal(dcache_lock_acquire(lock, 0), 0); /* as if another had stored it */
    assert_int_equal(hold_take(lock, &self, true), 0);
    assert_int_equal(state_of(lock).holds, 1);
    assert_int_equal(hold_take(lock, &self, false), 0);
    assert_int_equal(state_of(lock).holds, 2);
    assert_int_equal(hold_is_mine(lock, &self, &none), 0);
    self.mark++;
    assert_int_equal(hold_is_mine(lock, &self, &none), DCACHE_NOT_OWNER);
    dcache_lock_close(lock);
}

static void without_a_place_there_is_the_bell(void **state)
{
    struct dcache_value key = dcache_text("k");
    struct handover places[SHARED_WAITERS + 1];
    struct child child;

    (void)state;
    for (int i = 0; i <= SHARED_WAITERS; i++)
        places[i] = handover_join(cache, &key, "somebody", 0);
    assert_null(places[SHARED_WAITERS].place);
    for (int i = 0; i < SHARED_WAITERS; i++) /* as if others waited for another key */
        atomic_store(&places[i].place->hash, 0);
    inherited = of_kind(DCACHE_LOCK);
    assert_int_equal(dcache_lock_acquire(inherited, 0), 0);
    child = child_start(wait_for_it);
    assert_int_equal(child_hear(&child), 'w');
    assert_int_equal(dcache_lock_release(inherited), 0);
    assert_int_equal(child_end(&child), 0);
    for (int i = 0; i < SHARED_WAITERS; i++)
        assert_true(handover_leave(&places[i]));
    dcache_lock_close(inherited);
}

/* ---- granted, while the item lags behind: H4, H5 ---- */

static struct child *giver_self;

static void die(void)
{
    (void)raise(SIGKILL);
}

static void tell_and_wait(void)
{
    child_say(giver_self, 'y');
    (void)child_hear(giver_self);
}

static void fail_next(void)
{
    os_fault_at = 1;
}

/* Between granting it and storing that. */
static void (*meanwhile)(void);

static int give_it(struct child *self)
{
    int rc;

    MUST(dcache_lock_acquire(inherited, 20) == 0);
    child_say(self, 'h');
    (void)child_hear(self);
    giver_self = self;
    os_on_yield = meanwhile;
    rc = dcache_lock_release(inherited);
    os_on_yield = NULL;
    os_fault_at = 0;
    MUST(rc == 0);
    child_say(self, 'r');
    (void)child_hear(self); /* it lives on */
    return 0;
}

/* Wait for it, and do what one is told. */
static int take_it(struct child *self)
{
    dcache *txn;

    MUST(dcache_lock_acquire(inherited, 20) == 0);
    child_say(self, 'g');
    switch (child_hear(self)) {
    case 'r':
        MUST(dcache_lock_release(inherited) == 0);
        break;
    case 'l':
        MUST(dcache_lock_renew(inherited, 1000) == 0);
        MUST(dcache_lock_release(inherited) == 0);
        break;
    case 'b': /* was broken */
        MUST(dcache_lock_release(inherited) == DCACHE_NOT_OWNER);
        break;
    case 't': /* in a transaction that comes to nothing */
        MUST(dcache_begin(cache, -1, &txn) == 0);
        {
            struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
            struct dcache_value key = dcache_text("k");
            dcache_lock *view;

            options.kind = inherited->kind;
            options.same_as = inherited;
            MUST(dcache_lock_open(txn, &key, &options, &view) == 0);
            MUST(dcache_lock_release(view) == 0);
            dcache_lock_close(view);
        }
        dcache_rollback(txn);
        MUST(dcache_lock_release(inherited) == 0);
        break;
    default:
        break;
    }
    child_say(self, 'd');
    (void)child_hear(self);
    return 0;
}

static int count_lagging(void)
{
    return count_places(5) + count_places(6);
}

struct passing {
    struct child giver, taker;
};

/* The taker has it, by word of the segment; the giver is where `how` has left it. */
static struct passing pass(enum dcache_lock_kind kind, void (*how)(void))
{
    struct passing p;

    inherited = of_kind(kind);
    meanwhile = how;
    p.giver = child_start(give_it);
    assert_int_equal(child_hear(&p.giver), 'h');
    p.taker = child_start(take_it);
    while (count_waiting() == 0)
        (void)sched_yield();
    child_say(&p.giver, 'r');
    if (how == tell_and_wait)
        assert_int_equal(child_hear(&p.giver), 'y');
    else if (how == fail_next)
        assert_int_equal(child_hear(&p.giver), 'r');
    else
        assert_int_equal(child_end(&p.giver), -SIGKILL);
    assert_int_equal(child_hear(&p.taker), 'g');
    /* 0: the taker was just looking for itself, in a transaction, and has stored it. */
    assert_in_range(count_lagging(), 0, 1);
    assert_int_equal(count_of(cache), 1); /* which is all that 5.6.3 looks at */
    assert_int_equal(state_of(inherited).pid, p.taker.pid);
    assert_int_equal(state_of(inherited).holds, 1);
    assert_int_equal(state_of(inherited).alive, 1);
    assert_int_equal(dcache_lock_acquire(inherited, 0), DCACHE_TIMEOUT);
    return p;
}

static void tell_taker(const struct passing *p, char what)
{
    child_say(&p->taker, what);
    assert_int_equal(child_hear(&p->taker), 'd');
}

static void go_on(const struct passing *p)
{
    child_say(&p->giver, 'c');
    assert_int_equal(child_hear(&p->giver), 'r');
}

/* And then nothing is left of it. */
static void can_be_had(void)
{
    assert_int_equal(dcache_lock_acquire(inherited, 0), 0);
    assert_int_equal(state_of(inherited).mine, 1);
    assert_int_equal(dcache_lock_release(inherited), 0);
    assert_int_equal(count_of(cache), 0);
    assert_int_equal(count_lagging(), 0);
    dcache_lock_close(inherited);
}

#define EACH_WAY(kind) for (const enum dcache_lock_kind *kind = kinds; kind < kinds + 2; kind++)

static void who_got_it_of_one_that_died_at_it_has_it(void **state)
{
    (void)state;
    for (const char *what = "rlt"; *what; what++)
        EACH_WAY(kind)
        {
            struct passing p = pass(*kind, die);

            tell_taker(&p, *what);
            assert_int_equal(child_end(&p.taker), 0);
            can_be_had();
        }
}

static void when_both_have_died_it_is_free(void **state)
{
    (void)state;
    EACH_WAY(kind)
    {
        struct passing p = pass(*kind, die);

        assert_int_equal(child_kill(&p.taker), -SIGKILL);
        assert_int_equal(state_of(inherited).alive, 0);
        can_be_had();
    }
}

static void who_died_with_it_frees_it_though_the_giver_is_slow(void **state)
{
    (void)state;
    EACH_WAY(kind)
    {
        struct passing p = pass(*kind, tell_and_wait);

        assert_int_equal(child_kill(&p.taker), -SIGKILL);
        go_on(&p); /* stores one that is dead */
        assert_int_equal(state_of(inherited).alive, 0);
        can_be_had();
        assert_int_equal(child_end(&p.giver), 0);

        p = pass(*kind, tell_and_wait);
        assert_int_equal(child_kill(&p.taker), -SIGKILL);
        assert_int_equal(dcache_lock_acquire(inherited, 0), 0);
        go_on(&p); /* and finds that others have gone on */
        assert_int_equal(state_of(inherited).mine, 1);
        assert_int_equal(dcache_lock_release(inherited), 0);
        can_be_had();
        assert_int_equal(child_end(&p.giver), 0);
    }
}

static void who_is_quicker_than_the_giver_does_its_work(void **state)
{
    (void)state;
    for (const char *what = "rlt"; *what; what++)
        EACH_WAY(kind)
        {
            struct passing p = pass(*kind, tell_and_wait);

            tell_taker(&p, *what);
            assert_int_equal(count_of(cache), 0);
            assert_int_equal(dcache_lock_acquire(inherited, 0), 0);
            go_on(&p);
            assert_int_equal(state_of(inherited).mine, 1);
            assert_int_equal(dcache_lock_release(inherited), 0);
            can_be_had();
            assert_int_equal(child_end(&p.taker), 0);
            assert_int_equal(child_end(&p.giver), 0);
        }
}

static void what_is_broken_meanwhile_is_nobodys(void **state)
{
    (void)state;
    EACH_WAY(kind)
    {
        struct passing p = pass(*kind, tell_and_wait);

        assert_int_equal(dcache_lock_break(inherited), 0);
        assert_int_equal(state_of(inherited).holds, 0);
        tell_taker(&p, 'b');
        go_on(&p);
        can_be_had();
        assert_int_equal(child_end(&p.taker), 0);
        assert_int_equal(child_end(&p.giver), 0);
    }
}

static void what_could_not_be_stored_is_granted_all_the_same(void **state)
{
    (void)state;
    EACH_WAY(kind)
    {
        struct passing p = pass(*kind, fail_next);

        tell_taker(&p, 'r');
        assert_int_equal(child_end(&p.taker), 0);
        can_be_had();
        assert_int_equal(child_end(&p.giver), 0);

        p = pass(*kind, fail_next); /* the item names one who lives, and has given it away */
        assert_int_equal(child_kill(&p.taker), -SIGKILL);
        can_be_had();
        assert_int_equal(child_end(&p.giver), 0);
    }
}

static void what_only_a_place_knows_is_not_lost_with_it(void **state) /* H3 */
{
    struct dcache_value key = dcache_text("l");
    struct handover places[SHARED_WAITERS];
    struct passing p = pass(DCACHE_LOCK, fail_next);
    int count = 0;

    (void)state;
    assert_int_equal(child_kill(&p.taker), -SIGKILL);
    do /* all but the one */
        places[count] = handover_join(cache, &key, "somebody", 0);
    while (places[count++].place);
    assert_int_equal(count, SHARED_WAITERS);
    assert_int_equal(count_lagging(), 1);
    assert_int_equal(child_kill(&p.giver), -SIGKILL); /* now the item says it too */
    places[count - 1] = handover_join(cache, &key, "somebody", 0);
    assert_non_null(places[count - 1].place);
    assert_int_equal(count_lagging(), 0);
    can_be_had();
}

/* As on a disk that was too full for a segment of one's own, beside others who have one. */
static void who_does_not_see_grants_takes_nothing_from_the_dead(void **state)
{
    struct passing p = pass(DCACHE_LOCK, die);
    _Atomic int *fd = &cache->store->shared.fd;
    int seen = atomic_exchange(fd, -1);

    (void)state;
    assert_int_equal(dcache_lock_acquire(inherited, 0), DCACHE_TIMEOUT);
    assert_int_equal(state_of(inherited).alive, -1);
    atomic_store(fd, seen);
    tell_taker(&p, 'r');
    assert_int_equal(child_end(&p.taker), 0);
    can_be_had();
}

static int yields;

static void count_yields(void)
{
    yields++;
}

static void line_of(const dcache_lock *lock, char line[OWNER_TEXT])
{
    struct owner self = lock->self;

    self.mark = atomic_load(&lock->marks->held);
    owner_format(&self, line);
}

/* It might end before the item is stored, and then nobody would know of the grant. */
static void of_a_lease_the_item_is_stored_first(void **state)
{
    static const double leases[][2] = {{0, 0}, {0, 1000}, {1000, 1000}, {1000, 0}};
    struct dcache_value key = dcache_text("k");
    dcache_lock *taker = of_kind(DCACHE_LOCK);

    (void)state;
    os_on_yield = count_yields;
    for (int i = 0; i < 4; i++) {
        dcache_lock *giver = make_lock(DCACHE_LOCK, 1, leases[i][0]);
        struct handover place;
        char line[OWNER_TEXT];

        yields = 0;
        assert_int_equal(dcache_lock_acquire(giver, 0), 0);
        assert_int_equal(dcache_lock_renew(giver, leases[i][1]), 0);
        line_of(taker, line);
        place = handover_join(cache, &key, line, 500);
        assert_int_equal(dcache_lock_release(giver), 0);
        assert_int_equal(yields, i == 0);
        assert_true(handover_end(&place));
        assert_int_equal(state_of(taker).mine, 1);
        assert_true(state_of(taker).expire_time > os_now() + 400);
        assert_true(state_of(taker).expire_time < os_now() + 600);
        assert_int_equal(dcache_lock_release(taker), 0);
        dcache_lock_close(giver);
    }
    os_on_yield = NULL;
    assert_int_equal(count_of(cache), 0);
    dcache_lock_close(taker);
}

static void equal_numbers_are_one_lock(void **state)
{
    struct dcache_value whole = dcache_int(7), real = dcache_double(7);
    struct handover place = handover_join(cache, &whole, "1-2 3 4 b", 0), giver;
    char line[OWNER_TEXT];
    double expire;

    (void)state;
    giver = handover_choose(cache, &real, line, &expire);
    assert_ptr_equal(giver.place, place.place);
    assert_true(handover_grant(&giver, "5-6 7 8 b"));
    assert_ptr_equal(handover_find(cache, &real).at.place, place.place);
    assert_int_equal(handover_find(cache, &whole).from.pid, 5);
    handover_settle(&giver);
    assert_null(handover_find(cache, &whole).at.place);
    assert_true(handover_end(&place));
}

/* Whatever fails: it is the giver's if he was told so, else the taker's, who gives it back. */
static void nothing_that_fails_gives_it_to_both_or_none(void **state)
{
    struct dcache_value key = dcache_text("k");
    dcache_lock *giver = of_kind(DCACHE_LOCK), *taker = of_kind(DCACHE_LOCK);
    bool fired = true;

    (void)state;
    for (long n = 1; fired; n++) {
        struct handover place;
        char line[OWNER_TEXT];
        int rc;

        assert_int_equal(dcache_lock_acquire(giver, 0), 0);
        line_of(taker, line);
        place = handover_join(cache, &key, line, 0);
        os_fault_at = n;
        rc = dcache_lock_release(giver);
        fired = os_fault_at == 0;
        os_fault_at = 0;
        assert_true(rc == 0 || fired);
        assert_int_equal(handover_is_granted(&place), rc == 0);
        assert_int_equal(state_of(taker).mine, rc == 0);
        assert_int_equal(state_of(giver).mine, rc < 0);
        if (rc == 0) {
            assert_true(handover_end(&place));
        } else {
            assert_true(handover_leave(&place));
            assert_int_equal(dcache_lock_release(giver), 0);
        }
        assert_int_equal(dcache_lock_release(taker), rc == 0 ? 0 : DCACHE_NOT_OWNER);
        assert_int_equal(count_of(cache), 0);
        assert_int_equal(count_lagging(), 0);
    }
    dcache_lock_close(giver);
    dcache_lock_close(taker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_has_waited_longest_gets_it),
        TEST(who_died_waiting_is_passed_over),
        TEST(a_place_is_left_or_granted_but_not_both),
        TEST(the_place_of_who_died_with_it_is_used_again),
        TEST(what_was_handed_over_is_not_acquired_once_more),
        TEST(without_a_place_there_is_the_bell),
        TEST(who_got_it_of_one_that_died_at_it_has_it),
        TEST(when_both_have_died_it_is_free),
        TEST(who_died_with_it_frees_it_though_the_giver_is_slow),
        TEST(who_is_quicker_than_the_giver_does_its_work),
        TEST(what_is_broken_meanwhile_is_nobodys),
        TEST(what_could_not_be_stored_is_granted_all_the_same),
        TEST(what_only_a_place_knows_is_not_lost_with_it),
        TEST(who_does_not_see_grants_takes_nothing_from_the_dead),
        TEST(of_a_lease_the_item_is_stored_first),
        TEST(equal_numbers_are_one_lock),
        TEST(nothing_that_fails_gives_it_to_both_or_none),
    };

    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
