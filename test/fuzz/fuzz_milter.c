/* Any MTA: commands in any order, with anything in them, or nothing. The callbacks are
 * those of mailbraked; libmilter's functions stand here, and look at what they are given.
 * The input is a row of steps: a byte that says which, then its strings, each ended by a
 * NUL. */
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "milter/callbacks.h"

enum { STEPS_MAX = 400, STRING_MAX = 3000 };

/* A connection, as libmilter has it: what the macros are at this moment. */
struct smfi_str {
    void *session;
    char *macros[5];
    unsigned long steps;
};

static struct smfiDesc callbacks;
static struct engine engine;
static char folder[] = "/tmp/mailbrake-fuzz-milter-XXXXXX";

static const char configuration[] =
    "domains = [ \"own.example\" ];\n"
    "mta = { config_directory = \"/nonexistent\"; };\n"
    "store = { type = \"memory\"; };\n"
    "lists = ( { address = \"all@own.example\"; file = \"all\"; } );\n"
    "rules = (\n"
    " { name = \"many\"; from = [\"<>\"]; reach_over = 3; action = \"reject\"; },\n"
    " { name = \"posting\"; to = [\"list:*\"]; from = [\"@bad.example\"];\n"
    "   action = \"reject\"; reason = \"100%s of %n\"; },\n"
    " { name = \"thread\"; reply = true; key = \"thread\"; latch = \"1h\";\n"
    "   limit = \"3 messages per 1d\"; action = \"quarantine\"; },\n"
    " { name = \"shown\"; visible_over = 5; action = \"defer\"; },\n"
    " { name = \"campaign\"; key = \"campaign\"; surge = 2.0; window = \"1d\";\n"
    "   floor = 10; action = \"quarantine\"; },\n"
    " { name = \"sender\"; key = \"sender\"; limit = \"9 recipients per 1h\";\n"
    "   action = \"quarantine\"; });\n";

/* ---- libmilter ---- */

int smfi_register(struct smfiDesc description)
{
    callbacks = description;
    return MI_SUCCESS;
}

int smfi_setpriv(SMFICTX *ctx, void *session)
{
    ctx->session = session;
    return MI_SUCCESS;
}

void *smfi_getpriv(SMFICTX *ctx)
{
    return ctx->session;
}

char *smfi_getsymval(SMFICTX *ctx, char *name)
{
    static const char *const names[] = {"i", "{mail_addr}", "{mail_mailer}",
                                        "{auth_authen}", "{rcpt_addr}"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0)
            return ctx->macros[i];
    }
    abort();
}

int smfi_setsymlist(SMFICTX *ctx, int stage, char *macros)
{
    claim(ctx != NULL && stage >= 0 && macros[0] != '\0');
    return MI_SUCCESS;
}

/* Nothing of a message may end a line, or come to a terminal. */
static void expect_clean(const char *text, size_t max)
{
    size_t length = strlen(text);
    claim(length > 0 && length <= max);
    for (const char *c = text; *c != '\0'; c++)
        claim(*c >= ' ' && *c <= '~');
}

int smfi_addheader(SMFICTX *ctx, char *name, char *value)
{
    claim(ctx->session != NULL && strcmp(name, "X-Mailbrake") == 0);
    expect_clean(value, 900);
    return MI_SUCCESS;
}

int smfi_chgheader(SMFICTX *ctx, char *name, int index, char *value)
{
    claim(ctx->session != NULL && strcmp(name, "X-Mailbrake") == 0);
    claim(index > 0 && value == NULL);
    return MI_SUCCESS;
}

int smfi_quarantine(SMFICTX *ctx, char *reason)
{
    claim(ctx->session != NULL);
    expect_clean(reason, 99);
    return MI_SUCCESS;
}

int smfi_setreply(SMFICTX *ctx, char *code, char *enhanced, char *text)
{
    claim(ctx->session != NULL && (code[0] == '4' || code[0] == '5'));
    claim(enhanced[0] == code[0]);
    expect_clean(text, 980);
    for (const char *c = text; *c != '\0'; c++)
        claim(*c != '%' || *++c == '%');
    return MI_SUCCESS;
}

/* ---- the relay ---- */

static void write_file(const char *name, const char *text, char path[100])
{
    (void)snprintf(path, 100, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    claim(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void ignore_report(void *nothing, enum severity severity, const char *text)
{
    (void)nothing;
    (void)severity;
    (void)text;
}

static void open_engine(void)
{
    char path[100];
    char list[100];
    struct error error = {0};
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    const struct store_reporter reporter = {.report = ignore_report};
    claim(digest_init() == STATUS_OK && mkdtemp(folder) != NULL);
    write_file("all", "a@own.example\nb@own.example\nc@else.example\nd@x\n", list);
    write_file("mailbrake.conf", configuration, path);
    claim(snapshot_load(path, NULL, true, &problems, &snapshot) == STATUS_OK);
    claim(unlink(path) == 0 && unlink(list) == 0 && rmdir(folder) == 0);
    problems_clear(&problems);
    claim(current_snapshot_init(&engine.snapshots) == STATUS_OK);
    digest_key_derive("fuzz", 4, &engine.key);
    digest_key_derive("seal", 4, &engine.token_key);
    claim(store_open(&snapshot->settings->store, &engine.key, reporter, &engine.store,
                     &error) == STATUS_OK);
    engine.timeout_ms = snapshot->settings->store.timeout_ms;
    (void)current_snapshot_swap(&engine.snapshots, snapshot);
    engine.ledger = ledger_new(engine.store, &engine.key, "fuzz");
    engine.active_brakes = active_brakes_new(engine.store);
    engine.counters = counters_new();
    claim(engine.ledger != NULL && engine.active_brakes != NULL &&
          engine.counters != NULL);
    claim(callbacks_register(&engine, false, &error) == STATUS_OK);
}

/* ---- what an MTA does ---- */

struct input {
    const uint8_t *next, *end;
};

static unsigned take_byte(struct input *input)
{
    return input->next < input->end ? *input->next++ : 0;
}

/* Up to the next NUL; owned. */
static char *take_string(struct input *input)
{
    size_t left = (size_t)(input->end - input->next);
    size_t length = strnlen((const char *)input->next, left);
    char *copy =
        strndup((const char *)input->next, length < STRING_MAX ? length : STRING_MAX);
    claim(copy != NULL);
    input->next += length + (length < left ? 1 : 0);
    return copy;
}

static void negotiate(SMFICTX *ctx, struct input *input)
{
    unsigned long actions = take_byte(input) % 8 == 0 ? 1 : 0x1ff;
    unsigned long steps = take_byte(input) * 0x2011UL;
    unsigned long rest[2];
    if (callbacks.xxfi_negotiate(ctx, actions, steps, 0, 0, &actions, &ctx->steps,
                                 &rest[0], &rest[1]) != SMFIS_CONTINUE)
        return;
    claim((ctx->steps & ~steps) == 0);
}

static void connect_client(SMFICTX *ctx, struct input *input)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    unsigned kind = take_byte(input);
    in.sin_addr.s_addr = htonl(kind << 24 | take_byte(input));
    in6.sin6_addr.s6_addr[kind % 16] = (uint8_t)take_byte(input);
    if (kind % 3 == 0)
        memcpy(&address, &in, sizeof in);
    else
        memcpy(&address, &in6, sizeof in6);
    char *host = take_string(input);
    (void)callbacks.xxfi_connect(ctx, host,
                                 kind % 3 == 2 ? NULL : (struct sockaddr *)&address);
    free(host);
}

static void set_macro(SMFICTX *ctx, struct input *input)
{
    char **macro = &ctx->macros[take_byte(input) % 5];
    free(*macro);
    *macro = take_string(input);
    if ((*macro)[0] == '-') {
        free(*macro);
        *macro = NULL;
    }
}

static void say(SMFICTX *ctx, struct input *input,
                sfsistat (*command)(SMFICTX *, char **))
{
    char *arguments[4] = {NULL};
    size_t count = 1 + take_byte(input) % 3;
    for (size_t i = 0; i < count; i++)
        arguments[i] = take_string(input);
    sfsistat status = command(ctx, arguments);
    claim(status == SMFIS_CONTINUE || status == SMFIS_NOREPLY ||
          (ctx->session == NULL && status == SMFIS_TEMPFAIL));
    for (size_t i = 0; i < count; i++)
        free(arguments[i]);
}

static void say_header(SMFICTX *ctx, struct input *input)
{
    static const char *const names[] = {
        "To",      "Cc",         "References",     "Message-ID",  "In-Reply-To",
        "Subject", "Precedence", "Auto-Submitted", "X-Mailbrake", "X-Mailbrake-Notice"};
    unsigned which = take_byte(input) % (sizeof names / sizeof *names + 1);
    char *name =
        which == sizeof names / sizeof *names ? take_string(input) : strdup(names[which]);
    char *value = take_string(input);
    (void)callbacks.xxfi_header(ctx, name, value);
    free(name);
    free(value);
}

static void end_message(SMFICTX *ctx)
{
    sfsistat status = callbacks.xxfi_eom(ctx);
    claim(status == SMFIS_CONTINUE || status == SMFIS_REJECT || status == SMFIS_TEMPFAIL);
    claim(ctx->session != NULL || status == SMFIS_TEMPFAIL);
    claim(callbacks_in_flight() == 0);
}

static void hang_up(SMFICTX *ctx)
{
    (void)callbacks.xxfi_close(ctx);
    claim(ctx->session == NULL);
    for (size_t i = 0; i < 5; i++)
        free(ctx->macros[i]);
    *ctx = (SMFICTX){0};
}

static void step(SMFICTX *ctx, struct input *input)
{
    switch (take_byte(input) % 9) {
    case 0: /* libmilter calls it first, and once */
        if (ctx->session == NULL)
            negotiate(ctx, input);
        break;
    case 1:
        connect_client(ctx, input);
        break;
    case 2:
        set_macro(ctx, input);
        break;
    case 3:
        say(ctx, input, callbacks.xxfi_envfrom);
        break;
    case 4:
        say(ctx, input, callbacks.xxfi_envrcpt);
        break;
    case 5:
        say_header(ctx, input);
        break;
    case 6:
        end_message(ctx);
        break;
    case 7:
        (void)callbacks.xxfi_abort(ctx);
        break;
    default:
        hang_up(ctx);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    SMFICTX ctx = {0};
    if (engine.store == NULL)
        open_engine();
    for (int i = 0; i < STEPS_MAX && input.next < input.end; i++)
        step(&ctx, &input);
    hang_up(&ctx);
    return 0;
}
