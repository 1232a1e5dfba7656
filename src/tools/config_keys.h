/*
 * The numbers of the configuration as one table: from it come the schema, the
 * checks, the defaults and the text that `init` writes.
 */
#ifndef TOOLS_CONFIG_KEYS_H
#define TOOLS_CONFIG_KEYS_H

#include "tools/config.h"

enum config_section { SECTION_LOGINS, SECTION_LIMITS, SECTION_QUOTA, SECTION_THREADS, SECTIONS };
enum { SECTION_KEYS_MAX = 40 };

struct number_key {
	enum config_section section;
	const char *key;
	uint64_t least, most, standard; /* as written */
	uint64_t scale;	     /* the value in struct config is so many times that */
	size_t offset, size; /* in struct config; 4 or 8 bytes */
	const char *comment;
};

const char *config_section_name(enum config_section s);
const char *config_section_comment(enum config_section s);
/* The i-th key of all; NULL behind the last. Those of a section stand together. */
const struct number_key *config_number_key(size_t i);
void config_number_set(struct config *c, const struct number_key *k, uint64_t written);

#endif
