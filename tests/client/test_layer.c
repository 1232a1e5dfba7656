/*
 * Rule C3: compression ends with the last byte of UNAUTHENTICATE on our side and of its
 * OK on the server's (RFC 8437 section 4.1, RFC 4978). The server here does it right, or
 * goes on compressing.
 */
#include "host.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

static bool is_right; /* a test is allowed what a room is not */
static bool is_behind;

static void send_all(int fd, const void *p, size_t n)
{
	assert_true(send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n);
}

static void send_packed(int fd, const char *text)
{
	unsigned char out[512];
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	z.next_in = (unsigned char *)text;
	z.avail_in = (unsigned)strlen(text);
	z.next_out = out;
	z.avail_out = sizeof out;
	deflate(&z, Z_SYNC_FLUSH);
	send_all(fd, out, sizeof out - z.avail_out);
	deflateEnd(&z);
}

/* Reads a byte at a time, so that it stops at the byte where the layer ends. */
static void read_packed(int fd, char *line, size_t size)
{
	z_stream z = { 0 };
	uint32_t last = 1;
	unsigned char one;

	assert_int_equal(inflateInit2(&z, -15), Z_OK);
	z.next_out = (unsigned char *)line;
	z.avail_out = (unsigned)size - 1;
	while (!strstr(line, "\r\n") || last != 0x0000ffff) {
		assert_true(read(fd, &one, 1) == 1);
		last = last << 8 | one;
		z.next_in = &one;
		z.avail_in = 1;
		assert_true(inflate(&z, Z_SYNC_FLUSH) >= Z_BUF_ERROR);
	}
	inflateEnd(&z);
}

static void read_plain(int fd, char *line, size_t size)
{
	for (size_t n = 0; n + 1 < size && !strstr(line, "\r\n"); n++)
		assert_true(read(fd, line + n, 1) == 1);
}

static void compressed_part(int fd, const char *tag)
{
	char line[256] = "", plain[256] = "", out[600];

	snprintf(out, sizeof out, "%s OK on\r\n", tag);
	send_all(fd, out, strlen(out));
	read_packed(fd, line, sizeof line);
	assert_non_null(strstr(line, " UNAUTHENTICATE\r\n"));
	read_plain(fd, plain, sizeof plain); /* C3, C4: plain text, in the same write */
	assert_non_null(strstr(plain, " AUTHENTICATE PLAIN "));
	*strchr(line, ' ') = *strchr(plain, ' ') = 0;
	snprintf(out, sizeof out, "%s OK out\r\n%s", line,
		 is_behind ? "* OK more\r\n" : "");
	send_packed(fd, out);
	snprintf(out, sizeof out, "%s OK [CAPABILITY %s] in\r\n", plain, HOST_CAPS);
	if (is_right || is_behind)
		send_all(fd, out, strlen(out));
	else
		send_packed(fd, out);
}

static enum mailstile_rc switch_users(void)
{
	static const struct host_rule rules[] = {
		{ .want = "AUTHENTICATE PLAIN",
		  .say = "$T OK [CAPABILITY " HOST_CAPS " COMPRESS=DEFLATE] in\r\n" },
		{ .want = "COMPRESS DEFLATE", .flood = compressed_part },
		{ 0 },
	};
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile *m;
	enum mailstile_rc rc;

	host_start(&h, rules);
	m = mailstile_new(&o, NULL, 0);
	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	rc = mailstile_act_for(m, "bob", NULL);
	if (rc == MAILSTILE_OK)
		assert_int_equal(mailstile_runf(m, NULL, "NOOP"), MAILSTILE_OK);
	else
		assert_null(mailstile_user(m));
	mailstile_free(m);
	host_end(&h);
	return rc;
}

static void both_layers_end_at_their_byte(void **state)
{
	is_right = true;
	is_behind = false;
	assert_int_equal(switch_users(), MAILSTILE_OK);
}

static void bytes_behind_the_end_of_the_layer_are_believed_by_nobody(void **state)
{
	is_right = false;
	is_behind = true;
	assert_int_equal(switch_users(), MAILSTILE_CORRUPT);
}

static void a_server_that_goes_on_compressing_is_found_out(void **state)
{
	is_right = is_behind = false;
	assert_int_equal(switch_users(), MAILSTILE_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_layers_end_at_their_byte),
		cmocka_unit_test(
		    bytes_behind_the_end_of_the_layer_are_believed_by_nobody),
		cmocka_unit_test(a_server_that_goes_on_compressing_is_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
