/*
 * User databases beside the table: SQLite, PostgreSQL and saslauthd (which has LDAP and
 * PAM behind it, so that no library that blocks is in the server). They are asked in
 * order; the first that knows a name decides.
 *
 * An answer is turned into a line of the user table (users.h) and read as one, so what a
 * database says is checked as strictly as what stands in the file. Calls block, so they
 * are made on the databases' own threads (userdbs_executor): one that hangs holds
 * neither a loop nor the workers of the store. What does not answer in time is "down" for
 * a while that doubles with each failure, and fails at once meanwhile.
 */
#ifndef AUTH_USERDB_H
#define AUTH_USERDB_H

#include "auth/users.h"
#include "base/task.h"

enum userdb_type { USERDB_SQLITE, USERDB_POSTGRESQL, USERDB_SASLAUTHD };

struct userdb_config {
	const char *name; /* in the log; letters, digits and "-" */
	enum userdb_type type;
	const char *file;	/* SQLite: the path */
	const char *connection; /* PostgreSQL: a conninfo string of libpq */
	/*
	 * One statement with one parameter, the name in normal form, bound and never put
	 * into the text. No row: unknown. Columns by name: password, scram_sha_1,
	 * scram_sha_256, scram_sha_512, groups, role, account; at least one of them.
	 */
	const char *query;
	const char *socket, *service, *realm; /* saslauthd */
	const char *groups;   /* saslauthd: of everybody, "," between them; NULL: none */
	bool has_admins;      /* its "role" may make administrators */
	bool knows_everybody; /* saslauthd: also names that no other database has */
};

/* What the operator has to know: a database went down or came back. Any thread. */
struct userdb_note {
	void (*say)(void *arg, const char *name, bool is_up, const char *sentence);
	void *arg;
};

struct userdbs;

/*
 * Copies the configuration; connects when first asked. `threads`: how many logins may
 * wait for databases at a time. NULL: the system refuses threads.
 */
struct userdbs *userdbs_new(const struct userdb_config *c, size_t n, unsigned threads,
			    uint64_t timeout_ms, struct userdb_note note);
/* Waits for what is under way; nothing may be asked any more. */
void userdbs_stop(struct userdbs *d);
void userdbs_free(struct userdbs *d); /* stops first; NULL is fine */
struct executor *userdbs_executor(struct userdbs *d);

/*
 * Everything below blocks for at most the timeout of each database.
 *
 * A table with that one user; the caller has the reference. ERR_NOENT: nobody, or a name
 * that databases are not asked for (userdb_name_ok). ERR_IO: one of them did not answer,
 * or gave what cannot be used.
 */
enum err userdbs_find(struct userdbs *d, struct span name, struct users **ret);
/*
 * Whether that is the password, by the saslauthd that `hash` of the user names
 * (USER_HASH_ASK). ERR_OK, ERR_AUTH, ERR_IO.
 */
enum err userdbs_ask(struct userdbs *d, const struct user *u, struct span password);

/*
 * Takes the time that a wrong password of a name takes that only a saslauthd can judge,
 * for one of another place: it is asked with a password that is nobody's. ERR_OK; ERR_IO.
 */
enum err userdbs_ask_in_vain(struct userdbs *d, struct span name);

/*
 * Names for which databases are asked: in normal form, the same after SASLprep (RFC
 * 4013), and without "%*?\()/", which mean something in patterns, filters and paths.
 */
bool userdb_name_ok(struct span name);

/* Whether it can be used; if not, `ret_why` gets a sentence. Opens nothing. */
bool userdb_config_ok(const struct userdb_config *c, struct buf *ret_why);

#endif
