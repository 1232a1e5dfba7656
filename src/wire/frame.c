/* Framing of commands and responses (RFC 9051 sections 2.2 and 4.3, RFC 7888). */
#include "wire/frame.h"
#include "wire/cursor.h"
#include "wire/text.h"

#define NUMBER_MAX ((uint64_t)INT64_MAX)

/* Where we are in a possible literal header. */
enum {
	IN_TEXT,
	IN_BRACE,  /* behind '{' */
	IN_NUMBER, /* behind a digit of it */
	IN_PLUS,   /* behind the '+' */
	CLOSED,	   /* behind the '}': a header if the line ends here */
	AT_END,	   /* the line has ended without a header */
	AT_HEADER, /* the line has ended with one */
};

void frame_init(struct frame *f, enum frame_role role)
{
	memset(f, 0, sizeof *f);
	f->role = (uint8_t)role;
	f->is_first_line = true;
}

void frame_reset(struct frame *f)
{
	frame_init(f, (enum frame_role)f->role);
}

static void line_begin(struct frame *f)
{
	f->line_start = f->scanned;
	f->state = IN_TEXT;
	f->has_cr = false;
}

static void header_begin(struct frame *f, bool has_tilde, size_t at)
{
	f->state = IN_BRACE;
	f->number = 0;
	f->has_plus = f->is_too_large = false;
	f->has_tilde = has_tilde;
	f->header_off = has_tilde ? at - 1 : at;
}

static void number_step(struct frame *f, unsigned digit)
{
	f->state = IN_NUMBER;
	if (f->number > (NUMBER_MAX - digit) / 10)
		f->is_too_large = true;
	else
		f->number = f->number * 10 + digit;
}

/* One byte that is not LF; `prev` is the one before it, 0 at the start. */
static void text_step(struct frame *f, char c, char prev, size_t at)
{
	if (f->has_cr || c == '\0')
		f->is_bad = true;
	if (c == '\r') {
		f->has_cr = true;
		return;
	}
	if (f->has_cr)
		f->state = IN_TEXT;
	f->has_cr = false;
	if (f->state == IN_PLUS)
		f->has_plus = true;
	if (c == '{')
		header_begin(f, prev == '~', at);
	else if (c >= '0' && c <= '9' && (f->state == IN_BRACE || f->state == IN_NUMBER))
		number_step(f, (unsigned)(c - '0'));
	else if (c == '+' && f->state == IN_NUMBER && f->role == FRAME_COMMANDS)
		f->state = IN_PLUS;
	else if (c == '}' && (f->state == IN_NUMBER || f->state == IN_PLUS))
		f->state = CLOSED;
	else
		f->state = IN_TEXT;
}

/* "+ ...", "* OK ...", "tag NO ...": their text may end in "{5}" and mean nothing by it.
 */
static bool starts_as_status(struct span in)
{
	ptrdiff_t sp = span_find(in, ' ');
	struct span word;
	size_t n = 0;

	if (in.n > 0 && in.p[0] == '+')
		return true;
	if (sp <= 0)
		return false;
	word = span_sub(in, (size_t)sp + 1, 8);
	while (n < word.n && wire_is_atom_char((unsigned char)word.p[n]))
		n++;
	return cond_of(span_sub(word, 0, n)) != COND_NONE;
}

static bool is_status(const struct frame *f, struct span in)
{
	return f->role == FRAME_RESPONSES && f->is_first_line &&
	       starts_as_status(span_sub(in, 0, f->scanned));
}

/* The LF at f->scanned - 1 ends a line. */
static enum frame_rc line_end(struct frame *f, struct span in, struct frame_literal *ret)
{
	bool is_header = f->state == CLOSED && !is_status(f, in);
	bool is_sync = f->role == FRAME_COMMANDS && !f->has_plus;

	f->state = is_header ? AT_HEADER : AT_END;
	if (is_header && f->is_too_large && !is_sync)
		return FRAME_LOST;
	if (!f->has_cr || f->is_bad || (is_header && f->is_too_large))
		return FRAME_BAD_LINE;
	f->is_first_line = false;
	if (!is_header)
		return FRAME_DONE;
	*ret = (struct frame_literal){ .bytes = f->number,
				       .sync = !f->has_plus,
				       .literal8 = f->has_tilde,
				       .header_off = f->header_off };
	return FRAME_LITERAL;
}

enum frame_rc frame_next(struct frame *f, const struct frame_limits *limits,
			 struct span in, struct frame_literal *ret_literal)
{
	if (f->state == AT_HEADER || f->state == AT_END)
		line_begin(f);
	while (f->scanned < in.n) {
		size_t at = f->scanned++;

		if (in.p[at] == '\n') {
			if (f->scanned - f->line_start > limits->line_bytes ||
			    f->scanned > limits->total_bytes) {
				struct frame_literal unused;

				if (line_end(f, in, &unused) == FRAME_LOST)
					return FRAME_LOST;
				return FRAME_LONG;
			}
			return line_end(f, in, ret_literal);
		}
		text_step(f, in.p[at], at > f->line_start ? in.p[at - 1] : '\0', at);
		if (f->scanned - f->line_start >= limits->line_bytes ||
		    f->scanned >= limits->total_bytes) {
			f->is_status = is_status(f, in);
			return FRAME_LONG;
		}
	}
	return FRAME_MORE;
}

bool frame_accept(struct frame *f, const struct frame_limits *limits,
		  const struct frame_literal *literal)
{
	if (f->scanned > limits->total_bytes ||
	    literal->bytes > limits->total_bytes - f->scanned)
		return false;
	f->scanned += (size_t)literal->bytes;
	line_begin(f);
	return true;
}

void frame_skip_begin(struct frame *f, const struct frame_literal *literal)
{
	bool is_header = literal || f->state == AT_HEADER;
	bool comes = f->role == FRAME_RESPONSES ||
		     (literal ? !literal->sync : f->has_plus);

	f->scanned = 0;
	f->is_skipping = true;
	if (is_header && comes) {
		f->skip_bytes = literal ? literal->bytes : f->number;
		line_begin(f);
	} else if (is_header || f->state == AT_END) {
		frame_reset(f);
	}
}

bool frame_is_skipping(const struct frame *f)
{
	return f->is_skipping;
}

/* At the end of a skipped line: true when a literal follows, of f->skip_bytes. */
static bool skip_literal(struct frame *f)
{
	bool comes = f->role == FRAME_RESPONSES || f->has_plus;

	if (f->state != CLOSED || f->is_status || !comes)
		return false;
	f->skip_bytes = f->number;
	return true;
}

enum frame_rc frame_skip(struct frame *f, struct span in, size_t *ret_bytes)
{
	size_t i = 0;

	*ret_bytes = 0;
	if (!f->is_skipping)
		return FRAME_DONE;
	while (i < in.n) {
		if (f->skip_bytes > 0) {
			size_t n = in.n - i;

			if (n > f->skip_bytes)
				n = (size_t)f->skip_bytes;
			f->skip_bytes -= n;
			i += n;
			continue;
		}
		if (in.p[i++] != '\n') {
			text_step(f, in.p[i - 1], '\0', 0);
			continue;
		}
		*ret_bytes = i;
		if (!skip_literal(f)) {
			frame_reset(f);
			return FRAME_DONE;
		}
		if (f->is_too_large)
			return FRAME_LOST;
		line_begin(f);
	}
	*ret_bytes = in.n;
	return FRAME_MORE;
}

struct span frame_tag(struct span in)
{
	size_t n = 0;

	while (n < in.n && in.p[n] != '+' && wire_is_astring_char((unsigned char)in.p[n]))
		n++;
	if (n == 0 || (n < in.n && in.p[n] != ' ' && in.p[n] != '\r' && in.p[n] != '\n'))
		return SPAN_NONE;
	return span_sub(in, 0, n);
}
