/* One identity after another: by reconnecting, and by UNAUTHENTICATE (RFC 8437). */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_uchar *stored; /* a user: how often its STORE has run, low bit */

static const char *store_command(size_t user)
{
	return atomic_fetch_xor(&stored[user], 1) ? "STORE 1 -FLAGS (\\Seen)"
						  : "STORE 1 +FLAGS (\\Seen)";
}

/* Each connection has its own share of the users. */
static void next_user(struct worker *w)
{
	w->user += opt.connections;
	if (w->user >= opt.users)
		w->user = w->id % opt.users;
}

static bool is_mode(const char *mode)
{
	return strcmp(opt.mode, mode) == 0;
}

/* The first `together` commands in one write, the others one by one. */
static void run_commands(struct conn *c, const char *const *command, size_t n,
			 size_t together)
{
	unsigned tag = conn_send_all(c, command, together);

	for (size_t i = 0; i < together; i++)
		conn_await(c, tag + (unsigned)i, command[i]);
	for (size_t i = together; i < n; i++)
		conn_await(c, conn_send(c, "%s", command[i]), command[i]);
}

static void reconnect_act(struct worker *w)
{
	char auth[640];
	bool pipe = is_mode("pipe");

	auth_command(w->user, auth, sizeof auth);
	conn_open(&w->conn, !pipe);
	w->opened++;
	w->resumed += w->conn.resumed;
	const char *commands[] = { auth, "SELECT INBOX", store_command(w->user),
				   "LOGOUT" };
	run_commands(&w->conn, commands, 4, pipe ? 4 : 1);
	conn_close(&w->conn);
	next_user(w);
}

static void switch_begin(struct worker *w)
{
	conn_open(&w->conn, true);
	conn_login(&w->conn, w->user);
	next_user(w);
}

static void switch_act(struct worker *w)
{
	char auth[640];

	auth_command(w->user, auth, sizeof auth);
	const char *commands[] = { "UNAUTHENTICATE", auth, "SELECT INBOX",
				   store_command(w->user) };
	run_commands(&w->conn, commands, 4,
		     is_mode("pipe")   ? 4
		     : is_mode("step") ? 2
				       : 1);
	next_user(w);
}

static void switch_end(struct worker *w)
{
	conn_logout(&w->conn);
}

static void stored_new(void)
{
	stored = calloc(opt.users, sizeof *stored);
	if (!stored || opt.users < opt.connections)
		die("-n must not be less than -c");
}

void run_reconnect(void)
{
	stored_new();
	work_run(&(struct work){ .name = opt.resume ? "reconnect-resume" : "reconnect",
				 .act = reconnect_act });
}

void run_switch(void)
{
	stored_new();
	work_run(&(struct work){ .name = "switch",
				 .prepare = switch_begin,
				 .act = switch_act,
				 .finish = switch_end });
}

/* opt.batch switches in one write. */
static void bare_act(struct worker *w)
{
	char *b = w->message, auth[640];
	size_t at = 0;
	unsigned first = w->conn.tag + 1;

	for (size_t i = 0; i < opt.batch; i++) {
		auth_command(w->user, auth, sizeof auth);
		at += (size_t)sprintf(b + at, "qZ%u UNAUTHENTICATE\r\n", w->conn.tag + 1);
		at += (size_t)sprintf(b + at, "qZ%u %s\r\n", w->conn.tag + 2, auth);
		w->conn.tag += 2;
		next_user(w);
	}
	conn_put(&w->conn, b, at);
	for (unsigned tag = first; tag <= w->conn.tag; tag++)
		conn_await(&w->conn, tag, "switch");
}

static void bare_begin(struct worker *w)
{
	switch_begin(w);
	w->message = malloc(opt.batch * 800);
	if (!w->message)
		die("out of memory");
}

void run_bare(void)
{
	work_run(&(struct work){ .name = "bare",
				 .prepare = bare_begin,
				 .act = bare_act,
				 .finish = switch_end,
				 .per_act = opt.batch });
}

void run_caps(void)
{
	struct conn c = { 0 };

	conn_open(&c, true);
	conn_ask_capability(&c);
	printf("{\"what\":\"caps\",\"before\":\"%s\"", c.caps);
	conn_login(&c, 0);
	conn_ask_capability(&c);
	printf(",\"after\":\"%s\"}\n", c.caps);
	conn_logout(&c);
	free(c.buf);
}

void run_prefill(void)
{
	char *m = malloc(2000 + 4096);

	for (size_t u = 0; u < opt.users; u++) {
		struct conn c = { 0 };

		conn_open(&c, true);
		conn_login(&c, u);
		conn_ask_capability(&c);
		for (size_t i = 0; i < (opt.count ? opt.count : 1); i++)
			append_one(&c, "INBOX", "", m, message_make(m, u + i, 2000));
		conn_logout(&c);
		free(c.buf);
	}
	free(m);
	printf("{\"what\":\"prefill\",\"users\":%zu}\n", opt.users);
}
