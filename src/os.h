/* os.h - system calls, memory, clocks, and the last error of a thread.
 *
 * Every system call and allocation of the library goes through here, for two reasons: a failure is
 * turned into a status with its details in one place, and the tests can make the n-th one fail
 * (-DDCACHE_FAULTS). Wrappers named as the call itself keep its contract: -1 and errno. */
#ifndef OS_H
#define OS_H

#include <diskcache.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

/* ---- faults: with n > 0 in it, the n-th call from now of this thread fails ---- */
#ifdef DCACHE_FAULTS
extern _Thread_local long os_fault_at;
extern bool os_without_openat2; /* as on a kernel before 5.6 */
bool os_fault(void);
#else
static inline bool os_fault(void)
{
    return false;
}
#endif

/* ---- errors ---- */

/* Note a failure for dcache_last_error() and return `status`. */
__attribute__((format(printf, 2, 3))) int os_fail(int status, const char *format, ...);

/* The same from errno: the status is NOMEM, FULL, READONLY, NOT_FOUND or IO. */
__attribute__((format(printf, 1, 2))) int os_fail_errno(const char *format, ...);

/* The same, but IO where errno would say NOT_FOUND of something that is no key. */
__attribute__((format(printf, 1, 2))) int os_fail_io(const char *format, ...);

/* The same for an SQLite code; `text` is SQLite's message. */
int os_fail_sqlite(int status, int code, int sys_errno, const char *text);

/* Who asks would wait for itself: TIMEOUT, told apart from others by its errno. */
int os_fail_deadlock(void);

int os_status_of_errno(int error);

/* ---- memory: NULL, and the failure noted, when there is none ---- */
void *os_malloc(size_t size);
void *os_calloc(size_t count, size_t size);
void *os_realloc(void *memory, size_t size);
char *os_strdup(const char *text);
__attribute__((format(printf, 1, 2))) char *os_format(const char *format, ...);

/* What one value may take, whoever says that it is so large: half of the memory of the machine. */
int64_t os_memory_limit(void);
#ifdef DCACHE_FAULTS
extern int64_t os_memory; /* of the machine; 0: what it has */
#endif

/* Sums of sizes that somebody else has written down: they stop at the ends of the range. */
static inline int64_t os_plus(int64_t a, int64_t b)
{
    int64_t sum;

    return !__builtin_add_overflow(a, b, &sum) ? sum : b < 0 ? INT64_MIN : INT64_MAX;
}

static inline int64_t os_minus(int64_t a, int64_t b)
{
    int64_t difference;

    return !__builtin_sub_overflow(a, b, &difference) ? difference : b < 0 ? INT64_MAX : INT64_MIN;
}

/* ---- clocks ---- */
double os_now(void);                 /* seconds since the epoch */
int64_t os_monotonic(void);          /* nanoseconds since some moment */
int64_t os_coarse(void);             /* the same, some milliseconds late, but cheaper */
int64_t os_deadline(double seconds); /* monotonic time after that many; saturates */

/* A timeout that begins when somebody has to wait for the first time. Most calls never do, and so never
 * look at the clock. */
struct os_patience {
    double seconds;
    int64_t deadline; /* negative: it has not begun */
};

static inline struct os_patience os_patience(double seconds)
{
    return (struct os_patience){.seconds = seconds, .deadline = -1};
}

static inline struct os_patience os_patience_until(int64_t deadline)
{
    return (struct os_patience){.deadline = deadline};
}

static inline int64_t os_until(struct os_patience *patience)
{
    if (patience->deadline < 0)
        patience->deadline = os_deadline(patience->seconds);
    return patience->deadline;
}

void os_sleep(int64_t nanoseconds);

/* Who waits calls it again and again. Fails: CALLBACK, see dcache_on_wait(). */
int os_waiting(void);
void os_wait_quietly(bool quietly); /* from here on without */
#define OS_MS INT64_C(1000000)
#ifdef DCACHE_FAULTS
extern double os_clock_offset;  /* tests move the clock of os_now() */
extern uint64_t os_random_seed; /* other than 0: what os_uniform() says follows from it */
#endif

/* ---- files ---- */
int os_openat(int dir, const char *name, int flags, unsigned mode);
/* Like openat, but resolution never leaves `dir`, follows no symbolic link, and does not wait for
 * the other end of a FIFO. */
int os_open_beneath(int dir, const char *name, int flags);
void os_close(int fd);
int os_replace(int fd, int target); /* `target` becomes what `fd` is, in one step */
int os_fstat(int fd, struct stat *ret);
int os_fstatat(int dir, const char *name, struct stat *ret); /* of a link, not its target */
int os_mkdirat(int dir, const char *name, unsigned mode);
int os_unlinkat(int dir, const char *name, int flags);
int os_renameat(int from_dir, const char *from, int to_dir, const char *to);
int os_linkat(int from_dir, const char *from, int to_dir, const char *to);
int os_ftruncate(int fd, int64_t size);
int os_fallocate(int fd, int64_t offset, int64_t size);
int os_fsync(int fd);
int os_fdatasync(int fd);
/* Names in a directory but for . and .., in one allocation that the caller frees. */
int os_list(int dir, const char *name, char ***ret_names, size_t *ret_count);
ssize_t os_read(int fd, void *buffer, size_t size);      /* restarts after signals */
int os_write_all(int fd, const void *data, size_t size); /* all or -1 */
int os_random(void *buffer, size_t size);
double os_uniform(void);                  /* in (0, 1]; where no random bytes can be had: 1 */
int os_boot_id(unsigned char ret_id[16]); /* of the running kernel: another after each start */
int os_memfd(const char *name);
char *os_realpath(const char *path);
bool os_is_network(int fd); /* shared mappings of files there are not shared between hosts */
bool os_can_write(int dir); /* whether this process may create files in it */

bool os_process_is_gone(int64_t pid); /* certainly: nobody has that number */

/* ---- locks between processes ---- */

/* An open-file-description lock on one byte; type F_RDLCK, F_WRLCK or F_UNLCK; never waits:
 * -1 with EAGAIN when another description holds it. */
int os_byte_lock(int fd, int64_t offset, short type);
/* Whether another open file description holds a lock on that byte. On doubt: yes. */
bool os_byte_locked(int fd, int64_t offset);
void *os_map(int fd, size_t size, void *at); /* shared; `at` NULL or to be replaced; NULL: failed */
void *os_map_to_read(int fd, size_t size, void *at); /* the same, but not to be written */
void *os_map_again(const void *shared, size_t size); /* the same pages once more; NULL: failed */
/* Addresses in which nothing is yet, but zeroes to be read; at `at`, instead of what is there. */
void *os_reserve(size_t size, void *at);
bool os_addresses_are_scarce(void); /* there are few, or the process may have so many only */
void os_unmap(void *memory, size_t size);
void os_relax(void); /* a moment of waiting without giving the processor away */
void os_yield(void); /* whoever else wants the processor goes first */
#ifdef DCACHE_FAULTS
extern void (*os_on_yield)(void); /* what happens meanwhile; or NULL */
#endif
bool os_is_multiprocessor(void);
void os_futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t nanoseconds);
long os_futex_wake(_Atomic uint32_t *word); /* how many were woken: 0 or 1 */
void os_futex_wake_all(_Atomic uint32_t *word);

#endif
