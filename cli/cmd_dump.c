/* cmd_dump.c - dump: every live item as a line of JSON, exact for every type.
 *
 * A line is {"key": K, "value": V}, with "tag": T and "expire_time": seconds where there are such.
 * How K, V and T stand for each type is said in cli.h (struct json). Values in files are streamed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void print_head(struct json *json, const struct dcache_entry *entry)
{
    json_open(json, '{');
    json_name(json, "key");
    json_value(json, &entry->key);
    if (entry->tag.type != DCACHE_NONE) {
        json_name(json, "tag");
        json_value(json, &entry->tag);
    }
    if (entry->expire_time != DCACHE_NEVER) {
        json_name(json, "expire_time");
        json_double(json, entry->expire_time);
    }
    json_name(json, "value");
}

static int print_line(struct cli *cli, struct dcache_entry *entry, int show)
{
    struct json json = {.out = stdout};
    int rc;

    if (entry_settle(entry) < 0)
        return fail_errno(cli, "reading a value");
    print_head(&json, entry);
    if (entry->value.type == DCACHE_FD) {
        rc = json_fd(&json, entry->value.fd, entry->kind);
        if (rc < 0)
            return fail_errno(cli, "reading a value");
    } else {
        json_value(&json, &entry->value);
    }
    if (show)
        json_entry_data(&json, entry);
    json_close(&json, '}');
    json_end(&json);
    return EXIT_HIT;
}

static int run_dump(struct cli *cli, const struct args *args)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_value tag, prefix;
    struct progress progress = {.what = "dumped"};
    dcache_iter *iter;
    int on_terminal = isatty(STDOUT_FILENO);
    int64_t done = 0;
    int rc, code;

    code = tag_argument(cli, args, "tag", &tag);
    if (code)
        return code;
    if (args_option(args, "tag"))
        options.tag = &tag;
    if (args_option(args, "prefix")) {
        prefix = dcache_text(args_option(args, "prefix"));
        options.prefix = &prefix;
    }
    if ((code = cli_open(cli, OPEN_THERE)))
        return code;
    options.flags = DCACHE_LIVE_ONLY | DCACHE_AS_FD;
    rc = dcache_iter_open(cli->cache, &options, &iter);
    if (rc < 0)
        return fail_status(cli, rc);
    while (rc == 0 && code == 0 && !ferror(stdout)) {
        struct dcache_entry entry = {0};

        rc = dcache_iter_next(iter, &entry);
        if (rc == 0)
            code = print_line(cli, &entry, args_option(args, "show") != NULL);
        dcache_entry_clear(&entry);
        if (!on_terminal) /* the lines themselves are progress enough */
            progress_step(&progress, ++done);
    }
    progress_end(&progress);
    dcache_iter_close(iter);
    if (code == 0 && rc < 0 && rc != DCACHE_NOT_FOUND)
        code = fail_status(cli, rc);
    return code;
}

static const struct option_spec dump_options[] = {
    {0, "prefix", "TEXT", "only text keys that begin so"},
    {0, "tag", "TAG", "only items with this tag"},
    {0, "tag-type", "TYPE", "of TAG: text (default), int, float, bytes (hex)"},
    {0, "show", NULL, "pickles and what is packed also as what they are; not for 'load'"},
    {0, NULL, NULL, NULL},
};

const struct command command_dump = {
    .name = "dump",
    .arguments = "",
    .summary = "print all live items as JSON Lines",
    .min = 0,
    .max = 0,
    .options = dump_options,
    .run = run_dump,
    .notes =
        "A line is {\"key\": ..., \"value\": ...}, with \"tag\" and \"expire_time\" (seconds\n"
        "since 1970) where there are such. Text is a string, numbers are numbers (a float always\n"
        "has a point or an exponent), Python's None is null, and there are {\"bytes\": BASE64},\n"
        "{\"pickle\": BASE64}, and {\"float\": \"nan\"}, \"inf\", \"-inf\". 'load' reads it back.",
};
