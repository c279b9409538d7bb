/* frames.c - frames of SQLite's log are gathered and written at once. See frames.h. */
#include "frames.h"

#define FRAME_HEADER 24                          /* bytes */
#define LOG_HEADER 32                            /* bytes, before the first frame */
#define FRAMES_ROOM (12 * (FRAME_HEADER + 4096)) /* bytes */

int frames_flush(struct frames *frames, sqlite3_file *log)
{
    int size = frames->size;

    frames->size = 0;
    frames->page_next = false;
    return size == 0 ? SQLITE_OK : log->pMethods->xWrite(log, frames->bytes, size, frames->offset);
}

/* A header with a page to come, or the page to that header. */
static bool fits(const struct frames *frames, int size, sqlite3_int64 offset)
{
    if (frames->size && offset != frames->offset + frames->size)
        return false;
    if (frames->page_next)
        return size != FRAME_HEADER && size <= FRAMES_ROOM - frames->size;
    return size == FRAME_HEADER && offset >= LOG_HEADER && offset != frames->read &&
           frames->size <= FRAMES_ROOM - FRAME_HEADER;
}

static void append(struct frames *frames, const unsigned char *buffer, int size,
                   sqlite3_int64 offset)
{
    if (frames->size == 0)
        frames->offset = offset;
    memcpy(frames->bytes + frames->size, buffer, (size_t)size);
    frames->size += size;
    frames->page_next = !frames->page_next;
    if (frames->page_next)
        frames->last = (buffer[4] | buffer[5] | buffer[6] | buffer[7]) != 0; /* W1 */
}

int frames_write(struct frames *frames, sqlite3_file *log, const void *buffer, int size,
                 sqlite3_int64 offset)
{
    int code;

    if (!fits(frames, size, offset)) {
        code = frames_flush(frames, log);
        if (code != SQLITE_OK)
            return code;
    }
    if (!frames->bytes)
        frames->bytes = sqlite3_malloc(FRAMES_ROOM);
    if (!frames->bytes || !fits(frames, size, offset)) /* no memory: then one by one */
        return log->pMethods->xWrite(log, buffer, size, offset);
    append(frames, buffer, size, offset);
    return frames->last && !frames->page_next ? frames_flush(frames, log) : SQLITE_OK;
}

void frames_free(struct frames *frames)
{
    sqlite3_free(frames->bytes);
    memset(frames, 0, sizeof *frames);
}
