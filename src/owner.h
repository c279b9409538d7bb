/* owner.h - who holds a lock: a process, as a line of text by which others can ask whether it lives.
 *
 *     PID-MARK START NAMESPACE BOOT
 *
 * PID in the pid namespace NAMESPACE (an inode number), MARK what tells holders in one process apart,
 * START when the process began (clock ticks after boot: a pid is given again, that not with it), BOOT
 * the kernel's boot id. 0, 0 and "-" where there is no /proc. A 5.6.3 RLock has the first word only,
 * and takes all of ours for such a word. */
#ifndef OWNER_H
#define OWNER_H

#include "os.h"

#define OWNER_TEXT 160

struct owner {
    int64_t pid;
    uint64_t mark;
    uint64_t start;
    uint64_t pids; /* the namespace */
    char boot[40];
};

/* This process; `mark` is left to the caller. Fails: IO, NOMEM. */
int owner_self(struct owner *ret_owner);

void owner_format(const struct owner *owner, char text[OWNER_TEXT]);

/* False: it is no such line, so nobody of ours. */
bool owner_parse(const struct dcache_value *value, struct owner *ret_owner);

bool owner_equals(const struct owner *a, const struct owner *b);

/* 1: it lives; 0: it is gone; -1: not to be known from here, where `self` asks. `local`: what it holds lies on this
 * machine's own disk, so that it cannot have been somebody on another one. */
int owner_lives(const struct owner *owner, const struct owner *self, bool local);

#endif
