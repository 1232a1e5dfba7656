/* store_check: every invariant of doc/store.md, read-only. Accounts and names here. */
#include "store/check.h"
#include "store/stage.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/digest.h"

void check_say(struct check *c, const char *fmt, ...)
{
	char text[400];
	int n = snprintf(text, sizeof text, "account %s: ", c->name);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
	va_end(ap);
	c->is_damaged = true;
	if (c->finding)
		c->finding(c->arg, text);
}

enum err check_scan(struct check *c, enum key_kind kind, uint32_t mailbox,
		    bool (*row)(void *arg, struct span key, struct span value), void *arg)
{
	struct key lo = { .n = 1, .b = { (uint8_t)kind } }, hi = key_kind_end(kind);
	if (mailbox) {
		lo = key_of_mailbox(kind, mailbox);
		hi = key_after(&lo);
	}
	return txn_scan(c->t, key_span(&lo), key_span(&hi), row, arg);
}

void check_hold(struct check *c, struct body_id body, uint64_t bytes)
{
	if (c->n_holds == c->cap_holds) {
		c->cap_holds = c->cap_holds ? c->cap_holds * 2 : 64;
		c->holds = xrealloc(c->holds, c->cap_holds * sizeof *c->holds);
	}
	c->holds[c->n_holds++] = (struct hold){ body, bytes };
}

/* ---- names ---- */

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Node and mailbox numbers come from one counter: none twice, none not given yet. */
static void check_numbers(struct check *c)
{
	const struct tree *t = c->names;
	size_t n = 0;
	uint32_t *number = xcalloc(t->names.n * 2, sizeof *number);
	for (size_t i = 0; i < t->names.n; i++) {
		number[n++] = t->at[i]->node;
		if (t->at[i]->mailbox)
			number[n++] = t->at[i]->mailbox;
	}
	if (n > 0)
		qsort(number, n, sizeof *number, by_number);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && number[i] == number[i - 1])
			check_say(c, "number %u is used twice in the tree of names",
				  number[i]);
		if (number[i] >= c->h.next_number)
			check_say(c, "number %u was not given out yet", number[i]);
	}
	free(number);
}

static void check_names(struct check *c)
{
	const struct tree *t = c->names;
	unsigned special = 0;
	const struct name *inbox = names_find(&t->names, SPAN("INBOX"));
	if (!inbox || !(inbox->flags & NAME_EXISTS))
		check_say(c, "it has no INBOX");
	for (size_t i = 0; i < t->names.n; i++) {
		const struct name *n = t->at[i];
		struct buf canonical = { 0 };
		if (name_canonical(n->path, false, &canonical) != ERR_OK ||
		    !span_eq(buf_span(&canonical), n->path))
			check_say(c, "the name of node %u is not canonical", t->at[i]->node);
		buf_done(&canonical);
		if (special & n->special_use)
			check_say(c, "a special use is given to two mailboxes");
		special |= n->special_use;
		if (n->flags & NAME_EXISTS)
			continue;
		bool is_needed = n->flags & NAME_SUBSCRIBED;
		for (size_t k = i + 1; !is_needed && k < t->names.n; k++) {
			if (!path_is_below(t->at[k]->path, n->path))
				break;
			is_needed = t->at[k]->flags & NAME_SUBSCRIBED;
		}
		if (!is_needed || n->flags & NAME_CHILDREN || n->special_use)
			check_say(c, "node %u is no mailbox and not a mere subscription",
				  t->at[i]->node);
	}
	check_numbers(c);
}

/* ---- rows that belong to nothing ---- */

struct strays {
	struct check *c;
	uint32_t *number; /* mailboxes with a name, and doomed ones; sorted */
	size_t n, n_doomed, cap;
	uint32_t last;
};

static void add_number(struct strays *s, uint32_t number)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->number = xrealloc(s->number, s->cap * sizeof *s->number);
	}
	s->number[s->n++] = number;
}

static uint32_t number_of(struct span key)
{
	struct reader r = reader_of(span_sub(key, 1, key.n));
	return (uint32_t)read_uint(&r, 4);
}

static bool doomed_row(void *arg, struct span key, struct span value)
{
	struct strays *s = arg;
	s->n_doomed++;
	add_number(s, number_of(key));
	return true;
}

static bool stray_row(void *arg, struct span key, struct span value)
{
	struct strays *s = arg;
	uint32_t number = number_of(key);
	if (number != s->last &&
	    !(s->n && bsearch(&number, s->number, s->n, sizeof number, by_number)))
		check_say(s->c, "rows of kind '%c' of mailbox %u, which has no name",
			  key.p[0], number);
	s->last = number;
	return true;
}

static enum err check_strays(struct check *c)
{
	static const enum key_kind kinds[] = { KEY_MAILBOX, KEY_CHUNK, KEY_INFO,
					       KEY_KEYWORDS, KEY_VANISHED,
					       KEY_ATTR_NOW, KEY_ATTR, KEY_DIGEST };
	struct strays s = { .c = c };
	enum err rc = check_scan(c, KEY_DOOMED, 0, doomed_row, &s);
	if (s.n_doomed != c->h.doomed)
		check_say(c,
			  "%zu deleted mailboxes wait for the sweep, its header says %u",
			  s.n_doomed, c->h.doomed);
	for (size_t i = 0; i < s.n && rc == ERR_OK; i++)
		rc = check_doomed(c, s.number[i], 0);
	if (rc == ERR_OK && c->staged.mailbox)
		rc = check_doomed(c, c->staged.mailbox, c->staged.chunk);
	for (size_t i = 0; i < c->names->names.n; i++)
		if (c->names->at[i]->mailbox)
			add_number(&s, c->names->at[i]->mailbox);
	if (s.n > 0)
		qsort(s.number, s.n, sizeof *s.number, by_number);
	for (unsigned i = 0; i < 8 && rc == ERR_OK; i++) {
		s.last = 0;
		rc = check_scan(c, kinds[i], 0, stray_row, &s);
	}
	free(s.number);
	return rc;
}

static bool attr_row(void *arg, struct span key, struct span value)
{
	struct check *c = arg;
	struct attr_key k;
	uint64_t modseq;
	struct span text;
	if (!attr_row_key_read(key, &k) || !attr_row_read(value, &modseq, &text))
		check_say(c, "an attribute of mailbox %u is damaged", number_of(key));
	else if (modseq > c->h.modseq)
		check_say(c, "an attribute of mailbox %u is newer than the account",
			  k.mailbox);
	return true;
}

static bool has_row(struct txn *t, struct key k)
{
	struct span row;
	return txn_get(t, key_span(&k), &row) == ERR_OK;
}

/* It can be read, and there are messages that it speaks of. */
bool check_digest(struct txn *t, struct span key, struct span value)
{
	uint32_t mailbox, chunk;
	unsigned column;
	struct digest d;
	return key_read_digest(key, &mailbox, &column, &chunk) &&
	       column < DIGEST_COLUMNS && digest_read(value, &d) == ERR_OK &&
	       (has_row(t, key_in_mailbox(KEY_CHUNK, mailbox, chunk)) ||
		has_row(t, key_of_mailbox(KEY_DOOMED, mailbox)));
}

static bool digest_row(void *arg, struct span key, struct span value)
{
	struct check *c = arg;
	if (!check_digest(c->t, key, value))
		check_say(c, "a digest of mailbox %u is damaged or of no messages",
			  number_of(key));
	return true;
}

/* ---- accounts ---- */

static enum err check_rows(struct check *c)
{
	struct key k = key_account();
	struct span row;
	enum err rc = txn_get(c->t, key_span(&k), &row);
	if (rc == ERR_NOENT)
		return ERR_OK; /* named, and never opened */
	if (rc == ERR_OK)
		rc = account_header_read(row, &c->h);
	if (rc == ERR_OK)
		rc = staged_get(c->t, &c->staged);
	if (rc == ERR_OK)
		rc = tree_load(c->t, &c->names);
	if (rc == ERR_CORRUPT) {
		check_say(c, "its header or its tree of names is damaged");
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	check_names(c);
	for (size_t i = 0; i < c->names->names.n && rc == ERR_OK; i++)
		if (c->names->at[i]->flags & NAME_EXISTS)
			rc = check_mailbox(c, c->names->at[i]);
	if (c->n_messages != c->h.messages || c->n_bytes != c->h.bytes)
		check_say(
		    c, "%llu messages of %llu bytes, its header says %llu of %llu",
		    (unsigned long long)c->n_messages, (unsigned long long)c->n_bytes,
		    (unsigned long long)c->h.messages, (unsigned long long)c->h.bytes);
	if (rc == ERR_OK)
		rc = check_strays(c);
	if (rc == ERR_OK)
		rc = check_scan(c, KEY_ATTR_NOW, 0, attr_row, c);
	if (rc == ERR_OK)
		rc = check_scan(c, KEY_ATTR, 0, attr_row, c);
	if (rc == ERR_OK)
		rc = check_scan(c, KEY_DIGEST, 0, digest_row, c);
	if (rc == ERR_OK)
		rc = check_parts(c, NULL, NULL);
	if (rc == ERR_OK)
		rc = check_bodies(c);
	return rc;
}

static enum err check_account(void *arg, struct txn *t)
{
	struct check *c = arg;
	c->t = t;
	c->n_messages = c->n_bytes = 0;
	c->n_holds = 0;
	c->staged = (struct staged){ 0 };
	enum err rc = check_rows(c);
	c->messages += c->n_messages;
	tree_unref(c->names);
	c->names = NULL;
	return rc;
}

struct listed {
	char name[512];
	size_t n;
	struct account_id id;
};

struct listing {
	struct listed *at;
	size_t n;
};

#define LISTING 256

static bool list_name(void *arg, struct span name, struct account_id id)
{
	struct listing *l = arg;
	struct listed *to = &l->at[l->n];
	if (name.n > sizeof to->name)
		return true;
	memcpy(to->name, name.p, name.n);
	to->n = name.n;
	to->id = id;
	return ++l->n < LISTING;
}

static enum err check_listed(struct check *c, const struct listed *l)
{
	snprintf(c->name, sizeof c->name, "%.*s", (int)(l->n < 64 ? l->n : 64), l->name);
	c->a = account_get(c->store, l->id);
	enum err rc = engine_read_now(c->store->engine, l->id, check_account, c);
	account_unref(c->a);
	return rc;
}

enum err store_check(struct store *s, void (*finding)(void *arg, const char *sentence),
		     void *arg, uint64_t *ret_accounts, uint64_t *ret_messages)
{
	struct check c = { .store = s, .finding = finding, .arg = arg };
	struct listing l = { .at = xcalloc(LISTING, sizeof *l.at) };
	struct listed last = { .n = 0 };
	uint64_t accounts = 0;
	enum err rc;
	do {
		l.n = 0;
		rc = engine_list(s->engine, span_of(last.name, last.n), LISTING,
				 list_name, &l);
		for (size_t i = 0; i < l.n && rc == ERR_OK; i++, accounts++)
			rc = check_listed(&c, &l.at[i]);
		if (l.n > 0)
			last = l.at[l.n - 1];
	} while (rc == ERR_OK && l.n == LISTING);
	if (rc == ERR_OK)
		rc = check_common(&c);
	free(l.at);
	free(c.holds);
	*ret_accounts = accounts;
	*ret_messages = c.messages;
	if (rc != ERR_OK)
		return rc;
	return c.is_damaged ? ERR_CORRUPT : ERR_OK;
}
