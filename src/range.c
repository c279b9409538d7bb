/* range.c - the pages of a walk over the rows. See range.h. */
#include "range.h"

#include "sum.h"

#include <stdlib.h>

int range_advance(struct range *range, const struct row *row)
{
    bool back = (range->options->flags & DCACHE_REVERSE) != 0;
    int order;

    if (!range->begun)
        return 0;
    if (range->options->order == DCACHE_BY_KEY) {
        order = dcache_value_compare(&row->key, &range->last.key);
        order = order != 0 ? order : row->raw - range->last.raw;
    } else {
        order = row->rowid > range->last.rowid ? 1 : row->rowid < range->last.rowid ? -1 : 0;
    }
    return (back ? order < 0 : order > 0) ? 0 : row_out_of_order();
}

bool range_is_beyond(const struct range *range, int64_t rowid)
{
    return rowid > range->max_rowid && range->options->order == DCACHE_BY_INSERTION;
}

/* The WHERE clause of a range; parameters: 1 2 last key and raw, or rowid; 3 start; 4 stop;
 * 5 prefix; 6 its end; 7 tag; 8 now; 9 limit; 10 greatest rowid. */
static char *page_sql(const struct range *range)
{
    const struct dcache_iter_options *o = range->options;
    bool by_key = o->order == DCACHE_BY_KEY, back = (o->flags & DCACHE_REVERSE) != 0;
    const char *after = "";
    bool no_tag = o->tag && o->tag->type == DCACHE_NONE;

    if (by_key && range->begun)
        after = back ? " AND (key, raw) < (?1, ?2)" : " AND (key, raw) > (?1, ?2)";
    else if (!by_key && !back)
        after = " AND rowid > ?1"; /* of the first page too, so that all have one statement */
    else if (!by_key)
        after = range->begun ? " AND rowid < ?1" : " AND rowid <= ?10";
    return os_format(
        "SELECT %s FROM Cache WHERE 1%s%s%s%s%s%s%s%s ORDER BY %s LIMIT ?9",
        range->keys_only    ? "rowid, key, raw"
        : range->with_value ? ROW_COLUMNS
                            : ROW_META,
        after, o->start ? " AND key >= ?3" : "", o->stop ? " AND key < ?4" : "",
        o->prefix ? " AND key >= ?5 AND raw = 1" : "",
        o->prefix && range->prefix_end.type != DCACHE_NONE ? " AND key < ?6" : "",
        o->tag ? (no_tag ? " AND tag IS NULL" : " AND tag = ?7") : "",
        o->flags & DCACHE_LIVE_ONLY ? " AND (expire_time IS NULL OR expire_time > ?8)" : "",
        o->flags & DCACHE_EXPIRED_ONLY ? " AND expire_time <= ?8" : "",
        by_key ? (back ? "key DESC, raw DESC" : "key, raw") : (back ? "rowid DESC" : "rowid"));
}

static int bind_optional(struct db *db, sqlite3_stmt *s, int index,
                         const struct dcache_value *value)
{
    return value && index <= sqlite3_bind_parameter_count(s) ? db_bind(db, s, index, value) : 0;
}

int range_page(struct db *db, const struct range *range, int limit, sqlite3_stmt **ret_statement)
{
    const struct dcache_iter_options *o = range->options;
    struct dcache_value rowid = dcache_int(range->begun ? range->last.rowid : INT64_MIN);
    char *text = page_sql(range), *complete = text ? sum_sql(db, text) : NULL;
    sqlite3_stmt *s = NULL;
    int rc = complete ? db_page(db, complete, &s) : DCACHE_NOMEM;

    free(text);
    free(complete);
    if (rc == 0)
        rc = bind_optional(db, s, 1, o->order == DCACHE_BY_KEY ? &range->last.key : &rowid);
    if (rc == 0)
        rc = bind_optional(db, s, 3, o->start);
    if (rc == 0)
        rc = bind_optional(db, s, 4, o->stop);
    if (rc == 0)
        rc = bind_optional(db, s, 5, o->prefix);
    if (rc == 0)
        rc = bind_optional(db, s, 6, &range->prefix_end);
    if (rc == 0)
        rc = bind_optional(db, s, 7, o->tag);
    if (rc < 0)
        return rc;
    /* What the statement does not have is refused, which is as well. */
    (void)sqlite3_bind_int(s, 2, range->last.raw);
    (void)sqlite3_bind_double(s, 8, range->now);
    (void)sqlite3_bind_int(s, 9, limit);
    (void)sqlite3_bind_int64(s, 10, range->max_rowid);
    *ret_statement = s;
    return 0;
}
