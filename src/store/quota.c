/* Quota: limits of an account, how much of them is used, and who is over (RFC 9208). */
#include "store/quota.h"

#include <stdio.h>

#include "store/change.h"

static const char *const names[QUOTA_RESOURCES] = { "STORAGE", "MESSAGE", "MAILBOX" };

const char *quota_name(enum quota_resource r)
{
	return names[r];
}

void store_quota_default(struct store *s, const uint64_t limit[QUOTA_RESOURCES])
{
	memcpy(s->quota, limit, sizeof s->quota);
}

static struct attr_key key_of(enum quota_resource r)
{
	return (struct attr_key){ .kind = ATTR_LIMIT, .name = span_str(names[r]) };
}

static void limits_of(const struct store *s, const struct attrs *at,
		      uint64_t ret[QUOTA_RESOURCES])
{
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++) {
		const struct attr_key key = key_of((enum quota_resource)r);
		const struct attr *own = attrs_find(at, &key);
		ret[r] = own ? QUOTA_NONE : s->quota[r];
		if (own) /* what is no number is "none" */
			span_u64(own->value, INT64_MAX, &ret[r]);
	}
}

static uint64_t kibibytes(uint64_t bytes)
{
	return bytes / 1024 + (bytes % 1024 > 0);
}

static uint64_t mailboxes_in(const struct names *n)
{
	uint64_t count = 0;
	for (size_t i = 0; i < n->n; i++)
		count += (n->at[i]->flags & NAME_EXISTS) != 0;
	return count;
}

void account_quota_now(struct account *a, struct quota *ret)
{
	pthread_mutex_lock(&a->lock);
	struct attr_set *attrs = attr_set_ref(a->attrs);
	struct tree *tree = tree_ref(a->names);
	ret->used[QUOTA_STORAGE] = kibibytes(a->used.bytes);
	ret->used[QUOTA_MESSAGE] = a->used.messages;
	pthread_mutex_unlock(&a->lock);
	ret->used[QUOTA_MAILBOX] = mailboxes_in(&tree->names);
	limits_of(a->store, &attrs->attrs, ret->limit);
	tree_unref(tree);
	attr_set_unref(attrs);
}

bool quota_refuses(const struct quota *q, uint64_t bytes, uint64_t messages)
{
	uint64_t more[QUOTA_RESOURCES] = { bytes / 1024, messages, 0 };
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++)
		if (more[r] &&
		    (q->limit[r] < q->used[r] || more[r] > q->limit[r] - q->used[r]))
			return true;
	return false;
}

enum err change_quota(struct change *c)
{
	const struct account_header *before = &c->a->h;
	uint64_t limit[QUOTA_RESOURCES];
	bool more_bytes = c->h.bytes > before->bytes;
	bool more_messages = c->h.messages > before->messages;
	if (c->is_new || c->op->ignores_quota || !(more_bytes || more_messages || c->names_changed))
		return ERR_OK;
	limits_of(c->a->store, &c->attrs->attrs, limit);
	if (more_bytes && kibibytes(c->h.bytes) > limit[QUOTA_STORAGE])
		return ERR_QUOTA;
	if (more_messages && c->h.messages > limit[QUOTA_MESSAGE])
		return ERR_QUOTA;
	if (!c->names_changed || limit[QUOTA_MAILBOX] == QUOTA_NONE)
		return ERR_OK;
	uint64_t now = mailboxes_in(&c->names->names);
	bool is_over = now > limit[QUOTA_MAILBOX] &&
		       now > mailboxes_in(&c->a->head_names->names);
	return is_over ? ERR_QUOTA : ERR_OK;
}

struct edit {
	struct attr_edit e;
	char text[24];
};

static void edit_of(struct edit *x, enum quota_resource r, const uint64_t *limit)
{
	x->e = (struct attr_edit){ .key = key_of(r), .remove = !limit };
	if (limit && *limit != QUOTA_NONE)
		snprintf(x->text, sizeof x->text, "%llu", (unsigned long long)*limit);
	else
		snprintf(x->text, sizeof x->text, "none");
	x->e.value = span_str(x->text);
}

struct op *account_quota_set(struct account *a, const uint64_t limit[QUOTA_RESOURCES],
			     struct op_to to)
{
	struct edit x[QUOTA_RESOURCES];
	struct attr_edit edits[QUOTA_RESOURCES];
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++) {
		edit_of(&x[r], (enum quota_resource)r, limit ? &limit[r] : NULL);
		edits[r] = x[r].e;
	}
	return attrs_set(a, edits, QUOTA_RESOURCES, NULL, to);
}

struct op *account_quota_set_one(struct account *a, enum quota_resource r,
				 const uint64_t *limit, struct op_to to)
{
	struct edit x;
	edit_of(&x, r, limit);
	return attrs_set(a, &x.e, 1, NULL, to);
}
