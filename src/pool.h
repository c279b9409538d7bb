/* pool.h - the connections of a directory: idle, lent, and how many there may be. */
#ifndef POOL_H
#define POOL_H

#include "db.h"

#include <pthread.h>

#define POOL_CONNECTIONS 8 /* threads do not add descriptors beyond these */

struct pool {
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t returned;
    struct db *idle;             /* the one used last comes first: its page cache is warm */
    int connections;             /* idle or lent */
    int waiting;                 /* threads, for one to come back */
    _Atomic bool suspect;        /* a connection that came back has spoken of damage */
    _Atomic unsigned generation; /* grows when those that are there must go */
};

/* Empty. Also in a child after a fork, where it forgets the parent's connections: they are leaked,
 * since closing them would disturb the parent. */
void pool_init(struct pool *pool);
void pool_destroy(struct pool *pool);

/* Take an idle connection, waiting until `deadline`; NULL means that the caller is to open one, of
 * generation `*ret_generation`, or to say pool_forget() if it cannot. Fails: TIMEOUT. */
int pool_take(struct pool *pool, int64_t deadline, struct db **ret_db, unsigned *ret_generation);
void pool_forget(struct pool *pool);

/* Give a connection back. One of an earlier generation, or with a transaction that could not be
 * ended, is closed. */
void pool_put(struct pool *pool, struct db *db);

/* From now on, only connections that are opened anew; `keep` (or NULL) is as good as those. */
void pool_renew(struct pool *pool, struct db *keep);

void pool_close(struct db *db); /* close and free */

#endif
