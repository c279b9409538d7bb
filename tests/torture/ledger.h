/* ledger.h - what the writers of torture.c have been told by the library, in memory that outlives
 * them, and the values that go with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each writer has its own keys. Before a call it notes what it is about to do (`doing`), after a
 * success it notes the new state and then that nothing is going on. A SIGKILL falls between two
 * instructions, so at most the one call noted in `doing` is in doubt. */
#ifndef TORTURE_LEDGER_H
#define TORTURE_LEDGER_H

#include "support.h"

#include <stdatomic.h>

enum {
    WRITERS = 4,
    KEYS = 24,       /* of each writer */
    BATCH = 6,       /* keys of one set_many or transaction: BATCH in a row */
    ITEMS = 1 << 16, /* queue items that each writer may push */
    BIG = 33000      /* values of this size and up are files */
};

/* Of a queue item. */
enum item_state { ITEM_NEW = 0, ITEM_PUSHING, ITEM_PUSHED, ITEM_PULLED };

enum doing {
    IDLE = 0,
    SETTING,  /* keys first .. first + count - 1 go to version `next`, all or none */
    DELETING, /* key `first` goes to version 0, which is absence */
    COUNTING, /* the counter, and the common one, go up by one, both or none */
    PUSHING,
    PULLING,
    MAINTAINING, /* check, cull and so on: nothing may change */
    ROLLING      /* a transaction that is rolled back: nothing may change */
};

struct writer {
    _Atomic int doing;
    _Atomic unsigned first, count, next;
    _Atomic unsigned version[KEYS]; /* acknowledged; 0: absent */
    _Atomic int64_t counter;        /* acknowledged increments */
    _Atomic unsigned pushed;        /* number of the next queue item */
    _Atomic uint64_t operations;
    _Atomic int paused; /* standing still for this `pause` */
    _Atomic int failed; /* an unexpected status: the message is on stderr */
    _Atomic unsigned char item[ITEMS];
};

struct ledger {
    _Atomic int pause; /* not 0: the surviving writer is to stand still */
    struct writer writer[WRITERS];
};

/* Size and contents of a version of a key are functions of its numbers. */
static inline size_t value_size(unsigned writer, unsigned key, unsigned version)
{
    uint64_t rng = ((uint64_t)version << 24) ^ (writer << 16) ^ key;
    unsigned r = rng_below(&rng, 100);

    if (r < 25)
        return BIG + rng_below(&rng, 60000);
    return r < 60 ? rng_below(&rng, 120) : rng_below(&rng, 6000);
}

static inline void value_fill(unsigned char *data, size_t size, unsigned writer, unsigned key,
                              unsigned version)
{
    uint64_t rng = ((uint64_t)version << 24) ^ (writer << 16) ^ key ^ 0x5555;

    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = rng_next(&rng);

        memcpy(data + i, &word, size - i < 8 ? size - i : 8);
    }
}

static inline struct dcache_value key_value(char *buffer, size_t size, unsigned writer,
                                            unsigned key)
{
    (void)snprintf(buffer, size, "w%u-k%u", writer, key);
    return dcache_text(buffer);
}

/* verify.c: in a process of their own, so that nothing of the library is open in the parent. */

/* Everything acknowledged is there; settles what was in doubt. Returns the number of faults. */
int verify_ledger(const char *directory, struct ledger *ledger);

/* The sweep at the end: check(fix), check, integrity, counters, files. Number of faults. */
int verify_end(const char *directory);

/* writer.c: work until killed. */
_Noreturn void writer_run(const char *directory, struct ledger *ledger, unsigned number,
                          uint64_t seed);

/* holder.c: how long others wait for the lock of a dead holder. Number of faults. */
int holder_rounds(const char *directory, int rounds);

#endif
