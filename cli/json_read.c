/* json_read.c - read JSON from a stream; strings go to a spool, so that they may be large.
 *
 * Only what `load` needs: it walks through an object itself, piece by piece.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include <string.h>

static int refuse(struct json_reader *reader, const char *error)
{
    if (!reader->error)
        reader->error = error;
    return -1;
}

int json_peek(struct json_reader *reader)
{
    int c;

    do {
        c = getc(reader->in);
        if (c == '\n')
            reader->line++;
    } while (c == ' ' || c == '\t' || c == '\n' || c == '\r');
    if (c != EOF)
        (void)ungetc(c, reader->in); /* one character is always possible */
    return c;
}

int json_expect(struct json_reader *reader, char wanted)
{
    if (json_peek(reader) != wanted) {
        static const char *const messages[] = {
            ['{'] = "'{' expected", ['}'] = "'}' expected",  [':'] = "':' expected",
            [','] = "',' expected", ['"'] = "'\"' expected",
        };

        return refuse(reader, messages[(unsigned char)wanted]);
    }
    (void)getc(reader->in); /* it is there: json_peek() has seen it */
    return 0;
}

int json_read_word(struct json_reader *reader, char *word, size_t size)
{
    size_t length = 0;
    int c = json_peek(reader);

    c = c == EOF ? EOF : getc(reader->in);
    while (c != EOF && c != 0 && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", c)) {
        if (length + 1 == size)
            return refuse(reader, "a number or word is too long");
        word[length++] = (char)c;
        c = getc(reader->in);
    }
    word[length] = 0;
    if (c != EOF)
        (void)ungetc(c, reader->in); /* one character is always possible */
    return length ? 0 : refuse(reader, "a value expected");
}

/* The four digits after "\u". */
static int read_code(struct json_reader *reader)
{
    int code = 0;

    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        int c = getc(reader->in);
        const char *at = c > 0 ? strchr(digits, c) : NULL;
        int digit = at ? (int)(at - digits) : -1;

        if (digit < 0)
            return refuse(reader, "four hex digits expected after \\u");
        code = code * 16 + (digit > 15 ? digit - 6 : digit);
    }
    return code;
}

static size_t encode(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* What follows "\u", with the second half of a pair. Returns how many bytes it makes, or -1. */
static int read_unicode(struct json_reader *reader, char out[4])
{
    int code = read_code(reader), low;

    if (code < 0)
        return -1;
    if (code >= 0xdc80 && code <= 0xdcff) { /* a byte that was no UTF-8, see cli.h */
        out[0] = (char)(code & 0xff);
        return 1;
    }
    if (code >= 0xdc00 && code <= 0xdfff)
        return refuse(reader, "half of a surrogate pair");
    if (code < 0xd800 || code > 0xdbff)
        return (int)encode((unsigned)code, out);
    if (getc(reader->in) != '\\' || getc(reader->in) != 'u')
        return refuse(reader, "half of a surrogate pair");
    low = read_code(reader);
    if (low < 0xdc00 || low > 0xdfff)
        return refuse(reader, "half of a surrogate pair");
    return (int)encode(0x10000u + ((unsigned)(code - 0xd800) << 10) + (unsigned)(low - 0xdc00),
                       out);
}

/* What follows a backslash. Returns how many bytes it makes, or -1. */
static int read_escape(struct json_reader *reader, char out[4])
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    int c = getc(reader->in);
    const char *at;

    if (c == 'u')
        return read_unicode(reader, out);
    at = c > 0 ? strchr(names, c) : NULL;
    if (!at)
        return refuse(reader, "unknown escape in a string");
    out[0] = bytes[at - names];
    return 1;
}

struct base64 {
    unsigned bits;
    int digits; /* of the group so far */
    int pads;
};

/* One more digit. Returns how many bytes are ready in `out`, or -1. */
static int base64_digit(struct base64 *state, char c, char out[3])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    if (c == '=' && state->digits >= 2)
        state->pads++;
    else if (!at || state->pads)
        return -1;
    state->bits = state->bits << 6 | (at ? (unsigned)(at - digits) : 0);
    if (++state->digits < 4)
        return 0;
    for (int i = 0; i < 3; i++)
        out[i] = (char)(state->bits >> (16 - 8 * i) & 0xff);
    state->digits = 0;
    state->bits = 0;
    return 3 - state->pads; /* pads stay: what follows them is an error */
}

/* Collects what is read, so that the spool is not called for each byte. */
struct batch {
    struct spool *into;
    size_t size;
    char data[4096];
};

static int batch_add(struct batch *batch, const char *data, size_t size)
{
    if (batch->size + size > sizeof batch->data) {
        if (spool_add(batch->into, batch->data, batch->size) < 0)
            return -1;
        batch->size = 0;
    }
    memcpy(batch->data + batch->size, data, size);
    batch->size += size;
    return 0;
}

int json_read_string(struct json_reader *reader, struct spool *into, int base64)
{
    struct batch batch = {.into = into};
    struct base64 state = {0};

    if (json_expect(reader, '"') < 0)
        return -1;
    for (;;) {
        int c = getc(reader->in), size = 1;
        char out[4] = {(char)c};

        if (c == '"')
            break;
        if (c == EOF)
            return refuse(reader, "the end came within a string");
        if (c < ' ')
            return refuse(reader, "a control character in a string");
        if (c == '\\')
            size = read_escape(reader, out);
        if (size > 0 && base64) {
            size = size == 1 ? base64_digit(&state, out[0], out) : -1;
            if (size < 0)
                return refuse(reader, "this is not base64");
        }
        if (size < 0)
            return -1;
        if (batch_add(&batch, out, (size_t)size) < 0)
            return refuse(reader, "no room for a value");
    }
    if (state.digits)
        return refuse(reader, "this is not base64");
    if (spool_add(into, batch.data, batch.size) < 0)
        return refuse(reader, "no room for a value");
    return 0;
}
