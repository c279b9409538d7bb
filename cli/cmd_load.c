/* cmd_load.c - load: store the items that `dump` has printed, from stdin.
 *
 * Names within a line may come in any order. A large string goes to a temporary file while it is
 * read, so that memory is bounded.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum part { PART_KEY, PART_VALUE, PART_TAG, PARTS };

struct line {
    struct spool spools[PARTS];
    struct dcache_value parts[PARTS];
    int seen[PARTS];
    double expire_at; /* 0: never */
};

struct loader {
    struct cli *cli;
    struct json_reader reader;
    int add;
    int64_t stored, skipped;
};

static int refuse(struct json_reader *reader, const char *error)
{
    if (!reader->error)
        reader->error = error;
    return -1;
}

/* A name or other short string. */
static int read_short(struct json_reader *reader, char *text, size_t size)
{
    struct spool spool;
    int rc;

    spool_init(&spool);
    rc = json_read_string(reader, &spool, 0);
    if (rc == 0 && (spool.total >= (int64_t)size || spool.fd >= 0))
        rc = refuse(reader, "a name is too long");
    if (rc == 0) {
        if (spool.buffered)
            memcpy(text, spool.buffer, spool.buffered);
        text[spool.buffered] = 0;
    }
    spool_clear(&spool);
    return rc;
}

/* {"bytes": ...}, {"pickle": ...} or {"float": ...}. */
static int read_tagged(struct json_reader *reader, struct spool *spool, struct dcache_value *ret)
{
    char name[16], word[16];
    enum dcache_type type;

    if (json_expect(reader, '{') < 0 || read_short(reader, name, sizeof name) < 0 ||
        json_expect(reader, ':') < 0)
        return -1;
    if (strcmp(name, "float") == 0) {
        double real;

        if (read_short(reader, word, sizeof word) < 0)
            return -1;
        if (parse_double(word, &real) < 0)
            return refuse(reader, "this is no number");
        *ret = dcache_double(real);
        return json_expect(reader, '}');
    }
    if (strcmp(name, "bytes") != 0 && strcmp(name, "pickle") != 0)
        return refuse(reader, "only bytes, pickle and float can stand here");
    type = name[0] == 'b' ? DCACHE_BYTES : DCACHE_PICKLE;
    if (json_read_string(reader, spool, 1) < 0)
        return -1;
    if (spool_value(spool, type, ret) < 0)
        return refuse(reader, strerror(errno));
    return json_expect(reader, '}');
}

static int read_number(struct json_reader *reader, struct dcache_value *ret)
{
    char word[512];
    int64_t integer;
    double real;

    if (json_read_word(reader, word, sizeof word) < 0)
        return -1;
    if (strcmp(word, "null") == 0)
        *ret = dcache_none();
    else if (!strpbrk(word, ".eE") && parse_int(word, &integer) == 0)
        *ret = dcache_int(integer);
    else if (strpbrk(word, ".eE") && strpbrk(word, "0123456789") && !strpbrk(word, "xinfp") &&
             parse_double(word, &real) == 0)
        *ret = dcache_double(real);
    else
        return refuse(reader, "this is no number of 64 bits");
    return 0;
}

static int read_value(struct json_reader *reader, struct spool *spool, struct dcache_value *ret)
{
    int c = json_peek(reader);

    if (c == '{')
        return read_tagged(reader, spool, ret);
    if (c != '"')
        return read_number(reader, ret);
    if (json_read_string(reader, spool, 0) < 0)
        return -1;
    if (spool_value(spool, DCACHE_TEXT, ret) < 0)
        return refuse(reader, strerror(errno));
    return 0;
}

static int read_member(struct json_reader *reader, struct line *line)
{
    static const char *const names[PARTS] = {"key", "value", "tag"};
    struct dcache_value number;
    char name[32];

    if (read_short(reader, name, sizeof name) < 0 || json_expect(reader, ':') < 0)
        return -1;
    for (int part = 0; part < PARTS; part++) {
        if (strcmp(name, names[part]) != 0)
            continue;
        if (line->seen[part]++)
            return refuse(reader, "a name comes twice");
        return read_value(reader, &line->spools[part], &line->parts[part]);
    }
    if (strcmp(name, "expire_time") != 0)
        return refuse(reader, "only key, value, tag and expire_time can stand here");
    if (read_number(reader, &number) < 0)
        return -1;
    if (number.type == DCACHE_INT)
        line->expire_at = (double)number.integer;
    else if (number.type == DCACHE_DOUBLE)
        line->expire_at = number.real;
    return 0;
}

static int read_line(struct json_reader *reader, struct line *line)
{
    int c;

    if (json_expect(reader, '{') < 0)
        return -1;
    do {
        if (read_member(reader, line) < 0)
            return -1;
        c = json_peek(reader);
    } while (c == ',' && json_expect(reader, ',') == 0);
    if (json_expect(reader, '}') < 0)
        return -1;
    if (!line->seen[PART_KEY] || !line->seen[PART_VALUE])
        return refuse(reader, "key or value is missing");
    if (line->parts[PART_KEY].type == DCACHE_FD)
        return refuse(reader, "the key is too long");
    if (line->parts[PART_TAG].type == DCACHE_FD || line->parts[PART_TAG].type == DCACHE_PICKLE)
        return refuse(reader, "this cannot be a tag");
    return 0;
}

static int store_line(struct loader *loader, struct line *line)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct timespec now;
    int rc;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    if (line->expire_at != 0 && line->expire_at <= (double)now.tv_sec) {
        loader->skipped++; /* dead on arrival; it must not replace anything either */
        return 0;
    }
    options.expire_at = line->expire_at;
    options.tag = &line->parts[PART_TAG];
    if (loader->add)
        rc = dcache_add(loader->cli->cache, &line->parts[PART_KEY], &line->parts[PART_VALUE],
                        &options);
    else
        rc = dcache_set(loader->cli->cache, &line->parts[PART_KEY], &line->parts[PART_VALUE],
                        &options);
    if (rc == DCACHE_EXISTS)
        loader->skipped++;
    else if (rc == 0)
        loader->stored++;
    return rc == DCACHE_EXISTS ? 0 : rc;
}

/* One item. Returns an exit code. */
static int load_line(struct loader *loader)
{
    struct json_reader *reader = &loader->reader;
    struct line line = {0};
    int64_t number = reader->line;
    int rc, code = 0;

    for (int part = 0; part < PARTS; part++)
        spool_init(&line.spools[part]);
    rc = read_line(reader, &line);
    if (rc < 0) {
        code = fail(loader->cli, EXIT_IO, "line %" PRId64 ": %s", number, reader->error);
    } else if ((rc = store_line(loader, &line)) < 0) {
        code = fail_status(loader->cli, rc);
        if (code == EXIT_USAGE)
            code = EXIT_IO; /* the input is at fault, not the command line */
        warn(loader->cli, "that was line %" PRId64, number);
    }
    for (int part = 0; part < PARTS; part++)
        spool_clear(&line.spools[part]);
    return code;
}

static int run_load(struct cli *cli, const struct args *args)
{
    struct loader loader = {.cli = cli, .reader = {.in = stdin, .line = 1}};
    struct progress progress = {.what = "loaded"};
    struct json json = {.out = stdout};
    int code = 0;

    if ((code = cli_open(cli, OPEN_CREATE)))
        return code;
    loader.add = args_option(args, "add") != NULL;
    while (code == 0 && json_peek(&loader.reader) != EOF) {
        code = load_line(&loader);
        progress_step(&progress, loader.stored + loader.skipped);
    }
    progress_end(&progress);
    if (code == 0 && ferror(stdin))
        code = fail_errno(cli, "standard input");
    if (cli->json) {
        json_open(&json, '{');
        json_name(&json, "stored");
        json_int(&json, loader.stored);
        json_name(&json, "skipped");
        json_int(&json, loader.skipped);
        json_close(&json, '}');
        json_end(&json);
    } else {
        printf("%" PRId64 " stored, %" PRId64 " skipped\n", loader.stored, loader.skipped);
    }
    return code;
}

static const struct option_spec load_options[] = {
    {0, "add", NULL, "leave the keys alone that are there already"},
    {0, NULL, NULL, NULL},
};

const struct command command_load = {
    .name = "load",
    .arguments = "",
    .summary = "store the items that 'dump' has printed",
    .min = 0,
    .max = 0,
    .options = load_options,
    .run = run_load,
    .notes = "Reads stdin. Items that have expired meanwhile are skipped. What came before a line\n"
             "that cannot be read or stored is stored.",
};
