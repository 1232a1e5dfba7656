/* Sections and part numbers (RFC 9051 section 6.4.5.1). */
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>

#include "mail/section.h"

/* The text of the message in samples/NAME.eml. */
static struct buf sample(const char *name)
{
	struct buf path = { 0 }, text = { 0 };
	const char *folder = getenv("MAIL_SAMPLES");
	FILE *in;
	size_t n;

	assert_non_null(folder);
	buf_printf(&path, "%s/%s.eml", folder, name);
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

/* "1.2.HEADER" */
static enum err find(const struct summary *s, const char *spec, struct section_range *r)
{
	static const struct {
		const char *name;
		enum section_text text;
	} texts[] = { { "HEADER", SECTION_HEADER },
		      { "TEXT", SECTION_TEXT },
		      { "MIME", SECTION_MIME } };
	uint32_t path[10];
	size_t n = 0;
	enum section_text text = SECTION_WHOLE;

	while (*spec) {
		char *end;
		unsigned long v = strtoul(spec, &end, 10);

		if (end == spec) {
			for (size_t i = 0; i < 3; i++) {
				if (strcmp(spec, texts[i].name) == 0)
					text = texts[i].text;
			}
			break;
		}
		path[n++] = (uint32_t)v;
		spec = *end == '.' ? end + 1 : end;
	}
	return section_find(s, path, n, text, r);
}

static void assert_section(struct span message, const struct summary *s, const char *spec,
			   const char *want)
{
	struct section_range r;

	if (find(s, spec, &r) != ERR_OK)
		fail_msg("no section %s", spec);
	assert_true(r.start + r.bytes <= message.n);
	assert_span(span_sub(message, r.start, r.bytes), want);
}

static void assert_none(const struct summary *s, const char *spec)
{
	struct section_range r;

	if (find(s, spec, &r) != ERR_NOENT)
		fail_msg("there is a section %s", spec);
}

static void the_rfcs_example_numbers_its_parts_so(void **state)
{
	struct buf text = sample("rfc9051_sections");
	struct span m = buf_span(&text);
	struct scanned r = scan(m);
	const struct summary *s = &r.s;
	struct section_range header, body;

	assert_section(m, s, "1", "part 1");
	assert_section(m, s, "2", "part 2");
	assert_section(m, s, "3.HEADER",
		       "From: three@example.org\r\nSubject: three\r\n"
		       "Content-Type: multipart/mixed; boundary=three\r\n\r\n");
	assert_section(m, s, "3.1", "part 3.1");
	assert_section(m, s, "3.2", "part 3.2");
	assert_section(m, s, "4.1", "part 4.1");
	assert_section(m, s, "4.1.MIME", "Content-Type: image/gif\r\n\r\n");
	assert_section(m, s, "4.2.HEADER",
		       "From: fourtwo@example.org\r\nSubject: four.two\r\n"
		       "Content-Type: multipart/mixed; boundary=fourtwo\r\n\r\n");
	assert_section(m, s, "4.2.1", "part 4.2.1");
	assert_section(m, s, "4.2.2.1", "part 4.2.2.1");
	assert_section(m, s, "4.2.2.2", "part 4.2.2.2");
	assert_int_equal(find(s, "3", &header), ERR_OK);
	assert_int_equal(find(s, "3.TEXT", &body), ERR_OK);
	assert_int_equal(header.start + header.bytes, body.start + body.bytes);
	assert_int_equal(find(s, "HEADER", &header), ERR_OK);
	assert_int_equal(find(s, "TEXT", &body), ERR_OK);
	assert_int_equal(header.start, 0);
	assert_int_equal(header.bytes, body.start);
	assert_int_equal(body.start + body.bytes, m.n);
	assert_int_equal(find(s, "", &body), ERR_OK);
	assert_int_equal(body.start, 0);
	assert_int_equal(body.bytes, m.n);
	buf_done(&r.blob);
	buf_done(&text);
}

static void sections_that_do_not_exist_are_not_found(void **state)
{
	static const char *const none[] = {
		"5",	    "0",      "1.1",  "1.HEADER",  "1.TEXT",
		"4.HEADER", "4.TEXT", "4.3",  "4.2.3",	   "4.2.2.3",
		"3.3",	    "3.1.1",  "MIME", "4.2.2.1.1", "4294967295",
	};
	struct buf text = sample("rfc9051_sections");
	struct scanned r = scan(buf_span(&text));

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		assert_none(&r.s, none[i]);
	buf_done(&r.blob);
	buf_done(&text);
}

static void a_message_without_parts_has_part_one(void **state)
{
	struct span m = SPAN("Subject: x\r\n\r\nbody\r\n");
	struct scanned r = scan(m);

	assert_section(m, &r.s, "1", "body\r\n");
	assert_section(m, &r.s, "TEXT", "body\r\n");
	/* the part's MIME header stands in the message's header */
	assert_section(m, &r.s, "1.MIME", "Subject: x\r\n\r\n");
	assert_none(&r.s, "2");
	assert_none(&r.s, "1.1");
	assert_none(&r.s, "1.TEXT");
	assert_none(&r.s, "MIME");
	buf_done(&r.blob);
}

static void a_message_that_is_a_message_nests_its_numbers(void **state)
{
	struct buf text = sample("message_in_message");
	struct span m = buf_span(&text);
	struct scanned r = scan(m);

	assert_section(m, &r.s, "1.HEADER",
		       "From: c@example.org\r\nSubject: inside\r\n"
		       "Date: Tue, 1 Jan 2019 03:04:05 GMT\r\n"
		       "Content-Type: message/rfc822\r\n\r\n");
	assert_section(m, &r.s, "1.1.HEADER",
		       "From: d@example.org\r\nSubject: inside the inside\r\n\r\n");
	assert_section(m, &r.s, "1.1.1", "the text\r\n");
	assert_section(m, &r.s, "1.1.TEXT", "the text\r\n");
	assert_none(&r.s, "1.1.1.1");
	assert_none(&r.s, "1.2");
	buf_done(&r.blob);
	buf_done(&text);
}

static void binary_is_for_leaves_alone(void **state)
{
	struct buf text = sample("rfc9051_sections");
	struct scanned r = scan(buf_span(&text));
	struct summary_part p;
	uint32_t part = 0;

	assert_int_equal(section_binary(&r.s, (uint32_t[]){ 4, 1 }, 2, &part), ERR_OK);
	summary_part_get(&r.s, part, &p);
	assert_span(p.type, "IMAGE");
	assert_int_equal(section_binary(&r.s, (uint32_t[]){ 4 }, 1, &part), ERR_INVAL);
	assert_int_equal(section_binary(&r.s, (uint32_t[]){ 3 }, 1, &part), ERR_INVAL);
	assert_int_equal(section_binary(&r.s, (uint32_t[]){ 9 }, 1, &part), ERR_NOENT);
	assert_int_equal(section_binary(&r.s, NULL, 0, &part), ERR_OK);
	assert_int_equal(part, SUMMARY_NO_PART);
	buf_done(&r.blob);
	buf_done(&text);
}

static void printed_sections_are_found_again(void **state)
{
	struct buf text = sample("rfc9051_sections");
	struct scanned r = scan(buf_span(&text));

	for (uint32_t i = 0; i < r.s.n_parts; i++) {
		struct buf spec = { 0 };
		struct section_range range;
		struct summary_part p;

		section_print(&r.s, i, &spec);
		buf_putc(&spec, '\0');
		summary_part_get(&r.s, i, &p);
		assert_int_equal(find(&r.s, buf_span(&spec).p, &range), ERR_OK);
		if (p.kind != PART_MULTIPART)
			assert_int_equal(range.part, i);
		buf_done(&spec);
	}
	buf_done(&r.blob);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rfcs_example_numbers_its_parts_so),
		cmocka_unit_test(sections_that_do_not_exist_are_not_found),
		cmocka_unit_test(a_message_without_parts_has_part_one),
		cmocka_unit_test(a_message_that_is_a_message_nests_its_numbers),
		cmocka_unit_test(binary_is_for_leaves_alone),
		cmocka_unit_test(printed_sections_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
