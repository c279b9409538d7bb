/* dqs_off.c - LD_PRELOADed into the driver: SQLite as if it had been built with SQLITE_DQS=0, where
 * "x" is never a string. Debian builds it otherwise; other systems do not.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <sqlite3.h>
#include <string.h>

typedef int open_fn(const char *name, sqlite3 **db, int flags, const char *vfs);

int sqlite3_open_v2(const char *name, sqlite3 **db, int flags, const char *vfs)
{
    void *symbol = dlsym(RTLD_NEXT, "sqlite3_open_v2");
    open_fn *next;
    int rc;

    if (symbol == NULL)
        return SQLITE_MISUSE;
    memcpy(&next, &symbol, sizeof next); /* C has no cast between the two kinds of pointer */
    rc = next(name, db, flags, vfs);
    if (rc == SQLITE_OK) {
        (void)sqlite3_db_config(*db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
        (void)sqlite3_db_config(*db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    }
    return rc;
}

int sqlite3_open(const char *name, sqlite3 **db)
{
    return sqlite3_open_v2(name, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
}
