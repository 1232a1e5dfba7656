/* The configuration: user databases (auth/userdb.h). */
#include "tools/config_impl.h"

static const struct mark *place(const struct load *l, size_t i, const char *key)
{
	const struct mark *m = marks_find(&l->marks, "databases[%zu].%s", i, key);

	return m ? m : marks_find(&l->marks, "databases[%zu]", i);
}

/* What the others have: a key that means nothing here is a mistake. */
static enum err check_keys(struct load *l, size_t i, enum userdb_type type)
{
	static const struct {
		const char *key;
		unsigned types;
	} keys[] = {
		{ "file", 1u << USERDB_SQLITE },
		{ "query", 1u << USERDB_SQLITE | 1u << USERDB_POSTGRESQL },
		{ "admins", 1u << USERDB_SQLITE | 1u << USERDB_POSTGRESQL },
		{ "connection", 1u << USERDB_POSTGRESQL },
		{ "socket", 1u << USERDB_SASLAUTHD },
		{ "service", 1u << USERDB_SASLAUTHD },
		{ "realm", 1u << USERDB_SASLAUTHD },
		{ "groups", 1u << USERDB_SASLAUTHD },
		{ "everybody", 1u << USERDB_SASLAUTHD },
	};

	for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
		const struct mark *m = marks_find(&l->marks, "databases[%zu].%s", i,
						  keys[k].key);

		if (m && !(keys[k].types & 1u << type))
			return config_refuse(l, m, "A database of this type has no %s.",
					     keys[k].key);
	}
	return ERR_OK;
}

static enum err check(struct load *l, size_t i, const struct userdb_config *x)
{
	struct buf why = { 0 };
	enum err rc = check_keys(l, i, x->type);

	if (rc == ERR_OK && !config_name_ok(x->name))
		rc = config_refuse(
		    l, place(l, i, "name"),
		    "The name is not 1 to 32 lower-case letters, digits and "
		    "\"-\".");
	for (size_t k = 0; k < i && rc == ERR_OK; k++)
		if (strcmp(l->c->database[k].name, x->name) == 0)
			rc = config_refuse(l, place(l, i, "name"),
					   "There is a database \"%s\" above.", x->name);
	if (rc == ERR_OK && i && l->c->database[i - 1].knows_everybody)
		rc = config_refuse(
		    l, place(l, i, "name"),
		    "Nobody would be looked up here: \"%s\" above takes any "
		    "name. Put it last, or give it everybody: false.",
		    l->c->database[i - 1].name);
	if (rc == ERR_OK && !userdb_config_ok(x, &why)) {
		buf_putc(&why, 0);
		rc = config_refuse(l, place(l, i, "type"), "%s", buf_span(&why).p);
	}
	buf_done(&why);
	return rc;
}

static const char *keep(struct config *c, const char *text)
{
	return text ? arena_strdup(c->arena, text) : NULL;
}

static enum err take(struct load *l, size_t i, const struct raw_database *r)
{
	struct config *c = l->c;
	bool is_sasl = r->type == USERDB_SASLAUTHD;

	c->database[i] = (struct userdb_config){
		.name = arena_strdup(c->arena, r->name),
		.type = (enum userdb_type)r->type,
		.file = r->file && *r->file ? config_path(c, r->file, "") : NULL,
		.query = keep(c, r->query),
		.service = keep(c, r->service ? r->service
				   : is_sasl  ? "imap"
					      : NULL),
		.realm = keep(c, r->realm),
		.groups = keep(c, r->groups),
		.knows_everybody = is_sasl && (!r->everybody || *r->everybody),
		.has_admins = r->admins && *r->admins,
	};
	if (is_sasl)
		c->database[i].socket = r->socket && *r->socket
					    ? config_path(c, r->socket, "")
					    : "/run/saslauthd/mux";
	c->n_databases = i + 1;
	return check(l, i, &c->database[i]);
}

enum err config_databases(struct load *l, const struct raw_config *raw)
{
	enum err rc = ERR_OK;

	l->c->database = arena_array(l->c->arena, raw->databases_count,
				     sizeof *l->c->database);
	for (size_t i = 0; i < raw->databases_count && rc == ERR_OK; i++)
		rc = take(l, i, &raw->databases[i]);
	return rc;
}
