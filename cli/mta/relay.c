/* Each finding is a way for mail to bypass the brake, or to be counted wrongly. Postfix's
 * settings come from postconf(1), never from guesses. */
#include "cli/mta/relay.h"

#include <stdio.h>
#include <string.h>

#include "cli/mta/relay_parts.h"

/* Every parameter of postconf(5) that adds, rewrites or redirects recipients after a
 * milter saw them, or keeps mail from it. One table: what is not in it was looked at and
 * can't make one recipient many, or is none of these:
 *
 *   relayhost, mailbox_command, smtp_generic_maps and their like send one copy on, and so
 *   do transports other than local(8); a program that sends mail anew meets the milters;
 *   sender_canonical_maps and smtpd_sender_login_maps are about senders;
 *   relocated_maps, local_recipient_maps and access maps that only refuse make it less;
 *   smtpd_command_filter and address rewriting by trivial-rewrite come before a milter;
 *   propagate_unmatched_extensions, prepend_delivered_header and expand_owner_alias
 * change how a recipient is written, not how many there are. */
static const struct row {
    const char *name;
    const char *program; /* whose -o in master.cf counts */
    relay_judge *judge;
} rows[] = {
    {"mydestination", "trivial-rewrite", relay_judge_domains},
    {"recipient_delimiter", "cleanup", relay_judge_delimiter},
    {"recipient_delimiter", "local", relay_judge_delimiter},
    {"transport_maps", "trivial-rewrite", relay_judge_transport_maps},
    {"virtual_transport", "trivial-rewrite", relay_judge_transport},
    {"relay_transport", "trivial-rewrite", relay_judge_transport},
    {"default_transport", "trivial-rewrite", relay_judge_transport},
    {"alias_maps", "local", relay_judge_aliases},
    {"virtual_alias_maps", "cleanup", relay_judge_virtual},
    {"canonical_maps", "cleanup", relay_judge_canonical},
    {"recipient_canonical_maps", "cleanup", relay_judge_canonical},
    {"masquerade_domains", "cleanup", relay_judge_masquerade},
    {"always_bcc", "cleanup", relay_judge_always_bcc},
    {"sender_bcc_maps", "cleanup", relay_judge_bcc},
    {"recipient_bcc_maps", "cleanup", relay_judge_bcc},
    {"header_checks", "cleanup", relay_judge_checks},
    {"mime_header_checks", "cleanup", relay_judge_checks},
    {"nested_header_checks", "cleanup", relay_judge_checks},
    {"body_checks", "cleanup", relay_judge_checks},
    {"milter_header_checks", "cleanup", relay_judge_checks},
    {"smtpd_client_restrictions", "smtpd", relay_judge_restrictions},
    {"smtpd_helo_restrictions", "smtpd", relay_judge_restrictions},
    {"smtpd_sender_restrictions", "smtpd", relay_judge_restrictions},
    {"smtpd_relay_restrictions", "smtpd", relay_judge_restrictions},
    {"smtpd_recipient_restrictions", "smtpd", relay_judge_restrictions},
    {"smtpd_data_restrictions", "smtpd", relay_judge_restrictions},
    {"smtpd_end_of_data_restrictions", "smtpd", relay_judge_restrictions},
    {"smtpd_restriction_classes", "smtpd", relay_judge_classes},
    {"content_filter", "smtpd", relay_judge_filter},
    {"content_filter", "pickup", relay_judge_filter},
    {"content_filter", "qmqpd", relay_judge_filter},
    {"milter_macro_defaults", "smtpd", relay_judge_macros},
    {"milter_macro_defaults", "cleanup", relay_judge_macros},
    {"luser_relay", "local", relay_judge_luser},
    {"empty_address_recipient", "qmgr", relay_judge_notices},
    {"bounce_notice_recipient", "bounce", relay_judge_notices},
    {"2bounce_notice_recipient", "bounce", relay_judge_notices},
    {"delay_notice_recipient", "bounce", relay_judge_notices},
    {"error_notice_recipient", "smtpd", relay_judge_notices},
    {"forward_path", "local", relay_judge_forward},
};

/* The value of main.cf counts once, unless each of the services has its own. Which
 * classes a rewriting is for may be a service's own as well, so each is judged for
 * itself; what was already reported is not repeated. */
static void check_row(const struct relay *relay, const struct row *row)
{
    bool found = false;
    for (size_t i = 0; i < relay->postconf->service_count; i++) {
        const struct postconf_service *service = &relay->postconf->services[i];
        if (strcmp(service->command, row->program) != 0)
            continue;
        const struct relay_setting own = relay_setting_of(relay, service, row->name);
        found = true;
        row->judge(&own);
    }
    const struct relay_setting setting = relay_setting_of(relay, NULL, row->name);
    if (!found)
        row->judge(&setting);
}

/* ---- settings of one word ---- */

static void check_words(const struct relay *relay)
{
    static const struct {
        const char *name, *wrong, *text;
    } words[] = {
        {"enable_long_queue_ids", "no",
         "short queue ids are reused, so log lines and held mail can be confused; write: "
         "enable_long_queue_ids = yes"},
        {"smtpd_forbid_bare_newline", "no",
         "a message may smuggle in another one, which the server that sends it has never "
         "checked (CVE-2023-51764); write: smtpd_forbid_bare_newline = yes"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct relay_setting setting = relay_setting_of(relay, NULL, words[i].name);
        if (strcmp(setting.value, words[i].wrong) == 0)
            relay_say(&setting, RELAY_SURE, "%s", words[i].text);
    }
}

static void check_postfix(struct relay *relay)
{
    struct error error = {0};
    if (postconf_load(relay->settings->mta.config_directory, &relay->postconf, &error) !=
        STATUS_OK) {
        problems_error(relay->problems, relay->settings->file, 0,
                       "mta.config_directory: %s", error.text);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(relay, &rows[i]);
    relay_check_milters(relay);
    relay_check_seen(relay);
    check_words(relay);
    relay_check_socket(relay);
    postconf_free(relay->postconf);
}

void relay_check(const struct snapshot *snapshot, struct problems *problems)
{
    bool has_filter = false;
    struct relay relay = {.settings = snapshot->settings,
                          .directory = snapshot->directory,
                          .problems = problems,
                          .has_filter = &has_filter};
    if (relay.settings->mta.type == MTA_POSTFIX)
        check_postfix(&relay);
    else
        relay_check_sendmail(&relay);
}
