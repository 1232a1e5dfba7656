/* The text of a part: transfer encoding, then charset. */
#include "mail/body_text.h"

void body_text_begin(struct body_text *t, enum coding coding, struct span charset)
{
	*t = (struct body_text){ 0 };
	if (decoder_init(&t->decoder, coding, false) != ERR_OK)
		decoder_init(&t->decoder, CODING_BINARY, false);
	t->charset = charset_new(charset);
	if (!t->charset)
		t->charset = charset_new(SPAN("utf-8"));
}

void body_text_feed(struct body_text *t, struct span raw, struct buf *out)
{
	decoder_feed(&t->decoder, raw, &t->decoded);
	charset_feed(t->charset, buf_span(&t->decoded), out);
	buf_clear(&t->decoded);
}

void body_text_finish(struct body_text *t, struct buf *out)
{
	decoder_finish(&t->decoder, &t->decoded);
	charset_feed(t->charset, buf_span(&t->decoded), out);
	buf_clear(&t->decoded);
	charset_finish(t->charset, out);
}

void body_text_done(struct body_text *t)
{
	decoder_done(&t->decoder);
	charset_free(t->charset);
	buf_done(&t->decoded);
}
