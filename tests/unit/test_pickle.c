/* test_pickle.c - the pickles that are read, those that are not, and what is written. Bytes were made
 * by CPython 3.11's pickle.dumps(). */
#include "pickle.h"
#include "sandbox.h"

#define PICKLED(bytes) dcache_sized(DCACHE_PICKLE, (bytes), sizeof(bytes) - 1)

static struct pickle_tuple tuple;

static int read_of(struct dcache_value pickle)
{
    return pickle_read(&pickle, &tuple);
}

static bool text_is(const struct dcache_value *value, enum dcache_type type, const char *text)
{
    return value->type == type && value->size == strlen(text) &&
           memcmp(value->data, text, value->size) == 0;
}

static void assert_pair_of_half_and_seven(struct dcache_value pickle)
{
    assert_int_equal(read_of(pickle), 0);
    assert_int_equal(tuple.count, 2);
    assert_int_equal(tuple.items[0].type, DCACHE_DOUBLE);
    assert_true(tuple.items[0].real == 0.5);
    assert_int_equal(tuple.items[1].type, DCACHE_INT);
    assert_int_equal(tuple.items[1].integer, 7);
    pickle_clear(&tuple);
}

static void each_protocol_is_read(void **state)
{
    (void)state;
    assert_pair_of_half_and_seven(PICKLED("(F0.5\nI7\ntp0\n."));
    assert_pair_of_half_and_seven(PICKLED("(G?\xe0\0\0\0\0\0\0K\x07tq\0."));
    assert_pair_of_half_and_seven(PICKLED("\x80\x02G?\xe0\0\0\0\0\0\0K\x07\x86q\0."));
    assert_pair_of_half_and_seven(PICKLED("\x80\x03G?\xe0\0\0\0\0\0\0K\x07\x86q\0."));
    assert_pair_of_half_and_seven(
        PICKLED("\x80\x04\x95\x0e\0\0\0\0\0\0\0G?\xe0\0\0\0\0\0\0K\x07\x86\x94."));
    assert_pair_of_half_and_seven(
        PICKLED("\x80\x05\x95\x0e\0\0\0\0\0\0\0G?\xe0\0\0\0\0\0\0K\x07\x86\x94."));
}

static void each_kind_of_item_is_read(void **state)
{
    (void)state;
    assert_int_equal(read_of(PICKLED("\x80\x04(N\x8c\x03"
                                     "abc\x94"
                                     "C\x02xy\x94J\xff\xff\xff\xff\x8a\x05\0\0\0\0\x80M\0\x01h\0"
                                     "t\x94.")),
                     0);
    assert_int_equal(tuple.count, 7);
    assert_int_equal(tuple.items[0].type, DCACHE_NONE);
    assert_true(text_is(&tuple.items[1], DCACHE_TEXT, "abc"));
    assert_true(text_is(&tuple.items[2], DCACHE_BYTES, "xy"));
    assert_int_equal(tuple.items[3].integer, -1);
    assert_int_equal(tuple.items[4].integer, -549755813888);
    assert_int_equal(tuple.items[5].integer, 256);
    assert_true(text_is(&tuple.items[6], DCACHE_TEXT, "abc")); /* from the memo */
    pickle_clear(&tuple);
    assert_int_equal(read_of(PICKLED(").")), 0);
    assert_int_equal(tuple.count, 0);
    pickle_clear(&tuple);
}

static void strings_of_protocol_0_lose_their_escapes(void **state)
{
    (void)state;
    assert_int_equal(read_of(PICKLED("(Va\\u005cb\\u000ac\xe9\\u20ac\\U0001f600\np0\n"
                                     "Vplain\np1\nL12345678901L\ng1\ntp2\n.")),
                     0);
    assert_int_equal(tuple.count, 4);
    assert_true(
        text_is(&tuple.items[0], DCACHE_TEXT, "a\\b\nc\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
    assert_true(text_is(&tuple.items[1], DCACHE_TEXT, "plain"));
    assert_int_equal(tuple.items[2].integer, 12345678901);
    assert_true(text_is(&tuple.items[3], DCACHE_TEXT, "plain"));
    pickle_clear(&tuple);
}

static void anything_else_is_refused(void **state)
{
    const struct dcache_value others[] = {
        PICKLED("N."),
        PICKLED("]."),
        PICKLED("\x80\x04\x88\x89\x86."), /* (True, False) */
        PICKLED("(I01\nI00\nt."),
        PICKLED("cos\nsystem\n(S'true'\ntR."),
        PICKLED("\x80\x02K\x01\x85K\x02\x86."), /* ((1,), 2) */
        PICKLED("(K\x01K\x02t"),                /* no end */
        PICKLED("(K\x01K\x02t.."),
        PICKLED("K\x01K\x02\x85."),
        PICKLED("(K\x01(K\x02tt."),
        PICKLED("\x80\x02\x8a\x09\0\0\0\0\0\0\0\0\x01\x85."), /* 2 to the 64th */
        PICKLED("X\xff\xff\xff\x7f"
                "abc\x85."), /* longer than there is */
        PICKLED("\x8d\xff\xff\xff\xff\xff\xff\xff\xff\x85."),
        PICKLED("h\x05\x85."),
        PICKLED("(V\\ud800\nt."),
        PICKLED("(V\\u12\nt."),
        PICKLED("(I7x\nt."),
        PICKLED("(F\nt."),
        PICKLED("q\0."),
        PICKLED("\x80\x06."),
        PICKLED(""),
        PICKLED("\x80"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (read_of(others[i]) != DCACHE_TYPE)
            fail_msg("the %zu. was not refused", i);
    assert_int_equal(read_of(dcache_text("(t.")), DCACHE_TYPE);
}

/* Each byte of good pickles replaced, and each beginning of them: read or refused, and under
 * AddressSanitizer nothing is touched beyond their ends. */
static void no_byte_leads_astray(void **state)
{
    const struct dcache_value good[] = {
        PICKLED("(F0.5\nI7\nVa\\u005cb\\u000ac\np0\ng0\nL12L\nNtp1\n."),
        PICKLED("\x80\x04\x95\x20\0\0\0\0\0\0\0(N\x8c\x03"
                "abc\x94"
                "C\x02xy\x94J\xff\xff\xff\xff\x8a\x02\0\x01M\0\x01h\0t\x94."),
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t at = 0; at < good[i].size; at++)
            for (int byte = 0; byte < 257; byte++) {
                size_t size = byte < 256 ? good[i].size : at;
                char *copy = malloc(size + !size); /* of its own size: for AddressSanitizer */
                int rc;

                assert_non_null(copy);
                memcpy(copy, good[i].data, size);
                if (byte < 256)
                    copy[at] = (char)byte;
                rc = read_of(dcache_sized(DCACHE_PICKLE, copy, size));
                assert_true(rc == 0 || rc == DCACHE_TYPE);
                pickle_clear(&tuple);
                free(copy);
            }
}

static void what_is_written_is_read_again(void **state)
{
    const struct dcache_value items[] = {
        dcache_none(),           dcache_int(0),         dcache_int(-7),
        dcache_int(INT64_MIN),   dcache_int(INT64_MAX), dcache_double(-0.1),
        dcache_text("\xc3\xa9"), dcache_text(""),       dcache_bytes("\0\n.", 3)};
    const size_t count = sizeof items / sizeof *items;
    struct dcache_value pickle;

    (void)state;
    for (size_t n = 0; n <= count; n++) {
        assert_int_equal(pickle_write(items, n, &pickle), 0);
        assert_int_equal(read_of(pickle), 0);
        assert_int_equal(tuple.count, n);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(tuple.items[i].type, items[i].type);
            if (items[i].type == DCACHE_INT)
                assert_int_equal(tuple.items[i].integer, items[i].integer);
            if (items[i].type == DCACHE_DOUBLE)
                assert_true(tuple.items[i].real == items[i].real);
            if (items[i].type == DCACHE_TEXT || items[i].type == DCACHE_BYTES) {
                assert_int_equal(tuple.items[i].size, items[i].size);
                assert_memory_equal(tuple.items[i].data, items[i].data, items[i].size);
            }
        }
        pickle_clear(&tuple);
        dcache_value_clear(&pickle);
    }
    assert_int_equal(pickle_write(&(struct dcache_value){.type = DCACHE_FD}, 1, &pickle),
                     DCACHE_TYPE);
}

static void without_memory_it_says_so(void **state)
{
    const struct dcache_value pickle = PICKLED("(VaL\nVb\nI1\nI2\nI3\nI4\nt.");
    int rc = -1;

    (void)state;
    for (long n = 1; rc < 0; n++) {
        os_fault_at = n;
        rc = read_of(pickle);
        os_fault_at = 0;
        assert_true(rc == 0 || rc == DCACHE_NOMEM);
    }
    assert_int_equal(tuple.count, 6);
    pickle_clear(&tuple);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_protocol_is_read),
        TEST(each_kind_of_item_is_read),
        TEST(strings_of_protocol_0_lose_their_escapes),
        TEST(anything_else_is_refused),
        TEST(no_byte_leads_astray),
        TEST(what_is_written_is_read_again),
        TEST(without_memory_it_says_so),
    };

    return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
