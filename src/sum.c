/* sum.c - the checksum of a row. See sum.h. */
#include "sum.h"

#define XXH_INLINE_ALL /* of the header alone: nothing to be linked with */
#include <xxhash.h>

#include <stdlib.h>

int64_t sum_of_row(double store_time, int mode, const struct dcache_value *value)
{
    double real = value->type == DCACHE_DOUBLE ? value->real + 0.0 : 0; /* SQLite has no -0.0 */
    uint64_t time, seed, hash;

    memcpy(&time, &store_time, sizeof time);
    seed = time ^ ((uint64_t)value->type << 8 | (uint64_t)(unsigned)mode);
    if (value->type == DCACHE_DOUBLE)
        hash = XXH3_64bits_withSeed(&real, sizeof real, seed);
    else if (value->type == DCACHE_INT)
        hash = XXH3_64bits_withSeed(&value->integer, sizeof value->integer, seed);
    else
        hash = XXH3_64bits_withSeed(value_bytes(value) > 0 ? value->data : "", value_bytes(value),
                                    seed);
    return (int64_t)(XXH3_64bits(&time, sizeof time) >> 32 << 32 | (uint32_t)hash);
}

bool sum_is_contradicted(int64_t sum, double store_time, int mode, const struct dcache_value *value)
{
    uint64_t differs = (uint64_t)(sum ^ sum_of_row(store_time, mode, value));

    return differs >> 32 == 0 && differs != 0;
}

char *sum_sql(const struct db *db, const char *text)
{
    static const struct {
        const char *word, *summed;
    } words[] = {{"@column", ", checksum"}, {"@value", ", ?13"}, {"@assign", ", checksum = ?13"}};
    char *result = os_malloc(strlen(text) + 32), *to = result;

    while (result && *text) {
        size_t i = 0;

        while (i < 3 && strncmp(text, words[i].word, strlen(words[i].word)) != 0)
            i++;
        if (i == 3) {
            *to++ = *text++;
            continue;
        }
        text += strlen(words[i].word);
        if (db->summed)
            to = stpcpy(to, words[i].summed);
    }
    if (result)
        *to = 0;
    return result;
}

bool sum_has_column(struct db *db)
{
    return sqlite3_table_column_metadata(db->handle, "main", "Cache", "checksum", NULL, NULL, NULL,
                                         NULL, NULL) == SQLITE_OK;
}

int sum_next_damaged(struct db *db, int64_t after, int64_t *ret_rowid, int64_t *ret_size)
{
    sqlite3_stmt *s;
    bool damaged = false;
    int rc = db_prepare(db,
                        "SELECT rowid, size, store_time, mode, value, checksum FROM Cache"
                        " WHERE rowid > ?1 AND typeof(checksum) = 'integer' AND filename IS NULL"
                        " ORDER BY rowid",
                        &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, after);
    while (!damaged && (rc = db_step(db, s)) == 1) {
        struct dcache_value value = db_column(s, 4);

        damaged = sum_is_contradicted(sqlite3_column_int64(s, 5), sqlite3_column_double(s, 2),
                                      sqlite3_column_int(s, 3), &value);
    }
    if (damaged && sqlite3_column_int64(s, 0) > after) { /* else the tree is out of order */
        *ret_rowid = sqlite3_column_int64(s, 0);
        *ret_size = sqlite3_column_int64(s, 1);
    } else if (rc >= 0) {
        rc = DCACHE_NOT_FOUND;
    }
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}
