/* EVALSHA, and EVAL on NOSCRIPT; again while a Cluster moves the keys. */
#include "store/script.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/detour.h"

enum {
    WORD_KEYS = 3,     /* after command, script and number of keys */
    MOVING_TRIES = 20, /* while a Cluster moves some of the keys */
    MOVING_PAUSE_MS = 5,
};

static void set_word(const struct script_call *call, size_t at, const char *word)
{
    call->words[at] = word;
    call->lengths[at] = strlen(word);
}

enum status script_init(struct script_call *call, const struct script_text *script,
                        size_t keys, size_t arguments)
{
    size_t count = WORD_KEYS + keys + arguments;
    *call = (struct script_call){.script = script, .keys = keys, .arguments = arguments};
    call->words = calloc(count, sizeof *call->words);
    call->lengths = calloc(count, sizeof *call->lengths);
    if (call->words == NULL || call->lengths == NULL) {
        script_clear(call);
        return STATUS_NOMEM;
    }
    (void)snprintf(call->keys_text, sizeof call->keys_text, "%zu", keys);
    set_word(call, 2, call->keys_text);
    return STATUS_OK;
}

void script_clear(struct script_call *call)
{
    free(call->words);
    free(call->lengths);
    *call = (struct script_call){0};
}

void script_set_key(struct script_call *call, size_t i, const char *key)
{
    assert(i < call->keys);
    set_word(call, WORD_KEYS + i, key);
}

void script_set_argument(struct script_call *call, size_t i, const char *argument)
{
    assert(i < call->arguments);
    set_word(call, WORD_KEYS + call->keys + i, argument);
}

static enum status ask(const struct script_call *call, struct connection *connection,
                       int64_t deadline_us, redisReply **out_reply, struct error *error)
{
    const struct connection_command command = {
        .count = (int)(WORD_KEYS + call->keys + call->arguments),
        .words = call->words,
        .lengths = call->lengths,
        .depth = call->depth};
    return detour_ask(connection, &command, deadline_us, out_reply, error);
}

/* Also when Redis lost the script. */
static enum status ask_script(const struct script_call *call,
                              struct connection *connection, int64_t deadline_us,
                              redisReply **out_reply, struct error *error)
{
    redisReply *reply = NULL;
    set_word(call, 0, "EVALSHA");
    set_word(call, 1, call->script->sha1);
    enum status status = ask(call, connection, deadline_us, &reply, error);
    if (status == STATUS_OK && connection_refuses(reply, "NOSCRIPT")) {
        freeReplyObject(reply);
        set_word(call, 0, "EVAL");
        set_word(call, 1, call->script->text);
        status = ask(call, connection, deadline_us, &reply, error);
    }
    if (status == STATUS_OK)
        *out_reply = reply;
    return status;
}

enum status script_run(const struct script_call *call, struct connection *connection,
                       int64_t deadline_us, redisReply **out_reply, struct error *error)
{
    redisReply *reply = NULL;
    for (int tries = 0;; tries++) {
        enum status status = ask_script(call, connection, deadline_us, &reply, error);
        if (status != STATUS_OK)
            return status;
        if (!detour_is_moving(reply) || tries == MOVING_TRIES ||
            clock_left_ms(deadline_us) <= MOVING_PAUSE_MS)
            break;
        freeReplyObject(reply);
        (void)usleep(MOVING_PAUSE_MS * 1000);
    }
    *out_reply = reply;
    return STATUS_OK;
}
