/* heal.c - a damaged database is moved aside. See heal.h. */
#include "heal.h"

#include <errno.h>
#include <stdio.h>

#define MOST_ASIDE 9 /* more are hardly looked at, and the disk is not to fill up with them */

bool heal_is_damaged(const char *path)
{
    struct db db = {.deadline = os_deadline(1)};
    sqlite3_stmt *s = NULL;
    bool damaged = false;
    int rc = db_open(&db, path, 0);

    if (rc == 0)
        rc = db_prepare(&db, "PRAGMA integrity_check(1)", &s);
    if (rc == 0)
        rc = db_step(&db, s);
    if (rc == 1) {
        const char *text = (const char *)sqlite3_column_text(s, 0);

        damaged = text && strcmp(text, "ok") != 0;
    }
    (void)sqlite3_finalize(s); /* repeats the code of the step */
    db_close(&db);
    return damaged || (rc == DCACHE_CORRUPT && dcache_last_error()->sqlite_code != 0);
}

static int move(int dir, const char *name, const char *aside, const char *ending)
{
    char target[64];

    (void)snprintf(target, sizeof target, "%s%s", aside, ending);
    if (os_renameat(dir, name, dir, target) < 0 && errno != ENOENT)
        return os_fail_errno("rename %s to %s", name, target);
    return 0;
}

int heal_move_aside(int dir)
{
    char aside[48];
    struct stat st;
    int rc, n = 0;

    do
        (void)snprintf(aside, sizeof aside, DB_NAME "-damaged-%d", ++n);
    while (n < MOST_ASIDE && os_fstatat(dir, aside, &st) == 0);
    /* The log first: beside a new database SQLite would take it for that one's. */
    rc = move(dir, DB_NAME "-wal", aside, "-wal");
    if (rc == 0)
        rc = move(dir, DB_NAME "-journal", aside, "-journal");
    if (rc == 0 && os_unlinkat(dir, DB_NAME "-shm", 0) < 0 && errno != ENOENT)
        rc = os_fail_errno("remove " DB_NAME "-shm");
    return rc < 0 ? rc : move(dir, DB_NAME, aside, "");
}
