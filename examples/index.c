/* index.c - the five documents opened last, the latest first, over all windows of an editor.
 *
 *     index RECENT [DOCUMENT]     note that it was opened; then list
 *
 * cc index.c $(pkg-config --cflags --libs diskcache) && ./a.out recent letter.txt */
#include <diskcache_collections.h>
#include <stdio.h>
#include <time.h>

enum { MOST = 5 };

/* To the end of the index, and what is too old goes from its front: all or nothing. */
static int note(dcache *recent, const char *document)
{
    struct dcache_value key = dcache_text(document), when = dcache_int(time(NULL));
    int64_t count = 0;
    dcache *txn;
    int rc = dcache_begin(recent, -1, &txn);

    if (rc < 0)
        return rc;
    rc = dcache_delete(txn, &key); /* a key that is there would keep its place */
    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        rc = dcache_set(txn, &key, &when, NULL);
    if (rc == 0)
        rc = dcache_count(txn, &count);
    for (; rc == 0 && count > MOST; count--) {
        struct dcache_entry oldest;

        rc = dcache_popitem(txn, DCACHE_FRONT, NULL, &oldest);
        dcache_entry_clear(&oldest);
    }
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

static int list(dcache *recent)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry entry;
    dcache_iter *iter = NULL;
    int rc;

    options.flags = DCACHE_REVERSE;
    rc = dcache_iter_open(recent, &options, &iter);
    while (rc == 0 && (rc = dcache_iter_next(iter, &entry)) == 0) {
        printf("%.*s\n", (int)entry.key.size, (const char *)entry.key.data);
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int main(int argc, char **argv)
{
    dcache *recent;
    int rc = dcache_open_collection(argc > 1 ? argv[1] : "recent", NULL, &recent);

    if (rc == 0) {
        if (argc > 2)
            rc = note(recent, argv[2]);
        if (rc == 0)
            rc = list(recent);
        dcache_close(recent);
    }
    if (rc < 0)
        (void)fprintf(stderr, "index: %s\n", dcache_strerror(rc));
    return rc < 0;
}
