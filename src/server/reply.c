/* Replies of commands: tagged lines, untagged responses, errors in words. */
#include "server/reply.h"

#include "server/language.h"
#include "server/message_limit.h"

static void tagged_set(struct cmd *cmd, enum tagged kind, const char *word,
		       const char *code, const char *text)
{
	struct buf *b = &cmd->tagged;

	buf_clear(b);
	buf_put(b, cmd->tag);
	buf_putc(b, ' ');
	buf_puts(b, word);
	if (code)
		buf_printf(b, " [%s]", code);
	buf_putc(b, ' ');
	buf_puts(b, language_text(cmd->session, text));
	buf_puts(b, "\r\n");
	cmd->tagged_kind = kind;
}

/* Beside another code it goes into a line of its own (RFC 9738 section 3.1). */
enum verdict reply_ok(struct cmd *cmd, const char *code, const char *text)
{
	const char *limited = message_limit_code(cmd);

	if (limited && code)
		untagged(cmd, language_text(cmd->session, "NO [%s] The command was done for the newest messages."),
			 limited);
	else if (limited)
		code = limited;
	tagged_set(cmd, TAGGED_OK, "OK", code, text);
	return CMD_DONE;
}

enum verdict reply_no(struct cmd *cmd, const char *code, const char *text)
{
	tagged_set(cmd, TAGGED_NO, "NO", code, text);
	return CMD_DONE;
}

enum verdict reply_bad(struct cmd *cmd, const char *text)
{
	return reply_bad_code(cmd, NULL, text);
}

enum verdict reply_bad_code(struct cmd *cmd, const char *code, const char *text)
{
	tagged_set(cmd, TAGGED_BAD, "BAD", code, text);
	return CMD_DONE;
}

enum verdict reply_syntax(struct cmd *cmd)
{
	const char *why = cmd->cur.why ? cmd->cur.why
				       : "the arguments are not well formed";

	why = language_text(cmd->session, why);
	return reply_bad(cmd, arena_printf(cmd->arena,
					   language_text(cmd->session, "%s: %s."),
					   cmd->def->name, why));
}

enum verdict reply_done(struct cmd *cmd)
{
	return reply_done_code(cmd, NULL);
}

enum verdict reply_done_code(struct cmd *cmd, const char *code)
{
	return reply_ok(cmd, code,
			arena_printf(cmd->arena, language_text(cmd->session, "%s%s completed."),
				     cmd->uid ? "UID " : "", cmd->def->name));
}

struct error_reply {
	const char *code, *text;
};

/* Codes of RFC 5530 and RFC 9051 section 7.1. */
static struct error_reply error_reply(enum err e)
{
	switch (e) {
	case ERR_NOENT:
		return (struct error_reply){ "NONEXISTENT", "There is no such mailbox." };
	case ERR_EXISTS:
		return (struct error_reply){ "ALREADYEXISTS", "That name is taken." };
	case ERR_CONFLICT:
	case ERR_BUSY: return (struct error_reply){ "INUSE", "It is in use; try again." };
	case ERR_FULL:
		return (struct error_reply){ "OVERQUOTA",
					     "There is no space left to keep it." };
	case ERR_QUOTA:
		return (struct error_reply){ "OVERQUOTA", "The quota is used up." };
	case ERR_TOOBIG:
		return (struct error_reply){ "TOOBIG",
					     "It is larger than this server takes." };
	case ERR_LIMIT:
		return (struct error_reply){ "LIMIT",
					     "That is more than this server allows." };
	case ERR_INVAL:
		return (struct error_reply){ "CANNOT",
					     "That cannot be done: the name or value "
					     "is not allowed." };
	case ERR_DENIED:
		return (struct error_reply){ "NOPERM",
					     "You are not allowed to do that." };
	case ERR_CORRUPT:
		return (struct error_reply){
			"CORRUPTION", "Stored data failed its check; tell the operator."
		};
	case ERR_NOCHARSET:
		return (struct error_reply){ "BADCHARSET",
					     "That charset is not known here." };
	case ERR_CODING:
		return (struct error_reply){
			"UNKNOWN-CTE", "The part's transfer encoding is not known."
		};
	case ERR_UNSUPPORTED:
		return (struct error_reply){ "CANNOT", "This server does not do that." };
	default:
		return (struct error_reply){ "SERVERBUG",
					     "The store could not answer; try again "
					     "later or tell the operator." };
	}
}

enum verdict reply_err(struct cmd *cmd, enum err e)
{
	struct error_reply r = error_reply(e);

	if (e == ERR_IO || e == ERR_CLOSED)
		r.code = "UNAVAILABLE";
	return reply_no(cmd, r.code, r.text);
}

enum verdict reply_err_target(struct cmd *cmd, enum err e)
{
	if (e == ERR_NOENT)
		return reply_no(cmd, "TRYCREATE",
				"There is no such mailbox; create it first.");
	return reply_err(cmd, e);
}

void untagged_ok(struct cmd *cmd, const char *code, const char *text)
{
	untagged(cmd, "OK [%s] %s", code, language_text(cmd->session, text));
}

void untagged_bye(struct cmd *cmd, const char *text)
{
	untagged(cmd, "BYE %s", language_text(cmd->session, text));
}

void untagged(struct cmd *cmd, const char *fmt, ...)
{
	struct buf *out = cmd_out(cmd);
	va_list ap;

	buf_puts(out, "* ");
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_puts(out, "\r\n");
}

void continuation(struct cmd *cmd, struct span text)
{
	struct buf *out = cmd_out(cmd);

	buf_puts(out, "+ ");
	buf_put(out, text);
	buf_puts(out, "\r\n");
}
