/*
 * saslauthd as a user database, over its socket: four strings, each behind its length in
 * two bytes, most significant first: user name, password, service, realm. The answer is
 * one such string that begins with "OK" or "NO". A connection serves one request.
 *
 * saslauthd cannot tell who exists, so everybody may (is_assumed).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "auth/userdb_kind.h"
#include "base/arena.h"
#include "base/clock.h"

enum {
	STRING_MAX = 255, /* of a request: saslauthd takes no more */
	ANSWER_MAX = 1024,
	FULL_MS = 20, /* until a socket with too many waiting is tried again */
};

struct sasl {
	const struct userdb_config *config;
	uint64_t timeout_ms, end_ms;
	int fd;
};

static enum err sasl_open(const struct userdb_config *c, uint64_t timeout_ms, void **ret,
			  struct buf *why)
{
	struct sasl *s = xcalloc(1, sizeof *s);

	s->config = c;
	s->timeout_ms = timeout_ms;
	*ret = s;
	return ERR_OK;
}

static void sasl_close(void *conn)
{
	free(conn);
}

static enum err sasl_find(void *conn, struct span name, struct userdb_row *ret,
			  struct buf *why)
{
	const struct sasl *s = conn;

	if (!s->config->knows_everybody)
		return ERR_NOENT;
	ret->has[COLUMN_PASSWORD] = true;
	buf_put(&ret->at[COLUMN_PASSWORD], USER_HASH_ASK);
	buf_puts(&ret->at[COLUMN_PASSWORD], s->config->name);
	return ERR_OK;
}

static enum err fault(const struct sasl *s, const char *what, struct buf *why)
{
	buf_printf(why, "saslauthd at %s: %s.", s->config->socket, what);
	return ERR_IO;
}

static enum err wait_for(const struct sasl *s, short events, struct buf *why)
{
	struct pollfd p = { .fd = s->fd, .events = events };

	for (;;) {
		uint64_t now = clock_mono_ms();
		int n = now < s->end_ms ? poll(&p, 1, (int)(s->end_ms - now)) : 0;

		if (n > 0)
			return ERR_OK;
		if (n == 0)
			return fault(s, "it does not answer in time", why);
		if (errno != EINTR)
			return fault(s, strerror(errno), why);
	}
}

/* As in connect(2): EAGAIN says that too many wait at a Unix socket. */
static enum err dial(struct sasl *s, struct buf *why)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof to.sun_path, "%s", s->config->socket);
	while (connect(s->fd, (struct sockaddr *)&to, sizeof to) != 0) {
		if (errno != EAGAIN && errno != EINTR)
			return fault(s, strerror(errno), why);
		if (clock_mono_ms() + FULL_MS >= s->end_ms)
			return fault(s, "it does not answer in time", why);
		poll(NULL, 0, FULL_MS);
	}
	return ERR_OK;
}

static enum err put_all(const struct sasl *s, struct span bytes, struct buf *why)
{
	while (bytes.n) {
		ssize_t n = send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			enum err rc = wait_for(s, POLLOUT, why);

			if (rc != ERR_OK)
				return rc;
		} else if (n < 0 && errno != EINTR) {
			return fault(s, strerror(errno), why);
		} else if (n > 0) {
			bytes = span_sub(bytes, (size_t)n, bytes.n);
		}
	}
	return ERR_OK;
}

static enum err get(const struct sasl *s, char *to, size_t n, struct buf *why)
{
	for (size_t have = 0; have < n;) {
		enum err rc = wait_for(s, POLLIN, why);
		ssize_t got = rc == ERR_OK ? recv(s->fd, to + have, n - have, 0) : -1;

		if (rc != ERR_OK)
			return rc;
		if (got == 0)
			return fault(s, "it closed the connection without an answer",
				     why);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return fault(s, strerror(errno), why);
		if (got > 0)
			have += (size_t)got;
	}
	return ERR_OK;
}

static void put_string(struct buf *out, struct span s)
{
	buf_putc(out, (char)(s.n >> 8));
	buf_putc(out, (char)(s.n & 255));
	buf_put(out, s);
}

static struct span text_of(const char *s)
{
	return s ? span_str(s) : SPAN("");
}

static enum err converse(struct sasl *s, struct span request, struct buf *why)
{
	char answer[ANSWER_MAX];
	size_t n;
	enum err rc = dial(s, why);

	if (rc == ERR_OK)
		rc = put_all(s, request, why);
	if (rc == ERR_OK)
		rc = get(s, answer, 2, why);
	if (rc != ERR_OK)
		return rc;
	n = (size_t)(unsigned char)answer[0] << 8 | (unsigned char)answer[1];
	if (n < 2 || n > sizeof answer)
		return fault(s, "its answer is not well formed", why);
	rc = get(s, answer, n, why);
	if (rc != ERR_OK)
		return rc;
	if (memcmp(answer, "OK", 2) == 0 && (n == 2 || answer[2] == ' ' || !answer[2]))
		return ERR_OK;
	return memcmp(answer, "NO", 2) == 0
		   ? ERR_AUTH
		   : fault(s, "its answer is not well formed", why);
}

static enum err sasl_ask(void *conn, struct span name, struct span password,
			 struct buf *why)
{
	struct sasl *s = conn;
	struct buf request = { 0 };
	enum err rc;

	if (password.n > STRING_MAX)
		return ERR_AUTH;
	s->end_ms = clock_mono_ms() + s->timeout_ms;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return fault(s, strerror(errno), why);
	put_string(&request, name);
	put_string(&request, password);
	put_string(&request, text_of(s->config->service));
	put_string(&request, text_of(s->config->realm));
	rc = converse(s, buf_span(&request), why);
	buf_done(&request);
	close(s->fd);
	return rc;
}

const struct userdb_kind userdb_saslauthd = {
	.open = sasl_open,
	.close = sasl_close,
	.find = sasl_find,
	.ask = sasl_ask,
};
