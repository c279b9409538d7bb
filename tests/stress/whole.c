/* whole.c - the operations of stress.c on the cache as a whole.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "stress.h"

void stress_iterate(struct worker *w)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_value prefix = dcache_text("account-");
    struct dcache_entry e;
    dcache_iter *iter;
    unsigned r = rng_below(&w->rng, 8), accounts = 0;
    int rc;

    options.order = r & 1 ? DCACHE_BY_KEY : DCACHE_BY_INSERTION;
    options.flags = (r & 2 ? DCACHE_REVERSE : 0u) | DCACHE_NO_VALUE;
    options.prefix = r & 4 ? &prefix : NULL;
    rc = dcache_iter_open(w->cache, &options, &iter);
    stress_expect(w, rc, "iter_open");
    if (rc != 0)
        return;
    while ((rc = dcache_iter_next(iter, &e)) == 0) {
        if (e.key.type == DCACHE_TEXT && e.key.size > 8 && memcmp(e.key.data, "account-", 8) == 0)
            accounts++;
        dcache_entry_clear(&e);
    }
    stress_expect_or(w, rc, DCACHE_NOT_FOUND, "iter_next");
    dcache_iter_close(iter);
    if (accounts != ACCOUNTS)
        stress_fault(w->board, "iteration (%u): %u of %d items that are always there", r, accounts,
                     ACCOUNTS);
}

void stress_expire(struct worker *w)
{
    int64_t removed = -1;

    stress_expect(w, dcache_expire(w->cache, 0, &removed), "expire");
    if (removed < 0)
        stress_fault(w->board, "expire says %lld", (long long)removed);
}

void stress_evict(struct worker *w)
{
    struct dcache_value tag = dcache_int(rng_below(&w->rng, 4));
    int64_t removed = -1;

    stress_expect(w, dcache_evict(w->cache, &tag, &removed), "evict");
    if (removed < 0)
        stress_fault(w->board, "evict says %lld", (long long)removed);
}

void stress_cull(struct worker *w)
{
    int64_t removed = -1;

    stress_expect(w, dcache_cull(w->cache, &removed), "cull");
    if (removed < 0)
        stress_fault(w->board, "cull says %lld", (long long)removed);
}

/* Beside writers: files may come and go, rows and counters are always right. */
static void no_damage(struct worker *w, const struct dcache_report *report, const char *what)
{
    for (size_t i = 0; i < report->count; i++) {
        int kind = (int)report->problems[i].kind;

        if (kind != DCACHE_PROBLEM_STRAY && kind != DCACHE_PROBLEM_EMPTY_DIR)
            stress_fault(w->board, "%s: %s", what, report->problems[i].text);
    }
}

void stress_check(struct worker *w)
{
    struct dcache_report report = {0};
    int fix = rng_below(&w->rng, 2) != 0;

    stress_expect(w, dcache_check(w->cache, fix, &report), fix ? "check(fix)" : "check");
    no_damage(w, &report, fix ? "check(fix)" : "check");
    dcache_report_clear(&report);
}

void stress_stats(struct worker *w)
{
    struct dcache_stats stats;
    int64_t count = -1, volume = -1;
    int rc = dcache_stats(w->cache, 0, &stats);

    stress_expect(w, rc, "stats");
    if (rc == 0 && (stats.count < ACCOUNTS || stats.file_bytes < 0 || stats.db_bytes <= 0))
        stress_fault(w->board, "stats: %lld items, %lld and %lld bytes", (long long)stats.count,
                     (long long)stats.file_bytes, (long long)stats.db_bytes);
    stress_expect(w, dcache_count(w->cache, &count), "count");
    stress_expect(w, dcache_volume(w->cache, &volume), "volume");
    if (count < ACCOUNTS || volume <= 0)
        stress_fault(w->board, "count %lld, volume %lld", (long long)count, (long long)volume);
}

void stress_settings(struct worker *w)
{
    struct dcache_value limit = dcache_int(1200000 + rng_below(&w->rng, 600000)), got;
    struct dcache_setting *settings = NULL;
    size_t count = 0;
    int rc;

    stress_expect(w, dcache_setting_set(w->cache, "size_limit", &limit), "setting_set");
    rc = dcache_setting_get(w->cache, "size_limit", &got);
    stress_expect(w, rc, "setting_get");
    if (rc == 0 && (got.type != DCACHE_INT || got.integer < 1200000))
        stress_fault(w->board, "size_limit is %lld", (long long)got.integer);
    if (rc == 0)
        dcache_value_clear(&got);
    rc = dcache_settings(w->cache, &settings, &count);
    stress_expect(w, rc, "settings");
    if (rc == 0 && count < 12)
        stress_fault(w->board, "%zu settings", count);
    if (rc == 0)
        dcache_settings_free(settings, count);
}

/* A copy made while all others write is one moment's state: whole, and the sum is 0. */
void stress_backup(struct worker *w)
{
    struct dcache_report report = {0};
    char *copy = temp_dir("stress-backup");
    dcache *cache;
    int64_t sum;
    int rc = dcache_backup(w->cache, copy);

    stress_expect(w, rc, "backup");
    if (rc == 0) {
        rc = stress_open(copy, NULL, &cache);
        stress_expect(w, rc, "open a backup");
    }
    if (rc == 0) {
        sum = stress_sum(w, cache);
        if (sum != 0 && stress_shards == 0)
            stress_fault(w->board, "backup: the accounts sum up to %lld", (long long)sum);
        stress_expect(w, dcache_check(cache, 0, &report), "check of a backup");
        for (size_t i = 0; i < report.count; i++)
            stress_fault(w->board, "backup: %s", report.problems[i].text);
        dcache_report_clear(&report);
        dcache_close(cache);
    }
    remove_tree(copy);
    free(copy);
}

void stress_compact(struct worker *w)
{
    stress_expect(w, dcache_compact(w->cache), "compact");
}
