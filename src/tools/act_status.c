/*
 * The job "status": what is in each mailbox. All of a user's mailboxes by one LIST where
 * the server has LIST-STATUS (RFC 5819), by LIST and then STATUS where it has not.
 */
#include "base/arena.h"
#include "tools/act_lane.h"
#include "wire/list.h"
#include "wire/status.h"

#define MAILBOXES_MAX 10000

struct box {
	struct box *next;
	struct span name;
	bool is_told;
	struct status_values v;
};

struct status {
	struct act_task *task;
	struct box *first, **last;
	size_t n;
	bool is_listed; /* LIST has ended, STATUS follows */
};

static unsigned items(struct act_task *t)
{
	struct client *c = act_task_client(t);
	unsigned want = STATUS_MESSAGES | STATUS_UNSEEN | STATUS_UIDNEXT |
			STATUS_UIDVALIDITY;

	/* RFC 8438; part of IMAP4rev2 */
	if (client_has(c, "STATUS=SIZE") || client_has(c, "IMAP4rev2"))
		want |= STATUS_SIZE;
	return want;
}

static struct box *box_of(struct status *s, struct span name)
{
	struct box *b = s->first;

	while (b && !span_eq(b->name, name))
		b = b->next;
	if (b || s->n == MAILBOXES_MAX)
		return b;
	b = ARENA_NEW(s->task->arena, struct box);
	b->name = arena_dup(s->task->arena, name);
	*s->last = b;
	s->last = &b->next;
	s->n++;
	return b;
}

static bool take(void *arg, const struct client_data *d)
{
	struct status *s = arg;
	struct cursor c = d->at;

	if (span_ieq(d->r->name, SPAN("LIST"))) {
		struct list_response l;
		cursor_sp(&c);
		if (cursor_list_response(&c, &l) && cursor_end(&c) &&
		    !(l.attrs & (LIST_NOSELECT | LIST_NONEXISTENT)))
			(void)box_of(s, l.name);
		return true;
	}
	if (!span_ieq(d->r->name, SPAN("STATUS")))
		return false;
	struct status_values v = { 0 };
	cursor_sp(&c);
	struct span name = cursor_mailbox_any(&c);
	cursor_sp(&c);
	if (cursor_status_values(&c, &v) && cursor_end(&c)) {
		struct box *b = box_of(s, name);
		if (b) {
			b->v = v;
			b->is_told = true;
		}
	}
	return true;
}

static void print_box(struct act_task *t, const struct box *b)
{
	struct buf line = { 0 };

	buf_put(&line, t->user);
	buf_putc(&line, '\t');
	buf_put(&line, b->name);
	buf_printf(&line, "\t%u\t%u\t", b->v.messages, b->v.unseen);
	if (b->v.items & STATUS_SIZE)
		buf_put_u64(&line, b->v.size);
	else
		buf_putc(&line, '-');
	buf_putc(&line, '\n');
	report_line(act_task_run(t), buf_span(&line));
	buf_done(&line);
}

static void print_json(struct act_task *t, const struct status *s)
{
	struct json *j = &t->members;

	json_open(j, "mailboxes", '[');
	for (const struct box *b = s->first; b; b = b->next) {
		if (!b->is_told)
			continue;
		json_open(j, NULL, '{');
		json_str(j, "name", b->name);
		json_num(j, "messages", b->v.messages);
		json_num(j, "unseen", b->v.unseen);
		json_num(j, "uidnext", b->v.uidnext);
		json_num(j, "uidvalidity", b->v.uidvalidity);
		if (b->v.items & STATUS_SIZE)
			json_num(j, "size", (int64_t)b->v.size);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void answered(void *arg, const struct client_result *result);
static const struct client_calls calls = { .untagged = take, .done = answered };

static void send_status(struct status *s, struct span name)
{
	struct act_task *t = s->task;
	struct client_cmd *cmd = act_task_command(t, &calls, s);
	struct buf *out = client_cmd_text(cmd);

	buf_puts(out, "STATUS ");
	emit_mailbox(out, client_mode(act_task_client(t)), name);
	buf_putc(out, ' ');
	emit_status_items(out, items(t));
	client_cmd_send(cmd);
}

static void answered(void *arg, const struct client_result *result)
{
	struct status *s = arg;
	struct act_task *t = s->task;

	t->pending++;
	act_task_answered(t, result);
	if (!s->is_listed) { /* plain LIST: now each of them */
		s->is_listed = true;
		for (struct box *b = s->first; b && t->rc == ERR_OK; b = b->next)
			send_status(s, b->name);
		act_task_last(t);
	}
	if (t->pending == 1 && t->rc == ERR_OK) {
		for (const struct box *b = s->first; b && !act_task_run(t)->opt->is_json;
		     b = b->next)
			if (b->is_told)
				print_box(t, b);
		print_json(t, s);
	}
	act_task_answered(t, &(struct client_result){ .rc = ERR_OK });
}

static void send_list(struct status *s, bool is_with_status)
{
	struct client_cmd *cmd = act_task_command(s->task, &calls, s);
	struct buf *out = client_cmd_text(cmd);

	buf_puts(out, "LIST \"\" \"*\"");
	if (is_with_status) {
		buf_puts(out, " RETURN (STATUS ");
		emit_status_items(out, items(s->task));
		buf_putc(out, ')');
	}
	client_cmd_send(cmd);
}

static void status_begin(struct act_task *t)
{
	const struct act_job *job = &act_task_run(t)->opt->job;
	struct client *c = act_task_client(t);
	struct status *s = ARENA_NEW(t->arena, struct status);
	bool is_one = client_has(c, "LIST-STATUS") || client_has(c, "IMAP4rev2");

	s->task = t;
	s->last = &s->first;
	t->job = s;
	s->is_listed = job->files_n || is_one;
	for (size_t i = 0; i < job->files_n; i++)
		send_status(s, span_str(job->files[i]));
	if (!job->files_n)
		send_list(s, is_one);
	if (s->is_listed)
		act_task_last(t);
}

const struct act_job_ops act_job_status = { .begin = status_begin };
