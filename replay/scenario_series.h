/* send and ordinary, the lines below them, and the repeat blocks around them. */
#ifndef REPLAY_SCENARIO_SERIES_H
#define REPLAY_SCENARIO_SERIES_H

#include "replay/scenario_reader.h"

/* Statements: rest is the text after the first word, trimmed. */
enum status scenario_series_send(struct scenario_reader *reader,
                                 const char *rest) MUST_CHECK;
enum status scenario_series_ordinary(struct scenario_reader *reader,
                                     const char *rest) MUST_CHECK;
enum status scenario_series_repeat(struct scenario_reader *reader,
                                   const char *rest) MUST_CHECK;
enum status scenario_series_end(struct scenario_reader *reader,
                                const char *rest) MUST_CHECK;

/* A line of a series: a property of its messages. NOT_FOUND when word is not one. */
enum status scenario_series_property(struct scenario_reader *reader, const char *word,
                                     const char *rest) MUST_CHECK;

/* Checks the last series once all its lines are read; errors go to problems. */
enum status scenario_series_finish(struct scenario_reader *reader) MUST_CHECK;

#endif
