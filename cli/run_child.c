/* run_child.c - run a command, pass its output on as it comes, and record it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "child.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns 0 or an errno. `out` and `err` are the ends of the pipes that the command writes to. */
static int spawn(char **argv, struct spool *input, int out, int err, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int fd, error;

    if ((error = posix_spawn_file_actions_init(&files)) != 0)
        return error;
    if ((error = posix_spawnattr_init(&attributes)) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return error;
    }
    (void)sigemptyset(&defaults); /* cannot fail */
    (void)sigaddset(&defaults, SIGPIPE);
    if ((error = posix_spawnattr_setsigdefault(&attributes, &defaults)) == 0)
        error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (error == 0 && input) {
        fd = spool_descriptor(input);
        error = fd < 0 ? errno : posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
    } else if (error == 0) {
        /* What is no part of the key shall not change the output. */
        error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
    if (error == 0)
        error = posix_spawnp(ret_pid, argv[0], &files, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes); /* neither can fail */
    (void)posix_spawn_file_actions_destroy(&files);
    return error;
}

struct copying {
    struct cli *cli;
    struct spool *recording;
    struct run_result *result;
    int quiet;
    int recording_error; /* errno of the first failure, 0: none */
    int output_error;
};

static void record(struct copying *copying, char stream, const char *data, size_t size)
{
    unsigned char head[RUN_FRAME] = {(unsigned char)stream, (unsigned char)(size >> 24),
                                     (unsigned char)(size >> 16), (unsigned char)(size >> 8),
                                     (unsigned char)size};

    if (copying->recording_error)
        return;
    if (spool_add(copying->recording, head, sizeof head) < 0 ||
        spool_add(copying->recording, data, size) < 0)
        copying->recording_error = errno;
}

/* Pass on what is there. Returns 0 when that pipe is to be closed. */
static int copy_some(struct copying *copying, int from, int to, char stream)
{
    char buffer[65536];
    ssize_t got = read_some(from, buffer, sizeof buffer);

    if (got < 0)
        copying->recording_error = errno;
    if (got <= 0)
        return 0;
    record(copying, stream, buffer, (size_t)got);
    if (copying->quiet || write_all(to, buffer, (size_t)got) == 0)
        return 1;
    if (to == STDERR_FILENO)
        return 1; /* there is nobody whom we could tell */
    /* Nobody reads on. Closing the pipe lets the command learn that as it would without us. */
    copying->output_error = errno;
    return 0;
}

static void copy_all(struct copying *copying, int out, int err)
{
    struct pollfd polls[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};

    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        if (poll(polls, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            copying->recording_error = errno;
            return;
        }
        for (int i = 0; i < 2; i++) {
            if (polls[i].fd < 0 || !polls[i].revents)
                continue;
            if (!copy_some(copying, polls[i].fd, i ? STDERR_FILENO : STDOUT_FILENO,
                           i ? 'e' : 'o')) {
                (void)close(polls[i].fd); /* was only read */
                polls[i].fd = -1;
            }
        }
    }
}

static void wait_for(struct copying *copying, pid_t pid)
{
    struct run_result *result = copying->result;
    char header[RUN_HEADER + 1];
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    child_is(0);
    result->status = child_code(status);
    if (copying->output_error) {
        if (copying->output_error != EPIPE)
            warn(copying->cli, "standard output: %s", strerror(copying->output_error));
        if (result->status == 0)
            result->status = EXIT_IO;
        return;
    }
    (void)snprintf(header, sizeof header, "diskcache-run 1 %03d\n", result->status); /* fits */
    if (!copying->recording_error && spool_patch(copying->recording, header, RUN_HEADER) < 0)
        copying->recording_error = errno;
    if (copying->recording_error)
        warn(copying->cli, "not remembered: %s", strerror(copying->recording_error));
    result->complete = !copying->recording_error && WIFEXITED(status);
}

void run_command_recorded(struct cli *cli, char **argv, struct spool *input, int quiet,
                          struct spool *recording, struct run_result *result)
{
    struct copying copying = {.cli = cli, .recording = recording, .result = result, .quiet = quiet};
    int out[2] = {-1, -1}, err[2] = {-1, -1}, error = 0;
    struct sigaction old[CHILD_SIGNALS];
    pid_t pid = 0;

    memset(result, 0, sizeof *result);
    if (spool_add(recording, "diskcache-run 1 ---\n", RUN_HEADER) < 0) /* patched at the end */
        copying.recording_error = errno;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        error = errno;
    child_signals_begin(old);
    if (!error)
        error = spawn(argv, input, out[1], err[1], &pid);
    if (!error)
        child_is(pid);
    for (int i = 0; i < 2; i++) {
        int fd = i ? err[1] : out[1];

        if (fd >= 0)
            (void)close(fd); /* the command has its own; ours would hide its end */
    }
    if (error) {
        result->status = child_not_started(cli, argv[0], error);
        if (out[0] >= 0)
            (void)close(out[0]); /* nothing came */
        if (err[0] >= 0)
            (void)close(err[0]);
    } else {
        copy_all(&copying, out[0], err[0]);
        wait_for(&copying, pid);
    }
    child_signals_end(old);
}
