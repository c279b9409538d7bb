/* report.c - what goes to stderr: messages, and progress on a terminal; and the exit codes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void message(const struct cli *cli, const char *format, va_list list)
{
    /* What was printed so far comes first where both streams are one terminal or file. */
    (void)fflush(stdout);
    fputs("diskcache: ", stderr);
    if (cli->command)
        fprintf(stderr, "%s%s%s: ", cli->command->name, cli->verb ? " " : "",
                cli->verb ? cli->verb->name : "");
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

void warn(const struct cli *cli, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    message(cli, format, list);
    va_end(list);
}

int fail(const struct cli *cli, int code, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    message(cli, format, list);
    va_end(list);
    return code;
}

int usage(const struct cli *cli, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    message(cli, format, list);
    va_end(list);
    if (cli->command) {
        const char *arguments = cli->verb ? verb_arguments(cli->verb) : cli->command->arguments;

        fprintf(stderr, "usage: diskcache %s%s%s%s%s\nTry 'diskcache help %s'.\n",
                cli->command->name, cli->verb ? " " : "", cli->verb ? cli->verb->name : "",
                *arguments ? " " : "", arguments, cli->command->name);
    } else {
        fputs("Try 'diskcache help'.\n", stderr);
    }
    return EXIT_USAGE;
}

int exit_for(int status)
{
    switch (status) {
    case DCACHE_OK:
        return EXIT_HIT;
    case DCACHE_NOT_FOUND:
    case DCACHE_EXISTS:
        return EXIT_MISS;
    case DCACHE_INVALID:
    case DCACHE_TYPE:
    case DCACHE_RANGE:
        return EXIT_USAGE;
    case DCACHE_TIMEOUT:
        return EXIT_TIMEOUT;
    default:
        return EXIT_IO;
    }
}

int fail_status(const struct cli *cli, int status)
{
    const struct dcache_error *error = dcache_last_error();

    if (error->status == status && error->text[0])
        warn(cli, "%s", error->text);
    else
        warn(cli, "%s", dcache_strerror(status));
    return exit_for(status);
}

int fail_errno(const struct cli *cli, const char *what)
{
    return fail(cli, EXIT_IO, "%s: %s", what, strerror(errno));
}

double clock_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_step(struct progress *progress, int64_t done)
{
    double now;

    if (done % 64 != 0 || !isatty(STDERR_FILENO))
        return;
    now = clock_now();
    if (now - progress->last < 0.1)
        return;
    progress->last = now;
    progress->shown = 1;
    fprintf(stderr, "\r%s %lld", progress->what, (long long)done);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = 0;
}
