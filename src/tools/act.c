/*
 * mailstile act: one job over many users (doc/man/mailstile-act.1.scd). Reads the command
 * line and the users, opens the journal, runs the lanes, sums up.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>
#include "base/arena.h"
#include "base/clock.h"
#include "tools/act.h"
#include "tools/subcommand.h"

enum { EXIT_NO_SERVER = 3 };

#define USERS_BYTES ((size_t)1 << 30)

static const char help[] =
    "usage: mailstile act --server URL --as ADMIN --password-file FILE [OPTION...] JOB\n"
    "\n"
    "Does one job for many users of an IMAP server, with an administrator's credential.\n"
    "\n"
    "jobs\n"
    "  append MAILBOX FILE...        deliver messages (%u in FILE: the user)\n"
    "         [--flags FLAGS] [--date 'DD-Mon-YYYY HH:MM:SS +ZZZZ']\n"
    "  flag MAILBOX SEARCH +FLAGS    set flags; -FLAGS removes them\n"
    "  expunge MAILBOX SEARCH        remove what the search finds, and nothing else\n"
    "  search MAILBOX SEARCH         print UIDs\n"
    "  fetch MAILBOX SEARCH --to DIR messages into DIR/USER/UID.eml\n"
    "  status [MAILBOX...]           messages, unseen, size\n"
    "  run SCRIPT                    IMAP commands from a file (%u in SCRIPT: the user)\n"
    "\n"
    "options\n"
    "  --server imaps://HOST[:PORT]  or imap://HOST[:PORT], which means STARTTLS\n"
    "  --as ADMIN                    the administrator\n"
    "  --password-file FILE          the password, first line of FILE\n"
    "  --users FILE                  a user a line, \"-\": standard input;\n"
    "                                without it the job is for ADMIN's own mailboxes\n"
    "  --connections N               connections at a time (1)\n"
    "  --ca FILE                     trust these certificates, not the system's\n"
    "  --pin SHA256                  trust this one certificate\n"
    "  --mechanism NAME              PLAIN, SCRAM-SHA-256-PLUS, EXTERNAL, ...\n"
    "  --certificate FILE --key FILE the client's certificate\n"
    "  --plaintext                   imap:// without TLS, to a loopback address only\n"
    "  --timeout SECONDS             longest silence of the server (60)\n"
    "  --compress                    COMPRESS=DEFLATE, where the server offers it\n"
    "  --reconnect                   a new connection for each user\n"
    "  --journal FILE                note who is done; run again to go on\n"
    "  --json                        an object a user on standard output\n"
    "  --summary-json FILE           the summary for programs\n"
    "  --quiet                       no progress, no errors of single users\n"
    "\n"
    "exit status: 0 all done, 1 some users failed, 2 wrong usage, 3 no connection or "
    "login\n";

static const struct act_job_ops *const ops_of[] = {
	[ACT_APPEND] = &act_job_append,	  [ACT_FLAG] = &act_job_flag,
	[ACT_FETCH] = &act_job_fetch,	  [ACT_SEARCH] = &act_job_search,
	[ACT_EXPUNGE] = &act_job_expunge, [ACT_STATUS] = &act_job_status,
	[ACT_RUN] = &act_job_run,
};

static bool read_file(const char *path, struct buf *out)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && out->n <= USERS_BYTES) {
		n = read(fd, buf_room(out, 65536), 65536);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			buf_added(out, (size_t)n);
	}
	if (fd > STDIN_FILENO)
		close(fd);
	return n == 0;
}

/* A user a line; empty lines and those that begin with '#' are none. */
static bool read_users(struct act_run *r, struct buf *why)
{
	struct buf text = { 0 };
	bool is_ok = true, is_new;

	if (!r->opt->users) {
		(void)act_set_add(&r->users, span_str(r->opt->as), NULL);
		return true;
	}
	if (!read_file(r->opt->users, &text)) {
		buf_printf(why, "cannot read the users from %s: %s", r->opt->users,
			   strerror(errno));
		is_ok = false;
	}
	struct span rest = buf_span(&text);
	while (is_ok && rest.n) {
		ptrdiff_t nl = span_find(rest, '\n');
		struct span line = nl < 0 ? rest : span_sub(rest, 0, (size_t)nl);
		rest = nl < 0 ? SPAN_NONE : span_sub(rest, (size_t)nl + 1, rest.n);
		line = span_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (line.n > 1000 || memchr(line.p, 0, line.n)) {
			buf_printf(why, "%s: a line is no user's name", r->opt->users);
			is_ok = false;
			break;
		}
		(void)act_set_add(&r->users, line, &is_new);
		r->report.duplicates += !is_new;
	}
	buf_done(&text);
	return is_ok;
}

static bool open_journal(struct act_run *r, struct buf *why)
{
	struct buf identity = { 0 }, reason = { 0 };

	if (!r->opt->journal)
		return true;
	r->workers = workers_new(1);
	if (!r->workers) {
		buf_puts(why, "no thread for the journal could be started");
		return false;
	}
	act_job_identity(&r->opt->job, &identity);
	enum err rc = journal_open(r->opt->journal, buf_span(&identity),
				   workers_executor(r->workers),
				   net_loop_executor(r->loop), &r->journal, &reason);
	if (rc != ERR_OK)
		buf_printf(why, "journal %s: %.*s", r->opt->journal, (int)reason.n,
			   buf_span(&reason).p);
	buf_done(&identity);
	buf_done(&reason);
	return rc == ERR_OK;
}

/* Marks the users whom the journal has as done, or as not to be repeated. */
static void apply_journal(struct act_run *r)
{
	for (size_t i = 0; r->journal && i < r->users.n; i++) {
		struct act_name *u = &r->users.v[i];
		enum journal_state s =
		    journal_find(r->journal, span_of(u->name, u->n)).state;
		bool is_stuck = s != JOURNAL_NONE && s != JOURNAL_DONE &&
				r->ops->repeat == REPEAT_NEVER;
		u->state = s == JOURNAL_DONE || is_stuck;
		r->report.skipped += s == JOURNAL_DONE;
		r->report.stuck += is_stuck;
	}
}

static bool open_tls(struct act_run *r, struct buf *why)
{
	struct net_tls_client o = { .ca_file = r->opt->ca,
				    .cert_file = r->opt->certificate,
				    .key_file = r->opt->key };
	struct net_error e;
	unsigned char pin[32];

	if (r->opt->is_plaintext)
		return true;
	for (size_t i = 0; r->opt->pin && i < sizeof pin; i++) {
		char two[3] = { r->opt->pin[2 * i], r->opt->pin[2 * i + 1], 0 };
		pin[i] = (unsigned char)strtoul(two, NULL, 16);
	}
	if (r->opt->pin)
		o.pin_sha256 = pin;
	if (net_tls_client_new(&o, &r->tls, &e) == ERR_OK)
		return true;
	buf_puts(why, e.text);
	return false;
}

/* Everything that can be wrong before the first connection. */
static bool prepare(struct act_run *r, struct buf *why)
{
	const struct act_job *job = &r->opt->job;

	r->ops = ops_of[job->kind];
	r->messages = message_cache_new();
	if (job->search && !act_search_parse(r, why))
		return false;
	if (job->kind == ACT_RUN && !strstr(job->script, "%u") &&
	    act_script_read(r->opt->arena, job->script, &r->script, why) != ERR_OK)
		return false;
	if ((r->opt->password_file &&
	     !tool_password_file(r->opt->password_file, &r->password, why)) ||
	    !read_users(r, why))
		return false;
	if (net_loop_new(&r->loop) != ERR_OK) {
		buf_puts(why, "no event loop could be made");
		return false;
	}
	return open_tls(r, why) && open_journal(r, why);
}

/* ---- while it runs ---- */

static void on_signal(uv_signal_t *handle, int number)
{
	struct act_run *r = handle->data;

	/* The users in hand are finished; a second signal ends at once. */
	act_stop(r);
	progress_clear(&r->progress);
	fputs("mailstile act: stopping when the users in hand are done\n", stderr);
	uv_signal_stop(handle);
}

struct ticker {
	struct net_timer timer;
	struct act_run *run;
};

static void on_tick(void *arg)
{
	struct ticker *t = arg;

	progress_tick(&t->run->progress, clock_mono_ms());
	net_timer_start(t->run->loop, &t->timer, 100, on_tick, t);
}

static void run_lanes(struct act_run *r)
{
	uv_signal_t sig[2];
	static const int numbers[2] = { SIGINT, SIGTERM };
	struct ticker ticker = { .run = r };
	bool is_shown = !r->opt->is_quiet;

	for (int i = 0; i < 2; i++) {
		uv_signal_init((uv_loop_t *)net_loop_uv(r->loop), &sig[i]);
		sig[i].data = r;
		uv_signal_start(&sig[i], on_signal, numbers[i]);
	}
	progress_init(&r->progress, is_shown ? STDERR_FILENO : -1,
		      r->users.n - r->report.skipped - r->report.stuck, clock_mono_ms());
	on_tick(&ticker);
	r->report.start_us = clock_mono_us();
	act_lanes_start(r);
	if (r->live)
		net_loop_run(r->loop);
	r->report.end_us = clock_mono_us();
	net_timer_stop(&ticker.timer);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&sig[i], NULL);
	/* The farewells of the connections, and the closing of the handles. */
	for (int i = 0; i < 3; i++)
		net_loop_turn(r->loop, false);
	progress_clear(&r->progress);
}

static int sum_up(struct act_run *r)
{
	struct buf text = { 0 };
	int status = r->report.failed || r->report.stuck ? EXIT_FAILED : EXIT_DONE;

	report_flush(r, true);
	if (r->fatal != ERR_OK) {
		tool_fail(&cmd_act, "%.*s", (int)r->fatal_why.n,
			  buf_span(&r->fatal_why).p);
		status = r->is_journal_broken ? EXIT_FAILED : EXIT_NO_SERVER;
	} else if (r->report.failed && !r->is_credential_good) {
		status = EXIT_NO_SERVER; /* nobody could be logged in */
	} else if (r->is_stopping && status == EXIT_DONE) {
		status = EXIT_FAILED;
	}
	report_summary_text(r, &text);
	if (r->report.duplicates)
		buf_printf(&text, "%ju users were listed more than once, and done once\n",
			   (uintmax_t)r->report.duplicates);
	if (!r->opt->is_quiet)
		fwrite(buf_span(&text).p, 1, text.n, stderr);
	buf_done(&text);
	if (r->opt->summary_json) {
		FILE *f = fopen(r->opt->summary_json, "we");
		report_summary_json(r, &text);
		if (!f || fwrite(buf_span(&text).p, 1, text.n, f) != text.n ||
		    fclose(f) != 0)
			status = tool_fail(&cmd_act, "cannot write %s: %s",
					   r->opt->summary_json, strerror(errno));
		buf_done(&text);
	}
	if (r->report.is_broken)
		status = tool_fail(&cmd_act, "standard output cannot be written");
	return status;
}

static void clean(struct act_run *r)
{
	/* What still is under way in the journal comes to its end first. */
	while (r->journal && !journal_idle(r->journal))
		net_loop_turn(r->loop, true);
	workers_free(r->workers);
	act_lanes_free(r);
	net_loop_free(r->loop);
	journal_close(r->journal);
	net_tls_unref(r->tls);
	message_cache_free(r->messages);
	act_set_done(&r->users);
	report_done(&r->report);
	buf_done(&r->password);
	buf_done(&r->fatal_why);
}

static int act_main(int argc, char **argv)
{
	struct arena *a = arena_new(NULL);
	struct act_options opt = { .arena = a };
	struct act_run run = { .opt = &opt };
	struct buf why = { 0 };
	int status;

	signal(SIGPIPE, SIG_IGN);
	if (!act_options_parse(&opt, argc, argv, &why)) {
		status = tool_usage(&cmd_act, "%.*s", (int)why.n, buf_span(&why).p);
	} else if (!prepare(&run, &why)) {
		status = tool_usage(&cmd_act, "%.*s", (int)why.n, buf_span(&why).p);
	} else {
		apply_journal(&run);
		run_lanes(&run);
		status = sum_up(&run);
	}
	clean(&run);
	buf_done(&why);
	arena_free(a);
	return status;
}

const struct subcommand cmd_act = {
	.name = "act",
	.summary = "do one job for many users over few connections",
	.help = help,
	.run = act_main,
};
