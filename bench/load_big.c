/* A large mailbox: filled, then one operation on all of it, cold or warm. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t size_of(size_t i)
{
	return opt.bytes != 4096 ? opt.bytes : 1500 + mix(i * 7 + 1) % 6000;
}

void run_fill(void)
{
	struct conn c = { 0 };
	size_t n = opt.count ? opt.count : 50000;
	uint64_t total;
	double t;

	conn_open(&c, true);
	conn_login(&c, opt.owner);
	conn_ask_capability(&c);
	conn_try(&c, "DELETE", opt.mailbox);
	conn_command(&c, "CREATE %s", opt.mailbox);
	t = now();
	total = append_many(&c, opt.mailbox, 0, n, size_of);
	t = now() - t;
	printf("{\"what\":\"fill\",\"messages\":%zu,\"mb\":%.1f,\"seconds\":%.2f,"
	       "\"per_s\":%.0f}\n",
	       n, (double)total / 1e6, t, (double)n / t);
	conn_logout(&c);
	free(c.buf);
}

static const struct operation {
	const char *name, *command, *undo;
} operations[] = {
	{ "select", NULL, NULL },
	{ "fetch_flags", "UID FETCH 1:* (FLAGS)", NULL },
	{ "fetch_envelope", "FETCH 1:* (UID FLAGS ENVELOPE)", NULL },
	{ "fetch_bodystructure", "FETCH 1:* (UID BODYSTRUCTURE)", NULL },
	{ "fetch_fields", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT FROM DATE)]",
	  NULL },
	{ "fetch_body", "FETCH 1:* BODY.PEEK[]", NULL },
	{ "fetch_body_deflate", "FETCH 1:* BODY.PEEK[]", NULL },
	{ "search_subject", "SEARCH SUBJECT needle", NULL },
	{ "search_unseen", "SEARCH UNSEEN", NULL },
	{ "sort_date", "UID SORT (REVERSE DATE) UTF-8 ALL", NULL },
	{ "sort_subject", "SORT (SUBJECT FROM) UTF-8 ALL", NULL },
	{ "thread", "UID THREAD REFERENCES UTF-8 ALL", NULL },
	{ "search_body_none", "SEARCH BODY xylophone", NULL },
	{ "search_body_few", "SEARCH BODY elephant", NULL },
	{ "store", "STORE 1:* +FLAGS (\\Flagged)", "STORE 1:* -FLAGS (\\Flagged)" },
	{ "copy", NULL, NULL },
	{ 0 },
};

static bool is_operation(const struct operation *o, const char *name)
{
	return strcmp(o->name, name) == 0;
}

/* Milliseconds; `ret_bytes`: what was received. */
static double operate(struct conn *c, const struct operation *o, uint64_t *ret_bytes)
{
	char command[512];
	uint64_t before;
	double t;

	snprintf(command, sizeof command, "%s", o->command ? o->command : "");
	if (is_operation(o, "select"))
		snprintf(command, sizeof command, "SELECT %s", opt.mailbox);
	if (is_operation(o, "copy")) {
		/* not every server frees a deleted name at once: a new one each time */
		static unsigned copies;

		conn_command(c, "CREATE %scopy%d-%u", opt.mailbox, getpid(), ++copies);
		snprintf(command, sizeof command, "COPY 1:%zu %scopy%d-%u",
			 opt.batch != 50 ? opt.batch : 10000, opt.mailbox, getpid(),
			 copies);
	}
	before = c->received;
	t = now();
	conn_await(c, conn_send(c, "%s", command), command);
	t = now() - t;
	*ret_bytes = c->received - before;
	if (is_operation(o, "copy"))
		conn_try(c, "DELETE", strrchr(command, ' ') + 1);
	return t * 1e3;
}

static void begin(struct conn *c, const struct operation *o)
{
	conn_open(c, true);
	conn_login(c, opt.owner);
	if (is_operation(o, "fetch_body_deflate"))
		conn_compress(c);
	if (!is_operation(o, "select"))
		conn_command(c, "SELECT %s", opt.mailbox);
}

static void undo(struct conn *c, const struct operation *o)
{
	if (o->undo)
		conn_await(c, conn_send(c, "%s", o->undo), o->undo);
}

void run_big(void)
{
	const struct operation *o = operations;
	struct samples ms = { 0 };
	struct conn c = { 0 };
	size_t runs = opt.cold ? 1 : opt.count ? opt.count : 3;
	uint64_t bytes = 0;
	double cpu = 0;

	while (o->name && !is_operation(o, opt.only))
		o++;
	if (!o->name)
		die("-x %s: no such operation", opt.only);
	begin(&c, o);
	if (!opt.cold) {
		operate(&c, o, &bytes);
		undo(&c, o);
	}
	for (size_t i = 0; i < runs; i++) {
		double before = server_cpu();

		samples_add(&ms, operate(&c, o, &bytes));
		cpu += server_cpu() - before;
		undo(&c, o);
	}
	conn_logout(&c);
	free(c.buf);
	samples_sort(&ms);
	printf("{\"what\":\"%s\",\"cold\":%s,\"ms\":%.3f,\"best_ms\":%.3f,\"bytes\":%llu,"
	       "\"mb_per_s\":%.1f,\"cpu_ms\":%.1f}\n",
	       o->name, opt.cold ? "true" : "false", samples_at(&ms, 0.5), ms.at[0],
	       (unsigned long long)bytes, (double)bytes / 1e3 / samples_at(&ms, 0.5),
	       cpu * 1e3 / (double)runs);
	free(ms.at);
}
