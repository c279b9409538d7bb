/* vfs.c - a shim over SQLite's default VFS. See vfs.h. What does more than pass on comes first. */
#include "vfs.h"

#include "frames.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define VFS_NAME_PADDING 4 /* zeros before and behind a name, see sqlite3_uri_parameter() */
#define READ_MARKS 5
#define READ_LOCKS 3   /* first of the locks on read marks among those of the WAL index */
#define IS_INIT_WORD 3 /* of the header: its first byte tells whether it is filled in */

struct vfs_file {
    sqlite3_file base;
    const char *name;              /* of the database, which SQLite keeps until it is closed */
    const _Atomic uint32_t *index; /* first region of the WAL index, once it is mapped */
    bool unlocked;                 /* locks on read marks are left out just now */
    bool left_out;                 /* one was, and so its release will be */
    bool may_be_mapped;            /* the database, by PRAGMA mmap_size */
    int refused;                   /* attempts to move a mark, in a row */
    bool is_log;
    struct frames frames; /* of a log */
};

static sqlite3_vfs *default_vfs;
static sqlite3_vfs shim;
static sqlite3_io_methods methods[4]; /* by their version, which SQLite asks for */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered;

static sqlite3_file *real(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((struct vfs_file *)(void *)file + 1);
}

/* ---- what is no file ---- */

/* What is no regular file is nothing of ours: SQLite would wait for the other end of a FIFO. */
static bool is_no_file(const char *name)
{
    struct stat st;

    return os_fstatat(AT_FDCWD, name, &st) == 0 ? !S_ISREG(st.st_mode) : errno != ENOENT;
}

/* The WAL index is the one that SQLite opens without asking the VFS. */
static bool index_is_no_file(const struct vfs_file *f)
{
    char name[PATH_MAX];

    return !f->name || snprintf(name, sizeof name, "%s-shm", f->name) >= (int)sizeof name ||
           is_no_file(name);
}

/* ---- the WAL index ---- */

static int shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret)
{
    struct vfs_file *f = (struct vfs_file *)(void *)file;
    int code;

    if (region == 0 && !f->index && index_is_no_file(f))
        return SQLITE_CANTOPEN;
    code = real(file)->pMethods->xShmMap(real(file), region, size, extend, ret);
    if (region == 0)
        f->index = code == SQLITE_OK ? (const _Atomic uint32_t *)(uintptr_t)*ret : NULL;
    return code;
}

static int shm_unmap(sqlite3_file *file, int remove)
{
    ((struct vfs_file *)(void *)file)->index = NULL;
    return real(file)->pMethods->xShmUnmap(real(file), remove);
}

/* To move a read mark SQLite locks it exclusively, alone; it need not move if we hold none. If it has
 * no mark at all that would do, it asks and asks: then let it. More marks at once are locked to start
 * the log over, and that is in earnest. */
static bool may_move_mark(struct vfs_file *f, int count)
{
    if (!f->unlocked || count > 1 || f->refused >= 2 * READ_MARKS)
        return true;
    f->refused++;
    return false;
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    struct vfs_file *f = (struct vfs_file *)(void *)file;

    if (offset >= READ_LOCKS && flags == (SQLITE_SHM_SHARED | SQLITE_SHM_LOCK) && f->unlocked) {
        f->left_out = true;
        f->refused = 0;
        return SQLITE_OK;
    }
    if (offset >= READ_LOCKS && flags == (SQLITE_SHM_SHARED | SQLITE_SHM_UNLOCK) && f->left_out) {
        f->left_out = false;
        return SQLITE_OK;
    }
    if (offset > READ_LOCKS && flags == (SQLITE_SHM_EXCLUSIVE | SQLITE_SHM_LOCK) &&
        !may_move_mark(f, count))
        return SQLITE_BUSY;
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

/* ---- the log ---- */

/* Before anything but appending is done to a log. */
static int flush(sqlite3_file *file)
{
    return frames_flush(&((struct vfs_file *)(void *)file)->frames, real(file));
}

static int close_file(sqlite3_file *file)
{
    frames_free(&((struct vfs_file *)(void *)file)->frames);
    return real(file)->pMethods->xClose(real(file));
}

static int read_file(sqlite3_file *file, void *buffer, int size, sqlite3_int64 offset)
{
    int code = flush(file);

    ((struct vfs_file *)(void *)file)->frames.read = offset;
    return code != SQLITE_OK ? code : real(file)->pMethods->xRead(real(file), buffer, size, offset);
}

static int write_file(sqlite3_file *file, const void *buffer, int size, sqlite3_int64 offset)
{
    struct vfs_file *f = (struct vfs_file *)(void *)file;

    if (f->is_log)
        return frames_write(&f->frames, real(file), buffer, size, offset);
    return real(file)->pMethods->xWrite(real(file), buffer, size, offset);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    int code = flush(file);

    return code != SQLITE_OK ? code : real(file)->pMethods->xTruncate(real(file), size);
}

static int sync_file(sqlite3_file *file, int flags)
{
    int code = flush(file);

    return code != SQLITE_OK ? code : real(file)->pMethods->xSync(real(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    int code = flush(file);

    return code != SQLITE_OK ? code : real(file)->pMethods->xFileSize(real(file), ret);
}

/* ---- the others ---- */

static int lock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xLock(real(file), level);
}

static int unlock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int check_reserved(sqlite3_file *file, int *ret)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), ret);
}

static int control(sqlite3_file *file, int operation, void *arg)
{
    if (operation == SQLITE_FCNTL_MMAP_SIZE && *(sqlite3_int64 *)arg >= 0) /* negative: asks only */
        ((struct vfs_file *)(void *)file)->may_be_mapped = *(sqlite3_int64 *)arg > 0;
    return real(file)->pMethods->xFileControl(real(file), operation, arg);
}

static int sector_size(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int characteristics(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static void shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}

static int fetch(sqlite3_file *file, sqlite3_int64 offset, int size, void **ret)
{
    return real(file)->pMethods->xFetch(real(file), offset, size, ret);
}

static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
    return real(file)->pMethods->xUnfetch(real(file), offset, page);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    struct vfs_file *f = (struct vfs_file *)(void *)file;
    int code, version;

    (void)vfs;
    memset(f, 0, sizeof *f);
    f->is_log = flags & SQLITE_OPEN_WAL;
    f->name = flags & SQLITE_OPEN_MAIN_DB ? name : NULL;
    if (name && is_no_file(name))
        return SQLITE_CANTOPEN;
    code = default_vfs->xOpen(default_vfs, name, real(file), flags, ret_flags);
    if (real(file)->pMethods) { /* it may want to be closed even after a failure */
        version = real(file)->pMethods->iVersion;
        f->base.pMethods = &methods[version < 3 ? version : 3];
    }
    return code;
}

/* SQLite resolves links in a name first, and its O_NOFOLLOW then sees what they lead to. An absolute
 * name of ours has been resolved: a link in its last place was put there since. */
static int full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
    size_t length = strlen(name);

    (void)vfs;
    if (name[0] != '/' || length >= (size_t)size)
        return default_vfs->xFullPathname(default_vfs, name, size, ret);
    memcpy(ret, name, length + 1);
    return SQLITE_OK;
}

/* ---- registering ---- */

static void do_register(void)
{
    static const sqlite3_io_methods all = {0,
                                           close_file,
                                           read_file,
                                           write_file,
                                           truncate_file,
                                           sync_file,
                                           file_size,
                                           lock,
                                           unlock,
                                           check_reserved,
                                           control,
                                           sector_size,
                                           characteristics,
                                           shm_map,
                                           shm_lock,
                                           shm_barrier,
                                           shm_unmap,
                                           fetch,
                                           unfetch};

    default_vfs = sqlite3_vfs_find(NULL);
    if (!default_vfs) {
        registered = SQLITE_ERROR;
        return;
    }
    for (int version = 1; version <= 3; version++) {
        methods[version] = all;
        methods[version].iVersion = version;
    }
    /* A copy: what has nothing to do with files finds there what it would find in the original. */
    shim = *default_vfs;
    shim.pNext = NULL;
    shim.zName = VFS_NAME;
    shim.szOsFile = (int)sizeof(struct vfs_file) + default_vfs->szOsFile;
    shim.xOpen = open_file;
    shim.xFullPathname = full_pathname;
    registered = sqlite3_vfs_register(&shim, 0);
}

int vfs_register(void)
{
    pthread_once(&once, do_register);
    return registered == SQLITE_OK ? 0 : os_fail(DCACHE_SQLITE, "SQLite has no VFS");
}

/* ---- a file by itself ---- */

/* The name as SQLite hands it to a VFS: with what could be looked up in a URI behind it. It keeps the
 * pointer until the file is closed, so the name lies behind the file. */
int vfs_open(const char *path, sqlite3_file **ret_file)
{
    size_t length = strlen(path);
    sqlite3_file *file;
    char *name;
    int code, rc = vfs_register();

    if (rc < 0)
        return rc;
    file = os_calloc(1, (size_t)shim.szOsFile + VFS_NAME_PADDING + length + VFS_NAME_PADDING);
    if (!file)
        return DCACHE_NOMEM;
    name = (char *)file + shim.szOsFile + VFS_NAME_PADDING;
    memcpy(name, path, length);
    code = os_fault()
               ? SQLITE_CANTOPEN
               : open_file(&shim, name, file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, NULL);
    if (code == SQLITE_OK) {
        *ret_file = file;
        return 0;
    }
    vfs_close(file);
    return os_fail(DCACHE_IO, "open %s", path);
}

void vfs_close(sqlite3_file *file)
{
    if (file && file->pMethods)
        (void)file->pMethods->xClose(file); /* nothing was written */
    free(file);
}

/* ---- reading without a lock ---- */

static void copy_header(const struct vfs_file *f, struct vfs_header *header)
{
    for (int i = 0; i < VFS_HEADER_WORDS; i++)
        header->words[i] = atomic_load_explicit(&f->index[i], memory_order_relaxed);
}

bool vfs_unlocked_begin(sqlite3_file *file, struct vfs_header *ret_header)
{
    struct vfs_file *f = (struct vfs_file *)(void *)file;
    size_t half = sizeof ret_header->words / 2;

    /* A checkpoint may cut the file under us: behind the end of a mapped one is SIGBUS. */
    if (!f || f->base.pMethods != &methods[3] || !f->index || f->may_be_mapped)
        return false;
    copy_header(f, ret_header);
    if (((const unsigned char *)&ret_header->words[IS_INIT_WORD])[0] != 1 ||
        memcmp(ret_header->words, ret_header->words + VFS_HEADER_WORDS / 2, half) != 0)
        return false;
    atomic_thread_fence(memory_order_acquire);
    f->refused = 0;
    f->unlocked = true;
    return true;
}

void vfs_leave_out(sqlite3_file *file, bool leave_out)
{
    struct vfs_file *f = (struct vfs_file *)(void *)file;

    if (f && f->base.pMethods == &methods[3])
        f->unlocked = leave_out;
}

bool vfs_leaves_out(sqlite3_file *file)
{
    const struct vfs_file *f = (const struct vfs_file *)(const void *)file;

    return f && f->base.pMethods == &methods[3] && f->unlocked;
}

bool vfs_unlocked_end(sqlite3_file *file, const struct vfs_header *header)
{
    struct vfs_file *f = (struct vfs_file *)(void *)file;
    struct vfs_header now;

    f->unlocked = false;
    if (!f->index || f->left_out)
        return false;
    atomic_thread_fence(memory_order_acquire); /* what was read was read before this */
    copy_header(f, &now);
    return memcmp(&now, header, sizeof now) == 0;
}

const _Atomic uint32_t *vfs_index(sqlite3_file *file)
{
    struct vfs_file *f = (struct vfs_file *)(void *)file;

    if (!f || f->base.pMethods != &methods[3] || !f->index ||
        (atomic_load_explicit(&f->index[IS_INIT_WORD], memory_order_relaxed) & 0xff) == 0)
        return NULL;
    return f->index;
}
