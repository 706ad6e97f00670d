/* Counts the distinct persons of a set of recipients: the union of lists and single
 * addresses. One list, or one person, needs no table. */
#ifndef POLICY_REACH_H
#define POLICY_REACH_H

#include "policy/directory.h"

struct reach;

/* directory is borrowed. NULL when out of memory. */
struct reach *reach_new(const struct directory *directory);
void reach_free(struct reach *reach);

/* Adds whom a target means; unknown lists count with what is known of them. */
enum status reach_add(struct reach *reach, const struct target *target) MUST_CHECK;

/* Distinct persons so far, and how many of them are outside the own domains. */
uint64_t reach_total(const struct reach *reach);
uint64_t reach_external(const struct reach *reach);

#endif
