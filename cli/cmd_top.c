/* cmd_top.c - top: a cache at work, with its largest, hottest and oldest items.
 *
 * Each picture walks over all items once, without reading their values; of a cache so large that this
 * takes long, there are fewer pictures.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST, HOTTEST, OLDEST, LISTS };
enum { MOST = 100 };

/* The first few items of one order, the greatest number first. */
struct list {
    int count, room;
    struct ranked {
        double number;
        char *key; /* as it is printed */
    } items[MOST];
};

struct picture {
    struct list lists[LISTS];
    int by_count; /* the policy counts accesses; else it may note their times, or nothing */
    int by_time;
};

static void list_offer(struct list *list, double number, const struct dcache_value *key)
{
    struct ranked new = {.number = number};
    size_t size;
    FILE *memory;
    int at = list->count;

    while (at > 0 && list->items[at - 1].number < number)
        at--;
    if (at >= list->room)
        return;
    memory = open_memstream(&new.key, &size);
    if (!memory)
        return; /* no memory for a line: it is left out */
    print_plain(memory, key);
    if (fclose(memory) != 0)
        return;
    if (list->count == list->room)
        free(list->items[--list->count].key);
    memmove(&list->items[at + 1], &list->items[at],
            (size_t)(list->count - at) * sizeof *list->items);
    list->items[at] = new;
    list->count++;
}

static void picture_clear(struct picture *picture)
{
    for (int n = 0; n < LISTS; n++)
        for (int i = 0; i < picture->lists[n].count; i++)
            free(picture->lists[n].items[i].key);
}

static int take_picture(struct cli *cli, int room, struct picture *picture)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_value policy;
    dcache_iter *iter;
    int rc = dcache_setting_get(cli->cache, "eviction_policy", &policy);

    memset(picture, 0, sizeof *picture);
    for (int n = 0; n < LISTS; n++)
        picture->lists[n].room = room;
    if (rc < 0)
        return rc;
    if (policy.type == DCACHE_TEXT) {
        picture->by_count = policy.size > 16 && memcmp(policy.data, "least-frequently", 16) == 0;
        picture->by_time = policy.size == 19 && memcmp(policy.data, "least-recently-used", 19) == 0;
    }
    dcache_value_clear(&policy);
    options.flags = DCACHE_AS_STORED | DCACHE_LIVE_ONLY;
    rc = dcache_iter_open(cli->cache, &options, &iter);
    while (rc == 0) {
        struct dcache_entry entry = {0};

        rc = dcache_iter_next(iter, &entry);
        if (rc == 0) {
            list_offer(&picture->lists[LARGEST], (double)entry_value_size(&entry), &entry.key);
            list_offer(&picture->lists[OLDEST], -entry.store_time, &entry.key);
            if (picture->by_count)
                list_offer(&picture->lists[HOTTEST], (double)entry.access_count, &entry.key);
            else if (picture->by_time)
                list_offer(&picture->lists[HOTTEST], entry.access_time, &entry.key);
        }
        dcache_entry_clear(&entry);
        if (rc < 0)
            dcache_iter_close(iter);
    }
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static double wall_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* "3.1s", "12m", "5h", "8d". Pinned items have times far from now: they have no age. */
static void print_age(FILE *out, double seconds)
{
    char text[32];

    if (fabs(seconds) > 1e11)
        (void)snprintf(text, sizeof text, "pinned");
    else if (seconds < 100)
        (void)snprintf(text, sizeof text, "%.1fs", fmax(seconds, 0));
    else if (seconds < 6000)
        (void)snprintf(text, sizeof text, "%.0fm", seconds / 60);
    else if (seconds < 360000)
        (void)snprintf(text, sizeof text, "%.0fh", seconds / 3600);
    else
        (void)snprintf(text, sizeof text, "%.0fd", seconds / 86400);
    fprintf(out, "%12s", text);
}

static void draw_list(FILE *out, const struct picture *picture, int which)
{
    static const char *const titles[LISTS] = {"LARGEST       bytes", "HOTTEST    accesses",
                                              "OLDEST       stored"};
    const struct list *list = &picture->lists[which];
    double now = wall_now();
    int times = which == HOTTEST && !picture->by_count;

    fprintf(out, "\n%s  key\n", times ? "HOTTEST    accessed" : titles[which]);
    if (which == HOTTEST && !picture->by_count && !picture->by_time)
        fputs("             not noted by this eviction policy\n", out);
    for (int i = 0; i < list->count; i++) {
        double number = list->items[i].number;

        fputs("       ", out);
        if (which == OLDEST)
            print_age(out, now + number);
        else if (times)
            print_age(out, now - number);
        else
            fprintf(out, "%12.0f", number);
        fprintf(out, "  %s\n", list->items[i].key);
    }
}

static void draw_rates(FILE *out, const struct rates *rates)
{
    fputs("gets/s ", out);
    print_rate(out, 0, rates->gets);
    fputs("   hit rate ", out);
    print_rate(out, 0, rates->hit_share);
    fputs(isnan(rates->hit_share) ? "" : " %", out);
    fputs("   added/s ", out);
    print_rate(out, 0, rates->added);
    fputs("   evicted/s ", out);
    print_rate(out, 0, rates->evictions);
    fputs("   timed out/s ", out);
    print_rate(out, 0, rates->timeouts);
    putc('\n', out);
}

static void draw(FILE *out, struct cli *cli, const struct sample *sample, const struct rates *rates,
                 const struct picture *picture)
{
    struct dcache_value directory = dcache_text(dcache_directory(cli->cache));

    print_plain(out, &directory);
    fprintf(out, "\nitems %" PRId64 " (%" PRId64 " expired)   volume ", sample->stats.count,
            sample->stats.expired);
    print_size(out, sample->volume);
    fputs("   log ", out);
    print_size(out, sample->stats.wal_bytes);
    putc('\n', out);
    if (rates)
        draw_rates(out, rates);
    for (int n = 0; n < LISTS; n++)
        draw_list(out, picture, n);
}

/* One picture. A status. */
static int show(struct cli *cli, const struct screen *screen, int limit,
                const struct sample *sample, const struct rates *rates)
{
    struct picture picture;
    int rows, columns, room = limit ? limit : 5, rc;
    char *frame = NULL;
    size_t size;
    FILE *memory;

    screen_size(&rows, &columns);
    if (screen->drawing && !limit)
        room = (rows - 3 - 2 * LISTS) / LISTS; /* three lines above, two of each heading */
    rc = take_picture(cli, room < 1 ? 1 : room > MOST - 1 ? MOST - 1 : room, &picture);
    memory = rc < 0 ? NULL : open_memstream(&frame, &size);
    if (rc == 0 && !memory)
        rc = DCACHE_NOMEM;
    if (memory) {
        draw(memory, cli, sample, rates, &picture);
        if (fclose(memory) != 0)
            rc = DCACHE_NOMEM;
        else if (screen->drawing)
            screen_show(frame);
        else
            fputs(frame, stdout);
    }
    free(frame);
    picture_clear(&picture);
    return rc;
}

static int run_top(struct cli *cli, const struct args *args)
{
    const char *interval = args_option(args, "interval"), *count = args_option(args, "limit");
    int draws = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO), rc, status, key = KEY_NONE;
    double seconds = 2, took;
    int64_t limit = 0;
    struct sample before, now;
    struct screen screen;
    struct rates rates;

    if (interval && (parse_duration(interval, &seconds) < 0 || !(seconds > 0)))
        return usage(cli, "'%s' is no interval", interval);
    if (count && (parse_int(count, &limit) < 0 || limit < 1 || limit >= MOST))
        return usage(cli, "'%s' is no number of items, 1 to %d", count, MOST - 1);
    if ((rc = cli_open(cli, OPEN_THERE)) || (rc = screen_open(cli, &screen, draws)))
        return rc;
    status = sample_take(cli, &before);
    if (status == 0)
        status = show(cli, &screen, (int)limit, &before, NULL);
    while (status == 0 && draws && key != 'q' && key != KEY_END) {
        took = clock_now() - before.at;
        key = screen_wait(&screen, fmax(seconds, 4 * took)); /* at most a fifth of the time */
        if (key == 'q' || key == KEY_END)
            break;
        status = sample_take(cli, &now);
        rates = sample_rates(&before, &now);
        if (status == 0)
            status = show(cli, &screen, (int)limit, &now, &rates);
        before = now;
    }
    screen_close(&screen);
    return status < 0 ? fail_status(cli, status) : EXIT_HIT;
}

static const struct option_spec top_options[] = {
    {'i', "interval", "TIME", "a new picture each so often (default 2s)"},
    {'n', "limit", "NUMBER", "so many items of each kind (default: as many as there is room for)"},
    {0, NULL, NULL, NULL},
};

const struct command command_top = {
    .name = "top",
    .arguments = "",
    .summary = "show a cache at work: rates, the largest, hottest and oldest items",
    .min = 0,
    .max = 0,
    .options = top_options,
    .run = run_top,
    .notes =
        "On a terminal, until q is pressed; else one picture. Gets and hits are counted while the\n"
        "setting 'statistics' is 1. Which items are hottest is known under the policies\n"
        "least-frequently-used (by accesses) and least-recently-used (by the last one).",
};
