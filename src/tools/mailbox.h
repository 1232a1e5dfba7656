/* What the verbs of `mailstile mailbox` share. */
#ifndef TOOLS_MAILBOX_H
#define TOOLS_MAILBOX_H

#include "tools/config.h"
#include "tools/reach.h"
#include "tools/subcommand.h"
#include "tools/talk.h"

enum { MAILBOX_WORDS = 64 };

struct mailbox_job {
	const char *word[MAILBOX_WORDS]; /* DIR, USER, ... */
	size_t n_words;
	const char *storage, *messages, *mailboxes, *format, *into, *journal;
	bool is_json, is_clear, no_unquote;
	struct config *config;
	struct reach *reach;
	struct talk talk;
	struct arena *arena;
	struct buf why; /* a sentence, when something failed */
};

/* Each returns an exit status; `why` is said when it is not EXIT_DONE and not empty. */
int mailbox_list(struct mailbox_job *j);
int mailbox_stat(struct mailbox_job *j);
int mailbox_quota(struct mailbox_job *j);
int mailbox_export(struct mailbox_job *j);
int mailbox_import(struct mailbox_job *j);

/* Runs the command begun; what the server says against it goes to `why`. */
bool mailbox_run(struct mailbox_job *j, talk_data *data, void *arg);
/* Acts for the job's user (word 1). */
bool mailbox_become(struct mailbox_job *j);

struct mailbox_name {
	struct span path; /* UTF-8 */
	struct span uses; /* "\Sent", ...; empty: none */
	bool is_subscribed, exists;
};
struct mailbox_names {
	struct mailbox_name *at;
	size_t n, cap;
};
/* The user's own mailboxes, in the job's arena; not what others share with him. */
bool mailbox_names(struct mailbox_job *j, struct mailbox_names *ret);
bool mailbox_names_has(const struct mailbox_names *n, struct span path);
/* Waits for no signal but notes the first: INT, TERM and HUP. */
void mailbox_catch_signals(void);
bool mailbox_is_stopping(void);
/* "12.3 MB" */
void mailbox_put_size(struct buf *out, uint64_t bytes);

#endif
