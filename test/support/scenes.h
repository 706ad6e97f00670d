/* Reads test/vectors/charge.txt, for whatever keeps buckets, windows and latches. */
#ifndef TEST_SUPPORT_SCENES_H
#define TEST_SUPPORT_SCENES_H

#include "policy/charge.h"
#include "vectors.h"

enum { SCENE_RULES_MAX = 8, SCENE_CHARGES_MAX = 4, SCENE_KEY_SIZE = 32 };

/* A rule of a scene, and its key. */
struct scene_rule {
    char name[16];
    char key[SCENE_KEY_SIZE]; /* no other scene has the same */
    struct rate rate;
    struct surge surge;
    struct charge charge; /* its subject is the key */
};

struct scene_step {
    int64_t at_ms;
    char mode[16];
    bool amends; /* mode is one of enum amend; then nothing is found */
    size_t count;
    struct charge charges[SCENE_CHARGES_MAX];
    char clients[SCENE_CHARGES_MAX][12]; /* who asks */
    struct charge_outcome found[SCENE_CHARGES_MAX];
};

struct scene_user {
    void (*begin)(void *context);
    void (*step)(void *context, const struct scene_step *step, const char *where);
    /* After a step, what is stored of one of its charges: as Redis has it, or "". */
    void (*kept)(void *context, const struct scene_step *step,
                 const struct charge *charge, int64_t ttl_ms, const char *value,
                 const char *where);
    void *context;
};

struct scenes {
    const struct scene_user *user;
    int number;
    size_t rule_count;
    struct scene_rule rules[SCENE_RULES_MAX];
    struct scene_step step;
};

static inline void scenes_rule(struct scenes *scenes, const char *line)
{
    char key[8], kind[8];
    int64_t amount, ms, size, latch_ms;
    struct scene_rule *rule = &scenes->rules[scenes->rule_count++];
    ck_assert_uint_le(scenes->rule_count, SCENE_RULES_MAX);
    ck_assert_int_eq(
        sscanf(line, "rule %15s %7s %7s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64,
               rule->name, key, kind, &amount, &ms, &size, &latch_ms),
        7);
    (void)snprintf(rule->key, sizeof rule->key, "scene%d:%s", scenes->number, key);
    rule->charge = (struct charge){.fingerprint = "rule",
                                   .subject = rule->key,
                                   .latch_ms = latch_ms,
                                   .monitor = strstr(line, " monitor") != NULL,
                                   .trains = strstr(line, " trains") != NULL,
                                   .along = strstr(line, " along") != NULL,
                                   .permit = strstr(line, " permit") != NULL};
    if (strcmp(kind, "window") == 0) {
        rule->surge = (struct surge){amount, size, ms};
        ck_assert_msg(surge_is_valid(&rule->surge), "%s", line);
        rule->charge.surge = &rule->surge;
    } else {
        rule->rate = (struct rate){amount, ms, size};
        rule->charge.clients = strcmp(kind, "clients") == 0;
        bool valid =
            rule->charge.permit ? rate_is_fixed(&rule->rate) : rate_is_valid(&rule->rate);
        ck_assert_msg(valid, "%s", line);
        rule->charge.rate = &rule->rate;
    }
}

static inline void scenes_do(struct scenes *scenes, const char *line)
{
    struct scene_step *step = &scenes->step;
    char name[16];
    int used = 0;
    *step = (struct scene_step){0};
    ck_assert_int_eq(
        sscanf(line, "do %" SCNd64 " %15s%n", &step->at_ms, step->mode, &used), 2);
    line += used;
    step->amends = strcmp(step->mode, "reset") == 0 ||
                   strcmp(step->mode, "unlatch") == 0 || strcmp(step->mode, "train") == 0;
    for (int64_t cost; sscanf(line, "%15s %" SCNd64 "%n", name, &cost, &used) == 2;
         line += used) {
        struct charge *charge = &step->charges[step->count++];
        ck_assert_uint_le(step->count, SCENE_CHARGES_MAX);
        for (size_t i = 0; i < scenes->rule_count; i++)
            if (strcmp(scenes->rules[i].name, name) == 0)
                *charge = scenes->rules[i].charge;
        ck_assert_msg(charge->subject != NULL, "no rule %s", name);
        charge->cost = cost;
        if (charge->clients && cost > 0) {
            char *client = step->clients[step->count - 1];
            (void)snprintf(client, sizeof *step->clients, "%d", (int)cost);
            charge->client = client;
            charge->cost = 1;
        }
    }
}

static inline void scenes_found(struct scenes *scenes, const char *line)
{
    struct scene_step *step = &scenes->step;
    line += strlen("found");
    for (size_t i = 0; i < step->count; i++) {
        struct charge_outcome *found = &step->found[i];
        found->left = vectors_number(&line);
        found->burst = vectors_number(&line);
        found->latch_ms = vectors_number(&line);
        found->fits = step->charges[i].cost <= found->left;
    }
}

static inline void scenes_kept(struct scenes *scenes, const char *line, const char *where)
{
    char key[8], name[SCENE_KEY_SIZE], value[VECTOR_LINE_SIZE] = "";
    int64_t ttl_ms;
    const struct scene_step *step = &scenes->step;
    int count = sscanf(line, "kept %7s %" SCNd64 " %599[^\n]", key, &ttl_ms, value);
    ck_assert_msg(count == (ttl_ms > 0 ? 3 : 2), "%s", where);
    (void)snprintf(name, sizeof name, "scene%d:%s", scenes->number, key);
    for (size_t i = 0; i < step->count; i++)
        if (strcmp(step->charges[i].subject, name) == 0)
            scenes->user->kept(scenes->user->context, step, &step->charges[i], ttl_ms,
                               value, where);
}

static inline void scenes_line(void *context, const char *line, char *name, int number)
{
    struct scenes *scenes = context;
    char where[100];
    (void)snprintf(where, sizeof where, "line %d (%s)", number, name);
    if (sscanf(line, "scene %63s", name) == 1) {
        scenes->number++;
        scenes->rule_count = 0;
        scenes->user->begin(scenes->user->context);
    } else if (strncmp(line, "rule ", 5) == 0) {
        scenes_rule(scenes, line);
    } else if (strncmp(line, "do ", 3) == 0) {
        scenes_do(scenes, line);
        if (scenes->step.amends)
            scenes->user->step(scenes->user->context, &scenes->step, where);
    } else if (strncmp(line, "found ", 6) == 0) {
        scenes_found(scenes, line);
        scenes->user->step(scenes->user->context, &scenes->step, where);
    } else {
        scenes_kept(scenes, line, where);
    }
}

static inline void scenes_run(const struct scene_user *user)
{
    struct scenes scenes = {.user = user};
    vectors_read(SOURCE_DIR "/test/vectors/charge.txt", &scenes, scenes_line);
    ck_assert_int_gt(scenes.number, 10);
}

static inline void scenes_same(const struct scene_step *step,
                               const struct charge_outcome *outcomes, const char *where)
{
    for (size_t i = 0; i < step->count; i++) {
        const struct charge_outcome *found = &outcomes[i], *wanted = &step->found[i];
        ck_assert_msg(found->left == wanted->left && found->burst == wanted->burst &&
                          found->latch_ms == wanted->latch_ms &&
                          found->fits == wanted->fits,
                      "%s: charge %zu: left %" PRId64 " of %" PRId64 ", latched %" PRId64,
                      where, i, found->left, found->burst, found->latch_ms);
    }
}

#endif
