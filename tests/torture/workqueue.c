/* workqueue.c - eight processes on one deque as a work queue, killed at random moments: each item is
 * delivered once, or was with a taker that was killed before it could acknowledge.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     workqueue [--kills N] [--seed N]
 *
 * Who has been killed is started again. What the workers were told by the library stands in memory
 * that outlives them. What a taker holds stands there as well, from before it can be gone from the
 * deque: half of them look at the item and take it in one transaction, so that each missing item is
 * known by the taker that was killed with it. The others just pop; who of them is killed within that
 * one call may have had an item that nobody knows. What a killed producer was about to push is there
 * or not. Of one producer each taker has to see the items in order. */
#include "ledger.h"

#include <diskcache_collections.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { WORKERS = 8, MOST = 1 << 17 /* items of each worker */ };

/* Of an item. */
enum { NEVER = 0, IN_DOUBT, PUSHED };

/* What a taker holds; else it is the number of an item, of all workers', plus FIRST_HELD. */
enum { NOTHING_HELD = 0, SOMETHING_HELD, FIRST_HELD };

struct worker {
    _Atomic unsigned next;  /* number of the item that it pushes next */
    _Atomic unsigned hand;  /* from before an item can be gone until it is acknowledged */
    _Atomic uint64_t taken; /* acknowledged */
    _Atomic int failed;     /* the message is on stderr */
    _Atomic unsigned char state[MOST];
    _Atomic unsigned char delivered[MOST]; /* how many times, to whomsoever */
    unsigned char dropped[MOST];           /* was held by who was killed */
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

static unsigned item_of(struct worker *w, const struct dcache_value *value)
{
    unsigned from = 0, n = 0;

    if (!two_numbers(value, WORKERS, MOST, &from, &n))
        give_up(w, "an item that nobody pushed", 0);
    return from * MOST + n;
}

/* Look at an item, and take it, in one transaction. */
static int pop_in_hand(dcache *deque, struct worker *w, struct dcache_entry *ret_entry)
{
    struct dcache_entry entry;
    dcache *txn;
    int rc = dcache_begin(deque, -1, &txn);

    if (rc != 0)
        give_up(w, "begin", rc);
    rc = dcache_deque_peek(txn, DCACHE_FRONT, NULL, &entry);
    if (rc == 0) {
        w->hand = FIRST_HELD + item_of(w, &entry.value);
        rc = dcache_deque_pop(txn, DCACHE_FRONT, NULL, ret_entry);
    }
    dcache_entry_clear(&entry);
    if (rc != 0) {
        dcache_rollback(txn);
        return rc;
    }
    rc = dcache_commit(txn);
    if (rc != 0)
        give_up(w, "commit", rc);
    if (w->hand != FIRST_HELD + item_of(w, &ret_entry->value))
        give_up(w, "another item than the one looked at", 0);
    return 0;
}

/* 1 if there was an item. `last` is the number of each producer's item that came before. */
static int take(dcache *deque, struct worker *w, int64_t *last, uint64_t *rng)
{
    struct dcache_entry entry = {.value = dcache_none()};
    unsigned from, n;
    int rc;

    if (rng_below(rng, 2)) {
        rc = pop_in_hand(deque, w, &entry);
    } else {
        w->hand = SOMETHING_HELD;
        rc = dcache_deque_pop(deque, DCACHE_FRONT, NULL, &entry);
    }
    if (rc != 0 && rc != DCACHE_NOT_FOUND)
        give_up(w, "pop", rc);
    if (rc == 0) {
        from = item_of(w, &entry.value) / MOST;
        n = item_of(w, &entry.value) % MOST;
        w->hand = FIRST_HELD + from * MOST + n;
        if ((int64_t)n <= last[from])
            give_up(w, "items out of order", rc);
        last[from] = n;
        if (rng_below(rng, 16) == 0)
            sleep_us(rng_below(rng, 300)); /* the work */
        workers[from].delivered[n]++;
        w->taken++;
    }
    w->hand = NOTHING_HELD;
    dcache_entry_clear(&entry);
    return rc == 0;
}

_Noreturn static void work(unsigned me, uint64_t seed)
{
    char *buffer = must_alloc(BIG);
    int64_t last[WORKERS];
    uint64_t rng = seed;
    dcache *deque;
    int rc = dcache_open_collection(directory, test_options(), &deque);

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
    int rc = dcache_open_collection(directory, test_options(), &deque);

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
    uint64_t pushed, delivered, missing, unknown, twice, invented;
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
            s.unknown += state == PUSHED && times == 0 && !workers[i].dropped[n];
            s.twice += times > 1;
            s.invented += state == NEVER && times > 0;
        }
    }
    return s;
}

/* Takers that were killed within a pop that says nothing beforehand. */
static uint64_t killed_in_pop;

static int kill_one(unsigned number)
{
    unsigned hand;
    int status;

    (void)kill(pids[number], SIGKILL);
    if (waitpid(pids[number], &status, 0) != pids[number])
        die("waitpid: %m");
    hand = workers[number].hand;
    killed_in_pop += hand == SOMETHING_HELD;
    if (hand >= FIRST_HELD)
        workers[(hand - FIRST_HELD) / MOST].dropped[(hand - FIRST_HELD) % MOST] = 1;
    workers[number].hand = NOTHING_HELD;
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
    faults += s.twice > 0 || s.invented > 0 || s.unknown > killed_in_pop;
    printf("%llu items pushed, %llu delivered, %llu twice, %llu that nobody pushed\n",
           (unsigned long long)s.pushed, (unsigned long long)s.delivered,
           (unsigned long long)s.twice, (unsigned long long)s.invented);
    printf("%d kills; %llu items are missing: %llu were in the hands of takers that were killed, "
           "%llu taken by a pop that was (there were %llu of those)\n",
           kills + WORKERS, (unsigned long long)s.missing,
           (unsigned long long)(s.missing - s.unknown), (unsigned long long)s.unknown,
           (unsigned long long)killed_in_pop);
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
