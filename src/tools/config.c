/* The configuration: read, checked, made complete. */
#include "tools/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/search_filters.h"
#include "tools/config_impl.h"
#include "wire/cursor.h"

enum { FILE_MAX_BYTES = 1 << 20 };

/* "LINE:COLUMN: " of the value at that path, or of the file's beginning. */
static void put_place(struct load *l, const struct mark *m)
{
	buf_printf(l->why, "%zu:%zu: ", m ? m->line : 1, m ? m->column : 1);
}

enum err config_refuse(struct load *l, const struct mark *m, const char *fmt, ...)
{
	va_list ap;
	put_place(l, m);
	va_start(ap, fmt);
	buf_vprintf(l->why, fmt, ap);
	va_end(ap);
	return ERR_INVAL;
}

/* ---- numbers ---- */

/* Decimal digits only: libcyaml takes -5 and 010 as well. */
static bool number_ok(const struct mark *m, uint64_t least, uint64_t most, uint64_t *ret)
{
	uint64_t v;
	if (!m || !m->text || !span_u64(span_str(m->text), most, &v) || v < least)
		return false;
	*ret = v;
	return true;
}

static enum err take_numbers(struct load *l)
{
	const struct number_key *k;
	for (size_t i = 0; (k = config_number_key(i)); i++) {
		const struct mark *m = marks_find(
		    &l->marks, "%s.%s", config_section_name(k->section), k->key);
		uint64_t v = k->standard;
		if (m && !number_ok(m, k->least, k->most, &v))
			return config_refuse(
			    l, m, "%s must be a number from %llu to %llu, not %s.",
			    k->key, (unsigned long long)k->least,
			    (unsigned long long)k->most, m->text);
		config_number_set(l->c, k, v);
	}
	return ERR_OK;
}

static void take_cores(struct config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (c->workers == 0)
		c->workers = cores > 2 ? (unsigned)cores * 2 : 4;
}

/* ---- listeners ---- */

bool config_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return n > 0 && n <= 32 && name[n] == 0;
}

static bool address_ok(const char *address)
{
	struct in6_addr b;
	return inet_pton(AF_INET, address, &b) == 1 ||
	       inet_pton(AF_INET6, address, &b) == 1;
}

static bool is_loopback(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, address, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static const struct mark *of_listener(const struct load *l, size_t i, const char *key)
{
	const struct mark *m = marks_find(&l->marks, "listeners[%zu].%s", i, key);
	return m ? m : marks_find(&l->marks, "listeners[%zu]", i);
}

static enum err check_unlike(struct load *l, size_t i, const struct server_listener *x)
{
	for (size_t k = 0; k < i; k++) {
		const struct server_listener *other = &l->c->listener[k];
		if (strcmp(other->name, x->name) == 0)
			return config_refuse(l, of_listener(l, i, "name"),
					     "There is a listener \"%s\" above.",
					     x->name);
		if (x->path && other->path && strcmp(other->path, x->path) == 0)
			return config_refuse(l, of_listener(l, i, "address"),
					     "The listener \"%s\" has this path already.",
					     other->name);
		if (x->port && other->port == x->port &&
		    strcmp(other->address, x->address) == 0)
			return config_refuse(
			    l, of_listener(l, i, "port"),
			    "The listener \"%s\" has this address and port already.",
			    other->name);
	}
	return ERR_OK;
}

/* RFC 2033 has no logins, so who may connect is the operating system's to say. */
static enum err check_lmtp(struct load *l, size_t i, const struct server_listener *x)
{
	static const char *const alien[] = { "plaintext-login", "unauthenticate" };
	for (size_t k = 0; k < 2; k++)
		if (marks_find(&l->marks, "listeners[%zu].%s", i, alien[k]))
			return config_refuse(l, of_listener(l, i, alien[k]),
					     "LMTP has no logins, so no %s.", alien[k]);
	if (x->tls != SERVER_TLS_NONE)
		return config_refuse(l, of_listener(l, i, "tls"),
				     "LMTP stays on this machine: tls must be none.");
	if (!x->path && !is_loopback(x->address))
		return config_refuse(l, of_listener(l, i, "address"),
				     "LMTP has no logins: its address must be a loopback "
				     "address or \"unix:PATH\".");
	if (x->port == 25)
		return config_refuse(l, of_listener(l, i, "port"),
				     "LMTP must not be on port 25 (RFC 2033 section 5).");
	return ERR_OK;
}

static enum err check_imap(struct load *l, size_t i, const struct server_listener *x)
{
	if (x->path)
		return config_refuse(l, of_listener(l, i, "address"),
				     "Only lmtp may listen on a Unix socket.");
	if (x->tls == SERVER_TLS_NONE && !x->plaintext_loopback)
		return config_refuse(
		    l, of_listener(l, i, "tls"),
		    "Nobody could log in on \"%s\": it has no TLS, and plaintext-login "
		    "is never.",
		    x->name);
	return ERR_OK;
}

static enum err check_listener(struct load *l, size_t i, const struct server_listener *x)
{
	if (!config_name_ok(x->name))
		return config_refuse(
		    l, of_listener(l, i, "name"),
		    "The name \"%.64s\" is not 1 to 32 lower-case letters, digits and "
		    "\"-\".",
		    x->name);
	if (!x->path && !address_ok(x->address))
		return config_refuse(l, of_listener(l, i, "address"),
				     "\"%.64s\" is not an IPv4 or IPv6 address.",
				     x->address);
	enum err rc = x->protocol == SERVER_LMTP ? check_lmtp(l, i, x)
						 : check_imap(l, i, x);
	return rc == ERR_OK ? check_unlike(l, i, x) : rc;
}

/* "unix:PATH" */
static enum err take_socket(struct load *l, size_t i, const struct raw_listener *r,
			    struct server_listener *x)
{
	static const mode_t modes[] = { 0600, 0660, 0666 };
	const struct mark *port = marks_find(&l->marks, "listeners[%zu].port", i);
	const char *path = r->address + strlen("unix:");
	if (port)
		return config_refuse(l, port, "A Unix socket has no port.");
	x->path = config_path(l->c, path, "");
	x->mode = modes[r->socket_access ? *r->socket_access : 1];
	/* sun_path of unix(7), with its NUL */
	return *path && strlen(x->path) < 108
		   ? ERR_OK
		   : config_refuse(l, of_listener(l, i, "address"),
				   "The path of a Unix socket has 1 to 107 bytes.");
}

static enum err take_port(struct load *l, size_t i, const struct raw_listener *r,
			  struct server_listener *x)
{
	const struct mark *m = marks_find(&l->marks, "listeners[%zu].port", i);
	uint64_t port;
	if (!r->port)
		return config_refuse(l, of_listener(l, i, "port"),
				     "The key \"port\" is missing.");
	if (!number_ok(m, 0, 65535, &port))
		return config_refuse(l, m,
				     "The port must be from 0 (any) to 65535, not %s.",
				     m ? m->text : "absent");
	if (r->socket_access)
		return config_refuse(l, of_listener(l, i, "socket-access"),
				     "Only a Unix socket has socket-access.");
	x->port = (uint16_t)port;
	return ERR_OK;
}

static enum err take_listener(struct load *l, size_t i, const struct raw_listener *r)
{
	struct config *c = l->c;
	struct server_listener *x = &c->listener[i];
	if (!r->tls)
		return config_refuse(l, of_listener(l, i, "tls"),
				     "The key \"tls\" is missing.");
	*x = (struct server_listener){
		.name = arena_strdup(c->arena, r->name),
		.address = arena_strdup(c->arena, r->address),
		.protocol = r->protocol ? (enum server_protocol) * r->protocol
					: SERVER_IMAP,
		.tls = (enum server_tls) * r->tls,
		.plaintext_loopback = r->plaintext_login && *r->plaintext_login,
		.asks_certificate = r->client_certificates && *r->client_certificates,
		.preauth = r->preauth && *r->preauth,
		.unauthenticate = r->unauthenticate ? (enum auth_gate) * r->unauthenticate
						    : AUTH_GATE_ADMIN_ONLY,
	};
	c->n_listeners = i + 1;
	enum err rc = strncmp(r->address, "unix:", 5) == 0 ? take_socket(l, i, r, x)
							   : take_port(l, i, r, x);
	return rc == ERR_OK ? check_listener(l, i, x) : rc;
}

static enum err take_listeners(struct load *l, const struct raw_config *raw)
{
	struct config *c = l->c;
	enum err rc = ERR_OK;
	c->listener = arena_array(c->arena, raw->listeners_count, sizeof *c->listener);
	for (size_t i = 0; i < raw->listeners_count && rc == ERR_OK; i++)
		rc = take_listener(l, i, &raw->listeners[i]);
	return rc;
}

/* ---- policy ---- */

static enum err take_rule(struct load *l, size_t i, const struct raw_rule *r)
{
	struct config *c = l->c;
	const char **patterns = arena_array(c->arena, r->may_become_count,
					    sizeof *patterns);
	if (!*r->who)
		return config_refuse(l, marks_find(&l->marks, "policy[%zu].who", i),
				     "The pattern is empty.");
	for (size_t k = 0; k < r->may_become_count; k++) {
		if (!*r->may_become[k])
			return config_refuse(
			    l, marks_find(&l->marks, "policy[%zu].may-become[%zu]", i, k),
			    "The pattern is empty.");
		patterns[k] = arena_strdup(c->arena, r->may_become[k]);
	}
	c->rule[c->n_rules++] = (struct policy_rule){
		.who = arena_strdup(c->arena, r->who),
		.may_become = patterns,
		.n_may_become = r->may_become_count,
		.admins = r->admins && *r->admins,
	};
	return ERR_OK;
}

static enum err take_policy(struct load *l, const struct raw_config *raw)
{
	static char anybody[] = "*";
	char *all[] = { anybody };
	const struct raw_rule standard = { .who = anybody,
					   .may_become = all,
					   .may_become_count = 1 };
	size_t n = raw->policy_count;
	enum err rc = ERR_OK;
	l->c->rule = arena_array(l->c->arena, n + 1, sizeof *l->c->rule);
	if (!marks_find(&l->marks, "policy"))
		return take_rule(l, 0, &standard);
	for (size_t i = 0; i < n && rc == ERR_OK; i++)
		rc = take_rule(l, i, &raw->policy[i]);
	return rc;
}

/* ---- client certificates ---- */

static enum err take_certificate(struct load *l, size_t i,
				 const struct raw_certificate *r)
{
	const char *pattern = r->fingerprint ? r->fingerprint
			      : r->subject   ? r->subject
					     : r->email;
	const struct mark *here = marks_find(&l->marks, "certificates[%zu].user", i);
	struct buf why = { 0 };
	enum err rc = ERR_OK;

	if (!!r->fingerprint + !!r->subject + !!r->email != 1)
		return config_refuse(
		    l, here, "One of fingerprint, subject and email must stand here.");
	struct certificate_rule rule = { r->fingerprint ? CERTIFICATE_FINGERPRINT
					 : r->subject	? CERTIFICATE_SUBJECT
							: CERTIFICATE_EMAIL,
					 arena_strdup(l->c->arena, pattern),
					 arena_strdup(l->c->arena, r->user) };
	if (!certificate_rule_ok(&rule, &why)) {
		buf_putc(&why, 0);
		rc = config_refuse(l, here, "%s", buf_span(&why).p);
	}
	buf_done(&why);
	l->c->certificate[l->c->n_certificates++] = rule;
	return rc;
}

/* What a listener asks for must be possible. */
static enum err check_certificates(struct load *l, size_t i)
{
	const struct server_listener *x = &l->c->listener[i];
	const struct mark *asks = marks_find(&l->marks,
					     "listeners[%zu].client-certificates", i);

	if (x->asks_certificate &&
	    (x->tls == SERVER_TLS_NONE || x->protocol != SERVER_IMAP))
		return config_refuse(
		    l, asks, "Client certificates need an IMAP listener with TLS.");
	if (x->asks_certificate && !l->c->client_authorities)
		return config_refuse(l, asks,
				     "Who signs client certificates? Set "
				     "tls: client-authorities.");
	if (x->preauth && (x->tls != SERVER_TLS_IMPLICIT || !x->asks_certificate))
		return config_refuse(
		    l, marks_find(&l->marks, "listeners[%zu].preauth", i),
		    "PREAUTH needs tls: implicit and client-certificates: request.");
	return ERR_OK;
}

static enum err take_certificates(struct load *l, const struct raw_config *raw)
{
	size_t n = raw->certificates_count;
	enum err rc = ERR_OK;

	l->c->certificate = arena_array(l->c->arena, n, sizeof *l->c->certificate);
	for (size_t i = 0; i < n && rc == ERR_OK; i++)
		rc = take_certificate(l, i, &raw->certificates[i]);
	for (size_t i = 0; i < l->c->n_listeners && rc == ERR_OK; i++)
		rc = check_certificates(l, i);
	return rc;
}

/* ---- searches with a name ---- */

/* filter-name (RFC 5466 section 4), in lower case as METADATA has its entries. */
static bool is_filter_name(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!wire_is_atom_char((unsigned char)*p) || *p == '/' ||
		    (*p >= 'A' && *p <= 'Z'))
			return false;
	return *name && strlen(name) <= 200;
}

static enum err take_filter(struct load *l, size_t i, const struct raw_filter *r)
{
	struct config *c = l->c;

	if (!is_filter_name(r->name))
		return config_refuse(
		    l, marks_find(&l->marks, "shared-filters[%zu].name", i),
		    "The name of a filter is one word in lower case, without "
		    "quotes, brackets and slashes.");
	if (!search_filter_is_search(span_str(r->search)))
		return config_refuse(
		    l, marks_find(&l->marks, "shared-filters[%zu].search", i),
		    "This is no search as IMAP's SEARCH has it, like UNSEEN FROM boss.");
	c->filter[c->n_filters++] = (struct server_filter){
		.name = arena_strdup(c->arena, r->name),
		.search = arena_strdup(c->arena, r->search),
		.description = r->description ? arena_strdup(c->arena, r->description) : NULL,
	};
	return ERR_OK;
}

static enum err take_filters(struct load *l, const struct raw_config *raw)
{
	enum err rc = ERR_OK;

	l->c->filter = arena_array(l->c->arena, raw->filters_count, sizeof *l->c->filter);
	for (size_t i = 0; i < raw->filters_count && rc == ERR_OK; i++)
		rc = take_filter(l, i, &raw->filters[i]);
	return rc;
}

/* ---- the rest ---- */

const char *config_path(struct config *c, const char *written, const char *standard)
{
	const char *p = written && *written ? written : standard;
	return p[0] == '/' ? arena_strdup(c->arena, p)
			   : arena_printf(c->arena, "%s/%s", c->dir, p);
}

static void take_paths(struct config *c, const struct raw_config *raw)
{
	const struct raw_tls *t = raw->tls;
	const struct raw_store *s = raw->store;
	c->tls_certificate = config_path(c, t ? t->certificate : NULL,
					 "tls/certificate.pem");
	c->tls_key = config_path(c, t ? t->key : NULL, "tls/key.pem");
	if (t && t->client_authorities)
		c->client_authorities = config_path(c, t->client_authorities, "");
	if (t && t->client_revocations)
		c->client_revocations = config_path(c, t->client_revocations, "");
	c->tls_minimum = t && t->minimum && *t->minimum ? "1.3" : "1.2";
	c->store_engine = s && s->engine && *s->engine ? "mem" : "rocks";
	c->store_directory = config_path(c, s ? s->directory : NULL, "store");
	c->has_body_index = !s || !s->body_index || *s->body_index;
	c->users = config_path(c, raw->users, "users");
	c->no_sharing = raw->sharing && !*raw->sharing;
	c->refuse_8bit_headers = raw->legacy_8bit && *raw->legacy_8bit;
	c->comment = arena_strdup(c->arena, raw->comment ? raw->comment : "");
	c->admin = arena_strdup(c->arena, raw->admin ? raw->admin : "");
	c->log_level = raw->log && raw->log->level ? (enum log_level) * raw->log->level
						   : LOG_INFO;
}

/* Whatever stands behind the last key may have been lost from before it. */
static enum err check_end(struct load *l)
{
	const struct mark *end = marks_find(&l->marks, "end-of-configuration");
	const struct mark *last = l->marks.n ? &l->marks.at[l->marks.n - 1] : NULL;
	return end == last
		   ? ERR_OK
		   : config_refuse(l, end, "end-of-configuration must be the last key.");
}

static enum err take_all(void *arg, const struct raw_config *raw)
{
	struct load *l = arg;
	enum err rc = check_end(l);
	if (rc == ERR_OK)
		rc = take_listeners(l, raw);
	if (rc == ERR_OK)
		rc = take_policy(l, raw);
	if (rc == ERR_OK)
		rc = take_numbers(l);
	if (rc == ERR_OK) {
		take_paths(l->c, raw);
		rc = take_certificates(l, raw);
	}
	if (rc == ERR_OK)
		rc = config_databases(l, raw);
	if (rc == ERR_OK)
		rc = take_filters(l, raw);
	if (rc == ERR_OK) {
		take_cores(l->c);
	}
	return rc;
}

static struct config *config_new(const char *dir)
{
	struct arena *a = arena_new(NULL);
	struct config *c = ARENA_NEW(a, struct config);
	c->arena = a;
	c->dir = arena_strdup(a, dir);
	c->path = arena_printf(a, "%s/mailstile.yaml", dir);
	return c;
}

void config_free(struct config *c)
{
	if (c)
		arena_free(c->arena);
}

enum err config_parse(struct span text, const char *dir, struct config **ret,
		      struct buf *ret_why)
{
	struct buf why = { 0 };
	struct load l = { .c = config_new(dir), .why = &why };
	enum err rc = marks_read(l.c->arena, text, &l.marks, &why);
	if (rc == ERR_OK && !marks_find(&l.marks, "end-of-configuration"))
		rc = config_refuse(
		    &l, l.marks.n ? &l.marks.at[l.marks.n - 1] : NULL,
		    "The file was cut off: its last key, end-of-configuration, "
		    "is missing.");
	if (rc == ERR_OK)
		rc = config_schema_read(text, &l.marks, take_all, &l, &why);
	if (rc == ERR_OK) {
		*ret = l.c;
	} else {
		buf_printf(ret_why, "%s:", l.c->path);
		buf_put(ret_why, buf_span(&why));
		config_free(l.c);
	}
	buf_done(&why);
	return rc;
}

static enum err read_file(const char *path, struct buf *out, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;
	while (n > 0 && out->n <= FILE_MAX_BYTES) {
		n = read(fd, buf_room(out, 65536), 65536);
		if (n > 0)
			buf_added(out, (size_t)n);
	}
	int fault = n < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (fault) {
		buf_printf(why, "Cannot read %s: %s.", path, strerror(fault));
		return fault == ENOENT ? ERR_NOENT : ERR_IO;
	}
	if (out->n > FILE_MAX_BYTES) {
		buf_printf(why, "%s:1:1: The file is larger than 1 MiB.", path);
		return ERR_INVAL;
	}
	return ERR_OK;
}

enum err config_load(const char *dir, struct config **ret, struct buf *ret_why)
{
	struct buf text = { 0 }, path = { 0 };
	buf_printf(&path, "%s/mailstile.yaml", dir);
	buf_putc(&path, 0);
	enum err rc = read_file(buf_span(&path).p, &text, ret_why);
	if (rc == ERR_OK)
		rc = config_parse(buf_span(&text), dir, ret, ret_why);
	buf_done(&path);
	buf_done(&text);
	return rc;
}
