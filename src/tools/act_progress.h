/*
 * How far a run is: a bar on a terminal, else a line every ten seconds, on
 * standard error. The text is made by pure functions so that it can be tested.
 */
#ifndef TOOLS_ACT_PROGRESS_H
#define TOOLS_ACT_PROGRESS_H

#include "base/buf.h"

struct progress {
	int fd; /* where it is written; -1: nowhere */
	bool is_terminal;
	bool is_drawn;		     /* the bar stands on the terminal's last line */
	uint64_t total;		     /* users of this run */
	uint64_t done, failed;	     /* done counts the failed ones too */
	uint64_t start_ms, last_ms;  /* clock_mono_ms */
	uint64_t mark_ms, mark_done; /* the rate is that of the last seconds */
	double rate;		     /* users a second, smoothed; 0: not known yet */
};

void progress_init(struct progress *p, int fd, uint64_t total, uint64_t now_ms);
/* A user more. Draws when it is time to (ten times a second, or every ten seconds). */
void progress_step(struct progress *p, bool is_failed, uint64_t now_ms);
/* Draws when it is time to, though nothing happened. */
void progress_tick(struct progress *p, uint64_t now_ms);
/* Takes the bar off the terminal so that something else can be printed. */
void progress_clear(struct progress *p);

/* "[#####.....] 512/1000  1234 users/s  0:03 left  2 failed", at most `columns` wide. */
void progress_bar(const struct progress *p, unsigned columns, uint64_t now_ms,
		  struct buf *out);
/* "512 of 1000 users, 1234 users/s, 0:03 left, 2 failed" */
void progress_line(const struct progress *p, uint64_t now_ms, struct buf *out);

#endif
