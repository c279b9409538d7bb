/* fuzz.h - what the targets share: a directory in memory, where there is one, and the target's entry.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Linked with libFuzzer (make fuzz), a target is fed with what that thinks up; linked with corpus.c (make
 * check), with the files saved in corpus/. */
#ifndef FUZZ_H
#define FUZZ_H

#include "os.h"

#include <diskcache_recipes.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target's own directory; made at the first call, removed at the end. */
static char fuzz_path[64];

static inline void fuzz_remove(void)
{
    char command[100];

    (void)snprintf(command, sizeof command, "rm -rf %s", fuzz_path);
    if (system(command) != 0)
        (void)fprintf(stderr, "fuzz: %s stays\n", fuzz_path);
}

static inline const char *fuzz_directory(void)
{
    if (!fuzz_path[0]) {
        (void)snprintf(fuzz_path, sizeof fuzz_path, "%s/dcache-fuzz-XXXXXX",
                       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(fuzz_path))
            abort();
        (void)atexit(fuzz_remove);
    }
    return fuzz_path;
}

static inline void fuzz_write(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) < 0)
        abort();
}

/* Take a lock, look at it, give it back; with as little patience as there is. */
static inline void fuzz_lock(dcache *c)
{
    struct dcache_value key = dcache_text("lock");
    struct dcache_lock_state state;
    dcache_lock *lock;

    if (dcache_lock_open(c, &key, NULL, &lock) < 0)
        return;
    (void)dcache_lock_acquire(lock, 0);
    (void)dcache_lock_state(lock, &state);
    (void)dcache_lock_acquire(lock, 0.001);
    (void)dcache_lock_release(lock);
    dcache_lock_close(lock);
}

/* What a program does with a cache; what comes of it does not matter, if it comes. */
static inline void fuzz_use(dcache *c)
{
    static const char *const keys[] = {"key", "large", "text", "number", "new"};
    struct dcache_value one = dcache_int(1), tag = dcache_text("tag");
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_report report;
    struct dcache_stats stats;
    struct dcache_entry e;
    dcache_iter *iter;

    for (int i = 0; i < 5; i++) {
        struct dcache_value key = dcache_text(keys[i]);

        (void)dcache_get(c, &key, NULL, &e);
        dcache_entry_clear(&e);
    }
    for (int way = 0; way < 4; way++) {
        options.order = way & 1 ? DCACHE_BY_KEY : DCACHE_BY_INSERTION;
        options.flags = way & 2 ? DCACHE_REVERSE : 0;
        if (dcache_iter_open(c, &options, &iter) < 0)
            continue;
        while (dcache_iter_next(iter, &e) == 0)
            dcache_entry_clear(&e);
        dcache_iter_close(iter);
    }
    (void)dcache_incr(c, &(struct dcache_value[]){dcache_text("number")}[0], &one, NULL, NULL);
    (void)dcache_set(c, &(struct dcache_value[]){dcache_text("new")}[0], &tag, NULL);
    (void)dcache_set(c, &(struct dcache_value[]){dcache_text("key")}[0], &one, NULL);
    (void)dcache_push(c, NULL, DCACHE_BACK, &one, NULL, NULL);
    (void)dcache_pull(c, NULL, DCACHE_FRONT, NULL, &e);
    dcache_entry_clear(&e);
    (void)dcache_peek(c, "queue", DCACHE_BACK, NULL, &e);
    dcache_entry_clear(&e);
    fuzz_lock(c);
    (void)dcache_stats(c, 0, &stats);
    (void)dcache_evict(c, &tag, NULL);
    (void)dcache_cull(c, NULL);
    if (dcache_check(c, 1, &report) == 0)
        dcache_report_clear(&report);
    (void)dcache_clear(c, NULL);
    (void)dcache_set(c, &(struct dcache_value[]){dcache_text("key")}[0], &one, NULL);
}

#endif
