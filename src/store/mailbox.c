/* Open mailboxes: handles, the newest view, recent claims. Watches on accounts. */
#include <stdlib.h>

#include "store/seen.h"

/* The account's lock is held. */
static struct mailbox *find(struct account *a, uint32_t number)
{
	struct mailbox *m = a->mailboxes;
	while (m && m->number != number)
		m = m->next;
	if (m)
		m->refs++;
	return m;
}

struct mailbox *account_mailbox(struct account *a, uint32_t number)
{
	pthread_mutex_lock(&a->lock);
	struct mailbox *m = find(a, number);
	pthread_mutex_unlock(&a->lock);
	return m;
}

struct mailbox *account_mailbox_make(struct account *a, uint32_t number)
{
	pthread_mutex_lock(&a->lock);
	struct mailbox *m = find(a, number);
	if (!m) {
		m = xcalloc(1, sizeof *m);
		m->account = account_ref(a);
		m->number = number;
		m->refs = 1;
		m->next = a->mailboxes;
		m->prev = &a->mailboxes;
		if (m->next)
			m->next->prev = &m->next;
		a->mailboxes = m;
	}
	m->is_let_go = false;
	pthread_mutex_unlock(&a->lock);
	return m;
}

struct mailbox *mailbox_ref(struct mailbox *m)
{
	pthread_mutex_lock(&m->account->lock);
	m->refs++;
	pthread_mutex_unlock(&m->account->lock);
	return m;
}

static enum err recent_plan(struct store_op *o, struct change *c)
{
	struct box *b;
	enum err rc = change_box(c, o->mailbox->number, &b);
	if (rc == ERR_OK) /* the claim is put into every header that is written */
		b->is_header_dirty = true;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static void ignore(struct op *op, void *owner)
{
}

/* What was claimed survives the handles, as a session would otherwise see \Recent again.
 */
static void save_recent(struct mailbox *m)
{
	struct store *s = m->account->store;
	struct op_to to = { s->workers, ignore, s };
	struct store_op *o = op_new(sizeof *o, s, m->account, to);
	o->is_background = true;
	o->plan = recent_plan;
	o->needs_no_info = true;
	o->mailbox = m; /* the reference that was to be given back */
	op_start(o);
}

/* The account's lock is held. */
static bool has_claim(const struct mailbox *m)
{
	return m->first_recent > m->saved_recent && !m->is_gone &&
	       !(m->account->store->flags & ENGINE_READ_ONLY);
}

static void mailbox_free(struct mailbox *m)
{
	struct account *a = m->account;
	view_unref(m->head);
	view_unref(m->published);
	account_unref(a);
	free(m);
}

/* The last one becomes the store's if the mailbox may be kept. */
void mailbox_unref(struct mailbox *m)
{
	if (!m)
		return;
	if (m->of) {
		reader_unref(m);
		return;
	}
	struct account *a = m->account;
	pthread_mutex_lock(&a->lock);
	if (m->refs == 2 && m->is_kept) {
		pthread_mutex_unlock(&a->lock);
		account_reap(a);
		kept_touch(m);
		pthread_mutex_lock(&a->lock);
	}
	if (m->refs == 1 && kept_may(m)) {
		m->is_kept = true;
		pthread_mutex_unlock(&a->lock);
		account_reap(a);
		kept_add(m);
		return;
	}
	if (m->refs == 1 && has_claim(m)) {
		m->saved_recent = m->first_recent; /* tried once */
		pthread_mutex_unlock(&a->lock);
		if (store_background(a->store, 1)) {
			save_recent(m);
			return;
		}
		pthread_mutex_lock(&a->lock);
	}
	bool is_last = --m->refs == 0;
	if (is_last) {
		*m->prev = m->next;
		if (m->next)
			m->next->prev = m->prev;
	}
	pthread_mutex_unlock(&a->lock);
	if (is_last)
		mailbox_free(m);
}

uint32_t mailbox_number_of(const struct mailbox *m)
{
	return m->number;
}

struct view *mailbox_view_now(struct mailbox *m)
{
	if (m->of)
		return reader_view_now(m);
	pthread_mutex_lock(&m->account->lock);
	struct view *v = view_ref(m->published);
	pthread_mutex_unlock(&m->account->lock);
	return v;
}

bool mailbox_is_gone_now(struct mailbox *m)
{
	pthread_mutex_lock(&m->account->lock);
	bool is_gone = mailbox_itself(m)->is_gone;
	pthread_mutex_unlock(&m->account->lock);
	return is_gone;
}

uint32_t mailbox_number(const struct mailbox *m)
{
	return m->number;
}

uint32_t mailbox_recent(struct mailbox *m, uint32_t uidnext, bool claim)
{
	m = mailbox_itself(m);
	pthread_mutex_lock(&m->account->lock);
	uint32_t from = m->first_recent < uidnext ? m->first_recent : uidnext;
	if (claim && m->first_recent < uidnext)
		m->first_recent = uidnext;
	pthread_mutex_unlock(&m->account->lock);
	return from;
}

/* ---- opening ---- */

static enum err open_plan(struct store_op *o, struct change *c)
{
	const struct name *n = names_find(&c->names->names, o->path);
	if (!n || !(n->flags & NAME_EXISTS))
		return ERR_NOENT;
	if (o->mailbox)
		mailbox_unref(o->mailbox);
	o->mailbox = account_mailbox_make(o->account, n->mailbox);
	struct box *b;
	enum err rc = change_box(c, n->mailbox, &b);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_CORRUPT : rc;
	o->news = xcalloc(1, sizeof *o->news);
	o->news[0] = (struct news){ mailbox_ref(o->mailbox), view_ref(b->base) };
	o->n_news = 1;
	return ERR_OK;
}

/* All that the plan saw is durable by now. */
static void open_ready(struct store_op *o)
{
	struct mailbox *m = o->mailbox;
	pthread_mutex_lock(&m->account->lock);
	if (!m->published) {
		m->published = o->news[0].view;
		o->news[0].view = NULL;
	}
	pthread_mutex_unlock(&m->account->lock);
}

static struct mailbox *open_now(struct account *a, struct span path, bool whole)
{
	struct buf name = { 0 };
	struct mailbox *m = NULL;
	if (name_canonical(path, false, &name) == ERR_OK) {
		pthread_mutex_lock(&a->lock);
		const struct name *n = names_find(&a->names->names, buf_span(&name));
		if (n && (n->flags & NAME_EXISTS))
			m = find(a, n->mailbox);
		if (m && (!m->published || m->is_gone ||
			  (whole && !atomic_load(&m->published->is_whole)))) {
			m->refs--; /* somebody else has one: it is not the last */
			m = NULL;
		}
		if (m)
			m->is_let_go = false;
		pthread_mutex_unlock(&a->lock);
	}
	buf_done(&name);
	return m;
}

struct mailbox *mailbox_open_now(struct account *a, struct span path)
{
	return open_now(a, path, true);
}

struct mailbox *mailbox_select_now(struct account *a, struct span path)
{
	return open_now(a, path, false);
}

static struct op *open_start(struct account *a, struct span path, bool whole,
			     struct op_to to)
{
	struct store_op *o = op_new(sizeof *o, a->store, a, to);
	enum err rc = op_path(path, false, &o->path);
	if (rc != ERR_OK)
		return op_fail(o, ERR_NOENT);
	o->plan = open_plan;
	o->needs_no_info = !whole;
	o->before_done = open_ready;
	return op_start(o);
}

struct op *mailbox_open(struct account *a, struct span path, struct op_to to)
{
	return open_start(a, path, true, to);
}

struct op *mailbox_select(struct account *a, struct span path, struct op_to to)
{
	return open_start(a, path, false, to);
}

bool mailbox_is_whole_now(struct mailbox *m)
{
	const struct mailbox *of = m->of ? m->of : m;
	pthread_mutex_lock(&m->account->lock);
	bool is_whole = of->published && atomic_load(&of->published->is_whole);
	pthread_mutex_unlock(&m->account->lock);
	return is_whole;
}

/* One that is gone has been made whole before. */
static enum err whole_plan(struct store_op *o, struct change *c)
{
	struct box *b;
	enum err rc = change_box(c, o->mailbox->number, &b);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

struct op *mailbox_whole(struct mailbox *m, struct op_to to)
{
	struct store_op *o = op_new(sizeof *o, m->account->store, m->account, to);
	o->mailbox = mailbox_ref(m);
	o->plan = whole_plan;
	return op_start(o);
}

/* ---- as a user sees it ---- */

struct reader_op {
	struct store_op o;
	struct span user; /* malloc'd */
	struct mailbox *reader;
	struct seen *loaded;
};

static enum err reader_plan(struct store_op *o, struct change *c)
{
	struct reader_op *x = (struct reader_op *)(void *)o;
	enum err rc = open_plan(o, c);
	if (rc != ERR_OK)
		return rc;
	if (x->reader)
		mailbox_unref(x->reader);
	x->reader = reader_get(o->mailbox, x->user, true);
	rc = reader_load(c, x->reader);
	seen_unref(x->loaded);
	x->loaded = rc == ERR_OK ? seen_ref(x->reader->seen_head) : NULL;
	return rc;
}

static void reader_ready(struct store_op *o)
{
	struct reader_op *x = (struct reader_op *)(void *)o;
	struct mailbox *of = o->mailbox;
	open_ready(o);
	pthread_mutex_lock(&of->account->lock);
	if (!x->reader->seen) {
		x->reader->seen = x->loaded;
		x->loaded = NULL;
	}
	pthread_mutex_unlock(&of->account->lock);
	o->mailbox = x->reader;
	x->reader = NULL;
	mailbox_unref(of);
}

static void reader_free(struct store_op *o)
{
	struct reader_op *x = (struct reader_op *)(void *)o;
	if (x->reader)
		mailbox_unref(x->reader);
	seen_unref(x->loaded);
	free((void *)(uintptr_t)x->user.p);
}

struct mailbox *mailbox_open_as_now(struct account *a, struct span path, struct span user)
{
	struct mailbox *of = mailbox_open_now(a, path), *r = NULL;
	if (user.n == 0)
		return of;
	if (of)
		r = reader_get(of, user, false);
	if (r) {
		pthread_mutex_lock(&a->lock);
		bool is_ready = r->seen != NULL;
		pthread_mutex_unlock(&a->lock);
		if (!is_ready) {
			mailbox_unref(r);
			r = NULL;
		}
	}
	mailbox_unref(of);
	return r;
}

struct op *mailbox_open_as(struct account *a, struct span path, struct span user,
			   struct op_to to)
{
	if (user.n == 0)
		return mailbox_open(a, path, to);
	struct reader_op *x = op_new(sizeof *x, a->store, a, to);
	char *name = xmalloc(user.n);
	memcpy(name, user.p, user.n);
	x->user = span_of(name, user.n);
	x->o.free_more = reader_free;
	if (op_path(path, false, &x->o.path) != ERR_OK)
		return op_fail(&x->o, ERR_NOENT);
	x->o.plan = reader_plan;
	x->o.before_done = reader_ready;
	return op_start(&x->o);
}

/* ---- watches ---- */

struct watch {
	struct task task;
	struct account *account; /* a reference */
	struct executor *home;
	void (*changed)(void *arg);
	void *arg;
	/* the account's lock */
	struct watch *next, **prev;
	bool is_posted, is_closed;
};

static void watch_free(struct watch *w)
{
	account_unref(w->account);
	free(w);
}

static void watch_run(struct task *t)
{
	struct watch *w = TASK_OWNER(t, struct watch, task);
	pthread_mutex_lock(&w->account->lock);
	w->is_posted = false;
	bool is_closed = w->is_closed;
	pthread_mutex_unlock(&w->account->lock);
	if (is_closed)
		watch_free(w);
	else
		w->changed(w->arg);
}

struct watch *account_watch(struct account *a, struct executor *home,
			    void (*changed)(void *arg), void *arg)
{
	struct watch *w = xcalloc(1, sizeof *w);
	*w = (struct watch){ .task.run = watch_run,
			     .account = account_ref(a),
			     .home = home,
			     .changed = changed,
			     .arg = arg };
	pthread_mutex_lock(&a->lock);
	w->next = a->watches;
	w->prev = &a->watches;
	if (w->next)
		w->next->prev = &w->next;
	a->watches = w;
	pthread_mutex_unlock(&a->lock);
	return w;
}

void watch_close(struct watch *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->account->lock);
	*w->prev = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->is_closed = true;
	bool is_posted = w->is_posted;
	pthread_mutex_unlock(&w->account->lock);
	if (!is_posted)
		watch_free(w);
}

void account_watches_fire(struct account *a)
{
	for (struct watch *w = a->watches; w; w = w->next)
		if (!w->is_posted) {
			w->is_posted = true;
			executor_post(w->home, &w->task);
		}
}
