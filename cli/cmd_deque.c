/* cmd_deque.c - deque: a directory as a deque.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <diskcache_collections.h>
#include <string.h>

/* ---- values in ---- */

/* Several are pushed in one transaction. */
static int push_words(struct cli *cli, const struct args *args, enum dcache_side side)
{
    struct dcache_value *values = cli_alloc(cli, (size_t)args->count * sizeof *values);
    struct source *source = source_new(cli); /* words are not read from anywhere */
    int rc = 0;

    for (int i = 0; rc == 0 && i < args->count; i++) {
        if (strcmp(args->words[i], "-") == 0)
            rc = usage(cli, "'-' is a VALUE by itself");
        else
            rc = source_argument(cli, args, args->words[i], source, &values[i]);
    }
    source_end(source);
    if (rc == 0)
        rc = cli_open(cli, OPEN_CREATE);
    if (rc)
        return rc;
    rc = dcache_deque_extend(cli->cache, side, values, (size_t)args->count);
    return rc < 0 ? fail_status(cli, rc) : 0;
}

static int push_one(struct cli *cli, const struct args *args, enum dcache_side side)
{
    struct source *source = source_new(cli);
    struct dcache_value value;
    int rc = source_argument(cli, args, args->words[0], source, &value);

    if (rc == 0)
        rc = cli_open(cli, OPEN_CREATE);
    if (rc == 0) {
        rc = dcache_deque_push(cli->cache, side, &value);
        rc = rc < 0 ? fail_store(cli, rc, &value) : 0;
    }
    source_end(source);
    return rc;
}

static int run_push(struct cli *cli, const struct args *args)
{
    enum dcache_side side;
    int rc = side_argument(cli, args, DCACHE_BACK, &side);

    if (rc == 0)
        rc = args->count > 1 ? push_words(cli, args, side) : push_one(cli, args, side);
    if (rc == 0 && cli->json)
        json_number_line("pushed", args->count > 1 ? args->count : 1);
    return rc;
}

static int index_argument(struct cli *cli, const char *text, int64_t *ret_index)
{
    return parse_int(text, ret_index) < 0 ? usage(cli, "'%s' is no index", text) : 0;
}

/* What was done, or was not to be done because there is no such item. */
static int report(struct cli *cli, int rc, const char *name)
{
    if (rc < 0 && rc != DCACHE_NOT_FOUND)
        return fail_status(cli, rc);
    if (cli->json)
        json_truth_line(name, rc == 0);
    return rc == 0 ? EXIT_HIT : EXIT_MISS;
}

/* Open what is there; where nothing is, it is a deque without items. Else an exit code. */
static int open_quietly(struct cli *cli, int *ret_status)
{
    int rc = cli_open(cli, OPEN_QUIETLY);

    *ret_status = rc == EXIT_MISS ? DCACHE_NOT_FOUND : 0;
    return rc == EXIT_MISS ? 0 : rc;
}

static int run_set(struct cli *cli, const struct args *args)
{
    struct source *source = source_new(cli);
    struct dcache_value value;
    int64_t index;
    int status, rc = index_argument(cli, args->words[0], &index);

    if (rc == 0)
        rc = source_argument(cli, args, args->words[1], source, &value);
    if (rc == 0)
        rc = open_quietly(cli, &status);
    if (rc == 0) {
        if (status == 0)
            status = dcache_deque_set(cli->cache, index, &value);
        rc = status == DCACHE_CALLBACK ? fail_store(cli, status, &value)
                                       : report(cli, status, "stored");
    }
    source_end(source);
    return rc;
}

/* ---- values out ---- */

static int run_pop(struct cli *cli, const struct args *args)
{
    return fetch_from_side(cli, args, FETCH_PULL, DCACHE_FRONT);
}

static int run_peek(struct cli *cli, const struct args *args)
{
    return fetch_from_side(cli, args, FETCH_PEEK, DCACHE_FRONT);
}

static int run_get(struct cli *cli, const struct args *args)
{
    struct request request = {.what = FETCH_AT, .side = DCACHE_FRONT};
    int rc = index_argument(cli, args->words[0], &request.index);

    if (rc == 0 && request.index < 0) {
        request.side = DCACHE_BACK;
        request.index = -(request.index + 1);
    }
    return rc ? rc : fetch_and_print(cli, args, &request);
}

static void print_item(struct cli *cli, const struct dcache_entry *entry)
{
    struct json json = {.out = stdout};

    if (cli->json) {
        json_value(&json, &entry->value);
        json_end(&json);
    } else {
        print_plain(stdout, &entry->value);
        putchar('\n');
    }
}

static int run_ls(struct cli *cli, const struct args *args)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_value start = dcache_int(1), stop = dcache_int(999999999999999);
    const char *text = args_option(args, "limit");
    int64_t limit = INT64_MAX;
    dcache_iter *iter;
    int rc;

    if (text && (parse_int(text, &limit) < 0 || limit < 0))
        return usage(cli, "'%s' is no limit", text);
    rc = cli_open(cli, OPEN_THERE);
    if (rc)
        return rc;
    options.order = DCACHE_BY_KEY;
    options.flags = DCACHE_LIVE_ONLY | (args_option(args, "reverse") ? DCACHE_REVERSE : 0);
    options.start = &start;
    options.stop = &stop;
    rc = dcache_iter_open(cli->cache, &options, &iter);
    if (rc < 0)
        return fail_status(cli, rc);
    for (; rc == 0 && limit > 0 && !ferror(stdout); limit--) {
        struct dcache_entry entry;

        rc = dcache_iter_next(iter, &entry);
        if (rc == 0)
            print_item(cli, &entry);
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    return rc < 0 && rc != DCACHE_NOT_FOUND ? fail_status(cli, rc) : EXIT_HIT;
}

/* ---- items come, go and move ---- */

static int run_rm(struct cli *cli, const struct args *args)
{
    int64_t index;
    int status, rc = index_argument(cli, args->words[0], &index);

    if (rc == 0)
        rc = open_quietly(cli, &status);
    if (rc)
        return rc;
    return report(cli, status ? status : dcache_deque_delete(cli->cache, index), "removed");
}

/* remove VALUE, count VALUE */
static int by_value(struct cli *cli, const struct args *args, int64_t *ret_count)
{
    struct source *source = source_new(cli);
    struct dcache_value value;
    int status, rc = source_argument(cli, args, args->words[0], source, &value);

    if (rc == 0)
        rc = open_quietly(cli, &status);
    if (rc == 0 && ret_count) {
        *ret_count = 0;
        if (status == 0)
            status = dcache_deque_count(cli->cache, &value, ret_count);
        rc = status < 0 && status != DCACHE_NOT_FOUND ? fail_status(cli, status) : 0;
    } else if (rc == 0) {
        if (status == 0)
            status = dcache_deque_remove(cli->cache, &value);
        rc = report(cli, status, "removed");
    }
    source_end(source);
    return rc;
}

static int run_remove(struct cli *cli, const struct args *args)
{
    return by_value(cli, args, NULL);
}

static int run_count(struct cli *cli, const struct args *args)
{
    int64_t count;
    int rc = by_value(cli, args, &count);

    if (rc)
        return rc;
    print_number(cli, "count", count);
    return count > 0 ? EXIT_HIT : EXIT_MISS;
}

static int run_rotate(struct cli *cli, const struct args *args)
{
    int64_t steps = 1;
    int rc = 0;

    if (args->count && parse_int(args->words[0], &steps) < 0)
        return usage(cli, "'%s' is no number of steps", args->words[0]);
    rc = cli_open(cli, OPEN_THERE);
    return rc ? rc : report(cli, dcache_deque_rotate(cli->cache, steps), "rotated");
}

static int run_reverse(struct cli *cli, const struct args *args)
{
    int rc = cli_open(cli, OPEN_THERE);

    (void)args; /* it takes none */
    return rc ? rc : report(cli, dcache_deque_reverse(cli->cache), "reversed");
}

static int run_maxlen(struct cli *cli, const struct args *args)
{
    const char *word = args->count ? args->words[0] : NULL;
    int64_t maxlen = -1;
    int rc;

    if (word && strcmp(word, "none") != 0 && (parse_int(word, &maxlen) < 0 || maxlen < 0))
        return usage(cli, "'%s' is no length", word);
    rc = cli_open(cli, word ? OPEN_CREATE : OPEN_THERE);
    if (rc)
        return rc;
    if (word)
        return report(cli, dcache_deque_set_maxlen(cli->cache, maxlen), "set");
    rc = dcache_deque_maxlen(cli->cache, &maxlen);
    if (rc < 0)
        return fail_status(cli, rc);
    if (maxlen < 0 && !cli->json)
        puts("none");
    else
        print_number(cli, "maxlen", maxlen);
    return EXIT_HIT;
}

/* ---- tables ---- */

#define SIDE_OPTION                                                  \
    {                                                                \
        0, "side", "SIDE",                                           \
            "front or back (push: default back; pop, peek: default " \
            "front)"                                                 \
    }
#define LIST_OPTIONS                              \
    {'r', "reverse", NULL, "from the back"},      \
    {                                             \
        'n', "limit", "NUMBER", "at most so many" \
    }

static const struct option_spec push_options[] = {
    SIDE_OPTION, FILE_OPTION, KIND_OPTIONS, {0, NULL, NULL, NULL}};
static const struct option_spec value_options[] = {
    FILE_OPTION, KIND_OPTIONS, {0, NULL, NULL, NULL}};
static const struct option_spec end_options[] = {SIDE_OPTION, FETCH_OPTIONS, {0, NULL, NULL, NULL}};
static const struct option_spec get_options[] = {FETCH_OPTIONS, {0, NULL, NULL, NULL}};
static const struct option_spec list_options[] = {LIST_OPTIONS, {0, NULL, NULL, NULL}};

static const struct option_spec all_options[] = {
    SIDE_OPTION, FILE_OPTION, KIND_OPTIONS, FETCH_OPTIONS, LIST_OPTIONS, {0, NULL, NULL, NULL}};

static const struct verb verbs[] = {
    {"push", "VALUE...|-", "append values at a side", 0, -1, push_options, run_push, NULL},
    {"pop", "", "print and remove the item at a side", 0, 0, end_options, run_pop, NULL},
    {"peek", "", "print the item at a side", 0, 0, end_options, run_peek, NULL},
    {"get", "INDEX", "print an item", 1, 1, get_options, run_get, NULL},
    {"set", "INDEX VALUE|-", "replace an item", 1, 2, value_options, run_set, NULL},
    {"rm", "INDEX", "remove an item", 1, 1, NULL, run_rm, NULL},
    {"remove", "VALUE|-", "remove the first item that is equal", 0, 1, value_options, run_remove,
     NULL},
    {"count", "VALUE|-", "print how many items are equal", 0, 1, value_options, run_count, NULL},
    {"ls", "", "print all items, one a line", 0, 0, list_options, run_ls, NULL},
    {"len", "", "print how many items there are", 0, 0, NULL, run_length, NULL},
    {"rotate", "[STEPS]", "move items from back to front", 0, 1, NULL, run_rotate, NULL},
    {"reverse", "", "reverse the order", 0, 0, NULL, run_reverse, NULL},
    {"maxlen", "[NUMBER|none]", "print or set the greatest length", 0, 1, NULL, run_maxlen, NULL},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct command command_deque = {
    .name = "deque",
    .arguments = "VERB [ARGUMENT...]",
    .summary = "use a directory as a deque",
    .min = 1,
    .max = -1,
    .options = all_options,
    .run = run_verb,
    .verbs = verbs,
    .notes =
        "The directory (-d) is the deque's own; one that is made evicts nothing. An INDEX counts\n"
        "from 0, or from -1 at the back. Each item is popped exactly once, whoever asks.",
};
