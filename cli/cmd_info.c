/* cmd_info.c - info, config: what the cache is, and its settings.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <inttypes.h>
#include <string.h>

static void print_bytes(const char *name, int64_t bytes)
{
    printf("%-11s", name);
    print_size(stdout, bytes);
    putchar('\n');
}

static void print_settings_json(struct json *json, const struct dcache_setting *settings,
                                size_t count)
{
    json_open(json, '{');
    for (size_t i = 0; i < count; i++) {
        /* json_name() does not escape, and these names are anybody's. */
        json_string(json, settings[i].name);
        fputs(": ", json->out);
        json->comma = 0;
        json_value(json, &settings[i].value);
    }
    json_close(json, '}');
}

static void print_settings(const struct dcache_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%-24s ", settings[i].name);
        print_plain(stdout, &settings[i].value);
        putchar('\n');
    }
}

static int list_settings(struct cli *cli)
{
    struct dcache_setting *settings;
    struct json json = {.out = stdout};
    size_t count;
    int rc = dcache_settings(cli->cache, &settings, &count);

    if (rc < 0)
        return fail_status(cli, rc);
    if (cli->json) {
        print_settings_json(&json, settings, count);
        json_end(&json);
    } else {
        print_settings(settings, count);
    }
    dcache_settings_free(settings, count);
    return EXIT_HIT;
}

static int show_setting(struct cli *cli, const char *name)
{
    struct json json = {.out = stdout};
    struct dcache_value value;
    int rc = dcache_setting_get(cli->cache, name, &value);

    if (rc == DCACHE_NOT_FOUND)
        return fail(cli, EXIT_MISS, "there is no setting '%s'", name);
    if (rc < 0)
        return fail_status(cli, rc);
    if (cli->json)
        json_value(&json, &value);
    else
        print_plain(stdout, &value);
    putchar('\n');
    dcache_value_clear(&value);
    return EXIT_HIT;
}

static int change_setting(struct cli *cli, const struct args *args, const char *name,
                          const char *text)
{
    struct dcache_value value = dcache_text(text);
    int64_t integer;
    double real;
    int rc;

    if (!args_option(args, "text")) {
        if (parse_int(text, &integer) == 0)
            value = dcache_int(integer);
        else if (strpbrk(text, "0123456789") && parse_double(text, &real) == 0)
            value = dcache_double(real);
    }
    if (!dcache_setting_known(name))
        warn(cli, "'%s' is no setting with a meaning; it is kept nevertheless", name);
    rc = dcache_setting_set(cli->cache, name, &value);
    return rc < 0 ? fail_status(cli, rc) : EXIT_HIT;
}

static int run_config(struct cli *cli, const struct args *args)
{
    int rc;

    /* Only a change makes a cache that was not there. */
    rc = cli_open(cli, args->count == 2 ? OPEN_CREATE : OPEN_THERE);
    if (rc)
        return rc;
    if (args->count == 0)
        return list_settings(cli);
    if (args->count == 1)
        return show_setting(cli, args->words[0]);
    return change_setting(cli, args, args->words[0], args->words[1]);
}

static int run_info(struct cli *cli, const struct args *args)
{
    static const char format[] = "diskcache 5.6.3";
    struct dcache_setting *settings;
    struct json json = {.out = stdout};
    size_t settings_count;
    int64_t count = 0, volume = 0;
    int rc;

    (void)args; /* it takes none */
    if ((rc = cli_open(cli, OPEN_THERE)))
        return rc;
    if ((rc = dcache_count(cli->cache, &count)) < 0 ||
        (rc = dcache_volume(cli->cache, &volume)) < 0 ||
        (rc = dcache_settings(cli->cache, &settings, &settings_count)) < 0)
        return fail_status(cli, rc);
    if (cli->json) {
        json_open(&json, '{');
        json_name(&json, "directory");
        json_string(&json, dcache_directory(cli->cache));
        json_name(&json, "format");
        json_string(&json, format);
        json_name(&json, "library");
        json_string(&json, dcache_version());
        json_name(&json, "tool");
        json_string(&json, DCACHE_VERSION);
        json_name(&json, "read_only");
        json_bool(&json, dcache_is_read_only(cli->cache));
        json_name(&json, "shards");
        json_int(&json, dcache_shard_count(cli->cache));
        json_name(&json, "count");
        json_int(&json, count);
        json_name(&json, "volume");
        json_int(&json, volume);
        json_name(&json, "settings");
        print_settings_json(&json, settings, settings_count);
        json_close(&json, '}');
        json_end(&json);
    } else {
        printf("directory  %s%s\n", dcache_directory(cli->cache),
               dcache_is_read_only(cli->cache) ? " (read-only)" : "");
        printf("format     %s\n", format);
        printf("library    %s, tool %s\n", dcache_version(), DCACHE_VERSION);
        if (dcache_shard_count(cli->cache) > 0)
            printf("shards     %d\n", dcache_shard_count(cli->cache));
        printf("items      %" PRId64 "\n", count);
        print_bytes("volume", volume);
        puts("settings");
        print_settings(settings, settings_count);
    }
    dcache_settings_free(settings, settings_count);
    return EXIT_HIT;
}

static const struct option_spec config_options[] = {
    {0, "text", NULL, "VALUE is text, even if it looks like a number"},
    {0, NULL, NULL, NULL},
};

const struct command command_info = {
    .name = "info",
    .arguments = "",
    .summary = "print directory, format, versions and settings",
    .min = 0,
    .max = 0,
    .run = run_info,
};

const struct command command_config = {
    .name = "config",
    .arguments = "[NAME [VALUE]]",
    .summary = "print or change settings",
    .min = 0,
    .max = 2,
    .options = config_options,
    .run = run_config,
    .notes = "For example 'config size_limit 10737418240' or\n"
             "'config eviction_policy least-recently-used'. A change counts for all processes,\n"
             "at once.",
};
