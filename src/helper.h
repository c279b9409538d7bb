/* helper.h - a thread for each open directory that brings to SQLite what writers leave in the memtable,
 * some 20 ms later. It sleeps while there is nothing. */
#ifndef HELPER_H
#define HELPER_H

#include "txn.h"

/* See to it that there is one. False: there cannot be. */
bool helper_start(struct store *store);

/* There is something dirty: wake those that sleep, in any process. */
void helper_stir(struct store *store);

/* End this process's, if there is one. */
void helper_stop(struct store *store);

#endif
