/* torture.c - writers on one directory, killed at random moments: nothing that was acknowledged
 * may be missing.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     torture [--kills N] [--seed N] [--keep]
 *
 * Writers are started together and killed one after the other, the others going on; then a fresh
 * process compares the directory with the ledger. Writer 0 lives through most rounds, so that the
 * survivors' state is tried too, and not only a start from the files. */
#include "ledger.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct ledger *ledger;
static pid_t pids[WRITERS];
static const char *directory;

static void start_writer(unsigned number, uint64_t *rng)
{
    uint64_t seed = rng_next(rng);
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid < 0)
        die("fork: %m");
    if (pid == 0)
        writer_run(directory, ledger, number, seed);
    pids[number] = pid;
}

/* 1 if the writer was alive until now; else it had found something wrong. */
static int kill_writer(unsigned number)
{
    int status;

    (void)kill(pids[number], SIGKILL);
    if (waitpid(pids[number], &status, 0) != pids[number])
        die("waitpid: %m");
    pids[number] = 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return 1;
    (void)fprintf(stderr, "FAULT: writer %u ended by itself, status %#x\n", number,
                  (unsigned)status);
    return 0;
}

/* Let writer 0 finish what it does and stand still. 1 if it does. */
static int pause_survivor(void)
{
    static int generation; /* so that an earlier pause cannot be taken for this one */
    int64_t limit = now_ns() + 20000000000;

    ledger->pause = ++generation;
    while (ledger->writer[0].paused != generation) {
        if (ledger->writer[0].failed || now_ns() > limit)
            return 0;
        sleep_us(100);
    }
    return 1;
}

static int round_of_kills(uint64_t *rng, int with_survivor, int *kills)
{
    unsigned order[WRITERS], first = with_survivor ? 1 : 0;
    int faults = 0;

    for (unsigned i = 0; i < WRITERS; i++)
        if (pids[i] == 0)
            start_writer(i, rng);
    for (unsigned i = 0; i < WRITERS; i++)
        order[i] = i;
    for (unsigned i = WRITERS - 1; i > first; i--) {
        unsigned j = first + rng_below(rng, i - first + 1), t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
    sleep_us(10000 + rng_below(rng, 90000));
    for (unsigned i = first; i < WRITERS; i++) {
        sleep_us(rng_below(rng, 40000));
        faults += !kill_writer(order[i]);
        ++*kills;
    }
    if (with_survivor && !pause_survivor()) {
        (void)fprintf(stderr, "FAULT: the survivor does not finish its operation\n");
        return faults + 1;
    }
    faults += verify_ledger(directory, ledger);
    ledger->pause = 0;
    return faults;
}

static uint64_t operations(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < WRITERS; i++)
        sum += ledger->writer[i].operations;
    return sum;
}

static int run_kills(int wanted, uint64_t seed)
{
    uint64_t rng = seed;
    int kills = 0, faults = 0, rounds = 0;

    while (kills < wanted && faults == 0) {
        faults += round_of_kills(&rng, rounds % 5 != 4, &kills);
        rounds++;
        if (isatty(1))
            printf("\r%d kills", kills);
        (void)fflush(stdout);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        if (pids[i] != 0) {
            faults += !kill_writer(i);
            kills++;
        }
    }
    faults += verify_ledger(directory, ledger);
    printf("%s%d kills in %d rounds, %llu acknowledged operations\n", isatty(1) ? "\r" : "", kills,
           rounds, (unsigned long long)operations());
    return faults;
}

int main(int argc, char **argv)
{
    int kills = 30, keep = 0, faults;
    uint64_t seed = (uint64_t)now_ns();
    char *base;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--kills") == 0 && i + 1 < argc)
            kills = (int)to_number(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = (uint64_t)to_number(argv[++i]);
        else if (strcmp(argv[i], "--keep") == 0)
            keep = 1;
        else
            die("usage: torture [--kills N] [--seed N] [--keep]");
    }
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ledger == MAP_FAILED)
        die("mmap: %m");
    base = temp_dir("torture");
    directory = base;
    printf("seed %llu, %s\n", (unsigned long long)seed, base);
    faults = run_kills(kills, seed);
    if (faults == 0)
        faults += holder_rounds(base, kills >= 100 ? 25 : 11);
    faults += verify_end(base);
    if (keep || faults > 0)
        printf("the directory is left in %s\n", base);
    else
        remove_tree(base);
    free(base);
    printf("torture: %s, %d faults\n", faults == 0 ? "ok" : "FAILED", faults);
    return faults == 0 ? 0 : 1;
}
