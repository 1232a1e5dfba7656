/* A search program made ready for one mailbox, and asked of one message after another. */
#include "server/search_term.h"

#include "base/clock.h"
#include "mail/charset.h"
#include "server/object_id.h"
#include "store/limits.h"
#include "wire/flags.h"

static void term_drop(void *arg)
{
	struct term *t = arg;

	numset_done(&t->numbers);
	match_body_free(t->matcher);
}

static void sieve_drop(void *arg)
{
	struct search *s = arg;

	text_sieve_free(s->sieve);
}

/* The text of a key in UTF-8. */
static enum err to_utf8(struct arena *a, struct span charset, struct span text,
			struct span *ret)
{
	struct buf b = { 0 };

	if (charset.p && charset_to_utf8(charset, text, &b))
		*ret = arena_dup(a, buf_span(&b));
	else
		*ret = text;
	buf_done(&b);
	return utf8_is_valid(*ret) ? ERR_OK : ERR_INVAL;
}

static struct span field_name(const struct search_node *n)
{
	switch (n->key) {
	case SEARCH_BCC: return SPAN("Bcc");
	case SEARCH_CC: return SPAN("Cc");
	case SEARCH_FROM: return SPAN("From");
	case SEARCH_SUBJECT: return SPAN("Subject");
	case SEARCH_TO: return SPAN("To");
	case SEARCH_HEADER: return n->u.header.name;
	default: return SPAN_NONE;
	}
}

/* The ranges, not their messages: a program may hold thousands of "1:*". */
static enum err compile_set(const struct search *s, struct term *t, bool uid)
{
	const struct selected *sel = s->selected;
	const struct seqset *set = &t->node->u.set;
	uint32_t count = view_count(sel->view), last = count;

	t->set = set->saved ? &sel->saved : &t->numbers;
	if (uid && count)
		last = view_get(sel->view, count).uid;
	if (!uid && !s->passes_end &&
	    (seqset_max(set) > count || (seqset_has_star(set) && !count)))
		return ERR_INVAL;
	seqset_resolve(set, last, &t->numbers);
	return ERR_OK;
}

static enum err compile_text(struct search *s, struct term *t, struct span charset)
{
	const struct search_node *n = t->node;
	bool is_header = n->key == SEARCH_HEADER;
	struct span text;
	enum err rc;

	if (s->n_texts++ == SEARCH_TEXTS_MAX)
		return ERR_LIMIT;
	t->header_name = field_name(n);
	if (t->header_name.p)
		s->names[s->n_names++] = t->header_name;
	rc = to_utf8(s->arena, charset, is_header ? n->u.header.text : n->u.text, &text);
	if (rc == ERR_OK && (n->key == SEARCH_BODY || n->key == SEARCH_TEXT)) {
		if (!s->sieve)
			s->sieve = text_sieve_new();
		t->sieve_term = text_sieve_term(s->sieve, text);
	}
	s->has_text_key |= n->key == SEARCH_TEXT;
	if (rc == ERR_OK)
		t->needle = match_needle_new(s->arena, s->comparator, text);
	return rc;
}

static enum err compile_key(struct search *s, struct term *t, struct span charset)
{
	const struct search_node *n = t->node;

	switch (n->key) {
	case SEARCH_SEQUENCE: return compile_set(s, t, false);
	case SEARCH_UID: return compile_set(s, t, true);
	case SEARCH_KEYWORD:
	case SEARCH_UNKEYWORD:
		t->keyword = view_find_keyword(s->selected->told, n->u.text);
		return ERR_OK;
	case SEARCH_EMAILID:
		t->has_id = object_id_read(n->u.text, 'M', t->id);
		return ERR_OK;
	case SEARCH_THREADID:
		t->has_id = object_id_read(n->u.text, 'T', t->id);
		return ERR_OK;
	case SEARCH_BCC:
	case SEARCH_CC:
	case SEARCH_FROM:
	case SEARCH_SUBJECT:
	case SEARCH_TO:
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT: return compile_text(s, t, charset);
	default: return ERR_OK;
	}
}

/* Depth is bounded by the reader (wire/limits.h). */
static enum err compile(struct search *s, const struct search_node *n,
			struct span charset, struct term **ret)
{
	struct term *t = ARENA_NEW(s->arena, struct term), **end = &t->child;
	enum err rc;

	t->node = n;
	t->keyword = t->sieve_term = -1;
	arena_defer(s->arena, term_drop, t);
	*ret = t;
	rc = compile_key(s, t, charset);
	if (n->key == SEARCH_BODY || n->key == SEARCH_TEXT) {
		t->next_text = s->texts;
		s->texts = t;
	}
	for (const struct search_node *c = n->child; c && rc == ERR_OK; c = c->next) {
		rc = compile(s, c, charset, end);
		end = &(*end)->next;
	}
	return rc;
}

/* As far as the body index can answer it: TEXT may always be in the header. */
static void sieve_put(struct text_sieve *to, const struct term *t)
{
	unsigned n = 0;

	for (const struct term *c = t->child; c; c = c->next, n++)
		sieve_put(to, c);
	switch (t->node->key) {
	case SEARCH_AND: text_sieve_put(to, SIEVE_AND, n); break;
	case SEARCH_OR: text_sieve_put(to, SIEVE_OR, n); break;
	case SEARCH_NOT: text_sieve_put(to, SIEVE_NOT, 0); break;
	case SEARCH_BODY:
		if (t->sieve_term >= 0) {
			text_sieve_put(to, SIEVE_TERM, (unsigned)t->sieve_term);
			break;
		}
		/* fall through */
	default: text_sieve_put(to, SIEVE_MAYBE, 0);
	}
}

enum err search_compile(struct arena *a, struct selected *sel,
			const struct comparator *comparator,
			const struct search_program *p, struct search **ret)
{
	struct search *s = ARENA_NEW(a, struct search);
	enum err rc;

	s->arena = a;
	s->selected = sel;
	s->now = clock_wall_s();
	s->comparator = comparator;
	s->needs = p->needs;
	s->passes_end = p->passes_end;
	s->names = arena_array(a, SEARCH_TEXTS_MAX, sizeof *s->names);
	arena_defer(a, sieve_drop, s);
	rc = compile(s, p->root, p->charset, &s->root);
	if (rc == ERR_OK) {
		if (s->sieve)
			sieve_put(s->sieve, s->root);
		*ret = s;
	}
	return rc;
}

/* What `numbers` hold are message numbers; those that there are become UIDs. */
static void numbers_to_uids(const struct view *v, struct numset *numbers)
{
	struct numset uids = { 0 };

	for (size_t i = 0; i < numbers->n; i++)
		for (uint32_t seq = numbers->r[i].lo;
		     seq <= numbers->r[i].hi && seq <= view_count(v); seq++)
			numset_add(&uids, view_get(v, seq).uid);
	numset_copy(numbers, &uids);
	numset_done(&uids);
}

static void fix(struct search *s, struct term *t)
{
	enum search_key key = t->node->key;

	for (struct term *c = t->child; c; c = c->next)
		fix(s, c);
	if (key != SEARCH_SEQUENCE && key != SEARCH_UID)
		return;
	if (t->node->u.set.saved) {
		numset_copy(&t->numbers, &s->selected->saved);
		t->set = &t->numbers;
	} else if (key == SEARCH_SEQUENCE) {
		numbers_to_uids(s->selected->view, &t->numbers);
		t->is_fixed = true;
	}
}

void search_fix_numbers(struct search *s)
{
	fix(s, s->root);
}

static void refresh(struct search *s, struct term *t)
{
	enum search_key key = t->node->key;

	for (struct term *c = t->child; c; c = c->next)
		refresh(s, c);
	if (key == SEARCH_KEYWORD || key == SEARCH_UNKEYWORD)
		t->keyword = view_find_keyword(s->selected->told, t->node->u.text);
}

void search_refresh(struct search *s)
{
	s->now = clock_wall_s();
	refresh(s, s->root);
}

/* ---- asking ---- */

static enum answer yes(bool b)
{
	return b ? ANSWER_YES : ANSWER_NO;
}

static bool has_flag(const struct search *s, const struct subject *m, unsigned flag)
{
	if (flag == WIRE_RECENT)
		return numset_has(&s->selected->recent, m->msg.uid);
	return m->msg.flags & flag;
}

static bool has_keyword(const struct search *s, const struct subject *m, int k)
{
	const struct view *v = s->selected->told;
	const struct gone_message *gone;
	uint32_t seq;

	if (k < 0)
		return false;
	if (k < STORE_KEYWORDS_FLAGS)
		return m->msg.flags >> (8 + k) & 1;
	seq = view_seq(v, m->msg.uid);
	if (seq)
		return view_has_keyword(v, seq, (size_t)k);
	gone = gone_find(&s->selected->gone, m->msg.uid);
	return gone && gone_has_keyword(gone, (size_t)k);
}

/* The day of the internal date, in the zone it was given in (RFC 9051 section 6.4.4). */
static int64_t internal_day(const struct subject *m)
{
	int64_t local = m->msg.info->internal_date + m->msg.info->zone_min * 60;

	return (local - (local % 86400 + 86400) % 86400) / 86400;
}

/* RFC 8514 section 4.3: without regard to time and zone, so by UTC. */
static int64_t save_day(const struct subject *m)
{
	return m->msg.info->save_date / 86400;
}

static enum answer ask_text(const struct term *t, const struct subject *m)
{
	if (m->has_text || (m->has_begun && t->is_found))
		return yes(t->is_found);
	if (!m->has_sieved || t->sieve_term < 0 || m->may >> t->sieve_term & 1)
		return ANSWER_MAYBE;
	/* not in the text: is the header known? */
	return t->node->key == SEARCH_BODY || m->has_header ? ANSWER_NO : ANSWER_MAYBE;
}

/* RFC 5032: by the internal date; a date to come is younger than anything. */
static int64_t age_s(const struct search *s, const struct subject *m)
{
	return s->now - m->msg.info->internal_date;
}

static enum answer ask_field(const struct term *t, const struct subject *m)
{
	if (m->has_header)
		return yes(match_header_field(t->needle, m->header, t->header_name));
	if (!m->has_summary)
		return ANSWER_MAYBE;
	if (!m->has_fields && !summary_header_covers(&m->summary, t->header_name))
		return ANSWER_MAYBE;
	return yes(match_header_field(t->needle, m->summary.header, t->header_name));
}

static enum answer ask_sent(const struct term *t, const struct subject *m)
{
	int32_t day = m->summary.sent_day, want = t->node->u.days;

	if (!m->has_summary)
		return ANSWER_MAYBE;
	if (!m->summary.has_date)
		return ANSWER_NO;
	switch (t->node->key) {
	case SEARCH_SENTBEFORE: return yes(day < want);
	case SEARCH_SENTON: return yes(day == want);
	default: return yes(day >= want);
	}
}

static enum answer ask_set(const struct term *t, const struct subject *m)
{
	/* "$" holds UIDs, whichever key it stands in */
	bool uid = t->node->key == SEARCH_UID || t->node->u.set.saved || t->is_fixed;

	return yes(numset_has(t->set, uid ? m->msg.uid : m->seq));
}

static enum answer ask(const struct search *s, const struct term *t,
		       const struct subject *m);

static enum answer ask_all(const struct search *s, const struct term *t,
			   const struct subject *m)
{
	enum answer all = ANSWER_YES, one;

	for (const struct term *c = t->child; c; c = c->next) {
		one = ask(s, c, m);
		if (one == ANSWER_NO)
			return ANSWER_NO;
		if (one == ANSWER_MAYBE)
			all = ANSWER_MAYBE;
	}
	return all;
}

static enum answer ask_or(const struct search *s, const struct term *t,
			  const struct subject *m)
{
	enum answer any = ANSWER_NO, one;

	for (const struct term *c = t->child; c; c = c->next) {
		one = ask(s, c, m);
		if (one == ANSWER_YES)
			return ANSWER_YES;
		if (one == ANSWER_MAYBE)
			any = ANSWER_MAYBE;
	}
	return any;
}

static enum answer ask_not(const struct search *s, const struct term *t,
			   const struct subject *m)
{
	enum answer a = ask(s, t->child, m);

	return a == ANSWER_MAYBE ? a : yes(a == ANSWER_NO);
}

static enum answer ask(const struct search *s, const struct term *t,
		       const struct subject *m)
{
	const struct search_node *n = t->node;

	switch (n->key) {
	case SEARCH_AND: return ask_all(s, t, m);
	case SEARCH_OR: return ask_or(s, t, m);
	case SEARCH_NOT: return ask_not(s, t, m);
	case SEARCH_ALL: return ANSWER_YES;
	case SEARCH_FLAG: return yes(has_flag(s, m, n->u.flag));
	case SEARCH_UNFLAG: return yes(!has_flag(s, m, n->u.flag));
	case SEARCH_NEW:
		return yes(has_flag(s, m, WIRE_RECENT) && !has_flag(s, m, WIRE_SEEN));
	case SEARCH_KEYWORD: return yes(has_keyword(s, m, t->keyword));
	case SEARCH_UNKEYWORD: return yes(!has_keyword(s, m, t->keyword));
	case SEARCH_SEQUENCE:
	case SEARCH_UID: return ask_set(t, m);
	case SEARCH_LARGER: return yes(m->msg.info->bytes > n->u.number);
	case SEARCH_SMALLER: return yes(m->msg.info->bytes < n->u.number);
	case SEARCH_BEFORE: return yes(internal_day(m) < n->u.days);
	case SEARCH_ON: return yes(internal_day(m) == n->u.days);
	case SEARCH_SINCE: return yes(internal_day(m) >= n->u.days);
	/* Of one flag alone it is not known when it changed: any change counts. */
	case SEARCH_MODSEQ: return yes(m->msg.modseq >= n->u.modseq.modseq);
	case SEARCH_UIDAFTER: return yes(m->msg.uid > n->u.number);
	case SEARCH_UIDBEFORE: return yes(m->msg.uid < n->u.number);
	case SEARCH_OLDER: return yes(age_s(s, m) >= (int64_t)n->u.number);
	case SEARCH_YOUNGER: return yes(age_s(s, m) <= (int64_t)n->u.number);
	case SEARCH_SAVEDBEFORE: return yes(save_day(m) < n->u.days);
	case SEARCH_SAVEDON: return yes(save_day(m) == n->u.days);
	case SEARCH_SAVEDSINCE: return yes(save_day(m) >= n->u.days);
	case SEARCH_SAVEDATESUPPORTED: return ANSWER_YES;
	case SEARCH_EMAILID:
		return yes(t->has_id && !memcmp(t->id, m->msg.info->email_id, 16));
	case SEARCH_THREADID:
		return yes(t->has_id && !memcmp(t->id, m->msg.info->thread_id, 16));
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE: return ask_sent(t, m);
	case SEARCH_BODY:
	case SEARCH_TEXT: return ask_text(t, m);
	default: return ask_field(t, m);
	}
}

enum answer search_ask(const struct search *s, const struct subject *m)
{
	return ask(s, s->root, m);
}

/* ---- flags alone ---- */

struct flag_test {
	uint64_t on, off;
};

static bool add_flag(struct flag_test *f, const struct term *t)
{
	const struct search_node *n = t->node;

	switch (n->key) {
	case SEARCH_ALL: return true;
	case SEARCH_FLAG: f->on |= n->u.flag; return n->u.flag != WIRE_RECENT;
	case SEARCH_UNFLAG: f->off |= n->u.flag; return n->u.flag != WIRE_RECENT;
	case SEARCH_KEYWORD:
	case SEARCH_UNKEYWORD:
		if (t->keyword < 0 || t->keyword >= 56)
			return false;
		*(n->key == SEARCH_KEYWORD ? &f->on : &f->off) |= UINT64_C(1)
								  << (8 + t->keyword);
		return true;
	default: return false;
	}
}

bool search_is_flags(const struct search *s, uint64_t *ret_mask, uint64_t *ret_value)
{
	struct flag_test f = { 0 };

	if (s->root->node->key != SEARCH_AND)
		return false;
	for (const struct term *t = s->root->child; t; t = t->next)
		if (!add_flag(&f, t))
			return false;
	*ret_mask = f.on | f.off;
	*ret_value = f.on;
	return !(f.on & f.off);
}
