/* Accepting connections and handing them round. */
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "net/loop_impl.h"

enum {
	BACKLOG = 1024,
	ACCEPTS_A_TURN = 64, /* then other connections have their turn */
	PAUSE_MS = 100,	     /* when there are no descriptors left */
};

struct net_listener {
	struct loop *home;
	struct net_listener *next, **link;
	uv_poll_t poll;
	int fd;
	uint16_t port;
	char *path;   /* of a Unix socket; else NULL */
	dev_t device; /* it, and no other that was put in its place */
	ino_t inode;
	bool is_stopped;
	struct net_timer pause;
	atomic_bool is_closed;
	atomic_uint refs; /* the handle's, and one a socket on its way */
	net_accept_fn *accept;
	void *arg;
	unsigned turn, n_loops;
	struct loop *loops[];
};

/* A socket on its way to its loop. */
struct handoff {
	struct task task;
	struct net_listener *listener;
	struct loop *loop;
	int fd;
	struct net_addr peer;
};

static void unref(struct net_listener *l)
{
	if (atomic_fetch_sub(&l->refs, 1) == 1) {
		free(l->path);
		free(l);
	}
}

static void arrive(struct task *t)
{
	struct handoff *h = TASK_OWNER(t, struct handoff, task);
	struct net_listener *l = h->listener;
	if (atomic_load(&l->is_closed))
		close(h->fd);
	else
		l->accept(l->arg, h->loop, h->fd, &h->peer);
	free(h);
	unref(l);
}

static void hand_over(struct net_listener *l, int fd, const struct sockaddr *sa)
{
	struct handoff *h = xcalloc(1, sizeof *h);
	if (!l->path)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	h->task.run = arrive;
	h->listener = l;
	h->loop = l->loops[l->turn];
	h->fd = fd;
	net_addr_set(&h->peer, sa);
	l->turn = (l->turn + 1) % l->n_loops;
	atomic_fetch_add(&l->refs, 1);
	if (h->loop == l->home)
		arrive(&h->task);
	else
		executor_post(net_loop_executor(h->loop), &h->task);
}

static void on_poll(uv_poll_t *p, int status, int events);

static void end_pause(void *arg)
{
	struct net_listener *l = arg;
	if (!l->is_stopped)
		uv_poll_start(&l->poll, UV_READABLE, on_poll);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct net_listener *l = p->data;
	for (int i = 0; i < ACCEPTS_A_TURN && !l->is_stopped; i++) {
		union {
			struct sockaddr any;
			struct sockaddr_storage room;
		} sa = { 0 };
		socklen_t n = sizeof sa;
		int fd = accept4(l->fd, &sa.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			hand_over(l, fd, &sa.any);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			   errno == ENOMEM || status < 0) {
			uv_poll_stop(&l->poll);
			net_timer_start(l->home, &l->pause, PAUSE_MS, end_pause, l);
			return;
		} else if (errno == EAGAIN) {
			return;
		} /* else that one peer has gone again (accept(2)): the next */
	}
}

static int open_socket(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		int sys = errno;
		close(fd);
		return -sys;
	}
	return fd;
}

/* A listening socket, or minus errno; -EINVAL for what is no address. */
static int open_host(const char *host, uint16_t port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;
	char service[8];
	snprintf(service, sizeof service, "%u", (unsigned)port);
	if (getaddrinfo(host, service, &hints, &ai) != 0)
		return -EINVAL;
	int fd = open_socket(ai);
	freeaddrinfo(ai);
	return fd;
}

/* ---- Unix sockets ---- */

/* Whether a socket stands there that nobody listens on. */
static bool is_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	if (lstat(sa->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool is_refused = connect(fd, (const struct sockaddr *)(const void *)sa,
				  sizeof *sa) != 0 &&
			  errno == ECONNREFUSED;
	close(fd);
	return is_refused;
}

static bool bind_path(int fd, const struct sockaddr_un *sa)
{
	const struct sockaddr *any = (const struct sockaddr *)(const void *)sa;
	if (bind(fd, any, sizeof *sa) == 0)
		return true;
	if (errno != EADDRINUSE)
		return false;
	struct stat st;
	if (!is_stale(sa)) {
		bool is_other = lstat(sa->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode);
		errno = is_other ? EEXIST : EADDRINUSE;
		return false;
	}
	return unlink(sa->sun_path) == 0 && bind(fd, any, sizeof *sa) == 0;
}

/* Nobody can connect before listen(2): the mode is right by then. */
static int open_path(const char *path, mode_t mode)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof sa.sun_path)
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	bool is_bound = bind_path(fd, &sa);
	if (is_bound && chmod(path, mode) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int sys = errno;
	if (is_bound)
		unlink(path);
	close(fd);
	return -sys;
}

static int open_any(const struct net_listen *o, struct net_error *ret_error)
{
	bool is_any = !o->host || strcmp(o->host, "*") == 0;
	if (o->path) {
		int fd = open_path(o->path, o->mode);
		if (fd < 0)
			net_error_sys(ret_error, -fd, "cannot listen on %s", o->path);
		return fd;
	}
	int fd = open_host(is_any ? "::" : o->host, o->port);
	if (is_any && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL))
		fd = open_host("0.0.0.0", o->port); /* a system without IPv6 */
	if (fd < 0)
		net_error_sys(ret_error, -fd, "cannot listen on %s port %u",
			      is_any ? "*" : o->host, (unsigned)o->port);
	return fd;
}

static void remember(struct net_listener *l, const struct net_listen *o)
{
	struct net_addr self;
	struct stat st;
	if (!o->path) {
		net_addr_local(&self, l->fd);
		l->port = self.port;
		return;
	}
	l->path = xstrdup(o->path);
	if (lstat(l->path, &st) == 0) {
		l->device = st.st_dev;
		l->inode = st.st_ino;
	}
}

static void remove_path(const struct net_listener *l)
{
	struct stat st;
	if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->device &&
	    st.st_ino == l->inode)
		unlink(l->path);
}

enum err net_listener_open(struct loop *home, const struct net_listen *o,
			   struct net_listener **ret_listener,
			   struct net_error *ret_error)
{
	struct net_error why;
	int fd = open_any(o, &why);
	if (fd < 0) {
		if (ret_error)
			*ret_error = why;
		return why.rc;
	}
	struct net_listener *l = xcalloc(1, sizeof *l + o->n_loops * sizeof l->loops[0]);
	l->fd = fd;
	remember(l, o);
	int rc = uv_poll_init(&home->uv, &l->poll, fd);
	if (rc != 0) {
		remove_path(l);
		close(fd);
		free(l->path);
		free(l);
		return net_error_sys(ret_error, -rc, "cannot watch a listening socket");
	}
	l->poll.data = l;
	l->home = home;
	l->accept = o->accept;
	l->arg = o->arg;
	atomic_init(&l->refs, 1);
	l->n_loops = o->n_loops;
	memcpy(l->loops, o->loops, o->n_loops * sizeof l->loops[0]);
	l->next = home->listeners;
	if (l->next)
		l->next->link = &l->next;
	l->link = &home->listeners;
	home->listeners = l;
	uv_poll_start(&l->poll, UV_READABLE, on_poll);
	*ret_listener = l;
	return ERR_OK;
}

uint16_t net_listener_port(const struct net_listener *l)
{
	return l->port;
}

void net_listener_stop(struct net_listener *l)
{
	l->is_stopped = true;
	net_timer_stop(&l->pause);
	uv_poll_stop(&l->poll);
}

void net_listener_resume(struct net_listener *l)
{
	l->is_stopped = false;
	uv_poll_start(&l->poll, UV_READABLE, on_poll);
}

static void on_closed(uv_handle_t *h)
{
	unref(h->data);
}

void net_listener_close(struct net_listener *l)
{
	if (!l)
		return;
	net_listener_stop(l);
	atomic_store(&l->is_closed, true);
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	uv_close((uv_handle_t *)&l->poll, on_closed);
	remove_path(l);
	close(l->fd);
}
