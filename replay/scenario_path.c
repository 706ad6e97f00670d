/* A file of the working folder comes before an installed scenario. */
#include "replay/scenario_path.h"

#include <string.h>
#include <unistd.h>

enum status scenario_path_find(const char *name, const char *folder,
                               struct text *out_path, struct error *error)
{
    static const char *const endings[] = {"", ".scenario"};
    text_add_string(out_path, name);
    bool there = strchr(name, '/') != NULL || access(name, F_OK) == 0;
    for (size_t i = 0; i < 2 && !there && name[0] != '\0'; i++) {
        text_reset(out_path);
        text_printf(out_path, "%s/%s%s", folder, name, endings[i]);
        there = !out_path->failed && access(text_string(out_path), F_OK) == 0;
    }
    if (out_path->failed)
        return error_set(error, STATUS_NOMEM, "out of memory");
    if (there)
        return STATUS_OK;
    return error_set(error, STATUS_NOT_FOUND,
                     "there is no file \"%.100s\", and no scenario of that name in %s",
                     name, folder);
}
