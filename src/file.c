/* file.c - value files. See file.h for the invariants. */
#include "file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define XXH_INLINE_ALL /* of the header alone: nothing to be linked with */
#include <xxhash.h>

#define CHUNK (size_t)(1 << 18)
#define TEMP_BEGINNING FILE_TEMP_PREFIX "%u-%08x" /* slot, life */
#define RESERVED "cache.db"                       /* what begins so is SQLite's or ours */
#define WITH_SUM 0x53554d31U                      /* in the mark of a name that has a sum, F5 */

enum { SUM_AT = 7, MARK_AT = 12 }; /* in the 16 bytes of a name */

/* ---- names ---- */

static uint32_t checksum(const unsigned char *bytes, size_t size)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619U;
    return hash;
}

static void to_hex(char *out, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static int make_name(uint64_t sum, char name[FILE_NAME_SIZE])
{
    unsigned char id[16];
    uint32_t mark;
    char hex[33];

    if (os_random(id, MARK_AT) < 0)
        return os_fail_errno("random bytes for a file name");
    for (int i = SUM_AT; sum && i < MARK_AT; i++)
        id[i] = (unsigned char)(sum >> (8 * (i - SUM_AT)));
    mark = checksum(id, MARK_AT) ^ (sum ? WITH_SUM : 0);
    for (int i = 0; i < 4; i++)
        id[MARK_AT + i] = (unsigned char)(mark >> (8 * i));
    to_hex(hex, id, 16);
    (void)snprintf(name, FILE_NAME_SIZE, "%.2s/%.2s/%.28s.val", hex, hex + 2, hex + 4);
    return 0;
}

static bool is_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isdigit((unsigned char)text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    return true;
}

bool file_is_layout(const char *name)
{
    return strlen(name) == FILE_NAME_SIZE - 2 && is_hex(name, 2) && name[2] == '/' &&
           is_hex(name + 3, 2) && name[5] == '/' && is_hex(name + 6, 28) &&
           strcmp(name + 34, ".val") == 0;
}

/* The bytes of a name in the layout, and what its last four differ in from the checksum of the others. */
static uint32_t read_name(const char *name, unsigned char id[16])
{
    uint32_t mark = 0;
    char hex[33];

    (void)snprintf(hex, sizeof hex, "%.2s%.2s%.28s", name, name + 3, name + 6);
    for (int i = 0; i < 16; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};

        id[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    for (int i = 0; i < 4; i++)
        mark |= (uint32_t)id[MARK_AT + i] << (8 * i);
    return mark ^ checksum(id, MARK_AT);
}

bool file_is_marked(const char *name)
{
    unsigned char id[16];
    uint32_t mark = file_is_layout(name) ? read_name(name, id) : 1;

    return mark == 0 || mark == WITH_SUM;
}

static bool has_sum(const char *name)
{
    unsigned char id[16];

    return file_is_layout(name) && read_name(name, id) == WITH_SUM;
}

/* Whether the bytes with that sum are those that the file was named after. */
static bool is_sum_of(const char *name, uint64_t sum)
{
    unsigned char id[16];

    (void)read_name(name, id);
    for (int i = SUM_AT; i < MARK_AT; i++)
        if (id[i] != (unsigned char)(sum >> (8 * (i - SUM_AT))))
            return false;
    return true;
}

bool file_is_temp(const char *name, uint32_t *ret_slot)
{
    char *end;
    unsigned long slot;

    if (strncmp(name, FILE_TEMP_PREFIX, strlen(FILE_TEMP_PREFIX)) != 0)
        return false;
    name += strlen(FILE_TEMP_PREFIX);
    if (!isdigit((unsigned char)*name))
        return false;
    slot = strtoul(name, &end, 10);
    if (*end != '-' || strlen(end + 1) != 16 || !is_hex(end + 1, 16))
        return false;
    *ret_slot = (uint32_t)slot;
    return true;
}

bool file_is_temp_of_ours(const struct files *files, const char *name)
{
    char beginning[FILE_TEMP_SIZE];
    int length = snprintf(beginning, sizeof beginning, TEMP_BEGINNING, files->slot, files->life);

    return strncmp(name, beginning, (size_t)length) == 0;
}

bool file_is_inside(const char *name)
{
    uint32_t slot;

    /* The database, opened and closed by us, would lose SQLite's locks; so would what is beside. */
    if (strncmp(name, RESERVED, strlen(RESERVED)) == 0 && !file_is_temp(name, &slot))
        return false;
    for (int depth = 0;; depth++) {
        size_t length = strcspn(name, "/");

        if (length == 0 || (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'))) ||
            (depth > 0 && strncmp(name, RESERVED, strlen(RESERVED)) == 0))
            return false;
        if (!name[length])
            return true;
        name += length + 1;
    }
}

int file_shard(const char *name)
{
    size_t length = strlen(name);

    if (length < 3 || length > 4 || strspn(name, "0123456789") != length ||
        (length == 4 && name[0] == '0'))
        return -1;
    return (int)strtol(name, NULL, 10);
}

bool file_is_named(const char *name)
{
    return strcmp(name, "cache") == 0 || strcmp(name, "deque") == 0 || strcmp(name, "index") == 0;
}

void file_normalize(char *name)
{
    for (; *name; name++)
        if (*name == '\\')
            *name = '/';
}

/* ---- write ---- */

static ssize_t next_chunk(const struct dcache_value *value, char *buffer)
{
    ssize_t got;

    if (value->type == DCACHE_FD) {
        got = os_read(value->fd, buffer, CHUNK);
        if (got < 0)
            os_fail_errno("read the value");
        return got < 0 ? DCACHE_IO : got;
    }
    got = value->read(value->arg, buffer, CHUNK);
    if (got < 0 || (size_t)got > CHUNK)
        return os_fail(DCACHE_CALLBACK, "the read function reported an error");
    return got;
}

static int write_chunk(int fd, const void *data, size_t size, int64_t limit, int64_t *done)
{
    if ((int64_t)size > limit - *done)
        return os_fail(DCACHE_TOO_BIG, "the value has more than %lld bytes", (long long)limit);
    if (os_write_all(fd, data, size) < 0)
        return os_fail_errno("write a value file");
    *done += (int64_t)size;
    return 0;
}

static int write_stream(int fd, const struct dcache_value *value, int64_t limit, int64_t *done,
                        uint64_t *ret_sum)
{
    char *buffer = os_malloc(CHUNK);
    ssize_t got = 1;
    int rc = buffer ? 0 : DCACHE_NOMEM;
    XXH3_state_t sum;

    (void)XXH3_64bits_reset(&sum); /* fails for NULL only, as does the next */
    while (rc == 0 && got > 0) {
        got = next_chunk(value, buffer);
        if (got < 0)
            rc = (int)got;
        else if (got > 0)
            rc = write_chunk(fd, buffer, (size_t)got, limit, done);
        if (rc == 0 && ret_sum)
            (void)XXH3_64bits_update(&sum, buffer, (size_t)got);
    }
    free(buffer);
    if (ret_sum)
        *ret_sum = XXH3_64bits_digest(&sum);
    return rc;
}

int file_stage(const struct files *files, const struct dcache_value *value, int64_t limit,
               char ret_temp[FILE_TEMP_SIZE], int64_t *ret_size, uint64_t *ret_sum)
{
    char temp[FILE_TEMP_SIZE], hex[9];
    unsigned char id[4];
    int64_t done = 0;
    uint64_t sum = 0;
    int fd, rc;

    if (os_random(id, sizeof id) < 0)
        return os_fail_errno("random bytes for a file name");
    to_hex(hex, id, sizeof id);
    (void)snprintf(temp, sizeof temp, TEMP_BEGINNING "%s", files->slot, files->life, hex);
    fd = os_openat(files->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, files->file_mode);
    if (fd < 0) {
        rc = os_fail_errno("create %s", temp);
        return rc == DCACHE_NOT_FOUND ? os_fail(DCACHE_GONE, "the directory is gone") : rc;
    }
    if (value->type == DCACHE_FD || value->type == DCACHE_READER)
        rc = write_stream(fd, value, limit, &done, ret_sum ? &sum : NULL);
    else
        rc = write_chunk(fd, value->data, value->size, limit, &done);
    if (rc == 0 && ret_sum && value->type != DCACHE_FD && value->type != DCACHE_READER)
        sum = XXH3_64bits(value->data, value->size);
    if (rc == 0 && files->sync && os_fsync(fd) < 0)
        rc = os_fail_errno("sync %s", temp);
    os_close(fd);
    if (rc < 0) {
        (void)os_unlinkat(files->dir, temp, 0); /* left over: swept by check, F2 */
        return rc;
    }
    memcpy(ret_temp, temp, sizeof temp);
    *ret_size = done;
    if (ret_sum)
        *ret_sum = sum;
    return 0;
}

/* The directory that a name is in, reached without following links, and its last part. */
static int open_parent(const struct files *files, const char *name, const char **ret_last)
{
    const char *slash = strrchr(name, '/');
    char path[PATH_MAX];

    *ret_last = slash ? slash + 1 : name;
    if (!slash)
        return os_openat(files->dir, ".", O_RDONLY | O_DIRECTORY, 0);
    if (slash - name >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(path, name, (size_t)(slash - name));
    path[slash - name] = 0;
    return os_open_beneath(files->dir, path, O_RDONLY | O_DIRECTORY);
}

/* ab/ and ab/cd/ of a name in the layout. Whoever removes a file may remove them at any moment. */
static int make_parents(const struct files *files, const char *name)
{
    char first[3] = {name[0], name[1], 0}, second[3] = {name[3], name[4], 0};
    int fd, rc = os_mkdirat(files->dir, first, files->dir_mode);

    if (rc < 0 && errno != EEXIST)
        return -1;
    fd = os_open_beneath(files->dir, first, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    rc = os_mkdirat(fd, second, files->dir_mode);
    os_close(fd);
    return rc < 0 && errno != EEXIST && errno != ENOENT ? -1 : 0;
}

int file_publish(const struct files *files, const char *temp, uint64_t sum,
                 char ret_name[FILE_NAME_SIZE])
{
    char name[FILE_NAME_SIZE];
    const char *last;
    int parent, rc = make_name(sum, name);

    if (rc < 0)
        return rc;
    for (int attempt = 0; attempt < 20; attempt++) {
        parent = open_parent(files, name, &last);
        if (parent >= 0) {
            rc = os_renameat(files->dir, temp, parent, last);
            os_close(parent);
            if (rc == 0) {
                memcpy(ret_name, name, sizeof name);
                return 0;
            }
        }
        if (errno != ENOENT || make_parents(files, name) < 0)
            break;
        errno = ENOENT; /* what remains to be said if this was the last attempt */
    }
    rc = os_fail_errno("rename %s to %s", temp, name);
    return rc == DCACHE_NOT_FOUND ? DCACHE_GONE : rc;
}

/* Its directories, if they are empty now; they are not while there is something in them. */
static void remove_parents(const struct files *files, const char *name)
{
    char first[3] = {name[0], name[1], 0}, second[3] = {name[3], name[4], 0};
    int fd = os_open_beneath(files->dir, first, O_RDONLY | O_DIRECTORY), rc;

    if (fd < 0)
        return;
    rc = os_unlinkat(fd, second, AT_REMOVEDIR);
    os_close(fd);
    if (rc == 0)
        (void)os_unlinkat(files->dir, first, AT_REMOVEDIR);
}

int file_remove(const struct files *files, const char *name)
{
    const char *last;
    int parent, rc = 0;

    if (!file_is_inside(name)) /* a hostile row: nothing outside is touched */
        return 0;
    parent = open_parent(files, name, &last);
    if (parent < 0 || os_unlinkat(parent, last, 0) < 0) {
        if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR && errno != EISDIR)
            rc = os_fail_errno("remove %s", name);
    }
    os_close(parent);
    if (file_is_layout(name))
        remove_parents(files, name);
    return rc;
}

int file_link(const struct files *from, const char *name, const struct files *to)
{
    const char *last;
    struct stat st;
    int parent, rc = 0;

    if (!file_is_inside(name))
        return os_fail(DCACHE_NOT_FOUND, "%s is not a file of the cache", name);
    parent = open_parent(from, name, &last);
    /* A link that is put there after this look would be linked itself, and followed by nobody. */
    if (parent < 0 || os_fstatat(parent, last, &st) < 0)
        rc = errno == ELOOP || errno == ENOTDIR ? DCACHE_NOT_FOUND : os_fail_errno("find %s", name);
    else if (!S_ISREG(st.st_mode))
        rc = os_fail(DCACHE_NOT_FOUND, "%s is not a regular file", name);
    else if (os_linkat(parent, last, to->dir, name) < 0 && errno != EEXIST)
        rc = os_fail_errno("link %s", name);
    os_close(parent);
    return rc;
}

/* ---- read ---- */

int file_open(const struct files *files, const char *name, int64_t size, int *ret_fd,
              int64_t *ret_size)
{
    struct stat st;
    int fd, rc = 0;

    if (!file_is_inside(name))
        return os_fail(DCACHE_NOT_FOUND, "%s is not a file of the cache", name);
    fd = os_open_beneath(files->dir, name, O_RDONLY);
    if (fd < 0) {
        if (errno == ELOOP || errno == EXDEV || errno == ENOTDIR || errno == ENXIO) /* a socket */
            return os_fail(DCACHE_NOT_FOUND, "%s is not a file of the cache", name);
        return os_fail_errno("open %s", name);
    }
    if (os_fstat(fd, &st) < 0)
        rc = os_fail_errno("stat %s", name);
    else if (!S_ISREG(st.st_mode))
        rc = os_fail(DCACHE_NOT_FOUND, "%s is not a regular file", name);
    else if (st.st_size < size)
        rc = os_fail(DCACHE_NOT_FOUND, "%s is truncated", name);
    if (rc < 0) {
        os_close(fd);
        return rc;
    }
    *ret_fd = fd;
    *ret_size = st.st_size;
    return 0;
}

int file_fits(int64_t size)
{
    return size <= os_memory_limit()
               ? 0
               : os_fail(DCACHE_TOO_BIG, "a value of %lld bytes is too large for memory",
                         (long long)size);
}

int file_read(int fd, int64_t size, char **ret_memory)
{
    char *memory = NULL;
    int64_t done = 0;
    ssize_t got = 1;
    int rc = file_fits(size);

    if (rc < 0)
        return rc;
    memory = os_malloc((size_t)size + 1);
    rc = memory ? 0 : DCACHE_NOMEM;

    while (rc == 0 && got > 0 && done < size) {
        got = os_read(fd, memory + done, (size_t)(size - done));
        if (got < 0)
            rc = os_fail_errno("read a value file");
        else
            done += got;
    }
    if (rc == 0 && done < size)
        rc = os_fail(DCACHE_NOT_FOUND, "a value file is truncated");
    if (rc < 0) {
        free(memory);
        return rc;
    }
    memory[size] = 0;
    *ret_memory = memory;
    return 0;
}

int file_verify(const char *name, const void *data, size_t size)
{
    return !has_sum(name) || is_sum_of(name, XXH3_64bits(data, size))
               ? 0
               : os_fail(DCACHE_NOT_FOUND, "%s is not as it was written", name);
}

int file_verify_fd(const char *name, int fd)
{
    char *buffer = has_sum(name) ? os_malloc(CHUNK) : NULL;
    ssize_t got = 1;
    int rc = buffer ? 0 : DCACHE_NOMEM;
    XXH3_state_t sum;

    if (!has_sum(name))
        return 0;
    (void)XXH3_64bits_reset(&sum);
    while (rc == 0 && got > 0) {
        got = os_read(fd, buffer, CHUNK);
        if (got < 0)
            rc = os_fail_errno("read %s", name);
        else
            (void)XXH3_64bits_update(&sum, buffer, (size_t)got);
    }
    free(buffer);
    if (rc == 0 && !is_sum_of(name, XXH3_64bits_digest(&sum)))
        rc = os_fail(DCACHE_NOT_FOUND, "%s is not as it was written", name);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = os_fail_errno("rewind %s", name);
    return rc;
}

int file_of_bytes(const void *data, size_t size, int *ret_fd)
{
    int fd = os_memfd("diskcache-value");

    if (fd < 0)
        return os_fail_errno("make a memory file");
    if (os_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        int rc = os_fail_errno("write a memory file");

        os_close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}
