/* Self-signed certificates: files, modes, names. */
#include "help.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

static void the_key_is_for_its_owner_only(void **state)
{
	struct cert c;
	struct stat st;
	cert_make(&c);
	assert_int_equal(stat(c.key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(c.cert, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	cert_done(&c);
}

static void a_file_that_exists_is_never_replaced(void **state)
{
	static const char *const names[] = { "localhost" };
	struct net_error e = { 0 };
	struct cert c;
	cert_make(&c);
	assert_int_equal(net_cert_write(c.cert, c.key, names, 1, 1, &e), ERR_EXISTS);
	assert_non_null(strstr(e.text, c.key));

	/* nor is a key left behind when only the certificate is there */
	unlink(c.key);
	assert_int_equal(net_cert_write(c.cert, c.key, names, 1, 1, &e), ERR_EXISTS);
	assert_int_not_equal(access(c.key, F_OK), 0);
	cert_done(&c);
}

static void the_names_and_addresses_stand_in_it(void **state)
{
	struct cert c;
	cert_make(&c);
	FILE *f = fopen(c.cert, "r");
	assert_non_null(f);
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(x);
	assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "mail.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "other.example", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.2", 0), 0);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(x)) < 0);
	assert_true(X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
	X509_free(x);
	cert_done(&c);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
	static const char *const names[] = { "localhost" };
	struct net_error e = { 0 };
	assert_int_equal(
	    net_cert_write("/nonexistent/c", "/nonexistent/k", names, 1, 1, &e),
	    ERR_NOENT);
	assert_string_equal(e.text,
			    "cannot create /nonexistent/k: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_is_for_its_owner_only),
		cmocka_unit_test(a_file_that_exists_is_never_replaced),
		cmocka_unit_test(the_names_and_addresses_stand_in_it),
		cmocka_unit_test(a_folder_that_is_not_there_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
