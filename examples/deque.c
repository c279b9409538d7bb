/* deque.c - a spool of shell commands: any number of workers share it, and none is lost with a worker.
 *
 *     deque SPOOL add COMMAND...     put commands at the end
 *     deque SPOOL work               run all that there are, the oldest first
 *
 * A worker keeps the command that it runs under a key of its own, which it sets in the transaction that
 * takes the command from the deque. What a dead worker has left there, the next one puts back.
 *
 * cc deque.c $(pkg-config --cflags --libs diskcache) && ./a.out spool add 'echo wash' 'echo dry' */
#include <diskcache_collections.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char busy[] = "worker ";

static int add(dcache *spool, char **commands, size_t count)
{
    struct dcache_value *values = calloc(count, sizeof *values);
    int rc = values ? 0 : DCACHE_NOMEM;

    for (size_t i = 0; rc == 0 && i < count; i++)
        values[i] = dcache_text(commands[i]);
    if (rc == 0)
        rc = dcache_deque_extend(spool, DCACHE_BACK, values, count);
    free(values);
    return rc;
}

static int end(dcache *txn, int rc)
{
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

/* At every moment a command is either in the deque or under a worker's key. */
static int take(dcache *spool, const struct dcache_value *mine, struct dcache_entry *command)
{
    dcache *txn;
    int rc = dcache_begin(spool, -1, &txn);

    if (rc < 0)
        return rc;
    rc = dcache_deque_pop(txn, DCACHE_FRONT, NULL, command);
    if (rc == 0)
        rc = dcache_set(txn, mine, &command->value, NULL);
    return end(txn, rc);
}

static int put_back(dcache *spool, const struct dcache_entry *left)
{
    dcache *txn;
    int rc = dcache_begin(spool, -1, &txn);

    if (rc < 0)
        return rc;
    rc = dcache_delete(txn, &left->key); /* NOT_FOUND: another worker has seen to it */
    if (rc == 0)
        rc = dcache_deque_push(txn, DCACHE_FRONT, &left->value);
    rc = end(txn, rc);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

/* (A process number that is in use again hides a dead worker until that one has ended, too.) */
static int look_for_the_dead(dcache *spool)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_value prefix = dcache_text(busy);
    struct dcache_entry left;
    dcache_iter *iter = NULL;
    int rc;

    options.prefix = &prefix;
    rc = dcache_iter_open(spool, &options, &iter);
    while (rc == 0 && (rc = dcache_iter_next(iter, &left)) == 0) {
        long pid = strtol((const char *)left.key.data + sizeof busy - 1, NULL, 10);

        if (kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            rc = put_back(spool, &left);
        dcache_entry_clear(&left);
    }
    dcache_iter_close(iter);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static int work(dcache *spool)
{
    struct dcache_value mine;
    struct dcache_entry command;
    char key[40];
    int rc = look_for_the_dead(spool);

    (void)snprintf(key, sizeof key, "%s%ld", busy, (long)getpid());
    mine = dcache_text(key);
    while (rc == 0 && (rc = take(spool, &mine, &command)) == 0) {
        if (system(command.value.data) != 0) /* what the library hands back ends with a NUL */
            (void)fprintf(stderr, "failed: %s\n", (const char *)command.value.data);
        dcache_entry_clear(&command);
        rc = dcache_delete(spool, &mine);
    }
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int main(int argc, char **argv)
{
    dcache *spool;
    int rc;

    if (argc < 3 || (strcmp(argv[2], "add") != 0 && strcmp(argv[2], "work") != 0)) {
        (void)fprintf(stderr, "usage: deque SPOOL add COMMAND... | work\n");
        return 2;
    }
    rc = dcache_open_collection(argv[1], NULL, &spool);
    if (rc == 0) {
        rc = strcmp(argv[2], "add") == 0 ? add(spool, argv + 3, (size_t)argc - 3) : work(spool);
        dcache_close(spool);
    }
    if (rc < 0)
        (void)fprintf(stderr, "deque: %s\n", dcache_strerror(rc));
    return rc < 0;
}
