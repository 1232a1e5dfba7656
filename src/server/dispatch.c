/* From the bytes of a command to the command that runs. */
#include "server/dispatch.h"

#include "server/reply.h"
#include "server/selected.h"

static const struct command *find(struct span name, bool uid)
{
	for (size_t i = 0; server_extensions[i]; i++) {
		const struct command *c = server_extensions[i]->commands;

		for (; c && c->name; c++)
			if (span_ieq(span_str(c->name), name) &&
			    (!uid || (c->flags & CMD_UID)))
				return c;
	}
	return NULL;
}

/* Stands in for a command that may not run; its reply is set before. */
static enum verdict run_nothing(struct cmd *cmd)
{
	return CMD_DONE;
}

static const struct command nothing = { "", IN_ANY, CMD_NO_REPORT, run_nothing };

static const char *wrong_state(const struct command *def, unsigned state)
{
	if (state == IN_NOT_AUTH)
		return "Log in first.";
	if (def->states & IN_SELECTED)
		return "Select a mailbox first.";
	if (def->states & IN_AUTH)
		return "Leave the mailbox first (UNSELECT).";
	return "You are logged in already.";
}

static void refuse(struct cmd *cmd, const char *why)
{
	cmd->def = &nothing;
	reply_bad(cmd, why);
}

/* RFC 4314 section 5.1.1: until he leaves the mailbox. */
static void withdrawn(struct cmd *cmd)
{
	cmd->def = &nothing;
	reply_no(cmd, "NOPERM", "Your right to read this mailbox was withdrawn.");
}

static void look_up(struct cmd *cmd)
{
	struct span name;

	cmd->tag = cursor_tag(&cmd->cur);
	if (!cmd->cur.bad && !cursor_at_end(&cmd->cur))
		cursor_sp(&cmd->cur);
	if (cmd->cur.bad) {
		cmd->tag = SPAN("*");
		refuse(cmd, "A command starts with a tag and a space.");
		return;
	}
	name = cursor_atom(&cmd->cur);
	if (!cmd->cur.bad && span_ieq(name, SPAN("UID"))) {
		cmd->uid = true;
		cursor_sp(&cmd->cur);
		name = cursor_atom(&cmd->cur);
	}
	if (cmd->cur.bad) {
		refuse(cmd, "A command is missing behind the tag.");
		return;
	}
	cmd->def = find(name, cmd->uid);
	if (!cmd->def || ((cmd->def->flags & CMD_OPERATOR) &&
			  !cmd->conn->listener->is_operator))
		refuse(cmd, "That command is not known here.");
	else if (!(cmd->def->states & cmd->session->state))
		refuse(cmd, wrong_state(cmd->def, cmd->session->state));
	else if ((cmd->def->flags & CMD_NUMBERS) && !cmd->uid &&
		 session_is_uidonly(cmd->session)) {
		cmd->def = &nothing;
		reply_bad_code(cmd, "UIDREQUIRED",
			       "After ENABLE UIDONLY use the UID form of the command.");
	}
	else if (!selected_refresh(cmd->session) && cmd->def->states == IN_SELECTED &&
		 !(cmd->def->flags & CMD_LEAVES))
		withdrawn(cmd);
}

static void tagged_done(void *arg)
{
	buf_done(arg);
}

static struct cmd *cmd_new(struct conn *c)
{
	struct session *s = c->session;
	struct arena *a = arena_new(s->arena);
	struct cmd *cmd = ARENA_NEW(a, struct cmd);

	cmd->conn = c;
	cmd->session = s;
	cmd->server = c->server;
	cmd->arena = a;
	arena_defer(a, tagged_done, &cmd->tagged);
	return cmd;
}

struct cmd *dispatch_own(struct conn *c, const struct command *def)
{
	struct cmd *cmd = cmd_new(c);

	cmd->def = def;
	cmd->tag = SPAN("*");
	cmd->cur = cursor_of(SPAN_NONE, false, cmd->arena);
	cmd->no_report = true;
	return cmd;
}

struct cmd *dispatch(struct conn *c, struct span frame,
		     const struct frame_literal *literal)
{
	struct session *s = c->session;
	struct cmd *cmd = cmd_new(c);
	struct arena *a = cmd->arena;

	cmd->cur = cursor_of(arena_dup(a, frame), session_is_utf8(s), a);
	if (literal) {
		cmd->literal = *literal;
		cmd->has_literal = true;
	}
	look_up(cmd);
	cmd->start = cmd->cur;
	cmd->may_expunge = !(cmd->def->flags & CMD_NO_EXPUNGE) || cmd->uid;
	cmd->no_report = cmd->def->flags & CMD_NO_REPORT;
	return cmd;
}

bool dispatch_streams(struct conn *c, struct span frame,
		      const struct frame_literal *literal)
{
	const struct command *def;
	struct span rest = frame;
	struct span name;
	ptrdiff_t sp = span_find(rest, ' ');

	if (sp < 0)
		return false;
	rest = span_sub(rest, (size_t)sp + 1, SIZE_MAX);
	sp = span_find(rest, ' ');
	if (sp < 0)
		return false;
	name = span_sub(rest, 0, (size_t)sp);
	rest = span_sub(rest, (size_t)sp + 1, SIZE_MAX);
	if (span_ieq(name, SPAN("UID")) && (sp = span_find(rest, ' ')) >= 0) {
		def = find(span_sub(rest, 0, (size_t)sp), true);
		rest = span_sub(rest, (size_t)sp + 1, SIZE_MAX);
	} else {
		def = find(name, false);
	}
	if (def && (def->flags & CMD_STREAM_SECOND)) {
		sp = span_find(rest, ' ');
		rest = span_sub(rest, sp < 0 ? rest.n : (size_t)sp + 1, SIZE_MAX);
	}
	/* A literal right behind the name is the mailbox. */
	return def && (def->flags & CMD_STREAM) && (def->states & c->session->state) &&
	       literal->header_off != (size_t)(rest.p - frame.p);
}

void cmd_free(struct cmd *cmd)
{
	if (cmd)
		arena_free(cmd->arena);
}
