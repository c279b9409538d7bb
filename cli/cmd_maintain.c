/* cmd_maintain.c - check, expire, cull, evict, clear, compact, backup: the cache as a whole.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const char *problem_name(enum dcache_problem_kind kind)
{
    static const char *const names[] = {
        [DCACHE_PROBLEM_DATABASE] = "database", [DCACHE_PROBLEM_MISSING] = "missing",
        [DCACHE_PROBLEM_SIZE] = "size",         [DCACHE_PROBLEM_TRUNCATED] = "truncated",
        [DCACHE_PROBLEM_STRAY] = "stray",       [DCACHE_PROBLEM_EMPTY_DIR] = "empty-dir",
        [DCACHE_PROBLEM_COUNT] = "count",       [DCACHE_PROBLEM_TOTAL] = "total",
        [DCACHE_PROBLEM_UNKNOWN] = "unknown",   [DCACHE_PROBLEM_DAMAGED] = "damaged",
    };
    size_t n = (size_t)kind;

    return n < sizeof names / sizeof *names && names[n] ? names[n] : "other";
}

static void print_report_json(const struct dcache_report *report)
{
    struct json json = {.out = stdout};

    json_open(&json, '{');
    json_name(&json, "problems");
    json_open(&json, '[');
    for (size_t i = 0; i < report->count; i++) {
        json_open(&json, '{');
        json_name(&json, "kind");
        json_string(&json, problem_name(report->problems[i].kind));
        json_name(&json, "fixed");
        json_bool(&json, report->problems[i].fixed);
        json_name(&json, "text");
        json_string(&json, report->problems[i].text);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    json_end(&json);
}

static int run_check(struct cli *cli, const struct args *args)
{
    struct dcache_report report = {0};
    size_t left = 0;
    int rc = cli_open(cli, OPEN_THERE);

    if (rc)
        return rc;
    rc = dcache_check(cli->cache, args_option(args, "fix") != NULL, &report);
    if (rc < 0)
        return fail_status(cli, rc);
    for (size_t i = 0; i < report.count; i++)
        left += !report.problems[i].fixed;
    if (cli->json) {
        print_report_json(&report);
    } else {
        for (size_t i = 0; i < report.count; i++)
            printf("%s: %s%s\n", problem_name(report.problems[i].kind), report.problems[i].text,
                   report.problems[i].fixed ? " (fixed)" : "");
        if (report.count == 0)
            puts("no problems");
    }
    dcache_report_clear(&report);
    return left ? EXIT_MISS : EXIT_HIT;
}

/* The end of the commands that remove and count. The count is good after a failure too. */
static int finish_removal(struct cli *cli, int rc, int64_t removed)
{
    struct json json = {.out = stdout};

    if (rc < 0 && removed > 0)
        warn(cli, "%" PRId64 " items were removed before it failed", removed);
    if (rc < 0)
        return fail_status(cli, rc);
    if (cli->json) {
        json_open(&json, '{');
        json_name(&json, "removed");
        json_int(&json, removed);
        json_close(&json, '}');
        json_end(&json);
    } else {
        printf("%" PRId64 " removed\n", removed);
    }
    return EXIT_HIT;
}

static int run_expire(struct cli *cli, const struct args *args)
{
    int64_t removed = 0;
    int rc = cli_open(cli, OPEN_THERE);

    (void)args; /* it takes none */
    if (rc)
        return rc;
    rc = dcache_expire(cli->cache, 0, &removed);
    return finish_removal(cli, rc, removed);
}

static int run_cull(struct cli *cli, const struct args *args)
{
    int64_t removed = 0;
    int rc = cli_open(cli, OPEN_THERE);

    (void)args; /* it takes none */
    if (rc)
        return rc;
    rc = dcache_cull(cli->cache, &removed);
    return finish_removal(cli, rc, removed);
}

static int run_evict(struct cli *cli, const struct args *args)
{
    struct dcache_value tag = dcache_text(args->words[0]);
    const char *type = args_option(args, "tag-type");
    int64_t removed = 0;
    int rc;

    if ((rc = value_parse(cli, type, args->words[0], &tag)) || (rc = cli_open(cli, OPEN_THERE)))
        return rc;
    rc = dcache_evict(cli->cache, &tag, &removed);
    return finish_removal(cli, rc, removed);
}

static int run_clear(struct cli *cli, const struct args *args)
{
    int64_t removed = 0, count;
    int rc = cli_open(cli, OPEN_THERE);

    if (rc)
        return rc;
    rc = dcache_count(cli->cache, &count);
    if (rc < 0)
        return fail_status(cli, rc);
    if (!args_option(args, "yes") && isatty(STDIN_FILENO)) {
        char answer[16] = "";

        fprintf(stderr, "Remove %s %" PRId64 " item%s of %s? [y/N] ", count == 1 ? "the" : "all",
                count, count == 1 ? "" : "s", dcache_directory(cli->cache));
        if (!fgets(answer, sizeof answer, stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
            return fail(cli, EXIT_MISS, "nothing was removed");
    }
    rc = dcache_clear(cli->cache, &removed);
    return finish_removal(cli, rc, removed);
}

static int run_compact(struct cli *cli, const struct args *args)
{
    struct json json = {.out = stdout};
    struct dcache_stats before, after;
    int rc;

    (void)args; /* it takes none */
    if ((rc = cli_open(cli, OPEN_THERE)))
        return rc;
    if ((rc = dcache_stats(cli->cache, 0, &before)) < 0 || (rc = dcache_compact(cli->cache)) < 0 ||
        (rc = dcache_stats(cli->cache, 0, &after)) < 0)
        return fail_status(cli, rc);
    if (cli->json) {
        json_open(&json, '{');
        json_name(&json, "before");
        json_int(&json, before.db_bytes + before.wal_bytes);
        json_name(&json, "after");
        json_int(&json, after.db_bytes + after.wal_bytes);
        json_close(&json, '}');
        json_end(&json);
        return EXIT_HIT;
    }
    fputs("database and log: ", stdout);
    print_size(stdout, before.db_bytes + before.wal_bytes);
    fputs(" before, ", stdout);
    print_size(stdout, after.db_bytes + after.wal_bytes);
    puts(" after");
    return EXIT_HIT;
}

static int run_backup(struct cli *cli, const struct args *args)
{
    struct json json = {.out = stdout};
    int rc = cli_open(cli, OPEN_THERE);

    if (rc)
        return rc;
    rc = dcache_backup(cli->cache, args->words[0]);
    if (rc < 0)
        return fail_status(cli, rc);
    if (cli->json) {
        json_open(&json, '{');
        json_name(&json, "backup");
        json_string(&json, args->words[0]);
        json_close(&json, '}');
        json_end(&json);
    }
    return EXIT_HIT;
}

static const struct option_spec check_options[] = {
    {0, "fix", NULL, "mend what can be mended"},
    {0, NULL, NULL, NULL},
};

static const struct option_spec evict_options[] = {
    {0, "tag-type", "TYPE", "of TAG: text (default), int, float, bytes (hex)"},
    {0, NULL, NULL, NULL},
};

static const struct option_spec clear_options[] = {
    {'y', "yes", NULL, "do not ask (only a terminal is asked)"},
    {0, NULL, NULL, NULL},
};

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "look for disagreement of rows and files",
    .min = 0,
    .max = 0,
    .options = check_options,
    .run = run_check,
    .notes = "The exit code is 1 if there are problems that were not fixed.",
};

const struct command command_expire = {
    .name = "expire",
    .arguments = "",
    .summary = "remove expired items",
    .min = 0,
    .max = 0,
    .run = run_expire,
};

const struct command command_cull = {
    .name = "cull",
    .arguments = "",
    .summary = "remove items until the size limit is kept",
    .min = 0,
    .max = 0,
    .run = run_cull,
};

const struct command command_evict = {
    .name = "evict",
    .arguments = "TAG",
    .summary = "remove all items with a tag",
    .min = 1,
    .max = 1,
    .options = evict_options,
    .run = run_evict,
};

const struct command command_clear = {
    .name = "clear",
    .arguments = "",
    .summary = "remove all items",
    .min = 0,
    .max = 0,
    .options = clear_options,
    .run = run_clear,
};

const struct command command_compact = {
    .name = "compact",
    .arguments = "",
    .summary = "give unused space back to the file system",
    .min = 0,
    .max = 0,
    .run = run_compact,
};

const struct command command_backup = {
    .name = "backup",
    .arguments = "DEST",
    .summary = "make a consistent copy in a new directory",
    .min = 1,
    .max = 1,
    .run = run_backup,
};
