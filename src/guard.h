/* guard.h - who besides this user may change what is in a directory. */
#ifndef GUARD_H
#define GUARD_H

#include "os.h"

/* Whether anybody but this user and root may write to the directory, or to the files of it that are
 * read as the cache. A group of this user alone is nobody else. */
int guard_others_write(int dir, bool *ret_others);

#endif
