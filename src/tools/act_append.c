/*
 * The job "append": each user gets each message once. With a journal the mailbox's
 * UIDNEXT is noted before the first APPEND; when a run or a connection broke off, what
 * has arrived since is compared with the files (Message-ID, or the bytes where there is
 * none).
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "tools/act_lane.h"
#include "wire/status.h"

struct file {
	int fd; /* -1: the command has it, or it is not needed */
	uint64_t bytes;
	bool is_there;	/* arrived in an earlier attempt */
	struct span id; /* Message-ID; only looked for when comparing */
	unsigned char sum[32];
};

struct append {
	struct act_task *task;
	struct file *file;
	size_t n;
	uint32_t uidvalidity, uidnext; /* now */
	struct numset uids;	       /* of the messages we made */
	struct numset candidates;      /* messages since the noted UIDNEXT */
	bool is_compared;
	/* The message being compared. */
	EVP_MD_CTX *md;
	bool has_large;
};

static void append_done(void *arg)
{
	struct append *p = arg;

	for (size_t i = 0; i < p->n; i++)
		if (p->file[i].fd >= 0)
			close(p->file[i].fd);
	numset_done(&p->uids);
	numset_done(&p->candidates);
	EVP_MD_CTX_free(p->md);
}

/* ---- the files ---- */

static bool open_files(struct append *p)
{
	struct act_task *t = p->task;
	struct act_run *r = act_task_run(t);
	struct buf safe = { 0 }, path = { 0 }, why = { 0 };
	enum err rc = ERR_OK;

	act_path_component(t->user, &safe);
	for (size_t i = 0; i < p->n && rc == ERR_OK; i++) {
		const char *name = r->opt->job.files[i];
		buf_clear(&path);
		act_expand(name, buf_span(&safe), &path);
		buf_putc(&path, 0);
		rc = message_open(r->messages, buf_span(&path).p, !strstr(name, "%u"),
				  &p->file[i].fd, &p->file[i].bytes, &why);
	}
	if (rc != ERR_OK)
		act_task_fail(t, rc, "%.*s", (int)why.n, buf_span(&why).p);
	buf_done(&safe);
	buf_done(&path);
	buf_done(&why);
	return rc == ERR_OK;
}

static struct append *append_of(struct act_task *t)
{
	const struct act_job *job = &act_task_run(t)->opt->job;

	if (t->job)
		return t->job;
	struct append *p = ARENA_NEW(t->arena, struct append);
	p->task = t;
	p->n = job->files_n;
	p->file = arena_array(t->arena, p->n, sizeof *p->file);
	for (size_t i = 0; i < p->n; i++)
		p->file[i].fd = -1;
	arena_defer(t->arena, append_done, p);
	t->job = p;
	return p;
}

/* ---- what has arrived already ---- */

/* A message of the mailbox is one of ours: the first file that it can be. */
static void mark_there(struct append *p, struct span id, const unsigned char *sum,
		       uint32_t uid)
{
	for (size_t i = 0; i < p->n; i++) {
		struct file *f = &p->file[i];
		bool is_it = f->id.n ? span_eq(f->id, id)
				     : sum && memcmp(f->sum, sum, sizeof f->sum) == 0;
		if (f->is_there || !is_it)
			continue;
		f->is_there = true;
		numset_add(&p->uids, uid);
		return;
	}
}

static bool take_literal(void *arg, const struct response *r, struct span piece,
			 uint64_t left)
{
	struct append *p = arg;

	if (piece.n == 0 && !p->has_large) {
		p->has_large = true;
		EVP_DigestInit_ex(p->md, EVP_sha256(), NULL);
	}
	EVP_DigestUpdate(p->md, piece.p ? piece.p : "", piece.n);
	return true;
}

static struct span header_value(struct span field)
{
	ptrdiff_t colon = span_find(field, ':');

	return colon < 0 ? SPAN_NONE
			 : span_trim(span_sub(field, (size_t)colon + 1, field.n));
}

static bool take_message(void *arg, const struct client_data *d)
{
	struct append *p = arg;
	struct cursor c = d->at;
	struct fetch_att att;
	uint32_t uid = 0;
	struct span id = SPAN_NONE;
	unsigned char sum[EVP_MAX_MD_SIZE];
	bool has_body = false, is_large = p->has_large;

	if (!span_ieq(d->r->name, SPAN("FETCH")))
		return false;
	p->has_large = false;
	cursor_sp(&c);
	for (cursor_fetch_begin(&c); cursor_fetch_next(&c, &att);) {
		if (span_ieq(att.name, SPAN("UID")))
			uid = (uint32_t)att.number;
		else if (span_istarts(att.name, SPAN("BODY[HEADER.FIELDS")))
			id = header_value(att.value);
		else if (span_ieq(att.name, SPAN("BODY[]")) && att.kind == ATT_STRING) {
			has_body = true;
			if (is_large)
				EVP_DigestFinal_ex(p->md, sum, NULL);
			else
				EVP_Digest(att.value.p ? att.value.p : "", att.value.n,
					   sum, NULL, EVP_sha256(), NULL);
		}
	}
	/* "n:*" names the last message even when it is older (RFC 9051 section 9). */
	if (cursor_end(&c) && uid >= p->task->known.uidnext)
		mark_there(p, id, has_body ? sum : NULL, uid);
	return true;
}

static void compared(void *arg, const struct client_result *result)
{
	struct append *p = arg;
	struct act_task *t = p->task;

	p->task->pending++;
	act_task_answered(t, result);
	if (t->rc == ERR_OK)
		act_task_prepared(t, t->known.uidvalidity, t->known.uidnext);
	act_task_answered(t, &(struct client_result){ .rc = ERR_OK });
}

static const struct client_calls compare_calls = { .untagged = take_message,
						   .literal = take_literal,
						   .done = compared };

/* Reads what came behind the noted UIDNEXT. Bodies too, if a file has no Message-ID. */
static void compare(struct append *p)
{
	struct act_task *t = p->task;
	struct buf id = { 0 };
	bool needs_body = false;

	for (size_t i = 0; i < p->n; i++) {
		struct file *f = &p->file[i];
		buf_clear(&id);
		message_id_of(f->fd, &id);
		f->id = arena_dup(t->arena, buf_span(&id));
		if (!f->id.n && message_digest(f->fd, f->sum))
			needs_body = true;
	}
	buf_done(&id);
	p->md = EVP_MD_CTX_new();
	act_select_send(t, "EXAMINE");
	struct client_cmd *cmd = act_task_command(t, &compare_calls, p);
	buf_printf(client_cmd_text(cmd),
		   "UID FETCH %u:* (UID BODY.PEEK[HEADER.FIELDS (Message-ID)]%s)",
		   t->known.uidnext, needs_body ? " BODY.PEEK[]" : "");
	client_cmd_send(cmd);
}

/* ---- before ---- */

static bool take_status(void *arg, const struct client_data *d)
{
	struct append *p = arg;
	struct cursor c = d->at;
	struct status_values v = { 0 };

	if (!span_ieq(d->r->name, SPAN("STATUS")))
		return false;
	cursor_sp(&c);
	cursor_mailbox_any(&c);
	cursor_sp(&c);
	if (cursor_status_values(&c, &v) && cursor_end(&c)) {
		p->uidvalidity = v.uidvalidity;
		p->uidnext = v.uidnext;
	}
	return true;
}

static void status_done(void *arg, const struct client_result *result)
{
	struct append *p = arg;
	struct act_task *t = p->task;
	const struct journal_entry *k = &t->known;

	t->pending++;
	act_task_answered(t, result);
	if (t->rc == ERR_OK && !p->uidnext)
		act_task_fail(t, ERR_UNSUPPORTED, "the server does not tell UIDNEXT");
	if (t->rc == ERR_OK) {
		/* In a mailbox that was made anew, nothing of ours has arrived. */
		bool has_begun = k->uidnext && k->uidvalidity == p->uidvalidity;
		if (has_begun && k->uidnext < p->uidnext)
			compare(p);
		else
			act_task_prepared(t, p->uidvalidity, p->uidnext);
	}
	act_task_answered(t, &(struct client_result){ .rc = ERR_OK });
}

static const struct client_calls status_calls = { .untagged = take_status,
						  .done = status_done };

static void append_prepare(struct act_task *t)
{
	struct append *p = append_of(t);

	if (!open_files(p) || !act_task_run(t)->journal) {
		act_task_prepared(t, 0, 0);
		return;
	}
	struct client_cmd *cmd = act_task_command(t, &status_calls, p);
	struct buf *out = client_cmd_text(cmd);
	buf_puts(out, "STATUS ");
	emit_mailbox(out, client_mode(act_task_client(t)),
		     span_str(act_task_run(t)->opt->job.mailbox));
	buf_puts(out, " (UIDVALIDITY UIDNEXT)");
	client_cmd_send(cmd);
}

/* ---- APPEND ---- */

static void appended(void *arg, const struct client_result *result)
{
	struct append *p = arg;
	uint32_t uidvalidity;

	if (result->rc == ERR_OK && result->code == CODE_APPENDUID)
		(void)code_appenduid(result->code_args, &uidvalidity, &p->uids);
	if (p->task->pending == 1) {
		struct buf set = { 0 };
		numset_print(&p->uids, &set);
		json_str(&p->task->members, "uids", buf_span(&set));
		buf_done(&set);
	}
	act_task_answered(p->task, result);
}

static const struct client_calls append_calls = { .done = appended };

static void send_append(struct append *p, struct file *f)
{
	struct act_task *t = p->task;
	const struct act_job *job = &act_task_run(t)->opt->job;
	struct client_cmd *cmd = act_task_command(t, &append_calls, p);
	struct buf *out = client_cmd_text(cmd);

	buf_puts(out, "APPEND ");
	emit_mailbox(out, client_mode(act_task_client(t)), span_str(job->mailbox));
	buf_putc(out, ' ');
	if (*job->flags) {
		(void)act_flags_list(job->flags, out);
		buf_putc(out, ' ');
	}
	if (job->date)
		buf_printf(out, "\"%s\" ", job->date);
	client_cmd_file(cmd, f->fd, f->bytes);
	f->fd = -1;
	client_cmd_send(cmd);
}

static void append_begin(struct act_task *t)
{
	struct append *p = append_of(t);
	size_t there = 0;

	for (size_t i = 0; i < p->n; i++) {
		there += p->file[i].is_there;
		if (!p->file[i].is_there)
			send_append(p, &p->file[i]);
	}
	if (there)
		json_num(&t->members, "already_there", (int64_t)there);
	act_task_last(t);
}

const struct act_job_ops act_job_append = {
	.repeat = REPEAT_CHECK,
	.prepare = append_prepare,
	.begin = append_begin,
};
