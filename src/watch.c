/* watch.c - what is needed to read the memtable. See watch.h. */
#include "watch.h"

#include <stdlib.h>

#define WATCHED 4096 /* bytes: the header of the WAL index, by whole pages */

void watch_init(struct watch *watch)
{
    memset(watch, 0, sizeof *watch);
    watch->view.fd = -1;
    pthread_mutex_init(&watch->mutex, NULL); /* cannot fail with glibc */
}

void watch_forget(struct watch *watch)
{
    pthread_mutex_init(&watch->mutex, NULL); /* cannot fail with glibc */
    atomic_store(&watch->commits, NULL);
    watch->db = NULL;
    watch->borrowed = false;
    watch->retired = NULL;
}

void watch_destroy(struct watch *watch)
{
    const _Atomic uint32_t *commits = atomic_load(&watch->commits);
    bool borrowed = watch->borrowed;

    watch_end(watch);
    if (!borrowed)
        os_unmap((void *)(uintptr_t)commits, WATCHED);
    for (struct db *next, *db = watch->retired; db; db = next) {
        next = db->next;
        pool_close(db);
    }
    watch_drop_rescued(watch);
    if (watch->view.mapped) {
        os_unmap(watch->view.segment, watch->view.size);
        os_close(watch->view.fd);
    }
    pthread_mutex_destroy(&watch->mutex);
}

bool watch_begin(struct watch *watch, struct db *db)
{
    const _Atomic uint32_t *index = vfs_index(db->file);
    const void *again = index ? os_map_again((const void *)index, WATCHED) : NULL;

    if (!index)
        return false;
    watch->db = db;
    watch->borrowed = !again;
    atomic_store(&watch->commits, again ? (const _Atomic uint32_t *)again : index);
    return true;
}

/* The mapping stays: a reader may be looking at it just now. That is a page for each time that the
 * directory was removed or its journal mode changed. */
void watch_end(struct watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    atomic_store(&watch->commits, NULL);
    if (watch->db && watch->borrowed) {
        watch->db->next = watch->retired;
        watch->retired = watch->db;
    } else if (watch->db) {
        pool_close(watch->db);
    }
    watch->db = NULL;
    watch->borrowed = false;
    pthread_mutex_unlock(&watch->mutex);
}

struct shared *watch_view(struct watch *watch, int dir, unsigned *ret_views)
{
    pthread_mutex_lock(&watch->mutex);
    if (!shared_is_current(&watch->view)) {
        atomic_fetch_add(&watch->views, 1);
        (void)shared_look(&watch->view, dir); /* none: nobody writes */
    }
    *ret_views = atomic_load(&watch->views);
    pthread_mutex_unlock(&watch->mutex);
    return &watch->view;
}

void watch_rescue(struct watch *watch, const struct shared *shared)
{
    struct shared *rescued;

    if (memtable_dirty(shared) == 0 || atomic_load(&watch->rescued))
        return;
    rescued = os_calloc(1, sizeof *rescued);
    if (!rescued)
        return;
    rescued->fd = -1;
    rescued->mapped = true;
    rescued->size = shared->size;
    atomic_store(&rescued->reach, atomic_load(&shared->reach));
    rescued->segment = os_map_again(shared->segment, shared->size);
    if (rescued->segment)
        atomic_store(&watch->rescued, rescued);
    else
        free(rescued);
}

void watch_drop_rescued(struct watch *watch)
{
    struct shared *rescued = atomic_exchange(&watch->rescued, NULL);

    if (rescued)
        os_unmap(rescued->segment, rescued->size);
    free(rescued);
}

void watch_keep_segment(struct watch *watch, struct shared *shared, uint32_t old_slot)
{
    struct shared as_before = {.segment = shared->segment, .fd = -1, .slot = old_slot};

    watch_drop_rescued(watch);
    memtable_settle(shared, 0);
    shared_mutex_unlock(&as_before, &as_before.segment->memtable.append);
}
