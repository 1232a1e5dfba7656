/* A set of digests that counts how often each came; 24 bytes an entry. */
#ifndef TOOLS_KEY_SET_H
#define TOOLS_KEY_SET_H

#include <stddef.h>
#include <stdint.h>

enum { KEY_BYTES = 16 };

struct key_entry {
	uint8_t key[KEY_BYTES];
	uint32_t count; /* 0: free */
};
struct key_set { /* `{0}` is the empty one */
	struct key_entry *at;
	size_t n, cap;
};

/* Returns how often it is there now. */
uint32_t key_set_add(struct key_set *s, const uint8_t key[KEY_BYTES]);
uint32_t key_set_count(const struct key_set *s, const uint8_t key[KEY_BYTES]);
void key_set_done(struct key_set *s);

#endif
