/* cli.h - what the commands of diskcache(1) share: arguments, values, JSON, messages.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A command is a table entry (its options included) and one function. main.c parses the arguments
 * by that table and calls the function, whose result is the exit code; it checks what it was given
 * and only then opens the cache, so that wrong usage leaves nothing behind. Results go to stdout, which main.c flushes and checks at the end: a command need not
 * look at each printf. Everything else goes to stderr.
 */
#ifndef DISKCACHE_CLI_H
#define DISKCACHE_CLI_H

#include <diskcache.h>

#include <stdio.h>

enum exit_code {
    EXIT_HIT = 0,     /* done, or found */
    EXIT_MISS = 1,    /* not found, or problems found */
    EXIT_USAGE = 2,   /* what was asked for makes no sense */
    EXIT_TIMEOUT = 3, /* the lock was not to be had in time */
    EXIT_IO = 4       /* I/O error, damage, no memory */
};

/* ---- commands and their arguments: args.c -------------------------------------------------- */

struct option_spec {
    char letter;          /* 0: none */
    const char *name;     /* NULL ends a table */
    const char *argument; /* NULL: takes none */
    const char *help;
};

struct given {
    const struct option_spec *option;
    const char *value;
};

struct args {
    char **words; /* what is no option, in order */
    int count;
    struct given *given; /* the options, in order */
    int given_count;
    int used; /* how many of argv were looked at (of interest with stop_early) */
};

struct cli;

struct command {
    const char *name;
    const char *arguments; /* as shown in the usage line */
    const char *summary;
    int min, max;   /* how many words; max -1: any number */
    int stop_early; /* the first word ends the options: `run` */
    const struct option_spec *options;
    int (*run)(struct cli *cli, const struct args *args);
    const char *notes;        /* the rest of its help, or NULL */
    const struct verb *verbs; /* of a command whose first word is one: see verbs.c */
};

/* `deque push`, `index popitem`: a command in a command. It gets its words without the verb. */
struct verb {
    const char *name; /* NULL ends a table */
    const char *arguments;
    const char *summary;
    int min, max;
    const struct option_spec *options; /* those of the command that it takes; NULL: none */
    int (*run)(struct cli *cli, const struct args *args);
    const struct command *like; /* instead of all from `arguments` on */
};
const char *verb_arguments(const struct verb *verb);
int run_verb(struct cli *cli, const struct args *args);
int run_length(struct cli *cli, const struct args *args); /* the verb `len` */

extern const struct option_spec common_options[];

/* Sort argv[1..] into words and options. An argument that looks like a negative number is a word.
 * Fails with EXIT_USAGE, after a message. Release with args_clear(). */
int args_parse(struct cli *cli, int argc, char **argv, const struct option_spec *options,
               int stop_early, struct args *args);
void args_clear(struct args *args);

/* The last value given for an option ("" for one that takes none), or NULL. */
const char *args_option(const struct args *args, const char *name);

/* "1h30m", "90", "1.5h", "500ms", "2w": seconds. 0, or -1 for what is no duration. */
int parse_duration(const char *text, double *ret_seconds);

/* The whole text as a number. 0, or -1. */
int parse_int(const char *text, int64_t *ret_number);
int parse_double(const char *text, double *ret_number);

/* ---- the state of this run: main.c, report.c ----------------------------------------------- */

struct cli {
    const char *directory;
    int json;
    double timeout; /* as struct dcache_open_options has it */
    int shards;     /* of a cache that is made; 0: it is a single directory */
    const struct command *command;
    const struct verb *verb; /* of the command, or NULL */
    int collection;          /* a cache that is made is to evict nothing */
    dcache *cache;
    int output_error; /* errno of a failed write to stdout, where somebody has looked */
    void *blocks;     /* memory that lives as long as this: cli_alloc() */
};

extern const struct command *const commands[]; /* ends with NULL */
const struct command *command_find(const char *name);

/* Memory that is released at the end; the program ends when there is none. */
void *cli_alloc(struct cli *cli, size_t size);
void cli_free_all(struct cli *cli);

/* The directory: given, or the default. Both fail with an exit code, after a message. */
int cli_directory(struct cli *cli);
/* Open the cache, single or fanout as it is, when the arguments have turned out to make sense. main.c
 * closes it. */
enum opening {
    OPEN_THERE,   /* where there is none: EXIT_MISS, with a message */
    OPEN_QUIETLY, /* ... without one: for the caller it is a cache without items */
    OPEN_CREATE   /* ... it is made */
};
int cli_open(struct cli *cli, enum opening opening);

/* A line on stderr, "diskcache: COMMAND: ..."; the functions that return, return an exit code. */
void warn(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fail(const struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fail_status(const struct cli *cli, int status); /* a failed call of the library */
int exit_for(int status);                           /* which code stands for a status */
int fail_errno(const struct cli *cli, const char *what);

/* A line on stderr that is overwritten, at most ten times a second, on a terminal only. */
struct progress {
    const char *what;
    double last;
    int shown;
};
void progress_step(struct progress *progress, int64_t done);
void progress_end(struct progress *progress);
double clock_now(void); /* seconds, monotonic */

void print_command_help(const struct command *command);

/* ---- values: value.c, print_entry.c -------------------------------------------------------- */

const char *type_name(enum dcache_type type);

/* `text` as a value of the named type (NULL: text); bytes and pickles in hex. The result points
 * into `text` or lives as long as `cli`. Fails with EXIT_USAGE, after a message. */
int value_parse(struct cli *cli, const char *type, const char *text, struct dcache_value *ret);

int key_argument(struct cli *cli, const struct args *args, const char *text,
                 struct dcache_value *ret_key); /* by --type */
int tag_argument(struct cli *cli, const struct args *args, const char *option,
                 struct dcache_value *ret_tag); /* by --tag-type; NONE when not given */
int side_argument(struct cli *cli, const struct args *args, enum dcache_side otherwise,
                  enum dcache_side *ret_side); /* by --side */
int expire_argument(struct cli *cli, const struct args *args, double *ret_expire);

/* A number as Python would write it: the shortest form that reads back as the same. */
#define NUMBER_SIZE 40
void format_double(double number, char text[NUMBER_SIZE]);

/* On one line, so that a human can read it: control characters escaped, bytes in hex. */
void print_plain(FILE *out, const struct dcache_value *value);
void print_time(FILE *out, double time); /* local time; "never" */
void print_size(FILE *out, int64_t bytes);

/* Results of get, pop, pull, peek. `flags` for the call that fetches the entry. */
int print_entry(struct cli *cli, const struct args *args, struct dcache_entry *entry);
/* `key` may be NULL, and so may `fallback`, which is printed in place of a value. */
int print_missing(struct cli *cli, const struct dcache_value *key, const char *fallback);

/* Fetch an item and print it, by the options above: cmd_get.c. */
enum fetch {
    FETCH_GET,
    FETCH_POP,
    FETCH_PULL,
    FETCH_PEEK,
    FETCH_AT,
    FETCH_POPITEM,
    FETCH_PEEKITEM
};
struct request {
    enum fetch what;
    struct dcache_value key; /* get, pop */
    const char *prefix;      /* pull, peek */
    enum dcache_side side;   /* all but get and pop */
    int64_t index;           /* at: from that side */
};
int fetch_and_print(struct cli *cli, const struct args *args, const struct request *request);
/* The same, by --side, and --prefix where the command takes one. */
int fetch_from_side(struct cli *cli, const struct args *args, enum fetch what,
                    enum dcache_side otherwise);
#define FETCH_OPTIONS                                                                        \
    {'o', "output", "FILE", "write the value to FILE, which changes only if all went well"}, \
        {0, "raw", NULL, "write the bytes of a Python pickle, which is never unpickled"},    \
    {                                                                                        \
        0, "default", "TEXT", "print TEXT when there is nothing, and exit with 0"            \
    }
#define TYPE_OPTION                                                                            \
    {                                                                                          \
        't', "type", "TYPE", "of KEY: text (default), int, float, bytes or pickle (hex), none" \
    }

/* A value to store, from a word, stdin or a file, by these options: cmd_set.c. `word` may be NULL:
 * then there has to be a --file, or --none. The source lives as long as the value. */
struct source;
struct source *source_new(struct cli *cli);
int source_argument(struct cli *cli, const struct args *args, const char *word,
                    struct source *source, struct dcache_value *ret_value);
void source_end(struct source *source);
int fail_store(struct cli *cli, int status, const struct dcache_value *value);
#define FILE_OPTION                                                                     \
    {                                                                                   \
        'f', "file", "FILE", "take the value from FILE, as bytes unless told otherwise" \
    }
#define KIND_OPTIONS                                                         \
    {0, "text", NULL, "store as text (default for a VALUE)"},                \
        {0, "bytes", NULL, "store as bytes (default for stdin and --file)"}, \
        {0, "int", NULL, "store as integer"},                                \
        {0, "float", NULL, "store as floating-point number"},                \
        {0, "none", NULL, "store Python's None; needs no VALUE"},            \
        {0, "pickle", NULL, "the bytes are a Python pickle"},                \
    {                                                                        \
        0, "hex", NULL, "VALUE is in hex: bytes, or with --pickle a pickle"  \
    }

/* Bytes of a value, wherever it lies; of an entry that was read with DCACHE_AS_STORED. */
int64_t entry_value_size(const struct dcache_entry *entry);

/* The library may hand numbers back as a descriptor too (DCACHE_AS_FD): make them values again. */
int entry_settle(struct dcache_entry *entry);

/* ---- JSON: json.c, json_read.c ------------------------------------------------------------- */

/* Values in JSON: text is a string, numbers are numbers (a double always has a point or exponent),
 * none is null, and {"bytes": base64}, {"pickle": base64}, {"float": "nan" "inf" "-inf"}. A byte
 * that is not part of UTF-8 becomes \udcXX, as Python's surrogateescape has it. */
struct json {
    FILE *out;
    int comma;             /* the next item needs one */
    unsigned char part[4]; /* an unfinished UTF-8 sequence, or base64 group */
    size_t part_size;
};

/* {"NAME": NUMBER} on a line. */
void json_number_line(const char *name, int64_t number);
void print_number(const struct cli *cli, const char *name,
                  int64_t number); /* that, or the number */
void json_truth_line(const char *name, int truth);

void json_open(struct json *json, char bracket);
void json_close(struct json *json, char bracket);
void json_name(struct json *json, const char *name);
void json_colon(struct json *json); /* after a name that was written as a string */
void json_string(struct json *json, const char *text);
void json_int(struct json *json, int64_t number);
void json_unsigned(struct json *json, uint64_t number);
void json_double(struct json *json, double number);
void json_bool(struct json *json, int truth);
void json_null(struct json *json);
void json_value(struct json *json, const struct dcache_value *value);
void json_expire(struct json *json, double time);
void json_tag_and_times(struct json *json, const struct dcache_entry *entry); /* null: never */
int json_fd(struct json *json, int fd, enum dcache_type kind); /* 0, or -1 with errno */
void json_end(struct json *json);                              /* the newline */

/* If the data is what Python's MsgpackDisk has packed: under `name`, what that is. 1, or 0. Beyond JSON
 * there are {"tuple": [...]}, {"decimal": TEXT} and the like, and {"map": [[KEY, VALUE], ...]} for
 * one whose keys are not all texts. */
int json_msgpack(struct json *json, const char *name, const void *data, size_t size);

/* The bytes of an entry's descriptor, to be freed; NULL: there is none, or it is too large to be shown. */
char *entry_data(const struct dcache_entry *entry, size_t *ret_size);

/* json_msgpack() or json_pickle() of them. */
void json_entry_data(struct json *json, const struct dcache_entry *entry);

/* If the data is a pickle of plain data, what that is, as "pickle", in the same form (integers of more than 64
 * bits: {"integer": HEX}); if it would import something, what that is, as "imports". It is not run. */
void json_pickle(struct json *json, const void *data, size_t size);

/* The same without a name; else "<pickle: MODULE.NAME ...>", or "<pickle>". 1 if it is plain data. */
int print_pickle(FILE *out, const void *data, size_t size);

void json_string_begin(struct json *json);
void json_string_add(struct json *json, const void *data, size_t size);
void json_string_end(struct json *json);
void json_base64_begin(struct json *json);
void json_base64_add(struct json *json, const void *data, size_t size);
void json_base64_end(struct json *json);

struct spool;

struct json_reader {
    FILE *in;
    int64_t line;
    const char *error; /* NULL while all is well */
};

/* For load: the next character that is no white space, not consumed; EOF at the end. */
int json_peek(struct json_reader *reader);
int json_expect(struct json_reader *reader, char wanted); /* consume it; 0 or -1 */
int json_read_string(struct json_reader *reader, struct spool *into, int base64);
int json_read_word(struct json_reader *reader, char *word, size_t size); /* a number, null, ... */

/* ---- bulk data: spool.c, sha256.c ---------------------------------------------------------- */

/* Bytes that are collected: in memory while they are few, then in a file without a name. */
struct spool {
    char *buffer;
    size_t buffered;
    int64_t total;
    int fd; /* -1: all is in memory */
    void *map;
};

void spool_init(struct spool *spool);
int spool_add(struct spool *spool, const void *data, size_t size); /* 0, or -1 with errno */
int spool_add_fd(struct spool *spool, int fd);
int spool_patch(struct spool *spool, const void *data, size_t size); /* over the first bytes */
/* As a value to store; large bytes become a DCACHE_FD. 0, or -1 with errno. */
int spool_value(struct spool *spool, enum dcache_type type, struct dcache_value *ret_value);
/* The descriptor, rewound, also of few bytes; the spool keeps it. -1 with errno. */
int spool_descriptor(struct spool *spool);
/* Read from a place. As pread(). */
ssize_t spool_read(const struct spool *spool, int64_t offset, void *data, size_t size);
void spool_clear(struct spool *spool);

ssize_t read_some(int fd, void *data, size_t size);   /* read(), again after EINTR */
int write_all(int fd, const void *data, size_t size); /* 0, or -1 with errno */

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    unsigned char block[64];
};
void sha256_init(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t size);
void sha256_end(struct sha256 *sha, char hex[65]);

#endif
