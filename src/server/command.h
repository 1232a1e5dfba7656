/*
 * A command, and the table that registers it. An extension is one file that
 * ends with its table; its line in meson.build puts it into the index.
 */
#ifndef SERVER_COMMAND_H
#define SERVER_COMMAND_H

#include "base/arena.h"
#include "server/conn.h"
#include "server/session.h"
#include "wire/cursor.h"
#include "wire/emit.h"
#include "wire/frame.h"

/* What a step of a command says about what happens next. */
enum verdict {
	CMD_DONE,   /* the tagged reply is set (reply.h); report, send, next command */
	CMD_WAIT,   /* run() is called again: see enum wait */
	CMD_YIELD,  /* run() is called again soon, other connections first */
	CMD_SWITCH, /* as DONE, then conn.c carries out cmd->plan */
	CMD_CLOSE,  /* as DONE, then the connection is closed after its output */
};

enum wait {
	WAIT_OP,      /* cmd->op completes */
	WAIT_DRAIN,   /* the peer has read what was queued */
	WAIT_LINE,    /* a line from the client: cmd->line, without CRLF */
	WAIT_LITERAL, /* the literal that cmd->cur ends with: fed to def->feed, then the
		       * text behind it is in cmd->cur and run() is called */
	WAIT_CHANGE,  /* a line, or the account has changed (IDLE): cmd->line.p NULL then
		       */
	WAIT_TIMER,   /* cmd_sleep's time is over */
	WAIT_TURN,    /* CMD_YIELD */
};

/* Around the tagged OK, at the exact byte: see doc/rooms.md. */
struct switch_plan {
	enum { KEEP_ALL, KEEP_TLS } keep; /* layers above TLS are taken off */
	bool push_tls;			  /* STARTTLS */
	bool push_deflate;		  /* COMPRESS */
	bool new_session;		  /* the session object is replaced */
};

/* Where a command may stand (RFC 9051 section 6). */
enum {
	IN_NOT_AUTH = 1,
	IN_AUTH = 2,
	IN_SELECTED = 4,
	IN_LOGGED_IN = IN_AUTH | IN_SELECTED,
	IN_ANY = IN_NOT_AUTH | IN_LOGGED_IN,
};

enum {
	CMD_NO_EXPUNGE = 1, /* EXPUNGE may not be sent (RFC 9051 7.5.1); UID forms may */
	CMD_NO_REPORT = 2,  /* no untagged report before the tagged reply */
	CMD_UID = 4,	    /* exists as UID x too; cmd->uid tells */
	CMD_STREAM = 8,     /* takes literals as they come (APPEND) */
	CMD_STREAM_SECOND = 16, /* but the second argument, a mailbox, may be one (REPLACE) */
	CMD_NUMBERS = 32,   /* takes message numbers, but for UID x: BAD under UIDONLY */
	CMD_TELLS = 64,	    /* EXPUNGE is its own answer: told whatever NOTIFY says */
	CMD_MESSAGES = 256, /* needs what never changes of the selected mailbox's messages */
	CMD_OPERATOR = 128, /* known on the operator's socket only (server.h, is_operator) */
	CMD_LEAVES = 512,   /* ends the selection: also of a mailbox he may not read any more */
};

struct command {
	const char *name; /* "FETCH"; one word */
	unsigned states;
	unsigned flags;
	enum verdict (*run)(struct cmd *);
	/* CMD_STREAM: bytes of the literal; false: stop until conn_literal_go(). */
	bool (*feed)(struct cmd *, struct span);
};

struct cmd {
	struct conn *conn;
	struct session *session;
	struct server *server;
	struct arena *arena; /* ends with the command */
	const struct command *def;
	struct span tag;
	bool uid;	   /* UID FETCH and its like */
	struct cursor cur; /* the arguments */
	struct cursor start;  /* as `cur` was when the command began (place.h) */
	enum verdict verdict; /* place.h */
	struct place_opened *opened; /* place.c */
	unsigned learned;	     /* place_learn() so far */
	int step;	   /* the command's own; 0 at first */
	bool has_asked;	   /* for that, CMD_MESSAGES */
	void *state;	   /* the command's own, in its arena */
	struct op *op; /* in flight; in run() after WAIT_OP: completed, its result valid
			* until run() returns */
	enum wait wait;
	struct span line; /* WAIT_LINE, WAIT_CHANGE */
	struct frame_literal
	    literal;	  /* CMD_STREAM: what cmd->cur ends with, if has_literal */
	bool has_literal; /* not taken yet */
	struct switch_plan plan;
	struct buf tagged; /* the tagged reply, sent by conn.c after the report */
	enum tagged { TAGGED_NONE, TAGGED_OK, TAGGED_NO, TAGGED_BAD } tagged_kind;
	const struct numset *mark;	    /* report.h: told in any case */
	const struct report_silent *silent; /* report.h: the client's own wish */
	bool tells_progress; /* INPROGRESS may stand here (progress.h); between responses */
	uint64_t done, goal; /* of it, in messages; goal 0: not known */
	uint32_t limit_lowest; /* message_limit.h: the lowest UID touched; 0: all were */
	bool told_modseq;		    /* a response named a MODSEQ (condstore.h) */
	bool may_expunge;		    /* EXPUNGE may be reported now */
	bool no_report;
	bool is_own;	   /* of `background`: nobody asked, no tagged reply */
	struct cmd *under; /* IDLE, which goes on when this one has ended */
};

/* How a store op is started for this command: cmd->op = store_call(..., cmd_to(cmd)). */
struct op_to cmd_to(struct cmd *cmd);
/* `return cmd_wait(cmd, OP_STEP, op)`: sets step and op; WAIT_OP. */
enum verdict cmd_wait(struct cmd *cmd, int next_step, struct op *op);
/* `return cmd_sleep(cmd, step, ms)`: run() is called again then. */
enum verdict cmd_sleep(struct cmd *cmd, int next_step, uint64_t ms);
/* `return cmd_literal(cmd, step)`: takes the announced literal (WAIT_LITERAL). */
enum verdict cmd_literal(struct cmd *cmd, int next_step);
/* `return cmd_line(cmd, step)`: WAIT_LINE. */
enum verdict cmd_line(struct cmd *cmd, int next_step);
/* `return cmd_yield(cmd, step)`: other connections first. */
enum verdict cmd_yield(struct cmd *cmd, int next_step);
/* Output is over the high-water mark: `return cmd_drain(cmd, step)`. */
bool cmd_must_drain(struct cmd *cmd);
enum verdict cmd_drain(struct cmd *cmd, int next_step);
/* Where untagged responses are put; sent with the next flush. */
struct buf *cmd_out(struct cmd *cmd);
/* What this client may be sent: UTF-8 in quoted strings, literal8 (wire/emit.h). */
struct emit_mode cmd_mode(const struct cmd *cmd);

/* A parameter of SELECT and EXAMINE (RFC 4466 section 2.1). */
struct select_param {
	const char *name;
	/*
	 * Before anything is done. `value` as written, p NULL: none. May leave a state of its
	 * own. False: BAD, with the reply set (reply_bad), and the mailbox is not left.
	 */
	bool (*read)(struct cmd *, struct span value, void **ret_state);
	/*
	 * When all lines of the newly selected mailbox but the tagged one are out. CMD_DONE;
	 * or `return cmd_wait(cmd, cmd->step, op)`: called again then. NULL: nothing to do.
	 */
	enum verdict (*selected)(struct cmd *, void *state);
};

struct view;

struct extension {
	const char *name;  /* for the table of support: "IDLE" */
	const char *rfc;   /* "RFC 2177"; NULL: not a row of the table */
	const char *about; /* one line for the operator */
	/* Words for CAPABILITY; NULL: none. Offered in these states: */
	const char *capability;
	unsigned states;
	/* Decides instead of `states`, when not NULL; appends " WORD" itself. */
	void (*offer)(const struct conn *, unsigned state, struct buf *out);
	/* ENABLE takes these names; `enabled` bits are session->enabled. */
	const char *enable;
	unsigned enable_bit;		/* enum enabled */
	const struct command *commands; /* ends with { 0 } */
	size_t slot_bytes;		/* of its state in a session (session_slot) */
	const struct select_param *select_params; /* ends with { 0 } */
	/*
	 * The client's view of the selected mailbox advances from `old` to `now` (report.h).
	 * Called before EXPUNGE, EXISTS and FETCH are told (numbers are those of `old`), and
	 * again with `is_told` behind them. Not while an EXPUNGE is held back.
	 */
	void (*on_report)(struct cmd *, struct view *old, struct view *now, bool is_told);
	/* Responses that no command asked for, selected or not: before the tagged line of any
	 * command, and in IDLE when the account has changed. */
	void (*tell)(struct cmd *);
	/*
	 * Asked between commands, and inside IDLE (`idle`), while session->is_notified: a
	 * command of the server's own to be run now (dispatch.h), or NULL.
	 */
	struct cmd *(*background)(struct session *, const struct cmd *idle);
};

/* Generated from meson.build; ends with NULL. */
extern const struct extension *const server_extensions[];

#endif
