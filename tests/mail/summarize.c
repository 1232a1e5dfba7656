/*
 * Prints the summary of the message on standard input as JSON: for the
 * differential tests. Text is given as Latin-1, a character for each byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "mail/section.h"
#include "mail/summary.h"
#include "mail/words.h"
#include "mail/header.h"

static void put_bytes(struct json *j, const char *key, struct span s)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x80)
			buf_putc(&text, (char)(0xc0 | c >> 6));
		buf_putc(&text, c < 0x80 ? (char)c : (char)(0x80 | (c & 0x3f)));
	}
	json_str(j, key, buf_span(&text));
	buf_done(&text);
}

static void put_decoded(struct json *j, const struct summary_part *p, struct span message)
{
	struct buf out = { 0 };
	struct decoder d;
	struct span body = span_sub(message, p->body_start, p->body_end - p->body_start);

	if (p->kind != PART_LEAF || decoder_init(&d, p->coding, false) != ERR_OK)
		return;
	decoder_feed(&d, body, &out);
	decoder_finish(&d, &out);
	decoder_done(&d);
	put_bytes(j, "decoded", buf_span(&out));
	buf_done(&out);
}

static void put_part(struct json *j, const struct summary *s, uint32_t i,
		     struct span message)
{
	static const char *const kinds[] = { "leaf", "multipart", "message" };
	struct summary_part p;
	struct buf section = { 0 };

	summary_part_get(s, i, &p);
	section_print(s, i, &section);
	json_open(j, NULL, '{');
	json_str(j, "kind", span_str(kinds[p.kind]));
	json_str(j, "section", buf_span(&section));
	json_num(j, "depth", p.depth);
	json_num(j, "parent", p.parent == SUMMARY_NO_PART ? -1 : (int64_t)p.parent);
	json_num(j, "header_start", (int64_t)p.header_start);
	json_num(j, "body_start", (int64_t)p.body_start);
	json_num(j, "body_end", (int64_t)p.body_end);
	json_num(j, "header_lines", p.header_lines);
	json_num(j, "body_lines", (int64_t)p.body_lines);
	put_bytes(j, "type", p.type);
	put_bytes(j, "subtype", p.subtype);
	put_bytes(j, "charset", p.charset);
	put_bytes(j, "coding", coding_name(p.coding));
	put_decoded(j, &p, message);
	json_close(j, '}');
	buf_done(&section);
}

static void put_words(struct json *j, struct span message, const struct summary *s)
{
	struct header_field f;
	struct buf text = { 0 };
	struct section_range r;

	if (section_find(s, NULL, 0, SECTION_HEADER, &r) == ERR_OK &&
	    header_find(span_sub(message, r.start, r.bytes), SPAN("Subject"), &f)) {
		words_decode(f.value, &text);
		json_str(j, "subject_utf8", buf_span(&text));
	}
	buf_done(&text);
}

static void print(struct span message, const struct summary *s)
{
	struct buf out = { 0 };
	struct json j;

	json_init(&j, &out);
	json_open(&j, NULL, '{');
	json_num(&j, "size", (int64_t)s->size);
	if (s->has_date) {
		json_num(&j, "sent", s->sent_utc);
		json_num(&j, "day", s->sent_day);
	}
	put_bytes(&j, "envelope", s->envelope);
	put_bytes(&j, "body", s->body);
	put_bytes(&j, "bodystructure", s->structure);
	put_words(&j, message, s);
	json_open(&j, "parts", '[');
	for (uint32_t i = 0; i < s->n_parts; i++)
		put_part(&j, s, i, message);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_putc(&out, '\n');
	fwrite(buf_span(&out).p, 1, out.n, stdout);
	buf_done(&out);
}

static bool read_all(FILE *in, struct buf *message)
{
	size_t n;

	do {
		n = fread(buf_room(message, 65536), 1, 65536, in);
		buf_added(message, n);
	} while (n > 0);
	return !ferror(in);
}

static int summarize(FILE *in)
{
	struct buf message = { 0 }, blob = { 0 };
	struct summary_scanner *scanner = summary_scanner_new();
	struct summary s;
	int rc = 1;

	if (read_all(in, &message)) {
		summary_scanner_feed(scanner, buf_span(&message));
		summary_scanner_finish(scanner, &blob);
		if (summary_open(buf_span(&blob), &s) == ERR_OK) {
			print(buf_span(&message), &s);
			rc = 0;
		}
	}
	summary_scanner_free(scanner);
	buf_done(&message);
	buf_done(&blob);
	return rc;
}

/* One line of JSON for each file named, or for standard input. */
int main(int argc, char **argv)
{
	int rc = 0;

	if (argc == 1)
		return summarize(stdin);
	for (int i = 1; i < argc; i++) {
		FILE *in = fopen(argv[i], "rb");

		if (!in) {
			perror(argv[i]);
			return 1;
		}
		rc |= summarize(in);
		fclose(in);
	}
	return rc;
}
