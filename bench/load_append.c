/* APPEND: each connection to a user of its own, or all into one mailbox. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static bool is_made;
static atomic_size_t serial;

/* A new mailbox; of a shared one, by whoever comes first. */
static void append_begin(struct worker *w)
{
	conn_open(&w->conn, true);
	conn_login(&w->conn, opt.same ? opt.owner : opt.owner + w->id);
	conn_ask_capability(&w->conn);
	w->message = malloc(opt.bytes + 4096);
	if (!w->message)
		die("out of memory");
	pthread_mutex_lock(&one);
	if (!opt.same || !is_made) {
		conn_try(&w->conn, "DELETE", opt.mailbox);
		conn_command(&w->conn, "CREATE %s", opt.mailbox);
	}
	is_made = true;
	pthread_mutex_unlock(&one);
}

static void append_act(struct worker *w)
{
	size_t i = atomic_fetch_add(&serial, 1);

	append_one(&w->conn, opt.mailbox, "", w->message,
		   message_make(w->message, i, opt.bytes));
}

static void append_end(struct worker *w)
{
	if (!opt.same)
		conn_try(&w->conn, "DELETE", opt.mailbox);
	conn_logout(&w->conn);
}

void run_append(void)
{
	char name[64];

	snprintf(name, sizeof name, "append-%s-%zu", opt.same ? "same" : "own",
		 opt.bytes);
	work_run(&(struct work){ .name = name,
				 .prepare = append_begin,
				 .act = append_act,
				 .finish = append_end });
}
