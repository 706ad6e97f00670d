/* One call of a Lua script, run over one connection. */
#ifndef STORE_SCRIPT_H
#define STORE_SCRIPT_H

#include "store/connection.h"
#include "store/scripts.h"

/* Its keys and arguments, each set once before the run. Not to be copied. */
struct script_call {
    const struct script_text *script;
    size_t keys, arguments;
    const char **words; /* command, script, number of keys; keys; arguments */
    size_t *lengths;
    char keys_text[21];
    int depth; /* of arrays in the array that is its reply */
};

/* A call with so many keys and arguments; NOMEM. */
enum status script_init(struct script_call *call, const struct script_text *script,
                        size_t keys, size_t arguments) MUST_CHECK;
void script_clear(struct script_call *call);

/* Borrowed until the run. */
void script_set_key(struct script_call *call, size_t i, const char *key);
void script_set_argument(struct script_call *call, size_t i, const char *argument);

/* Runs it by its SHA-1; when Redis lost the script, by its text, once. As connection_ask.
 */
enum status script_run(const struct script_call *call, struct connection *connection,
                       int64_t deadline_us, struct redisReply **out_reply,
                       struct error *error) MUST_CHECK;

#endif
