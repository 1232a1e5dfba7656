/*
 * What a FETCH needs of its messages, and which of them are asked for together. A
 * large message is alone in its batch and streams (fetch_body.c).
 */
#include "server/fetch_state.h"
#include "server/selected.h"

bool fetch_is_whole(const struct fetch_item *item)
{
	return (item->kind & (FETCH_SECTION | FETCH_RFC822)) &&
	       item->section.n_path == 0 && item->section.text == FETCH_TEXT_WHOLE;
}

bool fetch_is_fields(const struct fetch_item *item)
{
	const struct fetch_section *sec = &item->section;

	return item->kind == FETCH_SECTION && sec->n_path == 0 &&
	       (sec->text == FETCH_TEXT_HEADER_FIELDS ||
		sec->text == FETCH_TEXT_HEADER_FIELDS_NOT);
}

static unsigned want_of(const struct fetch_item *item)
{
	if (!fetch_is_content(item))
		return 0;
	switch (item->kind) {
	case FETCH_ENVELOPE: return WANT_SUMMARY | WANT_ENVELOPE;
	case FETCH_BODY: return WANT_SUMMARY | WANT_BODY;
	case FETCH_BODYSTRUCTURE: return WANT_SUMMARY | WANT_STRUCTURE;
	case FETCH_PREVIEW: return WANT_SUMMARY | WANT_PARTS | WANT_BYTES;
	default: break;
	}
	if (fetch_is_whole(item))
		return WANT_BYTES;
	if (fetch_is_fields(item))
		return WANT_SUMMARY | WANT_HEADER;
	return WANT_SUMMARY | WANT_PARTS | WANT_BYTES;
}

void fetch_want(struct fetch_state *st)
{
	const struct fetch_item *fields = NULL;
	size_t n_fields = 0;

	for (size_t i = 0; i < st->args.n_items; i++) {
		const struct fetch_item *item = &st->args.items[i];

		st->want.what |= want_of(item);
		if (fetch_is_fields(item)) {
			fields = item;
			n_fields++;
		}
	}
	/* filtered where it is read, when that serves all */
	if (n_fields == 1 && fields->section.n_names) {
		st->want.names = fields->section.names;
		st->want.n_names = fields->section.n_names;
		st->want.is_not = fields->section.text == FETCH_TEXT_HEADER_FIELDS_NOT;
	} else if (n_fields) {
		st->want.what |= WANT_PARTS;
	}
	st->want_large = st->want;
	st->want_large.what &= ~(unsigned)WANT_BYTES;
}

/* The message of a UID that was resolved; most of the time it is the next one. */
static bool find(struct cmd *cmd, uint32_t uid, struct ahead_message *ret)
{
	struct fetch_state *st = cmd->state;
	struct selected *sel = cmd->session->selected;

	if (sel->told != sel->view)
		return selected_message(sel, uid, &ret->seq, &ret->msg);
	if (st->at_walk == st->n_walk || st->walk[st->at_walk].uid != uid) {
		st->walk_seq = view_seq(sel->view, uid);
		st->at_walk = 0;
		st->n_walk = view_walk(sel->view, st->walk_seq, st->walk,
				       sizeof st->walk / sizeof *st->walk);
	}
	if (st->n_walk == 0)
		return false;
	ret->seq = st->walk_seq + (uint32_t)st->at_walk;
	ret->msg = st->walk[st->at_walk++];
	return true;
}

enum ahead_fill fetch_fill(struct ahead *ahead, struct ahead_batch *b,
			   const struct want **want)
{
	struct cmd *cmd = ahead->arg;
	struct fetch_state *st = cmd->state;
	bool has_bytes = st->want.what & WANT_BYTES;
	uint64_t bytes = 0;
	uint32_t uid;

	st->want.bytes = 0;
	*want = st->want.what ? &st->want : NULL;
	while (b->n < AHEAD_BATCH && bytes < FETCH_CHUNK) {
		struct ahead_message *m = &b->at[b->n];
		struct numset_iter before = st->it;

		if (!numset_next(&st->it, &uid))
			return AHEAD_OVER;
		if (ahead_is_full(b, uid)) {
			st->it = before;
			return AHEAD_MORE;
		}
		if (!find(cmd, uid, m))
			continue;
		if (has_bytes && m->msg.info->bytes > FETCH_SMALL) {
			if (b->n == 0) {
				b->n = 1;
				*want = st->want_large.what ? &st->want_large : NULL;
			} else {
				st->it = before;
				st->n_walk = st->at_walk = 0;
			}
			return AHEAD_MORE;
		}
		bytes += has_bytes ? m->msg.info->bytes : 0;
		st->want.bytes = (size_t)bytes;
		b->n++;
	}
	return AHEAD_MORE;
}
