/* cmd_doctor.c - doctor: looks at a cache as an experienced user would, and says what to do.
 *
 * It changes nothing. "ok" is well, "hint" is worth knowing, "warn" wants something done: then
 * the exit code is 1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

enum level { LEVEL_OK, LEVEL_HINT, LEVEL_WARN };

struct doctor {
    struct cli *cli;
    struct json json;
    struct dcache_stats stats;
    int64_t volume;
    int warnings;
};

static void say(struct doctor *doctor, const char *check, enum level level, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(struct doctor *doctor, const char *check, enum level level, const char *format, ...)
{
    static const char *const names[] = {"ok", "hint", "warn"};
    char text[512];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list); /* cut where it is too long */
    va_end(list);
    doctor->warnings += level == LEVEL_WARN;
    if (!doctor->cli->json) {
        printf("%-4s  %-12s %s\n", names[level], check, text);
        return;
    }
    json_open(&doctor->json, '{');
    json_name(&doctor->json, "check");
    json_string(&doctor->json, check);
    json_name(&doctor->json, "level");
    json_string(&doctor->json, names[level]);
    json_name(&doctor->json, "text");
    json_string(&doctor->json, text);
    json_close(&doctor->json, '}');
}

static int64_t setting_number(struct doctor *doctor, const char *name, int64_t otherwise)
{
    struct dcache_value value;
    int64_t number = otherwise;

    if (dcache_setting_get(doctor->cli->cache, name, &value) < 0)
        return otherwise; /* 5.6.3 of an earlier day: some are not there */
    if (value.type == DCACHE_INT)
        number = value.integer;
    dcache_value_clear(&value);
    return number;
}

static int setting_is(struct doctor *doctor, const char *name, const char *text)
{
    struct dcache_value value;
    int same;

    if (dcache_setting_get(doctor->cli->cache, name, &value) < 0)
        return 0;
    same = value.type == DCACHE_TEXT && value.size == strlen(text) &&
           memcmp(value.data, text, value.size) == 0;
    dcache_value_clear(&value);
    return same;
}

/* "1.5 MiB", in one of a few buffers that take turns. */
static const char *size_text(int64_t bytes)
{
    static char texts[4][32];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    FILE *memory = fmemopen(text, sizeof texts[0], "w");

    text[0] = 0;
    if (memory) {
        print_size(memory, bytes);
        (void)fclose(memory); /* to memory */
    }
    return text;
}

static void check_directory(struct doctor *doctor)
{
    const char *path = dcache_directory(doctor->cli->cache);
    struct stat st;

    if (stat(path, &st) < 0) {
        say(doctor, "directory", LEVEL_WARN, "%s: %s", path, strerror(errno));
        return;
    }
    if (dcache_others_write(doctor->cli->cache) > 0)
        say(doctor, "directory", LEVEL_WARN,
            "others may write there, or to files of the cache (mode %04o); Python's Disk loads no "
            "pickle from there: chmod 700, and chmod go-w of the files",
            (unsigned)st.st_mode & 07777);
    else if (st.st_mode & 055)
        say(doctor, "directory", LEVEL_HINT, "others may read it (mode %04o)",
            (unsigned)st.st_mode & 07777);
    else
        say(doctor, "directory", LEVEL_OK, "private");
    if (st.st_uid != geteuid())
        say(doctor, "owner", LEVEL_HINT, "it belongs to user %u, you are %u", (unsigned)st.st_uid,
            (unsigned)geteuid());
    if (dcache_is_read_only(doctor->cli->cache))
        say(doctor, "writing", LEVEL_WARN, "the cache can only be read");
    else
        say(doctor, "writing", LEVEL_OK, "allowed");
}

static void check_file_system(struct doctor *doctor)
{
    static const struct {
        uint32_t magic;
        const char *name;
    } networks[] = {
        {0x6969, "NFS"},    {0xff534d42, "CIFS"}, {0xfe534d42, "SMB"}, {0x517b, "SMB"},
        {0x01021997, "9P"}, {0x00c36400, "Ceph"}, {0x5346414f, "AFS"}, {0x65735546, "FUSE"},
    };
    int wal = setting_is(doctor, "sqlite_journal_mode", "wal");
    struct statfs fs;

    if (statfs(dcache_directory(doctor->cli->cache), &fs) < 0) {
        say(doctor, "file system", LEVEL_WARN, "statfs: %s", strerror(errno));
        return;
    }
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        if ((uint32_t)fs.f_type == networks[i].magic) {
            say(doctor, "file system", LEVEL_WARN,
                "%s: locks and shared memory are not to be trusted there%s", networks[i].name,
                wal ? ", and 5.6.3 would use WAL: config sqlite_journal_mode delete" : "");
            return;
        }
    if (fs.f_type == 0x01021994)
        say(doctor, "file system", LEVEL_HINT, "tmpfs: the cache goes away with a reboot");
    else
        say(doctor, "file system", LEVEL_OK, "local");
    if (wal)
        say(doctor, "journal", LEVEL_OK, "wal");
    else
        say(doctor, "journal", LEVEL_HINT,
            "no write-ahead log: readers and writers wait for each other");
}

static void check_space(struct doctor *doctor)
{
    int64_t limit = setting_number(doctor, "size_limit", INT64_C(1) << 30), room;
    int none = setting_is(doctor, "eviction_policy", "none");
    struct statvfs fs;

    if (none)
        say(doctor, "limit", LEVEL_HINT, "no eviction policy: the cache grows without limit");
    else if (doctor->volume > limit)
        say(doctor, "limit", LEVEL_WARN, "%s are used, the limit is %s: cull",
            size_text(doctor->volume), size_text(limit));
    else
        say(doctor, "limit", LEVEL_OK, "within the size limit");
    if (!none && setting_number(doctor, "cull_limit", 10) == 0)
        say(doctor, "culling", LEVEL_HINT, "cull_limit is 0: only 'diskcache cull' removes items");
    if (statvfs(dcache_directory(doctor->cli->cache), &fs) < 0)
        return;
    room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    if (!none && limit - doctor->volume > room)
        say(doctor, "disk", LEVEL_WARN,
            "%s are free, but the cache may grow by %s: config size_limit", size_text(room),
            size_text(limit - doctor->volume));
    else
        say(doctor, "disk", LEVEL_OK, "there is room");
}

static void check_contents(struct doctor *doctor)
{
    const struct dcache_stats *stats = &doctor->stats;

    if (stats->expired >= 10 && stats->expired * 2 > stats->count)
        say(doctor, "expired", LEVEL_WARN, "%" PRId64 " of %" PRId64 " items have expired: expire",
            stats->expired, stats->count);
    else if (stats->expired > 0)
        say(doctor, "expired", LEVEL_HINT, "%" PRId64 " of %" PRId64 " items; writes remove them",
            stats->expired, stats->count);
    else
        say(doctor, "expired", LEVEL_OK, "none");
    if (stats->wal_bytes > (INT64_C(64) << 20) && stats->wal_bytes > stats->db_bytes)
        say(doctor, "log", LEVEL_WARN,
            "the write-ahead log has grown to %s: a reader that never ends? compact",
            size_text(stats->wal_bytes));
    else
        say(doctor, "log", LEVEL_OK, "not too large");
}

static void check_consistency(struct doctor *doctor)
{
    struct dcache_report report = {0};
    int rc = dcache_check(doctor->cli->cache, 0, &report);

    if (rc < 0)
        say(doctor, "consistency", LEVEL_WARN, "check: %s", dcache_strerror(rc));
    else if (report.count == 0)
        say(doctor, "consistency", LEVEL_OK, "rows and files agree");
    else
        say(doctor, "consistency", LEVEL_WARN, "%zu problem%s, the first: %s: check --fix",
            report.count, report.count == 1 ? "" : "s", report.problems[0].text);
    dcache_report_clear(&report);
}

static void check_settings(struct doctor *doctor)
{
    struct dcache_setting *settings;
    size_t count, unknown = 0;

    if (dcache_settings(doctor->cli->cache, &settings, &count) < 0) {
        say(doctor, "settings", LEVEL_WARN, "they cannot be read");
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!dcache_setting_known(settings[i].name)) {
            unknown++;
            say(doctor, "settings", LEVEL_HINT, "'%s' has no meaning", settings[i].name);
        }
    dcache_settings_free(settings, count);
    if (unknown == 0)
        say(doctor, "settings", LEVEL_OK, "all are known");
    if (setting_number(doctor, "sqlite_synchronous", 1) == 0)
        say(doctor, "durability", LEVEL_WARN,
            "sqlite_synchronous is 0: a power cut may damage the database");
}

static int run_doctor(struct cli *cli, const struct args *args)
{
    struct doctor doctor = {.cli = cli, .json = {.out = stdout}};
    int rc;

    (void)args; /* it takes none */
    if ((rc = cli_open(cli, OPEN_THERE)))
        return rc;
    if ((rc = dcache_stats(cli->cache, 0, &doctor.stats)) < 0 ||
        (rc = dcache_volume(cli->cache, &doctor.volume)) < 0)
        return fail_status(cli, rc);
    if (cli->json) {
        json_open(&doctor.json, '{');
        json_name(&doctor.json, "checks");
        json_open(&doctor.json, '[');
    }
    check_directory(&doctor);
    check_file_system(&doctor);
    check_space(&doctor);
    check_contents(&doctor);
    check_settings(&doctor);
    check_consistency(&doctor);
    if (cli->json) {
        json_close(&doctor.json, ']');
        json_name(&doctor.json, "warnings");
        json_int(&doctor.json, doctor.warnings);
        json_close(&doctor.json, '}');
        json_end(&doctor.json);
    }
    return doctor.warnings ? EXIT_MISS : EXIT_HIT;
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "examine the cache and give advice",
    .min = 0,
    .max = 0,
    .run = run_doctor,
    .notes = "Changes nothing. The exit code is 1 if there is a warning.",
};
