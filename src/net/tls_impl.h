/* Inside of TLS, for net/ alone. */
#ifndef NET_TLS_IMPL_H
#define NET_TLS_IMPL_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "net/tls.h"

struct net_tls {
	atomic_uint refs;
	SSL_CTX *ctx;
	BIO_METHOD *bio; /* between OpenSSL and a layer's buffers */
	bool is_server;
	bool is_unverified;
};

/* tls_layer.c: what the context's BIO does. */
BIO_METHOD *tls_bio_method(void);
/* Why OpenSSL's last call failed, as a phrase. */
const char *tls_reason(void);

#endif
