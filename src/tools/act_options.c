/* The command line of `mailstile act` (act_options.h). */
#include <stdio.h>
#include "auth/mech.h"
#include "tools/act_options.h"

enum value { NEEDS_VALUE, NO_VALUE };

struct option_row {
	const char *name;
	enum value value;
	size_t offset;
};

#define TEXT(opt, field)                                                                 \
	{                                                                                \
		opt, NEEDS_VALUE, offsetof(struct act_options, field)                    \
	}
#define FLAG(opt, field)                                                                 \
	{                                                                                \
		opt, NO_VALUE, offsetof(struct act_options, field)                       \
	}

static const struct option_row text_options[] = {
	TEXT("as", as),
	TEXT("password-file", password_file),
	TEXT("ca", ca),
	TEXT("pin", pin),
	TEXT("certificate", certificate),
	TEXT("key", key),
	TEXT("mechanism", mechanism),
	TEXT("users", users),
	TEXT("journal", journal),
	TEXT("summary-json", summary_json),
	TEXT("flags", job.flags),
	TEXT("date", job.date),
	TEXT("to", job.to),
};

static const struct option_row flag_options[] = {
	FLAG("plaintext", is_plaintext),
	FLAG("json", is_json),
	FLAG("compress", is_compressed),
	FLAG("reconnect", is_reconnect),
	FLAG("quiet", is_quiet),

};

struct job_row {
	const char *name;
	enum act_kind kind;
	size_t min, max; /* arguments */
	const char *usage;
};

static const struct job_row jobs[] = {
	{ "append", ACT_APPEND, 2, SIZE_MAX,
	  "append MAILBOX FILE... [--flags F] [--date D]" },
	{ "flag", ACT_FLAG, 3, 3, "flag MAILBOX SEARCH +FLAGS|-FLAGS" },
	{ "fetch", ACT_FETCH, 2, 2, "fetch MAILBOX SEARCH --to DIR" },
	{ "search", ACT_SEARCH, 2, 2, "search MAILBOX SEARCH" },
	{ "expunge", ACT_EXPUNGE, 2, 2, "expunge MAILBOX SEARCH" },
	{ "status", ACT_STATUS, 0, SIZE_MAX, "status [MAILBOX...]" },
	{ "run", ACT_RUN, 1, 1, "run SCRIPT" },
};

static bool fail(struct buf *why, const char *fmt, const char *a)
{
	buf_printf(why, fmt, a); /* NOLINT: formats are literals of this file */
	return false;
}

static bool number(const char *text, unsigned max, unsigned *ret)
{
	uint64_t v;

	if (!span_u64(span_str(text), max, &v) || v == 0)
		return false;
	*ret = (unsigned)v;
	return true;
}

/* imaps://HOST[:PORT] or imap://HOST[:PORT]; an IPv6 address stands in brackets. */
static bool set_server(struct act_options *opt, const char *url, struct buf *why)
{
	struct span rest = span_str(url), host;

	if (span_istarts(rest, SPAN("imaps://"))) {
		opt->is_implicit_tls = true;
		rest = span_sub(rest, 8, rest.n);
	} else if (span_istarts(rest, SPAN("imap://"))) {
		opt->is_implicit_tls = false;
		rest = span_sub(rest, 7, rest.n);
	} else {
		return fail(
		    why, "--server wants imaps://HOST:PORT or imap://HOST:PORT, not '%s'",
		    url);
	}
	if (span_ends(rest, SPAN("/")))
		rest.n--;
	ptrdiff_t end = -1;
	if (span_starts(rest, SPAN("["))) {
		end = span_find(rest, ']');
		host = end < 0 ? SPAN_NONE : span_sub(rest, 1, (size_t)end - 1);
		rest = end < 0 ? SPAN_NONE : span_sub(rest, (size_t)end + 1, rest.n);
	} else {
		end = span_find(rest, ':');
		host = end < 0 ? rest : span_sub(rest, 0, (size_t)end);
		rest = end < 0 ? SPAN_NONE : span_sub(rest, (size_t)end, rest.n);
	}
	uint64_t port = opt->is_implicit_tls ? 993 : 143;
	if (host.n == 0 || span_find(host, '/') >= 0 || span_find(host, '@') >= 0)
		return fail(why, "--server '%s' has no host name", url);
	if (rest.n && (rest.p[0] != ':' ||
		       !span_u64(span_sub(rest, 1, rest.n), 65535, &port) || port == 0))
		return fail(why, "--server '%s' has a port that is not 1 to 65535", url);
	opt->host = arena_dup(opt->arena, host).p;
	opt->port = (uint16_t)port;
	return true;
}

static const struct option_row *find_row(const struct option_row *rows, size_t n,
					 struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(span_str(rows[i].name), name))
			return &rows[i];
	return NULL;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One "--name[=value]"; `next` is the word behind it, taken when it is the value. */
static bool set_option(struct act_options *opt, const char *word, const char *next,
		       bool *ret_took, struct buf *why)
{
	struct span name = span_str(word + 2);
	ptrdiff_t eq = span_find(name, '=');
	const char *value = eq < 0 ? next : word + 2 + eq + 1;

	if (eq >= 0)
		name.n = (size_t)eq;
	*ret_took = false;
	const struct option_row *row = find_row(flag_options, COUNT(flag_options), name);
	if (row) {
		if (eq >= 0)
			return fail(why, "%s: the option takes no value", word);
		*(bool *)((char *)opt + row->offset) = true;
		return true;
	}
	row = find_row(text_options, COUNT(text_options), name);
	bool is_other = span_eq(name, SPAN("server")) ||
			span_eq(name, SPAN("connections")) ||
			span_eq(name, SPAN("timeout"));
	if (!row && !is_other)
		return fail(why, "unknown option '%s'", word);
	if (!value)
		return fail(why, "option '%s' wants a value", word);
	*ret_took = eq < 0;
	if (row)
		*(const char **)(void *)((char *)opt + row->offset) = value;
	else if (span_eq(name, SPAN("server")))
		return set_server(opt, value, why);
	else if (span_eq(name, SPAN("connections")) &&
		 !number(value, 256, &opt->connections))
		return fail(why, "--connections wants a number from 1 to 256, not '%s'",
			    value);
	else if (span_eq(name, SPAN("timeout")) && !number(value, 86400, &opt->timeout_s))
		return fail(why, "--timeout wants seconds from 1 to 86400, not '%s'",
			    value);
	return true;
}

static bool check_append(struct act_options *opt, struct buf *why)
{
	struct buf list = { 0 };
	bool is_ok = act_flags_list(opt->job.flags, &list);

	buf_done(&list);
	if (!is_ok)
		return fail(why, "--flags '%s' is not a list of flags", opt->job.flags);
	if (opt->job.date &&
	    (strlen(opt->job.date) > 26 || strpbrk(opt->job.date, "\"\\\r\n")))
		return fail(why, "--date '%s' is not like '17-Jul-2024 02:44:25 -0700'",
			    opt->job.date);
	return true;
}

static bool set_job(struct act_options *opt, const char **word, size_t n, struct buf *why)
{
	struct act_job *job = &opt->job;
	const struct job_row *row = NULL;

	for (size_t i = 0; i < COUNT(jobs) && !row; i++)
		if (strcmp(jobs[i].name, word[0]) == 0)
			row = &jobs[i];
	if (!row)
		return fail(why, "unknown job '%s'", word[0]);
	if (n - 1 < row->min || n - 1 > row->max)
		return fail(why, "usage: %s", row->usage);
	job->kind = row->kind;
	job->name = row->name;
	if ((job->flags || job->date) && job->kind != ACT_APPEND)
		return fail(why, "--flags and --date are for append, not for %s",
			    row->name);
	if (job->to && job->kind != ACT_FETCH)
		return fail(why, "--to is for fetch, not for %s", row->name);
	if (job->kind == ACT_STATUS || job->kind == ACT_APPEND) {
		size_t skip = job->kind == ACT_STATUS ? 1 : 2;
		job->files = word + skip;
		job->files_n = n - skip;
	}
	if (!job->flags)
		job->flags = "";
	if (job->kind == ACT_RUN)
		job->script = word[1];
	else if (job->kind != ACT_STATUS)
		job->mailbox = word[1];
	if (job->kind == ACT_FLAG || job->kind == ACT_FETCH || job->kind == ACT_SEARCH ||
	    job->kind == ACT_EXPUNGE)
		job->search = word[2];
	if (job->kind == ACT_FETCH && !job->to)
		return fail(why, "usage: %s", row->usage);
	if (job->kind == ACT_FLAG) {
		struct buf list = { 0 };
		bool is_ok = (word[3][0] == '+' || word[3][0] == '-') &&
			     act_flags_list(word[3] + 1, &list) && list.n > 2;
		buf_done(&list);
		if (!is_ok)
			return fail(why, "'%s' is not + or - and flags, like +\\Seen",
				    word[3]);
		job->flags_op = word[3][0] == '+' ? "+" : "-";
		job->flags = word[3] + 1;
	}
	return job->kind != ACT_APPEND || check_append(opt, why);
}

/* What says who the administrator is: a password, or a certificate. */
static bool check_credential(const struct act_options *opt, struct buf *why)
{
	bool is_external = opt->mechanism &&
			   span_ieq(span_str(opt->mechanism), SPAN("EXTERNAL"));

	if (opt->mechanism && !mech_find(span_str(opt->mechanism)))
		return fail(why,
			    "--mechanism %s is not known here: PLAIN, EXTERNAL or "
			    "SCRAM-SHA-256-PLUS, for example",
			    opt->mechanism);
	if (!opt->certificate != !opt->key)
		return fail(why, "%s go together", "--certificate and --key");
	if (is_external && !opt->certificate)
		return fail(why, "--mechanism EXTERNAL wants %s",
			    "--certificate and --key");
	if (!is_external && !opt->password_file)
		return fail(why, "%s is missing", "--password-file");
	return true;
}

static bool check_all(const struct act_options *opt, struct buf *why)
{
	if (!opt->host)
		return fail(why, "%s is missing", "--server");
	if (!opt->as || !*opt->as)
		return fail(why, "%s is missing", "--as");
	if (!check_credential(opt, why))
		return false;
	if (opt->users && opt->password_file && strcmp(opt->users, "-") == 0 &&
	    strcmp(opt->password_file, "-") == 0)
		return fail(why, "standard input cannot be both users and %s",
			    "password");
	if (opt->pin &&
	    (strlen(opt->pin) != 64 || strspn(opt->pin, "0123456789abcdefABCDEF") != 64))
		return fail(
		    why, "--pin wants the certificate's SHA-256 as 64 hex digits%s", "");
	if (opt->is_plaintext && opt->is_implicit_tls)
		return fail(why, "%s goes with imap:// only", "--plaintext");
	return true;
}

bool act_options_parse(struct act_options *opt, int argc, char **argv, struct buf *why)
{
	const char **word = arena_array(opt->arena, (size_t)argc + 1, sizeof *word);
	size_t n = 0;
	bool is_past = false;

	opt->connections = 1;
	opt->timeout_s = 60;
	for (int i = 1; i < argc; i++) {
		bool took = false;
		if (!is_past && strcmp(argv[i], "--") == 0)
			is_past = true;
		else if (is_past || strncmp(argv[i], "--", 2) != 0)
			word[n++] = argv[i];
		else if (!set_option(opt, argv[i], i + 1 < argc ? argv[i + 1] : NULL,
				     &took, why))
			return false;
		i += took;
	}
	if (n == 0)
		return fail(why, "the %s is missing", "job");
	return check_all(opt, why) && set_job(opt, word, n, why);
}

static void put_part(struct buf *out, const char *s)
{
	if (s)
		buf_put(out, span_str(s));
	buf_putc(out, 0);
}

void act_job_identity(const struct act_job *job, struct buf *out)
{
	put_part(out, job->name);
	put_part(out, job->mailbox);
	put_part(out, job->search);
	put_part(out, job->flags_op);
	put_part(out, job->flags);
	put_part(out, job->date);
	put_part(out, job->to);
	put_part(out, job->script);
	for (size_t i = 0; i < job->files_n; i++)
		put_part(out, job->files[i]);
}

void act_expand(const char *name, struct span user, struct buf *out)
{
	for (; *name; name++) {
		if (name[0] == '%' && name[1] == 'u') {
			buf_put(out, user);
			name++;
		} else {
			buf_putc(out, *name);
			if (name[0] == '%' && name[1] == '%')
				name++;
		}
	}
}

void act_path_component(struct span user, struct buf *out)
{
	static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._@+=,-";

	if (user.n == 0)
		buf_putc(out, '%');
	for (size_t i = 0; i < user.n; i++) {
		char c = user.p[i];
		if (c && strchr(fine, c) && !(c == '.' && i == 0))
			buf_putc(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned char)c);
	}
}

/* RFC 9051 section 9: flag = "\" system or extension atom, or a keyword atom. */
static bool is_flag(struct span f)
{
	size_t from = f.n && f.p[0] == '\\' ? 1 : 0;

	for (size_t i = from; i < f.n; i++)
		if ((unsigned char)f.p[i] <= 0x20 || (unsigned char)f.p[i] >= 0x7f ||
		    strchr("(){%*\"\\]", f.p[i]))
			return false;
	/* The server alone sets \Recent. */
	return f.n > from && !span_ieq(f, SPAN("\\Recent"));
}

bool act_flags_list(const char *words, struct buf *out)
{
	struct span rest = span_str(words ? words : "");
	bool is_first = true;

	buf_putc(out, '(');
	while (rest.n) {
		size_t n = 0;
		while (n < rest.n && !strchr(" ,", rest.p[n]))
			n++;
		if (n && !is_flag(span_sub(rest, 0, n)))
			return false;
		if (n) {
			if (!is_first)
				buf_putc(out, ' ');
			buf_put(out, span_sub(rest, 0, n));
			is_first = false;
		}
		rest = span_sub(rest, n + (n < rest.n), rest.n);
	}
	buf_putc(out, ')');
	return true;
}
