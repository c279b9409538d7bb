/* cmd_lock.c - lock: run a command while holding a lock, as flock(1) does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "child.h"

#include <diskcache_recipes.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* In the child: become the command. What keeps it from that goes through the pipe. */
__attribute__((noreturn)) static void become(char **argv, pid_t parent, const sigset_t *mask,
                                             int report)
{
    int error;

    /* When the tool is killed, others have the lock: then the command must not go on. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail for a signal that there is */
    if (getppid() != parent)
        _exit(127);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)execvp(argv[0], argv);
    error = errno;
    (void)!write(report, &error, sizeof error); /* its end says enough */
    _exit(127);
}

/* Returns 0 or an errno. `mask` is what the command is to find. */
static int start(char **argv, const sigset_t *mask, pid_t *ret_pid)
{
    pid_t parent = getpid();
    int report[2], error = 0;

    if (pipe2(report, O_CLOEXEC) < 0)
        return errno;
    *ret_pid = fork();
    if (*ret_pid == 0)
        become(argv, parent, mask, report[1]);
    if (*ret_pid < 0)
        error = errno;
    (void)close(report[1]); /* only the child writes */
    if (!error && read_some(report[0], &error, sizeof error) != (ssize_t)sizeof error)
        error = 0; /* closed by exec */
    (void)close(report[0]);
    return error;
}

/* Wait for the end of the command, and renew the lease in time. */
static int attend(struct cli *cli, dcache_lock *lock, double expire, pid_t pid)
{
    double third = expire / 3;
    struct timespec pause = {(time_t)third, (long)((third - (double)(time_t)third) * 1e9)};
    sigset_t ended;
    int status = 0, lost = 0, rc;

    (void)sigemptyset(&ended); /* neither can fail */
    (void)sigaddset(&ended, SIGCHLD);
    while (!child_has_ended(pid, &status)) {
        /* A signal that is passed on ends the wait too: a renewal more does no harm. */
        if (expire > 0 && !lost) {
            (void)sigtimedwait(&ended, NULL, &pause);
            rc = dcache_lock_renew(lock, expire);
            lost = rc == DCACHE_NOT_OWNER;
            if (rc < 0)
                (void)fail_status(cli, rc); /* the command goes on, and its status counts */
        } else {
            (void)sigwaitinfo(&ended, NULL);
        }
    }
    return child_code(status);
}

static int run_command(struct cli *cli, char **argv, dcache_lock *lock, double expire)
{
    struct sigaction old[CHILD_SIGNALS];
    sigset_t all, before, waiting;
    pid_t pid = 0;
    int error, code;

    (void)signal(SIGCHLD, SIG_DFL); /* else its end could not be waited for */
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    child_signals_begin(old);
    error = start(argv, &before, &pid);
    child_is(error ? 0 : pid);
    waiting = before;
    (void)sigaddset(&waiting, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &waiting, NULL);
    if (error) {
        if (pid > 0)
            while (!child_has_ended(pid, &code))
                continue; /* it is about to */
        code = child_not_started(cli, argv[0], error);
    } else {
        code = attend(cli, lock, expire, pid);
    }
    child_is(0);
    child_signals_end(old);
    return code;
}

static int permits_argument(struct cli *cli, const struct args *args,
                            struct dcache_lock_options *options)
{
    const char *text = args_option(args, "semaphore");

    if (!text)
        return 0;
    options->kind = DCACHE_SEMAPHORE;
    if (parse_int(text, &options->permits) < 0 || options->permits < 1)
        return usage(cli, "'%s' is no number of holders", text);
    return 0;
}

static int run_lock(struct cli *cli, const struct args *args)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
    double timeout = cli->timeout == 0 ? DCACHE_FOREVER : cli->timeout;
    char **argv = args->words + 1;
    struct dcache_value key;
    dcache_lock *lock = NULL;
    int rc, code;

    if (argv[0] && strcmp(argv[0], "--") == 0)
        argv++;
    if (!argv[0])
        return usage(cli, "which command?");
    if ((code = key_argument(cli, args, args->words[0], &key)) ||
        (code = expire_argument(cli, args, &options.expire)) ||
        (code = permits_argument(cli, args, &options)) || (code = cli_open(cli, OPEN_CREATE)))
        return code;
    rc = dcache_lock_open(cli->cache, &key, &options, &lock);
    if (rc == 0)
        rc = dcache_lock_acquire(lock, timeout);
    if (rc == 0) {
        code = run_command(cli, argv, lock, options.expire);
        rc = dcache_lock_release(lock);
        if (rc < 0)
            (void)fail_status(cli, rc); /* the status of the command counts */
    } else {
        code = fail_status(cli, rc);
    }
    dcache_lock_close(lock);
    return code;
}

static const struct option_spec lock_options[] = {
    {'e', "expire", "TIME", "others may have it so long after we were last seen alive"},
    {'n', "semaphore", "N", "up to N at once may hold it (all have to say the same)"},
    {'t', "type", "TYPE", "of KEY: text (default), int, float, bytes (hex)"},
    {0, NULL, NULL, NULL},
};

const struct command command_lock = {
    .name = "lock",
    .arguments = "KEY [--] COMMAND [ARGUMENT...]",
    .summary = "run a command while holding a lock",
    .min = 1,
    .max = -1,
    .stop_early = 1,
    .options = lock_options,
    .run = run_lock,
    .notes =
        "Waits until the lock KEY is free, or for --timeout, and then exits with 3. Options come\n"
        "before KEY. The lock is free again when the command has ended, or this tool was killed\n"
        "(the command then is, too). Signals that ask to end are passed on to the command. Locks\n"
        "of 5.6.3 (Lock and BoundedSemaphore) are the same locks.\n"
        "With --expire, for holders on other machines and in other containers, the lock is\n"
        "renewed while the command runs.\n"
        "Exits with the status of the command, 128+N if signal N killed it, 127 if there is no\n"
        "such command, 126 if it cannot be run; else with 2, 3 and 4 as other commands do.",
};
