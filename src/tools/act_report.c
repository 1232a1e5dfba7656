/* What a run has done (act_report.h). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "tools/act.h"

#define FLUSH_BYTES ((size_t)64 * 1024)

void report_flush(struct act_run *r, bool is_all)
{
	struct act_report *p = &r->report;

	if (!is_all && p->out.n < FLUSH_BYTES)
		return;
	if (p->out.n && isatty(STDOUT_FILENO) == 1)
		progress_clear(&r->progress);
	while (p->out.n && !p->is_broken) {
		struct span s = buf_span(&p->out);
		ssize_t n = write(STDOUT_FILENO, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		p->is_broken = n <= 0;
		if (n > 0)
			buf_take(&p->out, (size_t)n);
	}
	buf_truncate(&p->out, 0);
}

void report_line(struct act_run *r, struct span line)
{
	buf_put(&r->report.out, line);
	report_flush(r, isatty(STDOUT_FILENO) == 1);
}

static void print_error(struct act_run *r, struct act_task *t)
{
	struct buf line = { 0 };

	progress_clear(&r->progress);
	buf_puts(&line, "mailstile act: ");
	buf_put(&line, t->user);
	buf_puts(&line, ": ");
	for (size_t i = 0; i < t->why.n; i++) {
		/* The server's words: no control characters for the terminal. */
		unsigned char c = (unsigned char)buf_span(&t->why).p[i];
		buf_putc(&line, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
	buf_putc(&line, '\n');
	if (write(STDERR_FILENO, buf_span(&line).p, line.n) < 0)
		r->progress.fd = -1;
	buf_done(&line);
}

static void print_json(struct act_run *r, struct act_task *t, uint64_t us)
{
	struct act_report *p = &r->report;
	struct json j;

	json_init(&j, &p->out);
	json_open(&j, NULL, '{');
	json_str(&j, "user", t->user);
	json_bool(&j, "ok", t->rc == ERR_OK);
	json_real(&j, "ms", (double)us / 1000, 3);
	if (t->rc != ERR_OK) {
		json_str(&j, "error", buf_span(&t->why));
		if (t->why_code.n)
			json_str(&j, "code", buf_span(&t->why_code));
		json_bool(&j, "unknown", t->is_unknown);
	}
	if (t->json.n > 1) {
		buf_putc(&p->out, ',');
		buf_put(&p->out, span_sub(buf_span(&t->json), 1, t->json.n));
	}
	json_close(&j, '}');
	report_line(r, SPAN("\n"));
}

void report_task(struct act_run *r, struct act_task *t, uint64_t us)
{
	struct act_report *p = &r->report;

	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 1024;
		p->us = xrealloc(p->us, p->cap * sizeof *p->us);
	}
	p->us[p->n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
	p->done++;
	p->failed += t->rc != ERR_OK;
	p->unknown += t->rc != ERR_OK && t->is_unknown;
	if (t->rc != ERR_OK && !r->opt->is_quiet)
		print_error(r, t);
	if (r->opt->is_json)
		print_json(r, t, us);
	progress_step(&r->progress, t->rc != ERR_OK, clock_mono_ms());
}

void report_add_client(struct act_report *p, const struct client_stats *s)
{
	struct client_stats *c = &p->client;

	c->bytes_in += s->bytes_in;
	c->bytes_out += s->bytes_out;
	c->connections += s->connections;
	c->tls_full += s->tls_full;
	c->tls_resumed += s->tls_resumed;
	c->logins += s->logins;
	c->login_failures += s->login_failures;
	c->switches += s->switches;
	c->reconnects += s->reconnects;
	c->compressed += s->compressed;
	c->lost += s->lost;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

uint32_t report_percentile(struct act_report *p, unsigned percent)
{
	if (!p->n)
		return 0;
	qsort(p->us, p->n, sizeof *p->us, by_number);
	/* Nearest rank: the smallest value that `percent` of all are not above. */
	size_t rank = (p->n * percent + 99) / 100;
	return p->us[rank ? rank - 1 : 0];
}

static double seconds(const struct act_report *p)
{
	return (double)(p->end_us - p->start_us) / 1e6;
}

static double rate(const struct act_report *p)
{
	return p->end_us > p->start_us ? (double)p->done / seconds(p) : 0;
}

static const char *way(const struct act_report *p)
{
	if (p->client.switches && p->client.reconnects)
		return "both";
	if (p->client.switches)
		return "unauthenticate";
	return p->client.reconnects ? "reconnect" : "none";
}

static uint64_t left(const struct act_run *r)
{
	return r->users.n - r->report.skipped - r->report.stuck - r->report.done;
}

void report_summary_text(struct act_run *r, struct buf *out)
{
	struct act_report *p = &r->report;
	const struct client_stats *c = &p->client;

	buf_printf(out, "%ju users, %ju failed", (uintmax_t)p->done,
		   (uintmax_t)p->failed);
	if (p->unknown)
		buf_printf(out, " (%ju of them may have been done)",
			   (uintmax_t)p->unknown);
	if (p->skipped)
		buf_printf(out, ", %ju done before", (uintmax_t)p->skipped);
	if (p->stuck)
		buf_printf(out, ", %ju begun before and not repeated",
			   (uintmax_t)p->stuck);
	if (left(r))
		buf_printf(out, ", %ju not tried", (uintmax_t)left(r));
	buf_printf(out, "; %.1f s, %.1f users/s\n", seconds(p), rate(p));
	buf_printf(out, "per user: p50 %.2f ms, p99 %.2f ms\n",
		   report_percentile(p, 50) / 1000.0, report_percentile(p, 99) / 1000.0);
	buf_printf(out,
		   "%ju connections, TLS handshakes %ju full and %ju resumed; "
		   "%ju bytes in, %ju out\n",
		   (uintmax_t)c->connections, (uintmax_t)c->tls_full,
		   (uintmax_t)c->tls_resumed, (uintmax_t)c->bytes_in,
		   (uintmax_t)c->bytes_out);
	if (c->switches)
		buf_printf(out, "changed user %ju times by UNAUTHENTICATE (RFC 8437)\n",
			   (uintmax_t)c->switches);
	if (c->reconnects)
		buf_printf(out, "changed user %ju times by reconnecting: %s\n",
			   (uintmax_t)c->reconnects,
			   p->why_no_switch ? p->why_no_switch
					    : "UNAUTHENTICATE is not there");
	if (c->lost)
		buf_printf(out, "%ju connections were lost\n", (uintmax_t)c->lost);
}

void report_summary_json(struct act_run *r, struct buf *out)
{
	struct act_report *p = &r->report;
	const struct client_stats *c = &p->client;
	struct json j;

	json_init(&j, out);
	json_open(&j, NULL, '{');
	json_str(&j, "job", span_str(r->opt->job.name));
	json_num(&j, "users", (int64_t)p->done);
	json_num(&j, "failed", (int64_t)p->failed);
	json_num(&j, "unknown", (int64_t)p->unknown);
	json_num(&j, "done_before", (int64_t)p->skipped);
	json_num(&j, "not_repeated", (int64_t)p->stuck);
	json_num(&j, "not_tried", (int64_t)left(r));
	json_real(&j, "seconds", seconds(p), 3);
	json_real(&j, "users_per_second", rate(p), 1);
	json_real(&j, "p50_ms", report_percentile(p, 50) / 1000.0, 3);
	json_real(&j, "p99_ms", report_percentile(p, 99) / 1000.0, 3);
	json_num(&j, "bytes_in", (int64_t)c->bytes_in);
	json_num(&j, "bytes_out", (int64_t)c->bytes_out);
	json_num(&j, "connections", (int64_t)c->connections);
	json_num(&j, "tls_full", (int64_t)c->tls_full);
	json_num(&j, "tls_resumed", (int64_t)c->tls_resumed);
	json_num(&j, "logins", (int64_t)c->logins);
	json_num(&j, "switches", (int64_t)c->switches);
	json_num(&j, "reconnects", (int64_t)c->reconnects);
	json_num(&j, "compressed", (int64_t)c->compressed);
	json_num(&j, "lost", (int64_t)c->lost);
	json_str(&j, "way", span_str(way(p)));
	if (p->why_no_switch)
		json_str(&j, "why_no_switch", span_str(p->why_no_switch));
	json_close(&j, '}');
	buf_putc(out, '\n');
}

void report_done(struct act_report *p)
{
	free(p->us);
	buf_done(&p->out);
}
