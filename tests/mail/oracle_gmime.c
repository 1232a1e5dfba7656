/*
 * What GMime makes of messages, as JSON: the oracle of differential.py. One line for
 * each file named. Bytes are given as Latin-1.
 */
#include <gmime/gmime.h>
#include <stdio.h>

#include "base/json.h"

static void put_bytes(struct json *j, const char *key, const char *p, size_t n)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c >= 0x80)
			buf_putc(&text, (char)(0xc0 | c >> 6));
		buf_putc(&text, c < 0x80 ? (char)c : (char)(0x80 | (c & 0x3f)));
	}
	json_str(j, key, buf_span(&text));
	buf_done(&text);
}

static void put_text(struct json *j, const char *key, const char *s)
{
	if (s)
		json_str(j, key, span_str(s));
	else
		json_null(j, key);
}

static void put_stream(struct json *j, const char *key, GMimeStream *mem)
{
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(mem));

	put_bytes(j, key, (const char *)bytes->data, bytes->len);
	g_object_unref(mem);
}

static void put_content(struct json *j, GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *raw, *mem;

	if (!content) {
		put_bytes(j, "raw", "", 0);
		put_bytes(j, "decoded", "", 0);
		return;
	}
	raw = g_mime_data_wrapper_get_stream(content);
	g_mime_stream_reset(raw);
	mem = g_mime_stream_mem_new();
	g_mime_stream_write_to_stream(raw, mem);
	put_stream(j, "raw", mem);
	g_mime_stream_reset(raw);
	mem = g_mime_stream_mem_new();
	g_mime_data_wrapper_write_to_stream(content, mem);
	put_stream(j, "decoded", mem);
}

static void put_addresses(struct json *j, const char *key, InternetAddressList *list)
{
	int n = list ? internet_address_list_length(list) : 0;

	json_open(j, key, '[');
	for (int i = 0; i < n; i++) {
		InternetAddress *a = internet_address_list_get_address(list, i);

		json_open(j, NULL, '{');
		put_text(j, "name", internet_address_get_name(a));
		if (INTERNET_ADDRESS_IS_MAILBOX(a))
			put_text(j, "addr",
				 internet_address_mailbox_get_addr(
				     INTERNET_ADDRESS_MAILBOX(a)));
		else
			put_addresses(j, "members",
				      internet_address_group_get_members(
					  INTERNET_ADDRESS_GROUP(a)));
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_message(struct json *j, GMimeMessage *m, int depth);

static void put_object(struct json *j, GMimeObject *o, int depth)
{
	GMimeContentType *type = g_mime_object_get_content_type(o);

	json_open(j, NULL, '{');
	json_num(j, "depth", depth);
	put_text(j, "type", g_mime_content_type_get_media_type(type));
	put_text(j, "subtype", g_mime_content_type_get_media_subtype(type));
	if (GMIME_IS_MULTIPART(o)) {
		json_str(j, "kind", SPAN("multipart"));
		json_close(j, '}');
		for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(o)); i++)
			put_object(j, g_mime_multipart_get_part(GMIME_MULTIPART(o), i),
				   depth + 1);
	} else if (GMIME_IS_MESSAGE_PART(o)) {
		GMimeMessage *m = g_mime_message_part_get_message(GMIME_MESSAGE_PART(o));

		json_str(j, "kind", SPAN("message"));
		json_close(j, '}');
		if (m && g_mime_message_get_mime_part(m))
			put_object(j, g_mime_message_get_mime_part(m), depth + 1);
	} else {
		json_str(j, "kind", SPAN("leaf"));
		if (GMIME_IS_PART(o))
			put_content(j, GMIME_PART(o));
		json_close(j, '}');
	}
}

static void put_message(struct json *j, GMimeMessage *m, int depth)
{
	GDateTime *date = g_mime_message_get_date(m);

	put_text(j, "subject", g_mime_message_get_subject(m));
	put_text(j, "message_id", g_mime_message_get_message_id(m));
	if (date)
		json_num(j, "date", g_date_time_to_unix(date));
	put_addresses(j, "from", g_mime_message_get_from(m));
	put_addresses(j, "sender", g_mime_message_get_sender(m));
	put_addresses(j, "reply_to", g_mime_message_get_reply_to(m));
	put_addresses(j, "to", g_mime_message_get_to(m));
	put_addresses(j, "cc", g_mime_message_get_cc(m));
	put_addresses(j, "bcc", g_mime_message_get_bcc(m));
	json_open(j, "parts", '[');
	if (g_mime_message_get_mime_part(m))
		put_object(j, g_mime_message_get_mime_part(m), depth);
	json_close(j, ']');
}

static void print_file(const char *path)
{
	GMimeStream *in = g_mime_stream_file_open(path, "rb", NULL);
	GMimeParser *parser;
	GMimeMessage *m;
	struct buf out = { 0 };
	struct json j;

	json_init(&j, &out);
	json_open(&j, NULL, '{');
	if (in) {
		parser = g_mime_parser_new_with_stream(in);
		m = g_mime_parser_construct_message(parser, NULL);
		if (m) {
			put_message(&j, m, 0);
			g_object_unref(m);
		}
		g_object_unref(parser);
		g_object_unref(in);
	}
	json_close(&j, '}');
	buf_putc(&out, '\n');
	fwrite(buf_span(&out).p, 1, out.n, stdout);
	buf_done(&out);
}

int main(int argc, char **argv)
{
	g_mime_init();
	for (int i = 1; i < argc; i++)
		print_file(argv[i]);
	g_mime_shutdown();
	return 0;
}
