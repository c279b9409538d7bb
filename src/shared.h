/* shared.h - the mapped segment `cache.db-shared`: the write lock, counters, access records, bells.
 *
 * All processes of this library that use a directory map this file, from their first operation on. It holds nothing that
 * may not be lost but the records of the memtable that are not in SQLite yet (memtable.h). It goes
 * away with the last close, unless there are such.
 *
 * Invariants
 *  S1  A process registers a slot: an open-file-description lock on one byte of the file. The
 *      kernel drops it when the process dies, in whatever pid namespace: that is how death shows.
 *  S2  A lock word is 0, or the owner's slot + 1 with a bit for "somebody waits". Whoever registers
 *      a slot first frees the locks that a dead process with the same slot has left.
 *  S3  The lock belongs to the process, not to a thread: whichever thread holds the transaction
 *      may release it.
 *  S4  Whoever has waited for a millisecond comes before those who ask anew: the lock is
 *      handed over, not freed (SHARED_RESERVED), and only who has slept may take it. If nobody of
 *      them lives to take it, anybody may after as long. */
#ifndef SHARED_H
#define SHARED_H

#include "os.h"

#define SHARED_NAME "cache.db-shared"
#define SHARED_ACCESS_SLOTS 1024
#define SHARED_BELLS 512
#define SHARED_WAITERS 64
#define SHARED_WAITER_KEY 64
#define SHARED_WAITER_LINE 160
#define SHARED_QUEUES 8
#define SHARED_QUEUE_NAME 40

/* What a read has noted about a row, until a writer brings it to the database. */
struct shared_access {
    _Atomic int64_t rowid; /* 0: free */
    _Atomic uint64_t time; /* bits of a double */
    _Atomic uint32_t count;
    _Atomic uint32_t unused;
};

/* What who waits for a key sleeps on: keys share them by hash. */
struct shared_bell {
    _Atomic uint32_t rings;
    _Atomic uint32_t sleepers; /* at least; who dies in its sleep costs a needless call a ring */
};

/* A place of who waits for a lock; see handover.h. Others read it while it changes: by words. */
struct shared_waiter {
    _Atomic uint32_t word; /* its state, and the number of its use */
    _Atomic uint32_t process;
    _Atomic uint32_t hash;
    _Atomic uint32_t unused;
    _Atomic uint64_t ticket;
    _Atomic uint64_t expire; /* bits of a double: the lease that it is to have */
    _Atomic uint64_t key[SHARED_WAITER_KEY / 8];
    _Atomic uint64_t line[SHARED_WAITER_LINE / 8];
    /* Once it is granted: by whom, and the end of the lease. */
    _Atomic uint64_t from[SHARED_WAITER_LINE / 8];
    _Atomic uint64_t end;
};

/* A lock between processes: S2 to S4. */
struct shared_mutex {
    _Atomic uint32_t word;
    _Atomic uint32_t unused;
    _Atomic int64_t waiting_since; /* monotonic, of who has waited longest, roughly; 0: nobody */
};

/* Where a queue ends: see ends.h. */
struct shared_queue {
    _Atomic uint64_t first, next;
    _Atomic uint64_t sure;
    _Atomic uint64_t name[1 + SHARED_QUEUE_NAME / 8];
};

/* The memtable: see memtable.h, which gives each field its meaning. What readers look at all the
 * time is on another cache line than what each write changes. */
struct shared_memtable {
    _Atomic uint64_t capacity;
    _Atomic uint64_t floor;
    _Atomic uint64_t known;
    char between[64];
    _Atomic uint64_t head;
    _Atomic uint64_t tail;
    _Atomic uint64_t visible;
    _Atomic uint64_t drained;
    _Atomic uint64_t time; /* bits of a double: the latest store_time */
    struct shared_mutex append;
    _Atomic uint32_t queues; /* of which is known where they end */
    struct shared_queue queue[SHARED_QUEUES];
    char and[64];
    _Atomic uint32_t stirred; /* what helpers sleep on */
    _Atomic uint32_t sleepers;
    _Atomic int64_t turned; /* monotonic: when the ring came round last */
    _Atomic uint64_t turn;  /* the position then */
    _Atomic int64_t
        foreign; /* monotonic: when it was last seen that a foreign process writes; 0: never */
    _Atomic int64_t pause;     /* for how long after that nothing is left dirty */
    _Atomic uint64_t draining; /* what is before this may be in SQLite, or soon: Q4 of ends.h */
    _Atomic int64_t urgent;    /* monotonic: until when somebody waits for little to be dirty */
    _Atomic int32_t trouble;   /* a status: why the last drain failed; 0: it did not */
    _Atomic uint32_t cramped;  /* who has mapped SHARED_RING_LEAST only is, or was, among us */
    _Atomic uint64_t next;     /* what the ring is to grow to; 0: nothing */
    _Atomic uint64_t prepared; /* bytes of that, with its index, which are ready */
    unsigned char boot[16];    /* of the kernel under which this was written */
};

#define SHARED_RING_MOST (UINT64_C(1) << 30)
#define SHARED_RING_LEAST (UINT64_C(32) << 20) /* for which everybody has room */

struct shared_segment {
    uint32_t magic;
    uint32_t version; /* of this layout */
    uint32_t size;
    _Atomic uint32_t settings_epoch; /* grows with each change of a setting */
    _Atomic uint32_t accesses;       /* noted since the last flush */
    struct shared_mutex lock;        /* of everything that writes to SQLite */
    _Atomic int64_t checkpointing;   /* monotonic: since when somebody is at it; 0: nobody */
    _Atomic int64_t headroom;        /* bytes that may surely be stored before the size limit */
    _Atomic uint32_t rebuilds;       /* grows when a damaged database is moved aside */
    _Atomic uint64_t hits;           /* not yet in the database */
    _Atomic uint64_t misses;
    _Atomic uint64_t timeouts; /* of writes */
    _Atomic uint64_t damaged;  /* values that were not as they had been written */
    struct shared_access access[SHARED_ACCESS_SLOTS];
    struct shared_bell bell[SHARED_BELLS];
    _Atomic uint64_t tickets; /* given to waiters */
    struct shared_waiter waiter[SHARED_WAITERS];
    struct shared_memtable memtable;
};

/* Behind the segment, in the same mapping: the ring, a page in which a header that is cut off may be
 * read, and the index, of an eighth of the ring's size. A larger ring has its index behind that of the
 * smaller, so that it can be cleared while the smaller one is in use. */
#define SHARED_RING_OFFSET ((sizeof(struct shared_segment) + 4095) / 4096 * 4096)
#define SHARED_INDEX_BEHIND UINT64_C(4096) /* the end of the ring */
#define SHARED_END(capacity) \
    (SHARED_RING_OFFSET + (capacity) + SHARED_INDEX_BEHIND + (capacity) / 8)
#define SHARED_LENGTH SHARED_END(SHARED_RING_LEAST) /* of the file, until the ring outgrows it */

struct shared {
    struct shared_segment *segment;
    _Atomic int fd; /* -1: nobody shares the segment, see shared_private() */
    bool mapped;    /* the segment is a mapping, else from the heap */
    size_t size;    /* of the mapping: of addresses for SHARED_RING_MOST, if they are not scarce */
    _Atomic uint64_t
        reach;      /* the largest ring that the file is known to have room for; never less */
    bool view;      /* ... for reading only */
    bool made;      /* it was not there before: none of ours was, nor has died here */
    bool inherited; /* the dead have left records: nobody else arrives before shared_admit() */
    _Atomic uint32_t slot; /* it and `fd` change when the directory was made anew */
};

/* Map the segment of the directory, making it if need be. A segment is never needed for
 * correctness of data: where none can be had (FULL, NOMEM, IO), use shared_private().
 * A segment that is mapped already is replaced in place, and kept if that fails.
 * NOMEM: others have a ring that is larger than the addresses which this process may have. */
int shared_open(struct shared *shared, int dir, unsigned mode, int64_t deadline);

/* Once inherited records have been looked at. */
int shared_admit(struct shared *shared);

/* For who may not write: map the segment that others have, for reading; what was mapped is replaced. It
 * is not registered anywhere: whether they still have that one, shared_is_current() tells; and maps
 * of it what has come since. Fails: NOT_FOUND. */
int shared_look(struct shared *shared, int dir);
bool shared_is_current(struct shared *shared);

/* Whether a ring of that size, a power of two, lies within the mapping and the file. A smaller one does. */
bool shared_reaches(const struct shared *shared, uint64_t capacity);

/* Whether the segment is in the file of another descriptor. */
bool shared_is_file(const struct shared *shared, int fd);

/* Ordinary memory instead: threads of this process see one another, processes do not; SQLite's own
 * locking stands between them. */
int shared_private(struct shared *shared); /* what is there already serves */

/* Leave; the last one removes the file. */
void shared_close(struct shared *shared, int dir);

/* After a fork, in the child: let go of the parent's descriptor and mapping, and with them of the
 * parent's slot. No segment is left but a private one. Async-signal-safe. */
void shared_forked(struct shared *shared);

/* Take the write lock, waiting until `deadline` at most (0: do not wait). Fails: TIMEOUT. */
int shared_lock(struct shared *shared, int64_t deadline);
void shared_unlock(struct shared *shared);

/* The same for another lock of the segment. */
int shared_mutex_lock(struct shared *shared, struct shared_mutex *mutex, int64_t deadline);
void shared_mutex_unlock(struct shared *shared, struct shared_mutex *mutex);
bool shared_mutex_try(struct shared *shared, struct shared_mutex *mutex); /* only if it is free */

/* Have the file reach from `offset` on for `size` bytes, with blocks of its own. Fails: FULL IO. */
int shared_allocate(struct shared *shared, uint64_t offset, uint64_t size);

/* Whether the process that has a slot lives: 1, 0, or -1 when nobody can know: for who asks, or for
 * who has the slot, the memory is private. */
int shared_slot_lives(const struct shared *shared, uint32_t slot);

/* A bell is listened to before one looks whether there is anything to wait for: a ring after that is
 * not slept through. It wakes one sleeper or all; there are false alarms. */
uint32_t shared_bell_listen(const struct shared *shared, uint32_t hash);
void shared_bell_wait(struct shared *shared, uint32_t hash, uint32_t heard, int64_t nanoseconds);
void shared_bell_ring(struct shared *shared, uint32_t hash, bool all);

/* Note reads of a row for the policies. False when there is no room: a flush is due. */
bool shared_note_access(struct shared *shared, int64_t rowid, double time, uint32_t count);

/* Take out the i-th record, if it holds anything. Under the write lock. */
bool shared_take_access(struct shared *shared, unsigned i, int64_t *ret_rowid, double *ret_time,
                        int64_t *ret_count);

/* Take out the note of one id. Under the write lock. */
bool shared_take_access_of(struct shared *shared, int64_t rowid, double *ret_time,
                           int64_t *ret_count);

#endif
