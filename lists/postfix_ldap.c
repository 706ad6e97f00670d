/* query_filter finds one list by its address; with any address in its place it finds all.
 * The attribute that it compares with the address is where a list has its addresses. */
#include "lists/postfix_ldap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lists/ldap_source.h"
#include "lists/lines.h"

enum { PAGE_SIZE = 1000, SETTING_SIZE = 64 };

/* The parameters that count here, as the file sets them; the others say how Postfix asks,
 * or leave people out, who count here nevertheless. */
struct table {
    char *server_host, *server_port, *search_base, *scope, *query_filter,
        *result_attribute, *result_format, *special, *terminal, *leaf, *bind, *bind_dn,
        *bind_pw, *start_tls, *ca_file, *cert, *key, *sasl;
};

static char **field_of(struct table *table, const char *name)
{
    const struct {
        const char *name;
        char **field;
    } fields[] = {{"server_host", &table->server_host},
                  {"server_port", &table->server_port},
                  {"search_base", &table->search_base},
                  {"scope", &table->scope},
                  {"query_filter", &table->query_filter},
                  {"result_attribute", &table->result_attribute},
                  {"result_format", &table->result_format},
                  {"special_result_attribute", &table->special},
                  {"terminal_result_attribute", &table->terminal},
                  {"leaf_result_attribute", &table->leaf},
                  {"bind", &table->bind},
                  {"bind_dn", &table->bind_dn},
                  {"bind_pw", &table->bind_pw},
                  {"start_tls", &table->start_tls},
                  {"tls_ca_cert_file", &table->ca_file},
                  {"tls_cert", &table->cert},
                  {"tls_key", &table->key},
                  {"sasl_mechs", &table->sasl}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return fields[i].field;
    }
    return NULL;
}

static void table_clear(struct table *table)
{
    char *const owned[] = {
        table->server_host,   table->server_port,  table->search_base,
        table->scope,         table->query_filter, table->result_attribute,
        table->result_format, table->special,      table->terminal,
        table->leaf,          table->bind,         table->bind_dn,
        table->bind_pw,       table->start_tls,    table->ca_file,
        table->cert,          table->key,          table->sasl};
    if (table->bind_pw != NULL)
        explicit_bzero(table->bind_pw, strlen(table->bind_pw));
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
}

/* "name = value", continued by lines that begin with white space: their newlines are
 * blanks. */
static enum status take_line(struct table *table, const struct line *line,
                             const char *path, struct error *error)
{
    const char *equals = memchr(line->text, '=', line->length);
    char name[SETTING_SIZE];
    if (equals == NULL)
        return error_set_at(error, STATUS_INVALID, path, line->number,
                            "is not \"name = value\"");
    size_t length = (size_t)(equals - line->text);
    while (length > 0 && lines_is_blank(line->text[length - 1]))
        length--;
    (void)snprintf(name, sizeof name, "%.*s", (int)length, line->text);
    char **field = field_of(table, name);
    const char *value = equals + 1;
    const char *end = line->text + line->length;
    if (field == NULL)
        return STATUS_OK;
    while (value < end && lines_is_blank(*value))
        value++;
    while (end > value && (lines_is_blank(end[-1]) || end[-1] == '\n'))
        end--;
    char *copy = strndup(value, (size_t)(end - value));
    if (copy == NULL)
        return STATUS_NOMEM;
    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\n' ? ' ' : *c;
    free(*field);
    *field = copy;
    return STATUS_OK;
}

static bool is_yes(const char *value)
{
    return value != NULL && strcasecmp(value, "yes") == 0;
}

/* Splits at blanks and commas. */
static enum status add_words(struct strings *strings, const char *words)
{
    static const char gaps[] = " \t,";
    enum status status = STATUS_OK;
    for (const char *at = words == NULL ? "" : words; status == STATUS_OK;) {
        at += strspn(at, gaps);
        size_t length = strcspn(at, gaps);
        if (length == 0)
            break;
        char *word = strndup(at, length);
        status = word == NULL ? STATUS_NOMEM : strings_add(strings, word);
        free(word);
        at += length;
    }
    return status;
}

/* A host, host:port or URL each; the default is this machine. */
static enum status add_servers(const struct table *table, struct ldap_settings *out)
{
    struct strings hosts = {0};
    enum status status =
        add_words(&hosts, table->server_host == NULL ? "localhost" : table->server_host);
    for (size_t i = 0; i < hosts.count && status == STATUS_OK; i++) {
        struct text url = {0};
        const char *host = hosts.items[i];
        bool is_url = strstr(host, "://") != NULL;
        text_printf(&url, "%s%s", is_url ? "" : "ldap://", host);
        if (!is_url && strchr(host, ':') == NULL && table->server_port != NULL)
            text_printf(&url, ":%s", table->server_port);
        status =
            url.failed ? STATUS_NOMEM : strings_add(&out->servers, text_string(&url));
        text_clear(&url);
    }
    strings_clear(&hosts);
    return status;
}

/* The attribute whose value the '%' at filter[at] is in: what stands before its "=", if
 * that is a name (RFC 4512, 1.4) and so no "~=", ">=" or matching rule. */
static enum status add_address_attribute(const char *filter, size_t at,
                                         struct ldap_settings *out)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.;";
    size_t equals = at;
    while (equals > 0 && filter[equals] != '=' && filter[equals] != '(')
        equals--;
    size_t start = equals;
    while (start > 0 && filter[start - 1] != '(')
        start--;
    char name[SETTING_SIZE];
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - start), filter + start);
    bool is_name = name[0] != '\0' && name[strspn(name, allowed)] == '\0';
    return is_name ? strings_add(&out->address_attributes, name) : STATUS_OK;
}

/* Whether a "%" other than "%%" stands below a "!", where any address in its place would
 * find no list. A parenthesis in a value is written "\28" (RFC 4515). */
static bool negates_address(const char *filter)
{
    int depth = 0;
    int below = 0; /* depth of the outermost "!", 0: not below any */
    for (const char *c = filter; *c != '\0'; c++) {
        if (*c == '(') {
            depth++;
            if (c[1 + strspn(c + 1, " ")] == '!' && below == 0)
                below = depth;
        } else if (*c == ')') {
            below = depth == below ? 0 : below;
            depth--;
        } else if (*c == '%' && c[1] == '%') {
            c++;
        } else if (*c == '%' && below > 0) {
            return true;
        }
    }
    return false;
}

/* "(&(objectClass=group)(mail=%s))" becomes "(&(objectClass=group)(mail=*))". */
static enum status convert_filter(const char *filter, struct ldap_settings *out)
{
    struct text all = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; filter[i] != '\0' && status == STATUS_OK; i++) {
        bool star = all.length > 0 && all.data[all.length - 1] == '*';
        if (filter[i] != '%' || filter[i + 1] == '\0') {
            if (!(star && (filter[i] == '@' || filter[i] == '*')))
                text_add(&all, &filter[i], 1);
            continue;
        }
        if (filter[i + 1] == '%')
            text_add_string(&all, "%");
        else if (!star)
            text_add_string(&all, "*");
        if (filter[i + 1] == 's' || (filter[i + 1] == 'u' && !star))
            status = add_address_attribute(filter, i, out);
        i++;
    }
    if (status == STATUS_OK)
        status = text_take(&all, status, &out->filter);
    text_clear(&all);
    return status;
}

static void move(char **to, char **from)
{
    *to = *from;
    *from = NULL;
}

/* What we can't follow; NULL: nothing. */
static const char *fault_of(const struct table *table)
{
    const char *scope = table->scope == NULL ? "sub" : table->scope;
    const char *format = table->result_format == NULL ? "%s" : table->result_format;
    bool sasl = table->bind != NULL && strcasecmp(table->bind, "sasl") == 0;
    bool simple = table->bind == NULL || is_yes(table->bind);
    bool named = table->bind_dn != NULL && table->bind_dn[0] != '\0';
    bool secret = table->bind_pw != NULL && table->bind_pw[0] != '\0';
    if (table->search_base == NULL || strchr(table->search_base, '%') != NULL)
        return "needs a search_base, without %";
    if (sasl && (table->sasl == NULL || strcasecmp(table->sasl, "external") != 0))
        return "of SASL only EXTERNAL can be used";
    if (simple && named && !secret)
        return "has a bind_dn without bind_pw: many servers take that for anonymous";
    if (strcasecmp(scope, "sub") != 0)
        return "scope can only be sub";
    if (strcmp(format, "%s") != 0)
        return "result_format can only be %s";
    if (table->query_filter != NULL && negates_address(table->query_filter))
        return "query_filter compares the address below \"!\", so no filter finds all "
               "lists";
    return NULL;
}

static enum status convert_attributes(const struct table *table,
                                      struct ldap_settings *out)
{
    const char *result =
        table->result_attribute == NULL ? "maildrop" : table->result_attribute;
    const char *const members[] = {table->special, table->terminal, result};
    const char *const addresses[] = {table->terminal, table->leaf, result};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < 3 && status == STATUS_OK; i++)
        status = add_words(&out->member_attributes, members[i]);
    for (size_t i = 0; i < 3 && status == STATUS_OK; i++)
        status = add_words(&out->member_address_attributes, addresses[i]);
    return status;
}

static enum status convert(struct table *table, const char *path,
                           struct ldap_settings *out, struct error *error)
{
    const char *fault = fault_of(table);
    if (fault != NULL)
        return error_set_at(error, STATUS_INVALID, path, 0, "%s", fault);
    if (table->bind != NULL && strcasecmp(table->bind, "sasl") == 0) {
        out->sasl = LDAP_SASL_EXTERN;
    } else if (table->bind == NULL || is_yes(table->bind)) {
        move(&out->bind_dn, &table->bind_dn);
        move(&out->password, &table->bind_pw);
    }
    enum status status = add_servers(table, out);
    if (status == STATUS_OK)
        status =
            convert_filter(table->query_filter == NULL ? "(mailacceptinggeneralid=%s)"
                                                       : table->query_filter,
                           out);
    if (status == STATUS_OK)
        status = convert_attributes(table, out);
    move(&out->base, &table->search_base);
    move(&out->ca_file, &table->ca_file);
    move(&out->cert_file, &table->cert);
    move(&out->cert_key_file, &table->key);
    out->start_tls = is_yes(table->start_tls);
    out->page_size = PAGE_SIZE;
    if (status == STATUS_OK && out->servers.count == 0)
        return error_set_at(error, STATUS_INVALID, path, 0,
                            "server_host names no server");
    if (status == STATUS_OK && out->address_attributes.count == 0)
        return error_set_at(error, STATUS_INVALID, path, 0,
                            "query_filter compares no attribute with %%s or %%u");
    return status == STATUS_OK ? ldap_settings_preset(out) : status;
}

enum status postfix_ldap_parse(struct file *file, const char *path,
                               struct ldap_settings *out, struct error *error)
{
    struct table table = {0};
    struct lines lines = lines_of(file->data, file->length);
    struct line line;
    enum status status = STATUS_OK;
    *out = (struct ldap_settings){0};
    while (status == STATUS_OK && lines_next_logical(&lines, &line))
        status = take_line(&table, &line, path, error);
    if (status == STATUS_OK)
        status = convert(&table, path, out, error);
    table_clear(&table);
    return status;
}

enum status postfix_ldap_read(const struct list_source *source, struct source_read *read)
{
    struct file file = {0};
    struct ldap_settings settings = {0};
    enum status status = file_read(source->path, FILE_BYTES_MAX, &file, &read->error);
    if (status == STATUS_OK)
        status = file_check_text(&file, source->path, &read->error);
    if (status == STATUS_OK)
        status = postfix_ldap_parse(&file, source->path, &settings, &read->error);
    if (status == STATUS_OK && settings.password != NULL)
        source_check_secret(source->path, read);
    if (status == STATUS_OK)
        status = ldap_source_read_by(source, &settings, read);
    ldap_settings_clear(&settings);
    if (file.data != NULL)
        explicit_bzero(file.data, file.length);
    file_clear(&file);
    return status;
}
