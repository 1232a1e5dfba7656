/*
 * What a run has done: a line or an object a user on standard output, a summary on
 * standard error and, for programs, as JSON.
 */
#ifndef TOOLS_ACT_REPORT_H
#define TOOLS_ACT_REPORT_H

#include "base/json.h"
#include "client/client.h"

struct act_run;
struct act_task;

struct act_report {
	uint64_t start_us, end_us;	/* clock_mono_us */
	uint64_t done, failed, unknown; /* users of this run; unknown is part of failed */
	uint64_t skipped;		/* done in an earlier run, by the journal */
	uint64_t stuck;	     /* begun in an earlier run, of a job that is not repeated */
	uint64_t duplicates; /* in the list of users */
	uint32_t *us;	     /* of each user, microseconds */
	size_t n, cap;
	struct client_stats client; /* summed over lanes */
	const char *why_no_switch;
	struct buf out; /* standard output, not written yet */
	bool is_broken; /* standard output cannot be written */
};

/* A user has ended. Prints the object, or the error. */
void report_task(struct act_run *r, struct act_task *t, uint64_t us);
/* A line for standard output, with its end. */
void report_line(struct act_run *r, struct span line);
/* Writes what has gathered. */
void report_flush(struct act_run *r, bool is_all);
void report_add_client(struct act_report *p, const struct client_stats *s);

/* The time that `percent` of the users stayed below; sorts. 0 when there is none. */
uint32_t report_percentile(struct act_report *p, unsigned percent);
void report_summary_text(struct act_run *r, struct buf *out);
void report_summary_json(struct act_run *r, struct buf *out);
void report_done(struct act_report *p);

#endif
