/* A server in threads (host.h). */
#include "host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/base64.h"

struct talk {
	struct host *host;
	int fd;
	char user[64];
	struct buf in;
};

static void send_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		s = span_sub(s, (size_t)n, s.n);
	}
}

static void say(struct talk *t, const char *text, const char *tag)
{
	struct buf out = { 0 };

	for (; *text; text++) {
		if (text[0] == '$' && (text[1] == 'T' || text[1] == 'U')) {
			buf_puts(&out, text[1] == 'T' ? tag : t->user);
			text++;
		} else {
			buf_putc(&out, *text);
		}
	}
	send_all(t->fd, buf_span(&out));
	buf_done(&out);
}

static bool more(struct talk *t)
{
	ssize_t n = read(t->fd, buf_room(&t->in, 65536), 65536);

	if (n > 0)
		buf_added(&t->in, (size_t)n);
	return n > 0;
}

/* A line with its CRLF, and the bytes of a literal behind it; NULL: the end. */
static char *next_line(struct talk *t, struct buf *line)
{
	ptrdiff_t nl;

	buf_clear(line);
	for (;;) {
		while ((nl = span_find(buf_span(&t->in), '\n')) < 0)
			if (!more(t))
				return NULL;
		struct span s = span_sub(buf_span(&t->in), 0, (size_t)nl + 1);
		buf_put(line, s);
		buf_take(&t->in, (size_t)nl + 1);
		buf_putc(line, 0);
		buf_truncate(line, line->n - 1);
		char *brace = strrchr(buf_span(line).p, '{');
		if (!brace || !strstr(brace, "}\r\n") || strstr(brace, "}\r\n")[3])
			return line->p + line->off;
		size_t left = strtoul(brace + 1, NULL, 10);
		if (!strchr(brace, '+'))
			send_all(t->fd, SPAN("+ go\r\n"));
		while (left) {
			size_t n = t->in.n < left ? t->in.n : left;
			buf_take(&t->in, n);
			left -= n;
			if (left && !more(t))
				return NULL;
		}
	}
}

static void learn_user(struct talk *t, const char *line)
{
	const char *word = strstr(line, "AUTHENTICATE PLAIN ");
	struct buf plain = { 0 };

	if (!word || strstr(line, "UNAUTH"))
		return;
	word += strlen("AUTHENTICATE PLAIN ");
	if (base64_decode(span_of(word, strcspn(word, "\r\n")), &plain) == ERR_OK) {
		buf_putc(&plain, 0);
		snprintf(t->user, sizeof t->user, "%s", buf_span(&plain).p);
	}
	buf_done(&plain);
}

static bool answer(struct talk *t, const char *line)
{
	char tag[32] = "";

	snprintf(tag, sizeof tag, "%.*s", (int)strcspn(line, " \r"), line);
	learn_user(t, line);
	pthread_mutex_lock(&t->host->lock);
	buf_printf(&t->host->seen, "%s: %s", t->user, line);
	pthread_mutex_unlock(&t->host->lock);
	for (const struct host_rule *r = t->host->rules; r->want; r++) {
		if (!strstr(line, r->want))
			continue;
		if (r->flood)
			r->flood(t->fd, tag);
		else if (r->say)
			say(t, r->say, tag);
		return !r->is_end;
	}
	if (strstr(line, "LOGOUT"))
		return false;
	say(t, "$T OK fine\r\n", tag);
	return true;
}

static void *thread_main(void *arg)
{
	struct talk *t = arg;
	struct buf line = { 0 };
	char *text;

	say(t,
	    t->host->greeting
		? t->host->greeting
		: "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\r\n",
	    "");
	while ((text = next_line(t, &line)) && answer(t, text))
		;
	close(t->fd);
	buf_done(&t->in);
	buf_done(&line);
	free(t);
	return NULL;
}

void host_start(struct host *h, const struct host_rule *rules)
{
	h->rules = rules;
	pthread_mutex_init(&h->lock, NULL);
}

void host_end(struct host *h)
{
	for (unsigned i = 0; i < h->connections; i++)
		pthread_join(h->threads[i], NULL);
	buf_done(&h->seen);
	pthread_mutex_destroy(&h->lock);
}

int host_dial(void *host)
{
	struct host *h = host;
	struct talk *t = xcalloc(1, sizeof *t);
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		abort();
	t->host = h;
	t->fd = fd[1];
	pthread_mutex_lock(&h->lock);
	if (h->connections == 256 ||
	    pthread_create(&h->threads[h->connections], NULL, thread_main, t) != 0)
		abort();
	h->connections++;
	pthread_mutex_unlock(&h->lock);
	return fd[0];
}

struct mailstile_options host_options(struct host *h)
{
	struct mailstile_options o = MAILSTILE_OPTIONS;

	o.dial = host_dial;
	o.dial_arg = h;
	o.tls = MAILSTILE_TLS_NONE;
	o.login = "root";
	o.password = "pw";
	o.deadline_ms = 20000;
	return o;
}

unsigned host_saw(struct host *h, const char *text)
{
	struct span want = span_str(text), all;
	unsigned n = 0;

	pthread_mutex_lock(&h->lock);
	all = buf_span(&h->seen);
	for (size_t i = 0; i + want.n <= all.n; i++)
		n += memcmp(all.p + i, want.p, want.n) == 0;
	pthread_mutex_unlock(&h->lock);
	return n;
}
