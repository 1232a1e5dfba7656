/* The progress bar of `mailstile act` (act_progress.h). */
#include <sys/ioctl.h>
#include <unistd.h>
#include "tools/act_progress.h"

#define BAR_MS	100
#define LINE_MS 10000
#define MARK_MS 1000

void progress_init(struct progress *p, int fd, uint64_t total, uint64_t now_ms)
{
	*p = (struct progress){ .fd = fd,
				.is_terminal = fd >= 0 && isatty(fd) == 1,
				.total = total,
				.start_ms = now_ms,
				.last_ms = now_ms,
				.mark_ms = now_ms };
}

static double rate_now(const struct progress *p, uint64_t now_ms)
{
	if (p->rate > 0)
		return p->rate;
	uint64_t ms = now_ms - p->start_ms;
	return ms ? (double)p->done * 1000 / (double)ms : 0;
}

static void put_left(const struct progress *p, double rate, struct buf *out)
{
	if (rate <= 0)
		return;
	double s = (double)(p->total - p->done) / rate + 0.5;
	if (s > 359999)
		return;
	unsigned left = (unsigned)s;
	if (left >= 3600)
		buf_printf(out, "%u:%02u:%02u left", left / 3600, left / 60 % 60,
			   left % 60);
	else
		buf_printf(out, "%u:%02u left", left / 60, left % 60);
}

static void put_rate(double rate, struct buf *out)
{
	buf_printf(out, rate < 10 ? "%.1f users/s" : "%.0f users/s", rate);
}

void progress_bar(const struct progress *p, unsigned columns, uint64_t now_ms,
		  struct buf *out)
{
	struct buf tail = { 0 };
	double rate = rate_now(p, now_ms);

	buf_printf(&tail, " %ju/%ju  ", (uintmax_t)p->done, (uintmax_t)p->total);
	put_rate(rate, &tail);
	buf_puts(&tail, "  ");
	put_left(p, rate, &tail);
	if (p->failed)
		buf_printf(&tail, "  %ju failed", (uintmax_t)p->failed);
	size_t room = columns > tail.n + 2 ? columns - tail.n - 2 : 0;
	if (room > 40)
		room = 40;
	if (room >= 5) {
		size_t full = p->total ? (size_t)(p->done * room / p->total) : room;
		buf_putc(out, '[');
		for (size_t i = 0; i < room; i++)
			buf_putc(out, i < full ? '#' : '.');
		buf_putc(out, ']');
	}
	buf_put(out, span_sub(buf_span(&tail), room >= 5 ? 0 : 1, columns));
	buf_done(&tail);
}

void progress_line(const struct progress *p, uint64_t now_ms, struct buf *out)
{
	double rate = rate_now(p, now_ms);

	buf_printf(out, "%ju of %ju users, ", (uintmax_t)p->done, (uintmax_t)p->total);
	put_rate(rate, out);
	size_t before = out->n;
	buf_puts(out, ", ");
	put_left(p, rate, out);
	if (out->n == before + 2)
		buf_truncate(out, before);
	if (p->failed)
		buf_printf(out, ", %ju failed", (uintmax_t)p->failed);
}

static unsigned columns_of(int fd)
{
	struct winsize w = { 0 };

	/* One less: a full last column makes some terminals wrap. */
	if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 10)
		return w.ws_col - 1u;
	return 79;
}

static void put_out(struct progress *p, struct buf *out)
{
	/* Progress that cannot be written is no reason to stop. */
	if (write(p->fd, buf_span(out).p, out->n) < 0)
		p->fd = -1;
	buf_done(out);
}

void progress_tick(struct progress *p, uint64_t now_ms)
{
	if (p->fd < 0 || now_ms - p->last_ms < (p->is_terminal ? BAR_MS : LINE_MS))
		return;
	p->last_ms = now_ms;
	uint64_t ms = now_ms - p->mark_ms;
	if (ms >= MARK_MS) {
		double r = (double)(p->done - p->mark_done) * 1000 / (double)ms;
		p->rate = p->rate > 0 ? p->rate * 0.7 + r * 0.3 : r;
		p->mark_ms = now_ms;
		p->mark_done = p->done;
	}
	struct buf out = { 0 };
	if (p->is_terminal) {
		buf_puts(&out, "\r\033[K");
		progress_bar(p, columns_of(p->fd), now_ms, &out);
		p->is_drawn = true;
	} else {
		progress_line(p, now_ms, &out);
		buf_putc(&out, '\n');
	}
	put_out(p, &out);
}

void progress_step(struct progress *p, bool is_failed, uint64_t now_ms)
{
	p->done++;
	p->failed += is_failed;
	progress_tick(p, now_ms);
}

void progress_clear(struct progress *p)
{
	if (p->fd < 0 || !p->is_drawn)
		return;
	struct buf out = { 0 };
	buf_puts(&out, "\r\033[K");
	p->is_drawn = false;
	put_out(p, &out);
}
