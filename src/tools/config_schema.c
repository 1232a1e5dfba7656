/* The schema: strict, every value checked for its kind. */
#include "tools/config_schema.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OPT	 CYAML_FLAG_OPTIONAL
#define STRICT	 CYAML_FLAG_STRICT

static const cyaml_strval_t protocol_words[] = { { "imap", SERVER_IMAP },
						 { "lmtp", SERVER_LMTP } };
static const cyaml_strval_t access_words[] = { { "owner", 0 },
					       { "group", 1 },
					       { "everybody", 2 } };
static const cyaml_strval_t tls_words[] = { { "none", SERVER_TLS_NONE },
					    { "starttls", SERVER_TLS_STARTTLS },
					    { "implicit", SERVER_TLS_IMPLICIT } };
static const cyaml_strval_t plaintext_words[] = { { "never", 0 }, { "loopback", 1 } };
static const cyaml_strval_t gate_words[] = { { "off", AUTH_GATE_OFF },
					     { "admin-only", AUTH_GATE_ADMIN_ONLY },
					     { "on", AUTH_GATE_ON } };
static const cyaml_strval_t request_words[] = { { "none", 0 }, { "request", 1 } };
static const cyaml_strval_t preauth_words[] = { { "none", 0 }, { "certificate", 1 } };
static const cyaml_strval_t version_words[] = { { "1.2", 0 }, { "1.3", 1 } };
static const cyaml_strval_t engine_words[] = { { "rocks", 0 }, { "mem", 1 } };
static const cyaml_strval_t level_words[] = { { "debug", LOG_DEBUG },
					      { "info", LOG_INFO },
					      { "warning", LOG_WARNING },
					      { "error", LOG_ERROR } };
static const cyaml_strval_t legacy_words[] = { { "keep", 0 }, { "reject", 1 } };
static const cyaml_strval_t yes_no_words[] = { { "false", 0 }, { "true", 1 } };
static const cyaml_strval_t yes_words[] = { { "true", 1 } };

/* libcyaml takes anything for a boolean: an enumeration of two words does not. */
#define WORD_PTR(key, type, member, words)                                               \
	CYAML_FIELD_ENUM_PTR(key, OPT | STRICT, type, member, words, COUNT(words))
#define TEXT(key, flags, type, member)                                                   \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 0, 4096)

static const cyaml_schema_field_t listener_fields[] = {
	TEXT("name", 0, struct raw_listener, name),
	TEXT("address", 0, struct raw_listener, address),
	WORD_PTR("protocol", struct raw_listener, protocol, protocol_words),
	CYAML_FIELD_UINT_PTR("port", OPT, struct raw_listener, port),
	WORD_PTR("socket-access", struct raw_listener, socket_access, access_words),
	WORD_PTR("tls", struct raw_listener, tls, tls_words),
	WORD_PTR("plaintext-login", struct raw_listener, plaintext_login,
		 plaintext_words),
	WORD_PTR("unauthenticate", struct raw_listener, unauthenticate, gate_words),
	WORD_PTR("client-certificates", struct raw_listener, client_certificates,
		 request_words),
	WORD_PTR("preauth", struct raw_listener, preauth, preauth_words),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t listener_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_listener, listener_fields),
};

static const cyaml_schema_value_t pattern_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, 1024),
};
static const cyaml_schema_field_t rule_fields[] = {
	TEXT("who", 0, struct raw_rule, who),
	CYAML_FIELD_SEQUENCE("may-become", CYAML_FLAG_POINTER, struct raw_rule,
			     may_become, &pattern_value, 0, 1000),
	WORD_PTR("admins", struct raw_rule, admins, yes_no_words),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_rule, rule_fields),
};

static const cyaml_schema_field_t certificate_fields[] = {
	TEXT("fingerprint", OPT, struct raw_certificate, fingerprint),
	TEXT("subject", OPT, struct raw_certificate, subject),
	TEXT("email", OPT, struct raw_certificate, email),
	TEXT("user", 0, struct raw_certificate, user),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t certificate_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_certificate,
			    certificate_fields),
};

static const cyaml_strval_t type_words[] = {
	{ "sqlite", USERDB_SQLITE },
	{ "saslauthd", USERDB_SASLAUTHD },
};
static const cyaml_schema_field_t database_fields[] = {
	TEXT("name", 0, struct raw_database, name),
	CYAML_FIELD_ENUM("type", STRICT, struct raw_database, type, type_words,
			 COUNT(type_words)),
	TEXT("file", OPT, struct raw_database, file),
	TEXT("query", OPT, struct raw_database, query),
	TEXT("socket", OPT, struct raw_database, socket),
	TEXT("service", OPT, struct raw_database, service),
	TEXT("realm", OPT, struct raw_database, realm),
	TEXT("groups", OPT, struct raw_database, groups),
	WORD_PTR("everybody", struct raw_database, everybody, yes_no_words),
	WORD_PTR("admins", struct raw_database, admins, yes_no_words),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t database_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_database, database_fields),
};

static const cyaml_schema_field_t filter_fields[] = {
	TEXT("name", 0, struct raw_filter, name),
	TEXT("search", 0, struct raw_filter, search),
	TEXT("description", OPT, struct raw_filter, description),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t filter_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_filter, filter_fields),
};

static const cyaml_schema_field_t tls_fields[] = {
	TEXT("certificate", OPT, struct raw_tls, certificate),
	TEXT("key", OPT, struct raw_tls, key),
	TEXT("client-authorities", OPT, struct raw_tls, client_authorities),
	TEXT("client-revocations", OPT, struct raw_tls, client_revocations),
	WORD_PTR("minimum-version", struct raw_tls, minimum, version_words),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t store_fields[] = {
	WORD_PTR("engine", struct raw_store, engine, engine_words),
	TEXT("directory", OPT, struct raw_store, directory),
	WORD_PTR("body-index", struct raw_store, body_index, yes_no_words),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t log_fields[] = {
	WORD_PTR("level", struct raw_log, level, level_words),
	CYAML_FIELD_END,
};

#define SECTION_OF(name, member, fields)                                                 \
	CYAML_FIELD_MAPPING_PTR(name, OPT, struct raw_config, member, fields)

static const cyaml_schema_field_t fixed_fields[] = {
	CYAML_FIELD_SEQUENCE("listeners", CYAML_FLAG_POINTER, struct raw_config,
			     listeners, &listener_value, 1, 64),
	SECTION_OF("tls", tls, tls_fields),
	SECTION_OF("store", store, store_fields),
	TEXT("users", OPT, struct raw_config, users),
	CYAML_FIELD_SEQUENCE("databases", CYAML_FLAG_POINTER | OPT, struct raw_config,
			     databases, &database_value, 0, 16),
	TEXT("server-comment", OPT, struct raw_config, comment),
	TEXT("server-admin", OPT, struct raw_config, admin),
	CYAML_FIELD_SEQUENCE("policy", CYAML_FLAG_POINTER | OPT, struct raw_config,
			     policy, &rule_value, 0, 1000),
	CYAML_FIELD_SEQUENCE("certificates", CYAML_FLAG_POINTER | OPT, struct raw_config,
			     certificates, &certificate_value, 0, 1000),
	CYAML_FIELD_SEQUENCE("shared-filters", CYAML_FLAG_POINTER | OPT,
			     struct raw_config, filters, &filter_value, 0, 1000),
	WORD_PTR("sharing", struct raw_config, sharing, yes_no_words),
	WORD_PTR("legacy-8bit-headers", struct raw_config, legacy_8bit, legacy_words),
	SECTION_OF("log", log, log_fields),
	CYAML_FIELD_ENUM("end-of-configuration", STRICT, struct raw_config, end,
			 yes_words, COUNT(yes_words)),
};

/* The schema with the sections of the table of numbers. */
struct schema {
	cyaml_schema_field_t root[COUNT(fixed_fields) + SECTIONS + 1];
	cyaml_schema_field_t numbers[SECTIONS][SECTION_KEYS_MAX + 1];
	cyaml_schema_value_t value;
};

static void schema_init(struct schema *s)
{
	static const cyaml_schema_field_t number =
	    CYAML_FIELD_UINT_PTR("", OPT, struct raw_numbers, at[0]);
	size_t n[SECTIONS] = { 0 };
	const struct number_key *k;
	*s = (struct schema){ 0 };
	for (size_t i = 0; (k = config_number_key(i)); i++) {
		cyaml_schema_field_t *f = &s->numbers[k->section][n[k->section]];
		*f = number;
		f->key = k->key;
		f->data_offset = (uint32_t)(n[k->section]++ * sizeof(uint64_t *));
	}
	memcpy(s->root, fixed_fields, sizeof fixed_fields);
	for (unsigned i = 0; i < SECTIONS; i++)
		s->root[COUNT(fixed_fields) + i] = (cyaml_schema_field_t){
			.key = config_section_name(i),
			.data_offset = (uint32_t)(offsetof(struct raw_config, section) +
						  i * sizeof(struct raw_numbers *)),
			.value = { CYAML_VALUE_MAPPING(OPT | CYAML_FLAG_POINTER,
						       struct raw_numbers,
						       s->numbers[i]) },
		};
	s->value = (cyaml_schema_value_t){ CYAML_VALUE_MAPPING(
	    CYAML_FLAG_POINTER, struct raw_config, s->root) };
}

/* ---- what libcyaml says of an error, gathered from its log ---- */

struct complaint {
	char what[256];	     /* the first line */
	size_t line, column; /* the innermost place */
};

static void on_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct complaint *c = ctx;
	char text[512];
	vsnprintf(text, sizeof text, fmt, args);
	text[strcspn(text, "\n")] = 0;
	const char *place = strstr(text, "(line: ");
	if (place && c->line == 0) {
		if (sscanf(place, "(line: %zu, column: %zu)", &c->line, &c->column) != 2)
			c->line = 0;
	} else if (!c->what[0] && !place) {
		const char *from = strncmp(text, "Load: ", 6) == 0 ? text + 6 : text;
		snprintf(c->what, sizeof c->what, "%.200s", from);
	}
}

/* "Unexpected key: foo": the key's own place, which libcyaml does not give. */
static const struct mark *mark_of_key(const struct marks *m, const char *key, size_t line)
{
	const struct mark *found = NULL;
	for (size_t i = 0; i < m->n; i++) {
		const char *dot = strrchr(m->at[i].path, '.');
		if (strcmp(dot ? dot + 1 : m->at[i].path, key) == 0 &&
		    m->at[i].key_line >= line &&
		    (!found || m->at[i].key_line < found->key_line))
			found = &m->at[i];
	}
	return found;
}

/* Their words and ours; with "%s" where the rest of theirs goes. */
static const struct {
	const char *theirs, *ours;
	bool is_key;
} sentences[] = {
	{ "Unexpected key: ", "Unknown key \"%s\".", true },
	{ "Mapping field already seen: ", "The key \"%s\" stands here a second time.",
	  true },
	{ "Missing required mapping field: ", "The key \"%s\" is missing.", false },
	{ "Invalid ENUM value: ", "The value \"%s\" is none of the words allowed here.",
	  false },
	{ "Invalid UINT value: ", "The value %s is not a number.", false },
	{ "Invalid uint64_t value: ", "The value %s is not a number.", false },
	{ "Insufficient entries", "The list is too short.", false },
	{ "Excessive entries", "The list is too long.", false },
	{ "Expecting STRING", "A text must stand here.", false },
	{ "Expecting MAPPING", "Keys with their values must stand here.", false },
	{ "Expecting SEQUENCE", "A list must stand here.", false },
	{ "Expecting", "A single value must stand here.", false },
};

static enum err complain(const struct complaint *c, const struct marks *m,
			 struct buf *why)
{
	size_t line = c->line ? c->line : 1, column = c->line ? c->column : 1;
	for (size_t i = 0; i < COUNT(sentences); i++) {
		const char *rest = c->what + strlen(sentences[i].theirs);
		if (strncmp(c->what, sentences[i].theirs, strlen(sentences[i].theirs)) !=
		    0)
			continue;
		const struct mark *k = sentences[i].is_key ? mark_of_key(m, rest, line)
							   : NULL;
		buf_printf(why, "%zu:%zu: ", k ? k->key_line : line,
			   k ? k->key_column : column);
		buf_printf(why, sentences[i].ours, rest);
		return ERR_INVAL;
	}
	buf_printf(why, "%zu:%zu: %s.", line, column,
		   c->what[0] ? c->what : "Not understood");
	return ERR_INVAL;
}

enum err config_schema_read(struct span text, const struct marks *marks,
			    enum err (*use)(void *arg, const struct raw_config *raw),
			    void *arg, struct buf *ret_why)
{
	struct complaint complaint = { 0 };
	const cyaml_config_t config = { .log_fn = on_log,
					.log_ctx = &complaint,
					.mem_fn = cyaml_mem,
					.log_level = CYAML_LOG_ERROR,
					.flags = CYAML_CFG_NO_ALIAS };
	struct schema schema;
	cyaml_data_t *data = NULL;
	schema_init(&schema);
	cyaml_err_t rc = cyaml_load_data((const uint8_t *)text.p, text.n, &config,
					 &schema.value, &data, NULL);
	if (rc != CYAML_OK) {
		if (!complaint.what[0])
			snprintf(complaint.what, sizeof complaint.what, "%s",
				 cyaml_strerror(rc));
		return complain(&complaint, marks, ret_why);
	}
	enum err used = use(arg, data);
	cyaml_free(&config, &schema.value, data, 0);
	return used;
}
