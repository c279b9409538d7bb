/* test_recipes.c - averages, throttles and memoized values (diskcache_recipes.h).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "memoize.h"
#include "sandbox.h"

#include <diskcache_recipes.h>

#include <math.h>
#include <pthread.h>

static dcache *cache;
static const struct dcache_value *key;

static int make(void **state)
{
    static struct dcache_value text;

    text = dcache_text("k");
    key = &text;
    os_random_seed = 0;
    return sandbox_make(state) < 0 ? -1 : open_with(sandbox, 0, 20, &cache);
}

static int unmake(void **state)
{
    dcache_close(cache);
    os_random_seed = 0;
    return sandbox_remove(state);
}

#undef TEST
#define TEST(function) cmocka_unit_test_setup_teardown(function, make, unmake)

/* ---- average ---- */

static void an_average_is_that_of_what_was_added(void **state)
{
    double average = -1;

    (void)state;
    assert_int_equal(dcache_average_get(cache, key, &average), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_average_add(cache, key, 1, NULL), 0);
    assert_int_equal(dcache_average_add(cache, key, 2, NULL), 0);
    assert_int_equal(dcache_average_add(cache, key, 6, NULL), 0);
    assert_int_equal(dcache_average_get(cache, key, &average), 0);
    assert_true(average == 3);
    average = -1;
    assert_int_equal(dcache_average_pop(cache, key, &average), 0);
    assert_true(average == 3);
    assert_int_equal(count_of(cache), 0);
    assert_int_equal(dcache_average_pop(cache, key, &average), DCACHE_NOT_FOUND);
}

static void an_average_is_part_of_a_transaction(void **state)
{
    double average;
    dcache *txn;

    (void)state;
    assert_int_equal(dcache_average_add(cache, key, 1, NULL), 0);
    assert_int_equal(dcache_begin(cache, -1, &txn), 0);
    assert_int_equal(dcache_average_add(txn, key, 3, NULL), 0);
    assert_int_equal(dcache_average_get(txn, key, &average), 0);
    assert_true(average == 2);
    dcache_rollback(txn);
    assert_int_equal(dcache_average_get(cache, key, &average), 0);
    assert_true(average == 1);
}

static void another_value_is_no_average_and_no_throttle(void **state)
{
    struct dcache_throttle_options bucket = DCACHE_OPTIONS(struct dcache_throttle_options);
    double number = -1;

    (void)state;
    bucket.count = bucket.seconds = 1;
    assert_int_equal(put(cache, "k", "mine"), 0);
    assert_int_equal(dcache_average_add(cache, key, 1, NULL), DCACHE_TYPE);
    assert_int_equal(dcache_average_get(cache, key, &number), DCACHE_TYPE);
    assert_int_equal(dcache_average_pop(cache, key, &number), DCACHE_TYPE);
    assert_int_equal(dcache_throttle_take(cache, key, &bucket, &number), DCACHE_TYPE);
    assert_true(number == -1);
    assert_int_equal(has(cache, "k", "mine"), 1);
}

/* ---- throttle ---- */

static double take_at(double now, double count, double seconds)
{
    struct dcache_throttle_options options = DCACHE_OPTIONS(struct dcache_throttle_options);
    double delay = -1;

    options.now = now;
    options.count = count;
    options.seconds = seconds;
    assert_int_equal(dcache_throttle_take(cache, key, &options, &delay), 0);
    return delay;
}

static void a_bucket_gives_its_tokens_and_then_one_at_a_time(void **state)
{
    (void)state;
    assert_true(take_at(100, 2, 1) == 0);
    assert_true(take_at(100, 2, 1) == 0);
    assert_true(take_at(100, 2, 1) == 0.5);
    assert_true(take_at(100.25, 2, 1) == 0.25); /* what was refused has taken nothing */
    assert_true(take_at(100.5, 2, 1) == 0);
    assert_true(take_at(100.5, 2, 1) == 0.5);
    assert_true(take_at(1000, 2, 1) == 0); /* it holds no more than two */
    assert_true(take_at(1000, 2, 1) == 0);
    assert_true(take_at(1000, 2, 1) == 0.5);
    assert_true(take_at(999, 2, 1) == 1.5); /* a clock that goes back */
}

static void a_bucket_is_filled_by_reset(void **state)
{
    struct dcache_throttle_options options = DCACHE_OPTIONS(struct dcache_throttle_options);

    (void)state;
    assert_int_equal(dcache_throttle_reset(cache, key, &options), DCACHE_INVALID);
    options.count = 1;
    options.seconds = 10;
    options.now = 50;
    assert_true(take_at(50, 1, 10) == 0);
    assert_true(take_at(50, 1, 10) == 10);
    assert_int_equal(dcache_throttle_reset(cache, key, &options), 0);
    assert_true(take_at(50, 1, 10) == 0);
    options.now = 0;
    options.seconds = (double)NAN;
    assert_int_equal(dcache_throttle_reset(cache, key, &options), DCACHE_INVALID);
}

/* ---- memoize ---- */

static _Atomic int calls, releases;
static struct dcache_value answer; /* of the function */
static int result;                 /* its status */

static int count_and_answer(void *arg, const struct dcache_value *of,
                            struct dcache_value *ret_value)
{
    (void)arg;
    (void)of;
    calls++;
    *ret_value = answer;
    return result;
}

static void count_release(void *arg, struct dcache_value *value)
{
    (void)arg;
    (void)value;
    releases++;
}

static struct dcache_memoize_options options_of(double expire)
{
    struct dcache_memoize_options options = DCACHE_OPTIONS(struct dcache_memoize_options);

    calls = releases = result = 0;
    answer = dcache_text("computed");
    options.expire = expire;
    options.release = count_release;
    return options;
}

static int memoize(const struct dcache_memoize_options *options, struct dcache_entry *entry)
{
    return dcache_memoize(cache, key, count_and_answer, NULL, options, entry);
}

static bool gives(const struct dcache_memoize_options *options, const char *text)
{
    struct dcache_entry entry;
    int rc = memoize(options, &entry);
    bool same = rc == 0 && entry.value.type == DCACHE_TEXT && entry.kind == DCACHE_TEXT &&
                entry.value.size == strlen(text) &&
                memcmp(entry.value.data, text, entry.value.size) == 0;

    dcache_entry_clear(&entry);
    return same;
}

static void a_value_is_computed_once_until_it_expires(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct dcache_memoize_options options = options_of(10);

        options.single_flight = way == 1;
        options.beta = way == 2 ? 1e-9 : 0;
        os_clock_offset = 0;
        assert_true(gives(&options, "computed"));
        answer = dcache_text("anew");
        assert_true(gives(&options, "computed"));
        os_clock_offset = 9;
        assert_true(gives(&options, "computed"));
        assert_int_equal(calls, 1);
        os_clock_offset = 11;
        assert_true(gives(&options, "anew"));
        assert_int_equal(calls, 2);
        assert_int_equal(releases, 2);
        assert_int_equal(dcache_delete(cache, key), 0);
    }
    os_clock_offset = 0;
    assert_int_equal(count_of(cache), 0); /* nothing of the flights is left */
}

static void what_the_function_refuses_is_not_stored(void **state)
{
    struct dcache_memoize_options options = options_of(0);
    struct dcache_entry entry;

    (void)state;
    result = -1;
    for (int flight = 0; flight < 2; flight++) {
        options.single_flight = flight;
        assert_int_equal(memoize(&options, &entry), DCACHE_CALLBACK);
        assert_int_equal(count_of(cache), 0);
    }
    assert_int_equal(calls, 2);
    assert_int_equal(releases, 0);
}

static void a_stale_value_serves_all_but_the_one_who_computes(void **state)
{
    struct dcache_memoize_options options = options_of(10);
    struct dcache_entry entry;

    (void)state;
    options.stale = 100;
    assert_true(gives(&options, "computed"));
    os_clock_offset = 60;
    answer = dcache_text("anew");
    assert_true(gives(&options, "anew"));
    os_clock_offset = 69;
    answer = dcache_text("newest");
    assert_true(gives(&options, "anew"));
    os_clock_offset = 171; /* not even stale */
    assert_true(gives(&options, "newest"));
    assert_int_equal(calls, 3);
    assert_int_equal(memoize(&options, &entry), 0);
    assert_true(entry.expire_time > os_now() + 5 && entry.expire_time < os_now() + 15);
    dcache_entry_clear(&entry);
}

static void what_does_not_fit_is_handed_back_all_the_same(void **state)
{
    struct dcache_memoize_options options = options_of(0);
    struct dcache_value limit = dcache_int(1);

    (void)state;
    assert_int_equal(dcache_setting_set(cache, "size_limit", &limit), 0);
    assert_true(gives(&options, "computed"));
    assert_int_equal(calls, 1);
    assert_int_equal(releases, 1);
}

static void each_type_comes_back_as_it_was_computed(void **state)
{
    const struct dcache_value values[] = {
        dcache_none(),   dcache_int(-3),         dcache_double(0.1),
        dcache_text(""), dcache_bytes("\0x", 2), dcache_sized(DCACHE_PICKLE, "].", 2)};

    (void)state;
    for (size_t i = 0; i < 6; i++)
        for (int beta = 0; beta < 2; beta++) {
            struct dcache_memoize_options options = options_of(1000);
            struct dcache_entry entry;

            options.beta = beta;
            answer = values[i];
            if (beta && answer.type == DCACHE_PICKLE) {
                assert_int_equal(memoize(&options, &entry), DCACHE_TYPE);
                continue;
            }
            for (int n = 0; n < 2; n++) {
                assert_int_equal(memoize(&options, &entry), 0);
                assert_int_equal(entry.kind, values[i].type);
                assert_int_equal(entry.value.type, values[i].type);
                if (entry.value.type == DCACHE_INT)
                    assert_int_equal(entry.value.integer, -3);
                else if (entry.value.type == DCACHE_DOUBLE)
                    assert_true(entry.value.real == 0.1);
                else if (entry.value.type != DCACHE_NONE) {
                    assert_int_equal(entry.value.size, values[i].size);
                    assert_memory_equal(entry.value.data, values[i].data, values[i].size);
                }
                dcache_entry_clear(&entry);
            }
            assert_int_equal(calls, 1);
            assert_int_equal(dcache_delete(cache, key), 0);
        }
}

static void a_stream_is_stored_and_then_handed_back(void **state)
{
    struct dcache_memoize_options options = options_of(0);
    struct dcache_entry entry;

    (void)state;
    assert_int_equal(write_file(in("source"), "contents", 8), 0);
    for (int n = 0; n < 2; n++) {
        answer = dcache_fd(open(in("source"), O_RDONLY | O_CLOEXEC));
        options.flags = n ? DCACHE_AS_FD : 0;
        assert_int_equal(memoize(&options, &entry), 0);
        assert_int_equal(entry.kind, DCACHE_BYTES);
        assert_int_equal(entry.value.type, n ? DCACHE_FD : DCACHE_BYTES);
        (void)close(answer.fd);
        dcache_entry_clear(&entry);
    }
    assert_int_equal(calls, 1);
}

static void options_without_sense_are_refused(void **state)
{
    struct dcache_memoize_options options = options_of(0);
    struct dcache_entry entry;
    dcache *txn;

    (void)state;
    options.beta = -1;
    assert_int_equal(memoize(&options, &entry), DCACHE_INVALID);
    options.beta = 1;
    options.flags = DCACHE_AS_FD;
    assert_int_equal(memoize(&options, &entry), DCACHE_INVALID);
    options = options_of(0);
    options.stale = (double)NAN;
    assert_int_equal(memoize(&options, &entry), DCACHE_INVALID);
    options = options_of(0);
    options.single_flight = 1;
    assert_int_equal(dcache_begin(cache, -1, &txn), 0);
    assert_int_equal(dcache_memoize(txn, key, count_and_answer, NULL, &options, &entry),
                     DCACHE_INVALID);
    assert_int_equal(memoize(&options, &entry), DCACHE_TIMEOUT); /* in the thread's transaction */
    options.single_flight = 0;
    assert_int_equal(dcache_memoize(txn, key, count_and_answer, NULL, &options, &entry), 0);
    dcache_entry_clear(&entry);
    dcache_rollback(txn);
    assert_int_equal(calls, 1);
}

/* ---- single flight ---- */

static pthread_barrier_t all_here;
static struct dcache_memoize_options flight;

/* Wait until each of the others has missed, or had its chance to: they have begun. */
static int compute_slowly(void *arg, const struct dcache_value *of, struct dcache_value *ret_value)
{
    (void)of;
    (void)arg;
    calls++;
    os_sleep(20 * OS_MS); /* long enough for the others to come and find it going on */
    *ret_value = dcache_int(7);
    return 0;
}

static void *one_of_many(void *arg)
{
    struct dcache_entry entry;

    (void)pthread_barrier_wait(&all_here);
    *(int *)arg = dcache_memoize(cache, key, compute_slowly, NULL, &flight, &entry);
    if (entry.value.type != DCACHE_INT || entry.value.integer != 7)
        *(int *)arg = -1000;
    dcache_entry_clear(&entry);
    return NULL;
}

static void of_those_who_miss_at_once_one_computes(void **state)
{
    pthread_t threads[8];
    int rc[8];

    (void)state;
    flight = options_of(0);
    flight.single_flight = 1;
    assert_int_equal(pthread_barrier_init(&all_here, NULL, 8), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &rc[i]), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(rc[i], 0);
    }
    (void)pthread_barrier_destroy(&all_here);
    assert_int_equal(calls, 1);
    assert_int_equal(count_of(cache), 1);
}

static struct child *current;

static int say_and_wait(void *arg, const struct dcache_value *of, struct dcache_value *ret_value)
{
    (void)of;
    (void)arg;
    child_say(current, 'c');
    *ret_value = dcache_int(child_hear(current) == 'g' ? 8 : 9);
    return 0;
}

static int compute_in_child(struct child *self)
{
    struct dcache_entry entry;

    current = self;
    MUST(dcache_memoize(cache, key, say_and_wait, NULL, &flight, &entry) == 0);
    dcache_entry_clear(&entry);
    return 0;
}

static void a_waiter_gets_what_another_process_computes(void **state)
{
    struct dcache_entry entry;
    struct child child;

    (void)state;
    flight = options_of(0);
    flight.single_flight = 1;
    flight.timeout = 0.01;
    child = child_start(compute_in_child);
    assert_int_equal(child_hear(&child), 'c');
    assert_int_equal(memoize(&flight, &entry), DCACHE_TIMEOUT);
    child_say(&child, 'g');
    flight.timeout = 20;
    assert_int_equal(memoize(&flight, &entry), 0);
    assert_int_equal(entry.value.integer, 8);
    dcache_entry_clear(&entry);
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(calls, 0);
}

static void when_who_computes_dies_the_next_one_does(void **state)
{
    struct child child;

    (void)state;
    flight = options_of(0);
    flight.single_flight = 1;
    flight.timeout = 20;
    child = child_start(compute_in_child);
    assert_int_equal(child_hear(&child), 'c');
    assert_int_equal(child_kill(&child), -SIGKILL);
    assert_true(gives(&flight, "computed"));
    assert_int_equal(calls, 1);
}

static void a_stale_value_comes_while_another_computes(void **state)
{
    struct dcache_entry entry;
    struct child child;

    (void)state;
    flight = options_of(10);
    flight.single_flight = 1;
    flight.stale = 1000;
    assert_true(gives(&flight, "computed"));
    os_clock_offset = 20;
    child = child_start(compute_in_child);
    assert_int_equal(child_hear(&child), 'c');
    assert_true(gives(&flight, "computed"));
    child_say(&child, 'g');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(memoize(&flight, &entry), 0);
    assert_int_equal(entry.value.integer, 8);
    dcache_entry_clear(&entry);
    assert_int_equal(calls, 1);
}

/* ---- early recomputation ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov: 1.63 / sqrt(n) is passed by chance once in a hundred times; the seed is
 * always the same. */
static void leads_are_distributed_exponentially(void **state)
{
    enum { N = 5000 };
    static double lead[N];
    double distance = 0, delta = 2, beta = 1.5;

    (void)state;
    os_random_seed = 42;
    for (int i = 0; i < N; i++)
        lead[i] = memoize_lead(delta, beta);
    qsort(lead, N, sizeof *lead, compare);
    for (int i = 0; i < N; i++) {
        double expected = 1 - exp(-lead[i] / (delta * beta));

        distance = fmax(distance, fmax(expected - (double)i / N, (double)(i + 1) / N - expected));
    }
    assert_true(lead[0] >= 0);
    if (distance > 1.63 / sqrt(N))
        fail_msg("distance %g", distance);
}

/* A pair (1, delta) that ends in `left` seconds, as a pickle of 5.6.3. */
static void put_pair(double delta, double left)
{
    unsigned char pickle[] = "\x80\x05\x95\x0e\0\0\0\0\0\0\0K\x01G........\x86\x94.";
    struct dcache_set_options set = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_value value = dcache_sized(DCACHE_PICKLE, pickle, sizeof pickle - 1);
    uint64_t bits;

    memcpy(&bits, &delta, sizeof bits);
    for (int i = 0; i < 8; i++)
        pickle[14 + i] = (unsigned char)(bits >> (56 - 8 * i));
    set.expire = left;
    assert_int_equal(dcache_set(cache, key, &value, &set), 0);
}

/* The end is so far away, and delta so large, that the time that the test takes is nothing to them. */
static void early_recomputations_are_as_frequent_as_the_formula_says(void **state)
{
    static const double gaps[] = {0.1, 0.5, 1, 2, 4}; /* in units of delta * beta */
    struct dcache_memoize_options options = options_of(1e6);
    const double delta = 1e5;
    const int n = 400;
    double chi_square = 0;

    (void)state;
    os_random_seed = 7;
    options.beta = 2;
    for (size_t i = 0; i < 5; i++) {
        double p = exp(-gaps[i]), expected = n * p, early;
        struct dcache_entry entry;

        calls = 0;
        for (int k = 0; k < n; k++) {
            int before = calls;

            if (k == 0 || calls > 0)
                put_pair(delta, gaps[i] * delta * options.beta);
            assert_int_equal(memoize(&options, &entry), 0);
            assert_int_equal(entry.value.type, calls > before ? DCACHE_TEXT : DCACHE_INT);
            dcache_entry_clear(&entry);
        }
        early = calls;
        chi_square += (early - expected) * (early - expected) / (expected * (1 - p));
    }
    if (chi_square > 15.1) /* five degrees of freedom, once in a hundred times */
        fail_msg("chi square %g", chi_square);
}

/* ---- fanout ---- */

static void recipes_work_in_the_shard_of_their_key(void **state)
{
    struct dcache_memoize_options options = options_of(10);
    struct dcache_throttle_options bucket = DCACHE_OPTIONS(struct dcache_throttle_options);
    double average, delay;
    dcache *txn;

    (void)state;
    dcache_close(cache);
    assert_int_equal(dcache_open_fanout(in("fanout"), 4, NULL, &cache), 0);
    bucket.count = bucket.seconds = 1;
    bucket.now = 100;
    for (int i = 0; i < 8; i++) {
        struct dcache_value number = dcache_int(i);

        key = &number;
        options.beta = 1e-9;
        assert_true(gives(&options, "computed"));
        assert_int_equal(dcache_delete(cache, key), 0);
        assert_int_equal(dcache_throttle_take(cache, key, &bucket, &delay), 0);
        assert_int_equal(dcache_throttle_take(cache, key, &bucket, &delay), 0);
        assert_true(delay == 1);
        assert_int_equal(dcache_delete(cache, key), 0);
        assert_int_equal(dcache_average_add(cache, key, i, NULL), 0);
        assert_int_equal(dcache_begin(cache, -1, &txn), 0);
        assert_int_equal(dcache_average_add(txn, key, i + 2, NULL), 0);
        assert_int_equal(dcache_commit(txn), 0);
        assert_int_equal(dcache_average_get(cache, key, &average), 0);
        assert_true(average == i + 1);
        assert_int_equal(dcache_contains(dcache_shard(cache, i % 4), key), 0);
        assert_int_equal(dcache_average_pop(cache, key, &average), 0);
    }
    assert_int_equal(count_of(cache), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_average_is_that_of_what_was_added),
        TEST(an_average_is_part_of_a_transaction),
        TEST(another_value_is_no_average_and_no_throttle),
        TEST(a_bucket_gives_its_tokens_and_then_one_at_a_time),
        TEST(a_bucket_is_filled_by_reset),
        TEST(a_value_is_computed_once_until_it_expires),
        TEST(what_the_function_refuses_is_not_stored),
        TEST(a_stale_value_serves_all_but_the_one_who_computes),
        TEST(what_does_not_fit_is_handed_back_all_the_same),
        TEST(each_type_comes_back_as_it_was_computed),
        TEST(a_stream_is_stored_and_then_handed_back),
        TEST(options_without_sense_are_refused),
        TEST(of_those_who_miss_at_once_one_computes),
        TEST(a_waiter_gets_what_another_process_computes),
        TEST(when_who_computes_dies_the_next_one_does),
        TEST(a_stale_value_comes_while_another_computes),
        TEST(leads_are_distributed_exponentially),
        TEST(recipes_work_in_the_shard_of_their_key),
        TEST(early_recomputations_are_as_frequent_as_the_formula_says),
    };

    return cmocka_run_group_tests_name("recipes", tests, NULL, NULL);
}
