/* The schema of the configuration (libcyaml) and what it gives: unchecked values. */
#ifndef TOOLS_CONFIG_SCHEMA_H
#define TOOLS_CONFIG_SCHEMA_H

#include "tools/config_keys.h"
#include "tools/config_marks.h"

/* Pointers are NULL where the key is absent. */
struct raw_listener {
	char *name, *address;
	int *protocol; /* enum server_protocol */
	uint64_t *port;
	int *socket_access;	  /* 0 owner, 1 group, 2 everybody */
	int *tls;		  /* enum server_tls */
	int *plaintext_login;	  /* 0 never, 1 loopback */
	int *unauthenticate;	  /* enum auth_gate */
	int *client_certificates; /* 0 none, 1 request */
	int *preauth;		  /* 0 none, 1 certificate */
};

struct raw_rule {
	char *who;
	char **may_become;
	unsigned may_become_count;
	int *admins;
};

struct raw_database {
	char *name;
	int type; /* enum userdb_type */
	char *file, *connection, *query, *socket, *service, *realm, *groups;
	int *admins, *everybody;
};

struct raw_tls {
	char *certificate, *key, *client_authorities, *client_revocations;
	int *minimum; /* 0 "1.2", 1 "1.3" */
};

struct raw_certificate {
	char *fingerprint, *subject, *email; /* one of them */
	char *user;
};

struct raw_filter {
	char *name, *search, *description;
};

struct raw_store {
	int *engine; /* 0 rocks, 1 mem */
	int *body_index;
	char *directory;
};

struct raw_log {
	int *level; /* enum log_level */
};

struct raw_numbers {
	uint64_t *at[SECTION_KEYS_MAX]; /* in the order of the section's keys */
};

struct raw_config {
	struct raw_listener *listeners;
	unsigned listeners_count;
	struct raw_tls *tls;
	struct raw_store *store;
	char *users;
	struct raw_database *databases;
	unsigned databases_count;
	char *comment, *admin;
	struct raw_rule *policy;
	unsigned policy_count;
	struct raw_certificate *certificates;
	unsigned certificates_count;
	struct raw_filter *filters;
	unsigned filters_count;
	struct raw_numbers *section[SECTIONS];
	int *sharing;
	int *legacy_8bit; /* 0 keep, 1 reject */
	struct raw_log *log;
	int end;
};

/*
 * Reads `text`, which is YAML already (marks_read). ERR_INVAL: `ret_why` gets
 * "LINE:COLUMN: a sentence." Calls `use` with the values, which are freed when it
 * returns; gives back what it returned.
 */
enum err config_schema_read(struct span text, const struct marks *marks,
			    enum err (*use)(void *arg, const struct raw_config *raw),
			    void *arg, struct buf *ret_why);

#endif
