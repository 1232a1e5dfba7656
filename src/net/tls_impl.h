/* Inside of TLS, for net/ alone. */
#ifndef NET_TLS_IMPL_H
#define NET_TLS_IMPL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/tls.h"

struct net_tls {
	atomic_uint refs;
	SSL_CTX *ctx;
	BIO_METHOD *bio; /* between OpenSSL and a layer's buffers */
	bool is_server;
	bool has_client_ca;
	bool is_unverified;
	bool is_pinned;
	unsigned char pin[32]; /* SHA-256 of the certificate */
	pthread_mutex_t lock;  /* over the session that a client remembers */
	SSL_SESSION *session;
	char *session_host;
};

/* tls_session.c, clients only. */
void tls_session_setup(struct net_tls *t);
void tls_session_offer(struct net_tls *t, SSL *ssl, const char *host);
void tls_session_drop(struct net_tls *t);
void tls_pin_setup(struct net_tls *t, const unsigned char *pin);

/* tls_layer.c: what the context's BIO does. */
BIO_METHOD *tls_bio_method(void);
/* Why OpenSSL's last call failed, as a phrase. */
const char *tls_reason(void);

#endif
