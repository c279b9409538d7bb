/* semaphore.c - run a command for each argument, a process for each, but no more than so many at a
 * time: of this program and of all others that use the same directory.
 * cc semaphore.c $(pkg-config --cflags --libs diskcache) && ./a.out jobs-cache 2 gzip FILE... */
#include <diskcache_recipes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Take a permit, run the command, give the permit back. Returns the status of the command. */
static int run(const char *directory, int permits, const char *command, const char *argument)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
    struct dcache_value key = dcache_text("jobs");
    dcache_lock *jobs = NULL;
    dcache *cache = NULL;
    int status = 0, rc = dcache_open(directory, NULL, &cache);
    pid_t pid;

    options.kind = DCACHE_SEMAPHORE;
    options.permits = permits;
    if (rc == 0)
        rc = dcache_lock_open(cache, &key, &options, &jobs);
    if (rc == 0)
        rc = dcache_lock_acquire(jobs, DCACHE_FOREVER);
    if (rc == 0) {
        pid = fork();
        if (pid == 0) {
            (void)execlp(command, command, argument, (char *)NULL);
            _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            status = 1;
        rc = dcache_lock_release(jobs);
    }
    if (rc < 0)
        (void)fprintf(stderr, "semaphore: %s\n", dcache_last_error()->text);
    dcache_lock_close(jobs);
    dcache_close(cache);
    return rc < 0 || status != 0;
}

int main(int argc, char **argv)
{
    int failed = 0, status;

    if (argc < 4 || atoi(argv[2]) < 1) {
        (void)fprintf(stderr, "usage: semaphore DIRECTORY PERMITS COMMAND ARGUMENT...\n");
        return 2;
    }
    for (int i = 4; i < argc; i++)
        if (fork() == 0)
            _exit(run(argv[1], atoi(argv[2]), argv[3], argv[i]));
    while (wait(&status) > 0)
        failed |= status != 0;
    return failed;
}
