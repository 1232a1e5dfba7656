/* Private to mail: strings as small numbers, from 0, in the order they were first seen.
 */
#ifndef MAIL_INTERN_H
#define MAIL_INTERN_H

#include "base/buf.h"

struct intern {
	uint64_t
	    seed; /* set before the first use: whoever chooses strings must not know it */
	struct buf bytes;
	struct intern_entry {
		size_t off, n;
		uint64_t hash;
	} * entries;
	uint32_t *slots; /* number + 1; 0: free */
	size_t n, cap, n_slots;
};

uint32_t intern(struct intern *t, struct span s);
void intern_done(struct intern *t);

#endif
