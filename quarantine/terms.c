/* Terms are words between blanks: what is no word is written as '_' or '-'. */
#include "quarantine/terms.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "quarantine/record.h"

enum { WORD_MAX = 250 };

/* "-" for nothing. */
static void add_word(struct text *text, const char *word)
{
    char clean[WORD_MAX + 1];
    size_t length = 0;
    for (; length < WORD_MAX && word[length] != '\0'; length++)
        clean[length] = (unsigned char)word[length] <= ' ' ? '_' : word[length];
    text_add(text, length == 0 ? "-" : clean, length == 0 ? 1 : length);
}

/* The term's own word or two, perhaps a word that it is about, and a time. */
static void add_term(struct text *text, const char *term, const char *word, int64_t at_ms)
{
    if (text->length > 0)
        text_add(text, "\t", 1);
    text_add_string(text, term);
    if (word != NULL) {
        add_word(text, word);
        text_add(text, " ", 1);
    }
    text_printf(text, "%016" PRId64, at_ms);
}

void terms_until(const char *term, int64_t before_ms, char out[TERMS_SIZE])
{
    (void)snprintf(out, TERMS_SIZE, "%s%016" PRId64, term, before_ms < 0 ? 0 : before_ms);
}

static void set(const char *start, const char *word, const char *end,
                char out[TERMS_SIZE])
{
    struct text text = {0};
    text_add_string(&text, start);
    add_word(&text, word);
    text_add_string(&text, end);
    (void)snprintf(out, TERMS_SIZE, "%s", text_string(&text));
    text_clear(&text);
}

void terms_host(const char *host, char out[TERMS_SIZE])
{
    set("", host, "", out);
}

void terms_of_host(const char *host, char out[TERMS_SIZE])
{
    set("at ", host, " ", out);
}

void terms_of_incident(const char *incident, char out[TERMS_SIZE])
{
    set("of ", incident, " ", out);
}

void terms_of_key(const char *key, char out[TERMS_SIZE])
{
    set(TERMS_KEYS, key, " ", out);
}

static void add_party(struct text *text, const json_t *hold)
{
    struct party party;
    record_party(hold, &party);
    text_add_string(text, "\t" TERMS_PARTIES);
    add_word(text, party.identity);
    text_add(text, " ", 1);
    add_word(text, party.client);
    text_add(text, " ", 1);
    add_word(text, party.own);
    text_add(text, " ", 1);
    add_word(text, record_text(hold, "host"));
}

static bool read_hash(const char **at, char out[DIGEST_ID_SIZE])
{
    size_t length = strcspn(*at, " ");
    if (length == 0 || length >= DIGEST_ID_SIZE || (*at)[length] != ' ')
        return false;
    bool none = length == 1 && **at == '-';
    (void)snprintf(out, DIGEST_ID_SIZE, "%.*s", none ? 0 : (int)length, *at);
    *at += length + 1;
    return true;
}

bool terms_party(const char *entry, struct party *out, char out_host[TERMS_SIZE])
{
    const size_t start = sizeof TERMS_PARTIES - 1;
    const char *at = entry + start;
    *out = (struct party){0};
    if (strncmp(entry, TERMS_PARTIES, start) != 0 || !read_hash(&at, out->identity) ||
        !read_hash(&at, out->client) || !read_hash(&at, out->own))
        return false;
    (void)snprintf(out_host, TERMS_SIZE, "%.*s", (int)strcspn(at, " "), at);
    return true;
}

static void add_hold(struct text *text, const json_t *hold)
{
    int64_t held_ms = record_number(hold, "held_at");
    bool over = record_is_over(record_text(hold, "state"));
    add_term(text, TERMS_ALL, NULL, held_ms);
    add_term(text, "of ", record_text(hold, "incident"), held_ms);
    if (over) {
        add_term(text, TERMS_ENDED, NULL, record_number(hold, "ended_at"));
        return;
    }
    add_term(text, TERMS_HELD, NULL, held_ms);
    add_term(text, "at ", record_text(hold, "host"), held_ms);
    add_party(text, hold);
}

static void add_incident(struct text *text, const json_t *incident)
{
    int64_t last_ms = record_number(incident, "last_at");
    bool open = json_is_true(json_object_get(incident, "open"));
    bool current = open || record_waiting(incident) > 0;
    const char *key = record_text(incident, "open_key");
    add_term(text, TERMS_ALL, NULL, last_ms);
    add_term(text, current ? TERMS_CURRENT : TERMS_OVER, NULL, last_ms);
    if (open)
        add_term(text, TERMS_OPEN, NULL, last_ms);
    if (open && key[0] != '\0') {
        text_add_string(text, "\t" TERMS_KEYS);
        add_word(text, key);
    }
}

char *terms_document(enum collection collection, const json_t *record)
{
    struct text text = {0};
    char *json = json_dumps(record, JSON_COMPACT);
    if (collection == COLLECTION_HOLDS)
        add_hold(&text, record);
    else if (collection == COLLECTION_INCIDENTS || collection == COLLECTION_WOULD)
        add_incident(&text, record);
    if (text.length > 0)
        text_add(&text, "\n", 1);
    if (json != NULL)
        text_add_string(&text, json);
    bool failed = json == NULL || text.failed;
    free(json);
    if (failed)
        text_clear(&text);
    return text.data;
}
