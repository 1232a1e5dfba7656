/* MIME fields (RFC 2045 section 5, RFC 2183, RFC 3282). */
#include "helper.h"

#include "mail/mime.h"

/* "type/subtype|name=value|..." */
static void assert_type(const char *value, const char *want)
{
	struct arena *a = arena_new(NULL);
	struct mime_value v;
	struct buf out = { 0 };

	if (mime_content_type(a, span_str(value), &v)) {
		buf_put(&out, v.type);
		buf_putc(&out, '/');
		buf_put(&out, v.subtype);
		for (size_t i = 0; i < v.n_params; i++) {
			buf_putc(&out, '|');
			buf_put(&out, v.params[i].name);
			buf_putc(&out, '=');
			buf_put(&out, v.params[i].value);
		}
	} else {
		buf_puts(&out, "none");
	}
	arena_free(a);
	assert_buf(&out, want);
}

static void content_types_are_read_with_comments(void **state)
{
	assert_type(" text/plain; charset=us-ascii (Plain text)",
		    "text/plain|charset=us-ascii");
	assert_type("text/plain; charset=\"us-ascii\"", "text/plain|charset=us-ascii");
	assert_type("multipart/mixed (a) ;\r\n (b) boundary (c) = (d) \"a b:c\" (e)",
		    "multipart/mixed|boundary=a b:c");
	assert_type(
	    "message/external-body; access-type=URL; URL*0=\"ftp://\"; URL*1=\"x\"",
	    "message/external-body|access-type=URL|URL*0=ftp://|URL*1=x");
}

static void quoted_values_lose_quotes_and_folds(void **state)
{
	assert_type("a/b; x=\"a\\\"b\\\\c\r\n d\"; y=\"\"", "a/b|x=a\"b\\c d|y=");
	assert_type("a/b; x=\"open", "a/b|x=open");
}

static void bad_parameters_are_left_out(void **state)
{
	assert_type("a/b; broken; =bad; ok=1;;; x=a/b; boundary==_x",
		    "a/b|ok=1|x=a/b|boundary==_x");
	assert_type("a/b garbage; x=1", "a/b|x=1");
	assert_type("a/b\r\n\tx=1 y=\"2\"z=3 w", "a/b|x=1|y=2|z=3");
}

static void without_type_and_subtype_there_is_none(void **state)
{
	assert_type("", "none");
	assert_type("text", "none");
	assert_type("/plain", "none");
	assert_type("text/", "none");
	assert_type("text/;charset=x", "none");
}

static void tokens_and_languages_skip_comments(void **state)
{
	struct arena *a = arena_new(NULL);
	struct span *tags;

	assert_span(mime_token(a, SPAN(" (c) base64 (d)")), "base64");
	assert_span(mime_token(a, SPAN("\"quoted-printable\"")), "quoted-printable");
	assert_span(mime_token(a, SPAN("  ")), "");
	assert_int_equal(mime_languages(a, SPAN("mi (Maori), en-gb,, i-x"), &tags), 3);
	assert_span(tags[1], "en-gb");
	assert_int_equal(mime_languages(a, SPAN(""), &tags), 0);
	arena_free(a);
}

static void comments_nest(void **state)
{
	struct span in = SPAN(" (a (b \\) c) d) rest");
	struct buf comment = { 0 };

	lex_cfws(&in, &comment);
	assert_span(in, "rest");
	assert_buf(&comment, "a (b ) c) d");
}

static void a_field_has_so_many_parameters_at_most(void **state)
{
	struct arena *a = arena_new(NULL);
	struct buf text = { 0 };
	struct mime_value v;

	buf_puts(&text, "a/b");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, ";p%d=%d", i, i);
	assert_true(mime_content_type(a, buf_span(&text), &v));
	assert_int_equal(v.n_params, MIME_MAX_PARAMS);
	assert_span(mime_param_find(&v, SPAN("P199"))->value, "199");
	assert_null(mime_param_find(&v, SPAN("P200")));
	buf_done(&text);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_types_are_read_with_comments),
		cmocka_unit_test(quoted_values_lose_quotes_and_folds),
		cmocka_unit_test(bad_parameters_are_left_out),
		cmocka_unit_test(without_type_and_subtype_there_is_none),
		cmocka_unit_test(tokens_and_languages_skip_comments),
		cmocka_unit_test(comments_nest),
		cmocka_unit_test(a_field_has_so_many_parameters_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
