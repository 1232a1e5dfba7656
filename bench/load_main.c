/* Options and the list of measurements. */
#include "load.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct options opt = {
	.port = 143,
	.pattern = "u%05zu",
	.admin = "admin",
	.password = "adminpw",
	.mode = "step",
	.mailbox = "bench",
	.only = "",
	.pids = "",
	.users = 200,
	.connections = 1,
	.batch = 50,
	.bytes = 4096,
	.seconds = 3,
	.warmup = 0.5,
};

static const struct measurement {
	const char *name, *what;
	void (*run)(void);
} measurements[] = {
	{ "caps", "the capability lists before and after login", run_caps },
	{ "prefill", "-N messages into the INBOX of each user", run_prefill },
	{ "reconnect", "connect, log in, SELECT, STORE, LOGOUT; a user after another",
	  run_reconnect },
	{ "switch", "UNAUTHENTICATE, AUTHENTICATE, SELECT, STORE; a user after another",
	  run_switch },
	{ "bare", "UNAUTHENTICATE and AUTHENTICATE alone, -k pairs in a write",
	  run_bare },
	{ "append",
	  "APPEND of -s bytes, each connection to a user and mailbox of its own",
	  run_append },
	{ "fill", "a new mailbox -b with -N messages of 1.5 to 7.5 KB (-s: of so many)",
	  run_fill },
	{ "big", "one operation (-x) on all messages of mailbox -b, -N times", run_big },
	{ "resync", "SELECT of mailbox -b with QRESYNC after 100 changes, -N times",
	  run_resync },
	{ "grow", "-N STOREs of one message and APPENDs to mailbox -b, by turns",
	  run_grow },
	{ "idle", "memory of -c connections in IDLE", run_idle },
	{ 0 },
};

static const char options_text[] =
    "  -p PORT   on 127.0.0.1               -t        TLS from the first byte\n"
    "  -2        at most TLS 1.2            -r        resume the last TLS session\n"
    "  -n N      users u00000 ... (200)     -c N      connections (1)\n"
    "  -a NAME   the administrator (admin)  -w PW     his password (adminpw)\n"
    "  -d SEC    length (3)                 -W SEC    not measured before it (0.5)\n"
    "  -m MODE   wait: one command at a time; step: UNAUTHENTICATE+AUTHENTICATE in one\n"
    "            write; pipe: everything of a user in one write\n"
    "  -s BYTES  of a message               -S        append: all into one mailbox\n"
    "  -b NAME   mailbox                    -U N      the user who has it\n"
    "  -N N      how many                   -k N      bare: pairs in a write (50)\n"
    "  -x NAME   big: the operation         -C        big: cold, once\n"
    "  -q        acknowledge at once (TCP_QUICKACK)\n"
    "  -P PID,.. of the server: its processor time and memory are measured\n";

_Noreturn void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("load: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	exit(1);
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void usage(void)
{
	fputs("usage: load [options] MEASUREMENT\n", stderr);
	for (const struct measurement *m = measurements; m->name; m++)
		fprintf(stderr, "  %-10s %s\n", m->name, m->what);
	fputs(options_text, stderr);
	exit(2);
}

static size_t number(const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (*end || end == text)
		die("%s is not a number", text);
	return (size_t)v;
}

static void option(int o)
{
	switch (o) {
	case 'p': opt.port = (int)number(optarg); break;
	case 't': opt.tls = true; break;
	case '2': opt.tls12 = true; break;
	case 'r': opt.resume = true; break;
	case 'n': opt.users = number(optarg); break;
	case 'c': opt.connections = number(optarg); break;
	case 'a': opt.admin = optarg; break;
	case 'w': opt.password = optarg; break;
	case 'd': opt.seconds = atof(optarg); break;
	case 'W': opt.warmup = atof(optarg); break;
	case 'm': opt.mode = optarg; break;
	case 's': opt.bytes = number(optarg); break;
	case 'S': opt.same = true; break;
	case 'b': opt.mailbox = optarg; break;
	case 'U': opt.owner = number(optarg); break;
	case 'N': opt.count = number(optarg); break;
	case 'k': opt.batch = number(optarg); break;
	case 'x': opt.only = optarg; break;
	case 'C': opt.cold = true; break;
	case 'q': opt.quickack = true; break;
	case 'P': opt.pids = optarg; break;
	default: usage();
	}
}

static void more_files(void)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

int main(int argc, char **argv)
{
	const char *what;
	int o;

	while ((o = getopt(argc, argv, "p:t2rn:c:a:w:d:W:m:s:Sb:U:N:k:x:CqP:")) != -1)
		option(o);
	if (optind != argc - 1)
		usage();
	what = argv[optind];
	if (opt.connections == 0 || opt.users == 0)
		die("-n and -c must be at least 1");
	signal(SIGPIPE, SIG_IGN);
	more_files();
	conn_setup();
	for (const struct measurement *m = measurements; m->name; m++)
		if (strcmp(m->name, what) == 0) {
			m->run();
			return 0;
		}
	usage();
}
