/* SELECT and EXAMINE (RFC 9051 sections 6.3.2, 6.3.3; RFC 3501 for UNSEEN and RECENT). */
#include "server/condstore.h"
#include "server/list_line.h"
#include "server/mailbox_name.h"
#include "server/object_id.h"
#include "server/reply.h"
#include "server/report.h"
#include "server/selected.h"

enum { PARSE, ANSWER, PARAMS };

struct select_state {
	struct place place;
	bool read_only;
	struct given {
		const struct select_param *param;
		void *state;
	} * given;
	size_t n_given, at_given;
};

static const struct select_param *find_param(struct span name)
{
	for (size_t i = 0; server_extensions[i]; i++) {
		const struct select_param *p = server_extensions[i]->select_params;

		for (; p && p->name; p++)
			if (span_ieq(span_str(p->name), name))
				return p;
	}
	return NULL;
}

/* select-params (RFC 4466 section 2.1). False: the reply is set. */
static bool read_params(struct cmd *cmd)
{
	struct select_state *st = cmd->state;
	struct wire_params params = { 0 };

	if (cursor_try_sp(&cmd->cur))
		cursor_params(&cmd->cur, &params);
	if (!cursor_end(&cmd->cur)) {
		reply_syntax(cmd);
		return false;
	}
	st->given = arena_array(cmd->arena, params.n, sizeof *st->given);
	for (size_t i = 0; i < params.n; i++) {
		struct given *g = &st->given[st->n_given++];

		g->param = find_param(params.v[i].name);
		if (!g->param) {
			reply_bad(cmd, "That parameter is not known here.");
			return false;
		}
		for (size_t k = 0; k < i; k++)
			if (st->given[k].param == g->param) {
				reply_bad(cmd, "A parameter was given twice.");
				return false;
			}
		if (g->param->read && !g->param->read(cmd, params.v[i].value, &g->state))
			return false;
	}
	return true;
}

/* \Recent is for the first session that is told, and never for EXAMINE to take (RFC
 * 3501 2.3.2), nor for who may only read. */
static void claim_recent(struct selected *sel)
{
	uint32_t uidnext = view_uidnext(sel->view);
	uint32_t first = mailbox_recent(sel->mailbox, uidnext,
					selected_is_read_write(sel));

	for (uint32_t seq = view_seq_from(sel->view, first);
	     seq && seq <= view_count(sel->view); seq++)
		numset_add(&sel->recent, view_get(sel->view, seq).uid);
}

/* What the parameters have to say, then the end. */
static enum verdict params(struct cmd *cmd)
{
	struct select_state *st = cmd->state;

	for (; st->at_given < st->n_given; st->at_given++) {
		struct given *g = &st->given[st->at_given];
		enum verdict v;

		if (!g->param->selected)
			continue;
		cmd->step = PARAMS;
		v = g->param->selected(cmd, g->state);
		if (v != CMD_DONE || cmd->tagged_kind != TAGGED_NONE)
			return v;
	}
	if (st->read_only)
		return reply_ok(cmd, "READ-ONLY", "EXAMINE completed.");
	if (selected_is_read_write(cmd->session->selected))
		return reply_ok(cmd, "READ-WRITE", "SELECT completed.");
	return reply_ok(cmd, "READ-ONLY", "SELECT completed.");
}

/* Takes the reference. */
static enum verdict answer(struct cmd *cmd, struct mailbox *mailbox)
{
	struct select_state *st = cmd->state;
	struct session *s = cmd->session;
	struct selected *sel;
	struct span id;

	if (!place_is(&st->place, mailbox)) {
		mailbox_unref(mailbox);
		return reply_err(cmd, ERR_NOENT);
	}
	sel = selected_new(s, mailbox, &st->place, st->read_only);
	report_flags(cmd, true);
	untagged(cmd, "%u EXISTS", view_count(sel->view));
	if (!session_is_rev2(s)) {
		claim_recent(sel);
		untagged(cmd, "%u RECENT", (unsigned)numset_count(&sel->recent));
		if (view_first_unseen(sel->view) && !session_is_uidonly(s))
			untagged_ok(cmd,
				    arena_printf(cmd->arena, "UNSEEN %u",
						 view_first_unseen(sel->view)),
				    "First message without \\Seen.");
	}
	untagged_ok(cmd,
		    arena_printf(cmd->arena, "UIDVALIDITY %u",
				 view_uidvalidity(sel->view)),
		    "UIDs are valid.");
	untagged_ok(cmd, arena_printf(cmd->arena, "UIDNEXT %u", view_uidnext(sel->view)),
		    "Next UID.");
	id = object_id_mailbox(cmd->arena, view_mailbox_id(sel->view));
	untagged_ok(cmd, arena_printf(cmd->arena, "MAILBOXID (%.*s)", (int)id.n, id.p),
		    "Its identifier.");
	untagged_ok(cmd, "URLMECH INTERNAL", "How URLs of it are authorized.");
	if (session_condstore(s))
		untagged_ok(cmd, condstore_highest(cmd), "Highest modification sequence.");
	if (session_is_rev2(s))
		list_line_selected(cmd, &st->place);
	return params(cmd);
}

static enum verdict opened(struct cmd *cmd)
{
	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	return answer(cmd, op_mailbox(cmd->op));
}

static enum verdict run(struct cmd *cmd, bool read_only)
{
	struct select_state *st;
	struct mailbox *mailbox;
	struct span name;

	if (cmd->step == ANSWER)
		return opened(cmd);
	if (cmd->step == PARAMS)
		return params(cmd);
	st = cmd->state = ARENA_NEW(cmd->arena, struct select_state);
	st->read_only = read_only;
	cursor_sp(&cmd->cur);
	name = mailbox_name(cmd);
	if (cmd->cur.bad)
		return reply_syntax(cmd);
	if (!read_params(cmd))
		return CMD_DONE;
	/* Whatever comes of it, the former mailbox is closed (RFC 9051 section 6.3.2). */
	if (cmd->session->selected) {
		selected_end(cmd->session);
		untagged_ok(cmd, "CLOSED", "The former mailbox is closed.");
	}
	if (!place_find(cmd, name, RIGHT_R, &st->place))
		return cmd->verdict;
	mailbox = place_select_now(&st->place);
	if (mailbox)
		return answer(cmd, mailbox);
	return cmd_wait(cmd, ANSWER, place_select(&st->place, cmd_to(cmd)));
}

static enum verdict run_select(struct cmd *cmd)
{
	return run(cmd, false);
}

static enum verdict run_examine(struct cmd *cmd)
{
	return run(cmd, true);
}

static const struct command commands[] = {
	{ "SELECT", IN_LOGGED_IN, CMD_NO_REPORT, run_select },
	{ "EXAMINE", IN_LOGGED_IN, CMD_NO_REPORT, run_examine },
	{ 0 },
};
const struct extension cmd_select = {
	.name = "SELECT",
	.commands = commands,
};
