/*
 * A server for the public library's tests: threads, one a connection, which answer each
 * line by the first rule whose `want` it holds. In `say`, $T is the line's tag and $U the
 * user of the last AUTHENTICATE PLAIN. Literals are read: {n} after "+ go", {n+} at once.
 */
#ifndef TEST_CLIENT_HOST_H
#define TEST_CLIENT_HOST_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "mailstile.h"

struct host_rule {
	const char *want;
	const char *say; /* NULL: silence */
	bool is_end;	 /* then the connection ends */
	/* Instead of `say`: bytes without end, or until the client has gone. */
	void (*flood)(int fd, const char *tag);
};

struct host {
	const struct host_rule *rules;
	const char *greeting; /* NULL: the usual one */
	pthread_mutex_t lock;
	pthread_t threads[256];
	unsigned connections;
	struct buf seen; /* "user: line", of all connections */
	unsigned users_now, users_most;
};

#define HOST_CAPS "IMAP4rev1 SASL-IR LITERAL+ IDLE UIDPLUS UNAUTHENTICATE"
#define HOST_LOGIN                                                                       \
	{                                                                                \
		.want = "AUTHENTICATE PLAIN",                                            \
		.say = "$T OK [CAPABILITY " HOST_CAPS "] in\r\n"                         \
	}
#define HOST_UNAUTH                                                                      \
	{                                                                                \
		.want = "UNAUTHENTICATE",                                                \
		.say = "$T OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] out\r\n"         \
	}

void host_start(struct host *h, const struct host_rule *rules);
/* When no client is left: waits for the threads. */
void host_end(struct host *h);
/* `dial` of the options, with the host as its argument. */
int host_dial(void *host);
struct mailstile_options host_options(struct host *h);
/* How often `text` is in what the clients sent. */
unsigned host_saw(struct host *h, const char *text);

#endif
