/*
 * LIST and LSUB (RFC 9051 section 6.3.9, RFC 3501 section 6.3.9; LIST-EXTENDED RFC 5258,
 * LIST-STATUS RFC 5819, SPECIAL-USE RFC 6154, CHILDREN RFC 3348, LIST-MYRIGHTS RFC 8440).
 */
#include "server/list_line.h"
#include "server/list_names.h"
#include "server/mailbox_name.h"
#include "server/metadata.h"
#include "server/reply.h"
#include "server/status_line.h"
#include "wire/list.h"

enum { PARSE, STATUS, METADATA, WALK };

struct list_state {
	struct list_args args;
	struct list_names names;
	size_t at;		 /* next name */
	size_t ask_at;		 /* the next to be asked about */
	uint32_t *ids;		 /* mailboxes of one account that are asked about */
	struct account *account; /* that one */
	struct mailbox_status
	    *status; /* RETURN (STATUS): answers, in the order of names */
	size_t n_status, status_at;
	struct list_metadata *metadata; /* RETURN (METADATA ...) */
	bool is_lsub, myrights;
};

void list_line(struct cmd *cmd, const char *command, const struct name *name,
	       unsigned more, bool childinfo)
{
	struct list_response r = { .delimiter = '/',
				   .name = name->path,
				   .childinfo_subscribed = childinfo };

	r.attrs = more | name->special_use * LIST_ALL;
	r.attrs |= name->flags & NAME_CHILDREN ? LIST_HASCHILDREN : LIST_HASNOCHILDREN;
	emit_list_response(cmd_out(cmd), cmd_mode(cmd), command, &r);
}

void list_line_selected(struct cmd *cmd, const struct place *place)
{
	struct name name;

	if (list_name_at(cmd, place, &name))
		list_line(cmd, "LIST", &name,
			  name.flags & NAME_SUBSCRIBED ? LIST_SUBSCRIBED : 0, false);
}

static bool matches(const struct list_state *st, struct span path)
{
	for (size_t i = 0; i < st->args.n_patterns; i++)
		if (list_match(st->args.patterns[i], path, '/'))
			return true;
	return false;
}

static bool is_selected(const struct list_state *st, const struct name *n)
{
	unsigned select = st->args.select;

	if ((select & LIST_SELECT_SUBSCRIBED) && !(n->flags & NAME_SUBSCRIBED))
		return false;
	if ((select & LIST_SELECT_SPECIAL_USE) && !n->special_use)
		return false;
	return (select & LIST_SELECT_SUBSCRIBED) ||
	       (n->flags & (NAME_EXISTS | NAME_CHILDREN));
}

static bool is_below(struct span path, struct span parent)
{
	return path.n > parent.n && path.p[parent.n] == '/' && span_starts(path, parent);
}

/* Names are sorted: what lies below one comes right behind it. */
static bool has_selected_below(const struct list_state *st, size_t i)
{
	for (size_t k = i + 1; k < st->names.n; k++) {
		const struct name *n = st->names.at[k];

		if (!is_below(n->path, st->names.at[i]->path))
			return false;
		if (is_selected(st, n))
			return true;
	}
	return false;
}

static unsigned shown_attrs(struct cmd *cmd, const struct list_state *st,
			    const struct name *n)
{
	bool knows = st->args.is_extended || session_is_rev2(cmd->session);
	unsigned attrs = 0;

	if ((n->flags & NAME_SUBSCRIBED) &&
	    ((st->args.select & LIST_SELECT_SUBSCRIBED) ||
	     (st->args.returns & LIST_RETURN_SUBSCRIBED) ||
	     session_is_rev2(cmd->session)))
		attrs |= LIST_SUBSCRIBED;
	if (!(n->flags & NAME_EXISTS))
		attrs |= knows ? LIST_NONEXISTENT : LIST_NOSELECT;
	return attrs;
}

static bool is_wanted(const struct list_state *st, size_t i, bool *ret_childinfo)
{
	const struct name *n = st->names.at[i];

	*ret_childinfo = false;
	if (!matches(st, n->path))
		return false;
	*ret_childinfo = (st->args.select & LIST_SELECT_RECURSIVEMATCH) &&
			 has_selected_below(st, i);
	return is_selected(st, n) || *ret_childinfo;
}

/* Such a pattern stops at one level: what is subscribed below shows in its parent. */
static bool ends_at_level(const struct list_state *st)
{
	struct span p = st->args.patterns[0];

	return p.n && p.p[p.n - 1] == '%';
}

/* LSUB "%" names a level above subscribed ones with \Noselect (RFC 3501 section 6.3.9).
 */
static void lsub_line(struct cmd *cmd, struct list_state *st, size_t i)
{
	const struct name *n = st->names.at[i];
	struct name bare = { .path = n->path, .flags = n->flags };
	bool is_parent = !(n->flags & NAME_SUBSCRIBED);

	if (!matches(st, n->path) ||
	    (is_parent && !(ends_at_level(st) && has_selected_below(st, i))))
		return;
	list_line(cmd, "LSUB", &bare,
		  is_parent || !(n->flags & NAME_EXISTS) ? LIST_NOSELECT : 0, false);
}

/* Not of a name that is there for what lies below it alone (RFC 5819 section 2). */
static bool is_asked(const struct list_state *st, size_t i)
{
	const struct name *n = st->names.at[i];

	return (n->flags & NAME_EXISTS) && matches(st, n->path) && is_selected(st, n);
}

/* Where the user has no right to it, the STATUS or METADATA of a mailbox is left out. */
static bool wants_status(struct cmd *cmd, const struct list_state *st, size_t i)
{
	return is_asked(st, i) && (list_origin(cmd, &st->names, i).rights & RIGHT_R);
}

static bool wants_metadata(struct cmd *cmd, const struct list_state *st, size_t i)
{
	const struct place p = { .rights = list_origin(cmd, &st->names, i).rights };

	return is_asked(st, i) && metadata_may(&p);
}

static void one_line(struct cmd *cmd, struct list_state *st, size_t i)
{
	const struct name *n = st->names.at[i];
	bool childinfo;

	if (!is_wanted(st, i, &childinfo))
		return;
	list_line(cmd, "LIST", n, shown_attrs(cmd, st, n), childinfo);
	if (st->myrights && is_asked(st, i))
		list_myrights_line(cmd, n->path, list_origin(cmd, &st->names, i).rights);
	if (st->status_at < st->n_status && wants_status(cmd, st, i)) {
		const struct mailbox_status *s = &st->status[st->status_at++];

		if (s->exists)
			status_line(cmd, n, s, st->args.status);
	}
	if (st->metadata && wants_metadata(cmd, st, i))
		list_metadata_line(cmd, st->metadata,
				   list_origin(cmd, &st->names, i).account, n);
}

static enum verdict walk(struct cmd *cmd)
{
	struct list_state *st = cmd->state;

	for (; st->at < st->names.n; st->at++) {
		if (cmd_must_drain(cmd))
			return cmd_drain(cmd, WALK);
		if (st->is_lsub)
			lsub_line(cmd, st, st->at);
		else
			one_line(cmd, st, st->at);
	}
	return reply_done(cmd);
}

/* From ask_at on, what will be listed of one account: its numbers, into st->ids. */
static size_t next_ids(struct cmd *cmd,
		       bool (*wants)(struct cmd *, const struct list_state *, size_t))
{
	struct list_state *st = cmd->state;
	size_t n = 0;

	if (!st->ids)
		st->ids = arena_array(cmd->arena, st->names.n, sizeof *st->ids);
	for (; st->ask_at < st->names.n; st->ask_at++) {
		struct account *a;

		if (!wants(cmd, st, st->ask_at))
			continue;
		a = list_origin(cmd, &st->names, st->ask_at).account;
		if (n && a != st->account)
			break;
		st->account = a;
		st->ids[n++] = st->names.at[st->ask_at]->mailbox;
	}
	return n;
}

static enum verdict ask_metadata(struct cmd *cmd)
{
	struct list_state *st = cmd->state;
	struct op *op;
	size_t n = st->metadata ? next_ids(cmd, wants_metadata) : 0;

	if (n == 0)
		return walk(cmd);
	op = list_metadata_ask(cmd, st->metadata, st->account, st->ids, n);
	if (!op)
		return reply_no(cmd, "LIMIT",
				"These are too many entries of too many mailboxes.");
	return cmd_wait(cmd, METADATA, op);
}

static enum verdict metadata_came(struct cmd *cmd)
{
	struct list_state *st = cmd->state;

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	list_metadata_take(cmd, st->metadata, st->account);
	return ask_metadata(cmd);
}

/* One STATUS look-up for all of an account. */
static enum verdict ask_status(struct cmd *cmd)
{
	struct list_state *st = cmd->state;
	size_t n = st->args.returns & LIST_RETURN_STATUS ? next_ids(cmd, wants_status)
							 : 0;

	if (n)
		return cmd_wait(
		    cmd, STATUS,
		    status_ask(cmd, st->account, st->ids, n, st->args.status));
	st->ask_at = 0;
	return ask_metadata(cmd);
}

static enum verdict status_came(struct cmd *cmd)
{
	struct list_state *st = cmd->state;
	const struct mailbox_status *got;
	struct mailbox_status *all;
	size_t n;

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	got = op_status(cmd->op, &n);
	all = arena_array(cmd->arena, st->n_status + n, sizeof *all);
	if (st->n_status)
		memcpy(all, st->status, st->n_status * sizeof *all);
	if (n)
		memcpy(all + st->n_status, got, n * sizeof *all);
	st->status = all;
	st->n_status += n;
	return ask_status(cmd);
}

/* Reference and pattern are one pattern, read together (RFC 9051 section 6.3.9). */
static void join_reference(struct cmd *cmd, struct list_args *args)
{
	for (size_t i = 0; i < args->n_patterns; i++)
		args->patterns[i] = mailbox_name_normal(cmd->arena, args->patterns[i]);
	if (args->reference.n == 0)
		return;
	for (size_t i = 0; i < args->n_patterns; i++) {
		struct span p = args->patterns[i];
		char *joined = arena_alloc(cmd->arena, args->reference.n + p.n);

		memcpy(joined, args->reference.p, args->reference.n);
		if (p.n)
			memcpy(joined + args->reference.n, p.p, p.n);
		args->patterns[i] = span_of(joined, args->reference.n + p.n);
	}
}

/* LIST "" "": the hierarchy delimiter and the root of the reference. */
static enum verdict delimiter(struct cmd *cmd)
{
	struct list_response r = { .attrs = LIST_NOSELECT,
				   .delimiter = '/',
				   .name = SPAN("") };

	emit_list_response(cmd_out(cmd), cmd_mode(cmd), "LIST", &r);
	return reply_done(cmd);
}

/* Options of extensions. False: the reply is set. */
static bool read_options(struct cmd *cmd, struct list_state *st)
{
	const struct wire_params *p = &st->args.other_returns;
	bool is_known = st->args.other_select.n == 0;

	for (size_t i = 0; i < p->n && is_known; i++) {
		if (span_ieq(p->v[i].name, SPAN("MYRIGHTS")) && !p->v[i].value.p &&
		    !cmd->server->config.no_sharing)
			st->myrights = true;
		else if (!span_ieq(p->v[i].name, SPAN("METADATA")) || st->metadata)
			is_known = false;
		else if (!list_metadata_read(cmd, p->v[i].value, &st->metadata))
			return false;
	}
	if (!is_known)
		reply_bad(cmd, "That LIST option is not known here.");
	return is_known;
}

static enum verdict start(struct cmd *cmd, bool is_lsub)
{
	struct list_state *st = cmd->state = ARENA_NEW(cmd->arena, struct list_state);
	bool ok = is_lsub ? cursor_lsub_args(&cmd->cur, &st->args)
			  : cursor_list_args(&cmd->cur, STATUS_SERVED, &st->args);

	if (!ok || !cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!read_options(cmd, st))
		return CMD_DONE;
	if (!is_lsub && !st->args.is_extended && st->args.n_patterns == 1 &&
	    st->args.patterns[0].n == 0)
		return delimiter(cmd);
	status_asked(cmd, st->args.status);
	join_reference(cmd, &st->args);
	st->is_lsub = is_lsub;
	if (is_lsub)
		st->args.select = LIST_SELECT_SUBSCRIBED;
	if (!list_names(cmd, st->args.patterns, st->args.n_patterns, &st->names))
		return cmd->verdict;
	return ask_status(cmd);
}

static enum verdict run_list(struct cmd *cmd)
{
	switch (cmd->step) {
	case PARSE: return start(cmd, false);
	case STATUS: return status_came(cmd);
	case METADATA: return metadata_came(cmd);
	default: return walk(cmd);
	}
}

static enum verdict run_lsub(struct cmd *cmd)
{
	return cmd->step == PARSE ? start(cmd, true) : walk(cmd);
}

static const struct command commands[] = {
	{ "LIST", IN_LOGGED_IN, 0, run_list },
	{ "LSUB", IN_LOGGED_IN, 0, run_lsub },
	{ 0 },
};
const struct extension cmd_list = {
	.name = "LIST-EXTENDED",
	.rfc = "RFC 5258",
	.about = "selection and return options of LIST",
	.capability = "LIST-EXTENDED",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
const struct extension ext_list_status = {
	.name = "LIST-STATUS",
	.rfc = "RFC 5819",
	.about = "LIST with the STATUS of each mailbox",
	.capability = "LIST-STATUS",
	.states = IN_LOGGED_IN,
};
const struct extension ext_special_use = {
	.name = "SPECIAL-USE",
	.rfc = "RFC 6154, RFC 8457",
	.about = "\\Sent, \\Drafts, \\Junk, \\Important and the others in LIST",
	.capability = "SPECIAL-USE",
	.states = IN_LOGGED_IN,
};
const struct extension ext_children = {
	.name = "CHILDREN",
	.rfc = "RFC 3348",
	.about = "\\HasChildren and \\HasNoChildren in LIST",
	.capability = "CHILDREN",
	.states = IN_LOGGED_IN,
};
