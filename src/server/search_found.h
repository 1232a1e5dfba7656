/*
 * What a searching command found, in the order that was asked for, and how it is told:
 * the ESEARCH response (RFC 4731, RFC 5267, RFC 9394) and "$" (RFC 5182).
 */
#ifndef SERVER_SEARCH_FOUND_H
#define SERVER_SEARCH_FOUND_H

#include "server/selected.h"
#include "wire/search.h"

/* Message numbers or UIDs: ascending in `set`, or if that is NULL in any order. */
struct found {
	const struct numset *set;
	const uint32_t *list;
	uint64_t n;
	uint64_t modseq; /* told with them (found_modseq); 0: none */
};

struct found found_of_set(const struct numset *set);
struct found found_of_list(const uint32_t *list, size_t n);
uint32_t found_at(const struct found *f, uint64_t i); /* i < n */
/* Appends a sequence-set of `n` results from the index `from` on, in their order. */
void found_print(const struct found *f, uint64_t from, uint64_t n, struct buf *out);

/*
 * "* ESEARCH (TAG "a1") UID": the rest of the line is the caller's. `of`: which mailbox it
 * is of, told too (RFC 7377 section 2.1), and with UIDs; NULL: the selected one.
 */
void esearch_begin(struct cmd *cmd, struct span tag, bool uid, const struct selected *of);
/* The whole response, unless no data was asked for (SAVE alone, RFC 5182 section 2.4). */
void esearch_reply(struct cmd *cmd, const struct selected *of,
		   const struct search_program *p, const struct found *f);
/* What RETURN (SAVE) leaves in "$": `f` holds UIDs. Without SAVE nothing changes. */
void found_save(struct cmd *cmd, const struct search_program *p, const struct found *f);
/*
 * The highest modseq of the messages that are told, when MODSEQ was asked for; 0: none is
 * told (RFC 7162 section 3.1.6, RFC 4731 section 3.2). `f` holds UIDs of `sel`.
 */
uint64_t found_modseq(struct selected *sel, const struct search_program *p,
		      const struct found *f);
/* The command ends without a result: NO empties "$", BAD leaves it (RFC 5182 2.1). */
void found_nothing(struct cmd *cmd, const struct search_program *p);

#endif
