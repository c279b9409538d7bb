/* memoize.h - the random part of dcache_memoize(), where tests can reach it. */
#ifndef MEMOIZE_H
#define MEMOIZE_H

#include "os.h"

/* How many seconds before its end a value would be recomputed by this call, one draw. */
double memoize_lead(double delta, double beta);

#endif
