/* value.h - typed keys and values to and from the columns of a row. No I/O. */
#ifndef VALUE_H
#define VALUE_H

#include "os.h"

enum { MODE_NONE, MODE_RAW, MODE_BINARY, MODE_TEXT, MODE_PICKLE };

/* Pickles of None and NaN are made and recognised here: SQLite would store NaN as NULL. */
#define VALUE_SCRATCH 24

/* A key as stored: `ret_column` (INT, DOUBLE, TEXT or BYTES) borrows from `key` or `scratch`.
 * Fails: INVALID. */
int value_key(const struct dcache_value *key, int protocol, char scratch[VALUE_SCRATCH],
              struct dcache_value *ret_column, int *ret_raw);

/* The hash of a key as stored, by which 5.6.3 chooses a shard. */
uint32_t value_hash(const struct dcache_value *column);

/* A value as stored inline: column and mode. `*ret_file` is true when it has to go to a file
 * instead; then the column is NONE. Not for DCACHE_STORED. Fails: INVALID. */
int value_inline(const struct dcache_value *value, int64_t min_file_size, int protocol,
                 char scratch[VALUE_SCRATCH], struct dcache_value *ret_column, int *ret_mode,
                 bool *ret_file);

/* A tag as stored. Fails: INVALID. */
int value_tag(const struct dcache_value *tag, struct dcache_value *ret_column);

/* Back: in place, a column becomes what was stored. */
void value_recognise(struct dcache_value *value);

static inline void value_from_key(struct dcache_value *column, int raw)
{
    if (!raw && column->type == DCACHE_BYTES)
        value_recognise(column);
}

static inline void value_from_column(struct dcache_value *column, int mode)
{
    if (mode == MODE_PICKLE && column->type == DCACHE_BYTES)
        value_recognise(column);
}

/* What the bytes of a value's file are. */
enum dcache_type value_type_of_mode(int mode);

/* TEXT, BYTES, PICKLE: data and size. */
static inline bool value_is_data(const struct dcache_value *value)
{
    return value->type == DCACHE_TEXT || value->type == DCACHE_BYTES ||
           value->type == DCACHE_PICKLE;
}

/* Bytes that it would take inline; 0 for numbers. */
static inline size_t value_bytes(const struct dcache_value *value)
{
    return value_is_data(value) ? value->size : 0;
}

/* Keys as stored that SQLite takes for one (1 and 1.0 are) are equal here and have the same hash. */
struct dcache_value value_normal_key(const struct dcache_value *key);
uint64_t value_hash_key(const struct dcache_value *normal_key, int raw);

#endif
