/*
 * Jobs on the messages that a search finds: flag, search, expunge. With SEARCHRES (RFC
 * 5182) the whole job is one round trip: SELECT, UID SEARCH RETURN (SAVE), UID STORE $.
 */
#include "base/arena.h"
#include "tools/act_lane.h"
#include "wire/fetch.h"

#define SET_BYTES 4000 /* of one UID STORE; servers limit their lines */

/* ---- the search ---- */

/* Numbers that mean other messages once some are gone: a second try would hit those. */
static bool moves(const struct search_node *n, unsigned depth)
{
	if (depth > WIRE_NESTING_MAX)
		return true;
	for (; n; n = n->next) {
		if (n->key == SEARCH_SEQUENCE ||
		    (n->key == SEARCH_UID && seqset_has_star(&n->u.set)))
			return true;
		if (n->child && moves(n->child, depth + 1))
			return true;
	}
	return false;
}

bool act_search_parse(struct act_run *r, struct buf *why)
{
	struct buf text = { 0 };
	struct search_program program;

	for (const char *s = r->opt->job.search; *s; s++)
		r->is_search_utf8 |= (unsigned char)*s >= 0x80;
	buf_puts(&text, r->opt->job.search);
	buf_puts(&text, "\r\n");
	struct span kept = arena_dup(r->opt->arena, buf_span(&text));
	struct cursor c = cursor_of(kept, true, r->opt->arena);
	bool is_ok = cursor_search_keys(&c, ~0u, &program) && cursor_end(&c);
	buf_done(&text);
	if (!is_ok) {
		buf_printf(why, "'%s' is no IMAP search: %s", r->opt->job.search,
			   c.why ? c.why : "it does not end where it should");
		return false;
	}
	if (program.needs & SEARCH_NEED_SAVED) {
		buf_puts(why, "\"$\" stands for nothing at the start of a search");
		return false;
	}
	if (r->opt->job.kind == ACT_EXPUNGE && moves(program.root, 0)) {
		buf_puts(why,
			 "expunge takes no message numbers and no \"*\": they mean other "
			 "messages once some are gone; use UID and plain numbers");
		return false;
	}
	r->search = program.root;
	return true;
}

bool act_has_saved(const struct act_task *t)
{
	struct client *c = act_task_client(t);

	return client_has(c, "SEARCHRES") || client_has(c, "IMAP4rev2");
}

void act_search_print(struct act_task *t, const char *returns, struct buf *out)
{
	struct act_run *r = act_task_run(t);
	struct client *c = act_task_client(t);

	buf_puts(out, "UID SEARCH ");
	if (returns)
		buf_printf(out, "RETURN (%s) ", returns);
	/* IMAP4rev2 takes UTF-8 as it is (RFC 9051 section 6.4.4); others are told. */
	if (r->is_search_utf8)
		buf_puts(out, "CHARSET UTF-8 ");
	emit_search_keys(out, client_mode(c), r->search);
}

/* ---- SELECT ---- */

static void answered(void *arg, const struct client_result *result)
{
	act_task_answered(arg, result);
}

static const struct client_calls plain_calls = { .done = answered };

void act_select_send(struct act_task *t, const char *verb)
{
	struct client_cmd *cmd = act_task_command(t, &plain_calls, t);
	struct buf *out = client_cmd_text(cmd);

	buf_printf(out, "%s ", verb);
	emit_mailbox(out, client_mode(act_task_client(t)),
		     span_str(act_task_run(t)->opt->job.mailbox));
	client_cmd_send(cmd);
}

/* ---- what was found ---- */

struct found {
	struct act_task *task;
	struct client_cmd *search;
	struct numset uids;
	uint64_t count;
	bool is_counted; /* the server told the number alone */
};

static void found_done(void *arg)
{
	struct found *f = arg;

	numset_done(&f->uids);
}

static struct found *found_of(struct act_task *t)
{
	struct found *f = ARENA_NEW(t->arena, struct found);

	f->task = t;
	arena_defer(t->arena, found_done, f);
	t->job = f;
	return f;
}

static bool take_search(void *arg, const struct client_data *d)
{
	struct found *f = arg;
	struct cursor c = d->at;
	struct esearch_response r;
	uint64_t modseq;

	if (span_ieq(d->r->name, SPAN("SEARCH")))
		return cursor_search_response(&c, &f->uids, &modseq);
	if (!span_ieq(d->r->name, SPAN("ESEARCH")) ||
	    !cursor_esearch_response(&c, &r, &f->uids))
		return false;
	if (r.has_count) {
		f->is_counted = true;
		f->count = r.count;
	}
	return true;
}

static uint64_t found_count(const struct found *f)
{
	return f->is_counted ? f->count : numset_count(&f->uids);
}

/* ---- search ---- */

static void search_done(void *arg, const struct client_result *result)
{
	struct found *f = arg;
	struct act_task *t = f->task;
	struct act_run *r = act_task_run(t);
	struct buf set = { 0 };

	if (result->rc == ERR_OK && t->rc == ERR_OK) {
		numset_print(&f->uids, &set);
		json_str(&t->members, "uids", buf_span(&set));
		json_num(&t->members, "messages", (int64_t)numset_count(&f->uids));
		if (!r->opt->is_json) {
			struct buf line = { 0 };
			buf_put(&line, t->user);
			buf_putc(&line, '\t');
			buf_put(&line, buf_span(&set));
			buf_putc(&line, '\n');
			report_line(r, buf_span(&line));
			buf_done(&line);
		}
	}
	buf_done(&set);
	act_task_answered(t, result);
}

static const struct client_calls search_calls = { .untagged = take_search,
						  .done = search_done };

static void search_begin(struct act_task *t)
{
	struct found *f = found_of(t);
	bool is_extended = client_has(act_task_client(t), "ESEARCH") ||
			   client_has(act_task_client(t), "IMAP4rev2");

	act_select_send(t, "EXAMINE");
	f->search = act_task_command(t, &search_calls, f);
	/* UIDs as ranges: a line of a few bytes, not of megabytes. */
	act_search_print(t, is_extended ? "ALL" : NULL, client_cmd_text(f->search));
	client_cmd_send(f->search);
	act_task_last(t);
}

const struct act_job_ops act_job_search = { .begin = search_begin };

/* ---- flag and expunge ---- */

static bool quiet_fetch(void *arg, const struct client_data *d)
{
	return false; /* FETCH of a STORE: .SILENT, and not ours if it comes all the same
		       */
}

static void store_done(void *arg, const struct client_result *result)
{
	struct found *f = arg;

	act_task_answered(f->task, result);
}

static const struct client_calls store_calls = { .untagged = quiet_fetch,
						 .done = store_done };

static void send_store(struct found *f, struct span set)
{
	struct act_task *t = f->task;
	const struct act_job *job = &act_task_run(t)->opt->job;
	struct client_cmd *cmd = act_task_command(t, &store_calls, f);
	struct buf *out = client_cmd_text(cmd);

	buf_puts(out, "UID STORE ");
	buf_put(out, set);
	if (job->kind == ACT_EXPUNGE) {
		buf_puts(out, " +FLAGS.SILENT (\\Deleted)");
	} else {
		buf_printf(out, " %sFLAGS.SILENT ", job->flags_op);
		(void)act_flags_list(job->flags, out);
	}
	client_cmd_send(cmd);
}

/* Those of the search and no others that are marked \Deleted (RFC 4315 section 2.1). */
static void send_expunge(struct found *f, struct span set)
{
	struct client_cmd *cmd = act_task_command(f->task, &store_calls, f);

	buf_puts(client_cmd_text(cmd), "UID EXPUNGE ");
	buf_put(client_cmd_text(cmd), set);
	client_cmd_send(cmd);
}

static void send_change(struct found *f, struct span set)
{
	send_store(f, set);
	if (act_task_run(f->task)->opt->job.kind == ACT_EXPUNGE)
		send_expunge(f, set);
}

/* The UIDs in sets of bounded length. */
static void send_changes(struct found *f)
{
	struct numset part = { 0 };
	struct buf set = { 0 };

	for (size_t i = 0; i < f->uids.n; i++) {
		numset_add_range(&part, f->uids.r[i].lo, f->uids.r[i].hi);
		if (part.n * 22 < SET_BYTES && i + 1 < f->uids.n)
			continue;
		buf_clear(&set);
		numset_print(&part, &set);
		send_change(f, buf_span(&set));
		numset_done(&part);
	}
	buf_done(&set);
}

static void saved_done(void *arg, const struct client_result *result)
{
	struct found *f = arg;

	if (result->rc == ERR_OK && f->task->rc == ERR_OK)
		json_num(&f->task->members, "messages", (int64_t)found_count(f));
	act_task_answered(f->task, result);
}

static const struct client_calls saved_calls = { .untagged = take_search,
						 .done = saved_done };

static void listed_done(void *arg, const struct client_result *result)
{
	struct found *f = arg;

	if (result->rc == ERR_OK && f->task->rc == ERR_OK) {
		json_num(&f->task->members, "messages", (int64_t)found_count(f));
		send_changes(f);
	}
	f->task->pending++; /* not before the last word below */
	act_task_answered(f->task, result);
	act_task_last(f->task);
	act_task_answered(f->task, &(struct client_result){ .rc = ERR_OK });
}

static const struct client_calls listed_calls = { .untagged = take_search,
						  .done = listed_done };

static void change_begin(struct act_task *t)
{
	struct client *c = act_task_client(t);
	struct found *f = found_of(t);
	bool is_saved = act_has_saved(t);

	if (act_task_run(t)->opt->job.kind == ACT_EXPUNGE && !client_has(c, "UIDPLUS") &&
	    !client_has(c, "IMAP4rev2")) {
		act_task_fail(t, ERR_UNSUPPORTED,
			      "the server has no UIDPLUS: EXPUNGE would also remove what "
			      "others have marked");
		task_settle(t);
		return;
	}
	act_select_send(t, "SELECT");
	f->search = act_task_command(t, is_saved ? &saved_calls : &listed_calls, f);
	act_search_print(t, is_saved ? "SAVE COUNT" : NULL, client_cmd_text(f->search));
	client_cmd_send(f->search);
	if (!is_saved)
		return;
	send_change(f, SPAN("$"));
	act_task_last(t);
}

const struct act_job_ops act_job_flag = { .begin = change_begin };
const struct act_job_ops act_job_expunge = { .begin = change_begin };
