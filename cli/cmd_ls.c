/* cmd_ls.c - ls: the items of the cache, filtered and sorted.
 *
 * By insertion and by key the library has an order, and items are printed as they come. For any
 * other order all that pass the filters are kept in memory, without their values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum sort { BY_INSERTION, BY_KEY, BY_TIME, BY_SIZE, BY_ACCESS, BY_COUNT, BY_EXPIRE };

static const struct {
    const char *name;
    enum sort sort;
} sorts[] = {
    {"inserted", BY_INSERTION}, {"key", BY_KEY},     {"time", BY_TIME},     {"size", BY_SIZE},
    {"access", BY_ACCESS},      {"count", BY_COUNT}, {"expire", BY_EXPIRE},
};

struct listing {
    struct cli *cli;
    const char *glob;
    const char *type;
    enum sort sort;
    int reverse;
    int64_t limit; /* -1: none */
    int long_form;
    int show; /* keys that are pickles as data */
    int zero; /* keys end with NUL, and are not escaped */
    struct dcache_iter_options options;
    struct dcache_value prefix, tag;
    struct dcache_entry *kept;
    size_t kept_count, kept_room;
};

static double sort_number(const struct dcache_entry *entry, enum sort sort)
{
    switch (sort) {
    case BY_TIME:
        return entry->store_time;
    case BY_SIZE:
        return (double)entry->size;
    case BY_ACCESS:
        return entry->access_time;
    case BY_COUNT:
        return (double)entry->access_count;
    default:
        return entry->expire_time;
    }
}

static int compare(const void *a, const void *b, void *arg)
{
    const struct dcache_entry *one = a, *two = b;
    const struct listing *listing = arg;
    double x = sort_number(one, listing->sort), y = sort_number(two, listing->sort);
    int order = (x > y) - (x < y);

    if (order == 0)
        order = (one->rowid > two->rowid) - (one->rowid < two->rowid);
    return listing->reverse ? -order : order;
}

/* A glob is held against the key as it would be printed, but for the escapes. */
static int passes(const struct listing *listing, const struct dcache_value *key)
{
    char *text = NULL;
    size_t size;
    FILE *memory;
    int match;

    if (listing->type && strcmp(listing->type, type_name(key->type)) != 0)
        return 0;
    if (!listing->glob)
        return 1;
    memory = open_memstream(&text, &size);
    if (!memory)
        return 0;
    if (key->type == DCACHE_TEXT)
        (void)fwrite(key->data, 1, key->size, memory); /* to memory */
    else
        print_plain(memory, key);
    if (fclose(memory) != 0)
        return 0;
    match = fnmatch(listing->glob, text, 0) == 0;
    free(text);
    return match;
}

static void print_json(const struct dcache_entry *entry)
{
    struct json json = {.out = stdout};

    json_open(&json, '{');
    json_name(&json, "key");
    json_value(&json, &entry->key);
    json_name(&json, "type");
    json_string(&json, type_name(entry->kind));
    json_name(&json, "size");
    json_int(&json, entry->size);
    json_tag_and_times(&json, entry);
    json_name(&json, "file");
    if (entry->filename)
        json_string(&json, entry->filename);
    else
        json_null(&json);
    json_close(&json, '}');
    json_end(&json);
}

static void print_line(const struct listing *listing, const struct dcache_entry *entry)
{
    if (listing->cli->json) {
        print_json(entry);
        return;
    }
    if (listing->long_form) {
        printf("%-6s %12lld  ", type_name(entry->kind), (long long)entry->size);
        print_time(stdout, entry->store_time);
        fputs("  ", stdout);
        if (entry->expire_time == DCACHE_NEVER)
            printf("%-19s", "never");
        else
            print_time(stdout, entry->expire_time);
        fputs("  ", stdout);
        if (entry->tag.type == DCACHE_NONE)
            putchar('-');
        else
            print_plain(stdout, &entry->tag);
        fputs("  ", stdout);
    }
    if (listing->show && entry->key.type == DCACHE_PICKLE)
        (void)print_pickle(stdout, entry->key.data, entry->key.size); /* or what it would import */
    else if (!listing->zero)
        print_plain(stdout, &entry->key);
    else if (entry->key.type == DCACHE_TEXT)
        (void)fwrite(entry->key.data, 1, entry->key.size, stdout); /* main.c looks at ferror */
    else
        print_plain(stdout, &entry->key);
    putchar(listing->zero ? 0 : '\n');
}

/* Move what `value` points to behind `*at`. */
static void pack(struct dcache_value *value, char **at)
{
    if (value->type != DCACHE_TEXT && value->type != DCACHE_BYTES && value->type != DCACHE_PICKLE)
        return;
    if (value->size)
        memcpy(*at, value->data, value->size);
    value->data = *at;
    *at += value->size;
}

static size_t packed_size(const struct dcache_value *value)
{
    return value->type == DCACHE_TEXT || value->type == DCACHE_BYTES || value->type == DCACHE_PICKLE
               ? value->size
               : 0;
}

/* A copy of the entry without its value, all in one block (which `owned` then is). */
static int keep(struct listing *listing, const struct dcache_entry *entry)
{
    size_t name = entry->filename ? strlen(entry->filename) + 1 : 0;
    char *block = malloc(packed_size(&entry->key) + packed_size(&entry->tag) + name + 1);
    char *at = block;
    struct dcache_entry *copy;

    if (!block)
        return DCACHE_NOMEM;
    if (listing->kept_count == listing->kept_room) {
        size_t room = listing->kept_room ? listing->kept_room * 2 : 256;
        void *grown = realloc(listing->kept, room * sizeof *listing->kept);

        if (!grown) {
            free(block);
            return DCACHE_NOMEM;
        }
        listing->kept = grown;
        listing->kept_room = room;
    }
    copy = &listing->kept[listing->kept_count++];
    *copy = *entry;
    copy->value = dcache_none();
    copy->owned = block;
    pack(&copy->key, &at);
    pack(&copy->tag, &at);
    if (name)
        copy->filename = memcpy(at, entry->filename, name);
    return 0;
}

static int walk(struct listing *listing, dcache_iter *iter)
{
    int stream = listing->sort == BY_INSERTION || listing->sort == BY_KEY;
    int64_t printed = 0;
    int rc = 0;

    while (rc == 0 && (!stream || listing->limit < 0 || printed < listing->limit)) {
        struct dcache_entry entry = {0};

        rc = dcache_iter_next(iter, &entry);
        if (rc == 0 && passes(listing, &entry.key)) {
            entry.size = entry_value_size(&entry);
            if (stream) {
                print_line(listing, &entry);
                printed++;
            } else {
                rc = keep(listing, &entry);
            }
        }
        dcache_entry_clear(&entry);
        if (ferror(stdout))
            break; /* `ls | head`: nobody reads on */
    }
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static void print_kept(struct listing *listing)
{
    size_t count = listing->kept_count;

    /* qsort_r is handed NULL by an empty cache otherwise. */
    if (count)
        qsort_r(listing->kept, count, sizeof *listing->kept, compare, listing);
    if (listing->limit >= 0 && (uint64_t)listing->limit < count)
        count = (size_t)listing->limit;
    for (size_t i = 0; i < count; i++)
        print_line(listing, &listing->kept[i]);
    for (size_t i = 0; i < listing->kept_count; i++)
        free(listing->kept[i].owned);
    free(listing->kept);
}

static int parse_listing(struct cli *cli, const struct args *args, struct listing *listing)
{
    const char *sort = args_option(args, "sort"), *limit = args_option(args, "limit");
    const char *prefix = args_option(args, "prefix");
    int rc;

    listing->limit = -1;
    if (limit && (parse_int(limit, &listing->limit) < 0 || listing->limit < 0))
        return usage(cli, "'%s' is no limit", limit);
    if (sort) {
        size_t n = 0;

        while (n < sizeof sorts / sizeof *sorts && strcmp(sorts[n].name, sort) != 0)
            n++;
        if (n == sizeof sorts / sizeof *sorts)
            return usage(cli,
                         "'%s' is no order; there are inserted, key, time, size, access, "
                         "count, expire",
                         sort);
        listing->sort = sorts[n].sort;
    }
    if (args_option(args, "expired") && args_option(args, "live"))
        return usage(cli, "no item is both --expired and --live");
    if ((rc = tag_argument(cli, args, "tag", &listing->tag)))
        return rc;
    if (args_option(args, "tag") || args_option(args, "no-tag"))
        listing->options.tag = &listing->tag;
    if (prefix) {
        listing->prefix = dcache_text(prefix);
        listing->options.prefix = &listing->prefix;
    }
    listing->glob = args->count ? args->words[0] : NULL;
    listing->type = args_option(args, "type");
    listing->reverse = args_option(args, "reverse") != NULL;
    listing->long_form = args_option(args, "long") != NULL;
    listing->show = args_option(args, "show") != NULL;
    listing->zero = args_option(args, "zero") != NULL;
    return 0;
}

static int run_ls(struct cli *cli, const struct args *args)
{
    struct listing listing = {.cli = cli, .options = DCACHE_OPTIONS(struct dcache_iter_options)};
    dcache_iter *iter;
    int rc = parse_listing(cli, args, &listing);

    if (rc == 0)
        rc = cli_open(cli, OPEN_THERE);
    if (rc)
        return rc;
    listing.options.flags = DCACHE_AS_STORED; /* sizes without reading files */
    if (args_option(args, "expired"))
        listing.options.flags |= DCACHE_EXPIRED_ONLY;
    if (args_option(args, "live"))
        listing.options.flags |= DCACHE_LIVE_ONLY;
    if (listing.sort == BY_KEY)
        listing.options.order = DCACHE_BY_KEY;
    if (listing.reverse && (listing.sort == BY_KEY || listing.sort == BY_INSERTION))
        listing.options.flags |= DCACHE_REVERSE;
    rc = dcache_iter_open(cli->cache, &listing.options, &iter);
    if (rc < 0)
        return fail_status(cli, rc);
    rc = walk(&listing, iter);
    print_kept(&listing);
    dcache_iter_close(iter);
    return rc < 0 ? fail_status(cli, rc) : EXIT_HIT;
}

static const struct option_spec ls_options[] = {
    {'l', "long", NULL, "type, size, times of storing and expiry, tag, key"},
    {0, "prefix", "TEXT", "only text keys that begin so"},
    {0, "tag", "TAG", "only items with this tag"},
    {0, "tag-type", "TYPE", "of TAG: text (default), int, float, bytes (hex)"},
    {0, "no-tag", NULL, "only items without a tag"},
    {'t', "type", "TYPE", "only keys of this type: text, int, float, bytes, pickle, none"},
    {0, "expired", NULL, "only expired items"},
    {0, "live", NULL, "only items that have not expired"},
    {'s', "sort", "ORDER", "inserted (default), key, time, size, access, count, expire"},
    {'r', "reverse", NULL, "the other way round"},
    {'n', "limit", "NUMBER", "at most so many"},
    {0, "show", NULL, "keys that are pickles as what they are, in JSON"},
    {'0', "zero", NULL, "end keys with NUL and escape nothing, for xargs -0"},
    {0, NULL, NULL, NULL},
};

const struct command command_ls = {
    .name = "ls",
    .arguments = "[GLOB]",
    .summary = "list keys",
    .min = 0,
    .max = 1,
    .options = ls_options,
    .run = run_ls,
    .notes = "Control characters and backslashes in text keys are escaped; bytes and pickles are\n"
             "shown in hex, but for --show. With --json one object a line.",
};
