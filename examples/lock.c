/* lock.c - number the lines that several processes append to one file: the next number is the last
 * one of the file plus 1, so only one process at a time may look and write.
 * cc lock.c $(pkg-config --cflags --libs diskcache) && ./a.out lock-cache numbered.txt TEXT COUNT */
#include <diskcache_recipes.h>
#include <stdio.h>
#include <stdlib.h>

struct line {
    const char *file, *text;
};

/* Runs with the lock held; if this process is killed in it, the next one has the lock at once. */
static int append(void *arg)
{
    const struct line *line = arg;
    FILE *file = fopen(line->file, "a+");
    char text[400];
    int last = 0;

    if (!file)
        return -1;
    while (fgets(text, sizeof text, file))
        (void)sscanf(text, "%d", &last); /* the rest of a long line has no number */
    (void)fprintf(file, "%d %s\n", last + 1, line->text);
    return fclose(file) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct dcache_value key;
    struct line line;
    dcache_lock *lock = NULL;
    dcache *cache = NULL;
    int rc;

    if (argc < 5) {
        (void)fprintf(stderr, "usage: lock DIRECTORY FILE TEXT COUNT\n");
        return 2;
    }
    line = (struct line){argv[2], argv[3]};
    key = dcache_text(argv[2]);
    rc = dcache_open(argv[1], NULL, &cache);
    if (rc == 0)
        rc = dcache_lock_open(cache, &key, NULL, &lock);
    for (int n = atoi(argv[4]); rc == 0 && n > 0; n--)
        rc = dcache_barrier(lock, DCACHE_FOREVER, append, &line);
    if (rc < 0)
        (void)fprintf(stderr, "lock: %s\n", dcache_last_error()->text);
    dcache_lock_close(lock);
    dcache_close(cache);
    return rc < 0;
}
