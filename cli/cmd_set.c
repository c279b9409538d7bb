/* cmd_set.c - set, add, push: an item from arguments, a file or stdin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum store { STORE_SET, STORE_ADD, STORE_PUSH };

/* Bytes that come from a descriptor. Its beginning is read in advance: what ends there is an
 * ordinary value, and only what is longer goes the way of streams, which always makes a file. */
struct source {
    int fd;
    int close_fd;
    size_t have, given;
    int error; /* errno of a failed read */
    char start[32768];
    struct spool spool;
};

static ssize_t source_read(void *arg, void *buffer, size_t size)
{
    struct source *source = arg;
    size_t left = source->have - source->given;
    ssize_t got;

    if (left > 0) {
        if (size > left)
            size = left;
        memcpy(buffer, source->start + source->given, size);
        source->given += size;
        return (ssize_t)size;
    }
    got = read_some(source->fd, buffer, size);
    if (got < 0)
        source->error = errno;
    return got;
}

static int source_value(struct cli *cli, struct source *source, enum dcache_type type,
                        const char *name, struct dcache_value *ret)
{
    if (type != DCACHE_BYTES) { /* text and pickles have to be whole */
        if (spool_add_fd(&source->spool, source->fd) < 0 ||
            spool_value(&source->spool, type, ret) < 0)
            return fail_errno(cli, name);
        return 0;
    }
    while (source->have < sizeof source->start) {
        ssize_t got = read_some(source->fd, source->start + source->have,
                                sizeof source->start - source->have);

        if (got < 0)
            return fail_errno(cli, name);
        if (got == 0) {
            *ret = dcache_bytes(source->start, source->have);
            return 0;
        }
        source->have += (size_t)got;
    }
    *ret = dcache_reader(source_read, source);
    return 0;
}

static const char *wanted_type(const struct args *args)
{
    static const char *const names[] = {"int", "float", "text", "bytes", "pickle", "none"};
    const char *type = NULL;

    for (int i = 0; i < args->given_count; i++)
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            if (strcmp(args->given[i].option->name, names[n]) == 0)
                type = names[n];
    return type;
}

/* From a word of the command line. */
static int word_value(struct cli *cli, const struct args *args, const char *word, const char *type,
                      struct dcache_value *ret)
{
    int hex = args_option(args, "hex") != NULL;
    int rc;

    if (hex || (type && strcmp(type, "bytes") == 0) || (type && strcmp(type, "pickle") == 0)) {
        if (hex && type && strcmp(type, "bytes") != 0 && strcmp(type, "pickle") != 0)
            return usage(cli, "--hex is for bytes and pickles");
        rc = hex ? value_parse(cli, type ? type : "bytes", word, ret) : 0;
        if (!hex)
            *ret = dcache_sized(strcmp(type, "pickle") == 0 ? DCACHE_PICKLE : DCACHE_BYTES, word,
                                strlen(word));
        return rc;
    }
    return value_parse(cli, type, word, ret);
}

struct source *source_new(struct cli *cli)
{
    struct source *source = cli_alloc(cli, sizeof *source);

    memset(source, 0, sizeof *source);
    spool_init(&source->spool);
    return source;
}

void source_end(struct source *source)
{
    spool_clear(&source->spool);
    if (source->close_fd)
        (void)close(source->fd); /* was only read */
}

int source_argument(struct cli *cli, const struct args *args, const char *word,
                    struct source *source, struct dcache_value *ret)
{
    const char *file = args_option(args, "file"), *type = wanted_type(args);
    enum dcache_type as = DCACHE_BYTES;

    if (word && file)
        return usage(cli, "a VALUE and a --file are one too many");
    if (!word && !file && type && strcmp(type, "none") == 0) {
        *ret = dcache_none();
        return 0;
    }
    if (!word && !file)
        return usage(cli, "a VALUE is missing ('-' reads it from stdin)");
    if (word && strcmp(word, "-") != 0)
        return word_value(cli, args, word, type, ret);
    if (args_option(args, "hex"))
        return usage(cli, "--hex is for a VALUE on the command line");
    if (type && strcmp(type, "text") == 0)
        as = DCACHE_TEXT;
    else if (type && strcmp(type, "pickle") == 0)
        as = DCACHE_PICKLE;
    else if (type && strcmp(type, "bytes") != 0)
        return usage(cli, "--%s is for a VALUE on the command line", type);
    source->fd = STDIN_FILENO;
    if (file && strcmp(file, "-") != 0) {
        source->fd = open(file, O_RDONLY | O_CLOEXEC);
        if (source->fd < 0)
            return fail_errno(cli, file);
        source->close_fd = 1;
    }
    return source_value(cli, source, as, file ? file : "standard input", ret);
}

int fail_store(struct cli *cli, int status, const struct dcache_value *value)
{
    if (status == DCACHE_CALLBACK && value->type == DCACHE_READER)
        return fail(cli, EXIT_IO, "reading the value: %s",
                    strerror(((struct source *)value->arg)->error));
    return fail_status(cli, status);
}

static int print_stored(struct cli *cli, enum store what, const struct dcache_value *key,
                        int stored)
{
    struct json json = {.out = stdout};

    if (cli->json) {
        json_open(&json, '{');
        json_name(&json, "key");
        json_value(&json, key);
        json_name(&json, "stored");
        json_bool(&json, stored);
        json_close(&json, '}');
        json_end(&json);
    } else if (what == STORE_PUSH) {
        print_plain(stdout, key);
        putchar('\n');
    }
    return stored ? EXIT_HIT : EXIT_MISS;
}

static int store_value(struct cli *cli, const struct args *args, enum store what,
                       const struct dcache_value *key, const struct dcache_value *value)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_value tag, pushed = dcache_none();
    enum dcache_side side = DCACHE_BACK;
    int rc;

    if ((rc = expire_argument(cli, args, &options.expire)) ||
        (rc = tag_argument(cli, args, "tag", &tag)) ||
        (rc = side_argument(cli, args, DCACHE_BACK, &side)))
        return rc;
    if ((rc = cli_open(cli, OPEN_CREATE)))
        return rc;
    options.tag = &tag;
    if (args_option(args, "pin"))
        options.flags |= DCACHE_PINNED;
    if (what == STORE_PUSH)
        rc = dcache_push(cli->cache, args_option(args, "prefix"), side, value, &options, &pushed);
    else if (what == STORE_ADD)
        rc = dcache_add(cli->cache, key, value, &options);
    else
        rc = dcache_set(cli->cache, key, value, &options);
    if (rc == 0 || rc == DCACHE_EXISTS)
        rc = print_stored(cli, what, what == STORE_PUSH ? &pushed : key, rc == 0);
    else
        rc = fail_store(cli, rc, value);
    dcache_value_clear(&pushed);
    return rc;
}

static int run_store(struct cli *cli, const struct args *args, enum store what)
{
    struct source *source = source_new(cli);
    struct dcache_value key = dcache_none(), value;
    int value_at = what == STORE_PUSH ? 0 : 1;
    int rc = 0;

    if (what != STORE_PUSH)
        rc = key_argument(cli, args, args->words[0], &key);
    if (rc == 0)
        rc = source_argument(cli, args, args->words[value_at], source, &value);
    if (rc == 0)
        rc = store_value(cli, args, what, &key, &value);
    source_end(source);
    return rc;
}

static int run_set(struct cli *cli, const struct args *args)
{
    return run_store(cli, args, STORE_SET);
}

static int run_add(struct cli *cli, const struct args *args)
{
    return run_store(cli, args, STORE_ADD);
}

static int run_push(struct cli *cli, const struct args *args)
{
    return run_store(cli, args, STORE_PUSH);
}

#define VALUE_OPTIONS                                                                           \
    FILE_OPTION, {'e', "expire", "TIME", "from now on: 90, 1h30m, 500ms, 2d, never (default)"}, \
        {0, "tag", "TAG", "a label, for ls and evict"},                                         \
        {0, "tag-type", "TYPE", "of TAG: text (default), int, float, bytes (hex)"},             \
        {0, "pin", NULL, "no eviction policy takes this item"}, KIND_OPTIONS

static const struct option_spec set_options[] = {
    VALUE_OPTIONS,
    TYPE_OPTION,
    {0, NULL, NULL, NULL},
};

static const struct option_spec push_options[] = {
    VALUE_OPTIONS,
    {0, "prefix", "NAME", "the queue of this name (default: the one without)"},
    {0, "side", "SIDE", "back (default) or front"},
    {0, NULL, NULL, NULL},
};

static const char set_notes[] = "A VALUE of '-' is read from stdin. Large values are streamed.";

const struct command command_set = {
    .name = "set",
    .arguments = "KEY VALUE|-",
    .summary = "store a value under a key",
    .min = 1,
    .max = 2,
    .options = set_options,
    .run = run_set,
    .notes = set_notes,
};

const struct command command_add = {
    .name = "add",
    .arguments = "KEY VALUE|-",
    .summary = "store a value if the key is not there",
    .min = 1,
    .max = 2,
    .options = set_options,
    .run = run_add,
    .notes = set_notes,
};

const struct command command_push = {
    .name = "push",
    .arguments = "VALUE|-",
    .summary = "append a value to a queue, print its key",
    .min = 0,
    .max = 1,
    .options = push_options,
    .run = run_push,
    .notes = set_notes,
};
