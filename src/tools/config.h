/*
 * DIR/mailstile.yaml, the configuration of a site. Strict: an unknown key, a
 * wrong value and a file that was cut off are refused, with line and column.
 * mailstile.yaml(5) is generated knowledge for people; config_text() writes a
 * complete commented file with every key at its default.
 */
#ifndef TOOLS_CONFIG_H
#define TOOLS_CONFIG_H

#include "auth/throttle.h"
#include "auth/userdb.h"
#include "base/arena.h"
#include "server/server.h"
#include "store/quota.h"

struct config {
	struct arena *arena; /* owns all below; config_free */
	const char *dir;     /* DIR as given */
	const char *path;    /* DIR/mailstile.yaml */
	struct server_listener *listener;
	size_t n_listeners;		       /* >= 1 */
	const char *tls_certificate, *tls_key; /* paths, DIR/ put before relative ones */
	const char *tls_minimum;	       /* "1.2" or "1.3" */
	const char *store_engine;	       /* "rocks" or "mem" */
	const char *store_directory;
	bool has_body_index;
	uint64_t disk_reserve;
	uint64_t quota[QUOTA_RESOURCES]; /* store/quota.h; 0: none */
	const char *comment, *admin; /* of the server, for METADATA; "": none */
	struct server_filter *filter; /* shared-filters */
	size_t n_filters;
	uint32_t expunge_history;
	const char *users; /* path of the user table */
	struct userdb_config *database; /* asked in this order for who is not in it */
	size_t n_databases;
	uint64_t database_ms, recheck_ms; /* until it is down; between two looks */
	unsigned database_threads;
	struct policy_rule *rule;
	size_t n_rules;
	const char *client_authorities, *client_revocations; /* paths; NULL: none */
	struct certificate_rule *certificate;
	size_t n_certificates;
	uint64_t remember_ms; /* right passwords, auth/verdict.h */
	struct throttle_config throttle;
	struct server_limits limits;
	bool refuse_8bit_headers, no_sharing;
	unsigned loops; /* 0: one a core */
	unsigned workers;
	enum log_level log_level;
};

/*
 * Reads and checks DIR/mailstile.yaml. ERR_NOENT, ERR_IO, ERR_INVAL; then
 * `ret_why` is a sentence that begins "DIR/mailstile.yaml:LINE:COLUMN: ".
 */
enum err config_load(const char *dir, struct config **ret, struct buf *ret_why);
/* The same from memory. */
enum err config_parse(struct span text, const char *dir, struct config **ret,
		      struct buf *ret_why);
void config_free(struct config *c); /* NULL is fine */

/* What `init` may ask for; the rest is at its default. */
struct config_wish {
	const char *address;  /* NULL: 127.0.0.1 */
	unsigned imap, imaps; /* ports; 0: any that is free */
	bool plaintext_login; /* plaintext-login: loopback on the listener imap */
};
/* The text of a new file: every key, a comment at each. */
void config_text(const struct config_wish *w, struct buf *out);

#endif
