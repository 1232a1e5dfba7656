/* The databases in order: connections, what is down and for how long, threads. */
#include "auth/userdb.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/un.h>

#include "auth/userdb_kind.h"
#include "base/arena.h"
#include "base/clock.h"

enum {
	BACKOFF_FIRST_MS = 250,
	BACKOFF_MOST_MS = 30000,
	IDLE_MAX = 1024,
	SASL_STRING_MAX = 255,
};

struct userdb {
	struct userdb_config c;
	const struct userdb_kind *kind;
	pthread_mutex_t lock; /* guards all below */
	void *idle[IDLE_MAX]; /* connections that nobody uses now */
	size_t n_idle;
	uint64_t generation; /* of connections: those of before a failure are closed */
	uint64_t down_until_ms, backoff_ms;
	bool is_down;	/* as was said last */
	bool is_faulty; /* a row or the query could not be used, as was said last */
};

struct userdbs {
	struct arena *arena;
	struct userdb *at;
	size_t n;
	uint64_t timeout_ms;
	struct workers *threads;
	struct userdb_note note;
};

static const struct userdb_kind *kind_of(enum userdb_type type)
{
	switch (type) {
	case USERDB_SQLITE: return &userdb_sqlite;
	case USERDB_SASLAUTHD: return &userdb_saslauthd;
	default: return NULL;
	}
}

static const char *keep(struct arena *a, const char *s)
{
	return s ? arena_strdup(a, s) : NULL;
}

static void userdb_init(struct userdb *db, struct arena *a, const struct userdb_config *c)
{
	db->c = *c;
	db->c.name = keep(a, c->name);
	db->c.file = keep(a, c->file);
	db->c.connection = keep(a, c->connection);
	db->c.query = keep(a, c->query);
	db->c.socket = keep(a, c->socket);
	db->c.service = keep(a, c->service);
	db->c.realm = keep(a, c->realm);
	db->c.groups = keep(a, c->groups);
	db->kind = kind_of(c->type);
	pthread_mutex_init(&db->lock, NULL);
}

struct userdbs *userdbs_new(const struct userdb_config *c, size_t n, unsigned threads,
			    uint64_t timeout_ms, struct userdb_note note)
{
	struct workers *w = workers_new(threads);
	struct userdbs *d;

	if (!w)
		return NULL;
	d = xcalloc(1, sizeof *d);
	d->arena = arena_new(NULL);
	d->at = arena_array(d->arena, n, sizeof *d->at);
	d->n = n;
	d->timeout_ms = timeout_ms;
	d->threads = w;
	d->note = note;
	for (size_t i = 0; i < n; i++)
		userdb_init(&d->at[i], d->arena, &c[i]);
	return d;
}

void userdbs_stop(struct userdbs *d)
{
	if (d && d->threads) {
		workers_free(d->threads);
		d->threads = NULL;
	}
}

void userdbs_free(struct userdbs *d)
{
	if (!d)
		return;
	userdbs_stop(d);
	for (size_t i = 0; i < d->n; i++) {
		struct userdb *db = &d->at[i];

		while (db->n_idle)
			db->kind->close(db->idle[--db->n_idle]);
		pthread_mutex_destroy(&db->lock);
	}
	arena_free(d->arena);
	free(d);
}

struct executor *userdbs_executor(struct userdbs *d)
{
	return workers_executor(d->threads);
}

bool userdb_name_ok(struct span name)
{
	struct user_name normal;
	struct buf prepared = { 0 };
	bool is_ok = user_name_make(name, &normal) == ERR_OK &&
		     span_eq(name, span_of(normal.text, normal.n)) &&
		     scram_prepare(name, false, &prepared) == ERR_OK &&
		     span_eq(buf_span(&prepared), name);

	for (size_t i = 0; i < name.n && is_ok; i++)
		is_ok = !strchr("%*?\\()/", name.p[i]);
	buf_done(&prepared);
	return is_ok;
}

/* As everybody's row would have them. */
static bool groups_ok(const struct userdb_config *c, struct buf *ret_why)
{
	struct userdb_row row = { 0 };
	struct users *u = NULL;
	enum err rc = userdb_row_user(&row, c, SPAN("everybody"), &u, ret_why);

	users_unref(u);
	return rc == ERR_OK;
}

bool userdb_config_ok(const struct userdb_config *c, struct buf *ret_why)
{
	bool is_sql = c->type != USERDB_SASLAUTHD;

	if (is_sql && (!c->query || !*c->query))
		buf_puts(ret_why, "The query is missing.");
	else if (c->type == USERDB_SQLITE && (!c->file || !*c->file))
		buf_puts(ret_why, "The file of the SQLite database is missing.");
	else if (c->type == USERDB_POSTGRESQL && !c->connection)
		buf_puts(ret_why, "The connection to PostgreSQL is missing.");
	else if (c->type == USERDB_SASLAUTHD && (!c->socket || !*c->socket))
		buf_puts(ret_why, "The socket of saslauthd is missing.");
	else if (c->type == USERDB_SASLAUTHD &&
		 (strlen(c->socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path ||
		  (c->service && strlen(c->service) > SASL_STRING_MAX) ||
		  (c->realm && strlen(c->realm) > SASL_STRING_MAX)))
		buf_puts(ret_why,
			 "The path of a socket has 107 bytes at most; service and "
			 "realm have 255.");
	else
		return is_sql || groups_ok(c, ret_why);
	return false;
}

/* ---- one database ---- */

/* A connection; `ret` NULL: a new one must be made. ERR_IO: it is down for now. */
static enum err take(struct userdb *db, void **ret, uint64_t *ret_generation)
{
	enum err rc = ERR_OK;

	pthread_mutex_lock(&db->lock);
	*ret = NULL;
	*ret_generation = db->generation;
	if (clock_mono_ms() < db->down_until_ms)
		rc = ERR_IO;
	else if (db->n_idle)
		*ret = db->idle[--db->n_idle];
	pthread_mutex_unlock(&db->lock);
	return rc;
}

static void give_back(struct userdb *db, void *conn, uint64_t generation)
{
	pthread_mutex_lock(&db->lock);
	if (generation == db->generation && db->n_idle < IDLE_MAX) {
		db->idle[db->n_idle++] = conn;
		conn = NULL;
	}
	pthread_mutex_unlock(&db->lock);
	if (conn)
		db->kind->close(conn);
}

static void say(const struct userdbs *d, const struct userdb *db, bool is_up,
		struct buf *why)
{
	buf_putc(why, 0);
	if (d->note.say)
		d->note.say(d->note.arg, db->c.name, is_up, buf_span(why).p);
}

/* It answered: what was said of it is over. */
static void went_well(const struct userdbs *d, struct userdb *db)
{
	struct buf text = { 0 };
	bool was_down;

	pthread_mutex_lock(&db->lock);
	was_down = db->is_down || db->is_faulty;
	db->is_down = db->is_faulty = false;
	db->down_until_ms = db->backoff_ms = 0;
	pthread_mutex_unlock(&db->lock);
	if (was_down) {
		buf_puts(&text, "The database answers again.");
		say(d, db, true, &text);
	}
	buf_done(&text);
}

/* It did not: not asked again for a while. */
static void went_down(const struct userdbs *d, struct userdb *db, struct buf *why)
{
	uint64_t now = clock_mono_ms();
	bool is_news;

	pthread_mutex_lock(&db->lock);
	/* of many that failed together the first counts */
	is_news = now >= db->down_until_ms;
	if (is_news) {
		db->backoff_ms = db->backoff_ms ? db->backoff_ms * 2 : BACKOFF_FIRST_MS;
		if (db->backoff_ms > BACKOFF_MOST_MS)
			db->backoff_ms = BACKOFF_MOST_MS;
		db->down_until_ms = now + db->backoff_ms;
	}
	db->is_down = true;
	db->generation++;
	while (db->n_idle)
		db->kind->close(db->idle[--db->n_idle]);
	pthread_mutex_unlock(&db->lock);
	if (is_news)
		say(d, db, false, why);
}

/* The query, or what it gave: asking again is no use, but harms nobody. */
static void is_faulty(const struct userdbs *d, struct userdb *db, struct buf *why)
{
	pthread_mutex_lock(&db->lock);
	db->is_faulty = true;
	pthread_mutex_unlock(&db->lock);
	say(d, db, false, why);
}

struct question {
	struct span name;
	const struct span *password; /* NULL: find */
	struct userdb_row row;
	struct users **ret;
};

static enum err put_question(struct userdb *db, void *conn, struct question *q,
			     struct buf *why)
{
	enum err rc;

	if (q->password)
		return db->kind->ask(conn, q->name, *q->password, why);
	rc = db->kind->find(conn, q->name, &q->row, why);
	return rc == ERR_OK ? userdb_row_user(&q->row, &db->c, q->name, q->ret, why) : rc;
}

/* A connection that has lain idle may have been closed by the other side: then once more,
 * on a new one. */
static enum err ask_one(const struct userdbs *d, struct userdb *db, struct question *q)
{
	struct buf why = { 0 };
	uint64_t generation;
	void *conn;
	enum err rc = take(db, &conn, &generation);
	bool is_used = conn;

	while (rc == ERR_OK) {
		if (!conn)
			rc = db->kind->open(&db->c, d->timeout_ms, &conn, &why);
		if (rc == ERR_OK)
			rc = put_question(db, conn, q, &why);
		if (rc != ERR_IO)
			break;
		if (conn)
			db->kind->close(conn);
		conn = NULL;
		if (is_used) {
			is_used = false;
			buf_clear(&why);
			rc = ERR_OK;
			continue;
		}
		went_down(d, db, &why);
	}
	if (conn)
		give_back(db, conn, generation);
	if (rc == ERR_OK || rc == ERR_NOENT || rc == ERR_AUTH)
		went_well(d, db);
	else if (rc == ERR_INVAL)
		is_faulty(d, db, &why);
	buf_done(&why);
	userdb_row_done(&q->row);
	return rc == ERR_INVAL ? ERR_IO : rc;
}

enum err userdbs_find(struct userdbs *d, struct span name, struct users **ret)
{
	enum err rc = ERR_NOENT;

	if (!userdb_name_ok(name))
		return ERR_NOENT;
	for (size_t i = 0; i < d->n && rc == ERR_NOENT; i++) {
		struct question q = { .name = name, .ret = ret };

		rc = ask_one(d, &d->at[i], &q);
	}
	return rc;
}

enum err userdbs_ask(struct userdbs *d, const struct user *u, struct span password)
{
	struct span who = span_sub(u->hash, USER_HASH_ASK.n, u->hash.n);
	struct question q = { .name = u->name, .password = &password };

	for (size_t i = 0; i < d->n; i++)
		if (d->at[i].kind->ask && span_eq(span_str(d->at[i].c.name), who))
			return ask_one(d, &d->at[i], &q);
	return ERR_AUTH;
}

enum err userdbs_ask_in_vain(struct userdbs *d, struct span name)
{
	const struct span wrong = SPAN("\x01");
	struct question q = { .name = name, .password = &wrong };

	for (size_t i = 0; i < d->n; i++)
		if (d->at[i].c.knows_everybody && userdb_name_ok(name))
			return ask_one(d, &d->at[i], &q) == ERR_IO ? ERR_IO : ERR_OK;
	return ERR_OK;
}
