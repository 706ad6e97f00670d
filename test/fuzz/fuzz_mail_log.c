/* Any bytes as a mail log: plain, packed or a journal's export. Whatever it says, it is
 * read to its end or named as damaged, and what comes out is whole and in order. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.h"
#include "fuzz.h"
#include "replay/mail_log.h"

struct seen {
    uint64_t messages;
    int64_t last_ms;
};

static enum status check_message(void *context, const struct mail_log_message *message)
{
    struct seen *seen = context;
    claim(seen->messages++ == 0 || message->at_ms >= seen->last_ms);
    seen->last_ms = message->at_ms;
    claim(message->queue_id[0] != '\0');
    claim(message->sender != NULL && message->host != NULL);
    claim(message->client == NULL || message->client[0] != '\0');
    for (size_t i = 0; i < message->recipient_count; i++) {
        claim(strlen(message->recipients[i].address) < 100000);
        for (size_t j = 0; j < i && i < 20; j++)
            claim(strcmp(message->recipients[i].address,
                         message->recipients[j].address) != 0);
    }
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const PATH = "/dev/fd/200";
    struct mail_log_statistics statistics;
    struct error error = {0};
    struct seen seen = {0};
    struct mail_log_reading reading = {.paths = &PATH,
                                       .path_count = 1,
                                       .now_ms = (int64_t)1796043600 * 1000,
                                       .each = check_message,
                                       .context = &seen};
    int file = memfd_create("log", 0);
    claim(digest_init() == STATUS_OK);
    claim(file >= 0 && dup2(file, 200) == 200 && close(file) == 0);
    claim(write(200, data, size) == (ssize_t)size);
    enum status status = mail_log_read(&reading, &statistics, &error);
    claim(status == STATUS_OK || status == STATUS_INVALID);
    claim(seen.messages == statistics.messages);
    claim(statistics.messages <= statistics.lines);
    claim(statistics.unread <= statistics.lines);
    (void)close(200);
    return 0;
}
