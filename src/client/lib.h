/* What the files of the public library share; include/mailstile.h says what it is. */
#ifndef CLIENT_LIB_H
#define CLIENT_LIB_H

#include <stdarg.h>
#include "client/client.h"
#include "mailstile.h"

struct mailstile {
	struct client *client;
	struct loop *loop;
	struct net_tls *tls;
	uint32_t deadline_ms, idle_ms;
	size_t reply_max;
	unsigned depth; /* turns of the loop under way */
	bool is_dead;	/* freed inside a callback */
	bool is_unsent; /* something waits for client_flush() */
	struct mailstile_command *commands;
	void (*event)(void *arg, const struct mailstile_data *d);
	void *event_arg;
	struct {
		bool is_active;
		struct client_stats before;
		void (*done)(void *arg, const struct mailstile_result *r);
		void *arg;
	} become;
	struct net_timer wake; /* ends a turn that waits */
	bool is_awake;
	struct buf user;  /* with a NUL */
	struct buf error; /* of the last blocking call, with a NUL */
};

struct mailstile_command {
	struct mailstile *m;
	struct mailstile_command *next, **link; /* in m->commands */
	struct client_cmd *cmd;			/* NULL: an IDLE between two */
	const struct mailstile_calls *calls;
	void *arg;
	bool is_sent, is_bad, is_literal_last;
	bool is_idle, is_ended; /* ended: by its owner */
	bool is_late;
	struct net_timer timer; /* deadline; of an IDLE, when it is begun anew */
};

/* As mailstile_new(), with a context that others share (referenced); NULL: makes one. */
struct mailstile *lib_new(const struct mailstile_options *o, struct net_tls *tls,
			  char *ret_why, size_t size);
/* The TLS context of these options; NULL and ERR_OK without TLS. */
enum err lib_tls_new(const struct mailstile_options *o, struct net_tls **ret_tls,
		     struct net_error *ret_error);
/* The caller's options over the defaults; false: not a struct of this library. */
bool lib_options(const struct mailstile_options *o, struct mailstile_options *ret);

/* One turn of the loop. False: the object is gone. */
bool lib_turn(struct mailstile *m, bool wait);
/* Commands that the client will not end any more. */
void lib_commands_free(struct mailstile *m);
/* Those that were not sent: the client does not know them. */
void lib_commands_drop(struct mailstile *m);
enum mailstile_rc lib_rc(enum err rc, bool is_login);
/* Strings live in `a`. */
struct mailstile_result lib_result(struct arena *a, const struct client_result *r,
				   bool is_login);
/* `rest`: what stands behind the name. */
struct mailstile_data lib_data(struct arena *a, const struct response *r,
			       struct span rest);
/* mailstile_putf(). */
void lib_vputf(struct mailstile_command *cmd, const char *format, va_list ap);
/* Whether an error of `cmd` came from its deadline. */
enum mailstile_rc lib_late(enum mailstile_rc rc, bool is_late);

#endif
