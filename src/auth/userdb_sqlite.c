/*
 * SQLite as a user database. Opened read-only; the file is looked at each time, as one
 * that was replaced would go on being read in its old state.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "auth/userdb_kind.h"
#include "base/arena.h"
#include "base/clock.h"

enum { STEPS = 10000 }; /* of SQLite's machine between two looks at the clock */

struct lite {
	const struct userdb_config *config;
	sqlite3 *db;
	sqlite3_stmt *query;
	uint64_t timeout_ms, end_ms;
	dev_t device;
	ino_t inode;
	enum userdb_column column[COLUMNS];
	int n_columns;
};

static enum err fault(const struct lite *l, enum err rc, struct buf *why)
{
	buf_printf(why, "SQLite database %s: %s.", l->config->file,
		   l->db ? sqlite3_errmsg(l->db) : "out of memory");
	return rc;
}

static void lite_close(void *conn)
{
	struct lite *l = conn;

	sqlite3_finalize(l->query);
	sqlite3_close(l->db);
	free(l);
}

static int is_late(void *arg)
{
	const struct lite *l = arg;

	return clock_mono_ms() >= l->end_ms;
}

static enum err check_columns(struct lite *l, struct buf *why)
{
	l->n_columns = sqlite3_column_count(l->query);
	if (l->n_columns > COLUMNS || l->n_columns < 1) {
		buf_puts(why, "The query gives too many columns, or none.");
		return ERR_INVAL;
	}
	for (int i = 0; i < l->n_columns; i++) {
		const char *name = sqlite3_column_name(l->query, i);

		l->column[i] = userdb_column(name ? name : "");
		if (l->column[i] == COLUMNS) {
			buf_printf(
			    why, "The query gives a column %s, which means nothing here.",
			    name);
			return ERR_INVAL;
		}
	}
	return ERR_OK;
}

static enum err prepare(struct lite *l, struct buf *why)
{
	const char *rest = "";
	int rc = sqlite3_prepare_v3(l->db, l->config->query, -1,
				    SQLITE_PREPARE_PERSISTENT, &l->query, &rest);

	/* what is busy or gone is down; what is wrong with the query is wrong with it */
	if (rc != SQLITE_OK)
		return fault(l, rc == SQLITE_ERROR ? ERR_INVAL : ERR_IO, why);
	if (!l->query || rest[strspn(rest, " \t\r\n;")] ||
	    sqlite3_bind_parameter_count(l->query) != 1 ||
	    !sqlite3_stmt_readonly(l->query)) {
		buf_puts(why, "The query must be one statement that reads, with one "
			      "parameter, the name.");
		return ERR_INVAL;
	}
	return check_columns(l, why);
}

static enum err lite_open(const struct userdb_config *c, uint64_t timeout_ms, void **ret,
			  struct buf *why)
{
	struct lite *l = xcalloc(1, sizeof *l);
	struct stat st;
	enum err rc;

	l->config = c;
	l->timeout_ms = timeout_ms;
	l->end_ms = clock_mono_ms() + timeout_ms;
	if (stat(c->file, &st) == 0) {
		l->device = st.st_dev;
		l->inode = st.st_ino;
	}
	rc = sqlite3_open_v2(c->file, &l->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
			     NULL) == SQLITE_OK
		 ? ERR_OK
		 : fault(l, ERR_IO, why);
	if (rc == ERR_OK) {
		sqlite3_busy_timeout(l->db, (int)timeout_ms);
		sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
		sqlite3_db_config(l->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
		sqlite3_progress_handler(l->db, STEPS, is_late, l);
		rc = prepare(l, why);
	}
	if (rc == ERR_OK)
		*ret = l;
	else
		lite_close(l);
	return rc;
}

static bool is_replaced(const struct lite *l)
{
	struct stat st;

	return stat(l->config->file, &st) != 0 || st.st_dev != l->device ||
	       st.st_ino != l->inode;
}

static void take_row(struct lite *l, struct userdb_row *row)
{
	for (int i = 0; i < l->n_columns; i++) {
		enum userdb_column c = l->column[i];
		const unsigned char *text = sqlite3_column_text(l->query, i);
		int n = sqlite3_column_bytes(l->query, i);

		row->has[c] = text;
		buf_clear(&row->at[c]);
		if (text)
			buf_put(&row->at[c], span_of((const char *)text, (size_t)n));
	}
}

static enum err step(struct lite *l, struct userdb_row *row, struct buf *why)
{
	int rc = sqlite3_step(l->query);

	if (rc == SQLITE_DONE)
		return ERR_NOENT;
	if (rc != SQLITE_ROW)
		return fault(l, rc == SQLITE_ERROR ? ERR_INVAL : ERR_IO, why);
	take_row(l, row);
	rc = sqlite3_step(l->query);
	if (rc == SQLITE_ROW) {
		buf_puts(why, "The query gives more than one row for a name.");
		return ERR_INVAL;
	}
	return rc == SQLITE_DONE ? ERR_OK : fault(l, ERR_IO, why);
}

static enum err lite_find(void *conn, struct span name, struct userdb_row *ret,
			  struct buf *why)
{
	struct lite *l = conn;
	enum err rc;

	if (is_replaced(l)) {
		buf_printf(why, "The SQLite database %s was replaced or taken away.",
			   l->config->file);
		return ERR_IO;
	}
	l->end_ms = clock_mono_ms() + l->timeout_ms;
	if (sqlite3_bind_text(l->query, 1, name.p, (int)name.n, SQLITE_TRANSIENT) !=
	    SQLITE_OK)
		return fault(l, ERR_IO, why);
	rc = step(l, ret, why);
	sqlite3_reset(l->query);
	sqlite3_clear_bindings(l->query);
	return rc;
}

const struct userdb_kind userdb_sqlite = {
	.open = lite_open,
	.close = lite_close,
	.find = lite_find,
};
