/*
 * Filters: searches with a name (RFC 5466). A user's own are METADATA entries of the
 * server, /private/filters/values/NAME; those for all users are the operator's and stand
 * in the configuration. A FILTER key is replaced by what it names before a program is
 * made ready (search_run.h).
 */
#ifndef SERVER_SEARCH_FILTERS_H
#define SERVER_SEARCH_FILTERS_H

#include "server/command.h"
#include "wire/search.h"

struct search_filter_use; /* a FILTER key */

struct search_filters { /* private */
	struct cmd *cmd;
	struct search_program *program;
	int step;
	unsigned passes;
	struct search_filter_use *uses;
	size_t n;
};

/*
 * Replaces the FILTER keys of a program in the command's arena, and those of what they
 * name. CMD_DONE: there are none left, or the reply is set: a filter is not there (or
 * names itself), or is no search. Else the command's verdict; it calls the other at
 * `step`.
 */
enum verdict search_filters_begin(struct search_filters *f, struct cmd *cmd,
				  struct search_program *p, int step);
enum verdict search_filters_go_on(struct search_filters *f);

/* Whether the value may be that entry's: false for a filter that is no whole search. */
bool search_filter_may_be(struct cmd *cmd, struct span entry, struct span value);
/* As metadata_computed() and metadata_computed_name(), of the operator's filters. */
bool search_filter_computed(struct cmd *cmd, struct span entry, struct span *ret_value);
const char *search_filter_entry(struct cmd *cmd, size_t i);
/* Whether text is a whole search as a filter may have it. */
bool search_filter_is_search(struct span text);

#endif
