/* A self-signed certificate, so that a new site has TLS from its first start. */
#ifndef NET_CERT_H
#define NET_CERT_H

#include "net/error.h"

/*
 * Makes an ECDSA P-256 key and a certificate for `names` (host names and
 * addresses, subjectAltName of RFC 6125; the first is also the common name),
 * valid from an hour ago for `days`. Writes PEM; the key has mode 0600, the
 * certificate 0644, neither file may exist (ERR_EXISTS). On failure none of
 * them is left, and `ret_error` says why.
 */
enum err net_cert_write(const char *cert_file, const char *key_file,
			const char *const *names, unsigned n_names, unsigned days,
			struct net_error *ret_error);

#endif
