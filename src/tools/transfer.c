/* The progress of an import or export (transfer.h). */
#include "tools/transfer.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/mailbox.h"

enum { DRAW_MS = 100, MARK_MS = 1000, BAR_MAX = 30 };

void transfer_init(struct transfer *t, uint64_t total)
{
	uint64_t now = clock_mono_ms();

	*t = (struct transfer){ .fd = isatty(STDERR_FILENO) == 1 ? STDERR_FILENO : -1,
				.total = total,
				.start_ms = now,
				.last_ms = now,
				.mark_ms = now };
}

static void put_left(const struct transfer *t, struct buf *out)
{
	double left = t->total > t->done ? (double)(t->total - t->done) / t->rate : 0;
	unsigned s = left < 359999 ? (unsigned)(left + 0.5) : 359999;

	if (s >= 3600)
		buf_printf(out, "  %u:%02u:%02u left", s / 3600, s / 60 % 60, s % 60);
	else
		buf_printf(out, "  %u:%02u left", s / 60, s % 60);
}

void transfer_bar(const struct transfer *t, unsigned columns, struct buf *out)
{
	struct buf tail = { 0 };
	size_t room;

	buf_printf(&tail, " %llu messages  ", (unsigned long long)t->messages);
	mailbox_put_size(&tail, t->done);
	buf_puts(&tail, " of ");
	mailbox_put_size(&tail, t->total);
	if (t->rate > 0) {
		buf_puts(&tail, "  ");
		mailbox_put_size(&tail, (uint64_t)t->rate);
		buf_puts(&tail, "/s");
		put_left(t, &tail);
	}
	room = columns > tail.n + 2 ? columns - tail.n - 2 : 0;
	if (room > BAR_MAX)
		room = BAR_MAX;
	if (room >= 5) {
		size_t full =
		    t->total ? (size_t)((double)room * (double)t->done / (double)t->total)
			     : room;

		buf_putc(out, '[');
		for (size_t i = 0; i < room; i++)
			buf_putc(out, i < full ? '#' : '.');
		buf_putc(out, ']');
	}
	buf_put(out, span_sub(buf_span(&tail), room >= 5 ? 0 : 1, columns));
	buf_done(&tail);
}

static unsigned columns_of(int fd)
{
	struct winsize w = { 0 };

	/* One less: a full last column makes some terminals wrap. */
	if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 10)
		return w.ws_col - 1u;
	return 79;
}

static void measure(struct transfer *t, uint64_t now)
{
	uint64_t ms = now - t->mark_ms;
	double rate;

	if (ms < MARK_MS && t->rate > 0)
		return;
	rate = ms ? (double)(t->done - t->mark_bytes) * 1000 / (double)ms : 0;
	t->rate = t->rate > 0 ? t->rate * 0.7 + rate * 0.3 : rate;
	t->mark_ms = now;
	t->mark_bytes = t->done;
}

static void put_out(struct transfer *t, struct buf *out)
{
	/* Progress that cannot be written is no reason to stop. */
	if (write(t->fd, buf_span(out).p, out->n) < 0)
		t->fd = -1;
	buf_done(out);
}

void transfer_tick(struct transfer *t)
{
	uint64_t now = t->fd >= 0 ? clock_mono_ms() : 0;
	struct buf out = { 0 };

	if (t->fd < 0 || now - t->last_ms < DRAW_MS)
		return;
	t->last_ms = now;
	measure(t, now);
	buf_puts(&out, "\r\033[K");
	transfer_bar(t, columns_of(t->fd), &out);
	t->is_drawn = true;
	put_out(t, &out);
}

void transfer_clear(struct transfer *t)
{
	struct buf out = { 0 };

	if (t->fd < 0 || !t->is_drawn)
		return;
	buf_puts(&out, "\r\033[K");
	t->is_drawn = false;
	put_out(t, &out);
}
