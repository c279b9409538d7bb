/* rest.c - looking at a database that nobody has open. See rest.h. */
#include "rest.h"

void rest_forget(struct rest *rest)
{
    dcache_settings_free(rest->list, rest->count);
    rest->list = NULL;
    rest->count = 0;
}

static bool lasts(const struct rest *rest, int dir)
{
    struct stat now;

    return directory_is_at_rest(dir, &now) && directory_same_file(&rest->file, &now);
}

static bool changes_nothing(const struct rest *rest, const struct dcache_open_options *options)
{
    for (size_t i = 0; i < options->settings_count; i++)
        if (!settings_has(rest->list, rest->count, &options->settings[i]))
            return false;
    return true;
}

bool rest_look(struct rest *rest, int dir, const char *path, unsigned shards,
               const struct dcache_open_options *options, struct settings *settings)
{
    struct settings read;

    rest_forget(rest);
    if (!directory_is_at_rest(dir, &rest->file) ||
        schema_peek(path, &read, shards, &rest->list, &rest->count) < 0)
        return false;
    if (!changes_nothing(rest, options) || !lasts(rest, dir)) {
        rest_forget(rest);
        return false;
    }
    settings_copy(settings, &read);
    return true;
}

bool rest_take(struct rest *rest, int dir, struct dcache_setting **ret_list, size_t *ret_count)
{
    bool valid = rest->list && lasts(rest, dir);

    if (valid) {
        *ret_list = rest->list;
        *ret_count = rest->count;
        rest->list = NULL;
    }
    rest_forget(rest);
    return valid;
}
