/*
 * A scripted server for the client's tests: each connection that the client opens
 * plays one script. Everything runs in the test's own thread.
 *
 * A step waits for a line that holds `want` (or, with `raw`, for so many bytes), then
 * sends `say`, in which $T is the tag of the last line and $P that of the one before.
 */
#ifndef TEST_CLIENT_PEER_H
#define TEST_CLIENT_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "client/client.h"

struct peer_step {
	const char *want; /* NULL: nothing, say at once */
	const char *say;  /* NULL: nothing */
	size_t raw;	  /* wait for so many bytes more */
	bool is_close;	  /* then end the connection */
};

#define PEER_SCRIPTS 8

struct peer {
	struct loop *loop;
	struct client *client;
	const struct peer_step *script[PEER_SCRIPTS]; /* one a connection */
	unsigned connections;
	int fd;
	size_t step;
	struct buf in, seen; /* seen: all lines of all connections */
	char tag[16], before[16];
	/* What the test's callbacks note. */
	struct buf notes;
	struct arena *arena;
};

void peer_start(struct peer *p, const struct client_config *change);
void peer_end(struct peer *p);
/* Runs both sides until `notes` is `want`; fails after some seconds. */
void peer_until(struct peer *p, const char *want);
/* Runs both sides for a while. */
void peer_idle(struct peer *p, unsigned ms);
/* client_become; notes "(user:rc)". */
void peer_become(struct peer *p, const char *user);
/* A command with `calls` NULL: notes "[text:rc]". */
void peer_command(struct peer *p, const char *text);
const char *peer_rc(enum err rc);
/* How often `text` is in what the client sent. */
unsigned peer_saw(const struct peer *p, const char *text);

/* A greeting, and AUTHENTICATE with SASL-IR answered by `caps`. */
#define GREETING                                                                         \
	{                                                                                \
		.say = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\r\n"        \
	}
#define CAPS "IMAP4rev1 SASL-IR LITERAL+ UNAUTHENTICATE"
#define LOGIN_OK                                                                         \
	{                                                                                \
		.want = "AUTHENTICATE PLAIN ",                                           \
		.say = "$T OK [CAPABILITY " CAPS "] in\r\n"                              \
	}
#define UNAUTH_OK                                                                        \
	{                                                                                \
		.want = "UNAUTHENTICATE",                                                \
		.say = "$T OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] out\r\n"         \
	}
#define SILENT                                                                           \
	{                                                                                \
		.want = "never"                                                          \
	}

#endif
