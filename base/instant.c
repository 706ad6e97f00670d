/* Local time is for the terminal alone: the API and the ledger use UTC. */
#include "base/instant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void instant_format(int64_t wall_ms, char out[INSTANT_SIZE])
{
    struct tm parts;
    time_t seconds = (time_t)(wall_ms / 1000);
    out[0] = '\0';
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, INSTANT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        out[0] = '\0';
}

void instant_format_ms(int64_t wall_ms, char out[INSTANT_SIZE])
{
    instant_format(wall_ms, out);
    size_t seconds = strlen(out);
    if (seconds > 0)
        (void)snprintf(out + seconds - 1, INSTANT_SIZE - seconds, ".%03dZ",
                       (int)(wall_ms % 1000));
}

bool instant_parse(const char *text, int64_t *out_ms)
{
    struct tm parts = {0};
    int ms = 0;
    const char *end = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (end != NULL && *end == '.' && strspn(end + 1, "0123456789") == 3) {
        ms = (int)strtol(end + 1, NULL, 10);
        end += 4;
    }
    if (end == NULL || strcmp(end, "Z") != 0)
        return false;
    *out_ms = (int64_t)timegm(&parts) * 1000 + ms;
    return true;
}

void instant_local(const char *text, int64_t now_ms, char out[INSTANT_SIZE])
{
    int64_t at_ms;
    struct tm at;
    struct tm now;
    if (!instant_parse(text, &at_ms)) {
        (void)snprintf(out, INSTANT_SIZE, "%.12s", text);
        return;
    }
    time_t at_s = (time_t)(at_ms / 1000);
    time_t now_s = (time_t)(now_ms / 1000);
    if (localtime_r(&at_s, &at) == NULL || localtime_r(&now_s, &now) == NULL) {
        (void)snprintf(out, INSTANT_SIZE, "%.12s", text);
        return;
    }
    if (at.tm_year != now.tm_year)
        (void)strftime(out, INSTANT_SIZE, "%d %b %Y %H:%M %Z", &at);
    else if (at.tm_yday != now.tm_yday)
        (void)strftime(out, INSTANT_SIZE, "%d %b %H:%M %Z", &at);
    else
        (void)strftime(out, INSTANT_SIZE, "%H:%M", &at);
}

void instant_duration(int64_t seconds, char out[INSTANT_SIZE])
{
    long long value = seconds;
    if (seconds < 120)
        (void)snprintf(out, INSTANT_SIZE, "%lld s", value);
    else if (seconds < INT64_C(120) * 60)
        (void)snprintf(out, INSTANT_SIZE, "%lld min", value / 60);
    else if (seconds < INT64_C(48) * 3600)
        (void)snprintf(out, INSTANT_SIZE, "%lld h", value / 3600);
    else
        (void)snprintf(out, INSTANT_SIZE, "%lld d", value / 86400);
}

bool instant_parse_local(const char *text, int64_t *out_ms)
{
    struct tm local = {0};
    const char *at = strptime(text, "%Y-%m-%d %H:%M", &local);
    if (at != NULL && *at == ':')
        at = strptime(at, ":%S", &local);
    if (at == NULL || *at != '\0')
        return false;
    struct tm back = local;
    back.tm_isdst = -1;
    time_t wall = mktime(&back);
    if (wall < 0 || back.tm_mday != local.tm_mday || back.tm_hour != local.tm_hour)
        return false;
    *out_ms = (int64_t)wall * 1000;
    return true;
}
