/* cmd_stats.c - stats: the counters of a cache, once, again and again, or for Prometheus.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- samples ---- */

/* Rowids are never used twice while the last item is there; what was added and is gone counts too. */
static int last_rowid(dcache *cache, int64_t *ret_rowid)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry entry = {0};
    dcache_iter *iter;
    int rc;

    options.flags = DCACHE_AS_STORED | DCACHE_REVERSE;
    rc = dcache_iter_open(cache, &options, &iter);
    if (rc < 0)
        return rc;
    rc = dcache_iter_next(iter, &entry);
    *ret_rowid = rc == 0 ? entry.rowid : 0;
    dcache_entry_clear(&entry);
    dcache_iter_close(iter);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int sample_take(struct cli *cli, struct sample *sample)
{
    struct dcache_value setting;
    int rc = dcache_stats(cli->cache, 0, &sample->stats);

    sample->at = clock_now();
    if (rc == 0)
        rc = dcache_volume(cli->cache, &sample->volume);
    sample->added = -1;
    if (rc == 0 && dcache_shard_count(cli->cache) == 0)
        rc = last_rowid(cli->cache, &sample->added);
    if (rc == 0)
        rc = dcache_setting_get(cli->cache, "statistics", &setting);
    if (rc == 0) {
        sample->counting = setting.type == DCACHE_INT && setting.integer != 0;
        dcache_value_clear(&setting);
    }
    return rc;
}

static double grown(int64_t before, int64_t now)
{
    return (double)(now >= before ? now - before : now);
}

struct rates sample_rates(const struct sample *before, const struct sample *now)
{
    const struct dcache_stats *old = &before->stats, *new = &now->stats;
    double seconds = fmax(now->at - before->at, 1e-6);
    double hits = grown(old->hits, new->hits), misses = grown(old->misses, new->misses);
    struct rates rates = {
        .gets = now->counting ? (hits + misses) / seconds : NAN,
        .hit_share = hits + misses > 0 ? 100 * hits / (hits + misses) : NAN,
        .added = now->added < 0 ? NAN : fmax(0, (double)(now->added - before->added)) / seconds,
        .evictions = grown(old->evictions, new->evictions) / seconds,
        .timeouts = grown(old->timeouts, new->timeouts) / seconds,
    };

    return rates;
}

void print_rate(FILE *out, int width, double rate)
{
    if (isnan(rate))
        fprintf(out, "%*s", width, "-");
    else
        fprintf(out, "%*.*f", width, rate < 10 && rate > 0 ? 1 : 0, rate);
}

/* ---- again and again ---- */

static void print_sample_json(const struct sample *sample, const struct rates *rates)
{
    const struct {
        const char *name;
        double rate;
    } fields[] = {
        {"gets", rates->gets},         {"hit_share", rates->hit_share}, {"added", rates->added},
        {"evicted", rates->evictions}, {"timed_out", rates->timeouts},
    };
    struct json json = {.out = stdout};

    json_open(&json, '{');
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_name(&json, fields[i].name);
        if (isnan(fields[i].rate))
            json_null(&json);
        else
            json_double(&json, fields[i].rate);
    }
    json_name(&json, "count");
    json_int(&json, sample->stats.count);
    json_name(&json, "volume");
    json_int(&json, sample->volume);
    json_name(&json, "wal_bytes");
    json_int(&json, sample->stats.wal_bytes);
    json_close(&json, '}');
    json_end(&json);
}

static void print_sample(const struct sample *sample, const struct rates *rates, int64_t number)
{
    if (number % 20 == 0)
        puts("  gets/s   hit %     added/s   evicted/s  timeouts/s       items  volume");
    print_rate(stdout, 8, rates->gets);
    print_rate(stdout, 8, rates->hit_share);
    print_rate(stdout, 12, rates->added);
    print_rate(stdout, 12, rates->evictions);
    print_rate(stdout, 12, rates->timeouts);
    printf("%12" PRId64 "  ", sample->stats.count);
    print_size(stdout, sample->volume);
    putchar('\n');
}

static int watch(struct cli *cli, double interval, int64_t count)
{
    struct sample before, now;
    struct screen screen;
    int rc = screen_open(cli, &screen, 0), status = 0;

    if (rc)
        return rc;
    status = sample_take(cli, &before);
    for (int64_t i = 0; status == 0 && i != count && screen_wait(&screen, interval) != KEY_END;
         i++) {
        struct rates rates;

        status = sample_take(cli, &now);
        if (status < 0)
            break;
        rates = sample_rates(&before, &now);
        if (cli->json)
            print_sample_json(&now, &rates);
        else
            print_sample(&now, &rates, i);
        if (fflush(stdout) != 0)
            break; /* nobody reads on; main.c says so */
        before = now;
    }
    screen_close(&screen);
    return status < 0 ? fail_status(cli, status) : EXIT_HIT;
}

/* ---- once ---- */

struct figure {
    const char *name;                 /* in JSON */
    const char *metric, *kind, *help; /* for Prometheus */
    int64_t number;
};

enum { FIGURES = 11 };

static void list_figures(const struct dcache_stats *stats, int64_t volume,
                         struct figure figures[FIGURES])
{
    const struct figure all[FIGURES] = {
        {"hits", "hits_total", "counter", "Lookups that found their key, while statistics is 1",
         stats->hits},
        {"misses", "misses_total", "counter", "Lookups that did not, while statistics is 1",
         stats->misses},
        {"evictions", "evictions_total", "counter", "Items that the eviction policy has taken",
         stats->evictions},
        {"timeouts", "timeouts_total", "counter", "Writes that gave up waiting for others",
         stats->timeouts},
        {"damaged", "damaged_total", "counter",
         "Values read that were not as they had been written", stats->damaged},
        {"count", "items", "gauge", "Items, expired ones included", stats->count},
        {"expired", "expired_items", "gauge", "Items that have expired and are still there",
         stats->expired},
        {"file_bytes", "file_bytes", "gauge", "Bytes in value files", stats->file_bytes},
        {"db_bytes", "database_bytes", "gauge", "Bytes of the database", stats->db_bytes},
        {"wal_bytes", "log_bytes", "gauge", "Bytes of the log beside the database",
         stats->wal_bytes},
        {"volume", "volume_bytes", "gauge", "What is held against size_limit", volume},
    };

    memcpy(figures, all, sizeof all);
}

static void print_json(const struct figure figures[FIGURES])
{
    struct json json = {.out = stdout};

    json_open(&json, '{');
    for (size_t i = 0; i < FIGURES; i++) {
        json_name(&json, figures[i].name);
        json_int(&json, figures[i].number);
    }
    json_close(&json, '}');
    json_end(&json);
}

/* The text format, version 0.0.4: backslashes, quotes and newlines in a label are escaped. */
static void print_metric(const char *directory, const struct figure *figure)
{
    printf("# HELP diskcache_%s %s.\n# TYPE diskcache_%s %s\n", figure->metric, figure->help,
           figure->metric, figure->kind);
    printf("diskcache_%s{directory=\"", figure->metric);
    for (const char *at = directory; *at; at++) {
        if (*at == '\n')
            fputs("\\n", stdout);
        else
            printf("%s%c", *at == '\\' || *at == '"' ? "\\" : "", *at);
    }
    printf("\"} %" PRId64 "\n", figure->number);
}

static int print_prometheus(struct cli *cli, const struct figure figures[FIGURES])
{
    struct figure limit = {.metric = "size_limit_bytes",
                           .kind = "gauge",
                           .help = "The volume from which on items are evicted"};
    struct dcache_value value;
    int rc = dcache_setting_get(cli->cache, "size_limit", &value);

    if (rc < 0)
        return fail_status(cli, rc);
    for (size_t i = 0; i < FIGURES; i++)
        print_metric(dcache_directory(cli->cache), &figures[i]);
    limit.number = value.type == DCACHE_INT ? value.integer : 0;
    dcache_value_clear(&value);
    print_metric(dcache_directory(cli->cache), &limit);
    return EXIT_HIT;
}

static void print_bytes(const char *name, int64_t bytes)
{
    printf("%-11s", name);
    print_size(stdout, bytes);
    putchar('\n');
}

static void print_text(const struct dcache_stats *stats, int64_t volume)
{
    int64_t lookups = stats->hits + stats->misses;

    printf("items      %" PRId64 " (%" PRId64 " expired)\n", stats->count, stats->expired);
    printf("hits       %" PRId64 "\n", stats->hits);
    printf("misses     %" PRId64 "\n", stats->misses);
    if (lookups > 0)
        printf("hit rate   %.1f %%\n", 100.0 * (double)stats->hits / (double)lookups);
    printf("evictions  %" PRId64 "\n", stats->evictions);
    printf("timeouts   %" PRId64 "\n", stats->timeouts);
    printf("damaged    %" PRId64 "\n", stats->damaged);
    print_bytes("volume", volume);
    print_bytes("  files", stats->file_bytes);
    print_bytes("  database", stats->db_bytes);
    print_bytes("log", stats->wal_bytes);
}

static int print_once(struct cli *cli, const struct args *args)
{
    struct figure figures[FIGURES];
    struct dcache_stats stats;
    int64_t volume;
    int rc = dcache_volume(cli->cache, &volume);

    if (rc == 0)
        rc = dcache_stats(cli->cache, args_option(args, "reset") != NULL, &stats);
    if (rc < 0)
        return fail_status(cli, rc);
    list_figures(&stats, volume, figures);
    if (args_option(args, "prometheus"))
        return print_prometheus(cli, figures);
    if (cli->json)
        print_json(figures);
    else
        print_text(&stats, volume);
    return EXIT_HIT;
}

static int run_stats(struct cli *cli, const struct args *args)
{
    const char *interval = args_option(args, "interval"), *count = args_option(args, "count");
    int watching = args_option(args, "watch") || interval || count;
    double seconds = 1;
    int64_t samples = -1;
    int rc;

    if (interval && (parse_duration(interval, &seconds) < 0 || !(seconds > 0)))
        return usage(cli, "'%s' is no interval", interval);
    if (count && (parse_int(count, &samples) < 0 || samples < 0))
        return usage(cli, "'%s' is no number of lines", count);
    if (watching + (args_option(args, "reset") != NULL) +
            (args_option(args, "prometheus") != NULL) >
        1)
        return usage(cli, "one of --watch, --reset and --prometheus");
    rc = cli_open(cli, OPEN_THERE);
    if (rc)
        return rc;
    return watching ? watch(cli, seconds, samples) : print_once(cli, args);
}

static const struct option_spec stats_options[] = {
    {0, "reset", NULL, "set all that is counted back to 0 afterwards"},
    {'w', "watch", NULL, "a line each second, with what happened in it, until interrupted"},
    {'i', "interval", "TIME", "as --watch, a line each so often"},
    {'n', "count", "NUMBER", "as --watch, and end after so many lines"},
    {0, "prometheus", NULL, "print in the text format of Prometheus"},
    {0, NULL, NULL, NULL},
};

const struct command command_stats = {
    .name = "stats",
    .arguments = "",
    .summary = "print hits, misses, evictions, timeouts and sizes",
    .min = 0,
    .max = 0,
    .options = stats_options,
    .run = run_stats,
    .notes =
        "Hits and misses are counted while the setting 'statistics' is 1. Timeouts are writes that\n"
        "gave up waiting for other writers. Of a fanout, --watch does not know what is added.",
};
