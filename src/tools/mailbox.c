/* mailstile mailbox: mailboxes of users, also beside a running server (reach.h). */
#include "tools/mailbox.h"

#include <signal.h>
#include <stdio.h>

static const char help[] =
    "usage: mailstile mailbox list DIR USER [--json]\n"
    "       mailstile mailbox stat DIR USER [MAILBOX ...] [--json]\n"
    "       mailstile mailbox quota DIR [USER] [--json]\n"
    "       mailstile mailbox quota DIR USER --storage SIZE --messages N --mailboxes N\n"
    "       mailstile mailbox quota DIR USER --clear\n"
    "       mailstile mailbox export DIR USER TO [MAILBOX ...] [--format mbox|maildir]\n"
    "       mailstile mailbox import DIR USER FROM [--into MAILBOX] [--journal FILE]\n"
    "                                [--no-unquote]\n\n"
    "Works while the server runs and while it does not.\n\n"
    "list    prints the user's mailboxes: whether he is subscribed, special use, name\n"
    "stat    prints messages, unseen ones, size, UIDVALIDITY and UIDNEXT\n"
    "quota   prints what is used and what may be, of one user or of all; or sets limits\n"
    "export  writes mailboxes into the folder TO, which must be empty or absent\n"
    "import  reads mail from FROM: an mbox file, a folder of them, or a Maildir. When "
    "it\n"
    "        is interrupted, the same command goes on; when it is repeated later, only\n"
    "        what is new is imported\n\n"
    "  --json           prints JSON\n"
    "  --storage SIZE   at most so much mail, \"10G\"; \"none\": no limit; \"default\": "
    "what\n"
    "                   holds for all. The same for:\n"
    "  --messages N     at most so many messages\n"
    "  --mailboxes N    at most so many mailboxes\n"
    "  --clear          the limits that hold for all hold again\n"
    "  --format F       mbox (the default) or maildir\n"
    "  --into MAILBOX   of an mbox file: into this one (INBOX); of a folder or a\n"
    "                   Maildir: below this one\n"
    "  --journal FILE   where import notes what is done (FROM.USER.mailstile-import)\n"
    "  --no-unquote     \">From \" at the beginning of a line stays as it is\n";

enum { JSON = 1, QUOTA = 2, EXPORT = 4, IMPORT = 8 };

static const struct verb {
	const char *name;
	int (*run)(struct mailbox_job *j);
	size_t least, most; /* words */
	const char *missing;
	unsigned options;
} verbs[] = {
	{ "list", mailbox_list, 2, 2, "USER", JSON },
	{ "stat", mailbox_stat, 2, MAILBOX_WORDS, "USER", JSON },
	{ "quota", mailbox_quota, 1, 2, "DIR", JSON | QUOTA },
	{ "export", mailbox_export, 3, MAILBOX_WORDS, "USER or TO", EXPORT },
	{ "import", mailbox_import, 3, 3, "USER or FROM", IMPORT },
};

static volatile sig_atomic_t is_stopping;

static void on_signal(int sig)
{
	is_stopping = 1;
}

void mailbox_catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &a, NULL);
}

bool mailbox_is_stopping(void)
{
	return is_stopping != 0;
}

bool mailbox_run(struct mailbox_job *j, talk_data *data, void *arg)
{
	if (talk_run(&j->talk, data, arg) == TALK_OK)
		return true;
	buf_put(&j->why, talk_said(&j->talk));
	return false;
}

bool mailbox_become(struct mailbox_job *j)
{
	return talk_become(&j->talk, span_str(j->word[1]), &j->why);
}

void mailbox_put_size(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1000 && u + 1 < sizeof units / sizeof units[0]) {
		v /= 1000;
		u++;
	}
	buf_printf(out, u && v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

/* ---- the user's mailboxes ---- */

struct listing {
	struct mailbox_job *j;
	struct mailbox_names *names;
	struct span others[8]; /* namespaces that are not his own */
	size_t n_others;
};

/* Prefixes of the namespaces behind the first: (("Other Users/" "/")) */
static void take_namespace(void *arg, const struct response *r, struct cursor *c)
{
	struct listing *l = arg;

	if (!span_ieq(r->name, SPAN("NAMESPACE")) || !cursor_sp(c))
		return;
	cursor_ext_value(c);
	while (cursor_try_sp(c)) {
		struct span group = cursor_ext_value(c);

		while (group.n && l->n_others < 8) {
			ptrdiff_t open = span_find(group, '"'), end;

			if (open < 0)
				break;
			group = span_sub(group, (size_t)open + 1, group.n);
			end = span_find(group, '"');
			if (end > 1) /* not the delimiter */
				l->others[l->n_others++] = arena_dup(
				    l->j->arena, span_sub(group, 0, (size_t)end));
			group = span_sub(group, (size_t)end + 1, group.n);
		}
	}
}

static bool is_his(const struct listing *l, struct span path)
{
	for (size_t i = 0; i < l->n_others; i++)
		if (span_starts(path, l->others[i]) ||
		    span_eq(path, span_sub(l->others[i], 0, l->others[i].n - 1)))
			return false;
	return true;
}

static void take_attribute(struct mailbox_job *j, struct mailbox_name *n, struct span a)
{
	static const char *const uses[] = { "\\All",	 "\\Archive",  "\\Drafts",
					    "\\Flagged", "\\Junk",     "\\Sent",
					    "\\Trash",	 "\\Important" };

	if (span_ieq(a, SPAN("\\Subscribed")))
		n->is_subscribed = true;
	if (span_ieq(a, SPAN("\\NonExistent")) || span_ieq(a, SPAN("\\Noselect")))
		n->exists = false;
	for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
		if (span_ieq(a, span_str(uses[i])))
			n->uses = n->uses.n ? span_str(arena_printf(j->arena, "%.*s %s",
								    (int)n->uses.n,
								    n->uses.p, uses[i]))
					    : span_str(uses[i]);
}

static void take_list(void *arg, const struct response *r, struct cursor *c)
{
	struct listing *l = arg;
	struct mailbox_name n = { .exists = true };
	struct span attributes, delimiter, word;

	if (!span_ieq(r->name, SPAN("LIST")) || !cursor_sp(c))
		return;
	attributes = cursor_ext_value(c);
	cursor_sp(c);
	cursor_nstring(c, &delimiter);
	cursor_sp(c);
	n.path = arena_dup(l->j->arena, cursor_mailbox(c));
	if (c->bad || !is_his(l, n.path))
		return;
	attributes = span_sub(attributes, 1, attributes.n - 2);
	while (cursor_next_word(&(struct cursor){ .in = attributes }, &word)) {
		take_attribute(l->j, &n, word);
		attributes = span_sub(attributes, word.n + 1, attributes.n);
	}
	if (l->names->n == l->names->cap) {
		struct mailbox_name *more;

		l->names->cap = l->names->cap ? 2 * l->names->cap : 32;
		more = arena_array(l->j->arena, l->names->cap, sizeof *more);
		if (l->names->n)
			memcpy(more, l->names->at, l->names->n * sizeof *more);
		l->names->at = more;
	}
	l->names->at[l->names->n++] = n;
}

bool mailbox_names(struct mailbox_job *j, struct mailbox_names *ret)
{
	struct listing l = { .j = j, .names = ret };

	*ret = (struct mailbox_names){ 0 };
	buf_puts(talk_begin(&j->talk), "NAMESPACE");
	if (!mailbox_run(j, take_namespace, &l))
		return false;
	buf_puts(talk_begin(&j->talk), "LIST \"\" * RETURN (SUBSCRIBED SPECIAL-USE)");
	return mailbox_run(j, take_list, &l);
}

bool mailbox_names_has(const struct mailbox_names *n, struct span path)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->at[i].exists && span_eq(n->at[i].path, path))
			return true;
	return false;
}

/* ---- the command ---- */

static bool options_fit(const struct mailbox_job *j, const struct verb *v,
			struct buf *why)
{
	const struct {
		bool is_given;
		unsigned of;
		const char *name;
	} given[] = {
		{ j->is_json, JSON, "--json" },
		{ j->storage, QUOTA, "--storage" },
		{ j->messages, QUOTA, "--messages" },
		{ j->mailboxes, QUOTA, "--mailboxes" },
		{ j->is_clear, QUOTA, "--clear" },
		{ j->format, EXPORT, "--format" },
		{ j->into, IMPORT, "--into" },
		{ j->journal, IMPORT, "--journal" },
		{ j->no_unquote, IMPORT, "--no-unquote" },
	};

	for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
		if (given[i].is_given && !(given[i].of & v->options)) {
			buf_printf(why, "%s is not for %s.", given[i].name, v->name);
			return false;
		}
	if (j->n_words < v->least) {
		buf_printf(why, "%s is missing.", j->n_words ? v->missing : "DIR");
		return false;
	}
	if (j->n_words > v->most) {
		buf_printf(why, "\"%s\" is one argument too many.", j->word[v->most]);
		return false;
	}
	return true;
}

static int act(struct mailbox_job *j, const struct verb *v)
{
	int status = EXIT_FAILED;

	if (config_load(j->word[0], &j->config, &j->why) == ERR_OK &&
	    reach_open(j->config, &j->reach, &j->why) == ERR_OK &&
	    talk_open(&j->talk, reach_dial(j->reach, &j->why), &j->why))
		status = v->run(j);
	talk_close(&j->talk);
	reach_close(j->reach);
	if (status != EXIT_DONE && j->why.n)
		status = status == EXIT_USAGE ? tool_usage_buf(&cmd_mailboxes, &j->why)
					      : tool_fail_buf(&cmd_mailboxes, &j->why);
	config_free(j->config);
	return status;
}

static int run(int argc, char **argv)
{
	struct mailbox_job j = { .talk.fd = -1 };
	const struct tool_option options[] = {
		{ "json", NULL, &j.is_json },
		{ "storage", &j.storage, NULL },
		{ "messages", &j.messages, NULL },
		{ "mailboxes", &j.mailboxes, NULL },
		{ "clear", NULL, &j.is_clear },
		{ "format", &j.format, NULL },
		{ "into", &j.into, NULL },
		{ "journal", &j.journal, NULL },
		{ "no-unquote", NULL, &j.no_unquote },
		{ 0 },
	};
	const struct verb *v = NULL;
	int status;

	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			v = &verbs[i];
	if (!v)
		return tool_usage(&cmd_mailboxes,
				  "Say what: list, stat, quota, export or import.");
	if (!tool_options(argc - 1, argv + 1, options, j.word, NULL, MAILBOX_WORDS,
			  &j.n_words, &j.why) ||
	    !options_fit(&j, v, &j.why))
		return tool_usage_buf(&cmd_mailboxes, &j.why);
	j.arena = arena_new(NULL);
	status = act(&j, v);
	buf_done(&j.why);
	arena_free(j.arena);
	return status;
}

const struct subcommand cmd_mailboxes = {
	.name = "mailbox",
	.summary = "lists, measures, limits, exports and imports mailboxes",
	.help = help,
	.run = run,
};
