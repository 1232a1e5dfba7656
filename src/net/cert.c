/* Self-signed certificates (RFC 5280) for ECDSA P-256. */
#include "net/cert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

enum { SERIAL_BITS = 127, HOUR_S = 3600 };

static bool set_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	bool ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		  BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* By hand, not by a configuration string: a name cannot smuggle in another one. */
static bool add_names(X509 *x, const char *const *names, unsigned n)
{
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	bool ok = all != NULL;
	for (unsigned i = 0; ok && i < n; i++) {
		unsigned char ip[16];
		GENERAL_NAME *g = GENERAL_NAME_new();
		int bytes = inet_pton(AF_INET, names[i], ip) == 1    ? 4
			    : inet_pton(AF_INET6, names[i], ip) == 1 ? 16
								     : 0;
		ASN1_STRING *s = bytes ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
		ok = g && s &&
		     (bytes ? ASN1_STRING_set(s, ip, bytes)
			    : ASN1_STRING_set(s, names[i], -1));
		if (ok)
			GENERAL_NAME_set0_value(g, bytes ? GEN_IPADD : GEN_DNS, s);
		else
			ASN1_STRING_free(s);
		if (!ok || !sk_GENERAL_NAME_push(all, g)) {
			GENERAL_NAME_free(g);
			ok = false;
		}
	}
	ok = ok &&
	     X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(all);
	return ok;
}

static bool set_subject(X509 *x, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);
	/* ub-common-name is 64 (RFC 5280 appendix A); verifiers look at subjectAltName */
	int n = (int)strnlen(name, 64);
	return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
					  (const unsigned char *)name, n, -1, 0) &&
	       X509_set_issuer_name(x, subject);
}

static X509 *make(EVP_PKEY *key, const char *const *names, unsigned n, unsigned days)
{
	X509 *x = X509_new();
	bool ok = x && X509_set_version(x, X509_VERSION_3) && set_serial(x) &&
		  X509_gmtime_adj(X509_getm_notBefore(x), -HOUR_S) &&
		  X509_time_adj_ex(X509_getm_notAfter(x), (int)days, 0, NULL) &&
		  set_subject(x, names[0]) && X509_set_pubkey(x, key) &&
		  add_extension(x, NID_subject_key_identifier, "hash") &&
		  add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
		  add_extension(x, NID_key_usage, "critical,digitalSignature") &&
		  add_extension(x, NID_ext_key_usage, "serverAuth") &&
		  add_names(x, names, n) && X509_sign(x, key, EVP_sha256()) > 0;
	if (ok)
		return x;
	X509_free(x);
	return NULL;
}

/* A new file, as PEM: the key if `key`, else the certificate; synced. */
static enum err write_pem(const char *file, mode_t mode, EVP_PKEY *key, X509 *x,
			  struct net_error *e)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return net_error_sys(e, errno, "cannot create %s", file);
	FILE *f = fdopen(fd, "w");
	if (!f) {
		enum err rc = net_error_sys(e, errno, "cannot write %s", file);
		close(fd);
		unlink(file);
		return rc;
	}
	errno = 0;
	bool ok = key ? PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)
		      : PEM_write_X509(f, x);
	ok = ok && fflush(f) == 0 && fsync(fd) == 0;
	int sys = errno;
	if (fclose(f) != 0)
		ok = false;
	if (ok)
		return ERR_OK;
	unlink(file);
	return net_error_sys(e, sys ? sys : EIO, "cannot write %s", file);
}

enum err net_cert_write(const char *cert_file, const char *key_file,
			const char *const *names, unsigned n_names, unsigned days,
			struct net_error *ret_error)
{
	if (n_names == 0)
		return net_error_set(ret_error, ERR_INVAL, "a certificate needs a name");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? make(key, names, n_names, days) : NULL;
	enum err rc;
	if (!x) {
		const char *why = ERR_reason_error_string(ERR_peek_error());
		rc = net_error_set(ret_error, ERR_IO, "cannot make a certificate: %s",
				   why ? why : "no reason given");
		ERR_clear_error();
	} else {
		rc = write_pem(key_file, 0600, key, NULL, ret_error);
		if (rc == ERR_OK) {
			rc = write_pem(cert_file, 0644, NULL, x, ret_error);
			if (rc != ERR_OK)
				unlink(key_file);
		}
	}
	X509_free(x);
	EVP_PKEY_free(key);
	return rc;
}
