/*
 * Inside auth: the index of names (users.c, users_edit.c), open addressing
 * over an array of users. `{0}` is an empty one.
 */
#ifndef AUTH_USERS_TABLE_H
#define AUTH_USERS_TABLE_H

#include "auth/users.h"

#define USER_NONE UINT32_MAX
#define USERS_MAX (UINT32_MAX / 4)

struct user_index {
	uint32_t *slot; /* position in the array + 1; 0: free */
	size_t cap;	/* a power of two */
	size_t n;
};

/* Which field of a user is the key. */
enum user_key { KEY_NAME, KEY_ACCOUNT };

/* Position of the user with that key, or USER_NONE. */
uint32_t user_index_find(const struct user_index *ix, enum user_key key,
			 const struct user *at, struct span value);
/* Adds at[i], whose key is not there yet. */
void user_index_put(struct user_index *ix, enum user_key key, const struct user *at,
		    uint32_t i);
void user_index_done(struct user_index *ix);

/* What the whole table file says: lines above the first user as they stand. */
struct span users_head(const struct users *u);
/* A crypt(5) string that a line may hold, or "*". */
bool user_hash_ok(struct span hash);
/* "key=value" fields, separated by ":", that a line may hold. */
bool user_more_ok(struct span more);

#endif
