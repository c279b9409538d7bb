/* cmd_completion.c - completion: scripts for shells, made from the tables of the commands.
 *
 * The files in cli/completion/ are what this prints; tests/cli/completion.sh compares them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <string.h>

static void print_names(const char *separator)
{
    for (size_t i = 0; commands[i]; i++)
        printf("%s%s", i ? separator : "", commands[i]->name);
}

/* For each command that has verbs: its name and, blanks between them, these. */
static void print_verbs(const char *before, const char *between, const char *after)
{
    for (size_t i = 0; commands[i]; i++) {
        const struct verb *verb = commands[i]->verbs;

        if (!verb)
            continue;
        printf("%s%s%s%s", before, commands[i]->name, between, verb->name);
        while ((++verb)->name)
            printf(" %s", verb->name);
        fputs(after, stdout);
    }
}

static void print_option_names(const struct command *command)
{
    for (const struct option_spec *option = command->options; option && option->name; option++)
        printf(" --%s", option->name);
}

static void complete_bash(void)
{
    fputs("# bash completion for diskcache(1): made by `diskcache completion bash`\n"
          "_diskcache()\n"
          "{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} command='' word skip='' options\n"
          "    local -a directory=()\n"
          "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
          "        if [[ $skip ]]; then\n"
          "            [[ $skip == d ]] && directory=(-d \"$word\")\n"
          "            skip=''\n"
          "            continue\n"
          "        fi\n"
          "        case $word in\n"
          "        -d | --directory) skip=d ;;\n"
          "        --timeout | --fanout) skip=t ;;\n"
          "        -*) ;;\n"
          "        *) command=$word; break ;;\n"
          "        esac\n"
          "    done\n"
          "    case $command in\n"
          "    '') options='",
          stdout);
    print_names(" ");
    puts("' ;;");
    for (size_t i = 0; commands[i]; i++) {
        printf("    %s) options='", commands[i]->name);
        print_option_names(commands[i]);
        puts("' ;;");
    }
    fputs("    esac\n"
          "    if [[ $skip == d ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -d -- \"$current\")\n"
          "        return\n"
          "    fi\n"
          "    case $command:$current in\n"
          "    *:-* | :*) ;;\n"
          "    help:*) options='",
          stdout);
    print_names(" ");
    fputs("' ;;\n"
          "    completion:*) options='bash zsh fish' ;;\n",
          stdout);
    print_verbs("    ", ":*) options='", "' ;;\n");
    fputs(
        "    get:* | set:* | rm:* | exists:* | touch:* | incr:* | pop:*)\n"
        "        mapfile -t COMPREPLY < <(diskcache \"${directory[@]}\" ls --type text --live \\\n"
        "            --limit 100 --prefix \"$current\" 2>/dev/null)\n"
        "        return ;;\n"
        "    *)\n"
        "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
        "        return ;;\n"
        "    esac\n"
        "    options+=' --directory --json --timeout --fanout --help'\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
        "}\n"
        "complete -F _diskcache diskcache\n",
        stdout);
}

/* In single quotes for zsh and fish; a quote within ends them, stands escaped, begins anew. */
static void print_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
}

static void complete_zsh(void)
{
    fputs("#compdef diskcache\n"
          "# zsh completion for diskcache(1): made by `diskcache completion zsh`\n"
          "local -a commands options\n"
          "commands=(\n",
          stdout);
    for (size_t i = 0; commands[i]; i++) {
        printf("    '%s:", commands[i]->name);
        print_quoted(commands[i]->summary);
        puts("'");
    }
    fputs(")\n"
          "local command='' word\n"
          "for word in ${words[2,CURRENT-1]}; do\n"
          "    case $word in\n"
          "    ",
          stdout);
    print_names("|");
    fputs(") command=$word; break ;;\n"
          "    esac\n"
          "done\n"
          "case $command in\n",
          stdout);
    for (size_t i = 0; commands[i]; i++) {
        printf("%s) options=(", commands[i]->name);
        print_option_names(commands[i]);
        puts(" ) ;;");
    }
    fputs("esac\n"
          "options+=(--directory --json --timeout --fanout --help)\n"
          "if [[ ${words[CURRENT-1]} == (-d|--directory) ]]; then\n"
          "    _directories\n"
          "elif [[ ${words[CURRENT]} == -* ]]; then\n"
          "    compadd -- $options\n"
          "elif [[ -z $command ]]; then\n"
          "    _describe command commands\n"
          "elif [[ $command == completion ]]; then\n"
          "    compadd bash zsh fish\n",
          stdout);
    print_verbs("elif [[ $command == ", " ]]; then\n    compadd ", "\n");
    fputs("elif [[ $command == (get|set|rm|exists|touch|incr|pop) ]]; then\n"
          "    compadd -- ${(f)\"$(diskcache ls --type text --live --limit 100 \\\n"
          "        --prefix \"${words[CURRENT]}\" 2>/dev/null)\"}\n"
          "else\n"
          "    _files\n"
          "fi\n",
          stdout);
}

static void fish_option(const char *command, const struct option_spec *option)
{
    fputs("complete -c diskcache", stdout);
    if (command)
        printf(" -n '__fish_seen_subcommand_from %s'", command);
    if (option->letter)
        printf(" -s %c", option->letter);
    printf(" -l %s%s -d '", option->name, option->argument ? " -r" : "");
    print_quoted(option->help);
    puts("'");
}

static void complete_fish(void)
{
    fputs("# fish completion for diskcache(1): made by `diskcache completion fish`\n"
          "set -l names ",
          stdout);
    print_names(" ");
    puts("");
    for (const struct option_spec *option = common_options; option->name; option++)
        fish_option(NULL, option);
    for (size_t i = 0; commands[i]; i++) {
        printf("complete -c diskcache -f -n \"not __fish_seen_subcommand_from $names\" -a %s -d '",
               commands[i]->name);
        print_quoted(commands[i]->summary);
        puts("'");
        for (const struct option_spec *option = commands[i]->options; option && option->name;
             option++)
            fish_option(commands[i]->name, option);
    }
    puts("complete -c diskcache -f -n '__fish_seen_subcommand_from get set rm exists touch incr "
         "pop' \\\n    -a '(diskcache ls --type text --live --limit 100 --prefix "
         "(commandline -ct) 2>/dev/null)'");
    print_verbs("complete -c diskcache -f -n '__fish_seen_subcommand_from ", "' -a '", "'\n");
    puts("complete -c diskcache -f -n '__fish_seen_subcommand_from completion' "
         "-a 'bash zsh fish'");
}

static int run_completion(struct cli *cli, const struct args *args)
{
    if (strcmp(args->words[0], "bash") == 0)
        complete_bash();
    else if (strcmp(args->words[0], "zsh") == 0)
        complete_zsh();
    else if (strcmp(args->words[0], "fish") == 0)
        complete_fish();
    else
        return usage(cli, "'%s' is none of bash, zsh, fish", args->words[0]);
    return EXIT_HIT;
}

const struct command command_completion = {
    .name = "completion",
    .arguments = "SHELL",
    .summary = "print a completion script for bash, zsh or fish",
    .min = 1,
    .max = 1,
    .run = run_completion,
};
