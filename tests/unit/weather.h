/* weather.h - what the tests of bad weather share: the cache in the sandbox.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WEATHER_H
#define WEATHER_H

#include "file.h"
#include "sandbox.h"

static inline const char *cache(void)
{
    return in("c");
}

static inline dcache *opened_for(double timeout)
{
    dcache *c = NULL;

    assert_int_equal(open_with(cache(), 0, timeout, &c), 0);
    return c;
}

static inline dcache *opened(void)
{
    return opened_for(20);
}

#endif
