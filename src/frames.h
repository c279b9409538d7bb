/* frames.h - what a commit appends to the log, written at once.
 *
 * SQLite writes each frame of its log in two calls, header and page: six system calls for the three
 * pages of a small set. Here they are gathered, and written by one when the commit's last frame is
 * there. Nobody reads a frame before the WAL index names it, which SQLite does after that frame; so
 * others see no difference, and a failure to write is an error of the last frame at the latest, while
 * it can still be undone.
 *
 * Two things this rests on, both of the format (https://www.sqlite.org/fileformat2.html#walformat):
 *  W1  a frame is a header of 24 bytes and a page behind it; bytes 4 to 7 are not zero in the header
 *      of a commit's last frame, and in no other.
 *  W2  whatever else is done to the log (it is read, synced, measured, written elsewhere) finds there
 *      what was gathered: frames_flush() comes first.
 *
 * SQLite also writes headers alone, to mend the checksums of frames that it wrote over, each just
 * after it has read that frame: these are not gathered, since no page comes after them. */
#ifndef FRAMES_H
#define FRAMES_H

#include "os.h"

#include <sqlite3.h>

/* Frames not yet written to one open log. Zeroes are a good beginning. */
struct frames {
    unsigned char *bytes; /* of FRAMES_ROOM, from the first time on */
    int size;
    bool page_next;       /* the last of it is a header */
    bool last;            /* and it ends a commit */
    sqlite3_int64 offset; /* in the log, of bytes[0] */
    sqlite3_int64 read;   /* where the log was read last */
};

/* Write to `log`, now or with what comes. Returns a code of SQLite's. */
int frames_write(struct frames *frames, sqlite3_file *log, const void *buffer, int size,
                 sqlite3_int64 offset);

/* Write what was gathered. It is forgotten even if that fails: SQLite rolls back, and writes those
 * frames anew. Returns a code of SQLite's. */
int frames_flush(struct frames *frames, sqlite3_file *log);

/* Forget what was gathered, and free the memory: the log is closed. */
void frames_free(struct frames *frames);

#endif
