/* os.c - the only file that talks to the kernel and the allocator. See os.h. */
#include "os.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifdef DCACHE_FAULTS
_Thread_local long os_fault_at;
bool os_without_openat2;
double os_clock_offset;
int64_t os_memory;
uint64_t os_random_seed;
void (*os_on_yield)(void);

bool os_fault(void)
{
    return os_fault_at > 0 && --os_fault_at == 0;
}
#endif

/* Fail in place of the call, in the way of the call. */
#define HUGE_PAGE ((size_t)2 << 20)
#define FAULT(error) (os_fault() ? (errno = (error), true) : false)

/* ---- errors ---- */

/* In the way of errno: a pointer handed down through eleven layers would be the alternative. */
static _Thread_local struct dcache_error last_error;

const struct dcache_error *dcache_last_error(void)
{
    return &last_error;
}

const char *dcache_strerror(int status)
{
    switch (status) {
    case DCACHE_OK:
        return "success";
#define DCACHE_X(name, number, text) \
    case number:                     \
        return text;
        DCACHE_ERRORS(DCACHE_X)
#undef DCACHE_X
    default:
        return "unknown status";
    }
}

const char *dcache_version(void)
{
    return DCACHE_VERSION;
}

static int note(int status, int code, int sys_errno, const char *format, va_list args)
{
    last_error.status = status;
    last_error.sqlite_code = code;
    last_error.sys_errno = sys_errno;
    (void)vsnprintf(last_error.text, sizeof last_error.text, format, args); /* cut when long */
    return status;
}

int os_fail(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(status, 0, 0, format, args);
    va_end(args);
    return status;
}

static void append_errno(int error)
{
    size_t used = strlen(last_error.text);

    (void)snprintf(last_error.text + used, sizeof last_error.text - used, ": %s", strerror(error));
}

int os_status_of_errno(int error)
{
    switch (error) {
    case ENOMEM:
        return DCACHE_NOMEM;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return DCACHE_FULL;
    case EROFS:
        return DCACHE_READONLY;
    case ENOENT:
        return DCACHE_NOT_FOUND;
    default:
        return DCACHE_IO;
    }
}

int os_fail_errno(const char *format, ...)
{
    int error = errno, status = os_status_of_errno(error);
    va_list args;

    va_start(args, format);
    note(status, 0, error, format, args);
    va_end(args);
    append_errno(error);
    return status;
}

int os_fail_io(const char *format, ...)
{
    int error = errno, status = os_status_of_errno(error);
    va_list args;

    va_start(args, format);
    note(status == DCACHE_NOT_FOUND ? DCACHE_IO : status, 0, error, format, args);
    va_end(args);
    append_errno(error);
    return last_error.status;
}

int os_fail_sqlite(int status, int code, int sys_errno, const char *text)
{
    last_error.status = status;
    last_error.sqlite_code = code;
    last_error.sys_errno = sys_errno;
    (void)snprintf(last_error.text, sizeof last_error.text, "%s", text ? text : "SQLite error");
    if (sys_errno)
        append_errno(sys_errno);
    return status;
}

int os_fail_deadlock(void)
{
    (void)os_fail(DCACHE_TIMEOUT, "this thread has a transaction open");
    last_error.sys_errno = EDEADLK;
    return DCACHE_TIMEOUT;
}

/* ---- memory ---- */

static void *checked(void *memory)
{
    if (!memory)
        os_fail(DCACHE_NOMEM, "out of memory");
    return memory;
}

void *os_malloc(size_t size)
{
    return checked(os_fault() ? NULL : malloc(size ? size : 1));
}

void *os_calloc(size_t count, size_t size)
{
    return checked(os_fault() ? NULL : calloc(count ? count : 1, size ? size : 1));
}

void *os_realloc(void *memory, size_t size)
{
    return checked(os_fault() ? NULL : realloc(memory, size ? size : 1));
}

char *os_strdup(const char *text)
{
    return checked(os_fault() ? NULL : strdup(text));
}

char *os_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int length = -1;

    va_start(args, format);
    if (!os_fault())
        length = vasprintf(&text, format, args);
    va_end(args);
    return checked(length < 0 ? NULL : text);
}

int64_t os_memory_limit(void)
{
    int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

#ifdef DCACHE_FAULTS
    if (os_memory > 0)
        return os_memory / 2;
#endif
    return pages > 0 && size > 0 ? pages * size / 2 : INT64_C(1) << 30;
}

/* ---- clocks ---- */

double os_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
#ifdef DCACHE_FAULTS
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9 + os_clock_offset;
#else
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
#endif
}

int64_t os_monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t os_coarse(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t os_deadline(double seconds)
{
    if (!(seconds > 0))
        return 0;
    if (seconds > 1e9)
        return INT64_MAX;
    return os_monotonic() + (int64_t)(seconds * 1e9);
}

/* A function of the caller's, and when it is to be called again. */
static _Thread_local struct {
    dcache_wait_fn *check;
    void *arg;
    int64_t next;
    bool quiet;
} on_wait;

void dcache_on_wait(dcache_wait_fn *check, void *arg)
{
    on_wait.check = check;
    on_wait.arg = arg;
}

void os_wait_quietly(bool quietly)
{
    on_wait.quiet = quietly;
}

int os_waiting(void)
{
    int64_t now = on_wait.check ? os_monotonic() : 0;

    if (!on_wait.check || on_wait.quiet || now < on_wait.next)
        return 0;
    on_wait.next = now + 100 * OS_MS;
    return on_wait.check(on_wait.arg) == 0 ? 0 : os_fail(DCACHE_CALLBACK, "the wait was ended");
}

void os_sleep(int64_t nanoseconds)
{
    struct timespec time = {.tv_sec = nanoseconds / 1000000000,
                            .tv_nsec = nanoseconds % 1000000000};

    nanosleep(&time, NULL); /* cut short by a signal: callers look at the clock themselves */
}

/* ---- files ---- */

int os_openat(int dir, const char *name, int flags, unsigned mode)
{
    return FAULT(EIO) ? -1 : openat(dir, name, flags | O_CLOEXEC, (mode_t)mode);
}

/* Before Linux 5.6: one component at a time. */
static int walk_beneath(int dir, const char *name, int flags)
{
    char part[NAME_MAX + 1];
    int at = dir, next;

    for (;;) {
        size_t length = strcspn(name, "/");
        bool last = name[length] == 0;

        if (length == 0 || length > NAME_MAX || (length == 1 && name[0] == '.') ||
            (length == 2 && name[0] == '.' && name[1] == '.')) {
            errno = EXDEV;
            next = -1;
        } else {
            memcpy(part, name, length);
            part[length] = 0;
            next = openat(at, part, (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        }
        if (at != dir)
            os_close(at);
        if (next < 0 || last)
            return next;
        at = next;
        name += length + 1;
    }
}

int os_open_beneath(int dir, const char *name, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC | O_NONBLOCK),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    if (FAULT(EIO))
        return -1;
    fd = syscall(SYS_openat2, dir, name, &how, sizeof how);
#ifdef DCACHE_FAULTS
    if (os_without_openat2) {
        os_close((int)fd);
        fd = -1;
        errno = ENOSYS;
    }
#endif
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN)) /* EPERM: seccomp */
        return walk_beneath(dir, name, flags | O_NONBLOCK);
    return (int)fd;
}

void os_close(int fd)
{
    int saved = errno; /* close is for clean-up: it must not hide why we clean up */

    if (fd >= 0)
        (void)close(fd); /* what was written has been checked by write or fsync */
    errno = saved;
}

int os_replace(int fd, int target)
{
    return FAULT(EIO) ? -1 : dup3(fd, target, O_CLOEXEC);
}

int os_fstat(int fd, struct stat *ret)
{
    return FAULT(EIO) ? -1 : fstat(fd, ret);
}

int os_fstatat(int dir, const char *name, struct stat *ret)
{
    return FAULT(EIO) ? -1 : fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW);
}

int os_mkdirat(int dir, const char *name, unsigned mode)
{
    return FAULT(EIO) ? -1 : mkdirat(dir, name, (mode_t)mode);
}

int os_unlinkat(int dir, const char *name, int flags)
{
    return FAULT(EIO) ? -1 : unlinkat(dir, name, flags);
}

int os_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return FAULT(EIO) ? -1 : renameat(from_dir, from, to_dir, to);
}

int os_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
    return FAULT(EIO) ? -1 : linkat(from_dir, from, to_dir, to, 0);
}

int os_ftruncate(int fd, int64_t size)
{
    return FAULT(EIO) ? -1 : ftruncate(fd, size);
}

int os_fallocate(int fd, int64_t offset, int64_t size)
{
    int error = FAULT(ENOSPC) ? ENOSPC : posix_fallocate(fd, offset, size);

    errno = error;
    return error ? -1 : 0;
}

int os_fsync(int fd)
{
    return FAULT(EIO) ? -1 : fsync(fd);
}

int os_fdatasync(int fd)
{
    return FAULT(EIO) ? -1 : fdatasync(fd);
}

/* Read all names: first their number and length, in the manner of a growing string. */
static int read_names(DIR *stream, char **ret_text, size_t *ret_size, size_t *ret_count)
{
    size_t size = 0, count = 0;
    char *text = NULL;
    struct dirent *entry;

    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        size_t length = strlen(entry->d_name) + 1;
        char *grown;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        grown = os_realloc(text, size + length);
        if (!grown) {
            free(text);
            errno = ENOMEM;
            return -1;
        }
        text = grown;
        memcpy(text + size, entry->d_name, length);
        size += length;
        count++;
        errno = 0;
    }
    if (errno != 0) {
        free(text);
        return -1;
    }
    *ret_text = text;
    *ret_size = size;
    *ret_count = count;
    return 0;
}

int os_list(int dir, const char *name, char ***ret_names, size_t *ret_count)
{
    int fd = os_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0), rc;
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    char *text = NULL, *at, **names;
    size_t size = 0, count = 0;

    if (!stream) {
        os_close(fd);
        return -1;
    }
    rc = read_names(stream, &text, &size, &count);
    (void)closedir(stream); /* nothing was written */
    names = rc == 0 ? os_malloc(count * sizeof *names + size) : NULL;
    if (!names) {
        errno = rc == 0 ? ENOMEM : errno;
        free(text);
        return -1;
    }
    at = (char *)(names + count);
    if (size > 0)
        memcpy(at, text, size);
    free(text);
    for (size_t i = 0; i < count; i++) {
        names[i] = at;
        at += strlen(at) + 1;
    }
    *ret_names = names;
    *ret_count = count;
    return 0;
}

ssize_t os_read(int fd, void *buffer, size_t size)
{
    ssize_t got;

    if (FAULT(EIO))
        return -1;
    do
        got = read(fd, buffer, size);
    while (got < 0 && errno == EINTR);
    return got;
}

int os_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    if (FAULT(ENOSPC))
        return -1;
    while (size > 0) {
        ssize_t written = write(fd, at, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

int os_random(void *buffer, size_t size)
{
    if (FAULT(EIO))
        return -1;
    return getrandom(buffer, size, 0) == (ssize_t)size ? 0 : -1; /* never short below 256 bytes */
}

double os_uniform(void)
{
    uint64_t bits;

#ifdef DCACHE_FAULTS
    if (os_random_seed != 0) { /* SplitMix64 */
        bits = os_random_seed += UINT64_C(0x9E3779B97F4A7C15);
        bits = (bits ^ bits >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        bits = (bits ^ bits >> 27) * UINT64_C(0x94D049BB133111EB);
        bits ^= bits >> 31;
    } else
#endif
        if (os_random(&bits, sizeof bits) < 0)
        bits = UINT64_MAX;
    return (double)((bits >> 11) + 1) * 0x1p-53;
}

/* As text: 32 hex digits among dashes. */
int os_boot_id(unsigned char ret_id[16])
{
    int fd = os_openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
    char text[64] = {0};
    ssize_t got = fd < 0 ? -1 : os_read(fd, text, sizeof text - 1);

    os_close(fd);
    memset(ret_id, 0, 16);
    for (int i = 0, digits = 0; i < got && digits < 32; i++)
        if (isxdigit((unsigned char)text[i])) {
            char digit[2] = {text[i], 0};
            unsigned long value = ret_id[digits / 2] * 16UL + strtoul(digit, NULL, 16);

            ret_id[digits / 2] = (unsigned char)value;
            digits++;
        }
    return got < 0 ? -1 : 0;
}

int os_memfd(const char *name)
{
    return FAULT(ENOMEM) ? -1 : memfd_create(name, MFD_CLOEXEC);
}

char *os_realpath(const char *path)
{
    return FAULT(EIO) ? NULL : realpath(path, NULL);
}

bool os_is_network(int fd)
{
    static const unsigned long network_ones[] = {
        NFS_SUPER_MAGIC,   SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, V9FS_MAGIC,
        AFS_SUPER_MAGIC,   AFS_FS_MAGIC,     CODA_SUPER_MAGIC, NCP_SUPER_MAGIC,  CEPH_SUPER_MAGIC,
        OCFS2_SUPER_MAGIC, FUSE_SUPER_MAGIC, /* may be sshfs; a local one is only slower for it */
        0x0BD00BD0,                          /* Lustre */
        0x01161970,                          /* GFS2 */
        0x47504653,                          /* GPFS */
    };
    struct statfs fs;

    if (FAULT(EIO) || fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof network_ones / sizeof *network_ones; i++)
        if (((unsigned long)fs.f_type & 0xFFFFFFFFUL) == network_ones[i])
            return true;
    return false;
}

bool os_can_write(int dir)
{
    /* The effective ids count, and EROFS shows here too. */
    return faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

bool os_process_is_gone(int64_t pid)
{
    return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* ---- locks between processes ---- */

int os_byte_lock(int fd, int64_t offset, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};

    return FAULT(EIO) ? -1 : fcntl(fd, F_OFD_SETLK, &lock);
}

bool os_byte_locked(int fd, int64_t offset)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};

    return FAULT(EIO) || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

static void *map(int fd, size_t size, void *at, int protection)
{
    int flags = MAP_SHARED | (at ? MAP_FIXED : 0);
    void *memory = FAULT(ENOMEM) ? MAP_FAILED : mmap(at, size, protection, flags, fd, 0);

    /* Or else a fault in a sparse file reads 2 MiB ahead, and zeroes them. Behind those, where only a ring is that
     * is much used, that is what is wanted: a page of 4 KiB costs 5 us on ext4, one of 2 MiB 700. */
    if (memory != MAP_FAILED)
        (void)madvise(memory, size, MADV_RANDOM);
    if (memory != MAP_FAILED && size > 2 * HUGE_PAGE)
        (void)madvise((char *)memory + HUGE_PAGE, size - HUGE_PAGE, MADV_HUGEPAGE);
    return memory == MAP_FAILED ? NULL : memory;
}

void *os_map(int fd, size_t size, void *at)
{
    return map(fd, size, at, PROT_READ | PROT_WRITE);
}

void *os_map_to_read(int fd, size_t size, void *at)
{
    return map(fd, size, at, PROT_READ);
}

void *os_map_again(const void *shared, size_t size)
{
    void *memory = FAULT(ENOMEM) ? MAP_FAILED
                                 : mremap((void *)(uintptr_t)shared, 0, size, MREMAP_MAYMOVE);

    return memory == MAP_FAILED ? NULL : memory;
}

void *os_reserve(size_t size, void *at)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0);
    void *memory = FAULT(ENOMEM) ? MAP_FAILED : mmap(at, size, PROT_READ, flags, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

bool os_addresses_are_scarce(void)
{
    struct rlimit limit;

    return sizeof(void *) < 8 || getrlimit(RLIMIT_AS, &limit) < 0 ||
           limit.rlim_cur != RLIM_INFINITY;
}

void os_unmap(void *memory, size_t size)
{
    if (memory)
        (void)munmap(memory, size); /* fails only on arguments that are not a mapping */
}

void os_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

void os_yield(void)
{
#ifdef DCACHE_FAULTS
    if (os_on_yield)
        os_on_yield();
#endif
    (void)sched_yield(); /* cannot fail */
}

bool os_is_multiprocessor(void)
{
    static _Atomic long processors; /* a constant of the machine, asked for once */

    if (atomic_load_explicit(&processors, memory_order_relaxed) == 0)
        atomic_store_explicit(&processors, sysconf(_SC_NPROCESSORS_ONLN), memory_order_relaxed);
    return atomic_load_explicit(&processors, memory_order_relaxed) > 1;
}

void os_futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t nanoseconds)
{
    struct timespec time = {.tv_sec = nanoseconds / 1000000000,
                            .tv_nsec = nanoseconds % 1000000000};

    /* Every return, a signal's and a false one too, means: look at the word again. */
    (void)syscall(SYS_futex, word, FUTEX_WAIT, value, &time, NULL, 0);
}

long os_futex_wake(_Atomic uint32_t *word)
{
    return syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void os_futex_wake_all(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); /* it cannot fail */
}
