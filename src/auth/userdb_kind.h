/* Inside auth: one kind of database (userdb_*.c), and the row that it gives. */
#ifndef AUTH_USERDB_KIND_H
#define AUTH_USERDB_KIND_H

#include "auth/scram.h"
#include "auth/userdb.h"

enum userdb_column {
	COLUMN_PASSWORD,
	COLUMN_SCRAM_SHA_1,
	COLUMN_SCRAM_SHA_256,
	COLUMN_SCRAM_SHA_512,
	COLUMN_GROUPS,
	COLUMN_ROLE,
	COLUMN_ACCOUNT,
	COLUMNS
};

/* What a query gave; a column that is NULL or absent has no bytes. */
struct userdb_row {
	struct buf at[COLUMNS];
	bool has[COLUMNS]; /* not NULL */
};

void userdb_row_done(struct userdb_row *r);
/* COLUMNS: there is none of that name. */
enum userdb_column userdb_column(const char *name);
/*
 * The user as a table of one (userdb.h). ERR_INVAL: the row cannot be used, and `ret_why`
 * gets a sentence.
 */
enum err userdb_row_user(const struct userdb_row *r, const struct userdb_config *c,
			 struct span name, struct users **ret, struct buf *ret_why);
/* The account of who has none in his database: always the same for a name. */
void userdb_account(struct span name, char ret[USER_ACCOUNT_LEN + 1]);

struct userdb_kind {
	/* A connection of this thread's. ERR_IO with a sentence. */
	enum err (*open)(const struct userdb_config *c, uint64_t timeout_ms, void **ret,
			 struct buf *ret_why);
	void (*close)(void *conn);
	/* ERR_OK and the row; ERR_NOENT; ERR_IO: the connection is no good any more, or
	 * ERR_INVAL: the query or what it gave; both with a sentence. */
	enum err (*find)(void *conn, struct span name, struct userdb_row *ret,
			 struct buf *ret_why);
	/* ERR_OK, ERR_AUTH, ERR_IO. NULL: passwords are not asked for. */
	enum err (*ask)(void *conn, struct span name, struct span password,
			struct buf *ret_why);
};

extern const struct userdb_kind userdb_sqlite, userdb_postgresql, userdb_saslauthd;

#endif
