/* requests.h - the frame of the programs of a line protocol: one request a line, words separated by blanks;
 * one answer a line: "ok VALUE..." or "err NUMBER TEXT".
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef REQUESTS_H
#define REQUESTS_H

#include "words.h"

#include <stdbool.h>
#include <string.h>

static char *saved; /* what is left of the line */

static inline char *word(void)
{
    return strtok_r(NULL, " \n", &saved);
}

static inline void answer(int rc)
{
    if (rc < 0)
        printf("err %d %s; %s\n", rc, dcache_strerror(rc), dcache_last_error()->text);
    else
        printf("ok\n");
}

struct request {
    const char *verb;
    void (*call)(void);
    void (*call_as)(const char *verb); /* or this, of several verbs */
};

#define REQUEST(name)                    \
    {                                    \
        .verb = #name, .call = do_##name \
    }

/* Do what a verb says; false if it is none of these. */
static inline bool request_run(const struct request *table, size_t count, const char *verb)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(verb, table[i].verb) != 0)
            continue;
        if (table[i].call != NULL)
            table[i].call();
        else
            table[i].call_as(verb);
        return true;
    }
    return false;
}

/* Until the end of the input; the exit status. */
static inline int serve(void (*run)(const char *verb))
{
    char *line = NULL;
    size_t size = 0;
    int status = 0;

    while (status == 0 && getline(&line, &size, stdin) > 0) {
        const char *verb = strtok_r(line, " \n", &saved);

        if (verb == NULL)
            die("an empty request");
        run(verb);
        drop_garbage();
        status = fflush(stdout) != 0;
    }
    free(line);
    return status;
}

#endif
