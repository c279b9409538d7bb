/* peek.c - SQLite's file format, as far as a small table goes. See peek.h. */
#include "peek.h"

#include <stdlib.h>

#define FILE_HEADER 100
#define LEAF_HEADER 8
#define LEAF_OF_TABLE 13
#define LEAST_PAGE 512
#define MOST_PAGE 65536
#define UTF8 1

static uint32_t two_bytes(const unsigned char *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t four_bytes(const unsigned char *at)
{
    return two_bytes(at) << 16 | two_bytes(at + 2);
}

/* ---- pages ---- */

static int read_at(struct peek *peek, uint64_t page, uint32_t size)
{
    int code = os_fault() ? SQLITE_IOERR
                          : peek->file->pMethods->xRead(peek->file, peek->page, (int)size,
                                                        (sqlite3_int64)(page - 1) * peek->size);

    return code == SQLITE_OK ? 0 : DCACHE_NOT_FOUND; /* too short, or gone: SQLite will say why */
}

/* The page that has been read is a table's only one. */
static int begin_table(struct peek *peek, uint32_t header)
{
    const unsigned char *at = peek->page + header;

    peek->header = header;
    peek->next = 0;
    peek->rows = two_bytes(at + 3);
    if (at[0] != LEAF_OF_TABLE || header + LEAF_HEADER + 2 * peek->rows > peek->size)
        return DCACHE_NOT_FOUND;
    return 0;
}

/* Pages have no room reserved at their ends, text is UTF-8, and the schema is of a known form. */
static int read_header(struct peek *peek)
{
    static const char magic[16] = "SQLite format 3";
    const unsigned char *page = peek->page;

    if (read_at(peek, 1, FILE_HEADER) < 0 || memcmp(page, magic, sizeof magic) != 0)
        return DCACHE_NOT_FOUND;
    peek->size = two_bytes(page + 16) == 1 ? MOST_PAGE : two_bytes(page + 16);
    if (peek->size < LEAST_PAGE || (peek->size & (peek->size - 1)) != 0 || page[18] > 2 ||
        page[19] > 2 || page[20] != 0 || four_bytes(page + 44) - 1 > 3 ||
        four_bytes(page + 56) != UTF8)
        return DCACHE_NOT_FOUND;
    return read_at(peek, 1, peek->size);
}

int peek_open(struct peek *peek, const char *path)
{
    int rc;

    memset(peek, 0, sizeof *peek);
    rc = vfs_open(path, &peek->file);
    if (rc < 0)
        return rc;
    peek->page = os_malloc(MOST_PAGE);
    rc = peek->page ? read_header(peek) : DCACHE_NOMEM;
    if (rc == 0)
        rc = begin_table(peek, FILE_HEADER);
    if (rc < 0)
        peek_close(peek);
    return rc;
}

void peek_close(struct peek *peek)
{
    vfs_close(peek->file);
    free(peek->page);
    memset(peek, 0, sizeof *peek);
}

int peek_table(struct peek *peek, int64_t page)
{
    if (page < 2 || page > UINT32_MAX || read_at(peek, (uint64_t)page, peek->size) < 0)
        return DCACHE_NOT_FOUND;
    return begin_table(peek, 0);
}

/* ---- rows ---- */

/* What is left of a row, or of its header. */
struct span {
    const unsigned char *at, *end;
    bool broken; /* something would not have ended inside */
};

static uint64_t varint(struct span *span)
{
    uint64_t value = 0;

    for (int i = 0; i < 9 && span->at < span->end; i++) {
        unsigned char byte = *span->at++;

        if (i == 8)
            return value << 8 | byte;
        value = value << 7 | (byte & 0x7f);
        if (!(byte & 0x80))
            return value;
    }
    span->broken = true;
    return 0;
}

static struct span cut(struct span *span, uint64_t size)
{
    struct span part = {.at = span->at, .end = span->at, .broken = span->broken};

    if (size > (uint64_t)(span->end - span->at))
        part.broken = span->broken = true;
    else
        part.end = span->at += size;
    return part;
}

/* Big-endian, in two's complement. */
static int64_t integer(struct span bytes)
{
    uint64_t value = bytes.at < bytes.end && (*bytes.at & 0x80) ? UINT64_MAX : 0;

    while (bytes.at < bytes.end)
        value = value << 8 | *bytes.at++;
    return (int64_t)value;
}

static struct dcache_value column(uint64_t type, struct span *body)
{
    static const unsigned char sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    struct span bytes = cut(body, type >= 12 ? (type - 12) / 2 : type < 10 ? sizes[type] : 0);
    int64_t bits;
    double real;

    if (type == 10 || type == 11) /* kept for later */
        body->broken = true;
    if (type >= 12)
        return dcache_sized(type % 2 ? DCACHE_TEXT : DCACHE_BYTES, bytes.at,
                            (size_t)(bytes.end - bytes.at));
    if (type == 8 || type == 9)
        return dcache_int((int64_t)type - 8);
    bits = integer(bytes);
    if (type == 7) {
        memcpy(&real, &bits, sizeof real);
        return dcache_double(real);
    }
    return type >= 1 && type <= 6 ? dcache_int(bits) : dcache_none();
}

/* What would overflow to other pages is longer than a page less 35 bytes. */
int peek_row(struct peek *peek, struct dcache_value *ret_columns, unsigned count)
{
    const unsigned char *pointer = peek->page + peek->header + LEAF_HEADER + 2 * peek->next;
    struct span cell, row, types;
    uint64_t size;
    unsigned n;

    if (peek->next == peek->rows)
        return 0;
    cell.at = peek->page + two_bytes(pointer);
    cell.end = peek->page + peek->size;
    cell.broken = cell.at > cell.end;
    if (cell.broken)
        return DCACHE_NOT_FOUND;
    size = varint(&cell);
    (void)varint(&cell); /* the row's id */
    row = cut(&cell, size > peek->size - 35 ? UINT64_MAX : size);
    types = row;
    size = varint(&types);
    (void)cut(&row, size);
    types.end = row.at;
    for (n = 0; n < count; n++)
        ret_columns[n] = types.at < types.end ? column(varint(&types), &row) : dcache_none();
    if (cell.broken || types.broken || row.broken || types.at != types.end)
        return DCACHE_NOT_FOUND;
    peek->next++;
    return 1;
}
