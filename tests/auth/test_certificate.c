/* Whose a client certificate is (RFC 8437 section 4.2): rules, first match decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "auth/certificate.h"

/* A self-signed one; `san` as OpenSSL's configuration writes it, NULL: none. */
static struct buf certificate(const char *cn, const char *san)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	struct buf der = { 0 };
	unsigned char *bytes = NULL;
	int n;

	X509_set_version(x, 2);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
				   (const unsigned char *)"Example", -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn,
				   -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	if (san) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
							san);

		X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	n = i2d_X509(x, &bytes);
	buf_put(&der, span_of(bytes, (size_t)n));
	OPENSSL_free(bytes);
	X509_free(x);
	EVP_PKEY_free(key);
	return der;
}

static void is_user(const struct certificate_rule *r, size_t n, struct buf der,
		    const char *wanted)
{
	struct user_name name;
	enum err rc = certificate_user(r, n, buf_span(&der), &name);

	assert_int_equal(rc, wanted ? ERR_OK : ERR_NOENT);
	if (wanted)
		assert_string_equal(name.text, wanted);
	buf_done(&der);
}

static void the_subject_is_matched_as_a_whole(void **state)
{
	const struct certificate_rule r[] = {
		{ CERTIFICATE_SUBJECT, "CN=gate*,O=Example", "gateway" },
		{ CERTIFICATE_SUBJECT, "CN=*,O=Example", "other" },
	};

	is_user(r, 2, certificate("gate-7", NULL), "gateway");
	is_user(r, 1, certificate("my gate-7", NULL), NULL);
	is_user(r, 2, certificate("my gate-7", NULL), "other");
	/* What a name holds cannot be taken for a further part of the subject. */
	is_user(r, 1, certificate("gate,O=Example", "email:x@example.org"), "gateway");
	is_user((const struct certificate_rule[]){ { CERTIFICATE_SUBJECT,
						     "CN=root,O=Example", "root" } },
		1, certificate("root,O=Example", NULL), NULL);
}

static void an_address_gives_its_user(void **state)
{
	const struct certificate_rule whole = { CERTIFICATE_EMAIL, "*@example.org",
						"{address}" };
	const struct certificate_rule local = { CERTIFICATE_EMAIL, "*@example.org",
						"{local-part}" };

	is_user(&whole, 1, certificate("x", "email:Alice@example.org"),
		"alice@example.org");
	is_user(&local, 1,
		certificate("x", "email:a@elsewhere.org,email:Alice@example.org"),
		"alice");
	is_user(&local, 1, certificate("x", "DNS:alice@example.org"), NULL);
	is_user(&local, 1, certificate("x", NULL), NULL);
	is_user(&local, 1, certificate("x", "email:alice@example.org.evil.net"), NULL);
	is_user(&local, 1, certificate("x", "email:@example.org"), NULL);
}

static void a_fingerprint_is_that_certificate(void **state)
{
	struct buf der = certificate("x", NULL), again = { 0 };
	unsigned char sum[32];
	char text[65 + 31];
	struct certificate_rule r = { CERTIFICATE_FINGERPRINT, text, "gateway" };

	EVP_Digest(buf_span(&der).p, der.n, sum, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 32; i++)
		snprintf(text + 3 * i, 4, i < 31 ? "%02X:" : "%02X", sum[i]);
	buf_put(&again, buf_span(&der));
	is_user(&r, 1, again, "gateway");
	is_user(&r, 1, certificate("x", NULL), NULL);
	buf_done(&der);
}

static void what_is_no_certificate_is_nobodys(void **state)
{
	const struct certificate_rule r = { CERTIFICATE_SUBJECT, "*", "gateway" };
	struct user_name name;

	assert_int_equal(certificate_user(&r, 1, SPAN("no DER"), &name), ERR_INVAL);
	assert_int_equal(certificate_user(&r, 1, SPAN_NONE, &name), ERR_INVAL);
}

static void rules_that_cannot_match_are_refused(void **state)
{
	const struct certificate_rule bad[] = {
		{ CERTIFICATE_FINGERPRINT, "abcd", "x" },
		{ CERTIFICATE_FINGERPRINT, "", "x" },
		{ CERTIFICATE_SUBJECT, "", "x" },
		{ CERTIFICATE_SUBJECT, "CN=*", "a b" },
		{ CERTIFICATE_SUBJECT, "CN=*", "" },
	};
	const struct certificate_rule good = { CERTIFICATE_EMAIL, "*", "{local-part}" };
	struct buf why = { 0 };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(certificate_rule_ok(&bad[i], &why));
	buf_done(&why);
	assert_true(certificate_rule_ok(&good, &why));
	assert_int_equal(why.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_subject_is_matched_as_a_whole),
		cmocka_unit_test(an_address_gives_its_user),
		cmocka_unit_test(a_fingerprint_is_that_certificate),
		cmocka_unit_test(what_is_no_certificate_is_nobodys),
		cmocka_unit_test(rules_that_cannot_match_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
