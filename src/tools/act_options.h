/*
 * The command line of `mailstile act`: options and the job. What is wrong with
 * it is said before anything is connected.
 */
#ifndef TOOLS_ACT_OPTIONS_H
#define TOOLS_ACT_OPTIONS_H

#include "base/arena.h"
#include "base/buf.h"

enum act_kind {
	ACT_APPEND,
	ACT_FLAG,
	ACT_FETCH,
	ACT_SEARCH,
	ACT_EXPUNGE,
	ACT_STATUS,
	ACT_RUN,
};

/* A job as it was given. All strings live in the options' arena or in argv. */
struct act_job {
	enum act_kind kind;
	const char *name;    /* "append" */
	const char *mailbox; /* not for status and run; UTF-8 */
	const char *search;  /* search keys as IMAP writes them */
	const char **files;  /* append: messages; status: mailboxes */
	size_t files_n;
	const char *flags;    /* append: "\Seen \Flagged" or "" */
	const char *flags_op; /* flag: "+" or "-" */
	const char *date;     /* append: IMAP date-time without quotes, or NULL */
	const char *to;	      /* fetch: the folder */
	const char *script;   /* run: its file name, may hold %u */
};

struct act_options {
	struct arena *arena;
	const char *host;
	uint16_t port;
	bool is_implicit_tls; /* imaps:// */
	bool is_plaintext;    /* --plaintext: imap:// without STARTTLS, loopback only */
	const char *as;
	const char *password_file;
	const char *ca;	   /* NULL: the system's */
	const char *pin;   /* 64 hex digits, or NULL */
	const char *certificate, *key; /* of the client, PEM; NULL: none */
	const char *mechanism; /* "SCRAM-SHA-256-PLUS"; NULL: the client's choice */
	const char *users; /* file, "-", or NULL: the administrator alone */
	const char *journal;
	const char *summary_json;
	unsigned connections;
	unsigned timeout_s;
	bool is_json, is_compressed, is_reconnect, is_quiet;
	struct act_job job;
};

/*
 * Reads argv[1..]. Returns true; or false and in `why` a sentence that says what
 * is wrong. `opt->arena` is the caller's.
 */
bool act_options_parse(struct act_options *opt, int argc, char **argv, struct buf *why);

/* What makes this job this job, for the journal: kind and arguments. */
void act_job_identity(const struct act_job *job, struct buf *out);

/* `name` with %u replaced by the user and %% by %; other % stay. */
void act_expand(const char *name, struct span user, struct buf *out);

/*
 * `user` as one path component: what is not [A-Za-z0-9._@+=,-] becomes %XX, and
 * so do a leading dot and, with "%", the empty name. No two users get one name.
 */
void act_path_component(struct span user, struct buf *out);

/*
 * Words of flags ("+\Seen,\Flagged", "\Seen $Junk"; without the sign) as an
 * IMAP list "(\Seen $Junk)". False when a word is not a flag (RFC 9051 section 9, flag).
 */
bool act_flags_list(const char *words, struct buf *out);

#endif
