/* file.h - value files: name, write, publish, read, remove. Knows no SQLite.
 *
 * Invariants
 *  F1  A value file is written under a temporary name, `cache.db-new-SLOT-HEX`, without any lock,
 *      and renamed to `ab/cd/<28 hex>.val` under the write lock, in the transaction that makes its
 *      row. So whoever holds the write lock and finds a file of ours that no row names has found
 *      what a dead process left; and 5.6.3's check(fix=True), which holds it too, finds none.
 *  F2  SLOT is the writer's slot in the shared segment: a temporary file is alive while its slot is.
 *      HEX begins with the number of the writer's life: who had our own slot before us is dead. (A
 *      container's process has the same slot each time that it starts.)
 *  F3  Names of ours end in a checksum of their beginning (file_is_marked). Files of 5.6.3 do not,
 *      and those may be waiting for their row: only age tells.
 *  F4  A published file never changes.
 *  F5  With the setting `checksums`, 40 bits of a name are the beginning of the XXH3 of the file's bytes;
 *      the mark of F3 tells that they are. A value that 5.6.3 stores has a file with a name of
 *      5.6.3's, so a sum is never out of date. */
#ifndef FILE_H
#define FILE_H

#include "os.h"

#define FILE_NAME_SIZE 40 /* "ab/cd/" + 28 + ".val" + NUL */
#define FILE_TEMP_SIZE 48
#define FILE_TEMP_PREFIX "cache.db-new-"

struct files {
    int dir;
    unsigned file_mode, dir_mode;
    _Atomic uint32_t slot; /* F2 */
    uint32_t life;         /* F2 */
    _Atomic bool sync;     /* bring each file to the disk before its row is committed */
};

/* Write a value's bytes (TEXT, BYTES, PICKLE, FD, READER) to a new temporary file; `limit` is the
 * most bytes that it may have, `ret_sum` for its name, if not NULL. Fails: TOO_BIG FULL IO CALLBACK READONLY; then there is no file. */
int file_stage(const struct files *files, const struct dcache_value *value, int64_t limit,
               char ret_temp[FILE_TEMP_SIZE], int64_t *ret_size, uint64_t *ret_sum);

/* Rename a staged file to a new name in the layout; F5, unless `sum` is 0. */
int file_publish(const struct files *files, const char *temp, uint64_t sum,
                 char ret_name[FILE_NAME_SIZE]);

/* Remove a file and its directories if they are empty then. A file that is not there is no error. */
int file_remove(const struct files *files, const char *name);

/* Give a file of another directory the same name here, whose parents are there. Fails: NOT_FOUND
 * (missing, or no regular file in `from`), IO (it has to be copied). */
int file_link(const struct files *from, const char *name, const struct files *to);

/* Open for reading. Fails: NOT_FOUND (missing, shorter than `size`, or no regular file in the
 * directory). `ret_size` is what the file has. */
int file_open(const struct files *files, const char *name, int64_t size, int *ret_fd,
              int64_t *ret_size);

/* Whether as much may be read into memory at all. Fails: TOO_BIG. */
int file_fits(int64_t size);

/* `size` bytes of an open file in memory of the caller's, and a NUL after them.
 * Fails: NOT_FOUND (it has become shorter), TOO_BIG (for the memory of the machine). */
int file_read(int fd, int64_t size, char **ret_memory);

/* Whether bytes, or all that an open file has from its start on, where it is afterwards, are those that
 * a file of that name was made of; of names without a sum nothing is known, and that is no failure. Fails: NOT_FOUND (others), and what reading may. */
int file_verify(const char *name, const void *data, size_t size);
int file_verify_fd(const char *name, int fd);

/* A descriptor at the start of bytes that are in no file. */
int file_of_bytes(const void *data, size_t size, int *ret_fd);

/* Whether a name is of the layout (ab/cd/28 hex.val); whether it is one that we made (F3). */
bool file_is_layout(const char *name);
bool file_is_marked(const char *name);
bool file_is_temp(const char *name, uint32_t *ret_slot);

/* Whether a temporary name is of our slot, and of our life (F2). */
bool file_is_temp_of_ours(const struct files *files, const char *name);

/* Whether a name is relative, stays in the directory as far as its text tells, and is not one of
 * this or another database's own. Others are neither opened nor removed. */
bool file_is_inside(const char *name);

/* Of names in the directory of a fanout: the number of a shard's, else -1; whether caches with names of
 * their own are in it. */
int file_shard(const char *name);
bool file_is_named(const char *name);

/* In place: the separators of a Windows directory become ours. */
void file_normalize(char *name);

#endif
