/* The parts of a site. */
#include "tools/site.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/secret.h"

bool site_wants_tls(const struct config *c)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listener[i].tls != SERVER_TLS_NONE)
			return true;
	return false;
}

enum err site_tls(const struct config *c, struct net_tls **ret, struct buf *ret_why)
{
	const struct net_tls_server o = {
		.cert_file = c->tls_certificate,
		.key_file = c->tls_key,
		.client_ca_file = c->client_authorities,
		.client_crl_file = c->client_revocations,
		.is_tls13_only = strcmp(c->tls_minimum, "1.3") == 0,
	};
	struct net_error fault;
	enum err rc = net_tls_server_new(&o, ret, &fault);
	if (rc != ERR_OK)
		buf_printf(ret_why, "TLS: %s.", fault.text);
	return rc;
}

struct policy *site_policy(const struct config *c)
{
	struct policy *p = policy_new(c->rule, c->n_rules);

	policy_certificates(p, c->certificate, c->n_certificates);
	return p;
}

struct engine_config site_engine(const struct config *c, struct executor *workers)
{
	return (struct engine_config){
		.kind = c->store_engine,
		.dir = c->store_directory,
		.workers = workers,
		.flags = c->has_body_index ? 0 : ENGINE_NO_BODY_INDEX,
		.reserve_bytes = c->disk_reserve,
		.expunge_history = c->expunge_history,
	};
}

enum err site_auth(const struct config *c, struct executor *workers,
		   struct userdb_note note, struct auth **ret, struct buf *ret_why)
{
	struct userdbs *databases = NULL;
	struct users *users;
	uint8_t secret[SECRET_BYTES];
	const char *path = arena_printf(c->arena, "%s.secret", c->users);
	enum err rc = users_load(c->users, &users, ret_why);

	if (rc != ERR_OK)
		return rc;
	if (!secret_load(path, secret, ret_why)) {
		users_unref(users);
		return ERR_IO;
	}
	if (c->n_databases) {
		databases = userdbs_new(c->database, c->n_databases, c->database_threads,
					c->database_ms, note);
		if (!databases) {
			buf_puts(ret_why, "The system refuses threads.");
			users_unref(users);
			return ERR_LIMIT;
		}
	}
	const struct auth_config a = { .workers = workers,
				       .remember_ms = c->remember_ms,
				       .secret = span_of(secret, sizeof secret),
				       .databases = databases };
	*ret = auth_new(&a, users, site_policy(c));
	wipe(secret, sizeof secret);
	if (!*ret)
		buf_puts(ret_why, "OpenSSL has no HMAC-SHA-256 or no randomness.");
	return *ret ? ERR_OK : ERR_IO;
}

enum err site_store(const struct config *c, struct executor *workers,
		    void (*fatal)(void *arg, const char *sentence), void *arg,
		    struct store **ret, struct buf *ret_why)
{
	struct engine_config e = site_engine(c, workers);
	uint64_t quota[QUOTA_RESOURCES];
	enum err rc;

	e.fatal = fatal;
	e.fatal_arg = arg;
	rc = store_open(&e, ret, ret_why);
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++)
		quota[r] = c->quota[r] ? c->quota[r] : QUOTA_NONE;
	if (rc == ERR_OK)
		store_quota_default(*ret, quota);
	return rc;
}

static const char *operator_path(const struct config *c)
{
	const char *path = arena_printf(c->arena, "%s/" SITE_SOCKET, c->dir);
	int fd;

	if (strlen(path) < sizeof ((struct sockaddr_un *)NULL)->sun_path)
		return path;
	fd = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? path
		      : arena_printf(c->arena, "/proc/self/fd/%d/" SITE_SOCKET, fd);
}

struct server_listener site_operator(const struct config *c)
{
	const char *path = operator_path(c);

	return (struct server_listener){
		.name = "operator",
		.address = path,
		.path = path,
		.mode = 0600,
		.plaintext_loopback = true,
		.unauthenticate = AUTH_GATE_ON,
		.protocol = SERVER_IMAP,
		.is_operator = true,
	};
}

struct server_config site_server(const struct config *c,
				 const struct server_listener *listener, size_t n,
				 struct log *log)
{
	return (struct server_config){
		.listener = listener,
		.n_listeners = n,
		.limits = c->limits,
		.refuse_8bit_headers = c->refuse_8bit_headers,
		.no_sharing = c->no_sharing,
		.login_delay = c->throttle,
		.recheck_ms = c->recheck_ms,
		.loops = c->loops,
		.log = log,
		.version = MAILSTILE_VERSION,
		.comment = c->comment,
		.admin = c->admin,
		.filters = c->filter,
		.n_filters = c->n_filters,
		.spool_dir = c->dir,
	};
}
