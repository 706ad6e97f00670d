/* Any state file, and, so that more than the seal is tried, any text behind the header of
 * one, sealed: what is read of it can be written, and read again. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "fuzz.h"
#include "store/documents_memory.h"
#include "store/memory.h"
#include "store/state.h"

enum { SAVE_EVERY = 200 }; /* a whole table is written then */

static char path[] = "/tmp/mailbrake-fuzz-state-XXXXXX";
static const struct digest_key key;
static const int64_t now_ms = INT64_C(1700000000000);

static void remove_file(void)
{
    (void)unlink(path);
}

static void write_file(const char *data, size_t length)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    claim(fd >= 0 && write(fd, data, length) == (ssize_t)length);
    (void)close(fd);
}

static void write_sealed(const char *data, size_t length, int version)
{
    struct text text = {0};
    char hash[DIGEST_HEX_SIZE];
    text_printf(&text, "mailbrake-state %d\n", version);
    text_add(&text, data, length);
    digest_hex(&key, text.data, text.length, hash);
    text_printf(&text, "seal %s\n", hash);
    claim(!text.failed);
    write_file(text.data, text.length);
    text_clear(&text);
}

static enum status load(const struct state *state)
{
    struct error error = {0};
    enum status status = state_load(state, &key, path, now_ms, &error);
    claim(status == STATUS_OK || error.text[0] != '\0');
    claim(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_IO);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory *memory;
    static unsigned runs;
    if (memory == NULL) {
        memory = memory_new();
        int fd = mkostemp(path, O_CLOEXEC);
        claim(memory != NULL && fd >= 0 && digest_init() == STATUS_OK);
        claim(close(fd) == 0 && atexit(remove_file) == 0);
    }
    struct error error = {0};
    const struct state state = {.memory = memory, .documents = documents_memory_new()};
    claim(state.documents != NULL);
    if (size > 0 && data[0] % 4 > 0)
        write_sealed((const char *)data + 1, size - 1, data[0] % 4 == 1 ? 2 : 4);
    else
        write_file((const char *)data, size);
    if (load(&state) == STATUS_OK && runs++ % SAVE_EVERY == 0) {
        claim(state_save(&state, &key, path, now_ms, &error) == STATUS_OK);
        claim(load(&state) == STATUS_OK);
    }
    documents_memory_free(state.documents);
    return 0;
}
