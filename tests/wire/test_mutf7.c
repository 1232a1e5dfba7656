/* Modified UTF-7 (RFC 3501 section 5.1.3). */
#include "reader.h"
#include "wire/mutf7.h"

static const char *const pairs[][2] = {
	{ "", "" },
	{ "INBOX", "INBOX" },
	{ "A&-B", "A&B" },
	{ "&-&-", "&&" },
	{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
	  "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
	{ "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
	{ "&2D3eAA-", "\xf0\x9f\x98\x80" },
	{ "&AAk-", "\t" },
	{ "&AH8-", "\x7f" },
	{ "&AOkA6Q-", "\xc3\xa9\xc3\xa9" },
	{ "&AOk-&-&AOk-", "\xc3\xa9&\xc3\xa9" },
	{ "&,,8-", "\xef\xbf\xbf" },
};

static void both_ways_agree(void **state)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct buf b = { 0 };

		assert_int_equal(mutf7_decode(exact(span_str(pairs[i][0])), &b), ERR_OK);
		assert_string_equal(text_of(&b), pairs[i][1]);
		assert_int_equal(mutf7_encode(exact(span_str(pairs[i][1])), &b), ERR_OK);
		assert_string_equal(text_of(&b), pairs[i][0]);
	}
}

static void there_is_one_spelling(void **state)
{
	static const char *const bad[] = {
		"&",		      /* no end */
		"&AOk",		      /* no end */
		"&AGE-",	      /* printable ASCII */
		"&ACY-",	      /* "&" itself */
		"&AOk-&AOk-",	      /* null shift */
		"&AOl-",	      /* bits in the padding */
		"&AOkA-",	      /* a digit too many */
		"&AO-",		      /* half a unit */
		"&A-",		      /* too short */
		"&2D0-",	      /* high surrogate alone */
		"&3gA-",	      /* low surrogate alone */
		"&2D3YPQ-",	      /* high, high */
		"&AAA-",	      /* U+0000 */
		"&AO/-",	      /* "/" is not in the alphabet */
		"&Jjo!",	      /* of the RFC */
		"&U,BTFw-&ZeVnLIqe-", /* of the RFC: a superfluous shift */
		"a\xc3\xbc",	      /* 8-bit */
		"a\tb",
		"\x7f",
	};
	struct buf b = { 0 };

	buf_puts(&b, "keep");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(mutf7_decode(exact(span_str(bad[i])), &b), ERR_INVAL);
	assert_string_equal(text_of(&b), "keep");
}

static void what_is_no_utf8_is_not_encoded(void **state)
{
	struct buf b = { 0 };

	assert_int_equal(mutf7_encode(SPAN("\xff"), &b), ERR_INVAL);
	assert_int_equal(mutf7_encode(SPAN("a\xc3"), &b), ERR_INVAL);
	assert_int_equal(mutf7_encode(SPAN("a\0b"), &b), ERR_INVAL);
	assert_int_equal(b.n, 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_agree),
		cmocka_unit_test(there_is_one_spelling),
		cmocka_unit_test(what_is_no_utf8_is_not_encoded),
	};
	return RUN(tests);
}
