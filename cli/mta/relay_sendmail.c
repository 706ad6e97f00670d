/* The Sendmail side: what sendmail.cf says of the filter, of domains, aliases and of the
 * tables that make one recipient another. Names and syntax as in Sendmail's op.me. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/mta/relay_parts.h"

enum { NAME_SIZE = 300 };

struct sendmail {
    struct relay *relay;
    char filter[NAME_SIZE]; /* the name that our socket has there */
    bool waits;             /* F=T */
    bool asked;             /* it stands in InputMailFilters */
};

static void judge(const struct sendmail *sendmail, const char *name, const char *value,
                  relay_judge *call)
{
    const struct relay_setting setting = {
        .relay = sendmail->relay, .name = name, .value = value};
    call(&setting);
}

static void say(const struct sendmail *sendmail, const char *text)
{
    const struct relay_setting setting = {.relay = sendmail->relay, .name = ""};
    relay_say(&setting, RELAY_SURE, "%s", text);
}

/* ---- the filter ---- */

/* The value of "S=unix:/path" in a line of options; cut to size. */
static bool find_field(const char *line, const char *name, char *out, size_t size)
{
    struct words words = words_of(line);
    const char *word;
    while ((word = words_next(&words)) != NULL) {
        const char *value = text_after(word, name);
        if (value == NULL)
            continue;
        (void)snprintf(out, size, "%s", value);
        return true;
    }
    return false;
}

static bool is_ours(const struct relay *relay, const char *theirs)
{
    const char *ours = relay->settings->milter.socket;
    const char *path = text_after(theirs, "unix:");
    const char *our_path = text_after(ours, "unix:");
    path = path == NULL ? text_after(theirs, "local:") : path;
    if (path != NULL && our_path != NULL)
        return relay_is_same_file(path, our_path);
    return strcmp(theirs, ours) == 0;
}

/* "Xmailbrake, S=unix:/path, F=T, T=..." */
static void take_filter(struct sendmail *sendmail, const char *line)
{
    char socket[WORDS_ITEM_SIZE];
    char flags[NAME_SIZE] = "";
    if (!find_field(line, "S=", socket, sizeof socket) ||
        !is_ours(sendmail->relay, socket))
        return;
    (void)snprintf(sendmail->filter, sizeof sendmail->filter, "%.*s",
                   (int)strcspn(line, ", \t"), line);
    sendmail->waits =
        find_field(line, "F=", flags, sizeof flags) && strchr(flags, 'T') != NULL;
}

/* "spam, mailbrake", or "spam;mailbrake" within the options of a daemon. */
static bool is_last(const struct sendmail *sendmail, const char *list, bool *out_there)
{
    bool last = false;
    *out_there = false;
    while (*list != '\0') {
        size_t length = strcspn(list, ",; \t\r\n");
        if (length > 0)
            last = length == strlen(sendmail->filter) &&
                   strncmp(list, sendmail->filter, length) == 0;
        *out_there = *out_there || last;
        list += length;
        list += strspn(list, ",; \t\r\n");
    }
    return last;
}

static void check_filters(struct sendmail *sendmail, const char *list)
{
    bool there;
    bool last = is_last(sendmail, list, &there);
    sendmail->asked = sendmail->asked || there;
    if (there && !last)
        say(sendmail, "Mailbrake must come last in InputMailFilters, since later milters "
                      "don't see a message that it holds");
}

/* A daemon's own list counts instead of the one for all. */
static void check_daemon(struct sendmail *sendmail, const char *options)
{
    char own[WORDS_ITEM_SIZE];
    bool there;
    if (!find_field(options, "InputMailFilters=", own, sizeof own) &&
        !find_field(options, "I=", own, sizeof own))
        return;
    if (!is_last(sendmail, own, &there))
        say(sendmail,
            "DaemonPortOptions: mail to this port is not shown to Mailbrake, or "
            "not last; take InputMailFilters out of it");
}

/* ---- domains, tables ---- */

static void take_domain_file(const struct sendmail *sendmail, const char *text)
{
    char path[WORDS_ITEM_SIZE];
    const char *at = text + strspn(text, " \t");
    if (text_after(at, "-o") != NULL)
        at += strlen("-o");
    words_first(at, path, sizeof path);
    if (path[0] == '/')
        judge(sendmail, "class w", path, relay_judge_domains);
}

/* "virtuser hash -o /etc/mail/virtusertable.db" */
static void take_table(const struct sendmail *sendmail, const char *line)
{
    char table[WORDS_ITEM_SIZE];
    const char *path = strchr(line, '/');
    const char *rest = text_after(line, "virtuser ");
    if (rest == NULL)
        return;
    if (path == NULL) {
        (void)snprintf(table, sizeof table, "%s", rest);
    } else {
        size_t length = strlen(path);
        if (length > 3 && strcmp(path + length - 3, ".db") == 0)
            length -= 3;
        (void)snprintf(table, sizeof table, "hash:%.*s", (int)length, path);
    }
    judge(sendmail, "virtusertable", table, relay_judge_rewriting);
}

/* "/etc/mail/aliases, hash:/etc/mail/more" */
static void take_aliases(const struct sendmail *sendmail, const char *list)
{
    struct words words = words_of(list);
    const char *word;
    while ((word = words_next(&words)) != NULL) {
        char table[WORDS_ITEM_SIZE + 10];
        if (word[0] == '-')
            continue;
        const char *path = word[0] == '/' ? word : text_after(word, "hash:");
        path = path == NULL ? text_after(word, "btree:") : path;
        path = path == NULL ? text_after(word, "dbm:") : path;
        path = path == NULL ? text_after(word, "implicit:") : path;
        (void)snprintf(table, sizeof table, "%s%s",
                       path == NULL ? "" : "hash:", path == NULL ? word : path);
        judge(sendmail, "AliasFile", table, relay_judge_aliases);
    }
}

/* "$z/.forward.$w:$z/.forward": $z is the home, $u the user; others are not followed. */
static void take_forward(const struct sendmail *sendmail, const char *list)
{
    struct text paths = {0};
    for (const char *c = list; *c != '\0'; c++) {
        if (c[0] == '$' && c[1] == 'z')
            text_add_string(&paths, "$home");
        else if (c[0] == '$' && c[1] == 'u')
            text_add_string(&paths, "$user");
        else
            text_add(&paths, *c == ':' ? " " : c, 1);
        c += c[0] == '$' && (c[1] == 'z' || c[1] == 'u');
    }
    if (!paths.failed)
        judge(sendmail, "ForwardPath", text_string(&paths), relay_judge_forward);
    text_clear(&paths);
}

/* "local:everybody", or a host behind another mailer. */
static void take_luser(const struct sendmail *sendmail, const char *value)
{
    const char *colon = strrchr(value, ':');
    judge(sendmail, "LUSER_RELAY", colon == NULL ? value : colon + 1, relay_judge_luser);
}

/* ---- sendmail.cf ---- */

static void take_filters(struct sendmail *sendmail, char *line)
{
    const char *rest = text_after(line, "O InputMailFilters=");
    if (rest != NULL)
        check_filters(sendmail, rest);
    rest = text_after(line, "O DaemonPortOptions=");
    if (rest != NULL)
        check_daemon(sendmail, rest);
}

static void take_line(struct sendmail *sendmail, char *line)
{
    static const struct {
        const char *begins;
        void (*take)(const struct sendmail *sendmail, const char *rest);
    } kinds[] = {
        {"Fw", take_domain_file},
        {"F{w}", take_domain_file},
        {"K", take_table},
        {"O AliasFile=", take_aliases},
        {"DL", take_luser},
        {"D{LUSER_RELAY}", take_luser},
        {"O ForwardPath=", take_forward},
    };
    take_filters(sendmail, line);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *rest = text_after(line, kinds[i].begins);
        if (rest != NULL)
            kinds[i].take(sendmail, rest);
    }
    const char *domains = text_after(line, "Cw");
    domains = domains == NULL ? text_after(line, "C{w}") : domains;
    if (domains != NULL)
        judge(sendmail, "class w", domains, relay_judge_domains);
}

/* Twice: filters stand below the options that name them. */
static void read_lines(struct sendmail *sendmail, FILE *file, bool filters)
{
    char *line = NULL;
    size_t size = 0;
    rewind(file);
    sendmail->relay->line = 0;
    while (getline(&line, &size, file) >= 0) {
        sendmail->relay->line++;
        line[strcspn(line, "\r\n")] = '\0';
        if (filters && line[0] == 'X')
            take_filter(sendmail, line + 1);
        else if (!filters)
            take_line(sendmail, line);
    }
    free(line);
    sendmail->relay->line = 0;
}

void relay_check_sendmail(struct relay *relay)
{
    struct text path = {0};
    struct sendmail sendmail = {.relay = relay};
    text_printf(&path, "%s/sendmail.cf", relay->settings->mta.config_directory);
    FILE *file = fopen(text_string(&path), "re");
    if (file == NULL) {
        problems_error(relay->problems, relay->settings->file, 0,
                       "mta.config_directory: %s: %s", text_string(&path),
                       strerror(errno));
        text_clear(&path);
        return;
    }
    relay->file = text_string(&path);
    read_lines(&sendmail, file, true);
    read_lines(&sendmail, file, false);
    (void)fclose(file);
    if (sendmail.filter[0] == '\0' || !sendmail.asked)
        say(&sendmail,
            "mail is not shown to Mailbrake; add the README's INPUT_MAIL_FILTER line to "
            "sendmail.mc, and run: make -C /etc/mail");
    else if (!sendmail.waits)
        say(&sendmail, "while mailbraked is away all mail passes; add F=T to the line "
                       "INPUT_MAIL_FILTER of sendmail.mc");
    text_clear(&path);
}
