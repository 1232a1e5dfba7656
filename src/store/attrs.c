/* Attributes as rows, as a snapshot in memory, and the log of their changes (attrs.h). */
#include "store/attrs_inside.h"

#include <stdlib.h>

#include "store/account.h"

enum { VERSION = 1 };

/* ---- rows ---- */

struct span attr_row_key(struct arena *a, const struct attr_key *k)
{
	uint8_t *to = arena_alloc(a, 7 + k->user.n + k->name.n);
	struct pen w = { to };
	pen_uint(&w, k->kind < ATTR_ON_DISK ? KEY_ATTR_NOW : KEY_ATTR, 1);
	pen_uint(&w, k->mailbox, 4);
	pen_uint(&w, (uint64_t)k->kind, 1);
	pen_uint(&w, k->user.n, 1);
	pen_bytes(&w, k->user.p, k->user.n);
	pen_bytes(&w, k->name.p, k->name.n);
	return span_of(to, (size_t)(w.p - to));
}

bool attr_row_key_read(struct span key, struct attr_key *ret)
{
	struct reader r = reader_of(key);
	uint64_t row = read_uint(&r, 1);
	*ret = (struct attr_key){ .mailbox = (uint32_t)read_uint(&r, 4) };
	ret->kind = (enum attr_kind)read_uint(&r, 1);
	ret->user = read_span(&r, (size_t)read_uint(&r, 1));
	ret->name = read_span(&r, (size_t)(r.end - r.p));
	return reader_ok(&r) && ret->name.n > 0 && ret->kind > 0 &&
	       ret->name.n <= STORE_ATTR_NAME_BYTES &&
	       row == (ret->kind < ATTR_ON_DISK ? KEY_ATTR_NOW : KEY_ATTR);
}

struct span attr_row_write(struct arena *a, uint64_t modseq, struct span value)
{
	uint8_t *to = arena_alloc(a, 9 + value.n);
	struct pen w = { to };
	pen_uint(&w, VERSION, 1);
	pen_uint(&w, modseq, 8);
	pen_bytes(&w, value.p, value.n);
	return span_of(to, 9 + value.n);
}

bool attr_row_read(struct span row, uint64_t *ret_modseq, struct span *ret_value)
{
	struct reader r = reader_of(row);
	uint64_t version = read_uint(&r, 1);
	*ret_modseq = read_uint(&r, 8);
	*ret_value = r.bad ? SPAN_NONE : read_span(&r, (size_t)(r.end - r.p));
	return !r.bad && version == VERSION && ret_value->n <= STORE_ATTR_BYTES;
}

/* ---- snapshots ---- */

struct attr_set *attr_set_ref(struct attr_set *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void attr_set_unref(struct attr_set *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		free(s);
}

void attrs_unref(const struct attrs *at)
{
	if (at)
		attr_set_unref(TASK_OWNER(at, struct attr_set, attrs));
}

static size_t bytes_of(const struct attr *a)
{
	return a->key.user.n + a->key.name.n + a->value.n;
}

static int key_cmp(const struct attr_key *a, const struct attr_key *b)
{
	if (a->mailbox != b->mailbox)
		return a->mailbox < b->mailbox ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->user.n != b->user.n)
		return a->user.n < b->user.n ? -1 : 1;
	int cmp = span_cmp(a->user, b->user);
	return cmp ? cmp : span_cmp(a->name, b->name);
}

/* Room for n attributes with `bytes` of text; `*text` is where it goes. */
static struct attr_set *set_new(size_t n, size_t bytes, char **text)
{
	struct attr_set *s = xcalloc(1, sizeof *s + n * sizeof(struct attr) + bytes);
	atomic_init(&s->refs, 1);
	s->attrs.at = s->at;
	s->bytes = bytes;
	*text = (char *)(s->at + n);
	return s;
}

static struct span put_text(struct span from, char **text)
{
	struct span to = span_of(*text, from.n);
	if (from.n > 0)
		memcpy(*text, from.p, from.n);
	*text += from.n;
	return to;
}

static void set_put(struct attr_set *s, const struct attr *a, char **text)
{
	struct attr *to = &s->at[s->attrs.n++];
	*to = (struct attr){ .key = a->key, .modseq = a->modseq };
	to->key.user = put_text(a->key.user, text);
	to->key.name = put_text(a->key.name, text);
	to->value = put_text(a->value, text);
}

struct attr_set *attr_set_empty(void)
{
	char *text;
	return set_new(0, 0, &text);
}

/* The first place whose key is not below `k`. */
static size_t place_of(const struct attrs *s, const struct attr_key *k)
{
	size_t lo = 0, hi = s->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (key_cmp(&s->at[mid].key, k) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct attr_set *attr_set_with(const struct attr_set *s, const struct attr *a)
{
	size_t at = place_of(&s->attrs, &a->key);
	bool is_there = at < s->attrs.n && key_cmp(&s->at[at].key, &a->key) == 0;
	size_t bytes = s->bytes - (is_there ? bytes_of(&s->at[at]) : 0) +
		       (a->value.p ? bytes_of(a) : 0);
	char *text;
	struct attr_set *to = set_new(s->attrs.n + 1, bytes, &text);
	for (size_t i = 0; i < at; i++)
		set_put(to, &s->at[i], &text);
	if (a->value.p)
		set_put(to, a, &text);
	for (size_t i = at + is_there; i < s->attrs.n; i++)
		set_put(to, &s->at[i], &text);
	return to;
}

struct attr_set *attr_set_without(struct attr_set *s, uint32_t mailbox)
{
	size_t n = 0, bytes = 0;
	for (size_t i = 0; i < s->attrs.n; i++) {
		bool is_kept = s->at[i].key.mailbox != mailbox;
		n += is_kept;
		bytes += is_kept ? bytes_of(&s->at[i]) : 0;
	}
	if (n == s->attrs.n)
		return attr_set_ref(s);
	char *text;
	struct attr_set *to = set_new(n, bytes, &text);
	for (size_t i = 0; i < s->attrs.n; i++)
		if (s->at[i].key.mailbox != mailbox)
			set_put(to, &s->at[i], &text);
	return to;
}

struct load {
	struct attr *at;
	size_t n, cap, bytes;
	struct arena *arena;
	enum err rc;
};

static bool load_row(void *arg, struct span key, struct span value)
{
	struct load *l = arg;
	struct attr a;
	if (!attr_row_key_read(key, &a.key) ||
	    !attr_row_read(value, &a.modseq, &a.value) || l->n >= STORE_ATTRS_NOW ||
	    l->bytes > STORE_ATTRS_NOW_BYTES) {
		l->rc = ERR_CORRUPT;
		return false;
	}
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->at = xrealloc(l->at, l->cap * sizeof *l->at);
	}
	a.key.user = arena_dup(l->arena, a.key.user);
	a.key.name = arena_dup(l->arena, a.key.name);
	a.value = arena_dup(l->arena, a.value);
	l->bytes += bytes_of(&a);
	l->at[l->n++] = a;
	return true;
}

enum err attr_set_load(struct txn *t, struct attr_set **ret)
{
	struct load l = { .arena = txn_arena(t) };
	struct key lo = { .n = 1, .b = { KEY_ATTR_NOW } },
		   hi = key_kind_end(KEY_ATTR_NOW);
	enum err rc = txn_scan(t, key_span(&lo), key_span(&hi), load_row, &l);
	if (rc == ERR_OK)
		rc = l.rc;
	if (rc == ERR_OK) {
		char *text;
		struct attr_set *s = set_new(l.n, l.bytes, &text);
		for (size_t i = 0; i < l.n; i++)
			set_put(s, &l.at[i], &text);
		*ret = s;
	}
	free(l.at);
	return rc;
}

const struct attrs *account_attrs_now(struct account *a)
{
	pthread_mutex_lock(&a->lock);
	struct attr_set *s = attr_set_ref(a->attrs);
	pthread_mutex_unlock(&a->lock);
	return &s->attrs;
}

const struct attr *attrs_find(const struct attrs *at, const struct attr_key *key)
{
	size_t i = place_of(at, key);
	return i < at->n && key_cmp(&at->at[i].key, key) == 0 ? &at->at[i] : NULL;
}

const struct attr *attrs_of(const struct attrs *at, uint32_t mailbox, enum attr_kind kind,
			    size_t *ret_n)
{
	size_t i = place_of(at, &(struct attr_key){ .mailbox = mailbox, .kind = kind });
	size_t n = 0;
	while (i + n < at->n && at->at[i + n].key.mailbox == mailbox &&
	       at->at[i + n].key.kind == kind)
		n++;
	*ret_n = n;
	return n ? &at->at[i] : NULL;
}

/* ---- the log of changes ---- */

struct attr_log {
	uint64_t n; /* ever: entry i lies at i % STORE_ATTR_CHANGES */
	struct {
		struct attr_key key; /* user and name: malloc'd as one, at user.p */
		uint64_t modseq;
	} at[STORE_ATTR_CHANGES];
};

void attr_log_add(struct attr_log **log, const struct attr_key *k, uint64_t modseq)
{
	if (!*log)
		*log = xcalloc(1, sizeof **log);
	size_t i = (*log)->n++ % STORE_ATTR_CHANGES;
	free((char *)(*log)->at[i].key.user.p);
	char *text = xmalloc(k->user.n + k->name.n + 1);
	struct attr_key *to = &(*log)->at[i].key;
	*to = *k;
	to->user = put_text(k->user, &text);
	to->name = put_text(k->name, &text);
	(*log)->at[i].modseq = modseq;
}

void attr_log_free(struct attr_log *log)
{
	for (size_t i = 0; log && i < STORE_ATTR_CHANGES; i++)
		free((char *)log->at[i].key.user.p);
	free(log);
}

uint64_t account_attr_changes(struct account *a, uint64_t since,
			      void (*each)(void *arg, const struct attr_key *key,
					   uint64_t modseq),
			      void *arg)
{
	uint64_t newest = since;
	pthread_mutex_lock(&a->lock);
	const struct attr_log *log = a->attr_log;
	uint64_t n = log ? log->n : 0;
	uint64_t i = n > STORE_ATTR_CHANGES ? n - STORE_ATTR_CHANGES : 0;
	for (; i < n; i++) {
		size_t k = i % STORE_ATTR_CHANGES;
		if (log->at[k].modseq <= since)
			continue;
		newest = log->at[k].modseq;
		if (each)
			each(arg, &log->at[k].key, newest);
	}
	pthread_mutex_unlock(&a->lock);
	return newest;
}
