/* Memory of connections that sit in IDLE. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void run_idle(void)
{
	struct conn *c = calloc(opt.connections, sizeof *c);
	size_t before_n, after_n;
	double before, after, t = now();
	char line[8192];

	if (!c)
		die("out of memory");
	/* The first connection's cost is the server's own. */
	conn_open(&c[0], true);
	conn_login(&c[0], 0);
	conn_command(&c[0], "SELECT INBOX");
	conn_logout(&c[0]);
	before = server_memory(&before_n);
	for (size_t i = 0; i < opt.connections; i++) {
		conn_open(&c[i], true);
		conn_login(&c[i], i % opt.users);
		conn_command(&c[i], "SELECT INBOX");
		conn_send(&c[i], "IDLE");
		do
			conn_line(&c[i], line, sizeof line);
		while (line[0] != '+');
		free(c[i].buf);
		c[i].buf = NULL;
		c[i].cap = c[i].n = c[i].off = 0;
	}
	t = now() - t;
	usleep((useconds_t)(opt.seconds * 1e6));
	after = server_memory(&after_n);
	printf("{\"what\":\"idle\",\"connections\":%zu,\"tls\":%d,\"kib_each\":%.2f,"
	       "\"before_mib\":%.1f,\"after_mib\":%.1f,\"processes_before\":%zu,"
	       "\"processes\":%zu,\"open_seconds\":%.2f}\n",
	       opt.connections, opt.tls, (after - before) / (double)opt.connections,
	       before / 1024, after / 1024, before_n, after_n, t);
	for (size_t i = 0; i < opt.connections; i++)
		conn_close(&c[i]);
	free(c);
}
