/* Values of header fields: words, parameters, addresses, dates. */
#include "fuzz_mail.h"

#include "mail/address.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/mime.h"
#include "mail/words.h"

static void check_addresses(struct arena *a, struct span value)
{
	struct address_list list = { 0 };
	int depth = 0;

	address_parse(a, value, &list);
	for (size_t i = 0; i < list.n; i++) {
		const struct address *v = &list.v[i];

		MUST((v->kind == ADDRESS_MAILBOX) == (v->host.p != NULL));
		MUST((v->kind == ADDRESS_GROUP_END) == (v->mailbox.p == NULL));
		depth += v->kind == ADDRESS_GROUP;
		depth -= v->kind == ADDRESS_GROUP_END;
		MUST(depth == 0 || depth == 1);
	}
	MUST(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_of(data, size);
	struct arena *a = arena_new(NULL);
	struct buf out = { 0 };
	struct mime_value v;
	struct mail_date date;
	struct span *tags;

	words_decode(value, &out);
	/* what comes out of iconv is UTF-8 too */
	MUST(utf8_is_valid(buf_span(&out)));
	buf_clear(&out);
	if (mime_content_type(a, value, &v) || mime_disposition(a, value, &v)) {
		MUST(v.type.n > 0 && v.n_params <= MIME_MAX_PARAMS);
		for (size_t i = 0; i < v.n_params; i++) {
			MUST(v.params[i].name.n > 0);
			words_param(v.params, v.n_params, v.params[i].name, &out);
		}
		words_param(v.params, v.n_params, SPAN("name"), &out);
		MUST(utf8_is_valid(buf_span(&out)));
	}
	mime_languages(a, value, &tags);
	mime_token(a, value);
	check_addresses(a, value);
	if (date_parse(value, &date))
		MUST(date.utc - (int64_t)date.day * 86400 > -400000 &&
		     date.utc - (int64_t)date.day * 86400 < 500000);
	buf_done(&out);
	arena_free(a);
	return 0;
}
