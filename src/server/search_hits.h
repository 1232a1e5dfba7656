/*
 * The messages that a search found, one after another with fields of their headers, read
 * ahead in batches: what SORT and THREAD arrange.
 */
#ifndef SERVER_SEARCH_HITS_H
#define SERVER_SEARCH_HITS_H

#include "server/ahead.h"
#include "server/selected.h"

enum { SEARCH_HITS_STEPS = 2 };

struct hit {
	uint32_t seq;
	struct view_msg msg;
	int64_t sent; /* the sent date, else the internal one (RFC 5256 section 2.2) */
	struct span header; /* the fields; empty when they cannot be read */
};

struct search_hits {
	/* Set by the caller before the begin: */
	struct selected *sel;
	const struct numset *uids;
	bool wants_summary;	  /* `sent` and `header` are needed */
	const struct span *names; /* of header fields */
	size_t n_names;
	void (*each)(void *arg, const struct hit *); /* in the order of the mailbox */
	void *arg;
	int step; /* of the command: this one and the one behind it */

	struct cmd *cmd; /* private from here on */
	struct want want;
	struct numset_iter it;
	struct ahead ahead;
	struct buf header;
};

/* As search_run_begin() and search_run_go_on(). In the command's arena. */
enum verdict search_hits_begin(struct search_hits *h, struct cmd *cmd);
enum verdict search_hits_go_on(struct search_hits *h);

#endif
