/* EVALSHA, EVAL on NOSCRIPT, and what the reply means. Any answer that is not exactly
 * what the script returns counts as no answer. */
#include "store/script.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/charge_script.h"

enum {
    NUMBER_SIZE = 21,
    NUMBERS = 5,    /* of one bucket: charge.lua */
    WORD_KEYS = 3,  /* after command, script and number of keys */
    COUNT_SIZE = 8, /* digits of the number of keys */
};

struct script {
    size_t count, added;
    size_t key_size;
    int64_t *bursts; /* no bucket can have more left */
    const char **words;
    size_t *lengths;
    char *keys;    /* count x key_size */
    char *numbers; /* count x NUMBERS x NUMBER_SIZE */
    char count_text[COUNT_SIZE];
    int word_count;
};

static void set_word(struct script *script, size_t at, const char *word)
{
    script->words[at] = word;
    script->lengths[at] = strlen(word);
}

struct script *script_new(size_t count, size_t key_size, bool commit)
{
    size_t words = WORD_KEYS + count + 1 + count * NUMBERS;
    struct script *script = calloc(1, sizeof *script);
    if (script == NULL)
        return NULL;
    assert(count > 0 && count <= WIRE_ELEMENTS_MAX);
    script->count = count;
    script->key_size = key_size;
    script->word_count = (int)words;
    script->bursts = calloc(count, sizeof *script->bursts);
    script->words = calloc(words, sizeof *script->words);
    script->lengths = calloc(words, sizeof *script->lengths);
    script->keys = calloc(count, key_size);
    script->numbers = calloc(count * NUMBERS, NUMBER_SIZE);
    if (script->bursts == NULL || script->words == NULL || script->lengths == NULL ||
        script->keys == NULL || script->numbers == NULL) {
        script_free(script);
        return NULL;
    }
    (void)snprintf(script->count_text, sizeof script->count_text, "%zu", count);
    set_word(script, 2, script->count_text);
    set_word(script, WORD_KEYS + count, commit ? "1" : "0");
    return script;
}

void script_free(struct script *script)
{
    if (script == NULL)
        return;
    free(script->bursts);
    free(script->words);
    free(script->lengths);
    free(script->keys);
    free(script->numbers);
    free(script);
}

void script_add(struct script *script, const char *key, const struct charge *charge)
{
    size_t i = script->added++;
    assert(i < script->count && strlen(key) < script->key_size);
    char *copy = script->keys + i * script->key_size;
    (void)snprintf(copy, script->key_size, "%s", key);
    set_word(script, WORD_KEYS + i, copy);

    const int64_t numbers[NUMBERS] = {charge->cost, charge->rate->tokens,
                                      charge->rate->period_ms, charge->rate->burst,
                                      charge->monitor ? 1 : 0};
    for (size_t n = 0; n < NUMBERS; n++) {
        char *text = script->numbers + (i * NUMBERS + n) * NUMBER_SIZE;
        (void)snprintf(text, NUMBER_SIZE, "%" PRId64, numbers[n]);
        set_word(script, WORD_KEYS + script->count + 1 + i * NUMBERS + n, text);
    }
    script->bursts[i] = charge->rate->burst;
}

static enum status ask(struct script *script, struct wire *wire, int64_t deadline_us,
                       redisReply **out_reply, struct error *error)
{
    struct wire_command command = {script->word_count, script->words, script->lengths};
    return wire_ask(wire, &command, deadline_us, out_reply, error);
}

static bool has_code(const redisReply *reply, const char *code)
{
    size_t length = strlen(code);
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, code, length) == 0 &&
           (reply->str[length] == ' ' || reply->str[length] == '\0');
}

static enum status take_reply(const struct script *script, const redisReply *reply,
                              int64_t *out_left, struct error *error)
{
    if (has_code(reply, "WRONGTYPE") || has_code(reply, "CORRUPT"))
        return error_set(error, STATUS_INVALID, "%s", reply->str);
    if (reply->type == REDIS_REPLY_ERROR)
        return error_set(error, STATUS_UNAVAILABLE, "%s", reply->str);
    bool good = reply->type == REDIS_REPLY_ARRAY && reply->elements == script->count;
    for (size_t i = 0; good && i < script->count; i++)
        good = reply->element[i]->type == REDIS_REPLY_INTEGER &&
               reply->element[i]->integer >= 0 &&
               reply->element[i]->integer <= script->bursts[i];
    if (!good)
        return error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
    for (size_t i = 0; i < script->count; i++)
        out_left[i] = reply->element[i]->integer;
    return STATUS_OK;
}

enum status script_run(struct script *script, struct wire *wire, int64_t deadline_us,
                       int64_t *out_left, struct error *error)
{
    redisReply *reply = NULL;
    assert(script->added == script->count);
    set_word(script, 0, "EVALSHA");
    set_word(script, 1, charge_script_sha1);
    enum status status = ask(script, wire, deadline_us, &reply, error);
    if (status == STATUS_OK && has_code(reply, "NOSCRIPT")) {
        freeReplyObject(reply);
        set_word(script, 0, "EVAL");
        set_word(script, 1, charge_script);
        status = ask(script, wire, deadline_us, &reply, error);
    }
    if (status != STATUS_OK)
        return status;
    status = take_reply(script, reply, out_left, error);
    freeReplyObject(reply);
    return status;
}
