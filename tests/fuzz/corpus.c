/* In place of libFuzzer: each file of a directory is one input. Says how many there were. */
#include "fuzz.h"

#include <dirent.h>

static int run_file(const char *directory, const char *name)
{
    char path[512];
    struct stat st;
    uint8_t *data;
    FILE *in;
    int rc = -1;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    in = fopen(path, "rbe");
    if (!in)
        return -1;
    data = fstat(fileno(in), &st) == 0 ? malloc((size_t)st.st_size + 1) : NULL;
    if (data && fread(data, 1, (size_t)st.st_size, in) == (size_t)st.st_size)
        rc = LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    free(data);
    (void)fclose(in);
    return rc;
}

#undef main /* that of the tool has another name here */
int main(int argc, char **argv)
{
    DIR *stream = argc > 1 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int count = 0, failed = 0;

    while (stream && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        failed += run_file(argv[1], entry->d_name) != 0;
    }
    if (stream)
        (void)closedir(stream);
    (void)printf("%d passed, %d failed\n", count - failed, failed);
    return count == 0 || failed > 0;
}
