/* Flags as a caller names them, kept by an op, and as bits of a mailbox. Private to the
 * store. */
#ifndef STORE_FLAGS_H
#define STORE_FLAGS_H

#include "store/change.h"

#define FLAGS_SYSTEM                                                                     \
	(FLAG_SEEN | FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DELETED | FLAG_DRAFT)

struct flags {
	uint64_t system;
	size_t n;
	uint64_t kept; /* FLAGS_SET: bits that stay */
	struct span *keyword; /* malloc'd, each too */
};
void flags_copy(struct flags *to, const struct flag_names *from);
void flags_done(struct flags *f);

struct flag_bits {
	uint64_t word;
	uint32_t *overflow; /* numbers of keywords beyond the word */
	size_t n_overflow;
};
/* In a plan. Without `make` unknown keywords are left out. ERR_LIMIT. */
enum err flags_resolve(const struct flags *f, struct box *b, bool make, struct arena *a,
		       struct flag_bits *ret);

#endif
