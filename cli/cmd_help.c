/* cmd_help.c - help, version: what the tables of the commands say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <string.h>

static void print_options(const struct option_spec *option)
{
    for (; option && option->name; option++) {
        char left[48];

        (void)snprintf(left, sizeof left, "%c%c%s--%s%s%s", option->letter ? '-' : ' ',
                       option->letter ? option->letter : ' ', option->letter ? ", " : "  ",
                       option->name, option->argument ? " " : "",
                       option->argument ? option->argument : ""); /* ours: they fit */
        printf("  %-24s %s\n", left, option->help);
    }
}

void print_command_help(const struct command *command)
{
    printf("usage: diskcache [-d DIR] [--json] [--timeout S] %s%s%s%s\n\n%s.\n", command->name,
           command->options ? " [OPTION...]" : "", *command->arguments ? " " : "",
           command->arguments, command->summary);
    for (const struct verb *verb = command->verbs; verb && verb->name; verb++) {
        char left[48];

        (void)snprintf(left, sizeof left, "%s %s", verb->name, verb_arguments(verb)); /* fits */
        printf("%s  %-24s %s\n", verb == command->verbs ? "\nverbs\n" : "", left, verb->summary);
    }
    if (command->notes)
        printf("\n%s\n", command->notes);
    if (command->options) {
        puts("\noptions");
        print_options(command->options);
    }
    puts("\neverywhere");
    print_options(common_options);
}

static int run_help(struct cli *cli, const struct args *args)
{
    const struct command *command;

    if (args->count) {
        command = command_find(args->words[0]);
        if (!command)
            return usage(cli, "there is no command '%s'", args->words[0]);
        print_command_help(command);
        return EXIT_HIT;
    }
    puts("usage: diskcache [-d DIR] [--json] [--timeout S] COMMAND [ARGUMENT...]\n\n"
         "A persistent cache in a directory, shared with C and Python programs.\n\ncommands");
    for (size_t i = 0; commands[i]; i++)
        printf("  %-11s %s\n", commands[i]->name, commands[i]->summary);
    puts("\noptions");
    print_options(common_options);
    puts("\nexit codes\n"
         "  0 done, or found             3 timed out waiting for other writers\n"
         "  1 not found, problems found  4 I/O error or damage\n"
         "  2 wrong usage\n\n"
         "'diskcache help COMMAND' explains a command.");
    return EXIT_HIT;
}

static int run_version(struct cli *cli, const struct args *args)
{
    struct json json = {.out = stdout};

    (void)args; /* it takes none */
    if (cli->json) {
        json_open(&json, '{');
        json_name(&json, "tool");
        json_string(&json, DCACHE_VERSION);
        json_name(&json, "library");
        json_string(&json, dcache_version());
        json_close(&json, '}');
        json_end(&json);
    } else {
        printf("diskcache %s (library %s)\n", DCACHE_VERSION, dcache_version());
    }
    return EXIT_HIT;
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "explain a command, or list them",
    .min = 0,
    .max = 1,
    .run = run_help,
};

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "print the versions of tool and library",
    .min = 0,
    .max = 0,
    .run = run_version,
};
