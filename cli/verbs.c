/* verbs.c - commands whose first word is a verb: deque, index.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <string.h>

const char *verb_arguments(const struct verb *verb)
{
    return verb->like ? verb->like->arguments : verb->arguments;
}

static int takes_option(const struct option_spec *options, const struct option_spec *option)
{
    for (; options && options->name; options++)
        if (strcmp(options->name, option->name) == 0)
            return 1;
    return 0;
}

/* The parser has let pass what any verb of the command takes. */
static int check_options(struct cli *cli, const struct args *args,
                         const struct option_spec *options)
{
    for (int i = 0; i < args->given_count; i++) {
        const struct option_spec *option = args->given[i].option;

        if (!takes_option(options, option) && !takes_option(common_options, option))
            return usage(cli, "option '--%s' is for other verbs", option->name);
    }
    return 0;
}

int run_verb(struct cli *cli, const struct args *args)
{
    const struct verb *verb = cli->command->verbs;
    const struct command *like;
    struct args rest = *args;
    int min, max, rc;

    while (verb->name && strcmp(verb->name, args->words[0]) != 0)
        verb++;
    if (!verb->name)
        return usage(cli, "there is no verb '%s'", args->words[0]);
    like = verb->like;
    min = like ? like->min : verb->min;
    max = like ? like->max : verb->max;
    cli->verb = verb;
    cli->collection = 1;
    rest.words++;
    rest.count--;
    rc = check_options(cli, args, like ? like->options : verb->options);
    if (rc == 0 && rest.count < min)
        rc = usage(cli, "an argument is missing");
    else if (rc == 0 && max >= 0 && rest.count > max)
        rc = usage(cli, "'%s' is one argument too many", rest.words[max]);
    if (rc)
        return rc;
    return like ? like->run(cli, &rest) : verb->run(cli, &rest);
}

int run_length(struct cli *cli, const struct args *args)
{
    int64_t count;
    int rc = cli_open(cli, OPEN_THERE);

    (void)args; /* it takes none */
    if (rc)
        return rc;
    rc = dcache_count(cli->cache, &count);
    if (rc < 0)
        return fail_status(cli, rc);
    print_number(cli, "length", count);
    return EXIT_HIT;
}
