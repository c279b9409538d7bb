/* cmd_key.c - rm, exists, touch, incr: small things done to single keys.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <string.h>

static void print_key_result(const struct dcache_value *key, const char *name, int truth)
{
    struct json json = {.out = stdout};

    json_open(&json, '{');
    json_name(&json, "key");
    json_value(&json, key);
    json_name(&json, name);
    json_bool(&json, truth);
    json_close(&json, '}');
    json_end(&json);
}

static int run_rm(struct cli *cli, const struct args *args)
{
    struct dcache_value *keys = cli_alloc(cli, (size_t)args->count * sizeof *keys);
    int64_t removed = 0;
    int rc;

    for (int i = 0; i < args->count; i++) {
        rc = key_argument(cli, args, args->words[i], &keys[i]);
        if (rc)
            return rc;
    }
    rc = cli_open(cli, OPEN_QUIETLY);
    if (rc && rc != EXIT_MISS)
        return rc;
    if (rc == 0) {
        rc = dcache_delete_many(cli->cache, keys, (size_t)args->count, &removed);
        if (rc < 0)
            return fail_status(cli, rc);
    }
    if (cli->json)
        json_number_line("removed", removed);
    return removed == args->count ? EXIT_HIT : EXIT_MISS;
}

/* Commands that say no more than whether the key was there. */
static int do_key(struct cli *cli, const struct dcache_value *key,
                  const struct dcache_set_options *touch)
{
    int rc = cli_open(cli, OPEN_QUIETLY);

    if (rc && rc != EXIT_MISS)
        return rc;
    if (rc == EXIT_MISS)
        rc = DCACHE_NOT_FOUND;
    else if (touch)
        rc = dcache_touch(cli->cache, key, touch);
    else
        rc = dcache_contains(cli->cache, key);
    if (rc < 0 && rc != DCACHE_NOT_FOUND)
        return fail_status(cli, rc);
    if (cli->json)
        print_key_result(key, touch ? "touched" : "found", rc == 0);
    return rc == 0 ? EXIT_HIT : EXIT_MISS;
}

static int run_exists(struct cli *cli, const struct args *args)
{
    struct dcache_value key;
    int rc = key_argument(cli, args, args->words[0], &key);

    return rc ? rc : do_key(cli, &key, NULL);
}

static int run_touch(struct cli *cli, const struct args *args)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_value key;
    int rc;

    if ((rc = key_argument(cli, args, args->words[0], &key)) ||
        (rc = expire_argument(cli, args, &options.expire)))
        return rc;
    return do_key(cli, &key, &options);
}

/* A number of the type in which it is written. */
static int number_argument(struct cli *cli, const char *text, struct dcache_value *ret)
{
    int64_t integer;
    double real;

    if (parse_int(text, &integer) == 0)
        *ret = dcache_int(integer);
    else if (strpbrk(text, ".eEnN") && parse_double(text, &real) == 0)
        *ret = dcache_double(real);
    else
        return usage(cli, "'%s' is no number, or does not fit into 64 bits", text);
    return 0;
}

static int run_incr(struct cli *cli, const struct args *args)
{
    struct dcache_incr_options options = DCACHE_OPTIONS(struct dcache_incr_options);
    struct dcache_value key, delta = dcache_int(1), initial = dcache_int(0), tag, sum;
    const char *from = args_option(args, "initial");
    struct json json = {.out = stdout};
    int rc;

    if ((rc = key_argument(cli, args, args->words[0], &key)) ||
        (args->count > 1 && (rc = number_argument(cli, args->words[1], &delta))) ||
        (from && (rc = number_argument(cli, from, &initial))) ||
        (rc = expire_argument(cli, args, &options.expire)) ||
        (rc = tag_argument(cli, args, "tag", &tag)) || (rc = cli_open(cli, OPEN_CREATE)))
        return rc;
    options.initial = &initial;
    options.tag = &tag;
    if (args_option(args, "must-exist"))
        options.flags |= DCACHE_MUST_EXIST;
    rc = dcache_incr(cli->cache, &key, &delta, &options, &sum);
    if (rc == DCACHE_NOT_FOUND)
        return print_missing(cli, &key, NULL);
    if (rc < 0)
        return fail_status(cli, rc);
    if (cli->json) {
        json_open(&json, '{');
        json_name(&json, "key");
        json_value(&json, &key);
        json_name(&json, "value");
        json_value(&json, &sum);
        json_close(&json, '}');
    } else {
        print_plain(stdout, &sum);
    }
    putchar('\n');
    return EXIT_HIT;
}

static const struct option_spec key_options[] = {
    TYPE_OPTION,
    {0, NULL, NULL, NULL},
};

static const struct option_spec touch_options[] = {
    {'e', "expire", "TIME", "from now on: 90, 1h30m, 500ms, 2d, never (default)"},
    TYPE_OPTION,
    {0, NULL, NULL, NULL},
};

static const struct option_spec incr_options[] = {
    {0, "initial", "NUMBER", "where a new item begins (default 0)"},
    {0, "must-exist", NULL, "a key that is not there is a miss"},
    {'e', "expire", "TIME", "of a new item, from now on: 90, 1h30m, 500ms, 2d, never (default)"},
    {0, "tag", "TAG", "of a new item"},
    {0, "tag-type", "TYPE", "of TAG: text (default), int, float, bytes (hex)"},
    TYPE_OPTION,
    {0, NULL, NULL, NULL},
};

const struct command command_rm = {
    .name = "rm",
    .arguments = "KEY...",
    .summary = "remove keys",
    .min = 1,
    .max = -1,
    .options = key_options,
    .run = run_rm,
    .notes = "All in one transaction. The exit code is 1 if any of them was not there.",
};

const struct command command_exists = {
    .name = "exists",
    .arguments = "KEY",
    .summary = "exit with 0 if the key is there, else 1",
    .min = 1,
    .max = 1,
    .options = key_options,
    .run = run_exists,
};

const struct command command_touch = {
    .name = "touch",
    .arguments = "KEY",
    .summary = "give a key a new expiry",
    .min = 1,
    .max = 1,
    .options = touch_options,
    .run = run_touch,
};

const struct command command_incr = {
    .name = "incr",
    .arguments = "KEY [DELTA]",
    .summary = "add to a number, print the sum",
    .min = 1,
    .max = 2,
    .options = incr_options,
    .run = run_incr,
    .notes = "DELTA is 1 by default, and may be negative or have a fraction.",
};
