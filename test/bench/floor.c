/* bench-floor SOCKET [REDIS SCRIPT]: the least that a milter with three shared limits can
 * do: it negotiates as mailbraked does, and at the end of a message runs one script for
 * its sender over one of eight connections. Without REDIS it only says yes. */
#include <hiredis/hiredis.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { CONNECTIONS = 8 };
#define ACTIONS (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST)
#define QUIET (SMFIP_NR_CONN | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR)
#define SKIP (SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NOBODY | SMFIP_NODATA | SMFIP_NOEOH)
#define LIMITS "1 1000 1000 1000000000 "
#define CALL "EVALSHA %s 3 {f}:1:%s {f}:2:%s {f}:3:%s " LIMITS LIMITS LIMITS

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t returned = PTHREAD_COND_INITIALIZER;
static redisContext *idle[CONNECTIONS];
static int idle_count;
static char script_sha1[41];

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long u2, unsigned long u3,
                             unsigned long *out_actions, unsigned long *out_steps,
                             unsigned long *out_2, unsigned long *out_3)
{
    static char mail[] = "i {mail_addr} {mail_mailer} {auth_authen}";
    static char rcpt[] = "{rcpt_addr}", eom[] = "i";
    *out_actions = actions & ACTIONS;
    *out_steps = steps & (QUIET | SKIP);
    *out_2 = *out_3 = u2 & u3 & 0;
    bool done = smfi_setsymlist(ctx, SMFIM_ENVFROM, mail) == MI_SUCCESS &&
                smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt) == MI_SUCCESS &&
                smfi_setsymlist(ctx, SMFIM_EOM, eom) == MI_SUCCESS;
    return done ? SMFIS_CONTINUE : SMFIS_REJECT;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, struct sockaddr *address)
{
    return SMFIS_NOREPLY;
}

static sfsistat on_address(SMFICTX *ctx, char **words) /* of MAIL and RCPT */
{
    return SMFIS_NOREPLY;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    return SMFIS_NOREPLY;
}

static sfsistat on_eom(SMFICTX *ctx)
{
    static char macro[] = "{mail_addr}";
    const char *sender = smfi_getsymval(ctx, macro);
    if (script_sha1[0] == '\0')
        return SMFIS_ACCEPT;
    (void)pthread_mutex_lock(&mutex);
    while (idle_count == 0)
        (void)pthread_cond_wait(&returned, &mutex);
    redisContext *redis = idle[--idle_count];
    (void)pthread_mutex_unlock(&mutex);
    redisReply *reply = redisCommand(redis, CALL, script_sha1, sender, sender, sender);
    bool fits = reply != NULL && reply->type == REDIS_REPLY_INTEGER && !reply->integer;
    freeReplyObject(reply);
    (void)pthread_mutex_lock(&mutex);
    idle[idle_count++] = redis;
    (void)pthread_cond_signal(&returned);
    (void)pthread_mutex_unlock(&mutex);
    return fits ? SMFIS_ACCEPT : SMFIS_TEMPFAIL;
}

static bool use_redis(const char *path, const char *script)
{
    for (; idle_count < CONNECTIONS; idle_count++) {
        idle[idle_count] = redisConnectUnix(path);
        if (idle[idle_count] == NULL || idle[idle_count]->err != 0)
            return false;
    }
    redisReply *reply = redisCommand(idle[0], "SCRIPT LOAD %s", script);
    if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        (void)snprintf(script_sha1, sizeof script_sha1, "%s", reply->str);
    return script_sha1[0] != '\0';
}

int main(int argc, char **argv)
{
    static char name[] = "bench-floor";
    struct smfiDesc filter = {name, SMFI_VERSION, ACTIONS,    on_connect,
                              NULL, on_address,   on_address, on_header,
                              NULL, NULL,         on_eom,     NULL,
                              NULL, NULL,         NULL,       on_negotiate};
    if (argc != 2 && (argc != 4 || !use_redis(argv[2], argv[3])))
        return 1;
    return smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS ||
           smfi_main() != MI_SUCCESS;
}
