/* args.c - sort the arguments of a command into words and options; durations and numbers.
 *
 * Not getopt_long(): "-5" has to be a number here, abbreviated option names would change their
 * meaning with every new option, and the same tables make the help and the completions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct option_spec common_options[] = {
    {'d', "directory", "DIR", "the cache (default: $DISKCACHE_DIR, or ~/.cache/diskcache)"},
    {0, "json", NULL, "print results as JSON"},
    {0, "timeout", "SECONDS", "longest wait for other writers (default 60; 0: do not wait)"},
    {0, "fanout", "SHARDS", "make a new cache of so many directories, each with its own lock"},
    {'h', "help", NULL, "explain the command"},
    {0, NULL, NULL, NULL},
};

static const struct option_spec *find_short(const struct option_spec *table, char letter)
{
    for (; table && table->name; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

/* "-5" is a number, but "-0" may be an option of the command. */
static int looks_negative(const char *arg, const struct option_spec *options)
{
    if (arg[0] == '-' && arg[1] && !arg[2] && find_short(options, arg[1]))
        return 0;
    if (arg[0] != '-')
        return 0;
    return isdigit((unsigned char)arg[1]) || (arg[1] == '.' && isdigit((unsigned char)arg[2])) ||
           strcmp(arg, "-inf") == 0;
}

static const struct option_spec *find_long(const struct option_spec *table, const char *name,
                                           size_t length)
{
    for (; table && table->name; table++)
        if (strlen(table->name) == length && memcmp(table->name, name, length) == 0)
            return table;
    return NULL;
}

static void remember(struct args *args, const struct option_spec *option, const char *value)
{
    args->given[args->given_count].option = option;
    args->given[args->given_count++].value = value;
}

/* One "--name", "--name=value" or "--name value". Returns how many arguments that took, or 0. */
static int take_long(struct cli *cli, char **argv, const struct option_spec *options,
                     struct args *args)
{
    const char *name = argv[0] + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *option = find_long(options, name, length);

    if (!option)
        option = find_long(common_options, name, length);
    if (!option) {
        usage(cli, "unknown option '--%.*s'", (int)length, name);
        return 0;
    }
    if (!option->argument) {
        if (equals) {
            usage(cli, "option '--%s' takes no value", option->name);
            return 0;
        }
        remember(args, option, "");
        return 1;
    }
    if (!equals && !argv[1]) {
        usage(cli, "option '--%s' needs a value", option->name);
        return 0;
    }
    remember(args, option, equals ? equals + 1 : argv[1]);
    return equals ? 1 : 2;
}

/* "-l", "-lr", "-oFILE" or "-o FILE". Returns how many arguments that took, or 0. */
static int take_short(struct cli *cli, char **argv, const struct option_spec *options,
                      struct args *args)
{
    for (const char *at = argv[0] + 1; *at; at++) {
        const struct option_spec *option = find_short(options, *at);

        if (!option)
            option = find_short(common_options, *at);
        if (!option) {
            usage(cli, "unknown option '-%c'", *at);
            return 0;
        }
        if (!option->argument) {
            remember(args, option, "");
            continue;
        }
        if (at[1]) {
            remember(args, option, at + 1);
            return 1;
        }
        if (!argv[1]) {
            usage(cli, "option '-%c' needs a value", *at);
            return 0;
        }
        remember(args, option, argv[1]);
        return 2;
    }
    return 1;
}

int args_parse(struct cli *cli, int argc, char **argv, const struct option_spec *options,
               int stop_early, struct args *args)
{
    size_t letters = 1;
    int i = 1;

    memset(args, 0, sizeof *args);
    for (int n = 0; n < argc; n++)
        letters += strlen(argv[n]) + 1; /* "-abc" is three options */
    args->words = calloc((size_t)argc + 1, sizeof *args->words);
    args->given = calloc(letters, sizeof *args->given);
    if (!args->words || !args->given)
        return fail(cli, EXIT_IO, "out of memory");
    while (i < argc) {
        int took = 1;

        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (argv[i][0] != '-' || !argv[i][1] || looks_negative(argv[i], options)) {
            if (stop_early)
                break;
            args->words[args->count++] = argv[i];
        } else if (argv[i][1] == '-') {
            took = take_long(cli, argv + i, options, args);
        } else {
            took = take_short(cli, argv + i, options, args);
        }
        if (took == 0)
            return EXIT_USAGE;
        i += took;
    }
    args->used = i;
    while (i < argc)
        args->words[args->count++] = argv[i++];
    return 0;
}

void args_clear(struct args *args)
{
    free(args->words);
    free(args->given);
    memset(args, 0, sizeof *args);
}

const char *args_option(const struct args *args, const char *name)
{
    for (int i = args->given_count - 1; i >= 0; i--)
        if (strcmp(args->given[i].option->name, name) == 0)
            return args->given[i].value;
    return NULL;
}

int parse_int(const char *text, int64_t *ret_number)
{
    char *end;
    long long number;

    if (isspace((unsigned char)text[0]))
        return -1;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return -1;
    *ret_number = number;
    return 0;
}

int parse_double(const char *text, double *ret_number)
{
    char *end;
    double number;

    if (isspace((unsigned char)text[0]))
        return -1;
    number = strtod(text, &end);
    if (end == text || *end)
        return -1;
    *ret_number = number;
    return 0;
}

int parse_duration(const char *text, double *ret_seconds)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
    double sum = 0, sign = 1;

    if (strcmp(text, "never") == 0) {
        *ret_seconds = 0;
        return 0;
    }
    if (*text == '-') {
        sign = -1;
        text++;
    }
    do {
        char *end;
        double number, unit = 0;

        if (!isdigit((unsigned char)*text) && *text != '.')
            return -1; /* keeps strtod from " 1", "+1", "inf" and "nan" */
        number = strtod(text, &end);
        if (end == text)
            return -1;
        for (size_t i = 0; i < sizeof units / sizeof *units && unit == 0; i++) {
            size_t length = strlen(units[i].name);

            if (strncmp(end, units[i].name, length) == 0 && !isalpha((unsigned char)end[length])) {
                unit = units[i].seconds;
                end += length;
            }
        }
        if (unit == 0 && *end)
            return -1;
        sum += number * (unit == 0 ? 1 : unit);
        text = end;
    } while (*text);
    if (!isfinite(sum))
        return -1;
    *ret_seconds = sign * sum;
    return 0;
}
