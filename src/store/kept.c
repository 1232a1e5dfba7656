/*
 * Mailboxes that stay in memory after their last session: a user comes back, and an
 * administrator's next command is for the same mailbox. One reference is the store's
 * then, on a list by last use, bounded in number and memory. A mailbox that is gone is
 * let go at once, as its views hold bodies.
 */
#include "store/account.h"

/* What a message takes in a view: its place in a chunk and in a block (chunk.h). */
enum { MESSAGE_BYTES = sizeof(struct chunk_msg) + sizeof(struct view_info) };

static size_t bytes_of(const struct mailbox *m)
{
	const struct view *v = m->published;
	size_t chunks = v->n_chunks * (sizeof(struct chunk) + sizeof(struct block));

	return sizeof *m + sizeof *v + chunks + (size_t)v->h.exists * MESSAGE_BYTES;
}

bool kept_may(const struct mailbox *m)
{
	return !m->is_kept && !m->is_let_go && !m->is_gone && m->published &&
	       bytes_of(m) <= STORE_KEPT_BYTES / 2;
}

/* The store's lock is held, here and below. */
static void list_remove(struct mailbox *m)
{
	struct store *s = m->account->store;

	*m->kept_prev = m->kept_next;
	if (m->kept_next)
		m->kept_next->kept_prev = m->kept_prev;
	else
		s->kept.last = m->kept_prev;
	m->kept_next = NULL;
	m->kept_prev = NULL;
	s->kept.n--;
	s->kept.bytes -= m->kept_bytes;
}

static void list_add(struct mailbox *m, size_t bytes)
{
	struct store *s = m->account->store;

	m->kept_prev = s->kept.last;
	*s->kept.last = m;
	s->kept.last = &m->kept_next;
	m->kept_bytes = bytes;
	s->kept.n++;
	s->kept.bytes += bytes;
}

/* Off the list: the store's reference is given back. */
static void let_go(struct mailbox *m)
{
	pthread_mutex_lock(&m->account->lock);
	m->is_kept = false;
	m->is_let_go = m->refs == 1; /* else it is in use, and may be kept again */
	pthread_mutex_unlock(&m->account->lock);
	mailbox_unref(m);
}

void kept_add(struct mailbox *m)
{
	struct account *a = m->account;
	struct store *s = a->store;

	pthread_mutex_lock(&s->lock);
	pthread_mutex_lock(&a->lock);
	/* kept_drop() may have come before */
	bool is_taken = !m->is_gone && !s->is_closing;
	size_t bytes = bytes_of(m);
	pthread_mutex_unlock(&a->lock);
	if (is_taken)
		list_add(m, bytes);
	bool is_full = s->kept.n > STORE_KEPT_MAILBOXES ||
		       s->kept.bytes > STORE_KEPT_BYTES;
	pthread_mutex_unlock(&s->lock);
	if (!is_taken)
		let_go(m);
	if (is_full)
		kept_evict(s, STORE_KEPT_MAILBOXES);
}

void kept_touch(struct mailbox *m)
{
	struct account *a = m->account;
	struct store *s = a->store;

	pthread_mutex_lock(&s->lock);
	pthread_mutex_lock(&a->lock);
	size_t bytes = bytes_of(m); /* it may have grown */
	pthread_mutex_unlock(&a->lock);
	if (m->kept_prev) {
		list_remove(m);
		list_add(m, bytes);
	}
	bool is_full = s->kept.bytes > STORE_KEPT_BYTES;
	pthread_mutex_unlock(&s->lock);
	if (is_full)
		kept_evict(s, STORE_KEPT_MAILBOXES);
}

void kept_drop(struct mailbox *m)
{
	struct account *a = m->account;
	struct store *s = a->store;

	pthread_mutex_lock(&a->lock);
	bool is_due = m->is_gone && m->is_kept;
	pthread_mutex_unlock(&a->lock);
	if (!is_due)
		return;
	pthread_mutex_lock(&s->lock);
	bool was_listed = m->kept_prev != NULL;
	if (was_listed)
		list_remove(m);
	pthread_mutex_unlock(&s->lock);
	if (was_listed)
		let_go(m);
}

void kept_evict(struct store *s, size_t keep)
{
	for (;;) {
		pthread_mutex_lock(&s->lock);
		bool is_over = s->kept.n > keep || s->kept.bytes > STORE_KEPT_BYTES;
		struct mailbox *m = is_over ? s->kept.first : NULL;
		if (m)
			list_remove(m);
		pthread_mutex_unlock(&s->lock);
		if (!m)
			return;
		let_go(m);
	}
}
