/* Messages that have gone while their EXPUNGE may not be sent yet. */
#include "server/gone.h"

#include "base/arena.h"
#include "store/limits.h"

#include <stdlib.h>
#include <string.h>

struct walk {
	struct gone *gone;
	const struct view *view, *told;
};

/* Where a UID is, or would be. */
static size_t place_of(const struct gone *g, uint32_t uid)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (g->at[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct gone_message *insert(struct gone *g, uint32_t uid)
{
	size_t at = place_of(g, uid);

	if (g->n == g->room) {
		g->room = g->room ? 2 * g->room : 16;
		g->at = xrealloc(g->at, g->room * sizeof *g->at);
	}
	memmove(g->at + at + 1, g->at + at, (g->n - at) * sizeof *g->at);
	g->n++;
	g->at[at] = (struct gone_message){ .uid = uid };
	return &g->at[at];
}

static void remember(void *arg, uint32_t told_seq, uint32_t uid)
{
	struct walk *w = arg;
	struct view_msg told;
	struct gone_message *m;

	if (!view_seq(w->view, uid))
		return; /* it came and went unheard */
	told = view_get(w->told, told_seq);
	m = insert(w->gone, uid);
	m->modseq = told.modseq;
	m->flags = told.flags;
	for (size_t k = STORE_KEYWORDS_FLAGS; k < view_keywords(w->told); k++)
		if (view_has_keyword(w->told, told_seq, k))
			numset_add(&m->more_keywords, (uint32_t)k);
}

void gone_add(struct gone *g, const struct view *view, const struct view *told,
	      const struct view *now)
{
	struct walk w = { .gone = g, .view = view, .told = told };

	view_diff(told, now, &(struct view_diff){ .expunged = remember, .arg = &w });
}

const struct gone_message *gone_find(const struct gone *g, uint32_t uid)
{
	size_t at = place_of(g, uid);

	return at < g->n && g->at[at].uid == uid ? &g->at[at] : NULL;
}

bool gone_has_keyword(const struct gone_message *m, size_t keyword)
{
	return keyword < STORE_KEYWORDS_FLAGS
		   ? m->flags >> (8 + keyword) & 1
		   : numset_has(&m->more_keywords, (uint32_t)keyword);
}

void gone_done(struct gone *g)
{
	for (size_t i = 0; i < g->n; i++)
		numset_done(&g->at[i].more_keywords);
	free(g->at);
	*g = (struct gone){ 0 };
}
