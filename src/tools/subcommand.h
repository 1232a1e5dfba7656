/*
 * Subcommands of the binary: one const table a file, listed in main.c.
 *
 * A subcommand prints errors as one sentence on standard error, "mailstile
 * user: ...", and returns the exit status: 0 done, 1 failed, 2 wrong usage.
 */
#ifndef TOOLS_SUBCOMMAND_H
#define TOOLS_SUBCOMMAND_H

#include "base/buf.h"
#include "base/err.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct subcommand {
	const char *name;    /* "serve" */
	const char *summary; /* one line for `mailstile --help` */
	const char *
	    help; /* all of `mailstile NAME --help`, printed by main; NULL: run does it */
	/* argv[0] is the subcommand's name. */
	int (*run)(int argc, char **argv);
};

extern const struct subcommand cmd_act, cmd_backup, cmd_check, cmd_init, cmd_mailboxes,
    cmd_restore, cmd_serve, cmd_user;

/* "mailstile NAME: <sentence>" on stderr; returns EXIT_FAILED or EXIT_USAGE. */
int tool_fail(const struct subcommand *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int tool_usage(const struct subcommand *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with a sentence in a buffer, which is emptied. */
int tool_fail_buf(const struct subcommand *c, struct buf *why);
int tool_usage_buf(const struct subcommand *c, struct buf *why);

/* ---- options: "--name VALUE", "--name=VALUE", "--name"; "--" ends them ---- */

struct tool_option {
	const char *name;   /* without "--" */
	const char **value; /* where its value goes, or */
	bool *flag;	    /* what it turns on; it takes no value then */
};

/*
 * Sorts argv[1..] into options and words. `word` has room for `max`; more are an
 * error, and none is one if `needed` says what it would be ("DIR"; NULL: fine).
 * Returns false, and in `why` a sentence, when the command line is wrong.
 */
bool tool_options(int argc, char **argv, const struct tool_option *options,
		  const char **word, const char *needed, size_t max, size_t *ret_words,
		  struct buf *why);

/* Passwords of people: asked for on the terminal, twice. Otherwise a sentence in `why`.
 */
bool tool_password_ask(const char *name, struct buf *out, struct buf *why);
/* A password file's first line, without its end; "-" is standard input. The
 * caller wipes `out` (buf_done). Otherwise a sentence in `why`. */
bool tool_password_file(const char *path, struct buf *out, struct buf *why);
/* 24 characters of a random password (120 bits), letters and digits easily told apart. */
void tool_password_make(struct buf *out);

#endif
