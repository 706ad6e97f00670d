/* A text that several own: the last one frees it. */
#ifndef BASE_SHARED_TEXT_H
#define BASE_SHARED_TEXT_H

struct shared_text;

/* Takes over data, of malloc(3), with one reference. NULL when out of memory: then data
 * stays the caller's. */
struct shared_text *shared_text_new(char *data);
struct shared_text *shared_text_ref(struct shared_text *shared);
void shared_text_unref(struct shared_text *shared); /* NULL is allowed */

#endif
