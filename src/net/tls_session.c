/*
 * What a client context remembers between connections: the last session, so that a
 * reconnect resumes it (RFC 8446 section 2.2, RFC 5077); and a pinned certificate.
 */
#include "net/tls_impl.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

void tls_session_drop(struct net_tls *t)
{
	SSL_SESSION_free(t->session);
	free(t->session_host);
	t->session = NULL;
	t->session_host = NULL;
}

/* A ticket came. Runs on the loop of the connection, whichever that is. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct net_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *host = SSL_get_app_data(ssl);
	/* a copy: OpenSSL spoils the session of a connection that breaks off */
	SSL_SESSION *copy = host ? SSL_SESSION_dup(session) : NULL;
	if (!copy)
		return 0;
	pthread_mutex_lock(&t->lock);
	tls_session_drop(t);
	t->session = copy;
	t->session_host = xstrdup(host);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

void tls_session_setup(struct net_tls *t)
{
	SSL_CTX_set_app_data(t->ctx, t);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT |
						   SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(t->ctx, keep_session);
}

void tls_session_offer(struct net_tls *t, SSL *ssl, const char *host)
{
	pthread_mutex_lock(&t->lock);
	/* of this host alone: a resumed session is not verified again */
	if (t->session && strcmp(t->session_host, host) == 0)
		SSL_set_session(ssl, t->session);
	pthread_mutex_unlock(&t->lock);
}

static int verify_pin(X509_STORE_CTX *store, void *arg)
{
	const struct net_tls *t = arg;
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	bool is_it = leaf && X509_digest(leaf, EVP_sha256(), sum, &n) == 1 &&
		     n == sizeof t->pin && memcmp(sum, t->pin, n) == 0;
	X509_STORE_CTX_set_error(store, is_it ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
	return is_it;
}

void tls_pin_setup(struct net_tls *t, const unsigned char *pin)
{
	t->is_pinned = true;
	memcpy(t->pin, pin, sizeof t->pin);
	SSL_CTX_set_cert_verify_callback(t->ctx, verify_pin, t);
}
