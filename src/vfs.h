/* vfs.h - SQLite's own file access with three additions: reading without a lock, frames of the log that
 * are gathered (frames.h), and refusing to open what is no regular file.
 *
 * A reader in WAL mode takes a shared lock on a read mark, and lets it go: two system calls, half of
 * the time of a get. The lock keeps away two things: that the log starts over, and that a checkpoint
 * copies what was committed later into the database. Before either can happen, the header of the
 * WAL index, in shared memory, must have changed. So one may read without the lock, as with a
 * sequence lock, if afterwards the header is the same as before; else the reading is void.
 * (SQLite drops its page cache when it sees another header, so nothing of a void reading stays.)
 * The lock on the database itself is always held: nobody removes the log under us.
 *
 * A database that is mapped is read with the marks: a checkpoint may cut the file, and a page behind
 * its end is SIGBUS before anything can be compared.
 *
 * A writer needs no read mark either: everything that it keeps away needs the write lock as well,
 * which the writer has. (Between beginning to read and having that lock SQLite itself compares the
 * header.)
 *
 * https://www.sqlite.org/walformat.html: the header is 48 bytes, twice; a writer stores the second
 * copy, then the first, and only then goes on. */
#ifndef VFS_H
#define VFS_H

#include "os.h"

#include <sqlite3.h>

#define VFS_NAME "diskcache"
#define VFS_HEADER_WORDS 24 /* both copies */

struct vfs_header {
    uint32_t words[VFS_HEADER_WORDS];
};

/* Make the VFS known to SQLite. Any number of times, from any thread. */
int vfs_register(void);

/* The file of a database, to be read outside of any connection. SQLite keeps account of it: to open and
 * close it oneself would drop the locks that its connections in this process have. `path` is absolute and
 * resolved. Fails: IO NOMEM. */
int vfs_open(const char *path, sqlite3_file **ret_file);
void vfs_close(sqlite3_file *file);

/* Begin to read through `file` (of a connection opened with VFS_NAME) without a lock. False where
 * that cannot be: no log, no header yet, or the database is mapped. */
bool vfs_unlocked_begin(sqlite3_file *file, struct vfs_header *ret_header);

/* Leave out the locks on read marks, or no longer: for a write transaction, from before it begins
 * until it has ended. */
void vfs_leave_out(sqlite3_file *file, bool leave_out);
bool vfs_leaves_out(sqlite3_file *file);

/* End it; the statements have been reset. True if what was read is valid. */
bool vfs_unlocked_end(sqlite3_file *file, const struct vfs_header *header);

/* The header of the WAL index, in memory of SQLite's, while the connection is open; NULL if it has
 * none, or none yet. */
const _Atomic uint32_t *vfs_index(sqlite3_file *file);

/* What changes with each commit of anybody, and with nothing else: the header's commit counter, and
 * the checksum of the log so far, lest the counter be confused with that of an earlier log. It
 * changes before any reader can see what was committed. */
static inline uint64_t vfs_commits(const _Atomic uint32_t *index)
{
    uint64_t counter = atomic_load_explicit(&index[2], memory_order_acquire);

    return counter << 32 | atomic_load_explicit(&index[6], memory_order_acquire);
}

#endif
