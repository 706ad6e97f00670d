/* Where lines come from: time stamps, packed files, a journal's export, several files. */
#include <zlib.h>
#include <zstd.h>

#include "mail_log_fixture.h"
#include "replay/log_stamp.h"

#define ID "4jd3WL6l7Dz87p2"
#define ID2 "4jd3WL6qmsz87p4"

/* The stamps, each at the start of a line, in UTC; "-" for one that is none. */
static const char *stamped(int64_t now_ms, const char *const *lines, size_t count)
{
    struct log_stamps stamps = {.now_ms = now_ms};
    text_reset(&told);
    for (size_t i = 0; i < count; i++) {
        struct log_slice line = {lines[i], strlen(lines[i])};
        int64_t at_ms = -1;
        char text[40] = "-";
        if (log_stamp_read(&stamps, &line, &at_ms)) {
            time_t at = (time_t)(at_ms / 1000);
            struct tm tm;
            ck_assert_str_eq(line.data, " x");
            (void)strftime(text, sizeof text, "%Y%m%d %H%M%S", gmtime_r(&at, &tm));
            if (at_ms % 1000 != 0)
                text_printf(&told, "%03d@", (int)(at_ms % 1000));
        }
        text_printf(&told, "%s;", text);
    }
    return text_string(&told);
}

#define STAMPED(now_ms, ...)                                                             \
    stamped(now_ms, (const char *const[]){__VA_ARGS__},                                  \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void set_zone(const char *zone)
{
    (void)setenv("TZ", zone, 1);
    tzset();
}

START_TEST(log_stamp_reads_iso)
{
    set_zone("Europe/Berlin");
    ck_assert_str_eq(STAMPED(NOW_MS, "2026-11-30T13:19:36.123456+01:00 x",
                             "2026-11-30T13:19:37+0100 x", "2026-11-30T12:19:38Z x",
                             "2026-11-30T07:49:39.5-04:30 x", "2026-11-30 13:19:40 x",
                             "2016-12-31T23:59:60Z x"),
                     "123@20261130 121936;20261130 121937;20261130 121938;"
                     "500@20261130 121939;20261130 121940;20170101 000000;");
}
END_TEST

START_TEST(log_stamp_reads_rfc_3164)
{
    set_zone("America/Los_Angeles");
    ck_assert_str_eq(
        STAMPED(NOW_MS, "Nov  1 00:59:59 x", "Nov  1 01:00:00.25 x", "Nov  1 03:00:00 x"),
        "20261101 075959;250@20261101 080000;20261101 110000;");
}
END_TEST

START_TEST(log_stamp_takes_nothing_else)
{
    ck_assert_str_eq(STAMPED(NOW_MS, "", "Nov", "Nov 30 13:19:3", "Nov 31 13:19:36 x",
                             "Non 30 13:19:36 x", "Nov 30 24:19:36 x",
                             "Nov 30 13-19-36 x", "2026-13-30T13:19:36Z x",
                             "2026-11-30T13:19 x", "2026-11-3013:19:36 x",
                             "Feb 30 13:19:36 x"),
                     "-;-;-;-;-;-;-;-;-;-;-;");
}
END_TEST

START_TEST(log_stamp_crosses_the_end_of_a_year)
{
    set_zone("UTC");
    int64_t february_ms = (int64_t)1801440000 * 1000; /* 1 February 2027 */
    ck_assert_str_eq(STAMPED(february_ms, "Dec 31 23:59:59 x", "Jan  1 00:00:00 x",
                             "Dec 31 23:59:59 x", "Jan 31 12:00:00 x"),
                     "20261231 235959;20270101 000000;20261231 235959;20270131 120000;");
    /* Older than a year can't be told. */
    ck_assert_str_eq(STAMPED(february_ms, "Feb  1 23:00:00 x"), "20270201 230000;");
    ck_assert_str_eq(STAMPED(february_ms, "Feb  3 12:00:00 x"), "20260203 120000;");
    ck_assert_str_eq(STAMPED(february_ms, "Feb 29 12:00:00 x"), "20240229 120000;");
}
END_TEST

START_TEST(log_stamp_follows_summer_time)
{
    set_zone("Europe/Berlin");
    ck_assert_str_eq(STAMPED(NOW_MS, "Mar 29 01:59:59 x", "Mar 29 03:00:00 x"),
                     "20260329 005959;20260329 010000;");
    ck_assert_str_eq(STAMPED(NOW_MS, "Oct 25 01:59:59 x", "Oct 25 02:00:00 x",
                             "Oct 25 02:59:59 x", "Oct 25 02:59:58 x",
                             "Oct 25 02:00:00 x", "Oct 25 02:30:00 x",
                             "Oct 25 03:00:00 x"),
                     "20261024 235959;20261025 000000;20261025 005959;20261025 005958;"
                     "20261025 010000;20261025 013000;20261025 020000;");
}
END_TEST

static void add_line(struct text *log, int second, const char *program, const char *id,
                     const char *says)
{
    text_printf(log, "Nov 30 12:00:%02d relay postfix/%s[1]: %s: %s\n", second, program,
                id, says);
}

/* A message at a second of 12:00, in syslog's words. */
static void add_message(struct text *log, int second, const char *id)
{
    add_line(log, second, "smtpd", id, "client=a[10.1.2.3]");
    add_line(log, second, "cleanup", id, "message-id=<>");
    add_line(log, second, "qmgr", id, "from=<a>, nrcpt=1 (queue active)");
    add_line(log, second, "lmtp", id, "to=<b>, status=sent (x)");
    add_line(log, second, "qmgr", id, "removed");
}

static const char ONE[] = "43201 " ID " 10.1.2.3 a>b*1 sent;";

static size_t gzip(const char *plain, size_t length, char *out, size_t size)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)plain,
                       .avail_in = (uInt)length,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)size};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&stream);
    return size - stream.avail_out;
}

enum { PACKED_SIZE = 1 << 20 };

/* Its members or frames, one for each half of the text. */
static size_t pack(bool zstd, const struct text *log, char out[PACKED_SIZE])
{
    size_t length = 0, half = log->length / 2;
    for (size_t i = 0; i < 2; i++) {
        const char *part = log->data + i * half;
        size_t size = i == 0 ? half : log->length - half;
        length += zstd ? ZSTD_compress(out + length, PACKED_SIZE - length, part, size, 3)
                       : gzip(part, size, out + length, PACKED_SIZE - length);
    }
    return length;
}

START_TEST(log_input_unpacks)
{
    static char packed[PACKED_SIZE];
    struct text log = {0};
    char path[32];
    add_message(&log, 1, ID);
    for (int i = 0; i < 100000; i++) /* larger than any buffer */
        text_printf(&log, "Nov 30 12:00:01 relay sshd[%d]: bye\n", i);
    add_message(&log, 2, ID2);
    for (int zstd = 0; zstd < 2; zstd++) {
        write_file(packed, pack(zstd != 0, &log, packed), path);
        ck_assert_str_eq(read_files((const char *const[]){path}, 1),
                         "43201 " ID " 10.1.2.3 a>b*1 sent;"
                         "43202 " ID2 " 10.1.2.3 a>b*1 sent;");
        ck_assert_uint_eq(statistics.lines, 100010);
        ck_assert_uint_eq(statistics.unread, 0);
        ck_assert_uint_eq(statistics.bytes_read, statistics.bytes_total);
    }
    text_clear(&log);
}
END_TEST

static enum status try_file(const char *bytes, size_t length, struct error *error)
{
    char path[32];
    const char *paths[] = {path};
    struct mail_log_reading reading = {
        .paths = paths, .path_count = 1, .now_ms = NOW_MS, .each = tell};
    text_reset(&told);
    write_file(bytes, length, path);
    enum status status = mail_log_read(&reading, &statistics, error);
    (void)unlink(path);
    return status;
}

START_TEST(log_input_names_what_is_damaged)
{
    static char packed[PACKED_SIZE];
    struct text log = {0};
    struct error error = {0};
    add_message(&log, 1, ID);
    for (int zstd = 0; zstd < 2; zstd++) {
        size_t length = pack(zstd != 0, &log, packed);
        for (size_t cut = 4; cut < length; cut++) {
            enum status status = try_file(packed, cut, &error);
            ck_assert(status == STATUS_INVALID || status == STATUS_OK);
        }
        ck_assert_int_eq(try_file(packed, length - 1, &error), STATUS_INVALID);
        ck_assert_ptr_nonnull(strstr(error.file, "/tmp/mail-log-"));
        for (size_t at = 0; at < length; at++) {
            packed[at] = (char)(packed[at] ^ 0x55);
            enum status status = try_file(packed, length, &error);
            ck_assert(status == STATUS_INVALID || status == STATUS_OK);
            packed[at] = (char)(packed[at] ^ 0x55);
        }
    }
    text_clear(&log);
}
END_TEST

START_TEST(log_input_names_what_it_cannot_unpack)
{
    struct error error = {0};
    ck_assert_int_eq(try_file("BZh91AY", 7, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text,
                     "is compressed with xz or bzip2: decompress it, and read it as -");
    ck_assert_int_eq(try_file("\xfd"
                              "7zXZ",
                              6, &error),
                     STATUS_INVALID);
    ck_assert_int_eq(try_file("LPKSHHRH", 8, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text,
                     "is a journal: read the output of journalctl -o export --file");
}
END_TEST

START_TEST(log_input_names_what_is_not_there)
{
    struct error error = {0};
    const char *paths[] = {"/nonexistent/mail.log"};
    struct mail_log_reading reading = {
        .paths = paths, .path_count = 1, .now_ms = NOW_MS, .each = tell};
    ck_assert_int_eq(mail_log_read(&reading, &statistics, &error), STATUS_IO);
    ck_assert_str_eq(error.file, "/nonexistent/mail.log");
}
END_TEST

START_TEST(log_input_cuts_long_lines)
{
    struct text log = {0};
    for (int length = 65530; length < 65540; length++) {
        text_add_string(&log, "Nov 30 12:00:00 relay sshd[1]: ");
        for (int i = 0; i < length * 5; i++)
            text_add_byte(&log, 'x');
        text_add_byte(&log, '\n');
    }
    add_message(&log, 1, ID);
    ck_assert_str_eq(read_log(text_string(&log)), ONE);
    ck_assert_uint_eq(statistics.lines, 15);
    text_clear(&log);
}
END_TEST

START_TEST(log_input_reads_any_line_ends)
{
    struct text log = {0};
    add_message(&log, 1, ID);
    char *last = strrchr(log.data, '\n');
    *last = '\0';
    ck_assert_str_eq(read_log(log.data), ONE);
    text_reset(&log);
    add_message(&log, 1, ID);
    struct text dos = {0};
    for (const char *c = log.data; *c != '\0'; c++) {
        if (*c == '\n')
            text_add_byte(&dos, '\r');
        text_add_byte(&dos, *c);
    }
    ck_assert_str_eq(read_log(dos.data), ONE);
    ck_assert_str_eq(read_log(""), "");
    text_clear(&log);
    text_clear(&dos);
}
END_TEST

/* How long standard input is, nobody knows: no share of the whole has been read then. */
START_TEST(mail_log_says_no_share_of_standard_input)
{
    struct text log = {0};
    char path[32];
    int ends[2], old = dup(STDIN_FILENO);
    add_message(&log, 1, ID);
    write_file(log.data, log.length, path);
    ck_assert_int_eq(pipe(ends), 0);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(write(ends[1], log.data, log.length), (ssize_t)log.length);
    (void)close(ends[1]);
    ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    (void)read_files((const char *const[]){"-", path}, 2);
    ck_assert_int_eq(dup2(old, STDIN_FILENO), STDIN_FILENO);
    (void)close(ends[0]);
    (void)close(old);
    ck_assert_uint_eq(statistics.bytes_read, log.length);
    ck_assert_uint_eq(statistics.bytes_total, log.length);
    text_clear(&log);
}
END_TEST

/* A journal's entry; a message with a line break comes with its length. */
static void add_entry(struct text *log, const char *program, const char *message)
{
    text_printf(log,
                "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1796040001500000\n_PID=7\n"
                "SYSLOG_IDENTIFIER=%s\n_HOSTNAME=relay\n",
                program);
    size_t length = strlen(message);
    if (strchr(message, '\n') == NULL) {
        text_printf(log, "MESSAGE=%s\n", message);
    } else {
        text_add_string(log, "MESSAGE\n");
        for (int i = 0; i < 8; i++)
            text_add_byte(log, (char)(length >> (8 * i)));
        text_printf(log, "%s\n", message);
    }
    text_add_byte(log, '\n');
}

static const char *read_text(const struct text *log)
{
    char path[32];
    write_file(log->data, log->length, path);
    return read_files((const char *const[]){path}, 1);
}

START_TEST(log_source_reads_a_journal)
{
    struct text log = {0};
    add_entry(&log, "postfix/smtpd", ID ": client=a[10.1.2.3]");
    add_entry(&log, "kernel", "two\nlines");
    add_entry(&log, "postfix/cleanup", ID ": message-id=<>");
    text_add_string(&log, "MESSAGE=without a time\n\n\n");
    add_entry(&log, "postfix/qmgr", ID ": from=<a>, nrcpt=1 (queue active)");
    add_entry(&log, "postfix/lmtp", ID ": to=<b>, status=sent (x\n)");
    add_entry(&log, "postfix/qmgr", ID ": removed");
    ck_assert_str_eq(read_text(&log), ONE);
    ck_assert_uint_eq(statistics.lines, 7);
    ck_assert_uint_eq(statistics.unread, 1);
    ck_assert_str_eq(statistics.examples[0].text, "without a time");
    ck_assert_int_eq(statistics.last_ms, (int64_t)1796040001500);
    text_clear(&log);
}
END_TEST

START_TEST(log_source_survives_a_journal_that_is_cut)
{
    struct text log = {0};
    add_entry(&log, "postfix/smtpd", ID ": client=a[10.1.2.3]");
    add_entry(&log, "kernel", "two\nlines");
    for (; log.length > 0; log.length--)
        ck_assert_str_eq(read_text(&log), "");
    add_entry(&log, "kernel", "two\nlines");
    memset(strstr(log.data, "MESSAGE\n") + 8, 0xff, 8); /* a length that none has */
    ck_assert_str_eq(read_text(&log), "");
    text_clear(&log);
}
END_TEST

/* What is no field spoils its entry, and is not taken for the length of one. */
START_TEST(log_source_reads_a_journal_with_other_lines)
{
    struct text log = {0};
    add_entry(&log, "postfix/smtpd", ID ": client=a[10.1.2.3]");
    add_entry(&log, "postfix/cleanup", ID ": message-id=<>");
    text_add_string(&log,
                    "No journal files were opened due to insufficient permissions.\n\n");
    add_entry(&log, "kernel", "two\nlines");
    memset(strstr(log.data, "MESSAGE\n") + 8, 0x7f, 8);
    add_entry(&log, "postfix/qmgr", ID ": from=<a>, nrcpt=1 (queue active)");
    add_entry(&log, "postfix/lmtp", ID ": to=<b>, status=sent (x\n)");
    add_entry(&log, "postfix/qmgr", ID ": removed");
    ck_assert_str_eq(read_text(&log), ONE);
    ck_assert_uint_eq(statistics.lines, 7);
    ck_assert_uint_eq(statistics.unread, 2);
    ck_assert_str_eq(statistics.examples[0].text,
                     "No journal files were opened due to insufficient permissions.");
    text_clear(&log);
}
END_TEST

START_TEST(mail_log_merges_files_by_time)
{
    /* Rotated as logrotate does it, and named in a shell's order; two relays' at once. */
    struct text logs[4] = {{0}};
    char paths[4][32];
    const char *names[4];
    text_add_string(&logs[0], "not a line\n");
    add_message(&logs[0], 7, "6AUDfjG7000817Z");
    add_message(&logs[0], 8, ID2);
    add_message(&logs[1], 1, ID);
    text_add_string(&logs[2], "none\nat all\n");
    add_message(&logs[3], 2, ID2);
    add_message(&logs[3], 8, ID);
    for (size_t i = 0; i < 4; i++) {
        write_file(logs[i].data, logs[i].length, paths[i]);
        names[i] = paths[i];
        text_clear(&logs[i]);
    }
    ck_assert_str_eq(read_files(names, 4), "43201 " ID " 10.1.2.3 a>b*1 sent;"
                                           "43202 " ID2 " 10.1.2.3 a>b*1 sent;"
                                           "43208 " ID2 " 10.1.2.3 a>b*1 sent;"
                                           "43208 " ID " 10.1.2.3 a>b*1 sent;");
    ck_assert_uint_eq(statistics.lines, 28);
    ck_assert_uint_eq(statistics.unread, 3);
    ck_assert_int_eq(statistics.last_ms - statistics.first_ms, 7000);
    ck_assert_uint_eq(statistics.bytes_read, statistics.bytes_total);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        log_stamp_reads_iso,
        log_stamp_reads_rfc_3164,
        log_stamp_takes_nothing_else,
        log_stamp_crosses_the_end_of_a_year,
        log_stamp_follows_summer_time,
        log_input_unpacks,
        log_input_names_what_is_damaged,
        log_input_names_what_it_cannot_unpack,
        log_input_names_what_is_not_there,
        log_input_cuts_long_lines,
        log_input_reads_any_line_ends,
        mail_log_says_no_share_of_standard_input,
        log_source_reads_a_journal,
        log_source_survives_a_journal_that_is_cut,
        log_source_reads_a_journal_with_other_lines,
        mail_log_merges_files_by_time,
        NULL,
    };
    return run_suite(mail_log_suite("log_source", tests));
}
