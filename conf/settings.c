/* Loading: the text to a tree, the tree to settings by the table of options, the policy
 * linked; then what deserves a warning. */
#include "conf/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/options.h"
#include "conf/rules.h"
#include "conf/sources.h"
#include "conf/warnings.h"

/* Groups of options, read into the settings themselves. */
static const char *const sections[] = {"milter", "control", "quarantine", "confirm",
                                       "notify", "privacy", "store"};

/* A default that is an array. */
static void trust_local(struct reader *reader)
{
    struct policy *policy = &reader->settings->policy;
    struct element local;
    enum status status = element_parse("client:local", &policy->domains, &local, NULL);
    if (status == STATUS_OK) {
        status = elements_add(&policy->trusted, &local);
        if (status != STATUS_OK)
            element_clear(&local);
    }
    reader->failed = reader->failed || status != STATUS_OK;
}

static void read_all(struct reader *reader, const char *path)
{
    struct settings *settings = reader->settings;
    const struct node *root = tree_root(&reader->tree);
    if (reader->failed)
        return;
    reader_keep(reader, &settings->file, path);
    group_read(reader, &options_table, "", root, settings);
    if (tree_find(&reader->tree, root, "trusted") == NULL)
        trust_local(reader);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        group_read_section(reader, &options_table, sections[i], settings);
    group_read_section(reader, &mta_settings_table, "mta", &settings->mta);
    group_read_section(reader, &console_settings_table, "console", &settings->console);
}

/* Strings that are not elements are reported already, with a hint at a missing comma. */
static bool is_reported(const struct problems *problems, const struct place *joint)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (problem->line == joint->line && strcmp(problem->file, joint->file) == 0 &&
            strstr(problem->text, "comma") != NULL)
            return true;
    }
    return false;
}

static void refuse_joints(struct reader *reader)
{
    for (size_t i = 0; i < reader->tree.joint_count; i++) {
        const struct place *joint = &reader->tree.joints[i];
        if (!is_reported(reader->problems, joint))
            problems_error(reader->problems, joint->file, joint->line,
                           "no comma between this string and the one before it");
    }
}

/* What two must approve, no sender lets go alone, so none is asked. */
static void lower_confirm(struct settings *settings)
{
    int over = settings->quarantine.approve_over;
    if (over > 0 && over < settings->policy.confirm.max_reach)
        settings->policy.confirm.max_reach = over;
}

/* The line of a setting of store that is there. */
static const struct node *store_node(const struct reader *reader, const char *name)
{
    const struct tree *tree = &reader->tree;
    return tree_find(tree, tree_find(tree, tree_root(tree), "store"), name);
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void check_certificate(struct reader *reader)
{
    const struct store_settings *store = &reader->settings->store;
    const struct option certificate = {.name = "store.cert_file"};
    const struct option key = {.name = "store.cert_key_file"};
    if (is_set(store->cert_file) && !is_set(store->cert_key_file))
        reader_refuse(reader, &certificate, store_node(reader, "cert_file"),
                      "its key is missing: set store.cert_key_file");
    else if (is_set(store->cert_key_file) && !is_set(store->cert_file))
        reader_refuse(reader, &key, store_node(reader, "cert_key_file"),
                      "its certificate is missing: set store.cert_file");
}

/* Settings of store that are each right, but not together. */
static void check_store(struct reader *reader)
{
    const struct store_settings *store = &reader->settings->store;
    const struct option sentinels = {.name = "store.sentinels"};
    const struct option master = {.name = "store.master"};
    const struct option database = {.name = "store.database"};
    const struct node *asked = store_node(reader, "sentinels");
    const struct node *named = store_node(reader, "master");
    bool has_master = is_set(store->master);
    if (store->sentinels.count > 0 && !has_master)
        reader_refuse(reader, &sentinels, asked,
                      "store.master must say which of their masters it is");
    else if (store->sentinels.count > 0 && store->seeds.count > 0)
        reader_refuse(reader, &sentinels, asked,
                      "store.server is a Cluster, which has no Sentinels: leave one of "
                      "them out");
    if (has_master && (asked == NULL || asked->child_count == 0))
        reader_refuse(reader, &master, named, "is asked of store.sentinels: name them");
    if (store->seeds.count > 0 && store->database != 0)
        reader_refuse(reader, &database, store_node(reader, "database"),
                      "a Cluster has no database but 0");
    check_certificate(reader);
}

static enum status compile(struct reader *reader, const char *path)
{
    size_t errors = reader->problems->errors;
    struct settings *settings = reader->settings;
    enum status status = reader_open(reader, path);
    if (status != STATUS_OK)
        return status;
    read_all(reader, path);
    if (reader->failed)
        return STATUS_NOMEM;
    refuse_joints(reader);
    lower_confirm(settings);
    check_store(reader);
    status = policy_link(&settings->policy, path, reader->problems);
    if (status != STATUS_OK)
        return status;
    if (reader->problems->errors > errors)
        return STATUS_INVALID;
    warnings_add(reader);
    return STATUS_OK;
}

/* By file and line. */
static int compare_places(const void *left, const void *right)
{
    const struct problem *a = left;
    const struct problem *b = right;
    int files = strcmp(a->file, b->file);
    return files != 0 ? files : (a->line > b->line) - (a->line < b->line);
}

enum status settings_load(const char *path, struct settings *out,
                          struct problems *problems)
{
    struct settings settings = {0};
    struct reader reader = {.settings = &settings, .problems = problems};
    size_t before = problems->count;
    enum status status = compile(&reader, path);
    if (problems->count > before)
        qsort(problems->items + before, problems->count - before, sizeof *problems->items,
              compare_places);
    if (status == STATUS_OK) { /* the settings point into the names of files */
        settings.files = reader.tree.files;
        settings.file_count = reader.tree.file_count;
        reader.tree.files = NULL;
        reader.tree.file_count = 0;
    }
    reader_close(&reader);
    if (status != STATUS_OK)
        settings_clear(&settings);
    *out = settings;
    return status;
}

static void refuse_unreadable(struct reader *reader, const char *path, const char *file,
                              int line)
{
    if (path == NULL || path[0] == '\0')
        return;
    char byte;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    /* A folder can be opened, but not read. */
    if (fd < 0 || (read(fd, &byte, 1) < 0 && errno != EAGAIN))
        problems_error(reader->problems, file, line, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
}

static void try_files(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    for (size_t i = 0; i < settings->list_count; i++) {
        const struct list_source *source = &settings->lists[i];
        const char *file = source->file != NULL ? source->file : settings->file;
        if (source->kind == LIST_FILE || source->kind == LIST_ALIASES ||
            source->kind == LIST_VIRTUAL)
            refuse_unreadable(reader, source->path, file, source->line);
        refuse_unreadable(reader, source->password_file, file, source->line);
    }
    refuse_unreadable(reader, settings->privacy.key_file, settings->file, 0);
    refuse_unreadable(reader, settings->store.password_file, settings->file, 0);
    refuse_unreadable(reader, settings->store.sentinel_password_file, settings->file, 0);
}

void settings_try_files(const char *path, struct problems *problems)
{
    struct settings settings = {0};
    struct problems known = {0};
    struct reader reader = {.settings = &settings, .problems = &known};
    enum status status = compile(&reader, path);
    reader.problems = problems;
    if (status == STATUS_INVALID && settings.file != NULL)
        try_files(&reader);
    reader_close(&reader);
    settings_clear(&settings);
    problems_clear(&known);
}

char *settings_find_control(const char *path)
{
    struct settings settings = {0};
    struct problems known = {0};
    struct reader reader = {.settings = &settings, .problems = &known};
    char *socket = NULL;
    enum status status = compile(&reader, path);
    const struct tree *tree = &reader.tree;
    const struct node *control =
        tree->count == 0 ? NULL : tree_find(tree, tree_root(tree), "control");
    if (status == STATUS_INVALID && tree_find(tree, control, "socket") != NULL) {
        /* A syntax error comes before anything is read. */
        if (settings.file == NULL)
            read_all(&reader, path);
        if (settings.control.socket != NULL)
            socket = strdup(settings.control.socket);
    }
    reader_close(&reader);
    settings_clear(&settings);
    problems_clear(&known);
    return socket;
}

static void clear_store(struct store_settings *store)
{
    free(store->host);
    free(store->path);
    strings_clear(&store->seeds);
    strings_clear(&store->sentinels);
    free(store->master);
    free(store->sentinel_password_file);
    free(store->username);
    free(store->password_file);
    free(store->ca_file);
    free(store->cert_file);
    free(store->cert_key_file);
    free(store->prefix);
    free(store->state_file);
}

static void clear_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

void settings_clear(struct settings *settings)
{
    free(settings->file);
    free(settings->relay);
    free(settings->milter.socket);
    free(settings->control.socket);
    free(settings->control.group);
    free(settings->control.metrics);
    for (size_t i = 0; i < ROLE_COUNT; i++)
        clear_names(&settings->control.roles[i]);
    mta_settings_clear(&settings->mta);
    console_settings_clear(&settings->console);
    for (size_t i = 0; i < settings->notify.to_count; i++)
        free(settings->notify.to[i]);
    free(settings->notify.to);
    free(settings->notify.command);
    free(settings->privacy.key_file);
    clear_store(&settings->store);
    sources_clear(settings);
    policy_clear(&settings->policy);
    for (size_t i = 0; i < settings->file_count; i++)
        free(settings->files[i]);
    free(settings->files);
    *settings = (struct settings){0};
}
