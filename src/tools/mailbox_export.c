/*
 * mailstile mailbox export: mailboxes into mbox files or a Maildir. Small messages come
 * several at a time, a large one in pieces, twice: how its lines end has to be known
 * before the first of them is written.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tools/mail_files.h"
#include "tools/mailbox.h"
#include "tools/transfer.h"

enum { WINDOW = 256, SMALL = 1 << 20, GROUP_BYTES = 4 << 20, PIECE = 1 << 20 };

struct exporting {
	struct mailbox_job *j;
	struct mail_files files;
	struct transfer transfer;
	struct mailbox_names names;
	uint32_t uidvalidity;
	struct numset uids; /* of the mailbox in hand */
	/* some of its messages */
	struct arena *window;
	struct mail_facts facts[WINDOW];
	size_t n;
	/* what a piece is for */
	const struct mail_facts *large;
	struct mail_form form;
	bool is_looking, is_failed;
	uint64_t piece_bytes;
	uint64_t messages, bytes, folders, gone, wanted;
};

/* ---- what there is ---- */

static void take_size(void *arg, const struct response *r, struct cursor *c)
{
	struct exporting *x = arg;

	if (!span_ieq(r->name, SPAN("STATUS")) || !cursor_sp(c))
		return;
	cursor_mailbox(c);
	cursor_sp(c);
	cursor_list_open(c);
	cursor_word(c, "SIZE");
	cursor_sp(c);
	x->transfer.total += cursor_number64(c);
}

static bool measure(struct exporting *x, struct span path)
{
	buf_puts(talk_begin(&x->j->talk), "STATUS ");
	emit_mailbox(talk_text(&x->j->talk), talk_mode(), path);
	buf_puts(talk_text(&x->j->talk), " (SIZE)");
	if (mailbox_run(x->j, take_size, x))
		return true;
	buf_printf(&x->j->why, " (%.*s)", (int)path.n, path.p);
	return false;
}

static bool is_wanted(const struct exporting *x, const struct mailbox_name *n)
{
	const struct mailbox_job *j = x->j;

	for (size_t i = 3; i < j->n_words; i++)
		if (span_eq(n->path, span_str(j->word[i])) ||
		    (span_eq(n->path, SPAN("INBOX")) &&
		     span_ieq(n->path, span_str(j->word[i]))))
			return n->exists;
	return n->exists && j->n_words == 3;
}

static bool look_around(struct exporting *x)
{
	uint64_t found = 0;

	for (size_t i = 0; i < x->names.n; i++) {
		if (!is_wanted(x, &x->names.at[i]))
			continue;
		found++;
		if (!measure(x, x->names.at[i].path))
			return false;
	}
	if (x->j->n_words > 3 && found < x->j->n_words - 3)
		buf_puts(&x->j->why, "Not all of these mailboxes are there; \"mailstile "
				     "mailbox list\" prints those that are.");
	return x->j->why.n == 0;
}

/* ---- messages ---- */

static void take_facts(struct exporting *x, struct cursor *c)
{
	struct mail_facts m = { .uidvalidity = x->uidvalidity };
	struct fetch_att att;
	bool has_date = false;

	for (cursor_fetch_begin(c); cursor_fetch_next(c, &att);) {
		struct cursor v = cursor_of(att.value, true, x->window);

		if (span_ieq(att.name, SPAN("UID"))) {
			m.uid = (uint32_t)att.number;
		} else if (span_ieq(att.name, SPAN("RFC822.SIZE"))) {
			m.bytes = att.number;
		} else if (span_ieq(att.name, SPAN("FLAGS"))) {
			v = cursor_of(arena_dup(x->window, att.value), true, x->window);
			cursor_flags_any(&v, &m.flags);
		} else if (span_ieq(att.name, SPAN("INTERNALDATE"))) {
			struct buf quoted = { 0 };

			emit_quoted(&quoted, att.value);
			v = cursor_of(buf_span(&quoted), true, x->window);
			m.date = cursor_date_time(&v);
			has_date = !v.bad;
			buf_done(&quoted);
		}
	}
	if (has_date && m.uid && x->n < WINDOW)
		x->facts[x->n++] = m;
}

static const struct mail_facts *find(const struct exporting *x, uint32_t uid)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->facts[i].uid == uid)
			return &x->facts[i];
	return NULL;
}

static void done_with(struct exporting *x, const struct mail_facts *m)
{
	x->messages++;
	x->transfer.messages++;
	x->bytes += m->bytes;
}

static void write_small(struct exporting *x, const struct mail_facts *m, struct span body)
{
	struct mail_form form = { 0 };

	mail_form_look(&form, body);
	mail_form_end(&form);
	x->is_failed = !mail_files_begin(&x->files, m, &form, &x->j->why) ||
		       !mail_files_put(&x->files, body, &x->j->why) ||
		       !mail_files_end(&x->files, &x->j->why);
	x->transfer.done += body.n;
	done_with(x, m);
	transfer_tick(&x->transfer);
}

static void take_piece(struct exporting *x, struct span body)
{
	x->piece_bytes = body.n;
	if (x->is_looking)
		mail_form_look(&x->form, body);
	else
		x->is_failed = !mail_files_put(&x->files, body, &x->j->why);
	if (!x->is_looking)
		x->transfer.done += body.n;
	transfer_tick(&x->transfer);
}

static void take_fetch(void *arg, const struct response *r, struct cursor *c)
{
	struct exporting *x = arg;
	struct cursor start;
	struct fetch_att att;
	struct span body = SPAN_NONE;
	const struct mail_facts *m = NULL;

	if (!span_ieq(r->name, SPAN("FETCH")) || !cursor_sp(c) || x->is_failed)
		return;
	start = *c;
	for (cursor_fetch_begin(c); cursor_fetch_next(c, &att);) {
		if (span_ieq(att.name, SPAN("UID")))
			m = find(x, (uint32_t)att.number);
		else if (span_ieq(att.name, SPAN("BODY[]")) && att.kind == ATT_STRING)
			body = att.value;
		else if (span_ieq(att.name, SPAN("RFC822.SIZE")))
			return take_facts(x, &start);
	}
	if (c->bad || !m || !body.p)
		return;
	if (x->large)
		take_piece(x, body);
	else
		write_small(x, m, body);
}

static bool fetch(struct exporting *x)
{
	return mailbox_run(x->j, take_fetch, x) && !x->is_failed;
}

static bool fetch_pieces(struct exporting *x)
{
	uint64_t off = 0;

	do {
		x->piece_bytes = 0;
		buf_printf(talk_begin(&x->j->talk),
			   "UID FETCH %u (UID BODY.PEEK[]<%llu.%u>)", x->large->uid,
			   (unsigned long long)off, PIECE);
		if (!fetch(x))
			return false;
		off += x->piece_bytes;
	} while (x->piece_bytes && off < x->large->bytes);
	if (off == x->large->bytes)
		return true;
	if (off == 0 && x->is_looking)
		return true; /* it has gone meanwhile */
	buf_puts(&x->j->why, "A message went while it was being written; export again.");
	return false;
}

static bool write_large(struct exporting *x, const struct mail_facts *m)
{
	bool is_ok;

	x->large = m;
	x->form = (struct mail_form){ 0 };
	x->is_looking = true;
	is_ok = fetch_pieces(x);
	mail_form_end(&x->form);
	x->is_looking = false;
	if (is_ok && x->piece_bytes) {
		is_ok = mail_files_begin(&x->files, m, &x->form, &x->j->why) &&
			fetch_pieces(x) && mail_files_end(&x->files, &x->j->why);
		done_with(x, m);
	}
	x->large = NULL;
	return is_ok;
}

static bool fetch_group(struct exporting *x, size_t from, size_t to)
{
	struct buf *b;

	if (from == to)
		return true;
	b = talk_begin(&x->j->talk);
	buf_puts(b, "UID FETCH ");
	for (size_t i = from; i < to; i++)
		buf_printf(b, "%s%u", i > from ? "," : "", x->facts[i].uid);
	buf_puts(b, " (UID BODY.PEEK[])");
	return fetch(x);
}

/* The messages of the window, in order. */
static bool write_window(struct exporting *x)
{
	uint64_t bytes = 0;
	size_t from = 0;

	for (size_t i = 0; i < x->n; i++) {
		const struct mail_facts *m = &x->facts[i];
		bool is_large = m->bytes > SMALL;

		if (is_large || bytes + m->bytes > GROUP_BYTES) {
			if (!fetch_group(x, from, i))
				return false;
			from = i;
			bytes = 0;
		}
		if (is_large) {
			if (!write_large(x, m))
				return false;
			from = i + 1;
		} else {
			bytes += m->bytes;
		}
	}
	return fetch_group(x, from, x->n);
}

/* ---- a mailbox ---- */

static void take_search(void *arg, const struct response *r, struct cursor *c)
{
	struct exporting *x = arg;
	struct esearch_response e;

	if (span_ieq(r->name, SPAN("ESEARCH")))
		cursor_esearch_response(c, &e, &x->uids);
}

static void take_validity(void *arg, const struct response *r, struct cursor *c)
{
	struct exporting *x = arg;

	if (!span_ieq(r->name, SPAN("STATUS")) || !cursor_sp(c))
		return;
	cursor_mailbox(c);
	cursor_sp(c);
	cursor_list_open(c);
	cursor_word(c, "UIDVALIDITY");
	cursor_sp(c);
	x->uidvalidity = cursor_number(c);
}

static bool open_mailbox(struct exporting *x, struct span path)
{
	struct talk *t = &x->j->talk;

	numset_done(&x->uids);
	buf_puts(talk_begin(t), "STATUS ");
	emit_mailbox(talk_text(t), talk_mode(), path);
	buf_puts(talk_text(t), " (UIDVALIDITY)");
	if (!mailbox_run(x->j, take_validity, x))
		return false;
	buf_puts(talk_begin(t), "EXAMINE ");
	emit_mailbox(talk_text(t), talk_mode(), path);
	if (!mailbox_run(x->j, NULL, NULL))
		return false;
	buf_puts(talk_begin(t), "UID SEARCH RETURN (ALL) ALL");
	return mailbox_run(x->j, take_search, x);
}

static bool ask_facts(struct exporting *x, const struct numset *uids)
{
	struct buf set = { 0 };

	x->n = 0;
	arena_free(x->window);
	x->window = arena_new(NULL);
	numset_print(uids, &set);
	buf_printf(talk_begin(&x->j->talk),
		   "UID FETCH %.*s (UID FLAGS INTERNALDATE RFC822.SIZE)", (int)set.n,
		   buf_span(&set).p);
	buf_done(&set);
	return fetch(x);
}

static bool write_mailbox(struct exporting *x)
{
	struct numset_iter it = numset_iter(&x->uids);
	struct numset some = { 0 };
	uint32_t uid;
	bool is_ok = true, is_more = true;

	while (is_ok && is_more && !mailbox_is_stopping()) {
		size_t n = 0;

		numset_done(&some);
		while (n < WINDOW && (is_more = numset_next(&it, &uid))) {
			numset_add(&some, uid);
			n++;
		}
		x->wanted += n;
		is_ok = n == 0 || (ask_facts(x, &some) && write_window(x));
	}
	numset_done(&some);
	return is_ok;
}

static bool export_one(struct exporting *x, struct span path)
{
	x->folders++;
	return open_mailbox(x, path) && mail_files_folder(&x->files, path, &x->j->why) &&
	       write_mailbox(x) && mail_files_folder_end(&x->files, &x->j->why);
}

/* ---- all ---- */

static bool write_subscriptions(struct exporting *x)
{
	struct span *names = arena_array(x->j->arena, x->names.n + 1, sizeof *names);
	size_t n = 0;

	for (size_t i = 0; i < x->names.n; i++)
		if (x->names.at[i].is_subscribed &&
		    (is_wanted(x, &x->names.at[i]) || x->j->n_words == 3))
			names[n++] = x->names.at[i].path;
	return n == 0 || mail_files_subscriptions(&x->files, names, n, &x->j->why);
}

static bool export_all(struct exporting *x)
{
	for (size_t i = 0; i < x->names.n && !mailbox_is_stopping(); i++)
		if (is_wanted(x, &x->names.at[i]) && !export_one(x, x->names.at[i].path))
			return false;
	if (mailbox_is_stopping()) {
		buf_printf(&x->j->why, "Interrupted: %s is not complete.", x->files.to);
		return false;
	}
	return write_subscriptions(x);
}

static void report(const struct exporting *x)
{
	struct buf size = { 0 };

	mailbox_put_size(&size, x->bytes);
	if (x->wanted > x->messages)
		fprintf(stderr,
			"mailstile mailbox: %llu messages went meanwhile and are not in "
			"it.\n",
			(unsigned long long)(x->wanted - x->messages));
	if (x->files.lost_keywords)
		fprintf(stderr,
			"mailstile mailbox: %llu keywords are not in it: a Maildir has "
			"room for 26 a folder.\n",
			(unsigned long long)x->files.lost_keywords);
	printf("%llu message%s of %llu mailbox%s (%.*s) exported to %s.\n",
	       (unsigned long long)x->messages, x->messages == 1 ? "" : "s",
	       (unsigned long long)x->folders, x->folders == 1 ? "" : "es", (int)size.n,
	       buf_span(&size).p, x->files.to);
	buf_done(&size);
}

int mailbox_export(struct mailbox_job *j)
{
	struct exporting *x = xcalloc(1, sizeof *x);
	bool is_maildir = j->format && strcmp(j->format, "maildir") == 0, is_ok;
	int status = EXIT_FAILED;

	x->j = j;
	x->files = (struct mail_files){ .dir = -1, .fd = -1 };
	if (j->format && !is_maildir && strcmp(j->format, "mbox") != 0) {
		buf_puts(&j->why, "A format is mbox or maildir.");
		free(x);
		return EXIT_USAGE;
	}
	mailbox_catch_signals();
	transfer_init(&x->transfer, 0);
	is_ok = mailbox_become(j) && mailbox_names(j, &x->names) && look_around(x) &&
		mail_files_open(&x->files, j->word[2], is_maildir, &j->why) &&
		export_all(x);
	transfer_clear(&x->transfer);
	if (is_ok) {
		report(x);
		status = EXIT_DONE;
	}
	mail_files_close(&x->files);
	numset_done(&x->uids);
	arena_free(x->window);
	free(x);
	return status;
}
