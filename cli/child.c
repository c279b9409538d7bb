/* child.c - what `run` and `lock` have in common: see child.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "child.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

static volatile sig_atomic_t child; /* for the handler: 0 when there is none */

/* Who asks us to end means the command. */
static void pass_on(int number)
{
    if (child > 0)
        (void)kill((pid_t)child, number); /* it may just have ended */
}

/* The terminal sends these to the command as well; we stay to see how it ends. */
static void ignore(int number)
{
    (void)number;
}

static const int numbers[CHILD_SIGNALS] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

/* Handlers rather than SIG_IGN, which the command would inherit. */
void child_signals_begin(struct sigaction old[CHILD_SIGNALS])
{
    for (size_t i = 0; i < CHILD_SIGNALS; i++) {
        struct sigaction action = {.sa_handler = i < 2 ? ignore : pass_on};

        (void)sigaction(numbers[i], NULL, &old[i]); /* cannot fail for these */
        if (old[i].sa_handler != SIG_IGN)           /* nohup: stays so, for the command too */
            (void)sigaction(numbers[i], &action, NULL);
    }
}

void child_signals_end(const struct sigaction old[CHILD_SIGNALS])
{
    for (size_t i = 0; i < CHILD_SIGNALS; i++)
        (void)sigaction(numbers[i], &old[i], NULL); /* cannot fail for these */
}

void child_is(pid_t pid)
{
    child = (sig_atomic_t)pid;
}

int child_has_ended(pid_t pid, int *ret_status)
{
    pid_t got;

    do
        got = waitpid(pid, ret_status, WNOHANG);
    while (got < 0 && errno == EINTR);
    return got == pid;
}

int child_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int child_not_started(struct cli *cli, const char *name, int error)
{
    return fail(cli, error == ENOENT ? 127 : 126, "%s: %s", name, strerror(error));
}
