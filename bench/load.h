/*
 * An IMAP load generator: one measurement of one server a call, one line of JSON
 * on standard output. `bench/compare` runs it against several servers in turn.
 *
 *	load [options] MEASUREMENT
 *
 * See load_main.c for both. A NO or BAD to any command ends it with its text.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
	int port;
	bool tls, tls12, resume;
	bool quickack; /* hides the 40 ms that a reply in two small writes costs */
	bool same;     /* append: all connections into one mailbox */
	bool cold;     /* big: one run and no warming up */
	const char *pattern, *admin, *password; /* users' names; the administrator */
	const char *mode, *mailbox, *only, *pids;
	size_t users, connections, owner, batch, bytes, count;
	double seconds, warmup;
};
extern struct options opt;

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
double now(void);

/* ---- load_conn.c: one connection, blocking ---- */

struct conn {
	int fd;
	unsigned tag; /* of the last command */
	bool resumed; /* the TLS session was */
	SSL *ssl;
	char *buf; /* received, live from off */
	size_t off, n, cap;
	uint64_t received; /* without TLS and COMPRESS */
	struct packed *packed; /* after conn_compress() */
	char caps[4096]; /* the last capability list seen */
};

void conn_setup(void);
void conn_open(struct conn *c, bool greeting);
void conn_close(struct conn *c);
void conn_done(struct conn *c); /* closes, frees the buffer */
void conn_put(struct conn *c, const char *p, size_t n);
/* Sends "qZtag text CRLF"; returns the tag. */
unsigned conn_send(struct conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Everything up to and with that tag's line, which must be OK; `what` for the message. */
void conn_await(struct conn *c, unsigned tag, const char *what);
/* One line, cut to n - 1 bytes: greetings, continuation requests. */
void conn_line(struct conn *c, char *to, size_t n);
void conn_command(struct conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A command that may fail, such as DELETE of what is not there. */
void conn_try(struct conn *c, const char *command, const char *name);
/* Several commands in one write; the tag of the first. */
unsigned conn_send_all(struct conn *c, const char *const *command, size_t n);
bool conn_has(struct conn *c, const char *capability);
void conn_ask_capability(struct conn *c);
/* "AUTHENTICATE PLAIN ...": the administrator as that user. */
void auth_command(size_t user, char *to, size_t n);
void conn_login(struct conn *c, size_t user);
/* COMPRESS DEFLATE (RFC 4978); conn_logout() ends it. */
void conn_compress(struct conn *c);
void conn_logout(struct conn *c); /* and closes */
/* The TLS session that this thread resumes next. */
SSL_SESSION *conn_session(void);
void conn_set_session(SSL_SESSION *s);

/* ---- load_message.c ---- */

/* Message number i of just `size` bytes (at least its header); returns its length.
 * `to` has room for size + 4096. */
size_t message_make(char *to, size_t i, size_t size);
uint64_t mix(uint64_t x);
void append_one(struct conn *c, const char *mailbox, const char *flags,
		const char *message, size_t n);
/* `n` messages numbered from `first`, in MULTIAPPENDs where the server has it; returns
 * their bytes. `size(i)` is that of message i. */
uint64_t append_many(struct conn *c, const char *mailbox, size_t first, size_t n,
		     size_t (*size)(size_t i));

/* ---- load_time.c: timed work, and what the server spends on it ---- */

struct samples {
	double *at;
	size_t n, cap;
};
void samples_add(struct samples *s, double v);
void samples_sort(struct samples *s);
double samples_at(const struct samples *s, double part); /* sorted; 0.5: median */

struct worker {
	pthread_t thread;
	size_t id, user;
	struct samples latency;
	size_t opened, resumed; /* connections */
	struct conn conn;
	double from, until;
	char *message;
	SSL_SESSION *session;
};
struct work {
	const char *name;
	void (*prepare)(struct worker *), (*act)(struct worker *),
	    (*finish)(struct worker *);
	size_t per_act; /* operations that one act is */
};
/* opt.connections threads for opt.seconds; prints the line. */
void work_run(const struct work *w);
/* Seconds of processor time of the processes of opt.pids and all below them. */
double server_cpu(void);
/* Their proportional set size in KiB; how many they are. */
double server_memory(size_t *ret_processes);

/* ---- measurements ---- */

void run_caps(void); /* load_switch.c */
void run_prefill(void);
void run_reconnect(void);
void run_switch(void);
void run_bare(void);
void run_append(void); /* load_append.c */
void run_fill(void);   /* load_big.c */
void run_big(void);
void run_resync(void); /* load_resync.c */
void run_grow(void); /* load_grow.c */
void run_idle(void); /* load_idle.c */

#endif
