/*
 * Threads of messages (RFC 5256 section 3): REFERENCES and ORDEREDSUBJECT. Pure, and
 * without recursion however deep the references go.
 */
#ifndef MAIL_THREAD_H
#define MAIL_THREAD_H

#include "base/buf.h"
#include "mail/comparator.h"

struct threads;

enum thread_by { THREAD_BY_SUBJECT, THREAD_BY_REFERENCES };

/* `seed`: of the table of message ids, so that nobody can choose ids that fall together.
 */
struct threads *threads_new(enum thread_by by, const struct comparator *c, uint64_t seed);
void threads_free(struct threads *t); /* NULL is fine */
/*
 * The next message, in the order of the mailbox. `number` is what is printed of it,
 * `sent` the sent date (section 2.2), `block` has its Subject, Message-ID, References and
 * In-Reply-To.
 */
void threads_add(struct threads *t, uint32_t number, int64_t sent, struct span block);
/* Once: appends "(1)(2 3 (4)(5))". */
void threads_print(struct threads *t, struct buf *out);
/* Which fields are looked at. */
extern const struct span thread_fields[];
#define THREAD_FIELDS 4

#endif
