/*
 * Messages that have gone while their EXPUNGE may not be sent yet (RFC 9051
 * section 7.5.1): what their client was last told of them stays what it is told. The
 * version whose numbers it uses may be older, and with it a MODSEQ would fall (RFC 7162
 * section 3.1).
 */
#ifndef SERVER_GONE_H
#define SERVER_GONE_H

#include "base/numset.h"
#include "store/view.h"

struct gone_message {
	uint32_t uid;
	uint64_t modseq, flags;	     /* as in struct view_msg */
	struct numset more_keywords; /* numbers of those that `flags` has no bit for */
};

struct gone {
	struct gone_message *at; /* by UID */
	size_t n, room;
};

/* Remembers those of `view` that are in `told` and no longer in `now`. */
void gone_add(struct gone *g, const struct view *view, const struct view *told,
	      const struct view *now);
/* NULL: none of these. Valid until the next change. */
const struct gone_message *gone_find(const struct gone *g, uint32_t uid);
bool gone_has_keyword(const struct gone_message *m, size_t keyword);
/* Empties and frees; it may be used again. */
void gone_done(struct gone *g);

#endif
