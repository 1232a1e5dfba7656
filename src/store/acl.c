/* Rights as letters and as entries of access control lists, and what they add up to. */
#include "store/acl.h"

static const char letters[] = "lrswipkxtea"; /* in the order of the bits */
static const struct {
	char letter;
	unsigned rights;
} obsolete[] = {
	{ 'c', RIGHT_K | RIGHT_X },
	{ 'd', RIGHT_T | RIGHT_E },
};

bool rights_read(struct span text, unsigned *ret)
{
	unsigned rights = 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		const char *at = c ? strchr(letters, c) : NULL;
		if (at)
			rights |= 1u << (at - letters);
		else if (c == obsolete[0].letter)
			rights |= obsolete[0].rights;
		else if (c == obsolete[1].letter)
			rights |= obsolete[1].rights;
		else
			return false;
	}
	*ret = rights;
	return true;
}

static void put_letters(unsigned rights, struct buf *out)
{
	for (unsigned i = 0; letters[i]; i++)
		if (rights >> i & 1 && letters[i] != 'a')
			buf_putc(out, letters[i]);
}

/* "a" comes last, as in the examples of RFC 8440. */
void rights_put(unsigned rights, struct buf *out)
{
	put_letters(rights, out);
	for (unsigned i = 0; i < 2; i++)
		if (rights & obsolete[i].rights)
			buf_putc(out, obsolete[i].letter);
	if (rights & RIGHT_A)
		buf_putc(out, 'a');
}

/* "lrs" or "lrs ACCOUNT" */
struct span acl_entry_value(struct arena *a, const struct acl_entry *e)
{
	struct buf b = { 0 };
	put_letters(e->rights, &b);
	if (e->rights & RIGHT_A)
		buf_putc(&b, 'a');
	if (e->account.n) {
		buf_putc(&b, ' ');
		buf_put(&b, e->account);
	}
	struct span value = arena_dup(a, buf_span(&b));
	buf_done(&b);
	return value;
}

bool acl_entry_read(const struct attr *at, struct acl_entry *ret)
{
	ptrdiff_t sp = span_find(at->value, ' ');
	struct span rights = sp < 0 ? at->value : span_sub(at->value, 0, (size_t)sp);
	*ret = (struct acl_entry){ .identifier = at->key.name };
	if (sp >= 0)
		ret->account = span_sub(at->value, (size_t)sp + 1, SIZE_MAX);
	return rights_read(rights, &ret->rights);
}

enum acl_kind acl_kind(struct span id, bool *ret_negative, struct span *ret_name)
{
	*ret_negative = id.n > 0 && id.p[0] == '-';
	*ret_name = *ret_negative ? span_sub(id, 1, SIZE_MAX) : id;
	if (span_eq(*ret_name, SPAN("anyone")))
		return ACL_ANYONE;
	if (ret_name->n == 0 || ret_name->p[0] != '$')
		return ACL_USER;
	*ret_name = span_sub(*ret_name, 1, SIZE_MAX);
	return ACL_GROUP;
}

static bool is_in(struct span name, struct span groups)
{
	while (groups.n > 0) {
		ptrdiff_t end = span_find(groups, ',');
		if (span_eq(end < 0 ? groups : span_sub(groups, 0, (size_t)end), name))
			return true;
		groups = end < 0 ? SPAN_NONE : span_sub(groups, (size_t)end + 1, SIZE_MAX);
	}
	return false;
}

static bool is_meant(enum acl_kind kind, struct span name, const struct acl_entry *e,
		     const struct acl_who *who)
{
	switch (kind) {
	case ACL_ANYONE: return true;
	case ACL_GROUP: return is_in(name, who->groups);
	case ACL_USER: break;
	}
	return e->account.n ? span_eq(e->account, who->account)
			    : span_eq(name, who->name);
}

unsigned acl_rights(const struct attrs *at, uint32_t mailbox, const struct acl_who *who)
{
	unsigned given = 0, taken = 0;
	size_t n;
	const struct attr *a = attrs_of(at, mailbox, ATTR_ACL, &n);
	for (size_t i = 0; i < n; i++) {
		struct acl_entry e;
		struct span name;
		bool is_negative;
		enum acl_kind kind = acl_kind(a[i].key.name, &is_negative, &name);
		/* what cannot be read gives nothing, and could have taken anything */
		if (!acl_entry_read(&a[i], &e))
			return 0;
		if (is_meant(kind, name, &e, who))
			*(is_negative ? &taken : &given) |= e.rights;
	}
	return given & ~taken;
}
