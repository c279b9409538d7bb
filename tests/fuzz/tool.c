/* The tool: its arguments, sorted by the tables of every command, and the JSON that `load` reads. No
 * command is run but `load`: a name of a file, or `run`, is not to be thought up. */
#include "fuzz.h"

#include "../../cli/cli.h"

#define MOST_WORDS 32

static void sort_arguments(struct cli *cli, char *text, size_t size)
{
    char name[] = "diskcache", *words[MOST_WORDS + 2] = {name};
    double seconds;
    int64_t number;
    int count = 1;

    for (size_t at = 0; at < size && count <= MOST_WORDS; at += strlen(text + at) + 1)
        words[count++] = text + at;
    for (int i = 1; i < count; i++) {
        (void)parse_duration(words[i], &seconds);
        (void)parse_int(words[i], &number);
        (void)parse_double(words[i], &seconds);
    }
    for (int i = 0; commands[i]; i++) {
        struct args args;

        cli->command = commands[i];
        (void)args_parse(cli, count, words, commands[i]->options, commands[i]->stop_early, &args);
        args_clear(&args);
    }
}

static void load(struct cli *cli, char *text, size_t size)
{
    FILE *before = stdin;
    struct args none = {0};

    stdin = fmemopen(text, size, "r");
    if (!stdin)
        abort();
    cli->command = command_find("load");
    cli->directory = fuzz_directory();
    (void)cli->command->run(cli, &none);
    (void)fclose(stdin);
    stdin = before;
    dcache_close(cli->cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    FILE *messages = stderr;
    struct cli cli = {.timeout = -1};
    char *text = malloc(size + 1);

    if (!nowhere)
        nowhere = fopen("/dev/null", "we");
    if (!text || !nowhere)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    stderr = nowhere;
    if (size > 1 && text[0] == '{')
        load(&cli, text, size);
    else
        sort_arguments(&cli, text, size);
    stderr = messages;
    cli_free_all(&cli);
    free(text);
    return 0;
}
