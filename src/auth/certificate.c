/* Who a TLS client certificate is: rules, first match decides. */
#include "auth/certificate.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "auth/policy.h"

enum { FINGERPRINT = 32, TEXT_MAX = 4096 };

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "AB:CD..." or "abcd...". */
static bool fingerprint_read(const char *text, uint8_t ret[FINGERPRINT])
{
	size_t n = 0;

	for (; *text; text += 2) {
		if (*text == ':' && n)
			text++;
		if (n == FINGERPRINT || hex(text[0]) < 0 || hex(text[1]) < 0)
			return false;
		ret[n++] = (uint8_t)(hex(text[0]) << 4 | hex(text[1]));
	}
	return n == FINGERPRINT;
}

bool certificate_rule_ok(const struct certificate_rule *r, struct buf *ret_why)
{
	uint8_t sum[FINGERPRINT];
	struct user_name name;
	bool is_made = r->by == CERTIFICATE_EMAIL &&
		       (strcmp(r->user, "{address}") == 0 ||
			strcmp(r->user, "{local-part}") == 0);

	if (r->by == CERTIFICATE_FINGERPRINT && !fingerprint_read(r->pattern, sum)) {
		buf_puts(ret_why,
			 "A fingerprint is the SHA-256 of the certificate, 64 hex "
			 "digits.");
		return false;
	}
	if (!*r->pattern) {
		buf_puts(ret_why, "The pattern is empty.");
		return false;
	}
	if (!is_made && user_name_make(span_str(r->user), &name) != ERR_OK) {
		buf_puts(ret_why, "That cannot be the name of a user.");
		return false;
	}
	return true;
}

static bool matches_fingerprint(const struct certificate_rule *r, X509 *cert)
{
	uint8_t wanted[FINGERPRINT], got[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	return fingerprint_read(r->pattern, wanted) &&
	       X509_digest(cert, EVP_sha256(), got, &n) == 1 && n == FINGERPRINT &&
	       memcmp(wanted, got, n) == 0;
}

/* The subject with the most specific name first, special characters escaped. */
static bool matches_subject(const struct certificate_rule *r, X509 *cert)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n = 0;
	bool is_it = false;

	if (out && X509_NAME_print_ex(out, X509_get_subject_name(cert), 0,
				      XN_FLAG_RFC2253 &
					  ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_get_mem_data(out, &text);
	if (n > 0 && n <= TEXT_MAX)
		is_it = policy_pattern_matches(span_str(r->pattern),
					       span_of(text, (size_t)n));
	BIO_free(out);
	return is_it;
}

/* Names with control characters, a NUL above all, name nobody. */
static bool address_ok(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return s.n > 0 && s.n <= USER_NAME_MAX && span_find(s, '@') > 0;
}

static enum err user_of_address(const struct certificate_rule *r, struct span address,
				struct user_name *ret)
{
	if (strcmp(r->user, "{address}") == 0)
		return user_name_make(address, ret);
	if (strcmp(r->user, "{local-part}") == 0) {
		size_t at = address.n;

		while (address.p[at - 1] != '@')
			at--;
		return user_name_make(span_sub(address, 0, at - 1), ret);
	}
	return user_name_make(span_str(r->user), ret);
}

static bool takes_email(const struct certificate_rule *r, X509 *cert,
			struct user_name *ret)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool is_it = false;

	for (int i = 0; !is_it && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type != GEN_EMAIL)
			continue;
		struct span address =
		    span_of(ASN1_STRING_get0_data(n->d.rfc822Name),
			    (size_t)ASN1_STRING_length(n->d.rfc822Name));
		is_it = address_ok(address) &&
			policy_pattern_matches(span_str(r->pattern), address) &&
			user_of_address(r, address, ret) == ERR_OK;
	}
	GENERAL_NAMES_free(names);
	return is_it;
}

static bool takes(const struct certificate_rule *r, X509 *cert, struct user_name *ret)
{
	switch (r->by) {
	case CERTIFICATE_EMAIL: return takes_email(r, cert, ret);
	case CERTIFICATE_FINGERPRINT:
		return matches_fingerprint(r, cert) &&
		       user_name_make(span_str(r->user), ret) == ERR_OK;
	default:
		return matches_subject(r, cert) &&
		       user_name_make(span_str(r->user), ret) == ERR_OK;
	}
}

enum err certificate_user(const struct certificate_rule *rules, size_t n, struct span der,
			  struct user_name *ret)
{
	const unsigned char *at = (const unsigned char *)der.p;
	X509 *cert = d2i_X509(NULL, &at, (long)der.n);
	enum err rc = cert ? ERR_NOENT : ERR_INVAL;

	for (size_t i = 0; cert && rc == ERR_NOENT && i < n; i++)
		if (takes(&rules[i], cert, ret))
			rc = ERR_OK;
	X509_free(cert);
	return rc;
}
