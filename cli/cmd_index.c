/* cmd_index.c - index: a directory as a mapping in the order of insertion.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <diskcache_collections.h>
#include <string.h>

extern const struct command command_get, command_set, command_rm, command_pop, command_exists;
extern const struct command command_push, command_pull, command_peek, command_ls;

static int run_setdefault(struct cli *cli, const struct args *args)
{
    struct dcache_set_options set = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_get_options get = DCACHE_OPTIONS(struct dcache_get_options);
    struct source *source = source_new(cli);
    struct dcache_value key, value;
    struct dcache_entry entry = {0};
    int rc = key_argument(cli, args, args->words[0], &key);

    if (rc == 0)
        rc = source_argument(cli, args, args->words[1], source, &value);
    if (rc == 0)
        rc = cli_open(cli, OPEN_CREATE);
    if (rc == 0) {
        get.flags = DCACHE_AS_FD;
        rc = dcache_setdefault(cli->cache, &key, &value, &set, &get, &entry);
        rc = rc < 0 ? fail_store(cli, rc, &value) : print_entry(cli, args, &entry);
    }
    dcache_entry_clear(&entry);
    source_end(source);
    return rc;
}

static int run_popitem(struct cli *cli, const struct args *args)
{
    return fetch_from_side(cli, args, FETCH_POPITEM, DCACHE_BACK);
}

static int run_peekitem(struct cli *cli, const struct args *args)
{
    return fetch_from_side(cli, args, FETCH_PEEKITEM, DCACHE_BACK);
}

static int run_equal(struct cli *cli, const struct args *args)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    dcache *other = NULL;
    int equal = 0, rc = cli_open(cli, OPEN_THERE);

    if (rc)
        return rc;
    options.flags = DCACHE_NO_CREATE;
    options.timeout = cli->timeout;
    rc = dcache_open(args->words[0], &options, &other);
    if (rc == DCACHE_NOT_FOUND)
        return fail(cli, EXIT_MISS, "there is no cache in %s", args->words[0]);
    if (rc == 0)
        rc = dcache_equal(cli->cache, other, args_option(args, "ordered") != NULL, &equal);
    if (rc < 0)
        rc = fail_status(cli, rc);
    else if (cli->json)
        json_truth_line("equal", equal);
    dcache_close(other);
    return rc ? rc : equal ? EXIT_HIT : EXIT_MISS;
}

/* ---- tables ---- */

#define SIDE_OPTION                                                                            \
    {                                                                                          \
        0, "side", "SIDE",                                                                     \
            "front or back (pull, peek: default front; push, popitem, peekitem: default back)" \
    }
#define ORDERED_OPTION                                       \
    {                                                        \
        0, "ordered", NULL, "in the same order of insertion" \
    }

static const struct option_spec item_options[] = {
    SIDE_OPTION, FETCH_OPTIONS, {0, NULL, NULL, NULL}};
static const struct option_spec setdefault_options[] = {
    FILE_OPTION, KIND_OPTIONS, FETCH_OPTIONS, TYPE_OPTION, {0, NULL, NULL, NULL}};
static const struct option_spec equal_options[] = {ORDERED_OPTION, {0, NULL, NULL, NULL}};

/* Those of `set` and `get` and `ls`, too. */
static const struct option_spec all_options[] = {
    SIDE_OPTION,
    FILE_OPTION,
    {'e', "expire", "TIME", "from now on: 90, 1h30m, 500ms, 2d, never (default)"},
    {0, "tag", "TAG", "a label; ls: only items with it"},
    {0, "tag-type", "TYPE", "of TAG: text (default), int, float, bytes (hex)"},
    {0, "no-tag", NULL, "ls: only items without a tag"},
    {0, "pin", NULL, "no eviction policy takes this item"},
    KIND_OPTIONS,
    FETCH_OPTIONS,
    TYPE_OPTION,
    {0, "prefix", "TEXT", "the queue of this name; ls: only text keys that begin so"},
    {'l', "long", NULL, "ls: type, size, times of storing and expiry, tag, key"},
    {0, "expired", NULL, "ls: only expired items"},
    {0, "live", NULL, "ls: only items that have not expired"},
    {'s', "sort", "ORDER", "ls: inserted (default), key, time, size, access, count, expire"},
    {'r', "reverse", NULL, "ls: the other way round"},
    {'n', "limit", "NUMBER", "ls: at most so many"},
    {'0', "zero", NULL, "ls: end keys with NUL and escape nothing, for xargs -0"},
    ORDERED_OPTION,
    {0, NULL, NULL, NULL},
};

static const struct verb verbs[] = {
    {.name = "get", .summary = "print the value of a key", .like = &command_get},
    {.name = "set", .summary = "store a value; a key keeps its place", .like = &command_set},
    {"setdefault", "KEY VALUE|-", "store if there is none; print what is there", 1, 2,
     setdefault_options, run_setdefault, NULL},
    {.name = "rm", .summary = "remove keys", .like = &command_rm},
    {.name = "exists", .summary = "exit with 0 if the key is there", .like = &command_exists},
    {.name = "pop", .summary = "print the value of a key and remove it", .like = &command_pop},
    {"popitem", "", "print and remove the last or first value", 0, 0, item_options, run_popitem,
     NULL},
    {"peekitem", "", "print the last or first value", 0, 0, item_options, run_peekitem, NULL},
    {.name = "push", .summary = "store under the next number", .like = &command_push},
    {.name = "pull", .summary = "print and remove the next", .like = &command_pull},
    {.name = "peek", .summary = "print the next", .like = &command_peek},
    {.name = "ls", .summary = "list keys in the order of insertion", .like = &command_ls},
    {"len", "", "print how many items there are", 0, 0, NULL, run_length, NULL},
    {"equal", "DIR", "exit with 0 if another cache has the same", 1, 1, equal_options, run_equal,
     NULL},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

const struct command command_index = {
    .name = "index",
    .arguments = "VERB [ARGUMENT...]",
    .summary = "use a directory as an ordered mapping",
    .min = 1,
    .max = -1,
    .options = all_options,
    .run = run_verb,
    .verbs = verbs,
    .notes = "The directory (-d) is as of any cache; one that is made evicts nothing. popitem and\n"
             "peekitem tell the key with --json.",
};
