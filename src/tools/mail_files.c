/* Writing mbox files and Maildirs (mail_files.h). */
#include "tools/mail_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/from_line.h"
#include "wire/mutf7.h"

enum { WRITE_BYTES = 1 << 20 };

static bool fail(const char *what, const char *path, struct buf *why)
{
	buf_printf(why, "Cannot %s %s: %s.", what, path, strerror(errno));
	return false;
}

static bool make_dir(const char *path, struct buf *why)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST || fail("make", path, why);
}

static bool is_empty(const char *path, struct buf *why)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool is_it = true;

	if (!d)
		return fail("read", path, why);
	while (is_it && (e = readdir(d)))
		is_it = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	if (!is_it)
		buf_printf(why,
			   "%s is not empty. Choose another folder; nothing was written.",
			   path);
	return is_it;
}

static bool make_maildir(struct mail_files *f, const char *path, struct buf *why)
{
	static const char *const parts[] = { "cur", "new", "tmp" };

	for (int i = 0; i < 3; i++)
		if (!make_dir(arena_printf(f->folder, "%s/%s", path, parts[i]), why))
			return false;
	return true;
}

bool mail_files_open(struct mail_files *f, const char *to, bool is_maildir,
		     struct buf *why)
{
	*f = (struct mail_files){
		.to = to, .is_maildir = is_maildir, .dir = -1, .fd = -1
	};
	f->arena = arena_new(NULL);
	f->folder = arena_new(NULL);
	return make_dir(to, why) && is_empty(to, why) &&
	       (!is_maildir || make_maildir(f, to, why));
}

/* ---- names ---- */

/* A level of a name as a file's: no hidden file, none that looks like something else. */
static void put_level(struct buf *out, struct span level)
{
	bool ends = span_ends(level, SPAN(".mbox")) || span_ends(level, SPAN(".sbd")) ||
		    span_ends(level, SPAN(".msf")) ||
		    span_ends(level, SPAN(".mailstile-import"));
	size_t dot = level.n;

	while (ends && dot > 0 && level.p[dot - 1] != '.')
		dot--;
	for (size_t i = 0; i < level.n; i++) {
		char c = level.p[i];
		bool is_special = c == '%' ||
				  (c == '.' && (i == 0 || (ends && i + 1 == dot))) ||
				  (i == 0 && span_eq(level, SPAN("subscriptions")));

		if (is_special)
			buf_printf(out, "%%%02X", (unsigned char)c);
		else
			buf_putc(out, c);
	}
}

/* TO/Work/2024.mbox, its folders made. */
static const char *mbox_path(struct mail_files *f, struct span path, struct buf *why)
{
	struct buf name = { 0 };
	const char *ret;

	buf_printf(&name, "%s/", f->to);
	for (;;) {
		ptrdiff_t slash = span_find(path, '/');

		put_level(&name, span_sub(path, 0, slash < 0 ? path.n : (size_t)slash));
		if (slash < 0)
			break;
		ret = arena_printf(f->folder, "%.*s", (int)name.n, buf_span(&name).p);
		if (!make_dir(ret, why)) {
			buf_done(&name);
			return NULL;
		}
		buf_putc(&name, '/');
		path = span_sub(path, (size_t)slash + 1, path.n);
	}
	ret = arena_printf(f->folder, "%.*s.mbox", (int)name.n, buf_span(&name).p);
	buf_done(&name);
	return ret;
}

/* ".Work.2024", with a dot within a level as "\2e" (Dovecot's listescape). */
static void put_maildir_name(struct buf *out, struct span path)
{
	struct buf escaped = { 0 };

	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '.' || path.p[i] == '\\')
			buf_printf(&escaped, "\\%02x", (unsigned char)path.p[i]);
		else
			buf_putc(&escaped, path.p[i]);
	if (mutf7_encode(buf_span(&escaped), out) != ERR_OK)
		buf_put(out, buf_span(&escaped));
	buf_done(&escaped);
	for (size_t i = 0; i < out->n; i++)
		if (out->p[out->off + i] == '/')
			out->p[out->off + i] = '.';
}

/* ---- folders ---- */

static bool maildir_folder(struct mail_files *f, struct span path, struct buf *why)
{
	const char *dir = f->to;
	struct buf name = { 0 };
	int fd;

	if (!span_eq(path, SPAN("INBOX"))) {
		put_maildir_name(&name, path);
		dir = arena_printf(f->folder, "%s/.%.*s", f->to, (int)name.n,
				   buf_span(&name).p);
		buf_done(&name);
		if (!make_dir(dir, why) || !make_maildir(f, dir, why))
			return false;
	}
	f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir < 0)
		return fail("open", dir, why);
	fd = dir == f->to
		 ? -1
		 : openat(f->dir, "maildirfolder", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return true;
}

bool mail_files_folder(struct mail_files *f, struct span path, struct buf *why)
{
	arena_free(f->folder);
	f->folder = arena_new(NULL);
	f->n_keywords = 0;
	if (f->is_maildir)
		return maildir_folder(f, path, why);
	f->path = mbox_path(f, path, why);
	if (!f->path)
		return false;
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return f->fd >= 0 || fail("make", f->path, why);
}

static bool write_out(struct mail_files *f, struct buf *why)
{
	while (f->out.n) {
		ssize_t n = write(f->fd, buf_span(&f->out).p, f->out.n);

		if (n < 0 && errno != EINTR)
			return fail("write", f->path, why);
		buf_take(&f->out, n > 0 ? (size_t)n : 0);
	}
	return true;
}

static bool close_file(struct mail_files *f, bool is_synced, struct buf *why)
{
	bool is_ok = !is_synced || fsync(f->fd) == 0;

	is_ok = close(f->fd) == 0 && is_ok;
	f->fd = -1;
	return is_ok || fail("write", f->path, why);
}

static bool write_keywords(struct mail_files *f, struct buf *why)
{
	f->path = "dovecot-keywords";
	f->fd = openat(f->dir, f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return fail("make", f->path, why);
	for (size_t i = 0; i < f->n_keywords; i++)
		buf_printf(&f->out, "%zu %.*s\n", i, (int)f->keyword[i].n,
			   f->keyword[i].p);
	return write_out(f, why) && close_file(f, false, why);
}

bool mail_files_folder_end(struct mail_files *f, struct buf *why)
{
	bool is_ok = true;

	if (!f->is_maildir)
		return write_out(f, why) && close_file(f, true, why);
	if (f->n_keywords)
		is_ok = write_keywords(f, why);
	if (is_ok && syncfs(f->dir) != 0)
		is_ok = fail("write", f->to, why);
	close(f->dir);
	f->dir = -1;
	return is_ok;
}

/* ---- messages ---- */

static void put_letters(struct buf *out, const char *letters, const unsigned *bits,
			unsigned system)
{
	for (size_t i = 0; letters[i]; i++)
		if (system & bits[i])
			buf_putc(out, letters[i]);
}

/* The fields of the mbox before the message's own. */
static void put_fields(struct mail_files *f)
{
	static const unsigned bits[] = { WIRE_ANSWERED, WIRE_FLAGGED, WIRE_DRAFT,
					 WIRE_DELETED };
	const struct wire_flags *flags = &f->facts.flags;
	struct buf more = { 0 };

	buf_puts(&f->out, flags->system & WIRE_SEEN ? "Status: RO\n" : "Status: O\n");
	put_letters(&more, "AFTD", bits, flags->system);
	if (more.n)
		buf_printf(&f->out, "X-Status: %.*s\n", (int)more.n, buf_span(&more).p);
	buf_done(&more);
	for (size_t i = 0; i < flags->n_keywords; i++)
		buf_printf(&f->out, "%s%.*s",
			   i ? " " : "X-Keywords: ", (int)flags->keywords[i].n,
			   flags->keywords[i].p);
	if (flags->n_keywords)
		buf_putc(&f->out, '\n');
	if (f->form.has_own || f->form.is_raw || f->form.is_open)
		buf_printf(&f->out, "X-Mailstile:%s%s%s\n", f->form.has_own ? " own" : "",
			   f->form.is_raw ? " raw" : "", f->form.is_open ? " open" : "");
}

static int keyword_number(struct mail_files *f, struct span name)
{
	for (size_t i = 0; i < f->n_keywords; i++)
		if (span_ieq(f->keyword[i], name))
			return (int)i;
	if (f->n_keywords == sizeof f->keyword / sizeof f->keyword[0]) {
		f->lost_keywords++;
		return -1;
	}
	f->keyword[f->n_keywords] = arena_dup(f->folder, name);
	return (int)f->n_keywords++;
}

/* In the order of ASCII. */
static void put_flags(struct mail_files *f, struct buf *name)
{
	static const unsigned bits[] = { WIRE_DRAFT, WIRE_FLAGGED };
	static const unsigned more[] = { WIRE_ANSWERED, WIRE_SEEN, WIRE_DELETED };
	const struct wire_flags *flags = &f->facts.flags;
	bool has[26] = { false }, is_forwarded = false;

	for (size_t i = 0; i < flags->n_keywords; i++) {
		int k = keyword_number(f, flags->keywords[i]);

		if (k >= 0)
			has[k] = true;
		is_forwarded |= span_ieq(flags->keywords[i], SPAN("$Forwarded"));
	}
	put_letters(name, "DF", bits, flags->system);
	if (is_forwarded)
		buf_putc(name, 'P');
	put_letters(name, "RST", more, flags->system);
	for (int i = 0; i < 26; i++)
		if (has[i])
			buf_putc(name, (char)('a' + i));
}

static bool begin_file(struct mail_files *f, struct buf *why)
{
	const struct mail_facts *m = &f->facts;
	uint64_t bytes = m->bytes - (f->form.is_raw ? 0 : f->form.lines);
	int64_t date = m->date.utc > 0 ? m->date.utc : 0;
	struct buf name = { 0 };

	buf_printf(&name, "cur/%lld.V%uU%u.mailstile,S=%llu,W=%llu:2,", (long long)date,
		   m->uidvalidity, m->uid, (unsigned long long)bytes,
		   (unsigned long long)m->bytes);
	put_flags(f, &name);
	f->path = arena_printf(f->folder, "%.*s", (int)name.n, buf_span(&name).p);
	buf_done(&name);
	f->fd = openat(f->dir, f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return f->fd >= 0 || fail("make", f->path, why);
}

bool mail_files_begin(struct mail_files *f, const struct mail_facts *facts,
		      const struct mail_form *form, struct buf *why)
{
	f->facts = *facts;
	f->form = *form;
	f->writer = (struct mail_writer){ .is_raw = form->is_raw,
					  .quotes = !f->is_maildir };
	if (f->is_maildir)
		return begin_file(f, why);
	from_line_put(&f->out, facts->date);
	put_fields(f);
	return true;
}

bool mail_files_put(struct mail_files *f, struct span piece, struct buf *why)
{
	mail_write(&f->writer, piece, &f->out);
	return f->out.n < WRITE_BYTES || write_out(f, why);
}

bool mail_files_end(struct mail_files *f, struct buf *why)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
				     { .tv_sec = f->facts.date.utc } };

	mail_write_end(&f->writer, &f->out);
	if (f->is_maildir)
		return write_out(f, why) &&
		       (futimens(f->fd, times) == 0 || fail("write", f->path, why)) &&
		       close_file(f, false, why);
	buf_puts(&f->out, f->form.is_open ? "\n\n" : "\n");
	return f->out.n < WRITE_BYTES || write_out(f, why);
}

/* ---- the rest ---- */

bool mail_files_subscriptions(struct mail_files *f, const struct span *names, size_t n,
			      struct buf *why)
{
	f->path = arena_printf(f->arena, "%s/subscriptions", f->to);
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return fail("make", f->path, why);
	buf_puts(&f->out, "V\t2\n\n");
	for (size_t i = 0; i < n; i++) {
		size_t at = f->out.n;

		if (mutf7_encode(names[i], &f->out) != ERR_OK)
			continue;
		for (; at < f->out.n; at++)
			if (f->out.p[f->out.off + at] == '/')
				f->out.p[f->out.off + at] = '\t';
		buf_putc(&f->out, '\n');
	}
	return write_out(f, why) && close_file(f, true, why);
}

void mail_files_close(struct mail_files *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir >= 0)
		close(f->dir);
	buf_done(&f->out);
	arena_free(f->folder);
	arena_free(f->arena);
}
