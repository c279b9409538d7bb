/* recipes.h - locks, averages and token buckets, for recipes.py, which has what users see. */
#ifndef RECIPES_H
#define RECIPES_H

#include "core.h"

#include <diskcache_recipes.h>

extern PyType_Spec lock_spec;
extern PyMethodDef recipe_functions[];

#endif
