/* The job "run": a script's commands (act_script.h), group by group. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/arena.h"
#include "tools/act_lane.h"

#define SCRIPT_BYTES   ((size_t)1 << 20)
#define RESPONSE_BYTES ((size_t)1 << 20) /* kept for the JSON object of a user */

struct play {
	struct act_task *task;
	struct script script;
	size_t next; /* line that was not sent */
	size_t sent; /* of this group, not answered */
	struct buf responses;
	struct json json; /* into responses */
	bool is_cut;
};

struct line {
	struct play *play;
	const struct script_line *line;
};

static void play_done(void *arg)
{
	struct play *p = arg;

	buf_done(&p->responses);
}

enum err act_script_read(struct arena *a, const char *path, struct script *ret_script,
			 struct buf *why)
{
	struct buf text = { 0 };
	enum err rc = ERR_OK;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	while (fd >= 0 && text.n <= SCRIPT_BYTES &&
	       (n = read(fd, buf_room(&text, 65536), 65536)) > 0)
		buf_added(&text, (size_t)n);
	if (fd < 0 || n < 0) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		rc = ERR_IO;
	} else if (text.n > SCRIPT_BYTES) {
		buf_printf(why, "%s: a script of more than 1 MiB", path);
		rc = ERR_TOOBIG;
	} else {
		struct buf reason = { 0 };
		rc = script_parse(a, buf_span(&text), ret_script, &reason);
		if (rc != ERR_OK)
			buf_printf(why, "%s: %.*s", path, (int)reason.n,
				   buf_span(&reason).p);
		buf_done(&reason);
	}
	if (fd >= 0)
		close(fd);
	buf_done(&text);
	return rc;
}

static bool take(void *arg, const struct client_data *d)
{
	struct play *p = ((struct line *)arg)->play;

	if (!act_task_run(p->task)->opt->is_json)
		return true;
	if (p->responses.n + d->frame.n > RESPONSE_BYTES)
		p->is_cut = true;
	else
		json_str(&p->json, NULL, span_trim(d->frame));
	return true;
}

static void send_group(struct play *p);

static void end(struct play *p)
{
	struct act_task *t = p->task;

	if (!act_task_run(t)->opt->is_json)
		return;
	json_close(&p->json, ']');
	/* The array was written beside the object: its place in it is here. */
	json_num(&t->members, "commands", (int64_t)p->next);
	buf_puts(&t->json, ",\"responses\":");
	buf_put(&t->json, buf_span(&p->responses));
	if (p->is_cut)
		json_bool(&t->members, "responses_cut", true);
}

static void answered(void *arg, const struct client_result *result)
{
	struct line *l = arg;
	struct play *p = l->play;
	struct act_task *t = p->task;

	p->sent--;
	if (result->rc != ERR_OK && t->rc == ERR_OK) {
		buf_put(&t->why_code, result->code_name);
		act_task_fail(t, result->rc, "line %u: %.*s", l->line->number,
			      (int)(result->text.n < 500 ? result->text.n : 500),
			      result->text.p ? result->text.p : "");
	}
	t->pending++;
	act_task_answered(t, result);
	/* The next group, if this one went well; the last one's end is told before. */
	if (p->sent == 0 && t->rc == ERR_OK && p->next < p->script.n)
		send_group(p);
	else if (p->sent == 0)
		end(p);
	act_task_answered(t, &(struct client_result){ .rc = ERR_OK });
}

static const struct client_calls calls = { .untagged = take, .done = answered };

/* Prints the pieces; a file becomes a literal. */
static void print_line(struct play *p, struct client_cmd *cmd,
		       const struct script_line *line)
{
	struct act_task *t = p->task;
	struct script_piece *piece;
	size_t n = script_expand(t->arena, line, t->user, &piece);
	struct buf why = { 0 };
	bool is_ok = true;

	for (size_t i = 0; i < n && is_ok; i++) {
		int fd;
		uint64_t bytes;
		if (!piece[i].is_file) {
			buf_put(client_cmd_text(cmd), piece[i].text);
			continue;
		}
		is_ok = message_open(act_task_run(t)->messages, piece[i].text.p, false,
				     &fd, &bytes, &why) == ERR_OK;
		if (is_ok)
			client_cmd_file(cmd, fd, bytes);
	}
	if (!is_ok)
		act_task_fail(t, ERR_IO, "line %u: %.*s", line->number, (int)why.n,
			      buf_span(&why).p);
	buf_done(&why);
}

/* All of a group or nothing: a file that is missing must not cut it in two. */
static void send_group(struct play *p)
{
	struct act_task *t = p->task;
	size_t from = p->next, n = 0;
	unsigned group = p->script.line[from].group;

	while (from + n < p->script.n && p->script.line[from + n].group == group)
		n++;
	struct client_cmd **cmd = arena_array(t->arena, n, sizeof *cmd);
	for (size_t i = 0; i < n && t->rc == ERR_OK; i++) {
		struct line *l = ARENA_NEW(t->arena, struct line);
		*l = (struct line){ p, &p->script.line[from + i] };
		cmd[i] = act_task_command(t, &calls, l);
		print_line(p, cmd[i], l->line);
	}
	for (size_t i = 0; i < n && cmd[i]; i++) {
		if (t->rc == ERR_OK) {
			client_cmd_send(cmd[i]);
			continue;
		}
		t->pending--;
		client_cmd_cancel(cmd[i]);
	}
	if (t->rc != ERR_OK)
		return;
	p->sent += n;
	p->next += n;
	if (p->next == p->script.n)
		act_task_last(t);
}

static void play_begin(struct act_task *t)
{
	struct act_run *r = act_task_run(t);
	struct play *p = ARENA_NEW(t->arena, struct play);

	p->task = t;
	p->script = r->script;
	arena_defer(t->arena, play_done, p);
	json_init(&p->json, &p->responses);
	json_open(&p->json, NULL, '[');
	if (!p->script.n) { /* its name holds the user's */
		struct buf safe = { 0 }, path = { 0 }, why = { 0 };
		act_path_component(t->user, &safe);
		act_expand(r->opt->job.script, buf_span(&safe), &path);
		buf_putc(&path, 0);
		enum err rc = act_script_read(t->arena, buf_span(&path).p, &p->script,
					      &why);
		if (rc != ERR_OK)
			act_task_fail(t, rc, "%.*s", (int)why.n, buf_span(&why).p);
		buf_done(&safe);
		buf_done(&path);
		buf_done(&why);
	}
	t->pending++; /* a file that is missing must not end it in the middle */
	if (t->rc == ERR_OK)
		send_group(p);
	act_task_answered(t, &(struct client_result){ .rc = ERR_OK });
}

const struct act_job_ops act_job_run = { .repeat = REPEAT_NEVER, .begin = play_begin };
