/* TLS contexts: versions, ciphers, certificates (RFC 9325). */
#include "net/tls_impl.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "base/arena.h"

static const unsigned char alpn_imap[] = "\4imap"; /* RFC 7301 with IANA's protocol id */

const char *tls_reason(void)
{
	unsigned long e = ERR_peek_error();
	const char *s = e ? ERR_reason_error_string(e) : NULL;
	return s ? s : "no reason given";
}

/*
 * A client that offers protocols without "imap" meant somebody else: no common protocol
 * is an alert (RFC 7301 section 3.2), which also stops cross-protocol attacks.
 */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
		       const unsigned char *in, unsigned in_n, void *arg)
{
	for (unsigned i = 0; i < in_n && in_n - i > in[i]; i += 1u + in[i]) {
		if (span_eq(span_of(in + i + 1, in[i]), SPAN("imap"))) {
			*out = in + i + 1;
			*out_n = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A key with a passphrase is refused; nobody is there to type it. */
static int no_passphrase(char *buf, int n, int is_writing, void *arg)
{
	return -1;
}

static void set_common(SSL_CTX *c)
{
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				   SSL_OP_CIPHER_SERVER_PREFERENCE |
				   SSL_OP_PRIORITIZE_CHACHA |
				   SSL_OP_CLEANSE_PLAINTEXT); /* records hold passwords */
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* forward secrecy and AEAD only (RFC 9325 section 4.2) */
	SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK");
	SSL_CTX_set_default_passwd_cb(c, no_passphrase);
	SSL_CTX_set_read_ahead(c, 0);
}

static struct net_tls *tls_new(bool is_server)
{
	struct net_tls *t = xcalloc(1, sizeof *t);
	atomic_init(&t->refs, 1);
	pthread_mutex_init(&t->lock, NULL);
	t->is_server = is_server;
	t->ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	t->bio = tls_bio_method();
	if (!t->ctx || !t->bio) {
		net_tls_unref(t);
		return NULL;
	}
	set_common(t->ctx);
	return t;
}

struct net_tls *net_tls_ref(struct net_tls *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void net_tls_unref(struct net_tls *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	tls_session_drop(t);
	pthread_mutex_destroy(&t->lock);
	SSL_CTX_free(t->ctx);
	BIO_meth_free(t->bio);
	free(t);
}

static enum err bad_file(struct net_error *e, const char *what, const char *file)
{
	enum err rc = net_error_set(e, ERR_INVAL, "cannot use the %s in %s: %s", what,
				    file, tls_reason());
	ERR_clear_error();
	return rc;
}

static enum err load_pair(SSL_CTX *c, const char *cert, const char *key,
			  struct net_error *e)
{
	if (SSL_CTX_use_certificate_chain_file(c, cert) != 1)
		return bad_file(e, "certificate", cert);
	if (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1)
		return bad_file(e, "key", key);
	if (SSL_CTX_check_private_key(c) != 1)
		return bad_file(e, "key", key);
	return ERR_OK;
}

static enum err load_client_ca(SSL_CTX *c, const char *file, struct net_error *e)
{
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
	if (!names || SSL_CTX_load_verify_file(c, file) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return bad_file(e, "client CA certificates", file);
	}
	SSL_CTX_set_client_CA_list(c, names);
	return ERR_OK;
}

/* The handshake goes on whatever comes of it: OpenSSL remembers the result, and what it
 * put on its list of errors would be taken for a fault of the connection. */
static int verify_client(X509_STORE_CTX *store, void *arg)
{
	X509_verify_cert(store);
	ERR_clear_error();
	return 1;
}

/* Of every authority in the chain there must be a list, or a revoked one goes unseen. */
static enum err load_client_crl(SSL_CTX *c, const char *file, struct net_error *e)
{
	X509_STORE *store = SSL_CTX_get_cert_store(c);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (!lookup || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) <= 0)
		return bad_file(e, "revocation lists", file);
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return ERR_OK;
}

static enum err no_memory(struct net_error *e)
{
	return net_error_set(e, ERR_LIMIT, "OpenSSL cannot make a context: %s",
			     tls_reason());
}

enum err net_tls_server_new(const struct net_tls_server *o, struct net_tls **ret_tls,
			    struct net_error *ret_error)
{
	ERR_clear_error();
	struct net_tls *t = tls_new(true);
	if (!t)
		return no_memory(ret_error);
	/* tickets hold the session, so no cache is needed (RFC 5077, RFC 8446 2.2) */
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(t->ctx, (const unsigned char *)"mailstile", 9);
	SSL_CTX_set_alpn_select_cb(t->ctx, select_alpn, NULL);
	if (o->is_tls13_only)
		SSL_CTX_set_min_proto_version(t->ctx, TLS1_3_VERSION);
	enum err rc = load_pair(t->ctx, o->cert_file, o->key_file, ret_error);
	if (rc == ERR_OK && o->client_ca_file)
		rc = load_client_ca(t->ctx, o->client_ca_file, ret_error);
	if (rc == ERR_OK && o->client_ca_file && o->client_crl_file)
		rc = load_client_crl(t->ctx, o->client_crl_file, ret_error);
	t->has_client_ca = o->client_ca_file;
	SSL_CTX_set_cert_verify_callback(t->ctx, verify_client, NULL);
	if (rc != ERR_OK) {
		net_tls_unref(t);
		return rc;
	}
	*ret_tls = t;
	return ERR_OK;
}

static enum err load_roots(SSL_CTX *c, const char *ca_file, struct net_error *e)
{
	if (ca_file && SSL_CTX_load_verify_file(c, ca_file) != 1)
		return bad_file(e, "CA certificates", ca_file);
	if (!ca_file && SSL_CTX_set_default_verify_paths(c) != 1)
		return bad_file(e, "CA certificates", "the system's folder");
	return ERR_OK;
}

enum err net_tls_client_new(const struct net_tls_client *o, struct net_tls **ret_tls,
			    struct net_error *ret_error)
{
	ERR_clear_error();
	enum err rc = ERR_OK;
	struct net_tls *t = tls_new(false);
	if (!t)
		return no_memory(ret_error);
	t->is_unverified = o->is_unverified;
	SSL_CTX_set_alpn_protos(t->ctx, alpn_imap, sizeof alpn_imap - 1);
	SSL_CTX_set_verify(t->ctx, o->is_unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
			   NULL);
	tls_session_setup(t);
	if (o->pin_sha256)
		tls_pin_setup(t, o->pin_sha256);
	else if (!o->is_unverified)
		rc = load_roots(t->ctx, o->ca_file, ret_error);
	if (rc == ERR_OK && o->cert_file)
		rc = load_pair(t->ctx, o->cert_file,
			       o->key_file ? o->key_file : o->cert_file, ret_error);
	if (rc != ERR_OK) {
		net_tls_unref(t);
		return rc;
	}
	*ret_tls = t;
	return ERR_OK;
}
