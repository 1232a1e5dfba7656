/*
 * mailstile serve: opens the parts of a site in order, hands them to the server
 * room, then waits for signals: TERM and INT stop, HUP reloads. A changed user
 * table is noticed without a signal as well.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define FINDS_LEAKS true
#elif defined(__has_feature)
#define FINDS_LEAKS __has_feature(address_sanitizer)
#else
#define FINDS_LEAKS false
#endif

#include "tools/backup.h"
#include "tools/pidfile.h"
#include "tools/site.h"
#include "tools/subcommand.h"

static const char help[] =
    "usage: mailstile serve DIR\n\n"
    "Serves the site in DIR, in the foreground. The log goes to standard error,\n"
    "a JSON object a line. SIGTERM ends it cleanly; SIGHUP reloads certificate,\n"
    "users and policy.\n";

enum { GRACE_MS = 10000, LOOK_MS = 1000 };

struct serving {
	const char *dir;
	struct config *config;
	struct log log;
	int pidfile;
	struct stamp users_stamp; /* of the table in force */
	struct stamp users_tried; /* of the table last read */
	struct net_tls *tls;
	struct workers *workers;
	struct store *store;
	struct auth *auth;
	struct server *server;
};

static void note(struct serving *s, enum log_level level, const char *event,
		 const struct buf *why)
{
	struct log_line l;
	log_begin(&l, &s->log, level, event);
	if (why)
		log_str(&l, "reason", buf_span(why));
	log_end(&l);
}

/* The store cannot promise anything any more (a sync failed): what was
 * acknowledged is on disk, so the way on is a new start. */
static void store_is_dead(void *arg, const char *sentence)
{
	struct serving *s = arg;
	struct log_line l;
	log_begin(&l, &s->log, LOG_ERROR, "store_failed");
	log_str(&l, "reason", span_str(sentence));
	log_end(&l);
	_exit(EXIT_FAILED);
}

/*
 * RocksDB aborts when its log is used after a write to it failed, should one thread do
 * that before another has told us (store/rocks.h, has_failed). The log then ends with
 * words as well. abort() goes on when this returns.
 */
static void say_aborted(int sig)
{
	static const char line[] =
	    "{\"level\":\"error\",\"event\":\"aborted\",\"reason\":\"an assertion "
	    "failed, "
	    "perhaps because the index could not be written; nothing more is "
	    "acknowledged. See to the device, then start again\"}\n";
	(void)!write(STDERR_FILENO, line, sizeof line - 1);
}

/* A connection is a descriptor, and so is an open file of the store. */
static void raise_descriptors(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* A user database does not answer, or does again. */
static void note_database(void *arg, const char *name, bool is_up, const char *sentence)
{
	struct serving *s = arg;
	struct log_line l;

	log_begin(&l, &s->log, is_up ? LOG_INFO : LOG_ERROR,
		  is_up ? "database_up" : "database_down");
	log_str(&l, "database", span_str(name));
	log_str(&l, "reason", span_str(sentence));
	log_end(&l);
}

/* ---- start ---- */

static enum err open_auth(struct serving *s, struct buf *why)
{
	s->users_stamp = s->users_tried = stamp_of(s->config->users);
	const struct userdb_note n = { note_database, s };

	return site_auth(s->config, workers_executor(s->workers), n, &s->auth, why);
}

/* The listeners of the configuration, and the one of the operator's tools. */
static enum err open_server(struct serving *s, struct buf *why)
{
	const struct config *c = s->config;
	struct server_listener *l = arena_array(c->arena, c->n_listeners + 1, sizeof *l);
	struct server_config o;

	memcpy(l, c->listener, c->n_listeners * sizeof *l);
	l[c->n_listeners] = site_operator(c);
	o = site_server(c, l, c->n_listeners + 1, &s->log);
	o.tls = s->tls;
	o.store = s->store;
	o.auth = s->auth;
	o.workers = workers_executor(s->workers);
	return server_start(&o, &s->server, why);
}

static enum err open_all(struct serving *s, struct buf *why)
{
	enum err rc = pidfile_take(s->dir, &s->pidfile, why);
	if (rc == ERR_OK && site_wants_tls(s->config))
		rc = site_tls(s->config, &s->tls, why);
	if (rc != ERR_OK)
		return rc;
	s->workers = workers_new(s->config->workers);
	if (!s->workers) {
		buf_puts(why, "The system refuses threads.");
		return ERR_LIMIT;
	}
	snapshot_clean(s->config);
	rc = open_auth(s, why);
	if (rc == ERR_OK)
		rc = site_store(s->config, workers_executor(s->workers), store_is_dead, s,
				&s->store, why);
	if (rc == ERR_OK)
		rc = open_server(s, why);
	return rc;
}

static void close_all(struct serving *s)
{
	if (s->server)
		server_stop(s->server, GRACE_MS);
	if (s->store)
		store_close(s->store);
	workers_free(s->workers);
	auth_stop(s->auth);
	if (s->server)
		server_free(s->server);
	auth_free(s->auth);
	net_tls_unref(s->tls);
	if (s->pidfile >= 0)
		pidfile_drop(s->dir, s->pidfile);
	config_free(s->config);
}

static void note_listening(struct serving *s)
{
	for (size_t i = 0; i < s->config->n_listeners; i++) {
		const struct server_listener *l = &s->config->listener[i];
		struct log_line line;
		log_begin(&line, &s->log, LOG_INFO, "listening");
		log_str(&line, "listener", span_str(l->name));
		log_str(&line, "address", span_str(l->address));
		if (!l->path)
			log_num(&line, "port", server_listener_port(s->server, i));
		log_end(&line);
	}
}

static void note_start(struct serving *s)
{
	struct log_line l;
	log_begin(&l, &s->log, LOG_INFO, "start");
	log_str(&l, "version", SPAN(MAILSTILE_VERSION));
	log_num(&l, "pid", getpid());
	log_str(&l, "site", span_str(s->dir));
	log_end(&l);
}

/* ---- reload ---- */

/*
 * Everything is read before anything changes: a fault leaves all as it was.
 * What cannot change while running keeps the value of the start.
 */
static void reload(struct serving *s, const char *event)
{
	struct buf why = { 0 };
	struct config *c = NULL;
	struct users *users = NULL;
	struct net_tls *tls = NULL;
	enum err rc = config_load(s->dir, &c, &why);
	struct stamp stamp = { 0, 0 };
	if (rc == ERR_OK) {
		stamp = stamp_of(c->users);
		rc = users_load(c->users, &users, &why);
	}
	/* the listeners are those of the start, so that decides */
	if (rc == ERR_OK && s->tls)
		rc = site_tls(c, &tls, &why);
	s->users_tried = stamp_of(s->config->users);
	if (rc != ERR_OK) {
		note(s, LOG_ERROR, "reload_failed", &why);
		users_unref(users);
		config_free(c);
		buf_done(&why);
		return;
	}
	auth_replace(s->auth, users, site_policy(c));
	s->config->users = arena_strdup(s->config->arena, c->users);
	server_reload(s->server, tls ? tls : s->tls);
	if (tls) {
		net_tls_unref(s->tls);
		s->tls = tls;
	}
	s->users_stamp = s->users_tried = stamp;
	pidfile_say(s->pidfile, stamp);
	note(s, LOG_INFO, event, NULL);
	config_free(c);
}

static bool same_stamp(struct stamp a, struct stamp b)
{
	return a.inode == b.inode && a.mtime_ns == b.mtime_ns;
}

/* Of a table that a tool could not tell us of: another user's tool, an editor. */
static void look_at_users(struct serving *s)
{
	struct stamp now = stamp_of(s->config->users);
	if (!same_stamp(now, s->users_tried))
		reload(s, "users_changed");
}

/* ---- the main thread ---- */

static void block_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGHUP);
	pthread_sigmask(SIG_BLOCK, ret, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGABRT, say_aborted);
}

/* Until TERM or INT. */
static void wait_for_end(struct serving *s, const sigset_t *signals)
{
	const struct timespec look = { LOOK_MS / 1000, LOOK_MS % 1000 * 1000000 };
	for (;;) {
		int sig = sigtimedwait(signals, NULL, &look);
		if (sig == SIGTERM || sig == SIGINT)
			break;
		if (sig == SIGHUP)
			reload(s, "reload");
		else if (sig < 0 && errno == EAGAIN)
			look_at_users(s);
	}
	/* a second one does not wait */
	pthread_sigmask(SIG_UNBLOCK, signals, NULL);
	signal(SIGHUP, SIG_IGN);
}

/*
 * All is on the disk, and every thread of ours has been joined. What is left are exit
 * handlers of libraries: RocksDB joins threads of its own in one, which once, under
 * ThreadSanitizer, did not end. Nobody needs them but the search for leaks.
 */
static void leave(void)
{
	if (!FINDS_LEAKS)
		_exit(EXIT_DONE);
}

static int serve(struct serving *s, struct buf *why)
{
	sigset_t signals;
	umask(077);
	block_signals(&signals);
	raise_descriptors();
	if (open_all(s, why) != ERR_OK) {
		close_all(s);
		return tool_fail_buf(&cmd_serve, why);
	}
	note_start(s);
	note_listening(s);
	pidfile_say(s->pidfile, s->users_stamp);
	wait_for_end(s, &signals);
	note(s, LOG_INFO, "stopping", NULL);
	struct log log = s->log;
	close_all(s);
	s->log = log;
	note(s, LOG_INFO, "stopped", NULL);
	leave();
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	const struct tool_option options[] = { { 0 } };
	struct serving s = { .log = { STDERR_FILENO, LOG_INFO }, .pidfile = -1 };
	struct buf why = { 0 };
	size_t n;
	int status;
	if (!tool_options(argc, argv, options, &s.dir, "DIR", 1, &n, &why)) {
		status = tool_usage_buf(&cmd_serve, &why);
	} else if (config_load(s.dir, &s.config, &why) != ERR_OK) {
		status = tool_fail_buf(&cmd_serve, &why);
	} else {
		s.log.level = s.config->log_level;
		status = serve(&s, &why);
	}
	buf_done(&why);
	return status;
}

const struct subcommand cmd_serve = {
	.name = "serve",
	.summary = "serves a site",
	.help = help,
	.run = run,
};
