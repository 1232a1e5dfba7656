/* Reaching the mail of a site, served or not (reach.h). */
#include "tools/reach.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/pidfile.h"
#include "tools/site.h"
#include "tools/subcommand.h"

/* A server that starts has the pid file first and the socket when its store is open. */
enum { DIAL_MS = 10000, STEP_MS = 20, GRACE_MS = 10000 };

struct reach {
	const struct config *config;
	struct server_listener listener;
	bool is_served;
	/* of the server inside this process */
	int pidfile;
	struct log log;
	struct workers *workers;
	struct store *store;
	struct auth *auth;
	struct server *server;
};

/* What is on the disk is whole; a new start goes on from there. */
static void store_is_dead(void *arg, const char *sentence)
{
	fprintf(stderr, "mailstile: %s\n", sentence);
	_exit(EXIT_FAILED);
}

/* Files that root makes would be closed to the server afterwards. */
static bool is_ours(const struct config *c, struct buf *why)
{
	struct stat st;

	if (geteuid() != 0 || stat(c->dir, &st) != 0 || st.st_uid == 0)
		return true;
	buf_printf(why,
		   "%s belongs to another user and no server runs. Start the server, or "
		   "run this as that user.",
		   c->dir);
	return false;
}

static enum err open_parts(struct reach *r, struct buf *why)
{
	struct executor *x;
	struct server_config o;
	enum err rc;

	r->workers = workers_new(r->config->workers);
	if (!r->workers) {
		buf_puts(why, "The system refuses threads.");
		return ERR_LIMIT;
	}
	x = workers_executor(r->workers);
	rc = site_auth(r->config, x, (struct userdb_note){ 0 }, &r->auth, why);
	if (rc == ERR_OK)
		rc = site_store(r->config, x, store_is_dead, r, &r->store, why);
	if (rc != ERR_OK)
		return rc;
	o = site_server(r->config, &r->listener, 1, &r->log);
	o.loops = 1;
	o.store = r->store;
	o.auth = r->auth;
	o.workers = x;
	return server_start(&o, &r->server, why);
}

static enum err take_place(struct reach *r, struct buf *why)
{
	mode_t mask;
	enum err rc;

	if (!is_ours(r->config, why)) {
		pidfile_drop(r->config->dir, r->pidfile);
		r->pidfile = -1;
		return ERR_DENIED;
	}
	pidfile_say_nobody(r->pidfile);
	mask = umask(077);
	rc = open_parts(r, why);
	umask(mask);
	return rc;
}

enum err reach_open(const struct config *c, struct reach **ret, struct buf *why)
{
	struct reach *r = xcalloc(1, sizeof *r);
	struct buf busy = { 0 };
	enum err rc;

	signal(SIGPIPE, SIG_IGN);
	r->config = c;
	r->pidfile = -1;
	r->log = (struct log){ STDERR_FILENO, LOG_ERROR };
	r->listener = site_operator(c);
	rc = pidfile_take(c->dir, &r->pidfile, &busy);
	r->is_served = rc == ERR_BUSY;
	if (rc == ERR_OK)
		rc = take_place(r, why);
	else if (!r->is_served)
		buf_put(why, buf_span(&busy));
	buf_done(&busy);
	if (rc == ERR_OK || r->is_served) {
		*ret = r;
		return ERR_OK;
	}
	reach_close(r);
	return rc;
}

bool reach_is_served(const struct reach *r)
{
	return r->is_served;
}

struct store *reach_store(struct reach *r)
{
	return r->store;
}

static int dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fault;

	if (fd < 0)
		return -1;
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	if (connect(fd, (const struct sockaddr *)(const void *)&sa, sizeof sa) == 0)
		return fd;
	fault = errno;
	close(fd);
	errno = fault;
	return -1;
}

static void say_why(const struct reach *r, int fault, struct buf *why)
{
	if (fault == EACCES || fault == EPERM)
		buf_printf(why,
			   "The server of %s listens to its own user and to root only; "
			   "run this as one of them.",
			   r->config->dir);
	else
		buf_printf(why,
			   "The server of %s does not answer on %s/" SITE_SOCKET ": %s.",
			   r->config->dir, r->config->dir, strerror(fault));
}

int reach_dial(struct reach *r, struct buf *why)
{
	int fd = dial(r->listener.path);

	for (int ms = 0; fd < 0 && ms < DIAL_MS; ms += STEP_MS) {
		if (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN)
			break;
		usleep(STEP_MS * 1000);
		fd = dial(r->listener.path);
	}
	if (fd < 0)
		say_why(r, errno, why);
	return fd;
}

void reach_close(struct reach *r)
{
	if (!r)
		return;
	if (r->server)
		server_stop(r->server, GRACE_MS);
	if (r->store)
		store_close(r->store);
	workers_free(r->workers);
	if (r->server)
		server_free(r->server);
	auth_free(r->auth);
	if (r->pidfile >= 0)
		pidfile_drop(r->config->dir, r->pidfile);
	free(r);
}
