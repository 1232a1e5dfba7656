/* What one STORE and one APPEND cost in a mailbox that is large already. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE = 700 };

static size_t exists(struct conn *c)
{
	char line[8192], t[24];
	size_t n = 0, v;
	int len = snprintf(t, sizeof t, "qZ%u ", conn_send(c, "SELECT %s", opt.mailbox));

	do {
		conn_line(c, line, sizeof line);
		if (strstr(line, " EXISTS") && sscanf(line, "* %zu EXISTS", &v) == 1)
			n = v;
	} while (strncmp(line, t, (size_t)len) != 0);
	if (strncmp(line + len, "OK", 2) != 0 || n == 0)
		die("SELECT %s: %s", opt.mailbox, line);
	return n;
}

void run_grow(void)
{
	struct samples store = { 0 }, append = { 0 };
	struct conn c = { 0 };
	size_t rounds = opt.count ? opt.count : 100, n;
	char *m = malloc(MESSAGE + 4096);
	double cpu_store = 0, cpu_append = 0, a, b, d;

	conn_open(&c, true);
	conn_login(&c, opt.owner);
	conn_ask_capability(&c);
	n = exists(&c);
	for (size_t i = 0; i < rounds + 10; i++) {
		size_t seq = 1 + mix(i + n) % n;
		size_t len = message_make(m, n + i, MESSAGE);

		a = now();
		conn_command(&c, "STORE %zu %cFLAGS (\\Flagged)", seq, i & 1 ? '-' : '+');
		b = now();
		append_one(&c, opt.mailbox, "", m, len);
		d = now();
		if (i < 10)
			continue;
		samples_add(&store, (b - a) * 1e3);
		samples_add(&append, (d - b) * 1e3);
	}
	/* Processor time, in bulk, as it is counted in hundredths of a second. */
	a = server_cpu();
	for (size_t i = 0; i < rounds; i++)
		conn_command(&c, "STORE %zu %cFLAGS (\\Flagged)", 1 + mix(i) % n,
			     i & 1 ? '-' : '+');
	cpu_store = server_cpu() - a;
	a = server_cpu();
	for (size_t i = 0; i < rounds; i++)
		append_one(&c, opt.mailbox, "", m, message_make(m, i, MESSAGE));
	cpu_append = server_cpu() - a;
	conn_logout(&c);
	samples_sort(&store);
	samples_sort(&append);
	printf("{\"what\":\"grow\",\"messages\":%zu,\"store_ms\":%.3f,\"append_ms\":%.3f,"
	       "\"store_p99_ms\":%.3f,\"append_p99_ms\":%.3f,\"store_cpu_us\":%.0f,"
	       "\"append_cpu_us\":%.0f}\n",
	       n, samples_at(&store, 0.5), samples_at(&append, 0.5),
	       samples_at(&store, 0.99), samples_at(&append, 0.99),
	       cpu_store / (double)rounds * 1e6, cpu_append / (double)rounds * 1e6);
	free(m);
	free(c.buf);
	free(store.at);
	free(append.at);
}
