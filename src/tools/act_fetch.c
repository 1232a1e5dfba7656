/*
 * The job "fetch": messages into DIR/USER/UID.eml. Each is written under another name
 * first, so that a file with its final name is whole; large ones are never held in
 * memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "tools/act_lane.h"

struct fetch {
	struct act_task *task;
	int dir;       /* DIR/USER */
	int fd;	       /* the message being written; -1: none */
	char part[32]; /* its name until it is whole */
	uint64_t bytes, messages;
	struct numset uids;
	bool is_failed;
};

static void fetch_done(void *arg)
{
	struct fetch *f = arg;

	if (f->fd >= 0) {
		close(f->fd);
		unlinkat(f->dir, f->part, 0);
	}
	if (f->dir >= 0)
		close(f->dir);
	numset_done(&f->uids);
}

static void fail_io(struct fetch *f, const char *what)
{
	f->is_failed = true;
	act_task_fail(f->task, ERR_IO, "%s: %s", what, strerror(errno));
}

/* DIR/USER; a user's name cannot lead out of DIR (act_path_component). */
static bool open_dir(struct fetch *f)
{
	const char *to = act_task_run(f->task)->opt->job.to;
	struct buf name = { 0 };
	int top;

	if (mkdir(to, 0700) != 0 && errno != EEXIST) {
		fail_io(f, to);
		return false;
	}
	top = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0) {
		fail_io(f, to);
		return false;
	}
	act_path_component(f->task->user, &name);
	buf_putc(&name, 0);
	if (mkdirat(top, buf_span(&name).p, 0700) == 0 || errno == EEXIST)
		f->dir = openat(top, buf_span(&name).p,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->dir < 0)
		fail_io(f, buf_span(&name).p);
	buf_done(&name);
	close(top);
	return f->dir >= 0;
}

static void put(struct fetch *f, struct span s)
{
	if (f->fd < 0 && !f->is_failed) {
		snprintf(f->part, sizeof f->part, ".part-%ld", (long)getpid());
		f->fd = openat(f->dir, f->part,
			       O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			       0600);
		if (f->fd < 0)
			fail_io(f, f->part);
	}
	while (s.n && !f->is_failed) {
		ssize_t n = write(f->fd, s.p, s.n);
		if (n < 0 && errno != EINTR)
			fail_io(f, f->part);
		f->bytes += n > 0 ? (uint64_t)n : 0;
		s = span_sub(s, n > 0 ? (size_t)n : 0, s.n);
	}
}

/* The message is whole: it gets its name. */
static void finish(struct fetch *f, uint32_t uid)
{
	char name[32];

	if (f->fd < 0)
		return;
	snprintf(name, sizeof name, "%u.eml", uid);
	/* The journal will say that this user is done: then it must be so. */
	bool is_safe = !act_task_run(f->task)->journal || fdatasync(f->fd) == 0;
	if (close(f->fd) != 0 || !is_safe || renameat(f->dir, f->part, f->dir, name) != 0)
		fail_io(f, name);
	f->fd = -1;
	f->messages++;
	numset_add(&f->uids, uid);
}

static bool take_literal(void *arg, const struct response *r, struct span piece,
			 uint64_t left)
{
	struct fetch *f = arg;

	if (r->name.n && !span_ieq(r->name, SPAN("FETCH")))
		return false;
	put(f, piece);
	return true;
}

static bool take_message(void *arg, const struct client_data *d)
{
	struct fetch *f = arg;
	struct cursor c = d->at;
	struct fetch_att att;
	uint32_t uid = 0;
	struct span body = SPAN_NONE;
	bool has_body = false;

	if (!span_ieq(d->r->name, SPAN("FETCH")))
		return false;
	cursor_sp(&c);
	for (cursor_fetch_begin(&c); cursor_fetch_next(&c, &att);) {
		if (span_ieq(att.name, SPAN("UID"))) {
			uid = (uint32_t)att.number;
		} else if (span_ieq(att.name, SPAN("BODY[]")) && att.kind == ATT_STRING) {
			has_body = true;
			body = att.value;
		}
	}
	if (!cursor_end(&c) || !has_body || uid == 0)
		return true; /* somebody changed flags */
	put(f, body);	     /* empty when it came in pieces */
	finish(f, uid);
	return true;
}

static void fetched(void *arg, const struct client_result *result)
{
	struct fetch *f = arg;
	struct act_task *t = f->task;

	if (result->rc == ERR_OK && t->rc == ERR_OK) {
		struct buf set = { 0 };
		numset_print(&f->uids, &set);
		json_str(&t->members, "uids", buf_span(&set));
		json_num(&t->members, "messages", (int64_t)f->messages);
		json_num(&t->members, "bytes", (int64_t)f->bytes);
		buf_done(&set);
	}
	act_task_answered(t, result);
}

static const struct client_calls fetch_calls = { .untagged = take_message,
						 .literal = take_literal,
						 .done = fetched };

static void send_fetch(struct fetch *f, struct span set)
{
	struct client_cmd *cmd = act_task_command(f->task, &fetch_calls, f);

	buf_puts(client_cmd_text(cmd), "UID FETCH ");
	buf_put(client_cmd_text(cmd), set);
	buf_puts(client_cmd_text(cmd), " (UID BODY.PEEK[])");
	client_cmd_send(cmd);
}

/* ---- which messages ---- */

struct search {
	struct fetch *fetch;
	struct numset uids;
};

static void search_free(void *arg)
{
	struct search *s = arg;

	numset_done(&s->uids);
}

static bool take_search(void *arg, const struct client_data *d)
{
	struct search *s = arg;
	struct cursor c = d->at;
	uint64_t modseq;

	return span_ieq(d->r->name, SPAN("SEARCH")) &&
	       cursor_search_response(&c, &s->uids, &modseq);
}

static void searched(void *arg, const struct client_result *result)
{
	struct search *s = arg;
	struct act_task *t = s->fetch->task;
	struct buf set = { 0 };

	t->pending++;
	act_task_answered(t, result);
	for (size_t i = 0; i < s->uids.n && t->rc == ERR_OK; i++) {
		buf_printf(&set, "%s%u:%u", set.n ? "," : "", s->uids.r[i].lo,
			   s->uids.r[i].hi);
		if (set.n < 4000 && i + 1 < s->uids.n)
			continue;
		send_fetch(s->fetch, buf_span(&set));
		buf_clear(&set);
	}
	buf_done(&set);
	act_task_last(t);
	act_task_answered(t, &(struct client_result){ .rc = ERR_OK });
}

static const struct client_calls list_calls = { .untagged = take_search,
						.done = searched };

static void answered(void *arg, const struct client_result *result)
{
	act_task_answered(arg, result);
}

static const struct client_calls save_calls = { .done = answered };

static void fetch_begin(struct act_task *t)
{
	struct fetch *f = ARENA_NEW(t->arena, struct fetch);
	struct search *s = ARENA_NEW(t->arena, struct search);
	bool is_saved = act_has_saved(t);

	*f = (struct fetch){ .task = t, .dir = -1, .fd = -1 };
	s->fetch = f;
	t->job = f;
	arena_defer(t->arena, fetch_done, f);
	arena_defer(t->arena, search_free, s);
	if (!open_dir(f)) {
		task_settle(t);
		return;
	}
	act_select_send(t, "EXAMINE");
	struct client_cmd *cmd = is_saved ? act_task_command(t, &save_calls, t)
					  : act_task_command(t, &list_calls, s);
	act_search_print(t, is_saved ? "SAVE" : NULL, client_cmd_text(cmd));
	client_cmd_send(cmd);
	if (!is_saved)
		return;
	send_fetch(f, SPAN("$"));
	act_task_last(t);
}

const struct act_job_ops act_job_fetch = { .begin = fetch_begin };
