/* Results, told. */
#include "server/search_found.h"

struct found found_of_set(const struct numset *set)
{
	return (struct found){ .set = set, .n = numset_count(set) };
}

struct found found_of_list(const uint32_t *list, size_t n)
{
	return (struct found){ .list = list, .n = n };
}

uint32_t found_at(const struct found *f, uint64_t i)
{
	uint32_t v = 0;

	if (!f->set)
		return f->list[i];
	numset_select(f->set, i, &v);
	return v;
}

/* Of a list: ranges only where numbers stand in their order (RFC 5267 section 3.2). */
static void print_list(const uint32_t *v, uint64_t n, struct buf *out)
{
	for (uint64_t i = 0, run; i < n; i += run) {
		run = 1;
		while (i + run < n && v[i + run] == v[i] + run)
			run++;
		if (i > 0)
			buf_putc(out, ',');
		buf_put_u64(out, v[i]);
		if (run == 1)
			continue;
		buf_putc(out, ':');
		buf_put_u64(out, v[i] + run - 1);
	}
}

void found_print(const struct found *f, uint64_t from, uint64_t n, struct buf *out)
{
	struct numset part = { 0 };

	if (!f->set) {
		print_list(f->list + from, n, out);
		return;
	}
	numset_add_range(&part, found_at(f, from), found_at(f, from + n - 1));
	numset_intersect(&part, f->set);
	numset_print(&part, out);
	numset_done(&part);
}

void esearch_begin(struct cmd *cmd, struct span tag, bool uid, const struct selected *of)
{
	struct buf *out = cmd_out(cmd);

	buf_puts(out, "* ESEARCH (TAG ");
	emit_string(out, cmd_mode(cmd), tag);
	if (of) {
		buf_puts(out, " MAILBOX ");
		emit_mailbox(out, cmd_mode(cmd), of->place.name);
		buf_printf(out, " UIDVALIDITY %u", view_uidvalidity(of->view));
	}
	buf_puts(out, uid || of ? ") UID" : ")");
}

static void put_partial(const struct search_program *p, const struct found *f,
			struct buf *out)
{
	uint64_t from, n;

	partial_range_resolve(&p->partial, f->n, &from, &n);
	buf_puts(out, " PARTIAL (");
	emit_partial_range(out, &p->partial);
	buf_putc(out, ' ');
	if (n > 0)
		found_print(f, from, n, out);
	else
		buf_puts(out, "NIL");
	buf_putc(out, ')');
}

void esearch_reply(struct cmd *cmd, const struct selected *of,
		   const struct search_program *p, const struct found *f)
{
	unsigned what = p->has_return ? p->returns : SEARCH_RETURN_ALL;
	struct buf *out = cmd_out(cmd);

	what &= SEARCH_RETURN_MIN | SEARCH_RETURN_MAX | SEARCH_RETURN_ALL |
		SEARCH_RETURN_COUNT | SEARCH_RETURN_PARTIAL;
	if (!what)
		return;
	esearch_begin(cmd, cmd->tag, cmd->uid, of);
	if ((what & SEARCH_RETURN_MIN) && f->n)
		buf_printf(out, " MIN %u", found_at(f, 0));
	if ((what & SEARCH_RETURN_MAX) && f->n)
		buf_printf(out, " MAX %u", found_at(f, f->n - 1));
	if ((what & SEARCH_RETURN_ALL) && f->n) {
		buf_puts(out, " ALL ");
		found_print(f, 0, f->n, out);
	}
	if (what & SEARCH_RETURN_PARTIAL)
		put_partial(p, f, out);
	if (what & SEARCH_RETURN_COUNT)
		buf_printf(out, " COUNT %llu", (unsigned long long)f->n);
	if (f->modseq)
		buf_printf(out, " MODSEQ %llu", (unsigned long long)f->modseq);
	buf_puts(out, "\r\n");
}

static void add_some(struct numset *to, const struct found *f, uint64_t from, uint64_t n)
{
	for (uint64_t i = from; i < from + n; i++)
		numset_add(to, found_at(f, i));
}

/* Table 1 of RFC 9394, RFC 5182 section 2.4: with COUNT or ALL all of them count. */
static void that_counts(const struct search_program *p, const struct found *f,
			struct numset *to)
{
	const unsigned some = SEARCH_RETURN_MIN | SEARCH_RETURN_MAX |
			      SEARCH_RETURN_PARTIAL;
	uint64_t from, n;

	numset_copy(to, &(struct numset){ 0 });
	if (!p->has_return || !(p->returns & some) ||
	    (p->returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT))) {
		if (f->set)
			numset_copy(to, f->set);
		else
			add_some(to, f, 0, f->n);
		return;
	}
	if ((p->returns & SEARCH_RETURN_MIN) && f->n)
		add_some(to, f, 0, 1);
	if (p->returns & SEARCH_RETURN_PARTIAL) {
		partial_range_resolve(&p->partial, f->n, &from, &n);
		add_some(to, f, from, n);
	}
	if ((p->returns & SEARCH_RETURN_MAX) && f->n)
		add_some(to, f, f->n - 1, 1);
}

void found_save(struct cmd *cmd, const struct search_program *p, const struct found *f)
{
	if (p->has_return && (p->returns & SEARCH_RETURN_SAVE))
		that_counts(p, f, &cmd->session->selected->saved);
}

uint64_t found_modseq(struct selected *sel, const struct search_program *p,
		      const struct found *f)
{
	struct numset counts = { 0 };
	uint64_t modseq;

	if (!(p->needs & SEARCH_NEED_MODSEQ))
		return 0;
	that_counts(p, f, &counts);
	modseq = selected_highest_modseq(sel, &counts);
	numset_done(&counts);
	return modseq;
}

void found_nothing(struct cmd *cmd, const struct search_program *p)
{
	if (cmd->tagged_kind == TAGGED_NO && p->has_return &&
	    (p->returns & SEARCH_RETURN_SAVE))
		numset_copy(&cmd->session->selected->saved, &(struct numset){ 0 });
}
