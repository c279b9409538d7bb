/* main.c - diskcache(1): find the command, parse its arguments, run it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <diskcache_collections.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern const struct command command_get, command_pop, command_pull, command_peek;
extern const struct command command_set, command_add, command_push;
extern const struct command command_rm, command_exists, command_touch, command_incr;
extern const struct command command_deque, command_index;
extern const struct command command_ls, command_stats, command_top, command_info, command_config;
extern const struct command command_check, command_expire, command_cull, command_evict;
extern const struct command command_clear, command_compact, command_backup, command_doctor;
extern const struct command command_dump, command_load, command_run, command_lock;
extern const struct command command_bench;
extern const struct command command_completion, command_version, command_help;

/* In the order in which the help shows them. */
const struct command *const commands[] = {
    &command_get,     &command_set,        &command_add,     &command_rm,    &command_exists,
    &command_touch,   &command_incr,       &command_pop,     &command_push,  &command_pull,
    &command_peek,    &command_deque,      &command_index,   &command_ls,    &command_stats,
    &command_top,     &command_info,       &command_config,  &command_run,   &command_lock,
    &command_check,   &command_expire,     &command_cull,    &command_evict, &command_clear,
    &command_compact, &command_backup,     &command_doctor,  &command_dump,  &command_load,
    &command_bench,   &command_completion, &command_version, &command_help,  NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

struct block {
    struct block *next;
    max_align_t data[];
};

void *cli_alloc(struct cli *cli, size_t size)
{
    struct block *block = malloc(sizeof *block + size);

    if (!block) {
        fputs("diskcache: out of memory\n", stderr);
        exit(EXIT_IO); /* the library keeps its promises to a process that ends anywhere */
    }
    block->next = cli->blocks;
    cli->blocks = block;
    return block->data;
}

void cli_free_all(struct cli *cli)
{
    while (cli->blocks) {
        struct block *block = cli->blocks;

        cli->blocks = block->next;
        free(block);
    }
}

/* $DISKCACHE_DIR, else the place that the XDG base directory specification gives to caches. */
int cli_directory(struct cli *cli)
{
    const char *base = getenv("DISKCACHE_DIR"), *tail = "/diskcache";
    size_t size;
    char *path;

    if (cli->directory)
        return 0;
    if (base && *base) {
        cli->directory = base;
        return 0;
    }
    base = getenv("XDG_CACHE_HOME");
    if (!base || base[0] != '/') { /* relative ones are to be ignored, says the specification */
        base = getenv("HOME");
        tail = "/.cache/diskcache";
    }
    if (!base || !*base)
        return usage(cli, "which directory? Give -d DIR or set DISKCACHE_DIR");
    size = strlen(base) + strlen(tail) + 1;
    path = cli_alloc(cli, size);
    (void)snprintf(path, size, "%s%s", base, tail); /* fits, by the line before */
    cli->directory = path;
    return 0;
}

static int take_common(struct cli *cli, const struct args *args)
{
    const char *value = args_option(args, "timeout");
    int64_t shards;
    double seconds;

    if (value) {
        if (parse_duration(value, &seconds) < 0 || seconds < 0)
            return usage(cli, "'%s' is no timeout", value);
        /* The library's 0 is its default, and negative is not to wait. */
        cli->timeout = seconds > 0 ? seconds : -1;
    }
    value = args_option(args, "fanout");
    if (value) {
        if (parse_int(value, &shards) < 0 || shards < 1 || shards > 1000)
            return usage(cli, "'%s' is no number of shards, 1 to 1000", value);
        cli->shards = (int)shards;
    }
    value = args_option(args, "directory");
    if (value && !*value)
        return usage(cli, "the name of the directory is empty");
    if (value)
        cli->directory = value;
    if (args_option(args, "json"))
        cli->json = 1;
    return 0;
}

/* What is there, whether a single directory or a fanout; else what was asked for. */
static int open_cache(struct cli *cli, enum opening opening)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    int rc;

    options.flags = DCACHE_NO_CREATE;
    options.timeout = cli->timeout;
    rc = dcache_open(cli->directory, &options, &cli->cache);
    if (rc == DCACHE_NOT_FOUND)
        rc = dcache_open_fanout(cli->directory, 0, &options, &cli->cache);
    if (rc != DCACHE_NOT_FOUND || opening != OPEN_CREATE)
        return rc;
    options.flags = 0;
    if (cli->collection)
        return dcache_open_collection(cli->directory, &options, &cli->cache);
    return cli->shards > 0 ? dcache_open_fanout(cli->directory, cli->shards, &options, &cli->cache)
                           : dcache_open(cli->directory, &options, &cli->cache);
}

int cli_open(struct cli *cli, enum opening opening)
{
    int rc = cli_directory(cli);

    if (rc)
        return rc;
    if (cli->collection && cli->shards > 0)
        return usage(cli, "a deque or an index is a single directory");
    rc = open_cache(cli, opening);
    if (rc == DCACHE_NOT_FOUND && opening == OPEN_QUIETLY)
        return EXIT_MISS;
    if (rc == DCACHE_NOT_FOUND)
        return opening == OPEN_CREATE
                   ? fail(cli, EXIT_IO, "a cache cannot be made in %s", cli->directory)
                   : fail(cli, EXIT_MISS, "there is no cache in %s", cli->directory);
    return rc < 0 ? fail_status(cli, rc) : 0;
}

/* argv[0] is the name of the command. */
static int run_command(struct cli *cli, int argc, char **argv)
{
    const struct command *command = command_find(argv[0]);
    struct args args;
    int rc;

    if (!command)
        return usage(cli, "there is no command '%s'", argv[0]);
    cli->command = command;
    rc = args_parse(cli, argc, argv, command->options, command->stop_early, &args);
    if (rc == 0 && args_option(&args, "help"))
        print_command_help(command);
    else if (rc == 0 && args.count < command->min)
        rc = usage(cli, "an argument is missing");
    else if (rc == 0 && command->max >= 0 && args.count > command->max)
        rc = usage(cli, "'%s' is one argument too many", args.words[command->max]);
    else if (rc == 0 && (rc = take_common(cli, &args)) == 0)
        rc = command->run(cli, &args);
    dcache_close(cli->cache);
    args_clear(&args);
    return rc;
}

/* A result that did not reach stdout is no result. */
static int finish(struct cli *cli, int rc)
{
    int failed = ferror(stdout);

    errno = cli->output_error;
    if (fflush(stdout) != 0 || failed)
        return errno ? fail_errno(cli, "standard output")
                     : fail(cli, EXIT_IO, "standard output: write error");
    return rc;
}

static const struct option_spec first_options[] = {
    {'V', "version", NULL, "as the command version"},
    {0, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct args args;
    int rc;

    /* A closed pipe shall be an error that finish() sees. `run` gives its child the default. */
    (void)signal(SIGPIPE, SIG_IGN);
    rc = args_parse(&cli, argc, argv, first_options, 1, &args);
    if (rc == 0)
        rc = take_common(&cli, &args);
    if (rc == 0 && args_option(&args, "version"))
        rc = command_version.run(&cli, &args);
    else if (rc == 0 && args_option(&args, "help"))
        rc = command_help.run(&cli, &args);
    else if (rc == 0 && args.count == 0)
        rc = usage(&cli, "which command?");
    else if (rc == 0)
        rc = run_command(&cli, args.count, args.words);
    rc = finish(&cli, rc);
    args_clear(&args);
    cli_free_all(&cli);
    return rc;
}
