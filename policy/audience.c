/* The hash of all persons says whether the audience has changed, the sketch who came and
 * went: a small audience can be read from the sketch alone, of a large one its difference
 * from the audience of now. */
#include "policy/audience.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/sketch.h"
#include "policy/directory_parts.h"

static void add(struct audience *audience, uint64_t person)
{
    if (array_reserve(&audience->persons, audience->count, sizeof *audience->persons))
        audience->persons[audience->count++] = person;
    else
        audience->failed = true;
}

/* With a prefix, so that these are not the hashes that stand in the log for an address.
 */
void audience_add_person(struct audience *audience, const struct digest_key *key,
                         const char *address)
{
    static const char domain[] = "audience:";
    char text[sizeof domain + ADDRESS_SIZE];
    uint8_t hash[DIGEST_BYTES];
    uint64_t person;
    int length = snprintf(text, sizeof text, "%s%s", domain, address);
    size_t used = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    digest_bytes(key, text, used, hash);
    memcpy(&person, hash, sizeof person);
    add(audience, person);
}

void audience_add_list(struct audience *audience, const struct digest_key *key,
                       const struct directory *directory, uint32_t list)
{
    roaring_uint32_iterator_t person;
    roaring_init_iterator(directory_persons(directory, list), &person);
    for (; person.has_value; (void)roaring_advance_uint32_iterator(&person))
        audience_add_person(audience, key,
                            intern_string(directory->strings, person.current_value));
}

void audience_add_all(struct audience *audience, const struct audience *other)
{
    for (size_t i = 0; i < other->count; i++)
        add(audience, other->persons[i]);
    audience->failed = audience->failed || other->failed;
}

static int compare(const void *left, const void *right)
{
    uint64_t a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a > b) - (a < b);
}

enum status audience_settle(struct audience *audience)
{
    size_t kept = 0;
    if (audience->count > 1)
        qsort(audience->persons, audience->count, sizeof *audience->persons, compare);
    for (size_t i = 0; i < audience->count; i++)
        if (kept == 0 || audience->persons[i] != audience->persons[kept - 1])
            audience->persons[kept++] = audience->persons[i];
    audience->count = kept;
    return audience->failed ? STATUS_NOMEM : STATUS_OK;
}

void audience_clear(struct audience *audience)
{
    free(audience->persons);
    *audience = (struct audience){0};
}

/* ---- the digest: "NUMBER HASH CELLS COUNT:KEYS:CHECKS,..." ---- */

static void hash_all(const struct audience *audience, const struct digest_key *key,
                     char out[DIGEST_HEX_SIZE])
{
    digest_hex(key, audience->count == 0 ? "" : (const char *)audience->persons,
               audience->count * sizeof *audience->persons, out);
}

void audience_write(const struct audience *audience, const struct digest_key *key,
                    struct text *text)
{
    char hash[DIGEST_HEX_SIZE];
    struct sketch sketch = {.cell_count = sketch_cells(audience->count)};
    for (size_t i = 0; i < audience->count; i++)
        sketch_add(&sketch, audience->persons[i], 1);
    hash_all(audience, key, hash);
    text_printf(text, "%zu %s %zu ", audience->count, hash, sketch.cell_count);
    for (size_t i = 0; i < sketch.cell_count; i++)
        text_printf(text, "%" PRIx64 ":%" PRIx64 ":%" PRIx32 ",",
                    (uint64_t)sketch.cells[i].count, sketch.cells[i].keys,
                    sketch.cells[i].checks);
}

struct parsed {
    size_t number;
    char hash[DIGEST_HEX_SIZE];
    struct sketch sketch;
};

static bool parse_head(const char **at, struct parsed *out)
{
    char *end;
    *out = (struct parsed){0};
    out->number = strtoul(*at, &end, 10);
    if (end == *at || *end != ' ' || strcspn(end + 1, " ") != DIGEST_HEX_SIZE - 1)
        return false;
    memcpy(out->hash, end + 1, DIGEST_HEX_SIZE - 1);
    *at = end + DIGEST_HEX_SIZE;
    return true;
}

static bool parse(const char *digest, struct parsed *out)
{
    char *end;
    const char *at = digest;
    if (!parse_head(&at, out))
        return false;
    out->sketch.cell_count = strtoul(at, &end, 10);
    if (*end != ' ' || out->sketch.cell_count == 0 ||
        out->sketch.cell_count > SKETCH_CELLS_MAX ||
        out->sketch.cell_count % SKETCH_PARTS != 0)
        return false;
    for (size_t i = 0; i < out->sketch.cell_count; i++) {
        struct sketch_cell *cell = &out->sketch.cells[i];
        cell->count = (int64_t)strtoull(end + 1, &end, 16);
        if (*end != ':')
            return false;
        cell->keys = strtoull(end + 1, &end, 16);
        if (*end != ':')
            return false;
        cell->checks = (uint32_t)strtoul(end + 1, &end, 16);
        if (*end != ',')
            return false;
    }
    return true;
}

bool audience_is(const struct audience *audience, const struct digest_key *key,
                 const char *digest)
{
    struct parsed parsed;
    char hash[DIGEST_HEX_SIZE];
    hash_all(audience, key, hash);
    return parse_head(&digest, &parsed) && strcmp(hash, parsed.hash) == 0;
}

size_t audience_number(const char *digest)
{
    struct parsed parsed;
    return parse_head(&digest, &parsed) ? parsed.number : 0;
}

/* Reads the sketch: all of its persons, or with known those of known, less who is not in
 * the sketch and with who is in it alone. False when too many differ. */
static bool take_all(struct sketch sketch, const struct audience *known,
                     struct audience *out)
{
    struct audience gone = {0};
    uint64_t person;
    int count;
    size_t taken = 0;
    for (size_t i = 0; known != NULL && i < known->count; i++)
        sketch_add(&sketch, known->persons[i], -1);
    while (taken++ < SKETCH_CELLS_MAX && sketch_take(&sketch, &person, &count))
        add(count > 0 ? out : &gone, person);
    (void)!audience_settle(&gone);
    for (size_t i = 0; known != NULL && i < known->count; i++)
        if (gone.count == 0 || bsearch(&known->persons[i], gone.persons, gone.count,
                                       sizeof *gone.persons, compare) == NULL)
            add(out, known->persons[i]);
    out->failed = out->failed || gone.failed;
    audience_clear(&gone);
    return sketch_is_empty(&sketch);
}

enum status audience_recall(const char *digest, const struct digest_key *key,
                            const struct audience *now, struct audience *out)
{
    struct parsed parsed;
    const struct audience *const known[] = {NULL, now};
    enum status status = STATUS_NOT_FOUND;
    if (audience_is(now, key, digest)) {
        struct audience same = {0};
        audience_add_all(&same, now);
        status = audience_settle(&same);
        if (status == STATUS_OK)
            *out = same;
        else
            audience_clear(&same);
        return status;
    }
    if (!parse(digest, &parsed))
        return STATUS_NOT_FOUND;
    for (size_t i = 0; i < 2 && status == STATUS_NOT_FOUND; i++) {
        struct audience then = {0};
        bool taken = take_all(parsed.sketch, known[i], &then);
        status = audience_settle(&then);
        if (status == STATUS_OK && taken && audience_is(&then, key, digest)) {
            *out = then;
            return STATUS_OK;
        }
        audience_clear(&then);
        status = status == STATUS_OK ? STATUS_NOT_FOUND : status;
    }
    return status;
}

size_t audience_without(const struct audience *audience, const struct audience *other)
{
    size_t count = 0;
    for (size_t i = 0, j = 0; i < audience->count; i++) {
        while (j < other->count && other->persons[j] < audience->persons[i])
            j++;
        count += j == other->count || other->persons[j] != audience->persons[i];
    }
    return count;
}
