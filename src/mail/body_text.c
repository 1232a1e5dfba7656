/* The text of a part: transfer encoding, then charset, then markup. */
#include "mail/body_text.h"

void body_text_begin(struct body_text *t, enum coding coding, struct span charset,
		     bool is_html)
{
	*t = (struct body_text){ .is_html = is_html };
	if (decoder_init(&t->decoder, coding, false) != ERR_OK)
		decoder_init(&t->decoder, CODING_BINARY, false);
	t->charset = charset_new(charset);
	if (!t->charset)
		t->charset = charset_new(SPAN("utf-8"));
	html_begin(&t->html);
}

static void see_through(struct body_text *t, struct buf *out)
{
	if (!t->is_html)
		return;
	html_feed(&t->html, buf_span(&t->markup), out);
	buf_clear(&t->markup);
}

void body_text_feed(struct body_text *t, struct span raw, struct buf *out)
{
	decoder_feed(&t->decoder, raw, &t->decoded);
	charset_feed(t->charset, buf_span(&t->decoded), t->is_html ? &t->markup : out);
	buf_clear(&t->decoded);
	see_through(t, out);
}

void body_text_finish(struct body_text *t, struct buf *out)
{
	decoder_finish(&t->decoder, &t->decoded);
	charset_feed(t->charset, buf_span(&t->decoded), t->is_html ? &t->markup : out);
	buf_clear(&t->decoded);
	charset_finish(t->charset, t->is_html ? &t->markup : out);
	see_through(t, out);
	if (t->is_html)
		html_finish(&t->html, out);
}

void body_text_done(struct body_text *t)
{
	decoder_done(&t->decoder);
	charset_free(t->charset);
	buf_done(&t->decoded);
	buf_done(&t->markup);
}
