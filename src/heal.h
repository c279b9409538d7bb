/* heal.h - a damaged database: to make sure that it is, and to move it out of the way. */
#ifndef HEAL_H
#define HEAL_H

#include "schema.h"

/* Whether SQLite finds the database damaged, looking at all of it. What it cannot look at for another
 * reason, or what is no cache, is not. */
bool heal_is_damaged(const char *path);

/* Rename the database of a directory, and its log with it, to the first free of cache.db-damaged-1 to
 * -9. Under the write lock. */
int heal_move_aside(int dir);

#endif
