/* run_record.c - read a recording of `run`: replay it, or print it as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int recording_status(const struct spool *recording)
{
    static const char magic[] = "diskcache-run 1 ";
    char header[RUN_HEADER];
    size_t at = sizeof magic - 1;

    if (spool_read(recording, 0, header, sizeof header) != RUN_HEADER ||
        memcmp(header, magic, at) != 0 || header[RUN_HEADER - 1] != '\n')
        return -1;
    for (size_t i = at; i < at + 3; i++)
        if (!isdigit((unsigned char)header[i]))
            return -1;
    return (header[at] - '0') * 100 + (header[at + 1] - '0') * 10 + header[at + 2] - '0';
}

/* The head of the frame at `*at`, which moves behind it. 1, 0 at the end, -1: damaged. */
static int next_frame(const struct spool *recording, int64_t *at, char *stream, int64_t *length)
{
    unsigned char head[RUN_FRAME];

    if (*at == recording->total)
        return 0;
    if (spool_read(recording, *at, head, sizeof head) != RUN_FRAME)
        return -1;
    *stream = (char)head[0];
    *length = (int64_t)head[1] << 24 | (int64_t)head[2] << 16 | (int64_t)head[3] << 8 | head[4];
    *at += RUN_FRAME;
    if ((*stream != 'o' && *stream != 'e') || *length > recording->total - *at)
        return -1;
    return 1;
}

static int damaged(struct cli *cli)
{
    return fail(cli, EXIT_IO, "the recording is damaged");
}

static int replay_frame(struct cli *cli, const struct spool *recording, int64_t at, int fd,
                        int64_t length)
{
    char buffer[65536];

    while (length > 0) {
        size_t size = length < (int64_t)sizeof buffer ? (size_t)length : sizeof buffer;
        ssize_t got = spool_read(recording, at, buffer, size);

        if (got <= 0)
            return damaged(cli);
        if (write_all(fd, buffer, (size_t)got) < 0) {
            if (fd == STDERR_FILENO)
                return 0; /* there is nobody whom we could tell */
            return fail_errno(cli, "standard output");
        }
        at += got;
        length -= got;
    }
    return 0;
}

int recording_replay(struct cli *cli, const struct spool *recording)
{
    int64_t at = RUN_HEADER, length;
    char stream;
    int more;

    while ((more = next_frame(recording, &at, &stream, &length)) > 0) {
        int rc = replay_frame(cli, recording, at, stream == 'o' ? STDOUT_FILENO : STDERR_FILENO,
                              length);

        if (rc)
            return rc;
        at += length;
    }
    return more < 0 ? damaged(cli) : 0;
}

int recording_json(const struct spool *recording, char stream, struct json *json)
{
    int64_t at = RUN_HEADER, length;
    char found, buffer[16384];
    int more;

    json_string_begin(json);
    while ((more = next_frame(recording, &at, &found, &length)) > 0) {
        int64_t end = at + length;

        while (found == stream && at < end) {
            int64_t left = end - at;
            size_t size = left < (int64_t)sizeof buffer ? (size_t)left : sizeof buffer;
            ssize_t got = spool_read(recording, at, buffer, size);

            if (got <= 0)
                break;
            json_string_add(json, buffer, (size_t)got);
            at += got;
        }
        at = end;
    }
    json_string_end(json);
    return more;
}
