/* run_key.c - the key under which the output of a command is remembered.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_KEY = 1000, SHORTENED = 200 };

static int add_cwd(struct cli *cli, struct json *json)
{
    char *path = getcwd(NULL, 0);

    if (!path)
        return fail_errno(cli, "the current directory");
    json_name(json, "cwd");
    json_string(json, path);
    free(path);
    return 0;
}

static void add_env(const struct args *args, struct json *json)
{
    json_name(json, "env");
    json_open(json, '{');
    for (int i = 0; i < args->given_count; i++) {
        const char *name = args->given[i].value, *value;

        if (strcmp(args->given[i].option->name, "env") != 0)
            continue;
        value = getenv(name);
        json_string(json, name);
        fputs(": ", json->out);
        json->comma = 0;
        if (value)
            json_string(json, value);
        else
            json_null(json);
    }
    json_close(json, '}');
}

static int add_files(struct cli *cli, const struct args *args, struct json *json)
{
    json_name(json, "file");
    json_open(json, '[');
    for (int i = 0; i < args->given_count; i++) {
        const char *path = args->given[i].value;
        struct stat st;

        if (strcmp(args->given[i].option->name, "file") != 0)
            continue;
        if (stat(path, &st) < 0)
            return fail_errno(cli, path);
        json_open(json, '[');
        json_string(json, path);
        json_int(json, st.st_size);
        json_int(json, (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
        json_close(json, ']');
    }
    json_close(json, ']');
    return 0;
}

static int add_input(struct cli *cli, struct spool *input, struct json *json)
{
    struct sha256 sha;
    char buffer[16384], hex[65];
    int64_t at = 0;

    sha256_init(&sha);
    while (at < input->total) {
        ssize_t got = spool_read(input, at, buffer, sizeof buffer);

        if (got <= 0)
            return fail_errno(cli, "reading the input again");
        sha256_add(&sha, buffer, (size_t)got);
        at += got;
    }
    sha256_end(&sha, hex);
    json_name(json, "stdin");
    json_string(json, hex);
    return 0;
}

static int write_key(struct cli *cli, const struct args *args, struct spool *input, FILE *out)
{
    struct json json = {.out = out};
    int cwd = !args_option(args, "no-cwd");
    int rc = 0;

    fputs("run ", out);
    json_open(&json, '[');
    for (int i = 0; i < args->count; i++)
        json_string(&json, args->words[i]);
    json_close(&json, ']');
    if (!cwd && !args_option(args, "env") && !args_option(args, "file") && !input)
        return 0;
    putc(' ', out);
    json.comma = 0;
    json_open(&json, '{');
    if (cwd)
        rc = add_cwd(cli, &json);
    if (rc == 0 && args_option(args, "env"))
        add_env(args, &json);
    if (rc == 0 && args_option(args, "file"))
        rc = add_files(cli, args, &json);
    if (rc == 0 && input)
        rc = add_input(cli, input, &json);
    json_close(&json, '}');
    return rc;
}

/* Replace what is too long to be a good key by its beginning and a hash of all of it. */
static size_t shorten(char *text, size_t size)
{
    struct sha256 sha;
    size_t keep = SHORTENED;
    char hex[65];

    if (size <= LONGEST_KEY)
        return size;
    sha256_init(&sha);
    sha256_add(&sha, text, size);
    sha256_end(&sha, hex);
    while (keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80)
        keep--;                                                       /* not within a character */
    return keep + (size_t)sprintf(text + keep, "... sha256:%s", hex); /* < LONGEST_KEY */
}

int run_key(struct cli *cli, const struct args *args, struct spool *input,
            struct dcache_value *ret_key)
{
    char *text = NULL, *copy;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int rc;

    if (!out)
        return fail_errno(cli, "the key");
    rc = write_key(cli, args, input, out);
    if (fclose(out) != 0 && rc == 0)
        rc = fail_errno(cli, "the key");
    if (rc == 0) {
        size = shorten(text, size);
        copy = cli_alloc(cli, size);
        memcpy(copy, text, size);
        *ret_key = dcache_sized(DCACHE_TEXT, copy, size);
    }
    free(text);
    return rc;
}
