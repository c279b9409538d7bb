/* diskcache_collections.h - a deque and an ordered mapping, each in a cache directory of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both are caches that evict nothing: a `dcache *` from dcache_open_collection(). What is not here
 * is in <diskcache.h>: transactions (a transaction's handle is a deque or an index, too),
 * dcache_count() for the length, dcache_clear(), iteration. The directories are those of 5.6.3's
 * Deque and Index.
 *
 *     dcache *jobs;
 *     struct dcache_value job = dcache_text("resize 17.png");
 *
 *     if (dcache_open_collection("/var/spool/jobs", NULL, &jobs) == 0) {
 *         dcache_deque_push(jobs, DCACHE_BACK, &job);
 *         ...
 *         dcache_close(jobs);
 *     }
 *
 * The conventions are those of <diskcache.h>.
 */
#ifndef DISKCACHE_COLLECTIONS_H
#define DISKCACHE_COLLECTIONS_H

#include <diskcache.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As dcache_open(), with the setting eviction_policy "none" (unless `options` name it). */
DCACHE_API int dcache_open_collection(const char *directory,
                                      const struct dcache_open_options *options,
                                      dcache **ret_cache);

/* ---- deque --------------------------------------------------------------------------------- */

/* The items of a deque are those of the queue NULL (see dcache_push()), in the order of their keys:
 * walk over them with dcache_iter_open() and DCACHE_BY_KEY. An item that is put in or taken out at an
 * end meanwhile does not disturb the walk. */

/* Append a value at a side. If the deque is longer than its greatest length then, items go from the
 * other side. */
DCACHE_API int dcache_deque_push(dcache *deque, enum dcache_side side,
                                 const struct dcache_value *value);

/* Append `count` values at a side, one after the other, in one transaction: so at DCACHE_FRONT they
 * come to lie in reverse. */
DCACHE_API int dcache_deque_extend(dcache *deque, enum dcache_side side,
                                   const struct dcache_value *values, size_t count);

/* Remove and hand back the item at a side; each goes to exactly one caller. Fails: NOT_FOUND (the
 * deque is empty). */
DCACHE_API int dcache_deque_pop(dcache *deque, enum dcache_side side,
                                const struct dcache_get_options *options,
                                struct dcache_entry *ret_entry);

/* The same, but the item stays. */
DCACHE_API int dcache_deque_peek(dcache *deque, enum dcache_side side,
                                 const struct dcache_get_options *options,
                                 struct dcache_entry *ret_entry);

/* By index: 0 is the first item, -1 the last. In logarithmic time, until _delete() or _remove() takes
 * an item from further in and so leaves a gap in the keys; then the keys are counted, from the nearer
 * end, until the gap has come to an end or dcache_deque_reverse() has closed it. (To close it at once
 * would move items under the feet of those who walk over them.) Fails: NOT_FOUND (there is none). */
DCACHE_API int dcache_deque_get(dcache *deque, int64_t index,
                                const struct dcache_get_options *options,
                                struct dcache_entry *ret_entry);
DCACHE_API int dcache_deque_set(dcache *deque, int64_t index, const struct dcache_value *value);
DCACHE_API int dcache_deque_delete(dcache *deque, int64_t index);

/* Move `steps` items from the back to the front (negative: from front to back), one by one, in one
 * transaction; of those that come to the same the fewest. Values are not copied. */
DCACHE_API int dcache_deque_rotate(dcache *deque, int64_t steps);

/* Reverse the deque in place, in one transaction. Values are not copied. */
DCACHE_API int dcache_deque_reverse(dcache *deque);

/* Remove the first item that equals `value`, as dcache_value_compare() tells. Fails: NOT_FOUND. */
DCACHE_API int dcache_deque_remove(dcache *deque, const struct dcache_value *value);

/* How many items equal `value`. */
DCACHE_API int dcache_deque_count(dcache *deque, const struct dcache_value *value,
                                  int64_t *ret_count);

/* Append all items of `from` to `to`, another deque or the same, in one transaction of `to`. */
DCACHE_API int dcache_deque_copy(dcache *from, dcache *to);

/* The order of two deques, -1, 0 or 1: that of the first items that differ, or else the shorter one
 * comes first. Writers beside it may make the answer one that was never true. */
DCACHE_API int dcache_deque_compare(dcache *a, dcache *b, int *ret_order);

/* The greatest length; -1: any (the default). It is kept in the directory, as the setting
 * `deque_maxlen`, and holds for all who use it but 5.6.3. Setting it takes items from the front at
 * once. */
DCACHE_API int dcache_deque_maxlen(dcache *deque, int64_t *ret_maxlen);
DCACHE_API int dcache_deque_set_maxlen(dcache *deque, int64_t maxlen);

/* ---- index --------------------------------------------------------------------------------- */

/* An index is a mapping in the order of insertion: dcache_set() (which keeps the place of a key that
 * is there), dcache_get(), dcache_delete(), dcache_pop(), dcache_push(), dcache_pull(),
 * dcache_peekitem(), dcache_popitem(), dcache_iter_open() (with DCACHE_REVERSE: from the end), and
 * these. They work on any cache. */

/* Hand back the item of a key, having stored `value` first if there was none. */
DCACHE_API int dcache_setdefault(dcache *cache, const struct dcache_value *key,
                                 const struct dcache_value *value,
                                 const struct dcache_set_options *set_options,
                                 const struct dcache_get_options *get_options,
                                 struct dcache_entry *ret_entry);

/* Whether two caches have equal values under equal keys and, if `ordered`, in the same order of
 * insertion. Expired items do not count. Writers beside it may make the answer one that was never
 * true. */
DCACHE_API int dcache_equal(dcache *a, dcache *b, int ordered, int *ret_equal);

#ifdef __cplusplus
}
#endif
#endif
