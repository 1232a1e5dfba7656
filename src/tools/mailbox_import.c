/*
 * mailstile mailbox import: mail from files into mailboxes. Messages go in batches, each
 * one APPEND that is done whole or not at all; the journal knows which
 * (import_journal.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/import_journal.h"
#include "tools/mailbox.h"
#include "tools/source.h"
#include "tools/transfer.h"

enum { BATCH = 200, BATCH_BYTES = 4 << 20 };

struct importing {
	struct mailbox_job *j;
	struct source *source;
	struct import_journal journal;
	struct transfer transfer;
	struct mailbox_names names;
	struct span into; /* the mailbox in hand */
	/* the batch in hand */
	uint8_t keys[BATCH][KEY_BYTES];
	size_t n, most;
	uint64_t bytes;
	bool is_second;	  /* one by one, what was refused among others */
	bool has_refused; /* so that there is one */
	bool is_over;	  /* nothing more can be done: why says */
	uint64_t imported, before, left_out, folders;
};

/* A line about something that was left out; the run goes on. */
static void tell(struct importing *x, struct buf *line)
{
	transfer_clear(&x->transfer);
	fprintf(stderr, "mailstile mailbox: %.*s\n", (int)line->n,
		line->n ? buf_span(line).p : "");
	buf_done(line);
}

static bool over(struct importing *x)
{
	x->is_over = true;
	return false;
}

/* ---- a batch ---- */

static void begin_batch(struct importing *x)
{
	struct buf *b = talk_begin(&x->j->talk);

	buf_printf(b, "XMARK %s %llu", x->journal.id,
		   (unsigned long long)x->journal.number + 1);
	talk_next(&x->j->talk);
	talk_begin(&x->j->talk);
	buf_puts(b, "APPEND ");
	emit_mailbox(b, talk_mode(), x->into);
	x->bytes = 0;
}

/* The server does not take them; of one, or when there is no room, for good. */
static bool refused(struct importing *x)
{
	struct buf line = { 0 };
	struct span said = talk_said(&x->j->talk);

	if (!import_journal_cancel(&x->journal, &x->j->why))
		return over(x);
	if (talk_code(&x->j->talk) == CODE_OVERQUOTA) {
		buf_put(&x->j->why, said);
		buf_puts(&x->j->why, " When there is room, the same command goes on.");
		return over(x);
	}
	if (!x->is_second) {
		x->has_refused = true;
		return true;
	}
	x->left_out += x->n;
	buf_printf(&line, "A message for %.*s was left out: %.*s", (int)x->into.n,
		   x->into.p, (int)said.n, said.p);
	tell(x, &line);
	return true;
}

static bool end_batch(struct importing *x)
{
	const uint8_t(*keys)[KEY_BYTES] = (const uint8_t(*)[KEY_BYTES])x->keys;
	bool is_ok = true;

	if (x->n == 0)
		return true;
	if (!import_journal_begin(&x->journal, keys, x->n, &x->j->why))
		return over(x);
	switch (talk_run(&x->j->talk, NULL, NULL)) {
	case TALK_OK:
		import_journal_committed(&x->journal, keys, x->n);
		x->imported += x->n;
		x->transfer.messages += x->n;
		break;
	case TALK_LOST:
		buf_put(&x->j->why, talk_said(&x->j->talk));
		buf_puts(&x->j->why, " The same command goes on where this one stopped.");
		return over(x);
	default: is_ok = refused(x);
	}
	x->n = 0;
	return is_ok;
}

static bool put_bytes(void *arg, struct span bytes)
{
	struct importing *x = arg;

	buf_put(talk_text(&x->j->talk), bytes);
	x->transfer.done = source_counts(x->source).read;
	transfer_tick(&x->transfer);
	return talk_pour(&x->j->talk);
}

static bool add(struct importing *x, const struct source_message *m)
{
	struct buf *b;

	if (x->n == 0)
		begin_batch(x);
	b = talk_text(&x->j->talk);
	buf_putc(b, ' ');
	emit_flags(b, &m->flags);
	buf_putc(b, ' ');
	emit_date_time(b, m->date);
	buf_putc(b, ' ');
	emit_literal_header(b, talk_mode(), m->bytes);
	/* What was promised cannot be sent: only the end of the connection undoes it. */
	if (!source_pour(x->source, put_bytes, x, &x->j->why)) {
		if (x->j->why.n == 0)
			buf_put(&x->j->why, talk_said(&x->j->talk));
		return over(x);
	}
	memcpy(x->keys[x->n++], m->key, KEY_BYTES);
	x->bytes += m->bytes;
	return x->n < x->most && x->bytes < BATCH_BYTES ? true : end_batch(x);
}

/* ---- a folder ---- */

static bool make_mailbox(struct importing *x)
{
	struct buf line = { 0 };

	if (span_ieq(x->into, SPAN("INBOX")) || mailbox_names_has(&x->names, x->into))
		return true;
	buf_puts(talk_begin(&x->j->talk), "CREATE ");
	emit_mailbox(talk_text(&x->j->talk), talk_mode(), x->into);
	switch (talk_run(&x->j->talk, NULL, NULL)) {
	case TALK_OK: return true;
	case TALK_LOST: buf_put(&x->j->why, talk_said(&x->j->talk)); return over(x);
	default: break;
	}
	if (talk_code(&x->j->talk) == CODE_ALREADYEXISTS)
		return true;
	if (x->is_second)
		return false;
	buf_printf(&line, "The mailbox %.*s was left out: %.*s", (int)x->into.n,
		   x->into.p, (int)talk_said(&x->j->talk).n, talk_said(&x->j->talk).p);
	tell(x, &line);
	x->left_out++;
	return false;
}

static struct span target(struct importing *x, struct span folder)
{
	struct span into = span_str(x->j->into);
	bool is_inbox = span_ieq(folder, SPAN("INBOX"));

	if (folder.n == 0)
		return into.n ? into : SPAN("INBOX");
	if (!into.n)
		return folder;
	if (is_inbox)
		return into;
	return span_str(arena_printf(x->j->arena, "%.*s/%.*s", (int)into.n, into.p,
				     (int)folder.n, folder.p));
}

static bool import_folder(struct importing *x, struct span folder)
{
	struct source_message m;
	struct buf line = { 0 };
	enum err rc = ERR_OK;

	x->into = target(x, folder);
	if (!make_mailbox(x))
		return !x->is_over;
	x->folders++;
	while (!mailbox_is_stopping() &&
	       (rc = source_next(x->source, &m, &line)) == ERR_OK) {
		x->transfer.done = source_counts(x->source).read;
		transfer_tick(&x->transfer);
		if (key_set_count(&x->journal.done, m.key))
			x->before++;
		else if (!add(x, &m))
			return false;
	}
	if (rc == ERR_IO) {
		x->left_out++;
		tell(x, &line);
	}
	return end_batch(x);
}

static bool import_all(struct importing *x)
{
	struct span folder;
	struct buf line = { 0 };
	enum err rc;

	while (!mailbox_is_stopping() &&
	       (rc = source_folder(x->source, &folder, &line)) != ERR_NOENT) {
		if (rc == ERR_OK && !import_folder(x, folder))
			return false;
		if (rc == ERR_OK)
			continue;
		if (x->is_second)
			buf_clear(&line);
		else
			tell(x, &line);
		x->left_out += !x->is_second;
	}
	return true;
}

/* ---- before and behind ---- */

static void take_mark(void *arg, const struct response *r, struct cursor *c)
{
	struct span value;

	if (!span_ieq(r->name, SPAN("XMARK")) || !cursor_sp(c))
		return;
	cursor_astring(c);
	cursor_sp(c);
	if (cursor_nstring(c, &value) && value.p)
		span_u64(value, INT64_MAX, arg);
}

static bool ask_mark(void *arg, const char *id, uint64_t *ret)
{
	struct mailbox_job *j = arg;

	buf_printf(talk_begin(&j->talk), "XMARK %s", id);
	return mailbox_run(j, take_mark, ret);
}

static void take_id(void *arg, const struct response *r, struct cursor *c)
{
	struct buf *id = arg;

	if (!span_ieq(r->name, SPAN("STATUS")) || !cursor_sp(c))
		return;
	cursor_mailbox(c);
	cursor_sp(c);
	cursor_list_open(c);
	cursor_atom(c);
	cursor_sp(c);
	buf_put(id, cursor_ext_value(c));
}

static const char *journal_path(struct mailbox_job *j)
{
	char *from, *user;

	if (j->journal)
		return j->journal;
	from = realpath(j->word[2], NULL);
	user = arena_strdup(j->arena, j->word[1]);
	for (char *p = user; *p; p++)
		if (*p == '/')
			*p = '_';
	j->journal = arena_printf(j->arena, "%s.%s.mailstile-import",
				  from ? from : j->word[2], user);
	free(from);
	return j->journal;
}

static bool open_journal(struct importing *x)
{
	struct mailbox_job *j = x->j;
	struct buf id = { 0 };
	bool is_ok;

	buf_puts(talk_begin(&j->talk), "STATUS INBOX (MAILBOXID)");
	is_ok = mailbox_run(j, take_id, &id) &&
		import_journal_open(&x->journal, journal_path(j), buf_span(&id), ask_mark,
				    j, &j->why);
	buf_done(&id);
	return is_ok;
}

static void subscribe(void *arg, struct span name)
{
	struct importing *x = arg;

	if (x->is_over)
		return;
	buf_puts(talk_begin(&x->j->talk), "SUBSCRIBE ");
	emit_mailbox(talk_text(&x->j->talk), talk_mode(), target(x, name));
	x->is_over = talk_run(&x->j->talk, NULL, NULL) == TALK_LOST;
}

static bool open_source(struct importing *x)
{
	return source_open(x->j->word[2], x->j->no_unquote, &x->source, &x->j->why);
}

/* Both passes. What one pass refused among others comes once more, alone. */
static bool passes(struct importing *x)
{
	x->most = BATCH;
	if (!import_all(x))
		return false;
	if (!x->has_refused || mailbox_is_stopping())
		return true;
	source_close(x->source);
	x->source = NULL;
	x->is_second = true;
	x->most = 1;
	x->before = 0;
	x->folders = 0;
	return open_source(x) && import_all(x);
}

/* The mark goes when the journal says all that it said. */
static bool finish(struct importing *x)
{
	if (!import_journal_end(&x->journal, &x->j->why))
		return false;
	if (x->journal.number == 0)
		return true;
	buf_printf(talk_begin(&x->j->talk), "XMARK %s NIL", x->journal.id);
	return mailbox_run(x->j, NULL, NULL);
}

static void put_note(const char *what, uint64_t n)
{
	if (n)
		fprintf(stderr, "mailstile mailbox: %llu %s\n", (unsigned long long)n,
			what);
}

static void report(struct importing *x)
{
	struct source_counts c = source_counts(x->source);

	transfer_clear(&x->transfer);
	put_note(
	    "lines look like the beginning of a message but have no empty line before "
	    "them: they are text.",
	    c.odd_lines);
	put_note("keywords cannot be kept: IMAP has no such names.", c.bad_keywords);
	put_note("messages without a byte were left out.", c.empty);
	if (mailbox_is_stopping())
		printf("Interrupted; the same command goes on. ");
	printf("%llu message%s imported into %llu mailbox%s",
	       (unsigned long long)x->imported, x->imported == 1 ? "" : "s",
	       (unsigned long long)x->folders, x->folders == 1 ? "" : "es");
	if (x->before)
		printf(", %llu were there already", (unsigned long long)x->before);
	if (x->left_out)
		printf(", %llu left out", (unsigned long long)x->left_out);
	printf(".\nThe journal %s knows them: repeated, the command imports only what is "
	       "new.\n",
	       x->journal.path);
}

int mailbox_import(struct mailbox_job *j)
{
	struct importing *x = xcalloc(1, sizeof *x);
	bool is_ok;

	x->j = j;
	x->journal.fd = -1;
	transfer_init(&x->transfer, 0);
	mailbox_catch_signals();
	is_ok = open_source(x) && mailbox_become(j) && mailbox_names(j, &x->names) &&
		open_journal(x);
	if (is_ok) {
		x->transfer.total = source_counts(x->source).bytes;
		is_ok = passes(x);
		if (is_ok && !mailbox_is_stopping())
			source_subscriptions(x->source, subscribe, x);
		is_ok = is_ok && finish(x);
		if (x->source)
			report(x);
	}
	is_ok = is_ok && !x->left_out && !mailbox_is_stopping();
	import_journal_close(&x->journal);
	source_close(x->source);
	free(x);
	return is_ok ? EXIT_DONE : EXIT_FAILED;
}
