/* holder.c - a lock holder is killed in the middle of a transaction: how long do others wait?
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { WAITERS = 2, LIMIT_MS = 100 };

struct board {
    _Atomic int ready; /* waiters about to call */
    _Atomic int held;
    _Atomic int64_t through[WAITERS]; /* when their write had returned, 0 before */
    _Atomic int failed;
};

static void hold(const char *directory, struct board *board)
{
    struct dcache_value k = dcache_text("held"), v = dcache_int(1);
    static const unsigned char big[50000];
    struct dcache_value file = dcache_bytes(big, sizeof big);
    dcache *c, *txn;

    if (dcache_open(directory, test_options(), &c) != 0 || dcache_begin(c, -1, &txn) != 0 ||
        dcache_set(txn, &k, &v, NULL) != 0 || dcache_set(txn, &k, &file, NULL) != 0)
        board->failed = 1;
    board->held = 1;
    for (;;)
        sleep_us(1000000);
}

static void wait_for_it(const char *directory, struct board *board, int number)
{
    char name[32];
    struct dcache_value k, v = dcache_int(2);
    dcache *c;
    int rc;

    (void)snprintf(name, sizeof name, "waiter-%d", number);
    k = dcache_text(name);
    rc = dcache_open(directory, test_options(), &c);
    if (rc != 0)
        board->failed = 1;
    while (!board->held)
        sleep_us(100);
    board->ready++;
    rc = dcache_set(c, &k, &v, NULL);
    board->through[number] = now_ns();
    if (rc != 0) {
        (void)fprintf(stderr, "waiter: %s\n", status_text(rc));
        board->failed = 1;
    }
    dcache_close(c);
    _exit(0);
}

static pid_t start(const char *directory, struct board *board, int number)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork: %m");
    if (pid == 0) {
        if (number < 0)
            hold(directory, board);
        else
            wait_for_it(directory, board, number);
    }
    return pid;
}

/* Longest wait of a waiter after the kill, in ns; negative: a fault. */
static int64_t one_round(const char *directory, struct board *board)
{
    pid_t holder, waiters[WAITERS];
    int64_t killed, longest = 0;

    memset(board, 0, sizeof *board);
    holder = start(directory, board, -1);
    while (!board->held)
        sleep_us(100);
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = start(directory, board, i);
    while (board->ready < WAITERS && !board->failed)
        sleep_us(100);
    sleep_us(20000); /* until they really wait */
    for (int i = 0; i < WAITERS; i++)
        if (board->through[i] != 0)
            board->failed = 1; /* nobody may write while the holder lives */
    killed = now_ns();
    (void)kill(holder, SIGKILL);
    (void)waitpid(holder, NULL, 0);
    for (int i = 0; i < WAITERS; i++) {
        (void)waitpid(waiters[i], NULL, 0);
        if (board->through[i] - killed > longest)
            longest = board->through[i] - killed;
    }
    return board->failed ? -1 : longest;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int holder_rounds(const char *directory, int rounds)
{
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int64_t *times = must_alloc((size_t)rounds * sizeof *times);
    double median, max;
    int faults = 0, middle;

    if (board == MAP_FAILED)
        die("mmap: %m");
    for (int i = 0; i < rounds; i++) {
        times[i] = one_round(directory, board);
        faults += times[i] < 0;
    }
    qsort(times, (size_t)rounds, sizeof *times, by_size);
    middle = rounds / 2;
    median = (double)times[middle] / 1e6;
    max = (double)times[rounds - 1] / 1e6;
    printf("a killed lock holder delays two waiting writers: median %.2f ms, max %.2f ms "
           "(limit %d ms), %d rounds\n",
           median, max, LIMIT_MS, rounds);
    if (faults > 0)
        (void)fprintf(stderr, "FAULT: %d rounds with a wrong status or a lock that held nobody\n",
                      faults);
    if (median > LIMIT_MS) {
        (void)fprintf(stderr, "FAULT: more than %d ms\n", LIMIT_MS);
        faults++;
    }
    free(times);
    (void)munmap(board, sizeof *board);
    return faults;
}
