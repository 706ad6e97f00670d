/* Sockets as text: unix:PATH, inet:PORT@HOST for a milter, tcp:HOST:PORT or tls:HOST:PORT
 * for a store, ADDRESS:PORT for metrics. */
#include "conf/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/tcp_address.h"
#include "base/text.h"
#include "conf/settings.h"
#include "conf/value.h"
#include "conf/value_array.h"

enum { SERVERS_MAX = 64 };

/* The absolute path after unix:, to be freed; NULL, and an error is reported, when it is
 * invalid. */
static char *take_path(struct reader *reader, const struct option *option,
                       const struct node *node, const char *text)
{
    char *path = NULL;
    struct option of_path = {.name = option->name, .min = 1, .max = READER_SOCKET_MAX};
    struct node at = *node;
    at.string = strdup(text);
    if (at.string == NULL)
        reader->failed = true;
    else
        value_path(reader, &of_path, &at, &path);
    free(at.string);
    return path;
}

/* 1 to 65535 and nothing but length digits; 0 otherwise. */
static int parse_port(const char *text, size_t length)
{
    const char *end = text;
    int64_t port;
    bool valid = length <= 5 && text_take_number(&end, &port) && end == text + length;
    return valid && port <= 65535 ? (int)port : 0;
}

static bool is_host(const char *text, size_t length)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_:";
    return length > 0 && length <= 255 && strspn(text, allowed) >= length;
}

/* PORT@HOST; an IPv6 address may be in brackets, which smfi_setconn(3) allows. */
static bool is_inet(const char *text)
{
    const char *at = strchr(text, '@');
    if (at == NULL || parse_port(text, (size_t)(at - text)) == 0)
        return false;
    const char *host = at + 1;
    size_t length = strlen(host);
    if (length > 2 && host[0] == '[' && host[length - 1] == ']')
        return is_host(host + 1, length - 2);
    return is_host(host, length);
}

void server_milter(struct reader *reader, const struct option *option,
                   const struct node *node, void *field)
{
    const char *rest;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    if ((rest = text_after(text, "unix:")) != NULL) {
        struct text socket = {0};
        char *path = take_path(reader, option, node, rest);
        if (path != NULL)
            text_printf(&socket, "unix:%s", path);
        if (socket.failed)
            reader->failed = true;
        else if (path != NULL)
            reader_keep(reader, field, text_string(&socket));
        text_clear(&socket);
        free(path);
        return;
    }
    rest = text_after(text, "inet:");
    if (rest == NULL)
        rest = text_after(text, "inet6:");
    if (rest != NULL && is_inet(rest))
        reader_keep(reader, field, text);
    else
        reader_refuse(reader, option, node,
                      "\"%.100s\" is not \"unix:PATH\", \"inet:PORT@HOST\" or "
                      "\"inet6:PORT@HOST\"",
                      text);
}

void server_metrics(struct reader *reader, const struct option *option,
                    const struct node *node, void *field)
{
    struct tcp_address address;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    if (text[0] != '\0' && !tcp_address_parse(text, &address))
        reader_refuse(reader, option, node,
                      "\"%.100s\" is not \"ADDRESS:PORT\", like \"127.0.0.1:9125\"",
                      text);
    else if (text[0] != '\0' && !tcp_address_is_loopback(&address) &&
             !reader->settings->control.metrics_public)
        reader_refuse(reader, option, node,
                      "\"%s\" is not an address of this machine alone (127.0.0.1 or "
                      "[::1]); metrics_public = true allows it",
                      text);
    else
        reader_keep(reader, field, text);
}

/* HOST:PORT or [IPv6]:PORT. */
static bool take_host(struct reader *reader, const char *text,
                      struct store_settings *store)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    size_t length = (size_t)(colon - text);
    int port = parse_port(colon + 1, strlen(colon + 1));
    bool brackets = length > 2 && text[0] == '[' && colon[-1] == ']';
    if (brackets) {
        text++;
        length -= 2;
    }
    if (port == 0 || !is_host(text, length) ||
        (memchr(text, ':', length) != NULL) != brackets)
        return false;
    char *host = strndup(text, length);
    if (host == NULL) {
        reader->failed = true;
        return true;
    }
    free(store->host);
    store->host = host;
    store->port = port;
    return true;
}

/* Of tcp:, tls: or unix:, into host, port and tls, or path. */
static bool take_server(struct reader *reader, const struct option *option,
                        const struct node *node, struct store_settings *store)
{
    const char *rest;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return false;
    if ((rest = text_after(text, "unix:")) != NULL) {
        store->path = take_path(reader, option, node, rest);
        return store->path != NULL;
    }
    rest = text_after(text, "tls:");
    store->tls = rest != NULL;
    if (store->tls && !MAILBRAKE_REDIS_TLS) {
        reader_refuse(
            reader, option, node,
            "\"%.100s\": TLS is not built in: let stunnel connect, and name its "
            "end here, best a unix socket (\"unix:PATH\")",
            text);
        return false;
    }
    if (rest == NULL)
        rest = text_after(text, "tcp:");
    if (rest != NULL && take_host(reader, rest, store))
        return !reader->failed;
    reader_refuse(reader, option, node,
                  "\"%.100s\" is not \"tcp:HOST:PORT\", \"tls:HOST:PORT\" or "
                  "\"unix:PATH\"",
                  text);
    return false;
}

/* What one that is asked names is asked as it is: in clear text, passwords included, if
 * one of them is. */
static bool differs_in_tls(const struct strings *servers,
                           const struct store_settings *one)
{
    for (size_t i = 0; i < servers->count && one->path == NULL; i++)
        if (text_after(servers->items[i], one->tls ? "tcp:" : "tls:") != NULL)
            return true;
    return false;
}

static void add_server(struct reader *reader, const struct option *option,
                       const struct node *node, void *field)
{
    struct text text = {0};
    struct store_settings one = {0};
    bool taken = take_server(reader, option, node, &one);
    if (taken && differs_in_tls(field, &one)) {
        reader_refuse(reader, option, node,
                      "names servers by \"tcp:\" and by \"tls:\": which of them answers "
                      "would decide whether passwords are encrypted");
    } else if (taken) {
        if (one.path != NULL)
            text_printf(&text, "unix:%s", one.path);
        else
            text_printf(&text, strchr(one.host, ':') ? "%s:[%s]:%d" : "%s:%s:%d",
                        one.tls ? "tls" : "tcp", one.host, one.port);
        if (text.failed || strings_add(field, text_string(&text)) != STATUS_OK)
            reader->failed = true;
    }
    text_clear(&text);
    free(one.host);
    free(one.path);
}

static void add_servers(struct reader *reader, const struct option *option,
                        const struct node *node, struct strings *servers)
{
    if (node->child_count > SERVERS_MAX)
        reader_refuse(reader, option, node, "has more than %d servers", SERVERS_MAX);
    else
        value_array_each(reader, option, node, add_server, servers);
}

void server_store(struct reader *reader, const struct option *option,
                  const struct node *node, void *field)
{
    struct store_settings *store = field;
    bool array = node->kind == NODE_ARRAY || node->kind == NODE_LIST;
    if (array && node->child_count == 0)
        reader_refuse(reader, option, node, "names no server");
    else if (array)
        add_servers(reader, option, node, &store->seeds);
    else
        (void)take_server(reader, option, node, store);
}

void server_sentinels(struct reader *reader, const struct option *option,
                      const struct node *node, void *field)
{
    add_servers(reader, option, node, field);
}
