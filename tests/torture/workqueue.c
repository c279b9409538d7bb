/* workqueue.c - eight processes on one deque as a work queue, killed at random moments: each item is
 * delivered once, or was with a taker that was killed before it could acknowledge.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     workqueue [--kills N] [--seed N]
 *
 * Who has been killed is started again. What the workers were told by the library stands in memory
 * that outlives them. A killed taker can have had one item, so there may be no more missing items than
 * takers that were killed with their hands full; what a killed producer was about to push is there or
 * not. Of one producer each taker has to see the items in order. */
#include "ledger.h"

#include <diskcache_collections.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { WORKERS = 8, MOST = 1 << 17 /* items of each worker */ };

/* Of an item. */
enum { NEVER = 0, IN_DOUBT, PUSHED };

struct worker {
    _Atomic unsigned next;  /* number of the item that it pushes next */
    _Atomic int taking;     /* from before a pop until it is acknowledged */
    _Atomic uint64_t taken; /* acknowledged */
    _Atomic int failed;     /* the message is on stderr */
    _Atomic unsigned char state[MOST];
    _Atomic unsigned char delivered[MOST]; /* how many times, to whomsoever */
};

static struct worker *workers; /* WORKERS of them, shared */
static const char *directory;
static pid_t pids[WORKERS];

/* ---- a worker ---- */

_Noreturn static void give_up(struct worker *w, const char *what, int rc)
{
    (void)fprintf(stderr, "FAULT: %s: %s\n", what, status_text(rc));
    w->failed = 1;
    exit(1);
}

/* "WORKER:ITEM:", now and then followed by so much that it is a file. */
static void push(dcache *deque, unsigned me, uint64_t *rng, char *buffer)
{
    struct worker *w = &workers[me];
    unsigned n = w->next;
    size_t size = rng_below(rng, 8) == 0 ? BIG : 40;
    struct dcache_value value = dcache_bytes(buffer, size);
    int rc;

    if (n == MOST)
        return;
    memset(buffer, 'x', size);
    (void)snprintf(buffer, 40, "%u:%u:", me, n);
    w->state[n] = IN_DOUBT;
    w->next = n + 1;
    rc = dcache_deque_push(deque, DCACHE_BACK, &value);
    if (rc != 0)
        give_up(w, "push", rc);
    w->state[n] = PUSHED;
}

/* 1 if there was an item. `last` is the number of each producer's item that came before. */
static int take(dcache *deque, struct worker *w, int64_t *last, uint64_t *rng)
{
    struct dcache_entry entry;
    unsigned from = 0, n = 0;
    int rc;

    w->taking = 1;
    rc = dcache_deque_pop(deque, DCACHE_FRONT, NULL, &entry);
    if (rc != 0 && rc != DCACHE_NOT_FOUND)
        give_up(w, "pop", rc);
    if (rc == 0) {
        if (!two_numbers(&entry.value, WORKERS, MOST, &from, &n))
            give_up(w, "an item that nobody pushed", rc);
        if ((int64_t)n <= last[from])
            give_up(w, "items out of order", rc);
        last[from] = n;
        if (rng_below(rng, 16) == 0)
            sleep_us(rng_below(rng, 300)); /* the work */
        workers[from].delivered[n]++;
        w->taken++;
    }
    w->taking = 0;
    dcache_entry_clear(&entry);
    return rc == 0;
}

_Noreturn static void work(unsigned me, uint64_t seed)
{
    char *buffer = must_alloc(BIG);
    int64_t last[WORKERS];
    uint64_t rng = seed;
    dcache *deque;
    int rc = dcache_open_collection(directory, NULL, &deque);

    if (rc != 0)
        give_up(&workers[me], "open", rc);
    for (unsigned i = 0; i < WORKERS; i++)
        last[i] = -1;
    for (;;) {
        if (rng_below(&rng, 2))
            push(deque, me, &rng, buffer);
        else
            (void)take(deque, &workers[me], last, &rng);
    }
}

static void start(unsigned number, uint64_t *rng)
{
    uint64_t seed = rng_next(rng);

    (void)fflush(NULL);
    pids[number] = fork();
    if (pids[number] < 0)
        die("fork: %m");
    if (pids[number] == 0)
        work(number, seed);
}

/* ---- the end ---- */

/* What is left, taken by a process of its own. */
static void drain(void)
{
    int64_t last[WORKERS];
    uint64_t rng = 1;
    dcache *deque;
    int rc = dcache_open_collection(directory, NULL, &deque);

    if (rc != 0)
        give_up(&workers[0], "open", rc);
    for (unsigned i = 0; i < WORKERS; i++)
        last[i] = -1;
    while (take(deque, &workers[0], last, &rng))
        ;
    dcache_close(deque);
    exit(0);
}

static void in_a_child(void (*call)(void))
{
    pid_t pid;
    int status;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0)
        call();
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die("FAULT: the deque cannot be emptied");
}

struct sums {
    uint64_t pushed, delivered, missing, twice, invented;
};

static struct sums add_up(void)
{
    struct sums s = {0};

    for (unsigned i = 0; i < WORKERS; i++) {
        for (unsigned n = 0; n < MOST; n++) {
            unsigned state = workers[i].state[n], times = workers[i].delivered[n];

            s.pushed += state == PUSHED;
            s.delivered += times;
            s.missing += state == PUSHED && times == 0;
            s.twice += times > 1;
            s.invented += state == NEVER && times > 0;
        }
    }
    return s;
}

/* Takers that were killed with, perhaps, an item in their hands. */
static uint64_t hands_full;

static int kill_one(unsigned number)
{
    int status;

    (void)kill(pids[number], SIGKILL);
    if (waitpid(pids[number], &status, 0) != pids[number])
        die("waitpid: %m");
    hands_full += workers[number].taking != 0;
    workers[number].taking = 0;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int run(int kills, uint64_t seed)
{
    uint64_t rng = seed;
    struct sums s;
    int faults = 0;

    for (unsigned i = 0; i < WORKERS; i++)
        start(i, &rng);
    for (int n = 0; n < kills && faults == 0; n++) {
        unsigned victim = rng_below(&rng, WORKERS);

        sleep_us(rng_below(&rng, 40000));
        faults += !kill_one(victim);
        start(victim, &rng);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        faults += !kill_one(i);
    in_a_child(drain);
    s = add_up();
    faults += s.twice > 0 || s.invented > 0 || s.missing > hands_full;
    printf("%llu items pushed, %llu delivered, %llu twice, %llu that nobody pushed\n",
           (unsigned long long)s.pushed, (unsigned long long)s.delivered,
           (unsigned long long)s.twice, (unsigned long long)s.invented);
    printf("%d kills; %llu takers were killed between taking and acknowledging, and with them %llu "
           "items\n",
           kills + WORKERS, (unsigned long long)hands_full, (unsigned long long)s.missing);
    return faults;
}

int main(int argc, char **argv)
{
    uint64_t seed = (uint64_t)now_ns();
    int kills = 30, faults;
    char *base;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--kills") == 0 && i + 1 < argc)
            kills = (int)to_number(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = (uint64_t)to_number(argv[++i]);
        else
            die("usage: workqueue [--kills N] [--seed N]");
    }
    workers = mmap(NULL, WORKERS * sizeof *workers, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (workers == MAP_FAILED)
        die("mmap: %m");
    base = temp_dir("workqueue");
    directory = base;
    printf("seed %llu\n", (unsigned long long)seed);
    faults = run(kills, seed) + verify_end(base);
    if (faults > 0)
        printf("the directory is left in %s\n", base);
    else
        remove_tree(base);
    free(base);
    printf("workqueue: %s, %d faults\n", faults == 0 ? "ok" : "FAILED", faults);
    return faults == 0 ? 0 : 1;
}
