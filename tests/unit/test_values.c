/* test_values.c - what goes in comes out: every type, the extremes of each, inline and as files. */
#include "support.h"

#include <fcntl.h>
#include <float.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static dcache *cache_of(void **state)
{
    return ((struct place *)*state)->cache;
}

static const char *dir_of(void **state)
{
    return ((struct place *)*state)->dir;
}

/* ---- values ---- */

static void assert_round_trip(dcache *c, const struct dcache_value *value)
{
    assert_int_equal(dcache_set(c, KEY("k"), value, NULL), 0);
    assert_true(get_is(c, KEY("k"), value));
}

static void numbers_come_back_with_all_their_bits(void **state)
{
    static const int64_t integers[] = {0, 1, -1, INT32_MAX, INT64_C(1) << 53, INT64_MAX, INT64_MIN};
    static const double reals[] = {0.0,      -0.0,     1.5,       DBL_MAX, -DBL_MAX,
                                   DBL_MIN,  5e-324,   1e300 / 3, 42.0,    9007199254740993.0,
                                   HUGE_VAL, -HUGE_VAL};

    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        assert_round_trip(cache_of(state), INT(integers[i]));
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        assert_round_trip(cache_of(state), DOUBLE(reals[i]));
}

static void nan_survives_and_is_a_double(void **state)
{
    struct dcache_entry entry;

    assert_int_equal(dcache_set(cache_of(state), KEY("k"), DOUBLE((double)NAN), NULL), 0);
    entry = got(cache_of(state), KEY("k"));
    assert_int_equal(entry.kind, DCACHE_DOUBLE);
    assert_int_equal(entry.value.type, DCACHE_DOUBLE);
    assert_true(isnan(entry.value.real));
    dcache_entry_clear(&entry);
}

static void nothing_is_a_value_and_no_miss(void **state)
{
    struct dcache_entry entry;

    assert_int_equal(dcache_set(cache_of(state), KEY("k"), NOTHING, NULL), 0);
    entry = got(cache_of(state), KEY("k"));
    assert_int_equal(entry.value.type, DCACHE_NONE);
    assert_int_equal(entry.kind, DCACHE_NONE);
    dcache_entry_clear(&entry);
}

static void text_and_bytes_keep_nuls_line_ends_and_emptiness(void **state)
{
    dcache *c = cache_of(state);

    assert_round_trip(c, TEXT(""));
    assert_round_trip(c, BYTES("", 0));
    assert_round_trip(c, BYTES(NULL, 0));
    assert_round_trip(c, VALUE(dcache_sized(DCACHE_TEXT, "a\0b", 3)));
    assert_round_trip(c, VALUE(dcache_sized(DCACHE_TEXT, "\0", 1)));
    assert_round_trip(c, BYTES("\0\xff\0", 3));
    assert_round_trip(c, TEXT("one\r\ntwo\rthree\n"));
    assert_round_trip(c, TEXT("gr\xc3\xbc\xc3\x9f"
                              "e \xf0\x9f\x98\x80"));
}

static void data_handed_out_ends_in_a_nul(void **state)
{
    struct dcache_entry entry;

    assert_int_equal(dcache_set(cache_of(state), KEY("k"), TEXT("text"), NULL), 0);
    entry = got(cache_of(state), KEY("k"));
    assert_string_equal(entry.value.data, "text");
    assert_string_equal(entry.key.data, "k");
    dcache_entry_clear(&entry);
}

static void a_pickle_stays_a_pickle(void **state)
{
    struct dcache_value big = large('p');

    big.type = DCACHE_PICKLE;
    assert_round_trip(cache_of(state), VALUE(dcache_sized(DCACHE_PICKLE, "\x80\x05K\x07.", 5)));
    assert_round_trip(cache_of(state), VALUE(dcache_sized(DCACHE_PICKLE, "", 0)));
    assert_round_trip(cache_of(state), &big);
    assert_int_equal(count_files(dir_of(state)), 1);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    static const char *const bad[] = {"\xff",
                                      "\xc3",
                                      "a\x80",
                                      "\xc0\x80",         /* overlong NUL */
                                      "\xed\xa0\x80",     /* a surrogate */
                                      "\xf4\x90\x80\x80", /* beyond U+10FFFF */
                                      "\xe2\x82",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xe0\x80\x80"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(dcache_set(cache_of(state), KEY("k"), TEXT(bad[i]), NULL), DCACHE_INVALID);
        assert_int_equal(dcache_set(cache_of(state), TEXT(bad[i]), INT(1), NULL), DCACHE_INVALID);
        assert_int_equal(dcache_set(cache_of(state), KEY("k"), INT(1), SET(.tag = TEXT(bad[i]))),
                         DCACHE_INVALID);
        for (size_t n = 1; n < 20; n++) { /* wherever it is: eight bytes are looked at together */
            char text[40];

            (void)snprintf(text, sizeof text, "%.*s%s%.*s", (int)n, "aaaaaaaaaaaaaaaaaaaa", bad[i],
                           (int)n % 9, "bbbbbbbbb");
            assert_int_equal(dcache_set(cache_of(state), KEY("k"), TEXT(text), NULL),
                             DCACHE_INVALID);
        }
    }
    assert_int_equal(dcache_contains(cache_of(state), KEY("k")), DCACHE_NOT_FOUND);
    assert_round_trip(cache_of(state), BYTES("\xff\xc3", 2));
}

static void what_is_no_value_is_refused(void **state)
{
    struct dcache_value odd = {.type = (enum dcache_type)77};

    assert_int_equal(dcache_set(cache_of(state), KEY("k"), &odd, NULL), DCACHE_INVALID);
    assert_int_equal(dcache_set(cache_of(state), &odd, INT(1), NULL), DCACHE_INVALID);
    assert_int_equal(dcache_set(cache_of(state), KEY("k"), NULL, NULL), DCACHE_INVALID);
    assert_int_equal(dcache_set(cache_of(state), NULL, INT(1), NULL), DCACHE_INVALID);
    assert_int_equal(dcache_set(cache_of(state), KEY("k"), BYTES(NULL, 3), NULL), DCACHE_INVALID);
    assert_int_equal(dcache_set(cache_of(state), VALUE(dcache_fd(0)), INT(1), NULL),
                     DCACHE_INVALID);
    assert_int_equal(dcache_set(cache_of(state), KEY("k"), INT(1), SET(.tag = VALUE(dcache_fd(0)))),
                     DCACHE_INVALID);
    assert_int_equal(dcache_set(cache_of(state), KEY("k"), INT(1), SET(.tag = DOUBLE((double)NAN))),
                     DCACHE_INVALID);
}

/* ---- keys ---- */

static void keys_of_each_type_are_their_own(void **state)
{
    const struct dcache_value keys[] = {
        dcache_int(1),
        dcache_text("1"),
        dcache_bytes("1", 1),
        dcache_none(),
        dcache_double((double)NAN),
        dcache_double(1.5),
        dcache_double(-HUGE_VAL),
        dcache_int(INT64_MIN),
        dcache_text(""),
        dcache_bytes("", 0),
        dcache_sized(DCACHE_TEXT, "1\0", 2),
        dcache_sized(DCACHE_PICKLE, "\x80\x05)\x2e", 4),
        dcache_bytes("\x80\x05)\x2e", 4),
    };
    dcache *c = cache_of(state);
    int64_t count = sizeof keys / sizeof *keys, there;

    for (int64_t i = 0; i < count; i++)
        assert_int_equal(dcache_set(c, &keys[i], INT(i), NULL), 0);
    for (int64_t i = 0; i < count; i++) {
        struct dcache_entry entry = got(c, &keys[i]);

        assert_int_equal(entry.value.integer, i);
        assert_true(value_equals(&entry.key, &keys[i]));
        dcache_entry_clear(&entry);
    }
    assert_int_equal(dcache_count(c, &there), 0);
    assert_int_equal(there, count);
}

static void equal_numbers_are_one_key_as_in_python(void **state)
{
    assert_int_equal(dcache_set(cache_of(state), INT(1), TEXT("one"), NULL), 0);
    assert_true(get_is(cache_of(state), DOUBLE(1.0), TEXT("one")));
    assert_int_equal(dcache_set(cache_of(state), DOUBLE(0.0), TEXT("zero"), NULL), 0);
    assert_true(get_is(cache_of(state), DOUBLE(-0.0), TEXT("zero")));
    assert_true(get_is(cache_of(state), INT(0), TEXT("zero")));
}

static void hashes_are_those_of_python(void **state)
{
    char many[6000];

    (void)state;
    memset(many, 'x', sizeof many);
    assert_int_equal(dcache_hash(TEXT("hello")), 103547413);
    assert_int_equal(dcache_hash(BYTES("hello", 5)), 103547413);
    assert_int_equal(dcache_hash(TEXT("")), 1);
    assert_int_equal(dcache_hash(TEXT("gr\xc3\xbc\xc3\x9f"
                                      "e")),
                     271516704);
    assert_int_equal(dcache_hash(BYTES(many, 6000)), 497351959);
    assert_int_equal(dcache_hash(DOUBLE(1.5)), 147325240);
    assert_int_equal(dcache_hash(INT(0)), 0);
    assert_int_equal(dcache_hash(INT(-1)), 4294967294);
    assert_int_equal(dcache_hash(INT(4294967295)), 0);
    assert_int_equal(dcache_hash(INT(4294967296)), 1);
    assert_int_equal(dcache_hash(INT(INT64_MAX)), 2147483647);
    assert_int_equal(dcache_hash(INT(INT64_MIN)), 2147483647);
    assert_int_equal(dcache_hash(NOTHING), 48038146);
}

/* ---- files ---- */

static void values_from_32_kib_on_are_files_text_counted_in_characters(void **state)
{
    dcache *c = cache_of(state);
    char *text = malloc(2 * 32768);

    assert_non_null(text);
    for (int i = 0; i < 32768; i++)
        memcpy(text + 2L * i, "\xc3\xa9", 2);
    assert_round_trip(c, VALUE(dcache_sized(DCACHE_TEXT, text, 2 * 32767)));
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_round_trip(c, VALUE(dcache_sized(DCACHE_TEXT, text, 2 * 32768)));
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_round_trip(c, BYTES(text, 32767));
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_round_trip(c, BYTES(text, 32768));
    assert_int_equal(count_files(dir_of(state)), 1);
    free(text);
}

static void a_file_of_text_keeps_its_line_ends(void **state)
{
    char *text = malloc(40000);

    assert_non_null(text);
    for (int i = 0; i < 40000; i++)
        text[i] = "\r\n\r\0x"[i % 5];
    assert_round_trip(cache_of(state), VALUE(dcache_sized(DCACHE_TEXT, text, 40000)));
    free(text);
}

static void min_file_size_is_honoured(void **state)
{
    assert_int_equal(dcache_setting_set(cache_of(state), "disk_min_file_size", INT(3)), 0);
    assert_round_trip(cache_of(state), TEXT("ab"));
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_round_trip(cache_of(state), TEXT("abc"));
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_int_equal(dcache_setting_set(cache_of(state), "disk_min_file_size", INT(0)), 0);
    assert_round_trip(cache_of(state), TEXT(""));
    assert_int_equal(count_files(dir_of(state)), 1);
}

/* ---- streams and descriptors ---- */

struct stream {
    size_t left, calls;
    ssize_t error_at; /* the call that reports an error; -1: none */
};

static ssize_t read_stream(void *arg, void *buffer, size_t size)
{
    struct stream *stream = arg;
    size_t n = stream->left < 1000 ? stream->left : 1000; /* less than asked for */

    assert_true(size >= 1000);
    if ((ssize_t)stream->calls++ == stream->error_at)
        return -1;
    memset(buffer, 's', n);
    stream->left -= n;
    return (ssize_t)n;
}

static void a_stream_is_read_to_its_end_and_stored_as_bytes(void **state)
{
    struct stream stream = {.left = 2500, .error_at = -1};
    struct dcache_entry entry;

    assert_int_equal(
        dcache_set(cache_of(state), KEY("k"), VALUE(dcache_reader(read_stream, &stream)), NULL), 0);
    entry = got(cache_of(state), KEY("k"));
    assert_int_equal(entry.value.type, DCACHE_BYTES);
    assert_int_equal(entry.value.size, 2500);
    assert_int_equal(entry.size, 2500);
    dcache_entry_clear(&entry);
    stream = (struct stream){.left = 0, .error_at = -1};
    assert_int_equal(
        dcache_set(cache_of(state), KEY("k"), VALUE(dcache_reader(read_stream, &stream)), NULL), 0);
    assert_true(get_is(cache_of(state), KEY("k"), BYTES("", 0)));
}

static void a_stream_that_fails_leaves_the_old_value_and_no_file(void **state)
{
    struct stream stream = {.left = 5000, .error_at = 2};
    dcache *c = cache_of(state);

    assert_int_equal(dcache_set(c, KEY("k"), TEXT("old"), NULL), 0);
    assert_int_equal(dcache_set(c, KEY("k"), VALUE(dcache_reader(read_stream, &stream)), NULL),
                     DCACHE_CALLBACK);
    assert_true(get_is(c, KEY("k"), TEXT("old")));
    assert_int_equal(count_files(dir_of(state)), 0);
}

static void a_descriptor_is_stored_from_its_position_on(void **state)
{
    char path[300];
    int fd;

    (void)snprintf(path, sizeof path, "%s/../dcache-unit-fd-%d", dir_of(state), (int)getpid());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
    assert_int_equal(dcache_set(cache_of(state), KEY("k"), VALUE(dcache_fd(fd)), NULL), 0);
    assert_true(get_is(cache_of(state), KEY("k"), BYTES("456789", 6)));
    close(fd);
}

static void as_fd_hands_out_a_descriptor_at_the_start_whatever_the_value(void **state)
{
    const struct {
        struct dcache_value value;
        const char *begins;
        enum dcache_type kind;
    } cases[] = {
        {large('f'), "ffffff", DCACHE_BYTES},       {dcache_text("inline"), "inline", DCACHE_TEXT},
        {dcache_int(-12345), "-12345", DCACHE_INT}, {dcache_double(0.1), "0.1000", DCACHE_DOUBLE},
        {dcache_none(), "", DCACHE_NONE},           {dcache_bytes("", 0), "", DCACHE_BYTES},
    };
    dcache *c = cache_of(state);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[7] = "";
        struct dcache_entry entry;
        int fd;

        assert_int_equal(dcache_set(c, KEY("k"), &cases[i].value, NULL), 0);
        assert_int_equal(dcache_get(c, KEY("k"), GET(.flags = DCACHE_AS_FD), &entry), 0);
        assert_int_equal(entry.value.type, DCACHE_FD);
        assert_int_equal(entry.kind, cases[i].kind);
        fd = dcache_entry_take_fd(&entry);
        assert_int_equal(dcache_entry_take_fd(&entry), -1);
        dcache_entry_clear(&entry);
        assert_int_equal(read(fd, bytes, 6), strlen(cases[i].begins));
        assert_string_equal(bytes, cases[i].begins);
        close(fd);
    }
}

static void file_as_fd_hands_out_what_is_in_a_file_and_no_pickle(void **state)
{
    const struct {
        struct dcache_value value;
        bool as_fd;
    } cases[] = {
        {dcache_bytes("bytes", 5), false},
        {dcache_int(1), false},
        {dcache_none(), false},
        {large('f'), true},
        {large('t'), true},
        {large('p'), false},
    };
    dcache *c = cache_of(state);
    struct dcache_value checksums = dcache_int(1);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dcache_value value = cases[i].value;
        struct dcache_entry entry;
        char byte = 0;

        if (i >= 4)
            value.type = i == 4 ? DCACHE_TEXT : DCACHE_PICKLE;
        assert_int_equal(dcache_set(c, KEY("k"), &value, NULL), 0);
        assert_int_equal(dcache_get(c, KEY("k"), GET(.flags = DCACHE_FILE_AS_FD), &entry), 0);
        assert_int_equal(entry.kind, value.type);
        assert_int_equal(entry.value.type == DCACHE_FD, cases[i].as_fd);
        if (cases[i].as_fd) {
            assert_int_equal(read(entry.value.fd, &byte, 1), 1);
            assert_int_equal(byte, *(const char *)value.data);
        } else {
            assert_true(value_equals(&entry.value, &value));
        }
        dcache_entry_clear(&entry);
    }
    assert_int_equal(dcache_setting_set(c, "checksums", &checksums), 0);
    assert_int_equal(dcache_set(c, KEY("k"), VALUE(large('f')), NULL), 0);
    {
        struct dcache_entry entry; /* it has been read, to be verified */

        assert_int_equal(dcache_get(c, KEY("k"), GET(.flags = DCACHE_FILE_AS_FD), &entry), 0);
        assert_true(value_equals(&entry.value, VALUE(large('f'))));
        dcache_entry_clear(&entry);
    }
}

static void a_descriptor_handed_out_outlives_its_item(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    assert_int_equal(dcache_set(c, KEY("k"), VALUE(large('f')), NULL), 0);
    assert_int_equal(dcache_get(c, KEY("k"), GET(.flags = DCACHE_AS_FD), &entry), 0);
    assert_int_equal(dcache_delete(c, KEY("k")), 0);
    assert_int_equal(lseek(entry.value.fd, 0, SEEK_END), LARGE);
    dcache_entry_clear(&entry);
    assert_int_equal(count_files(dir_of(state)), 0);
}

static void no_value_leaves_out_the_value_only(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    assert_int_equal(dcache_set(c, KEY("k"), VALUE(large('f')), SET(.tag = INT(3))), 0);
    assert_int_equal(dcache_get(c, KEY("k"), GET(.flags = DCACHE_NO_VALUE), &entry), 0);
    assert_int_equal(entry.value.type, DCACHE_NONE);
    assert_int_equal(entry.kind, DCACHE_BYTES);
    assert_int_equal(entry.size, LARGE);
    assert_non_null(entry.filename);
    assert_true(value_equals(&entry.tag, INT(3)));
    assert_true(entry.expire_time == DCACHE_NEVER);
    dcache_entry_clear(&entry);
}

/* ---- stored values ---- */

static void make_file(const char *dir, const char *name)
{
    char path[300];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("bytes", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_stored(dcache *c, const char *key, int mode, int64_t size, const char *filename,
                      struct dcache_value inside)
{
    struct dcache_stored stored = {
        .mode = mode, .size = size, .filename = filename, .value = inside};
    struct dcache_value value = {.type = DCACHE_STORED, .stored = &stored};

    return dcache_set(c, TEXT(key), &value, NULL);
}

static void a_stored_value_goes_in_and_out_as_it_is(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    make_file(dir_of(state), "own.val");
    assert_int_equal(set_stored(c, "file", 2, 5, "own.val", dcache_none()), 0);
    assert_true(get_is(c, KEY("file"), BYTES("bytes", 5)));
    assert_int_equal(dcache_get(c, KEY("file"), GET(.flags = DCACHE_AS_STORED), &entry), 0);
    assert_int_equal(entry.value.type, DCACHE_STORED);
    assert_int_equal(entry.value.stored->mode, 2);
    assert_int_equal(entry.value.stored->size, 5);
    assert_string_equal(entry.value.stored->filename, "own.val");
    dcache_entry_clear(&entry);
    assert_int_equal(set_stored(c, "inline", 4, 0, NULL, dcache_bytes("\x80", 1)), 0);
    assert_int_equal(dcache_get(c, KEY("inline"), GET(.flags = DCACHE_AS_STORED), &entry), 0);
    assert_int_equal(entry.value.stored->mode, 4);
    assert_null(entry.value.stored->filename);
    assert_true(value_equals(&entry.value.stored->value, BYTES("\x80", 1)));
    dcache_entry_clear(&entry);
    assert_int_equal(set_stored(c, "null", 1, 0, NULL, dcache_none()), 0);
    assert_true(get_is(c, KEY("null"), NOTHING));
}

static void a_stored_value_popped_leaves_its_file_to_the_caller(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    assert_int_equal(dcache_set(c, KEY("k"), VALUE(large('f')), NULL), 0);
    assert_int_equal(dcache_pop(c, KEY("k"), GET(.flags = DCACHE_AS_STORED), &entry), 0);
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_int_equal(dcache_remove_file(c, entry.value.stored->filename), 0);
    assert_int_equal(dcache_remove_file(c, "../outside"), DCACHE_INVALID);
    dcache_entry_clear(&entry);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_counters_right(dir_of(state));
}

static void the_file_of_a_stored_value_goes_when_the_operation_fails(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_stored stored = {.mode = 2, .size = 5, .filename = "own.val"};
    struct dcache_value value = {.type = DCACHE_STORED, .stored = &stored};
    struct dcache_value keys[] = {dcache_text("a"), dcache_text("b")};
    struct dcache_value values[] = {dcache_text("\xff"), value};

    make_file(dir_of(state), "own.val");
    assert_int_equal(dcache_set(c, NULL, &value, NULL), DCACHE_INVALID);
    assert_int_equal(count_files(dir_of(state)), 0);
    make_file(dir_of(state), "own.val");
    assert_int_equal(set_stored(c, "k", 9, 5, "own.val", dcache_none()), DCACHE_INVALID);
    assert_int_equal(count_files(dir_of(state)), 0);
    make_file(dir_of(state), "own.val");
    assert_int_equal(dcache_set_many(c, keys, values, 2, NULL), DCACHE_INVALID);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(dcache_setting_set(c, "size_limit", INT(4)), 0);
    make_file(dir_of(state), "own.val");
    assert_int_equal(dcache_set(c, KEY("k"), &value, NULL), DCACHE_TOO_BIG);
    assert_int_equal(count_files(dir_of(state)), 0);
}

static void a_stored_value_cannot_name_a_file_outside(void **state)
{
    dcache *c = cache_of(state);

    assert_int_equal(set_stored(c, "k", 2, 5, "../own.val", dcache_none()), DCACHE_INVALID);
    assert_int_equal(set_stored(c, "k", 2, 5, "/etc/passwd", dcache_none()), DCACHE_INVALID);
    assert_int_equal(set_stored(c, "k", 2, 5, "cache.db", dcache_none()), DCACHE_INVALID);
    assert_int_equal(dcache_contains(c, KEY("k")), DCACHE_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(numbers_come_back_with_all_their_bits),
        TEST(nan_survives_and_is_a_double),
        TEST(nothing_is_a_value_and_no_miss),
        TEST(text_and_bytes_keep_nuls_line_ends_and_emptiness),
        TEST(data_handed_out_ends_in_a_nul),
        TEST(a_pickle_stays_a_pickle),
        TEST(text_that_is_not_utf8_is_refused),
        TEST(what_is_no_value_is_refused),
        TEST(keys_of_each_type_are_their_own),
        TEST(equal_numbers_are_one_key_as_in_python),
        TEST(hashes_are_those_of_python),
        TEST(values_from_32_kib_on_are_files_text_counted_in_characters),
        TEST(a_file_of_text_keeps_its_line_ends),
        TEST(min_file_size_is_honoured),
        TEST(a_stream_is_read_to_its_end_and_stored_as_bytes),
        TEST(a_stream_that_fails_leaves_the_old_value_and_no_file),
        TEST(a_descriptor_is_stored_from_its_position_on),
        TEST(as_fd_hands_out_a_descriptor_at_the_start_whatever_the_value),
        TEST(file_as_fd_hands_out_what_is_in_a_file_and_no_pickle),
        TEST(a_descriptor_handed_out_outlives_its_item),
        TEST(no_value_leaves_out_the_value_only),
        TEST(a_stored_value_goes_in_and_out_as_it_is),
        TEST(a_stored_value_popped_leaves_its_file_to_the_caller),
        TEST(the_file_of_a_stored_value_goes_when_the_operation_fails),
        TEST(a_stored_value_cannot_name_a_file_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
