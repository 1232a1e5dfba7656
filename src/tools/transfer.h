/* The progress of an import or export on a terminal: bytes, messages, rate, time left. */
#ifndef TOOLS_TRANSFER_H
#define TOOLS_TRANSFER_H

#include "base/buf.h"

struct transfer {
	int fd; /* -1: not a terminal, nothing is shown */
	bool is_drawn;
	uint64_t start_ms, last_ms, mark_ms, mark_bytes;
	double rate; /* bytes a second, smoothed */
	uint64_t total, done, messages;
	struct span folder; /* lives as long as it is set */
};

/* Standard error, when it is a terminal. `total` in bytes. */
void transfer_init(struct transfer *t, uint64_t total);
/* Draws when it is time to. */
void transfer_tick(struct transfer *t);
/* The line goes: before something else is printed, and at the end. */
void transfer_clear(struct transfer *t);
/* What the bar says, in so many columns. */
void transfer_bar(const struct transfer *t, unsigned columns, struct buf *out);

#endif
