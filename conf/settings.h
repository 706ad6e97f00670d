/* The configuration as plain values: what mailbrake.conf says, defaults filled in, paths
 * made absolute. See mailbrake.conf(5). */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problems.h"
#include "conf/console_settings.h"
#include "conf/ldap_settings.h"
#include "conf/mta_settings.h"
#include "conf/role.h"
#include "policy/policy.h"

/* The files of kept members know these by number. */
enum list_kind {
    LIST_FILE,
    LIST_ALIASES,
    LIST_VIRTUAL,
    LIST_FOLDER,
    LIST_LDAP,
    LIST_POSTFIX, /* an ldap_table(5) file */
    LIST_MAILMAN,
};

/* One entry of lists. */
struct list_source {
    enum list_kind kind;
    char *address;  /* LIST_FILE: canonical */
    char *path;     /* of a file or folder; a server's lists are called so */
    char *identity; /* what decides which lists it has: kept members belong to that; NULL:
                     * path */
    struct domains domains;     /* where bare names answer; empty: the own domains */
    char *column;               /* of addresses in a folder's tables */
    char *user;                 /* LIST_MAILMAN; "": none */
    int64_t max_age_ms;         /* unreadable for longer: unknown */
    int64_t refresh_ms;         /* between reads; 5m for files, 1h for servers */
    int64_t max_growth;         /* thousandths; 0: no list of it jumps */
    int64_t growth_floor;       /* a jump is more members than that */
    int64_t timeout_ms;         /* of a whole read of a server */
    int64_t request_timeout_ms; /* of each step of it */
    char *password_file;        /* of a server; NULL or "": none */
    struct ldap_settings ldap;  /* LIST_LDAP */
    int line;
    const char *file; /* where that line is, one of the settings' files */
};

enum store_type { STORE_TYPE_REDIS, STORE_TYPE_MEMORY };
enum on_failure { ON_FAILURE_LOCAL, ON_FAILURE_TEMPFAIL, ON_FAILURE_ACCEPT };
enum privacy { PRIVACY_CLEAR, PRIVACY_HASHED };

struct store_settings {
    enum store_type type;
    char *host; /* of tcp:HOST:PORT or tls:HOST:PORT; NULL when it is a unix socket */
    int port;
    int tls;                         /* 1: over TLS */
    char *path;                      /* of unix:PATH; else NULL */
    struct strings seeds;            /* server as an array: nodes of a Cluster */
    struct strings sentinels;        /* these are asked for master instead of server */
    char *master;                    /* "" when there is none */
    char *sentinel_password_file;    /* "" when there is none */
    char *username, *password_file;  /* "" when there is none */
    char *ca_file;                   /* "": whom this system trusts */
    char *cert_file, *cert_key_file; /* ours; "" when there is none */
    int database;
    char *prefix;
    int timeout_ms;   /* 10 to 10000 */
    int connections;  /* 1 to 256 */
    char *state_file; /* "" when there is none */
    enum on_failure on_failure;
    int nodes; /* 1 to 1000 */
};

/* Owned strings. */
struct names {
    char **items;
    size_t count;
};

/* Options that need a restart; settings_keep checks it. */
enum { SETTINGS_RESTART_MAX = 40 };

struct settings {
    char *file;  /* the configuration's own path, as given */
    char *relay; /* this relay's name; "": that of the machine */
    struct {
        char *socket; /* as smfi_setconn(3) wants it: unix:PATH or inet:PORT@HOST */
        unsigned socket_mode;
    } milter;
    struct {
        char *socket, *group;
        struct names roles[ROLE_COUNT]; /* system groups; of ROLE_ADMIN: none */
        bool metrics_public;
        char *metrics; /* as tcp_address_parse reads it; "": not served over TCP */
    } control;
    struct mta_settings mta;
    struct console_settings console;
    struct {
        int max_per_incident, max_messages;
        int64_t min_free_bytes, expire_ms;
        int approve_over; /* people; 0: one administrator always suffices */
    } quarantine;
    struct {
        char **to;
        size_t to_count;
        char *command;
        int64_t min_interval_ms;
        bool tell_sender;
        int weekly; /* notify.report: 1, one report a week; 0, none */
    } notify;
    struct {
        enum privacy addresses;
        char *key_file; /* "" when there is none */
        int64_t retention_ms;
    } privacy;
    struct store_settings store;
    int64_t max_growth, growth_floor; /* of sources that don't say otherwise */
    struct list_source *lists;
    size_t list_count;
    struct policy policy; /* linked */
    char **files;         /* what was read: file, then what it includes */
    size_t file_count;
    /* Names of options whose new value waits for a restart, of the table of options. */
    const char *restart[SETTINGS_RESTART_MAX];
    size_t restart_count;
};

/* Reads and checks a configuration. All errors go to problems in one go, with file and
 * line; warnings too. OK when there was no error; INVALID otherwise, IO when the file
 * can't be read, NOMEM; then *out is empty. */
enum status settings_load(const char *path, struct settings *out,
                          struct problems *problems) MUST_CHECK;
void settings_clear(struct settings *settings);

/* For a configuration with errors: adds one for each list, key and password file in it
 * that can't be opened, so that everything is reported at once. */
void settings_try_files(const char *path, struct problems *problems);

/* For a configuration with errors: the control.socket that it names, owned by the caller;
 * NULL when it can't be found out. */
char *settings_find_control(const char *path);

/* What only a restart changes (sockets, the store, the MTA, the key) is used as the
 * process started with it: gives fresh the values of the running settings, and names in
 * fresh->restart what the file says otherwise. NOMEM: fresh is of no use. */
enum status settings_keep(struct settings *fresh,
                          const struct settings *running) MUST_CHECK;

/* True when a reload does not change the option. */
bool settings_option_restarts(const char *name);

/* The names of all options, dotted ("store.timeout_ms", "rules.reach_over"): for the
 * tests that hold the sample and the manual against them. NULL-terminated, static. */
const char *const *settings_option_names(void);

#endif
