/* Who has waited long and in vain rests for a minute. */
#include "base/patience.h"

#include "base/clock.h"

bool patience_is_left(const struct patience *patience)
{
    return clock_monotonic_us() >= patience->rests_until_us;
}

void patience_note(struct patience *patience, int64_t began_us, bool in_vain)
{
    int64_t now_us = clock_monotonic_us();
    bool hangs = in_vain && now_us - began_us >= PATIENCE_LONG_MS * INT64_C(1000);
    patience->rests_until_us = hangs ? now_us + PATIENCE_REST_MS * INT64_C(1000) : 0;
}
