/*
 * What changed, told: the difference between the version the client knows and
 * the newest durable one (EXPUNGE, EXISTS, RECENT, FETCH; RFC 9051 section 7.4,
 * 7.5). Commands do not print what they changed; STORE marks its messages.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include "server/command.h"

/*
 * STORE with .SILENT: the client knows what it asked for and is not told, unless
 * another session changed the message as well (RFC 9051 section 6.4.6).
 */
struct report_silent {
	const struct numset *uids;
	enum flag_change how;
	const struct flag_names *flags;
	bool is_fetch;	  /* the command tells them itself: nothing, not even MODSEQ */
	bool is_answered; /* UNCHANGEDSINCE: each is told, with MODSEQ at least */
};

/* Into cmd_out(). Uses cmd->may_expunge, cmd->mark (UIDs told in any case),
 * cmd->silent (UIDs whose change is the client's own wish). */
void report(struct cmd *cmd);
/* "* 5 FETCH (", or of a client that wants no numbers "* 87 UIDFETCH (" (RFC 9586). */
void report_fetch_begin(struct cmd *cmd, struct buf *out, uint32_t seq, uint32_t uid);
/* The FLAGS and PERMANENTFLAGS lines when the mailbox knows new keywords. */
void report_flags(struct cmd *cmd, bool always);

#endif
