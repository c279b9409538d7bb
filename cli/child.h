/* child.h - a command that the tool runs: signals that are meant for it, and how it ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DISKCACHE_CLI_CHILD_H
#define DISKCACHE_CLI_CHILD_H

#include "cli.h"

#include <signal.h>
#include <sys/types.h>

/* While a command runs: who asks us to end means the command. `old` is what child_signals_end()
 * restores. */
#define CHILD_SIGNALS 4
void child_signals_begin(struct sigaction old[CHILD_SIGNALS]);
void child_signals_end(const struct sigaction old[CHILD_SIGNALS]);
void child_is(pid_t pid); /* to whom they go; 0: nobody */

/* Whether it ended, without waiting; then how, as shells have it: 128 + N for signal N. */
int child_has_ended(pid_t pid, int *ret_status);
int child_code(int status);

/* A command that could not be started: 127 for what is not there, 126 for what cannot be run. */
int child_not_started(struct cli *cli, const char *name, int error);

#endif
