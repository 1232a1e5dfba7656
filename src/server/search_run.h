/*
 * A search under way: a program asked of every message of one mailbox's version. Each
 * is asked first with what the view knows, then with its summary, and only if that does
 * not tell with its bytes. What FILTER keys name is read first. SEARCH, SORT, THREAD and ESEARCH begin with it.
 */
#ifndef SERVER_SEARCH_RUN_H
#define SERVER_SEARCH_RUN_H

#include "server/ahead.h"
#include "server/search_filters.h"
#include "server/search_term.h"

enum { SEARCH_RUN_STEPS = 4 };

struct search_run {
	/* Set by the caller before the begin: */
	struct selected *sel;		/* what is searched */
	struct search_program *program; /* in the command's arena, as is the run (but see `arena`) */
	int step; /* of the command: this one and the SEARCH_RUN_STEPS - 1 behind it */
	/* For a command of many runs: the run's own, a child of the command's. How far the
	 * command is, and how many messages it may touch, are its own then. */
	struct arena *arena;
	/* Its result, complete when the run is over: UIDs. */
	struct numset hits;

	struct cmd *cmd; /* private from here on */
	struct search_filters filters;
	struct search *search;
	uint32_t seq;		/* next message to look at */
	struct ahead ahead;	/* those that need their summary */
	struct want want;	/* of it */
	struct subject subject; /* the one in hand */
	struct text_walk text;
	uint64_t done;
	struct buf header;
};

/*
 * What is wrong with a program whatever it is asked of; then the reply is set. And what it
 * turns on is.
 */
bool search_program_check(struct cmd *cmd, const struct search_program *p);
/* The messages of `sel` that a program speaks of: those of its sets, if it has any at the
 * top. */
void search_candidates(struct selected *sel, const struct search_program *p,
		       struct numset *to);
/*
 * Makes the program ready and begins. CMD_DONE: it is over; the tagged reply is set if it
 * could not be made or carried out, and not if `hits` is complete. Any other verdict is
 * the command's; it calls search_run_go_on() when it runs at one of the steps.
 */
enum verdict search_run_begin(struct search_run *r, struct cmd *cmd);
enum verdict search_run_go_on(struct search_run *r);

#endif
