/* However a message is cut, its summary is the same; and it is valid IMAP. */
#include "helper.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "imapcheck.h"

static struct buf read_file(const char *folder, const char *name)
{
	struct buf path = { 0 }, text = { 0 };
	FILE *in;
	size_t n;

	buf_printf(&path, "%s/%s", folder, name);
	buf_putc(&path, '\0');
	in = fopen(buf_span(&path).p, "rb");
	assert_non_null(in);
	do {
		n = fread(buf_room(&text, 4096), 1, 4096, in);
		buf_added(&text, n);
	} while (n > 0);
	fclose(in);
	buf_done(&path);
	return text;
}

/* A pseudo-random number that is the same in every run. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static struct buf scan_cut(struct summary_scanner *scanner, struct span m,
			   uint32_t longest, uint32_t *random)
{
	struct buf blob = { 0 };

	for (size_t at = 0; at < m.n;) {
		size_t n = 1 + (longest > 1 ? next_random(random) % longest : 0);

		summary_scanner_feed(scanner, span_sub(m, at, n));
		at += n;
	}
	summary_scanner_finish(scanner, &blob);
	return blob;
}

static void check(const char *name, struct span m)
{
	struct summary_scanner *scanner = summary_scanner_new();
	struct scanned whole = scan(m);
	uint32_t random = 1;

	if (!imapcheck_envelope(whole.s.envelope) ||
	    !imapcheck_body(whole.s.body, false) ||
	    !imapcheck_body(whole.s.structure, true))
		fail_msg("%s: not valid IMAP", name);
	assert_int_equal(whole.s.size, m.n);
	for (int round = 0; round < 12; round++) {
		struct buf cut = scan_cut(
		    scanner, m, round < 3 ? 1u + (uint32_t)round : 1u << round, &random);

		if (!span_eq(buf_span(&cut), buf_span(&whole.blob)))
			fail_msg("%s: cuts of round %d give another summary", name,
				 round);
		buf_done(&cut);
	}
	summary_scanner_free(scanner);
	buf_done(&whole.blob);
}

static void every_sample_gives_one_summary(void **state)
{
	const char *folder = getenv("MAIL_SAMPLES");
	DIR *dir;
	struct dirent *e;
	int n = 0;

	assert_non_null(folder);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (!strstr(e->d_name, ".eml"))
			continue;
		struct buf m = read_file(folder, e->d_name);

		check(e->d_name, buf_span(&m));
		buf_done(&m);
		n++;
	}
	closedir(dir);
	assert_true(n > 30);
}

/* Messages put together at random from what matters to the scanner. */
static void random_messages_give_one_summary(void **state)
{
	static const char *const pieces[] = {
		"--",
		"a",
		"ab",
		"--\r\n",
		"\r\n",
		"\n",
		"\r",
		"\r\n\r\n",
		" ",
		"\t",
		"x",
		":",
		"--a\r\n",
		"--a--\r\n",
		"--ab\n",
		"--ab--",
		"Content-Type: ",
		"Subject: s\r\n",
		"Content-Type: multipart/mixed; boundary=a\r\n\r\n",
		"Content-Type: multipart/digest; boundary=ab\n\n",
		"Content-Type: message/rfc822\r\n\r\n",
		"From: a@b (c\r\n d)\r\n",
		"From x\r\n",
		"Content-Transfer-Encoding: base64\r\n",
		"To: g: a, \"b\r\n c\" <d@e>;\r\n",
	};
	uint32_t random = 7;

	for (int i = 0; i < 2000; i++) {
		struct buf m = { 0 };
		uint32_t n = next_random(&random) % 40;

		while (n-- > 0)
			buf_puts(&m, pieces[next_random(&random) %
					    (sizeof pieces / sizeof *pieces)]);
		check("random", buf_span(&m));
		buf_done(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_gives_one_summary),
		cmocka_unit_test(random_messages_give_one_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
