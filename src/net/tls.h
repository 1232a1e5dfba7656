/*
 * TLS 1.2 and 1.3 (RFC 8446, RFC 9325) on OpenSSL: contexts and facts. A stack
 * gets TLS by net_push_tls() (net/stack.h).
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"
#include "net/error.h"

struct net_stack;

/* Refcounted: a reload makes a new one, and connections keep theirs. Any thread. */
struct net_tls;

struct net_tls_server {
	const char *cert_file;	    /* PEM: the certificate, then its chain */
	const char *key_file;	    /* PEM */
	bool is_tls13_only;	    /* else 1.2 as well */
	/* Authorities of client certificates, for stacks that ask for them
	 * (net_ask_certificate); NULL: none are asked. */
	const char *client_ca_file;
	const char *client_crl_file; /* revocation lists of theirs, PEM; NULL: none */
};

struct net_tls_client {
	const char *ca_file;   /* PEM; NULL: the system's */
	const char *cert_file; /* NULL: none; for SASL EXTERNAL */
	const char *key_file;
	/* 32 bytes, SHA-256 of the server's certificate: that one, whoever signed it and
	 * whatever name it bears; NULL: by CA and name */
	const unsigned char *pin_sha256;
	bool is_unverified; /* for tests: anybody's certificate will do */
};

/* A client's context remembers the last session: connections to the same host resume it
 * (RFC 8446 section 2.2). */

/* `ret_error` names the file and OpenSSL's reason. */
enum err net_tls_server_new(const struct net_tls_server *o, struct net_tls **ret_tls,
			    struct net_error *ret_error);
enum err net_tls_client_new(const struct net_tls_client *o, struct net_tls **ret_tls,
			    struct net_error *ret_error);
struct net_tls *net_tls_ref(struct net_tls *t);
void net_tls_unref(struct net_tls *t); /* NULL is fine */

/* What there is to know of a finished handshake. Strings live with the stack. */
struct net_tls_facts {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
	const char *sni;     /* the name the client asked for; NULL: none */
	bool has_alpn;	     /* both sides said "imap" (RFC 7301) */
	bool is_resumed;
	bool has_peer_cert; /* and it was verified */
};

/* False: no TLS on this stack, or its handshake is not done. */
bool net_tls_facts(const struct net_stack *s, struct net_tls_facts *ret_facts);
/*
 * Keying material (RFC 5705) with a context of no bytes, as channel bindings want it:
 * "EXPORTER-Channel-Binding", 32 bytes (RFC 9266). ERR_NOENT without TLS.
 */
enum err net_tls_exporter(const struct net_stack *s, const char *label, void *out,
			  size_t n);
/* Appends tls-server-end-point: a digest of the server's certificate (RFC 5929 section
 * 4). */
enum err net_tls_end_point(const struct net_stack *s, struct buf *out);
/* Appends tls-unique (RFC 5929 section 3); TLS 1.2 only, else ERR_NOENT. */
enum err net_tls_unique(const struct net_stack *s, struct buf *out);
/* Appends the peer's verified certificate in DER; ERR_NOENT when there is none. */
enum err net_tls_peer_cert(const struct net_stack *s, struct buf *der);

/*
 * Verifies the client's certificate again by the authorities and revocation lists of `now`,
 * a context newer than the handshake, or than the session that it resumed. False: it does
 * not stand any more, or there is none; `ret_why`, if given, gets a reason for the log.
 */
bool net_tls_peer_stands(const struct net_stack *s, const struct net_tls *now,
			 struct net_error *ret_why);

#endif
