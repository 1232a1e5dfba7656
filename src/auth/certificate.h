/*
 * Who a TLS client certificate is (RFC 8437 section 4.2; SASL EXTERNAL, RFC 4422
 * appendix A). The certificate was verified before; a rule says whose it is, the first
 * that matches decides. No rule matches: nobody's.
 */
#ifndef AUTH_CERTIFICATE_H
#define AUTH_CERTIFICATE_H

#include "auth/users.h"

enum certificate_by {
	CERTIFICATE_FINGERPRINT, /* SHA-256 of the whole, 64 hex digits, ":" may stand */
	CERTIFICATE_SUBJECT,	 /* pattern over the subject as RFC 4514 writes it */
	CERTIFICATE_EMAIL,	 /* pattern over each rfc822Name of subjectAltName */
};

struct certificate_rule {
	enum certificate_by by;
	const char *pattern; /* "*" and "?" as in policy.h */
	/* The user; with CERTIFICATE_EMAIL also "{address}" and "{local-part}". */
	const char *user;
};

/* Whether the rule can be used; if not, `ret_why` gets a sentence. */
bool certificate_rule_ok(const struct certificate_rule *r, struct buf *ret_why);
/* `der`: the certificate. ERR_NOENT: nobody's; ERR_INVAL: not a certificate. */
enum err certificate_user(const struct certificate_rule *rules, size_t n, struct span der,
			  struct user_name *ret);

#endif
