/* Any scenario: understood, or refused with an error, and then nothing is left of it. */
#include "fuzz.h"
#include "replay/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const given[] = {"given=3"};
    const struct scenario_options options = {.given = given, .given_count = 1};
    struct scenario scenario;
    struct problems problems = {0};
    enum status status =
        scenario_read((const char *)data, size, "fuzz", &options, &scenario, &problems);
    claim((status == STATUS_OK) == (problems.errors == 0));
    if (status == STATUS_OK)
        claim(scenario.messages >= 0 && scenario.length_ms >= 0);
    else
        claim(scenario.series == NULL && scenario.file == NULL);
    scenario_clear(&scenario);
    problems_clear(&problems);
    return 0;
}
