/*
 * One run of `mailstile act`: a job, users in a queue, and lanes: connections that
 * each take one user after the other from the queue.
 *
 * A task is a job for one user. While its last commands are under way its lane already
 * changes to the next user (client_become); that user's first changing command goes out
 * once the task's end stands in the journal.
 */
#ifndef TOOLS_ACT_H
#define TOOLS_ACT_H

#include "client/client.h"
#include "tools/act_journal.h"
#include "tools/act_options.h"
#include "tools/act_progress.h"
#include "tools/act_report.h"
#include "tools/act_script.h"
#include "tools/act_set.h"
#include "wire/search.h"

struct act_lane;
struct act_task;
struct message_cache;

/* What a job may be done with a user whom it may have reached already. */
enum act_repeat {
	REPEAT_FREELY, /* it ends the same: flag, expunge, fetch, search, status */
	REPEAT_CHECK,  /* append: it finds out what has arrived */
	REPEAT_NEVER,  /* run: nobody knows what a script does */
};

struct act_job_ops {
	enum act_repeat repeat;
	/* The user is logged in. Reads only; ends with act_task_prepared(). NULL:
	 * nothing. */
	void (*prepare)(struct act_task *t);
	/* Sends the first commands; changes are allowed. */
	void (*begin)(struct act_task *t);
};

struct act_task {
	struct act_lane *lane;
	const struct act_job_ops *ops;
	struct arena *arena;
	struct span user;
	unsigned attempt; /* from 1 */
	uint64_t start_us;
	struct journal_entry known; /* of an earlier attempt or run */
	/* Commands. */
	unsigned pending;
	bool is_begun;	  /* begin() has run: changes may have been sent */
	bool is_complete; /* act_task_last() was called */
	/* The outcome. */
	enum err rc;	 /* the first error */
	bool is_lost;	 /* a command has no answer: the connection went */
	bool is_unknown; /* and it had been sent */
	struct buf why;
	struct buf why_code;
	struct buf json; /* "{" and the members that the job adds */
	struct json members;
	void *job;	       /* the job's own, in the arena */
	struct act_task *link; /* of the lane's list */
};

struct act_run {
	const struct act_options *opt;
	struct loop *loop;
	struct net_tls *tls;
	struct workers *workers;
	struct buf password;
	struct journal *journal; /* NULL: none */
	struct act_set users;
	size_t next; /* of users */
	struct act_lane *lane;
	size_t lanes, live; /* live: have not ended */
	const struct act_job_ops *ops;
	struct search_node *search; /* NULL: the job has none */
	bool is_search_utf8;
	struct script script; /* when its name holds no %u */
	struct message_cache *messages;
	struct progress progress;
	struct act_report report;
	unsigned refused;	 /* logins refused before the first that succeeded */
	bool is_credential_good; /* somebody was logged in */
	bool is_stopping;	 /* Ctrl-C, or fatal */
	enum err fatal;		 /* no connection, no login, no journal: the run ends */
	bool is_journal_broken;
	struct buf fatal_why;
};

/* act_lane.c */
void act_lanes_start(struct act_run *r);
void act_lanes_free(struct act_run *r);
/* Ends the run as soon as the users in hand are done. */
void act_stop(struct act_run *r);
struct client *act_task_client(const struct act_task *t);
struct act_run *act_task_run(const struct act_task *t);
/*
 * The end of prepare(): the mailbox's numbers go into the journal, then begin() runs.
 * With `rc` not ERR_OK (act_task_fail was called) the task ends.
 */
void act_task_prepared(struct act_task *t, uint32_t uidvalidity, uint32_t uidnext);
/* Nothing more will be sent for this user: the lane may change to the next. */
void act_task_last(struct act_task *t);
/* The task has failed; the first error counts. It ends when no command is under way. */
void act_task_fail(struct act_task *t, enum err rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * A command of the task: print behind the tag, then client_cmd_send(). `calls->done` must
 * call act_task_answered() last.
 */
struct client_cmd *act_task_command(struct act_task *t, const struct client_calls *calls,
				    void *arg);
/* Takes note of an error and ends the task when this was the last answer. */
void act_task_answered(struct act_task *t, const struct client_result *result);

/* act_select.c: flag, search, expunge. */
extern const struct act_job_ops act_job_flag, act_job_search, act_job_expunge;
/* False, and in `why` a sentence, when the search is not one or not safe for the job. */
bool act_search_parse(struct act_run *r, struct buf *why);
/* "UID SEARCH [RETURN (...)] keys" as this server wants it. */
void act_search_print(struct act_task *t, const char *returns, struct buf *out);
/* Whether "$" works (RFC 5182). */
bool act_has_saved(const struct act_task *t);
/* "SELECT name" or "EXAMINE name" is sent; errors fail the task. */
void act_select_send(struct act_task *t, const char *verb);

/* act_fetch.c, act_append.c, act_status.c, act_play.c */
extern const struct act_job_ops act_job_fetch, act_job_append, act_job_status,
    act_job_run;

/* A script of `run` from its file, into `a`. Errors: a sentence in `why`. */
enum err act_script_read(struct arena *a, const char *path, struct script *ret_script,
			 struct buf *why);

/* act_message.c: files as messages. */
struct message_cache *message_cache_new(void);
void message_cache_free(struct message_cache *m);
/*
 * Opens `path` as a message: line ends are CRLF (RFC 5322 section 2.3; a file that has
 * others is copied to memory). The caller owns *ret_fd. `is_shared`: many users get this
 * file, keep it. Errors: a sentence in `why`.
 */
enum err message_open(struct message_cache *m, const char *path, bool is_shared,
		      int *ret_fd, uint64_t *ret_bytes, struct buf *why);
/* The Message-ID field's value, trimmed; nothing appended when there is none. */
void message_id_of(int fd, struct buf *out);
/* SHA-256 of the whole file. False when it cannot be read. */
bool message_digest(int fd, unsigned char ret_sum[32]);

#endif
