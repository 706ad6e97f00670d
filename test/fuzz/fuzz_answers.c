/* Whoever writes to confirm.address: the one answer that counts comes from the identity
 * that was asked, with its token, to no other letter, and from no program. The input is a
 * byte of flags, then login, sender, a header field and recipients, each ended by a NUL.
 */
#include <string.h>

#include "base/clock.h"
#include "engine/answers.h"
#include "fuzz.h"
#include "policy/message.h"
#include "quarantine/notices/confirm.h"
#include "store/store.h"

enum { STRINGS_MAX = 12, STRING_MAX = 600 };

#define TOKEN "0123456789abcdef"
#define ASKED "login:ann@own.example"

static struct policy policy;
static struct rule rule;
static struct directory *directory;
static struct digest_key key;
static struct store *store;
static struct ledger *ledger;
static struct answers *answers;

static int64_t soon_us(void)
{
    return clock_deadline_us(10000);
}

static void ignore_report(void *nothing, enum severity severity, const char *text)
{
    (void)nothing;
    (void)severity;
    (void)text;
}

static void hold(void)
{
    struct hold held;
    struct settings settings = {0};
    settings.quarantine.max_per_incident = settings.quarantine.max_messages = 5;
    const struct event event = {.action = ACTION_QUARANTINE,
                                .rule = rule.name,
                                .fingerprint = "00112233445566778899aabbccddeeff",
                                .subject = ASKED,
                                .identity = ASKED,
                                .sender = "ann@own.example",
                                .client = "10.0.0.1",
                                .proven = true,
                                .tell = true,
                                .confirm = true,
                                .confirmed_by = ASKED,
                                .reach = 5,
                                .copies = 5,
                                .queue_id = "4Qabc",
                                .now_ms = clock_wall_ms()};
    ledger_hold(ledger, &settings, &event, soon_us(), &held);
    claim(held.result == HOLD_KEPT);
    const struct confirm_letter letter = {.token = TOKEN,
                                          .incident = held.incident,
                                          .to = "ann@own.example",
                                          .by = ASKED,
                                          .until_ms = INT64_MAX};
    claim(confirm_keep(ledger, &letter, soon_us()) == STATUS_OK);
}

/* The token, and what it confirmed, are as before. */
static void forget(void)
{
    char id[DIGEST_HEX_SIZE];
    char *token = NULL;
    digest_hex(&key, TOKEN, strlen(TOKEN), id);
    claim(store_get(store, COLLECTION_CONFIRM_TOKENS, id, soon_us(), &token) ==
          STATUS_OK);
    char *used = strstr(token, "\"used\":true");
    claim(used != NULL);
    char *fresh = NULL;
    claim(asprintf(&fresh, "%.*s\"used\":false%s", (int)(used - token), token,
                   used + strlen("\"used\":true")) > 0);
    const struct change changes[] = {
        {.collection = COLLECTION_CONFIRM_TOKENS, .id = id, .value = fresh},
        {.collection = COLLECTION_CONFIRMED, .id = id}};
    claim(store_change(store, changes, 2, soon_us()) == STATUS_OK);
    free(fresh);
    free(token);
}

static void open_all(void)
{
    static char name[] = "ask", address[] = "confirm@own.example";
    static char none[] = "";
    struct error error = {0};
    struct problems problems = {0};
    struct store_settings settings = {
        .type = STORE_TYPE_MEMORY, .prefix = none, .state_file = none, .nodes = 1};
    const struct store_reporter reporter = {.report = ignore_report};
    claim(digest_init() == STATUS_OK);
    digest_key_derive("fuzz", 4, &key);
    claim(store_open(&settings, &key, reporter, &store, &error) == STATUS_OK);
    ledger = ledger_new(store, &key, "fuzz");
    answers = answers_new("fuzz");
    claim(domains_add(&policy.domains, "own.example", &error) == STATUS_OK);
    claim(domains_set_delimiters(&policy.domains, "+") == STATUS_OK);
    directory = directory_new(&policy.domains);
    claim(ledger != NULL && answers != NULL && directory != NULL);
    claim(directory_seal(directory, &problems) == STATUS_OK);
    rule = (struct rule){.name = name, .action = ACTION_CONFIRM};
    policy.rules = &rule;
    policy.rule_count = 1;
    policy.confirm = (struct confirm_settings){address, INT64_C(86400000), 100};
    hold();
}

static char *take_string(const uint8_t **next, const uint8_t *end)
{
    size_t left = (size_t)(end - *next);
    size_t length = strnlen((const char *)*next, left);
    char *copy = strndup((const char *)*next, length < STRING_MAX ? length : STRING_MAX);
    claim(copy != NULL);
    *next += length + (length < left ? 1 : 0);
    return copy;
}

/* What counts can be nothing else. */
static void expect_counts(const struct facts *facts)
{
    size_t letters = 0;
    for (size_t i = 0; i < facts->recipient_count; i++)
        letters += facts->recipients[i].tagless != NULL &&
                   strcmp(facts->recipients[i].tagless, policy.confirm.address) == 0;
    claim(letters == 1);
    claim(strcmp(facts->identity, ASKED) == 0 && facts->login.length > 0);
    claim(facts->sender.length > 0 && !facts->automatic);
    forget();
}

static void consider(struct judgement *judgement)
{
    struct answer answer;
    size_t lost;
    struct facts *facts = &judgement->facts;
    enum answer_result result = answers_consider(
        answers, ledger, judgement, facts->identity, clock_wall_ms(), soon_us());
    claim(result != ANSWER_AWAY);
    if (result == ANSWER_COUNTS)
        expect_counts(facts);
    while (answers_take(answers, &answer, &lost)) {
        claim(result == ANSWER_NONE && answer.why[0] != '\0');
        claim(strcmp(answer.who, facts->identity) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *strings[STRINGS_MAX];
    struct envelope_recipient recipients[STRINGS_MAX];
    size_t count = 0;
    const uint8_t *next = data + 1;
    if (store == NULL)
        open_all();
    if (size < 2)
        return 0;
    while (next < data + size && count < STRINGS_MAX)
        strings[count++] = take_string(&next, data + size);
    struct header header = {"Auto-Submitted", count > 2 ? strings[2] : ""};
    struct envelope envelope = {.client = (data[0] & 1) != 0 ? "10.0.0.1" : "local",
                                .local = (data[0] & 1) == 0,
                                .login = (data[0] & 2) != 0 ? strings[0] : NULL,
                                .sender = count > 1 ? strings[1] : "",
                                .recipients = recipients,
                                .headers = &header,
                                .header_count = (data[0] & 4) != 0 && count > 2};
    for (size_t i = 3; i < count; i++)
        recipients[envelope.recipient_count++] = (struct envelope_recipient){
            .typed = strings[i], .address = strings[i], .argument = strings[i]};
    struct judgement judgement = {
        .view = {.policy = &policy, .directory = directory},
        .verdict = {.action = (data[0] & 8) != 0 ? ACTION_QUARANTINE : ACTION_ACCEPT,
                    .rule = (data[0] & 8) != 0 ? &rule : NULL}};
    if (facts_gather(&envelope, &policy, directory, &judgement.facts) == STATUS_OK) {
        judgement.view.facts = &judgement.facts;
        consider(&judgement);
        facts_clear(&judgement.facts);
    }
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
    return 0;
}
