/* live.h - what stats --watch and top share: samples of the counters, and the terminal.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DISKCACHE_CLI_LIVE_H
#define DISKCACHE_CLI_LIVE_H

#include "cli.h"

/* The counters at one moment. */
struct sample {
    double at; /* clock_now() */
    struct dcache_stats stats;
    int64_t volume;
    int64_t added; /* how many items were ever added: the greatest rowid; -1 of a fanout */
    int counting;  /* hits and misses are counted: the setting `statistics` */
};

/* A status. */
int sample_take(struct cli *cli, struct sample *sample);

/* What happened from one sample to the next, a second. Counters that were set back count from 0. */
struct rates {
    double gets, hit_share; /* in percent. NAN: not counted, or nothing was asked for */
    double added, evictions, timeouts;
};
struct rates sample_rates(const struct sample *before, const struct sample *now);
void print_rate(FILE *out, int width, double rate); /* "-" for NAN */

/* The terminal, taken over while `drawing`: a screen of its own, keys without Enter. Without a terminal,
 * only the waiting works. SIGINT and SIGTERM end a wait and show as KEY_END. */
struct screen {
    int drawing;
    struct screen_state *state;
};
enum { KEY_NONE = 0, KEY_END = -1 };
int screen_open(struct cli *cli, struct screen *screen, int draw); /* 0, or an exit code */
void screen_size(int *ret_rows, int *ret_columns);
int screen_wait(struct screen *screen, double seconds); /* a key, KEY_NONE or KEY_END */
void screen_show(const char *frame);                    /* its lines, and nothing else */
void screen_close(struct screen *screen);

#endif
