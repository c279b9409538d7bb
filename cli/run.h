/* run.h - the parts of `diskcache run`: the key, the command, the recording.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A recording is what is stored, one value of bytes:
 *     "diskcache-run 1 SSS\n"    SSS: the exit status, three decimal digits
 *     and any number of frames:  'o' or 'e' (stdout, stderr), the length as four bytes, most
 *                                significant first, and so many bytes
 * in the order in which they came. It can be written and replayed as a stream.
 */
#ifndef DISKCACHE_CLI_RUN_H
#define DISKCACHE_CLI_RUN_H

#include "cli.h"

enum { RUN_HEADER = 20, RUN_FRAME = 5 };

/* The key: "run ", the words of the command as a JSON array, and behind it, where there is
 * something to say, an object with cwd, env, file (path, size, mtime in ns) and stdin (SHA-256).
 * Of a long one the beginning and its SHA-256. `input` is what --stdin has read, or NULL.
 * Returns an exit code, after a message. Lives as long as `cli`. */
int run_key(struct cli *cli, const struct args *args, struct spool *input,
            struct dcache_value *ret_key);

/* Run the command; pass on what it prints (unless `quiet`) and record it. */
struct run_result {
    int status;   /* of the command: what run exits with */
    int complete; /* the recording holds everything, and the command was not killed */
};
void run_command_recorded(struct cli *cli, char **argv, struct spool *input, int quiet,
                          struct spool *recording, struct run_result *result);

/* The status in a recording, or -1: it is none. */
int recording_status(const struct spool *recording);
/* The output in it, to stdout and stderr. An exit code, after a message. */
int recording_replay(struct cli *cli, const struct spool *recording);
/* One stream of it ('o', 'e') as a JSON string. 0, or -1: damaged. */
int recording_json(const struct spool *recording, char stream, struct json *json);

#endif
