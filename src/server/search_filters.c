/* Filters: searches with a name (RFC 5466). */
#include "server/search_filters.h"

#include "server/metadata.h"
#include "server/reply.h"
#include "server/search_term.h"

enum {
	PASSES_MAX = 8, /* of filters within filters: section 3.1 wants 3 */
	USES_MAX = 64,	/* in one pass */
};

struct search_filter_use {
	struct search_node *node;
	unsigned depth; /* how many keys stand around it */
};

/* ---- what is to be replaced ---- */

/* False: there are too many. */
static bool collect(struct search_filters *f, struct search_node *n, unsigned depth)
{
	if (n->key == SEARCH_FILTER) {
		if (f->n == USES_MAX)
			return false;
		f->uses[f->n++] = (struct search_filter_use){ n, depth };
	}
	for (struct search_node *c = n->child; c; c = c->next)
		if (!collect(f, c, depth + 1))
			return false;
	return true;
}

/* Those of a key that has children are all theirs. */
static unsigned needs_again(struct search_node *n)
{
	unsigned needs = 0;

	for (struct search_node *c = n->child; c; c = c->next)
		needs |= needs_again(c);
	if (n->child)
		n->needs = needs;
	return n->needs;
}

static enum verdict undefined(struct cmd *cmd, struct span name)
{
	return reply_no(
	    cmd, arena_printf(cmd->arena, "UNDEFINED-FILTER %.*s", (int)name.n, name.p),
	    "There is no such filter.");
}

static enum verdict too_large(struct cmd *cmd)
{
	return reply_no(cmd, "LIMIT", "With its filters the search is too large.");
}

/* Entries are in lower case. */
static struct span lower(struct arena *a, struct span s)
{
	struct span low = arena_dup(a, s);

	for (size_t i = 0; i < low.n; i++)
		if (low.p[i] >= 'A' && low.p[i] <= 'Z')
			((char *)(uintptr_t)low.p)[i] |= 0x20;
	return low;
}

static enum verdict pass(struct search_filters *f)
{
	struct cmd *cmd = f->cmd;
	struct attr_query *q;

	f->n = 0;
	if (!(f->program->needs & SEARCH_NEED_FILTERS))
		return CMD_DONE;
	if (!collect(f, f->program->root, 0))
		return too_large(cmd);
	if (f->passes++ == PASSES_MAX)
		return undefined(cmd, f->uses[0].node->u.text);
	q = arena_array(cmd->arena, f->n, sizeof *q);
	for (size_t i = 0; i < f->n; i++) {
		struct span name = lower(cmd->arena, f->uses[i].node->u.text);
		const char *entry = arena_printf(
		    cmd->arena, "/private" METADATA_FILTERS "%.*s", (int)name.n, name.p);

		q[i].key = metadata_key(cmd->session, 0, span_str(entry));
		q[i].is_exact = true;
	}
	return cmd_wait(cmd, f->step,
			attrs_read(cmd->session->account, q, f->n, cmd_to(cmd)));
}

/* ---- what it is replaced by ---- */

static const struct server_filter *shared_of(const struct cmd *cmd, struct span name)
{
	const struct server_config *c = &cmd->server->config;

	for (size_t i = 0; i < c->n_filters; i++)
		if (span_ieq(span_str(c->filters[i].name), name))
			return &c->filters[i];
	return NULL;
}

/* Section 3.1: the user's own one goes before everybody's. */
static struct span value_of(struct search_filters *f, size_t i)
{
	const struct attrs *got = op_attrs(f->cmd->op);
	const struct server_filter *shared;

	for (size_t k = 0; k < got->n; k++)
		if (got->at[k].query == i)
			return arena_dup(f->cmd->arena, got->at[k].value);
	shared = shared_of(f->cmd, f->uses[i].node->u.text);
	return shared ? span_str(shared->search) : SPAN_NONE;
}

static bool read_keys(struct arena *a, struct span text, unsigned depth,
		      struct search_program *ret)
{
	struct cursor c = cursor_of(text, true, a);

	c.depth = depth;
	return wire_is_utf8(text) && cursor_search_keys(&c, SEARCH_KEYS_SERVED, ret) &&
	       cursor_rest_empty(&c);
}

/* False: the reply is set. */
static bool replace(struct search_filters *f, size_t i)
{
	struct search_node *n = f->uses[i].node;
	struct span value = value_of(f, i);
	struct search_program keys;

	if (!value.p) {
		undefined(f->cmd, n->u.text);
		return false;
	}
	if (!read_keys(f->cmd->arena, value, f->uses[i].depth, &keys)) {
		reply_no(f->cmd, NULL, "A filter is not a whole search, or too deep.");
		return false;
	}
	f->program->n_nodes += keys.n_nodes;
	if (f->program->n_nodes > WIRE_SEARCH_NODES_MAX) {
		too_large(f->cmd);
		return false;
	}
	n->key = SEARCH_AND;
	n->child = keys.root->child;
	n->u.text = SPAN_NONE;
	return true;
}

enum verdict search_filters_go_on(struct search_filters *f)
{
	if (f->cmd->op->rc != ERR_OK)
		return reply_err(f->cmd, f->cmd->op->rc);
	for (size_t i = 0; i < f->n; i++)
		if (!replace(f, i))
			return CMD_DONE;
	f->program->needs = needs_again(f->program->root);
	return pass(f);
}

enum verdict search_filters_begin(struct search_filters *f, struct cmd *cmd,
				  struct search_program *p, int step)
{
	struct span charset = p->charset;

	if (!(p->needs & SEARCH_NEED_FILTERS))
		return CMD_DONE;
	/* Section 3.1: they are in UTF-8, and so is the command. */
	if (charset.p && !span_ieq(charset, SPAN("UTF-8")) &&
	    !span_ieq(charset, SPAN("US-ASCII")))
		return reply_bad_code(cmd, "BADCHARSET (US-ASCII UTF-8)",
				      "With FILTER the charset is UTF-8.");
	if (charset.p)
		p->charset = SPAN("UTF-8");
	*f = (struct search_filters){ .cmd = cmd, .program = p, .step = step };
	f->uses = arena_array(cmd->arena, USES_MAX, sizeof *f->uses);
	return pass(f);
}

/* ---- their entries ---- */

bool search_filter_is_search(struct span text)
{
	struct arena *a = arena_new(NULL);
	struct search_program p;
	bool is_search = read_keys(a, text, 0, &p);

	arena_free(a);
	return is_search;
}

bool search_filter_may_be(struct cmd *cmd, struct span entry, struct span value)
{
	if (!value.p || !span_starts(entry, SPAN("/private" METADATA_FILTERS)))
		return true;
	return search_filter_is_search(value);
}

#define VALUES	     "/shared" METADATA_FILTERS
#define DESCRIPTIONS "/shared/filters/descriptions/"

bool search_filter_computed(struct cmd *cmd, struct span entry, struct span *ret_value)
{
	bool is_value = span_starts(entry, SPAN(VALUES));
	size_t skip = is_value ? sizeof VALUES - 1 : sizeof DESCRIPTIONS - 1;
	const struct server_filter *f;
	const char *s;

	if (!is_value && !span_starts(entry, SPAN(DESCRIPTIONS)))
		return false;
	f = shared_of(cmd, span_sub(entry, skip, SIZE_MAX));
	s = !f ? NULL : is_value ? f->search : f->description;
	*ret_value = s ? span_str(s) : SPAN_NONE;
	return true;
}

const char *search_filter_entry(struct cmd *cmd, size_t i)
{
	const struct server_config *c = &cmd->server->config;

	if (i / 2 >= c->n_filters)
		return NULL;
	return arena_printf(cmd->arena, "%s%s", i % 2 ? DESCRIPTIONS : VALUES,
			    c->filters[i / 2].name);
}

const struct extension ext_filters = {
	.name = "FILTERS",
	.rfc = "RFC 5466",
	.about = "searches with a name, each user's own and everybody's",
	.capability = "FILTERS",
	.states = IN_LOGGED_IN,
};
