/* check.h - where rows and files disagree. */
#ifndef CHECK_H
#define CHECK_H

#include "txn.h"

/* Remove the files that no row names and nobody is writing, and directories that are empty then. */
int check_sweep(dcache *cache);

#endif
