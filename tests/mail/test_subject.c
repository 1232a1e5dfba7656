/* Base subjects (RFC 5256 section 2.1, ABNF in section 5). */
#include "helper.h"

#include "mail/subject.h"

static void assert_base(const char *value, const char *want, bool is_reply)
{
	struct buf out = { 0 };

	assert_int_equal(subject_base(span_str(value), &out), is_reply);
	assert_buf(&out, want);
}

static void leaders_trailers_and_blobs_are_taken_off(void **state)
{
	assert_base(" hello", "hello", false);
	assert_base("Re: hello", "hello", true);
	assert_base("RE: FW: fwd: Hello", "Hello", true);
	assert_base("re : hello", "hello", true);
	assert_base("Re[2]: hello", "hello", true);
	assert_base("Re [4] : hello", "hello", true);
	assert_base("[list] hello", "hello", false);
	assert_base("[list] Re: hello", "hello", true);
	assert_base("[a][b] [c] re: hello", "hello", true);
	assert_base("Re: [list] Re: hello", "hello", true);
	assert_base("hello (fwd)", "hello", true);
	assert_base("hello (FWD) (fwd)  ", "hello", true);
	assert_base("[fwd: hello]", "hello", true);
	assert_base("[Fwd: Re: [fwd: [list] hello (fwd)]]", "hello", true);
}

static void what_would_be_empty_keeps_its_last_blob(void **state)
{
	assert_base("[list]", "[list]", false);
	assert_base("[a] [b]", "[b]", false);
	assert_base("Re: [list]", "[list]", true);
	assert_base("Re:", "", true);
	assert_base("", "", false);
	assert_base("   \t ", "", false);
	assert_base("(fwd)", "", true);
	assert_base("[fwd:]", "", true);
}

static void what_only_looks_like_one_stays(void **state)
{
	assert_base("Regarding: hello", "Regarding: hello", false);
	assert_base("Re hello", "Re hello", false);
	assert_base("fwdd: hello", "fwdd: hello", false);
	assert_base("[list hello", "[list hello", false);
	assert_base("[fwd: hello", "[fwd: hello", false);
	assert_base("Re[2: hello", "Re[2: hello", false);
	assert_base("hello [list]", "hello [list]", false);
	assert_base("hello(fwd) there", "hello(fwd) there", false);
}

static void words_are_decoded_and_space_is_one(void **state)
{
	assert_base("=?utf-8?q?Re:_gr=C3=BC=C3=9Fe?=",
		    "gr\xc3\xbc\xc3\x9f"
		    "e",
		    true);
	assert_base("a \t b\r\n\tc", "a b c", false);
	assert_base("Re:\r\n [list]\r\n hello   there", "hello there", true);
}

static void a_long_run_takes_no_longer_than_its_length(void **state)
{
	struct buf in = { 0 }, out = { 0 };

	for (int i = 0; i < 200000; i++)
		buf_puts(&in, "[a]");
	assert_false(subject_base(buf_span(&in), &out));
	assert_buf(&out, "[a]");
	buf_clear(&in);
	for (int i = 0; i < 200000; i++)
		buf_puts(&in, "[fwd:");
	for (int i = 0; i < 200000; i++)
		buf_putc(&in, ']');
	assert_true(subject_base(buf_span(&in), &out));
	assert_buf(&out, "");
	buf_done(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaders_trailers_and_blobs_are_taken_off),
		cmocka_unit_test(what_would_be_empty_keeps_its_last_blob),
		cmocka_unit_test(what_only_looks_like_one_stays),
		cmocka_unit_test(words_are_decoded_and_space_is_one),
		cmocka_unit_test(a_long_run_takes_no_longer_than_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
