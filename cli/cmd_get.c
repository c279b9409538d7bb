/* cmd_get.c - get, pop, pull, peek: an item to stdout.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int fetch(dcache *cache, const struct request *request, struct dcache_entry *entry)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);

    /* A descriptor whatever the size: the tool does not know how large the value is. */
    options.flags = DCACHE_AS_FD;
    switch (request->what) {
    case FETCH_GET:
        return dcache_get(cache, &request->key, &options, entry);
    case FETCH_POP:
        return dcache_pop(cache, &request->key, &options, entry);
    case FETCH_PULL:
        return dcache_pull(cache, request->prefix, request->side, &options, entry);
    case FETCH_AT:
        return dcache_peek_at(cache, NULL, request->side, request->index, &options, entry);
    case FETCH_POPITEM:
        return dcache_popitem(cache, request->side, &options, entry);
    case FETCH_PEEKITEM:
        return dcache_peekitem(cache, request->side, &options, entry);
    default:
        return dcache_peek(cache, request->prefix, request->side, &options, entry);
    }
}

/* Whether this value may be shown; what may not is not to be removed either. */
static int refuse_pickle(struct cli *cli, const struct args *args, const struct dcache_entry *entry)
{
    char *data, *text = NULL;
    size_t size, length;
    int plain = 0;
    FILE *memory;

    if (entry->kind != DCACHE_PICKLE || cli->json || args_option(args, "raw"))
        return 0;
    data = entry_data(entry, &size);
    memory = data ? open_memstream(&text, &length) : NULL;
    if (memory) {
        plain = print_pickle(memory, data, size);
        (void)fclose(memory); /* what is not there is not printed */
    }
    if (!plain)
        (void)fail(cli, EXIT_USAGE,
                   "the value is a %s, which is not unpickled here; "
                   "--raw writes its bytes",
                   text && *text == '<' ? text : "<pickle>");
    free(data);
    free(text);
    return plain ? 0 : EXIT_USAGE;
}

static int fetch_removing(struct cli *cli, const struct args *args, const struct request *request,
                          struct dcache_entry *entry, int *ret_code)
{
    dcache *txn;
    int rc = dcache_begin(cli->cache, -1, &txn);

    *ret_code = 0;
    if (rc < 0)
        return rc;
    rc = fetch(txn, request, entry);
    if (rc == 0)
        *ret_code = refuse_pickle(cli, args, entry);
    /* An empty queue is committed too: expired items may have been dropped on the way. */
    if ((rc == 0 || rc == DCACHE_NOT_FOUND) && *ret_code == 0) {
        int committed = dcache_commit(txn);

        return committed < 0 ? committed : rc;
    }
    dcache_rollback(txn);
    return rc;
}

int fetch_and_print(struct cli *cli, const struct args *args, const struct request *request)
{
    int removes = request->what == FETCH_POP || request->what == FETCH_PULL ||
                  request->what == FETCH_POPITEM;
    int has_key = request->what == FETCH_GET || request->what == FETCH_POP;
    const char *fallback = args_option(args, "default");
    struct dcache_entry entry = {0};
    int rc, code = cli_open(cli, OPEN_QUIETLY);

    if (code && code != EXIT_MISS)
        return code;
    if (code == EXIT_MISS) { /* no cache: nothing in it */
        rc = DCACHE_NOT_FOUND;
        code = 0;
    } else if (removes) {
        rc = fetch_removing(cli, args, request, &entry, &code);
    } else {
        rc = fetch(cli->cache, request, &entry);
        if (rc == 0)
            code = refuse_pickle(cli, args, &entry);
    }
    if (rc == DCACHE_NOT_FOUND) {
        code = print_missing(cli, has_key ? &request->key : NULL, fallback);
    } else if (rc < 0) {
        code = fail_status(cli, rc);
    } else if (code == 0) {
        code = print_entry(cli, args, &entry);
    }
    dcache_entry_clear(&entry);
    return code;
}

static int by_key(struct cli *cli, const struct args *args, enum fetch what)
{
    struct request request = {.what = what};
    int rc = key_argument(cli, args, args->words[0], &request.key);

    return rc ? rc : fetch_and_print(cli, args, &request);
}

static int run_get(struct cli *cli, const struct args *args)
{
    return by_key(cli, args, FETCH_GET);
}

static int run_pop(struct cli *cli, const struct args *args)
{
    return by_key(cli, args, FETCH_POP);
}

int fetch_from_side(struct cli *cli, const struct args *args, enum fetch what,
                    enum dcache_side otherwise)
{
    struct request request = {.what = what, .prefix = args_option(args, "prefix")};
    int rc = side_argument(cli, args, otherwise, &request.side);

    return rc ? rc : fetch_and_print(cli, args, &request);
}

static int run_pull(struct cli *cli, const struct args *args)
{
    return fetch_from_side(cli, args, FETCH_PULL, DCACHE_FRONT);
}

static int run_peek(struct cli *cli, const struct args *args)
{
    return fetch_from_side(cli, args, FETCH_PEEK, DCACHE_FRONT);
}

static const struct option_spec fetch_options[] = {
    FETCH_OPTIONS,
    TYPE_OPTION,
    {0, NULL, NULL, NULL},
};

static const struct option_spec queue_options[] = {
    {0, "prefix", "NAME", "the queue of this name (default: the one without)"},
    {0, "side", "SIDE", "front (default) or back"},
    FETCH_OPTIONS,
    {0, NULL, NULL, NULL},
};

static const char value_notes[] =
    "Text and bytes come as they are, numbers as text and a newline, Python's None as nothing.\n"
    "A Python pickle is never unpickled: what is plain data is shown in JSON, of anything else it\n"
    "is said what it would import. --raw writes its bytes.";

const struct command command_get = {
    .name = "get",
    .arguments = "KEY",
    .summary = "print the value of a key",
    .min = 1,
    .max = 1,
    .options = fetch_options,
    .run = run_get,
    .notes = value_notes,
};

const struct command command_pop = {
    .name = "pop",
    .arguments = "KEY",
    .summary = "print the value of a key and remove it",
    .min = 1,
    .max = 1,
    .options = fetch_options,
    .run = run_pop,
    .notes = value_notes,
};

const struct command command_pull = {
    .name = "pull",
    .arguments = "",
    .summary = "print and remove the next item of a queue",
    .min = 0,
    .max = 0,
    .options = queue_options,
    .run = run_pull,
    .notes = value_notes,
};

const struct command command_peek = {
    .name = "peek",
    .arguments = "",
    .summary = "print the next item of a queue",
    .min = 0,
    .max = 0,
    .options = queue_options,
    .run = run_peek,
    .notes = value_notes,
};
