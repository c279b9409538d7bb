/* cmd_run.c - run: remember what a command prints and how it exits.
 *
 * A cache that fails costs time, never the result: then the command is run, and stderr says why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run {
    struct cli *cli;
    const struct args *args;
    struct dcache_value key, tag;
    struct spool *input; /* NULL without --stdin */
    double expire;
};

static int print_json(struct run *run, const struct spool *recording, int hit, int status,
                      int remembered)
{
    struct json json = {.out = stdout};
    int rc = 0;

    json_open(&json, '{');
    json_name(&json, "key");
    json_value(&json, &run->key);
    json_name(&json, "hit");
    json_bool(&json, hit);
    json_name(&json, "remembered");
    json_bool(&json, remembered);
    json_name(&json, "status");
    json_int(&json, status);
    json_name(&json, "stdout");
    rc |= recording_json(recording, 'o', &json);
    json_name(&json, "stderr");
    rc |= recording_json(recording, 'e', &json);
    json_close(&json, '}');
    json_end(&json);
    return rc < 0 ? fail(run->cli, EXIT_IO, "the recording is damaged") : status;
}

/* Look for a recording. 1 and its exit code when it was found and replayed, else 0. */
static int replay(struct run *run, int *ret_code)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry entry = {0};
    struct spool recording;
    struct stat st;
    int status, rc, found = 0;

    options.flags = DCACHE_AS_FD;
    rc = dcache_get(run->cli->cache, &run->key, &options, &entry);
    if (rc < 0 && rc != DCACHE_NOT_FOUND)
        (void)fail_status(run->cli, rc); /* as good as a miss */
    spool_init(&recording);
    if (rc == 0 && entry.kind == DCACHE_BYTES && entry.value.type == DCACHE_FD &&
        fstat(entry.value.fd, &st) == 0) {
        recording.fd = dcache_entry_take_fd(&entry);
        recording.total = st.st_size;
        status = recording_status(&recording);
        if (status >= 0) {
            found = 1;
            *ret_code = status;
            if (run->cli->json)
                *ret_code = print_json(run, &recording, 1, status, 1);
            else if ((rc = recording_replay(run->cli, &recording)) != 0)
                *ret_code = rc;
        }
    }
    spool_clear(&recording);
    dcache_entry_clear(&entry);
    return found;
}

/* Returns whether it is in the cache now. */
static int remember(struct run *run, struct spool *recording)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_value value;
    int rc;

    if (spool_value(recording, DCACHE_BYTES, &value) < 0) {
        warn(run->cli, "not remembered: %s", strerror(errno));
        return 0;
    }
    options.expire = run->expire;
    options.tag = &run->tag;
    rc = dcache_set(run->cli->cache, &run->key, &value, &options);
    if (rc < 0)
        (void)fail_status(run->cli, rc); /* the command's status counts */
    return rc == 0;
}

static int run_and_remember(struct run *run)
{
    struct cli *cli = run->cli;
    struct run_result result;
    struct spool recording;
    int remembered = 0, code;

    spool_init(&recording);
    run_command_recorded(cli, run->args->words, run->input, cli->json, &recording, &result);
    code = result.status;
    if (cli->cache && result.complete &&
        (result.status == 0 || args_option(run->args, "keep-failures")))
        remembered = remember(run, &recording);
    if (cli->json)
        code = print_json(run, &recording, 0, result.status, remembered);
    spool_clear(&recording);
    return code;
}

static int run_with_input(struct run *run)
{
    struct cli *cli = run->cli;
    int rc, code;

    if (run->input && spool_add_fd(run->input, STDIN_FILENO) < 0)
        return fail_errno(cli, "standard input");
    code = run_key(cli, run->args, run->input, &run->key);
    if (code)
        return code;
    if (args_option(run->args, "key")) {
        (void)fwrite(run->key.data, 1, run->key.size, stdout); /* it holds no control character */
        putchar('\n');
        return EXIT_HIT;
    }
    rc = cli_open(cli, OPEN_CREATE);
    if (rc == EXIT_USAGE)
        return rc;
    /* Any other failure is said, and the command is run without a cache. */
    if (rc == 0 && !args_option(run->args, "refresh") && replay(run, &code))
        return code;
    return run_and_remember(run);
}

static int run_run(struct cli *cli, const struct args *args)
{
    struct run run = {.cli = cli, .args = args};
    struct spool input;
    int code;

    if ((code = expire_argument(cli, args, &run.expire)) ||
        (code = tag_argument(cli, args, "tag", &run.tag)))
        return code;
    spool_init(&input);
    if (args_option(args, "stdin"))
        run.input = &input;
    code = run_with_input(&run);
    spool_clear(&input);
    return code;
}

static const struct option_spec run_options[] = {
    {'e', "expire", "TIME", "forget it after 90, 1h30m, 2d, ... (default: never)"},
    {0, "tag", "TAG", "a label, for ls and evict"},
    {0, "tag-type", "TYPE", "of TAG: text (default), int, float, bytes (hex)"},
    {0, "stdin", NULL, "stdin belongs to the command; its contents to the key"},
    {0, "env", "NAME", "this environment variable belongs to the key (repeatable)"},
    {'f', "file", "FILE", "path, size and mtime of FILE belong to the key (repeatable)"},
    {0, "no-cwd", NULL, "the current directory does not belong to the key"},
    {0, "refresh", NULL, "run the command even if it is remembered, and remember it anew"},
    {0, "keep-failures", NULL, "remember whatever the exit status is, not only 0"},
    {0, "key", NULL, "only print the key"},
    {0, NULL, NULL, NULL},
};

const struct command command_run = {
    .name = "run",
    .arguments = "[--] COMMAND [ARGUMENT...]",
    .summary = "run a command, or replay what it printed the last time",
    .min = 1,
    .max = -1,
    .stop_early = 1,
    .options = run_options,
    .run = run_run,
    .notes =
        "Remembers stdout, stderr and exit status; the next time they come from the cache, byte\n"
        "for byte. The words of the command and the current directory make the key; what else\n"
        "its output depends on has to be named. Without --stdin, its stdin is empty.\n"
        "A command that was killed, or fails, is not remembered.\n"
        "Exits with the status of the command, 128+N if signal N killed it, 127 if there is no\n"
        "such command, 126 if it cannot be run; with 2 for wrong usage, 4 for I/O errors of its\n"
        "own. If the cache fails, the command is run all the same.",
};
