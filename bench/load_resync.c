/*
 * A client comes back to a mailbox that it knows: SELECT with QRESYNC (RFC 7162) after
 * 100 changes, 90 of flags and 10 expunged messages.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAGGED = 90, GONE = 10 };

struct known {
	unsigned long long exists, uidvalidity, modseq;
};

static void take(const char *line, const char *name, unsigned long long *to)
{
	const char *at = strstr(line, name);

	if (at)
		*to = strtoull(at + strlen(name), NULL, 10);
}

/* SELECT, and what a client remembers of it. */
static struct known look(struct conn *c)
{
	struct known k = { 0 };
	char line[8192], tag[24];
	int n = snprintf(tag, sizeof tag, "qZ%u ",
			 conn_send(c, "SELECT %s", opt.mailbox));

	do {
		conn_line(c, line, sizeof line);
		if (strstr(line, " EXISTS"))
			take(line, "* ", &k.exists);
		take(line, "[UIDVALIDITY ", &k.uidvalidity);
		take(line, "[HIGHESTMODSEQ ", &k.modseq);
	} while (strncmp(line, tag, (size_t)n) != 0);
	if (!k.modseq || k.exists <= FLAGGED + GONE)
		die("SELECT %s: it has too few messages, or no HIGHESTMODSEQ",
		    opt.mailbox);
	return k;
}

static size_t small(size_t i)
{
	(void)i;
	return 1500;
}

static void change(struct conn *c, const struct known *k, const char *sign)
{
	unsigned long long step = (k->exists - GONE) / FLAGGED;

	for (unsigned long long i = 0; i < FLAGGED; i++)
		conn_command(c, "STORE %llu %sFLAGS.SILENT (\\Answered)", 1 + i * step,
			     sign);
}

static double reopen(const struct known *k, uint64_t *ret_bytes, double *cpu)
{
	struct conn c = { 0 };
	uint64_t before;
	double t, spent;

	conn_open(&c, true);
	conn_login(&c, opt.owner);
	conn_command(&c, "ENABLE QRESYNC");
	before = c.received;
	spent = server_cpu();
	t = now();
	conn_command(&c, "SELECT %s (QRESYNC (%llu %llu))", opt.mailbox, k->uidvalidity,
		     k->modseq);
	t = now() - t;
	*cpu += server_cpu() - spent;
	*ret_bytes = c.received - before;
	conn_logout(&c);
	free(c.buf);
	return t * 1e3;
}

void run_resync(void)
{
	struct samples ms = { 0 };
	struct conn c = { 0 };
	struct known k;
	size_t runs = opt.cold ? 1 : opt.count ? opt.count : 3;
	uint64_t bytes = 0;
	double cpu = 0;

	conn_open(&c, true);
	conn_login(&c, opt.owner);
	conn_command(&c, "ENABLE QRESYNC");
	append_many(&c, opt.mailbox, 9000000, GONE, small);
	k = look(&c);
	change(&c, &k, "+");
	conn_command(&c, "STORE %llu:%llu +FLAGS.SILENT (\\Deleted)", k.exists - GONE + 1,
		     k.exists);
	conn_command(&c, "EXPUNGE");
	conn_command(&c, "UNSELECT");
	for (size_t i = 0; i < runs; i++)
		samples_add(&ms, reopen(&k, &bytes, &cpu));
	look(&c);
	change(&c, &k, "-");
	conn_logout(&c);
	free(c.buf);
	samples_sort(&ms);
	printf("{\"what\":\"resync\",\"ms\":%.3f,\"best_ms\":%.3f,\"bytes\":%llu,"
	       "\"cpu_ms\":%.2f}\n",
	       samples_at(&ms, 0.5), ms.at[0], (unsigned long long)bytes,
	       cpu * 1e3 / (double)runs);
	free(ms.at);
}
