/* A client's connection: blocking, one thread each, as little work as can be. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

enum { READ = 65536, ROOM = 262144, HELD = 1 << 20, COMMAND = 4096 };

static SSL_CTX *ctx;
static _Thread_local SSL_SESSION *session;

static int on_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = s;
	return 1;
}

void conn_setup(void)
{
	ctx = SSL_CTX_new(TLS_client_method());
	if (opt.tls12)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
						SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
}

SSL_SESSION *conn_session(void)
{
	return session;
}

void conn_set_session(SSL_SESSION *s)
{
	session = s;
}

/* ---- COMPRESS ---- */

struct packed {
	z_stream in, out;
	unsigned char raw[READ];
};

void conn_compress(struct conn *c)
{
	struct packed *p = calloc(1, sizeof *p);

	conn_command(c, "COMPRESS DEFLATE");
	if (!p || inflateInit2(&p->in, -15) != Z_OK ||
	    deflateInit2(&p->out, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		die("zlib");
	c->packed = p;
}

static void packed_done(struct conn *c)
{
	if (!c->packed)
		return;
	inflateEnd(&c->packed->in);
	deflateEnd(&c->packed->out);
	free(c->packed);
	c->packed = NULL;
}

static long raw_read(struct conn *c, void *to, int n)
{
	return c->ssl ? SSL_read(c->ssl, to, n) : recv(c->fd, to, (size_t)n, 0);
}

static long packed_read(struct conn *c, char *to, int n)
{
	struct packed *p = c->packed;
	long came;

	p->in.next_out = (unsigned char *)to;
	p->in.avail_out = (unsigned)n;
	for (;;) {
		int rc = inflate(&p->in, Z_SYNC_FLUSH);

		if (p->in.avail_out < (unsigned)n)
			return n - (long)p->in.avail_out;
		if (rc != Z_OK && rc != Z_BUF_ERROR)
			die("what was received cannot be inflated");
		came = raw_read(c, p->raw, sizeof p->raw);
		if (came <= 0)
			return came;
		p->in.next_in = p->raw;
		p->in.avail_in = (unsigned)came;
	}
}

static void raw_put(struct conn *c, const char *p, size_t n);

static void packed_put(struct conn *c, const char *p, size_t n)
{
	z_stream *z = &c->packed->out;
	unsigned char to[4096];

	z->next_in = (unsigned char *)(uintptr_t)p;
	z->avail_in = (unsigned)n;
	do {
		z->next_out = to;
		z->avail_out = sizeof to;
		deflate(z, Z_SYNC_FLUSH);
		raw_put(c, (const char *)to, sizeof to - z->avail_out);
	} while (z->avail_out == 0);
}

/* ---- bytes ---- */

static void receive(struct conn *c)
{
	long n;

	if (c->cap - c->off - c->n < READ) {
		if (c->n)
			memmove(c->buf, c->buf + c->off, c->n);
		c->off = 0;
		if (c->cap - c->n < READ) {
			c->cap = c->n + ROOM;
			c->buf = realloc(c->buf, c->cap);
			if (!c->buf)
				die("out of memory");
		}
	}
	if (opt.quickack)
		setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){ 1 }, sizeof(int));
	n = c->packed ? packed_read(c, c->buf + c->off + c->n, READ)
		      : raw_read(c, c->buf + c->off + c->n, READ);
	if (n <= 0)
		die("the server closed; its last bytes: %.*s",
		    (int)(c->n < 200 ? c->n : 200),
		    c->n < 200 ? c->buf + c->off : c->buf + c->off + c->n - 200);
	c->n += (size_t)n;
	c->received += (uint64_t)n;
}

static void drop(struct conn *c, size_t n)
{
	c->n -= n;
	c->off = c->n ? c->off + n : 0;
}

static void raw_put(struct conn *c, const char *p, size_t n)
{
	while (n) {
		size_t some = n < (1 << 30) ? n : 1 << 30;
		long w = c->ssl ? SSL_write(c->ssl, p, (int)some)
				: send(c->fd, p, some, MSG_NOSIGNAL);

		if (w <= 0)
			die("write: %s", strerror(errno));
		p += w;
		n -= (size_t)w;
	}
}

void conn_put(struct conn *c, const char *p, size_t n)
{
	if (c->packed)
		packed_put(c, p, n);
	else
		raw_put(c, p, n);
}

void conn_line(struct conn *c, char *to, size_t n)
{
	const char *start, *end;
	size_t line;

	while (c->n == 0 || !memchr(c->buf + c->off, '\n', c->n))
		receive(c);
	start = c->buf + c->off;
	end = memchr(start, '\n', c->n);
	line = (size_t)(end - start) + 1;
	snprintf(to, n, "%.*s", (int)line, start);
	drop(c, line);
}

static void note_caps(struct conn *c, const char *p, size_t n)
{
	const char *at = memmem(p, n, "CAPABILITY IMAP4", 16);
	size_t most, len = 0;

	if (!at)
		return;
	most = (size_t)(p + n - at);
	while (len < most && at[len] != ']' && at[len] != '\r')
		len++;
	snprintf(c->caps, sizeof c->caps, "%.*s", (int)len, at);
}

/* The line that begins at c->off + at and has the tag: it must say OK. */
static void take_reply(struct conn *c, size_t at, size_t tag_bytes, const char *what)
{
	const char *line, *end;

	while (!(end = memchr(c->buf + c->off + at, '\n', c->n - at)))
		receive(c);
	line = c->buf + c->off + at;
	if (at < 8192)
		note_caps(c, c->buf + c->off, (size_t)(end - (c->buf + c->off)));
	if (end - line < (long)tag_bytes + 2 || memcmp(line + tag_bytes, "OK", 2) != 0)
		die("%.80s: %.*s", what, (int)(end - line), line);
	drop(c, at + (size_t)(end - line) + 1);
}

void conn_await(struct conn *c, unsigned tag, const char *what)
{
	char t[24];
	int made = snprintf(t, sizeof t, "\nqZ%u ", tag);
	size_t tn = (size_t)made, from = 0;

	while (c->n < tn - 1)
		receive(c);
	if (memcmp(c->buf + c->off, t + 1, tn - 1) == 0) {
		take_reply(c, 0, tn - 1, what);
		return;
	}
	for (;;) {
		const char *base = c->buf + c->off;
		const char *at = memmem(base + from, c->n - from, t, tn);

		if (at) {
			take_reply(c, (size_t)(at - base) + 1, tn - 1, what);
			return;
		}
		if (c->n > HELD)
			drop(c, c->n - tn);
		from = c->n > tn ? c->n - tn : 0;
		receive(c);
	}
}

static unsigned send_list(struct conn *c, const char *fmt, va_list ap)
{
	char b[COMMAND];
	int n = snprintf(b, sizeof b, "qZ%u ", ++c->tag);
	int m = vsnprintf(b + n, sizeof b - (size_t)n - 2, fmt, ap);

	if (m < 0 || n + m > COMMAND - 3)
		die("a command is too long");
	n += m;
	b[n++] = '\r';
	b[n++] = '\n';
	conn_put(c, b, (size_t)n);
	return c->tag;
}

unsigned conn_send(struct conn *c, const char *fmt, ...)
{
	va_list ap;
	unsigned tag;

	va_start(ap, fmt);
	tag = send_list(c, fmt, ap);
	va_end(ap);
	return tag;
}

void conn_command(struct conn *c, const char *fmt, ...)
{
	va_list ap;
	unsigned tag;

	va_start(ap, fmt);
	tag = send_list(c, fmt, ap);
	va_end(ap);
	conn_await(c, tag, fmt);
}

unsigned conn_send_all(struct conn *c, const char *const *command, size_t n)
{
	char b[2 * COMMAND];
	unsigned first = c->tag + 1;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int m = snprintf(b + len, sizeof b - len, "qZ%u %s\r\n", ++c->tag,
				 command[i]);
		if (m < 0 || (size_t)m >= sizeof b - len)
			die("commands are too long");
		len += (size_t)m;
	}
	conn_put(c, b, len);
	return first;
}

void conn_try(struct conn *c, const char *command, const char *name)
{
	char line[8192], t[24];
	int n = snprintf(t, sizeof t, "qZ%u ", conn_send(c, "%s %s", command, name));

	do
		conn_line(c, line, sizeof line);
	while (strncmp(line, t, (size_t)n) != 0);
}

void conn_open(struct conn *c, bool greeting)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)opt.port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char line[8192];
	int one = 1;

	*c = (struct conn){ .buf = c->buf, .cap = c->cap };
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(c->fd, (const void *)&sa, sizeof sa) != 0)
		die("connect to port %d: %s", opt.port, strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (opt.tls) {
		c->ssl = SSL_new(ctx);
		SSL_set_fd(c->ssl, c->fd);
		if (opt.resume && session)
			SSL_set_session(c->ssl, session);
		if (SSL_connect(c->ssl) != 1) {
			ERR_print_errors_fp(stderr);
			die("TLS handshake");
		}
		c->resumed = SSL_session_reused(c->ssl);
	}
	if (!greeting)
		return;
	conn_line(c, line, sizeof line);
	if (strncmp(line, "* OK", 4) != 0)
		die("greeting: %s", line);
	note_caps(c, line, strlen(line));
}

void conn_close(struct conn *c)
{
	struct linger none = { 1,
			       0 }; /* no TIME_WAIT: thousands of connections a minute */

	if (c->ssl) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	packed_done(c);
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	close(c->fd);
	c->off = c->n = 0;
}

void conn_done(struct conn *c)
{
	conn_close(c);
	free(c->buf);
	*c = (struct conn){ 0 };
}

bool conn_has(struct conn *c, const char *capability)
{
	return strstr(c->caps, capability) != NULL;
}

void conn_ask_capability(struct conn *c)
{
	c->caps[0] = '\0';
	conn_command(c, "CAPABILITY");
}

void auth_command(size_t user, char *to, size_t n)
{
	char name[64], raw[256], b64[512];
	int len;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(name, sizeof name, opt.pattern, user);
#pragma GCC diagnostic pop
	len = snprintf(raw, sizeof raw, "%s%c%s%c%s", name, 0, opt.admin, 0,
		       opt.password);
	if (len < 0 || len >= (int)sizeof raw)
		die("names are too long");
	EVP_EncodeBlock((unsigned char *)b64, (const unsigned char *)raw, len);
	snprintf(to, n, "AUTHENTICATE PLAIN %s", b64);
}

void conn_login(struct conn *c, size_t user)
{
	char command[640];

	c->caps[0] = '\0';
	auth_command(user, command, sizeof command);
	conn_await(c, conn_send(c, "%s", command), command);
	if (!conn_has(c, "IMAP4"))
		conn_command(c, "CAPABILITY");
}

void conn_logout(struct conn *c)
{
	conn_command(c, "LOGOUT");
	conn_close(c);
}
