/* collection.h - Deque and Index have a cache, and do what they do through it.
 *
 * Their methods are those of 5.6.3, which always tries again after a timeout. */
#ifndef COLLECTION_H
#define COLLECTION_H

#include "core.h"

#include <diskcache_collections.h>

/* The types; Deque and Index derive from Collection. */
extern PyType_Spec collection_spec, deque_spec, index_spec;

/* The cache, borrowed; NULL with an exception if there is none yet. */
PyObject *collection_cache(PyObject *self);

/* As call_begin() on the cache; call_end() is right in any case. */
int collection_begin(struct call *call, PyObject *self);

/* A call of a method of the cache, with `retry=True` added to `args`. */
PyObject *collection_retry(PyObject *self, const char *method, PyObject *const *args,
                           Py_ssize_t nargs);

#endif
