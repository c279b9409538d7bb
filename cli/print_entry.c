/* print_entry.c - what get, pop, pull and peek do with an entry: to stdout or a file, or as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST_SHOWN (64 << 20) /* bytes of a pickle, or of MessagePack */

int print_missing(struct cli *cli, const struct dcache_value *key, const char *fallback)
{
    struct json json = {.out = stdout};

    if (!cli->json) {
        if (fallback)
            puts(fallback);
        return fallback ? EXIT_HIT : EXIT_MISS; /* silent, as grep is: the exit code says it */
    }
    json_open(&json, '{');
    if (key) {
        json_name(&json, "key");
        json_value(&json, key);
    }
    json_name(&json, "found");
    json_bool(&json, 0);
    if (fallback) {
        json_name(&json, "value");
        json_string(&json, fallback);
    }
    json_close(&json, '}');
    json_end(&json);
    return fallback ? EXIT_HIT : EXIT_MISS;
}

char *entry_data(const struct dcache_entry *entry, size_t *ret_size)
{
    struct stat st;
    size_t have = 0;
    char *data;

    if (entry->value.type != DCACHE_FD || fstat(entry->value.fd, &st) < 0 ||
        st.st_size > LARGEST_SHOWN || !(data = malloc((size_t)st.st_size + 1)))
        return NULL;
    while (have < (size_t)st.st_size) {
        ssize_t got = pread(entry->value.fd, data + have, (size_t)st.st_size - have, (off_t)have);

        if (got <= 0)
            break;
        have += (size_t)got;
    }
    *ret_size = have;
    return data;
}

void json_entry_data(struct json *json, const struct dcache_entry *entry)
{
    size_t size;
    char *data = entry->kind == DCACHE_BYTES || entry->kind == DCACHE_PICKLE
                     ? entry_data(entry, &size)
                     : NULL;

    if (data && entry->kind == DCACHE_BYTES)
        (void)json_msgpack(json, "msgpack", data, size); /* if it is some */
    else if (data)
        json_pickle(json, data, size);
    free(data);
}

static int print_json(struct cli *cli, struct dcache_entry *entry)
{
    struct json json = {.out = stdout};
    int rc = 0;

    json_open(&json, '{');
    json_name(&json, "key");
    json_value(&json, &entry->key);
    json_name(&json, "found");
    json_bool(&json, 1);
    json_name(&json, "type");
    json_string(&json, type_name(entry->kind));
    json_name(&json, "value");
    if (entry->value.type == DCACHE_FD)
        rc = json_fd(&json, entry->value.fd, entry->kind);
    else
        json_value(&json, &entry->value);
    if (rc == 0)
        json_entry_data(&json, entry);
    json_tag_and_times(&json, entry);
    json_close(&json, '}');
    json_end(&json);
    return rc < 0 ? fail_errno(cli, "reading the value") : EXIT_HIT;
}

/* A pickle that refuse_pickle() of cmd_get.c has looked at. */
static int write_pickle(FILE *out, const struct dcache_entry *entry, char *ret_last)
{
    size_t size;
    char *data = entry_data(entry, &size);

    if (!data)
        return -1;
    (void)print_pickle(out, data, size); /* it is plain data */
    putc('\n', out);
    *ret_last = '\n';
    free(data);
    return 0;
}

/* 0, or -1 with errno. `*ret_last` is the last byte written, if any was. */
static int write_value(FILE *out, const struct dcache_entry *entry, int raw, char *ret_last)
{
    char buffer[65536];
    ssize_t got;

    if (entry->kind == DCACHE_PICKLE && !raw)
        return write_pickle(out, entry, ret_last);
    switch (entry->value.type) {
    case DCACHE_INT:
    case DCACHE_DOUBLE:
        print_plain(out, &entry->value);
        putc('\n', out);
        *ret_last = '\n';
        return 0;
    case DCACHE_TEXT:
    case DCACHE_BYTES:
    case DCACHE_PICKLE:
        if (entry->value.size) {
            (void)fwrite(entry->value.data, 1, entry->value.size, out); /* ferror, later */
            *ret_last = ((const char *)entry->value.data)[entry->value.size - 1];
        }
        return 0;
    case DCACHE_FD:
        while ((got = read_some(entry->value.fd, buffer, sizeof buffer)) > 0) {
            if (fwrite(buffer, 1, (size_t)got, out) != (size_t)got)
                return 0; /* ferror, later */
            *ret_last = buffer[got - 1];
        }
        return got < 0 ? -1 : 0;
    default:
        return 0; /* Python's None has no bytes */
    }
}

static int print_stdout(struct cli *cli, struct dcache_entry *entry, int raw)
{
    char last = '\n';

    if (write_value(stdout, entry, raw, &last) < 0)
        return fail_errno(cli, "reading the value");
    if (ferror(stdout))
        cli->output_error = errno; /* the write that failed was the last call */
    /* A pipe gets the bytes and no more; a human a prompt on its own line. */
    if (last != '\n' && isatty(STDOUT_FILENO))
        putchar('\n');
    return EXIT_HIT;
}

static int write_file(FILE *out, struct dcache_entry *entry, int raw)
{
    char last;

    if (write_value(out, entry, raw, &last) < 0 || fflush(out) != 0 || ferror(out))
        return -1;
    return 0;
}

/* By way of a second name in the same directory; a FILE that is no regular file (/dev/null, a
 * fifo) is written to as it is. */
static int print_file(struct cli *cli, struct dcache_entry *entry, int raw, const char *path)
{
    char temporary[PATH_MAX] = "";
    struct stat old;
    mode_t mask = umask(0);
    int special, fd, rc = 0;
    FILE *out;

    (void)umask(mask); /* there is no way to look without setting it */
    special = stat(path, &old) == 0 && !S_ISREG(old.st_mode);
    if (!special && snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= PATH_MAX)
        return fail(cli, EXIT_IO, "%s: %s", path, strerror(ENAMETOOLONG));
    fd = special ? open(path, O_WRONLY | O_CLOEXEC) : mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fail_errno(cli, path);
    out = fdopen(fd, "wb");
    if (!out) {
        (void)close(fd); /* nothing was written */
        rc = -1;
    } else {
        rc = write_file(out, entry, raw);
        if (!special && rc == 0)
            rc = fchmod(fd, 0666 & ~mask); /* as a shell's `>` would have made it */
        if (fclose(out) != 0)
            rc = -1;
    }
    if (!special && rc == 0)
        rc = rename(temporary, path);
    if (rc < 0) {
        int error = errno;

        if (!special)
            (void)unlink(temporary); /* the error to report is the first one */
        return fail(cli, EXIT_IO, "%s: %s", path, strerror(error));
    }
    return EXIT_HIT;
}

int print_entry(struct cli *cli, const struct args *args, struct dcache_entry *entry)
{
    const char *path = args_option(args, "output");
    int raw = args_option(args, "raw") != NULL;

    if (entry_settle(entry) < 0)
        return fail_errno(cli, "reading the value");
    if (path)
        return print_file(cli, entry, raw, path);
    if (cli->json)
        return print_json(cli, entry);
    return print_stdout(cli, entry, raw);
}
