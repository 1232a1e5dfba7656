/* A lane: one connection of a run; for act_lane.c and act_task.c. */
#ifndef TOOLS_ACT_LANE_H
#define TOOLS_ACT_LANE_H

#include "tools/act.h"

struct act_lane {
	struct act_run *run;
	struct client *client;
	struct act_task *now;	/* its commands are under way, or it is being prepared */
	struct act_task *next;	/* whose login is under way, or has succeeded */
	struct act_task *again; /* list: lost their connection, will be tried once more */
	bool is_ready;		/* next is logged in */
	bool is_ended;
	uint64_t freed_us; /* when the last task ended */
	/* The journal: what is not on disk yet, and whether `now` waits for it. */
	struct journal_ticket begun;
	bool is_begun_due, is_gate_shut;
	unsigned ends_due; /* ends of earlier tasks */
};

/* act_task.c */
struct act_task *task_new(struct act_lane *l, struct span user, unsigned attempt,
			  struct journal_entry known);
void task_free(struct act_task *t);
/* Begins with the user who is logged in now. */
void task_start(struct act_task *t);
/* Ends the task if nothing is under way any more. */
void task_settle(struct act_task *t);
/* The journal has written what stood before the task's first change. */
void task_gate(struct act_lane *l);

/* act_lane.c */
/* The task `l->now` has ended; the lane keeps or frees it. */
void lane_task_ended(struct act_lane *l);
/* Changes to the next user, if there is one and the lane is not doing so. */
void lane_advance(struct act_lane *l);

#endif
