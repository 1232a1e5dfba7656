/*
 * The TLS layer. OpenSSL reads through a BIO that gives it the bytes of one record and
 * then no more (the record header of RFC 8446 section 5.1 says how many), so nothing
 * behind the unit that was asked for is decrypted.
 */
#include "net/stack_impl.h"
#include "net/tls_impl.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/arena.h"

enum {
	RECORD_HEAD = 5,
	RECORD_MOST = 16384 + 2048, /* TLSCiphertext.length of TLS 1.2 (RFC 5246 6.2.3) */
	CIPHER_FIRST = 20, /* ContentType: change_cipher_spec … application_data */
	CIPHER_LAST = 23,
};

struct tls_layer {
	struct net_layer layer;
	struct net_tls *tls;
	SSL *ssl;
	char *host;	  /* clients: whom the session is with */
	struct buf *from; /* during a call of OpenSSL: where the record lies */
	size_t allowed;	  /* bytes of it that were not handed out yet */
};

static struct tls_layer *of(const struct net_layer *l)
{
	return (struct tls_layer *)(void *)(uintptr_t)l;
}

/* --- the BIO ------------------------------------------------------------- */

static int bio_read(BIO *b, char *to, int n)
{
	struct tls_layer *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (n <= 0 || t->allowed == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	size_t take = (size_t)n < t->allowed ? (size_t)n : t->allowed;
	memcpy(to, t->from->p + t->from->off, take);
	buf_take(t->from, take);
	t->allowed -= take;
	return (int)take;
}

static int bio_write(BIO *b, const char *from, int n)
{
	struct tls_layer *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (n > 0)
		buf_put(&t->layer.below->out, span_of(from, (size_t)n));
	return n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

BIO_METHOD *tls_bio_method(void)
{
	/* not BIO_get_new_index(): a method a context would use up the numbers */
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 0x7f, "layer");
	if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
	    BIO_meth_set_ctrl(m, bio_ctrl) && BIO_meth_set_create(m, bio_create))
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* --- the layer ----------------------------------------------------------- */

/* Says why, with what the peer's certificate lacks if that is it. */
static enum net_unit failed(struct tls_layer *t)
{
	long verify = SSL_get_verify_result(t->ssl);
	if (verify != X509_V_OK && !t->tls->is_unverified)
		net_layer_fail(&t->layer, ERR_AUTH,
			       "TLS: the peer's certificate is refused: %s",
			       X509_verify_cert_error_string(verify));
	else
		net_layer_fail(&t->layer, ERR_IO, "TLS: %s", tls_reason());
	ERR_clear_error();
	return NET_FAIL;
}

/* What OpenSSL said when it gave no data. */
static enum net_unit judge(struct tls_layer *t, int rc)
{
	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return NET_UNIT;
	case SSL_ERROR_ZERO_RETURN: return NET_EOS;
	default: return failed(t);
	}
}

/* Sets the bytes of the record in front; NET_UNIT if it is there as a whole. */
static enum net_unit find_record(struct net_layer *l, const struct buf *from,
				 size_t *ret_n)
{
	struct span s = buf_span(from);
	l->want = RECORD_HEAD;
	if (s.n < RECORD_HEAD)
		return NET_MORE;
	const unsigned char *p = (const unsigned char *)s.p;
	size_t body = (size_t)p[3] << 8 | p[4];
	if (p[0] < CIPHER_FIRST || p[0] > CIPHER_LAST || p[1] != 3) {
		net_layer_fail(l, ERR_INVAL, "the peer does not speak TLS");
		return NET_FAIL;
	}
	if (body > RECORD_MOST) {
		net_layer_fail(l, ERR_TOOBIG, "TLS: a record is too long");
		return NET_FAIL;
	}
	l->want = RECORD_HEAD + body;
	if (s.n < l->want)
		return NET_MORE;
	l->want = 0;
	*ret_n = RECORD_HEAD + body;
	return NET_UNIT;
}

static enum net_unit decode(struct net_layer *l, struct buf *from, struct buf *to)
{
	struct tls_layer *t = of(l);
	size_t record = 0;
	if (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN)
		return NET_EOS; /* what comes behind close_notify is ignored (RFC
				   8446 6.1) */
	enum net_unit u = find_record(l, from, &record);
	if (u != NET_UNIT)
		return u;

	ERR_clear_error();
	t->from = from;
	t->allowed = record;
	if (!SSL_is_init_finished(t->ssl)) {
		int rc = SSL_do_handshake(t->ssl);
		u = rc == 1 ? NET_UNIT : judge(t, rc);
	} else {
		size_t n = 0;
		int rc = SSL_read_ex(t->ssl, buf_room(to, record), record, &n);
		if (rc == 1)
			buf_added(to, n);
		else
			u = judge(t, rc);
	}
	t->from = NULL;
	t->allowed = 0;
	return u;
}

static enum err encode(struct net_layer *l, struct buf *from, struct buf *to)
{
	struct tls_layer *t = of(l);
	while (from->n) {
		size_t n = 0;
		ERR_clear_error();
		if (SSL_write_ex(t->ssl, from->p + from->off, from->n, &n) != 1) {
			failed(t);
			return ERR_IO;
		}
		buf_take(from, n);
	}
	return ERR_OK;
}

static void farewell(struct net_layer *l, struct buf *to)
{
	ERR_clear_error();
	SSL_shutdown(of(l)->ssl);
	ERR_clear_error();
}

static void tls_layer_free(struct net_layer *l)
{
	struct tls_layer *t = of(l);
	SSL_free(t->ssl);
	free(t->host);
	net_tls_unref(t->tls);
	free(t);
}

static const struct net_layer_ops tls_ops = {
	.name = "tls",
	.decode = decode,
	.encode = encode,
	.farewell = farewell,
	.free = tls_layer_free,
};

/* Whom the certificate must be for (RFC 6125); false when OpenSSL cannot take it. */
static bool expect_host(SSL *ssl, const char *host, bool is_unverified)
{
	unsigned char ip[16];
	bool is_ip = inet_pton(AF_INET, host, ip) == 1 ||
		     inet_pton(AF_INET6, host, ip) == 1;
	if (!is_ip && SSL_set_tlsext_host_name(ssl, host) != 1)
		return false;
	if (is_unverified)
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_ip)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set1_host(ssl, host) == 1;
}

struct net_layer *tls_layer_new(struct net_tls *tls, const char *host,
				bool asks_certificate)
{
	struct tls_layer *t = xcalloc(1, sizeof *t);
	BIO *bio = BIO_new(tls->bio);
	t->layer.ops = &tls_ops;
	t->tls = net_tls_ref(tls);
	t->ssl = SSL_new(tls->ctx);
	/* a client that verifies must know whom */
	bool is_ok = t->ssl && bio && (tls->is_server || tls->is_unverified || host);
	if (is_ok && !tls->is_server && host)
		is_ok = expect_host(t->ssl, host, tls->is_unverified || tls->is_pinned);
	if (!is_ok) {
		BIO_free(bio);
		tls_layer_free(&t->layer);
		ERR_clear_error();
		return NULL;
	}
	if (!tls->is_server && host) {
		t->host = xstrdup(host);
		SSL_set_app_data(t->ssl, t->host);
		tls_session_offer(tls, t->ssl, host);
	}
	BIO_set_data(bio, t);
	SSL_set_bio(t->ssl, bio, bio);
	if (tls->is_server && asks_certificate && tls->has_client_ca) {
		SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
		/* A session that is resumed has the certificate but not its chain, without
		 * which it cannot be verified anew: such connections shake hands in full. */
		SSL_set_options(t->ssl, SSL_OP_NO_TICKET);
		SSL_set_num_tickets(t->ssl, 0);
	}
	if (tls->is_server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	return &t->layer;
}

enum err tls_layer_start(struct net_layer *l)
{
	struct tls_layer *t = of(l);
	ERR_clear_error();
	int rc = SSL_do_handshake(t->ssl);
	return rc == 1 || judge(t, rc) == NET_UNIT ? ERR_OK : ERR_IO;
}

bool tls_layer_is_done(const struct net_layer *l)
{
	return SSL_is_init_finished(of(l)->ssl);
}

/* --- facts --------------------------------------------------------------- */

static SSL *finished(const struct net_stack *s)
{
	for (const struct net_layer *l = s->top; l; l = l->below)
		if (l->ops == &tls_ops)
			return l == s->shaking ? NULL : of(l)->ssl;
	return NULL;
}

static bool is_peer_verified(SSL *ssl)
{
	return SSL_get0_peer_certificate(ssl) &&
	       SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE &&
	       SSL_get_verify_result(ssl) == X509_V_OK;
}

bool net_tls_facts(const struct net_stack *s, struct net_tls_facts *ret_facts)
{
	const unsigned char *alpn;
	unsigned alpn_n;
	SSL *ssl = finished(s);
	if (!ssl)
		return false;
	SSL_get0_alpn_selected(ssl, &alpn, &alpn_n);
	*ret_facts = (struct net_tls_facts){
		.version = SSL_get_version(ssl),
		.cipher = SSL_get_cipher_name(ssl),
		.sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
		.has_alpn = alpn_n != 0,
		.is_resumed = SSL_session_reused(ssl) == 1,
		.has_peer_cert = is_peer_verified(ssl),
	};
	return true;
}

enum err net_tls_exporter(const struct net_stack *s, const char *label, void *out,
			  size_t n)
{
	SSL *ssl = finished(s);
	if (!ssl)
		return ERR_NOENT;
	/* without it a TLS 1.2 exporter binds nothing (RFC 9266 section 3, RFC 7627) */
	if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return ERR_UNSUPPORTED;
	/* RFC 9266 section 2 names a context of no bytes; to TLS 1.2 that is not the same
	 * as no context (RFC 5705 section 4). */
	if (SSL_export_keying_material(ssl, out, n, label, strlen(label),
				       (const unsigned char *)"", 0, 1) != 1)
		return ERR_IO;
	return ERR_OK;
}

/* The digest of the certificate's own signature, but SHA-256 for the broken ones and for
 * those that have none (RFC 5929 section 4.1). */
static const EVP_MD *end_point_digest(X509 *cert)
{
	int digest = NID_undef;

	if (X509_get_signature_info(cert, &digest, NULL, NULL, NULL) != 1 ||
	    digest == NID_undef || digest == NID_md5 || digest == NID_sha1)
		return EVP_sha256();
	const EVP_MD *md = EVP_get_digestbynid(digest);
	return md ? md : EVP_sha256();
}

enum err net_tls_end_point(const struct net_stack *s, struct buf *out)
{
	SSL *ssl = finished(s);
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!ssl)
		return ERR_NOENT;
	X509 *cert = SSL_is_server(ssl) ? SSL_get_certificate(ssl)
					: SSL_get0_peer_certificate(ssl);
	if (!cert || X509_digest(cert, end_point_digest(cert), sum, &n) != 1)
		return ERR_NOENT;
	buf_put(out, span_of(sum, n));
	return ERR_OK;
}

enum err net_tls_unique(const struct net_stack *s, struct buf *out)
{
	SSL *ssl = finished(s);
	unsigned char text[EVP_MAX_MD_SIZE];
	size_t n;

	/* Not defined for TLS 1.3 (RFC 8446 appendix C.5); unsafe without RFC 7627. */
	if (!ssl || SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) != 1)
		return ERR_NOENT;
	/* The first Finished message: the client's, the server's when resumed (RFC 5929
	 * section 3.1). */
	bool is_mine = SSL_is_server(ssl) == (SSL_session_reused(ssl) == 1);
	n = is_mine ? SSL_get_finished(ssl, text, sizeof text)
		    : SSL_get_peer_finished(ssl, text, sizeof text);
	if (n == 0 || n > sizeof text)
		return ERR_NOENT;
	buf_put(out, span_of(text, n));
	return ERR_OK;
}

enum err net_tls_peer_cert(const struct net_stack *s, struct buf *der)
{
	SSL *ssl = finished(s);
	if (!ssl || !is_peer_verified(ssl))
		return ERR_NOENT;
	X509 *cert = SSL_get0_peer_certificate(ssl);
	unsigned char *bytes = NULL;
	int n = i2d_X509(cert, &bytes);
	if (n <= 0)
		return ERR_IO;
	buf_put(der, span_of(bytes, (size_t)n));
	OPENSSL_free(bytes);
	return ERR_OK;
}

bool net_tls_peer_stands(const struct net_stack *s, const struct net_tls *now,
			 struct net_error *ret_why)
{
	SSL *ssl = finished(s);
	X509 *cert = ssl && is_peer_verified(ssl) ? SSL_get0_peer_certificate(ssl) : NULL;
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	const char *why = "no certificate that verifies";
	bool is_ok = false;

	if (c && cert && now->has_client_ca &&
	    X509_STORE_CTX_init(c, SSL_CTX_get_cert_store(now->ctx), cert,
				SSL_get_peer_cert_chain(ssl)) == 1 &&
	    X509_STORE_CTX_set_default(c, "ssl_client") == 1) {
		is_ok = X509_verify_cert(c) == 1;
		why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(c));
	}
	if (!is_ok && ret_why)
		net_error_set(ret_why, ERR_DENIED, "the client certificate: %s", why);
	X509_STORE_CTX_free(c);
	ERR_clear_error();
	return is_ok;
}
