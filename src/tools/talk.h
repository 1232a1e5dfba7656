/*
 * A small blocking IMAP client for the operator's socket (reach.h): one command after
 * another, for one user after another. UTF-8 is enabled, literals are sent without
 *waiting.
 *
 *	talk_open(&t, reach_dial(r, &why), &why) && talk_become(&t, name, &why)
 *	buf_puts(talk_begin(&t), "EXAMINE ");
 *	emit_mailbox(talk_text(&t), talk_mode(), path);
 *	if (talk_run(&t, NULL, NULL) != TALK_OK) ... talk_why()
 *
 * After TALK_LOST nothing more can be done with it: the server has ended, or did not keep
 * to the protocol.
 */
#ifndef TOOLS_TALK_H
#define TOOLS_TALK_H

#include "base/arena.h"
#include "wire/emit.h"
#include "wire/frame.h"
#include "wire/response.h"

enum talk_rc { TALK_OK, TALK_NO, TALK_BAD, TALK_LOST };

struct talk { /* talk.c's own */
	int fd;
	struct buf in, out, said, code_args;
	struct frame frame;
	struct arena *arena;	 /* of the response in hand */
	unsigned tag, first_tag; /* of the commands under way */
	bool is_logged_in, is_lost;
	enum code code;
};

/* An untagged response: `c` stands behind its name. Spans in it last until it returns. */
typedef void talk_data(void *arg, const struct response *r, struct cursor *c);

/* Takes over the socket (-1: false at once) and reads the greeting. */
bool talk_open(struct talk *t, int fd, struct buf *why);
void talk_close(struct talk *t); /* also after a failed talk_open() */
/* Acts for this user from now on. A sentence in `why` otherwise. */
bool talk_become(struct talk *t, struct span user, struct buf *why);

/* A command begins; it may be pipelined behind others. */
struct buf *talk_begin(struct talk *t);
/* Where its text goes; CRLF is talk_run()'s, or talk_next()'s. */
struct buf *talk_text(struct talk *t);
struct emit_mode talk_mode(void);
/* Sends what has gathered when that is much. False: lost. */
bool talk_pour(struct talk *t);
/* Ends the command, another one will follow before anything is read. */
void talk_next(struct talk *t);
/*
 * Ends the command, sends all, and reads until each command begun has its answer. The
 * worst of them is returned, and what the first that was not OK said. `data` may be NULL.
 */
enum talk_rc talk_run(struct talk *t, talk_data *data, void *arg);
/* The response code and its arguments; of the last command's answer, or the first bad
 * one. */
enum code talk_code(const struct talk *t);
struct span talk_code_args(const struct talk *t);
/* What the server said, a sentence. */
struct span talk_said(const struct talk *t);

#endif
