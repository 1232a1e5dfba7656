/* The loop and the store of the store's tests. */
#include "testloop.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "store/account.h"

static void post(struct executor *x, struct task *t)
{
	struct testloop *l = TASK_OWNER(x, struct testloop, executor);
	t->next = NULL;
	pthread_mutex_lock(&l->lock);
	*l->tail = t;
	l->tail = &t->next;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void testloop_init(struct testloop *l)
{
	*l = (struct testloop){ .executor.post = post };
	l->tail = &l->head;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
}

void testloop_done(struct testloop *l)
{
	assert_null(l->head);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
}

static struct task *take(struct testloop *l, bool wait)
{
	pthread_mutex_lock(&l->lock);
	while (wait && !l->head)
		pthread_cond_wait(&l->wake, &l->lock);
	struct task *t = l->head;
	if (t) {
		l->head = t->next;
		if (!l->head)
			l->tail = &l->head;
	}
	pthread_mutex_unlock(&l->lock);
	return t;
}

void testloop_until(struct testloop *l, const bool *flag)
{
	while (!*flag) {
		struct task *t = take(l, true);
		t->run(t);
	}
}

void testloop_drain(struct testloop *l)
{
	struct task *t;
	while ((t = take(l, false)))
		t->run(t);
}

/* ---- the site ---- */

const char *site_kind = "mem";

void site_args(int argc, char **argv)
{
	if (argc > 1)
		site_kind = argv[1];
}

bool site_is_lasting(void)
{
	return strcmp(site_kind, "mem") != 0;
}

static void fatal(void *arg, const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
	_exit(3);
}

void site_open(struct site *s)
{
	struct buf why = { 0 };
	struct engine_config c = { .kind = site_kind,
				   .dir = s->dir,
				   .workers = workers_executor(s->workers),
				   .flags = s->flags,
				   .expunge_history = s->expunge_history,
				   .commit_chunks = s->commit_chunks,
				   .at = s->at,
				   .at_arg = s->at_arg,
				   .segment_bytes = s->segment_bytes,
				   .tick_ms = s->tick_ms,
				   .pass_ms = s->pass_ms,
				   .fatal = fatal };
	if (store_open(&c, &s->store, &why) != ERR_OK)
		fail_msg("%.*s", (int)why.n, buf_span(&why).p);
	buf_done(&why);
}

void site_init(struct site *s)
{
	*s = (struct site){ .kind = site_kind };
	const char *tmp = getenv("TMPDIR");
	snprintf(s->dir, sizeof s->dir, "%.40s/store-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(s->dir));
	s->workers = workers_new(4);
	assert_non_null(s->workers);
	testloop_init(&s->loop);
	site_open(s);
}

void site_quiet(struct site *s)
{
	store_wait_quiet(s->store);
}

static void finding(void *arg, const char *sentence)
{
	print_message("finding: %s\n", sentence);
}

void site_check(struct site *s)
{
	uint64_t accounts = 0, messages = 0;
	site_quiet(s);
	assert_int_equal(store_check(s->store, finding, NULL, &accounts, &messages),
			 ERR_OK);
}

void site_close(struct site *s)
{
	testloop_drain(&s->loop);
	site_check(s);
	store_close(s->store);
	s->store = NULL;
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *at)
{
	return remove(path);
}

void site_done(struct site *s)
{
	if (s->store)
		site_close(s);
	workers_free(s->workers);
	testloop_done(&s->loop);
	nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- operations ---- */

static void keep(struct op *op, void *owner)
{
	struct done *d = owner;
	size_t n;
	d->is_done = true;
	d->rc = op->rc;
	if (op->rc != ERR_OK)
		return;
	d->uidvalidity = op_uidvalidity(op);
	numset_copy(&d->modified, op_modified(op));
	numset_copy(&d->source, op_source_uids(op));
	numset_copy(&d->target, op_target_uids(op));
	d->account = op_account(op);
	d->mailbox = op_mailbox(op);
	memcpy(d->mailbox_id, op_mailbox_id(op), sizeof d->mailbox_id);
	const struct mailbox_status *st = op_status(op, &n);
	for (size_t i = 0; i < n && i < 8; i++)
		d->status[i] = st[i];
	buf_done(&d->bytes);
	d->bytes = *op_bytes(op);
	*op_bytes(op) = (struct buf){ 0 };
}

struct op_to done_to(struct testloop *l, struct done *d)
{
	return (struct op_to){ &l->executor, keep, d };
}

enum err done_wait(struct testloop *l, struct done *d)
{
	testloop_until(l, &d->is_done);
	return d->rc;
}

void done_clear(struct done *d)
{
	numset_done(&d->modified);
	numset_done(&d->source);
	numset_done(&d->target);
	if (d->account)
		account_unref(d->account);
	mailbox_unref(d->mailbox);
	buf_done(&d->bytes);
	*d = (struct done){ 0 };
}

static enum err finish(struct site *s, struct done *d)
{
	enum err rc = done_wait(&s->loop, d);
	done_clear(d);
	return rc;
}

struct account *site_account(struct site *s, const char *name)
{
	struct done d = { 0 };
	store_account_open(s->store, span_str(name), true, done_to(&s->loop, &d));
	assert_int_equal(done_wait(&s->loop, &d), ERR_OK);
	struct account *a = d.account;
	d.account = NULL;
	done_clear(&d);
	return a;
}

enum err do_create(struct site *s, struct account *a, const char *path, unsigned use)
{
	struct done d = { 0 };
	mailbox_create(a, span_str(path), use, done_to(&s->loop, &d));
	return finish(s, &d);
}

enum err do_delete(struct site *s, struct account *a, const char *path)
{
	struct done d = { 0 };
	mailbox_delete(a, span_str(path), done_to(&s->loop, &d));
	return finish(s, &d);
}

enum err do_rename(struct site *s, struct account *a, const char *from, const char *to)
{
	struct done d = { 0 };
	mailbox_rename(a, span_str(from), span_str(to), done_to(&s->loop, &d));
	return finish(s, &d);
}

enum err do_subscribe(struct site *s, struct account *a, const char *path, bool on)
{
	struct done d = { 0 };
	mailbox_subscribe(a, span_str(path), on, done_to(&s->loop, &d));
	return finish(s, &d);
}

struct mailbox_status do_status(struct site *s, struct account *a, const char *path)
{
	struct done d = { 0 };
	const struct names *names = account_names_now(a);
	const struct name *n = names_find(names, span_str(path));
	assert_non_null(n);
	mailbox_status(a, &n->mailbox, 1, done_to(&s->loop, &d));
	names_unref(names);
	assert_int_equal(done_wait(&s->loop, &d), ERR_OK);
	struct mailbox_status st = d.status[0];
	done_clear(&d);
	return st;
}

struct mailbox *do_open(struct site *s, struct account *a, const char *path)
{
	struct done d = { 0 };
	mailbox_open(a, span_str(path), done_to(&s->loop, &d));
	done_wait(&s->loop, &d);
	struct mailbox *m = d.mailbox;
	d.mailbox = NULL;
	done_clear(&d);
	return m;
}

static size_t split(const char *keywords, struct span *to)
{
	size_t n = 0;
	struct span left = span_str(keywords);
	while (left.n > 0) {
		ptrdiff_t end = span_find(left, ' ');
		size_t k = end < 0 ? left.n : (size_t)end;
		if (k > 0)
			to[n++] = span_sub(left, 0, k);
		left = span_sub(left, k + 1, left.n);
	}
	return n;
}

struct gate {
	bool is_open;
};

static void open_gate(void *arg)
{
	((struct gate *)arg)->is_open = true;
}

uint32_t do_append(struct site *s, struct account *a, const char *path, struct span text,
		   uint64_t system, const char *keywords)
{
	struct done d = { 0 };
	struct gate gate = { false };
	struct span keyword[600];
	struct append_item item = { .internal_date = 1000000000, .zone_min = -90 };
	item.body = incoming_new(a, &s->loop.executor, open_gate, &gate);
	for (struct span left = text; left.n > 0; left = span_sub(left, 65536, left.n)) {
		gate.is_open = incoming_feed(item.body, span_sub(left, 0, 65536));
		if (left.n > 65536)
			testloop_until(&s->loop, &gate.is_open);
	}
	item.flags.system = system;
	item.flags.keyword = keyword;
	item.flags.n_keyword = keywords ? split(keywords, keyword) : 0;
	messages_append(a, span_str(path), &item, 1, done_to(&s->loop, &d));
	uint32_t uid = 0;
	if (done_wait(&s->loop, &d) == ERR_OK) {
		assert_int_equal(numset_count(&d.target), 1);
		uid = numset_min(&d.target);
	}
	done_clear(&d);
	return uid;
}

void do_append_many(struct site *s, struct account *a, const char *path, size_t n)
{
	struct done d = { 0 };
	struct append_item *items = calloc(n, sizeof *items);
	for (size_t i = 0; i < n; i++) {
		char text[64];
		snprintf(text, sizeof text, "Subject: message %zu\r\n\r\nbody\r\n", i);
		items[i].body = incoming_new(a, &s->loop.executor, NULL, NULL);
		incoming_feed(items[i].body, span_str(text));
	}
	messages_append(a, span_str(path), items, n, done_to(&s->loop, &d));
	free(items);
	assert_int_equal(done_wait(&s->loop, &d), ERR_OK);
	assert_int_equal(numset_count(&d.target), n);
	done_clear(&d);
}

enum err do_flag(struct site *s, struct mailbox *m, const char *uids,
		 enum flag_change how, uint64_t system, const char *keywords)
{
	struct done d = { 0 };
	struct span keyword[600];
	struct flag_names f = { .system = system, .keyword = keyword };
	f.n_keyword = keywords ? split(keywords, keyword) : 0;
	struct numset set = uids_of(uids);
	messages_flag(m, &set, how, &f, UINT64_MAX, done_to(&s->loop, &d));
	numset_done(&set);
	return finish(s, &d);
}

struct numset do_expunge(struct site *s, struct mailbox *m)
{
	struct done d = { 0 };
	struct numset went = { 0 };
	messages_expunge(m, NULL, done_to(&s->loop, &d));
	assert_int_equal(done_wait(&s->loop, &d), ERR_OK);
	numset_copy(&went, &d.source);
	done_clear(&d);
	return went;
}

enum err do_copy(struct site *s, struct mailbox *m, const char *uids, const char *to,
		 bool move, struct done *d)
{
	struct numset set = uids_of(uids);
	messages_copy(m, &set, span_str(to), move, done_to(&s->loop, d));
	numset_done(&set);
	return done_wait(&s->loop, d);
}

enum err do_read(struct site *s, struct account *a, struct body_id id, struct buf *out)
{
	struct done d = { 0 };
	body_read(a, id, 0, SIZE_MAX, done_to(&s->loop, &d));
	enum err rc = done_wait(&s->loop, &d);
	*out = d.bytes;
	d.bytes = (struct buf){ 0 };
	done_clear(&d);
	return rc;
}

struct numset uids_of(const char *text)
{
	struct numset s = { 0 };
	while (*text) {
		char *end;
		uint32_t lo = (uint32_t)strtoul(text, &end, 10), hi = lo;
		if (*end == ':')
			hi = (uint32_t)strtoul(end + 1, &end, 10);
		numset_add_range(&s, lo, hi);
		text = *end == ',' ? end + 1 : end;
	}
	return s;
}

void expect_uids(const struct numset *s, const char *text)
{
	struct buf b = { 0 };
	numset_print(s, &b);
	buf_putc(&b, 0);
	assert_string_equal(buf_span(&b).p, text);
	buf_done(&b);
}

void expect_names(struct account *a, const char *text)
{
	const struct names *n = account_names_now(a);
	struct buf b = { 0 };
	for (size_t i = 0; i < n->n; i++) {
		const struct name *at = n->at[i];
		buf_put(&b, at->path);
		buf_puts(&b, at->flags & NAME_EXISTS ? " E" : " -");
		buf_puts(&b, at->flags & NAME_SUBSCRIBED ? "S" : "");
		buf_puts(&b, at->flags & NAME_CHILDREN ? "C" : "");
		buf_putc(&b, '\n');
		assert_ptr_equal(names_find(n, at->path), at);
	}
	buf_putc(&b, 0);
	assert_string_equal(buf_span(&b).p, text);
	buf_done(&b);
	names_unref(n);
}

struct gather_wait {
	bool is_done;
	enum err rc;
	struct gathered *to;
};

static void gather_done(struct op *op, void *owner)
{
	struct gather_wait *w = owner;
	w->is_done = true;
	w->rc = op->rc;
	if (op->rc == ERR_OK)
		op_gathered(op, w->to);
}

enum err do_gather(struct site *s, struct account *a, const struct body_id *ids, size_t n,
		   const struct want *want, struct gathered *ret)
{
	struct gather_wait w = { .to = ret };
	messages_gather(a, ids, n, want,
			(struct op_to){ &s->loop.executor, gather_done, &w });
	testloop_until(&s->loop, &w.is_done);
	return w.rc;
}
