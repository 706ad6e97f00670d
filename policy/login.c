/* The user's name is freed of what surrounds it, from outside to inside: the master after
 * a separator, the domain before a backslash, after '@' or after '%'. */
#include "policy/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

/* ---- the forms ---- */

static const char *find_domain(const struct login_forms *forms, const char *name,
                               size_t length)
{
    for (size_t i = 0; forms != NULL && i < forms->domain_count; i++) {
        const struct login_domain *item = &forms->domains[i];
        if (strlen(item->name) == length && memcmp(item->name, name, length) == 0)
            return item->domain;
    }
    return NULL;
}

static enum status add(struct login_forms *forms, const char *name, const char *domain)
{
    if (!array_reserve(&forms->domains, forms->domain_count, sizeof *forms->domains))
        return STATUS_NOMEM;
    struct login_domain item = {.name = strdup(name), .domain = strdup(domain)};
    if (item.name == NULL || item.domain == NULL) {
        free(item.name);
        free(item.domain);
        return STATUS_NOMEM;
    }
    forms->domains[forms->domain_count++] = item;
    return STATUS_OK;
}

enum status login_forms_add(struct login_forms *forms, const char *text,
                            const struct domains *own, struct error *error)
{
    enum { NAME_BYTES_MAX = 255 };
    char name[NAME_BYTES_MAX + 1];
    struct domains one = {0};
    size_t length = strcspn(text, "=");
    if (length == 0 || length > NAME_BYTES_MAX || text[length] != '=' ||
        strcspn(text, "\\@%*\" ") < length)
        return error_set(
            error, STATUS_INVALID,
            "\"%.100s\" is not NAME=domain, as in \"DISTRICT=district.example\"", text);
    (void)snprintf(name, sizeof name, "%.*s", (int)length, text);
    text_lower_all(name, length);
    enum status status = domains_add(&one, text + length + 1, error);
    const char *domain = domains_first(&one);
    if (status == STATUS_OK && !domains_have(own, domain))
        status =
            error_set(error, STATUS_INVALID, "\"%.100s\" is not one of domains", domain);
    else if (status == STATUS_OK && domains_have(own, name))
        status = error_set(error, STATUS_INVALID, "\"%.100s\" is one of domains", name);
    else if (status == STATUS_OK && find_domain(forms, name, length) != NULL)
        status = error_set(error, STATUS_INVALID, "\"%.100s\" is given twice", name);
    if (status == STATUS_OK)
        status = add(forms, name, domain);
    if (status == STATUS_NOMEM)
        status = error_set(error, status, "out of memory");
    domains_clear(&one);
    return status;
}

void login_forms_clear(struct login_forms *forms)
{
    for (size_t i = 0; i < forms->domain_count; i++) {
        free(forms->domains[i].name);
        free(forms->domains[i].domain);
    }
    free(forms->domains);
    free(forms->master_separator);
    *forms = (struct login_forms){0};
}

/* ---- a login ---- */

/* Without the "*master" of "user*master". Dovecot takes the first separator, too. */
static void cut_master(const struct login_forms *forms, struct address *login)
{
    const char *separator = forms == NULL ? NULL : forms->master_separator;
    if (separator == NULL || separator[0] == '\0')
        return;
    const char *at = strchr(login->text, separator[0]);
    if (at == NULL || at == login->text || at[1] == '\0')
        return;
    login->length = (size_t)(at - login->text);
    login->text[login->length] = '\0';
}

/* The user's part of the text, and the domain it names; false when it is not said in one
 * of the forms, so that all of the text is a name. */
static bool split(const struct address *login, const struct login_forms *forms,
                  const struct domains *own, size_t *out_start, size_t *out_end,
                  const char **out_domain)
{
    const char *text = login->text;
    const char *at = strrchr(text, '@');
    const char *percent = strrchr(text, '%');
    size_t before = strcspn(text, "\\");
    *out_start = 0;
    if (at != NULL) {
        *out_end = (size_t)(at - text);
        *out_domain = find_domain(forms, at + 1, strlen(at + 1));
        return *out_domain != NULL && strcspn(text, "\\") == login->length;
    }
    if (before < login->length) {
        *out_start = before + 1;
        *out_end = login->length;
        *out_domain = find_domain(forms, text, before);
        return *out_domain != NULL && *out_start < *out_end &&
               strpbrk(text + *out_start, "\\%") == NULL;
    }
    if (percent == NULL || percent == text)
        return false;
    *out_end = (size_t)(percent - text);
    *out_domain = domains_have(own, percent + 1)
                      ? percent + 1
                      : find_domain(forms, percent + 1, strlen(percent + 1));
    return *out_domain != NULL && memchr(text, '%', *out_end) == NULL;
}

/* Spells the part after the '@', or else the '%', as A-labels, like the domains of
 * addresses; what can't be one stays. */
static void spell_domain(struct address *login)
{
    char *at = strrchr(login->text, '@');
    struct text domain = {0};
    if (at == NULL)
        at = strrchr(login->text, '%');
    if (at == NULL || text_is_ascii(at))
        return;
    size_t before = (size_t)(at + 1 - login->text);
    if (domains_spell(at + 1, &domain, NULL) == STATUS_OK &&
        before + domain.length < sizeof login->text) {
        memcpy(at + 1, text_string(&domain), domain.length + 1);
        login->length = before + domain.length;
    }
    text_clear(&domain);
}

enum status login_parse(const char *login, const struct login_forms *forms,
                        const struct domains *own, struct address *out)
{
    struct address whole;
    out->text[0] = '\0';
    out->length = out->at = 0;
    size_t length = login == NULL ? 0 : strlen(login);
    while (length > 1 && login[length - 1] == '@')
        length--;
    if (length == 0)
        return STATUS_OK;
    if (length >= sizeof whole.text)
        return STATUS_LIMIT;
    memcpy(whole.text, login, length);
    whole.text[length] = '\0';
    text_lower_all(whole.text, length);
    whole.length = length;
    cut_master(forms, &whole);
    spell_domain(&whole);

    size_t start;
    size_t end;
    const char *domain;
    if (split(&whole, forms, own, &start, &end, &domain)) {
        out->length = out->at = end - start;
        memcpy(out->text, whole.text + start, out->length);
        out->text[out->length] = '\0';
        return address_qualify(out, domain);
    }
    const char *at = strrchr(whole.text, '@');
    whole.at = at == NULL ? whole.length : (size_t)(at - whole.text);
    address_copy(out, &whole);
    return domains_first(own) == NULL ? STATUS_OK
                                      : address_qualify(out, domains_first(own));
}
