/* mailstile check: configuration, users and every invariant of the store, read-only. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/site.h"
#include "tools/subcommand.h"

static const char help[] =
    "usage: mailstile check DIR\n\n"
    "Checks the configuration, the certificate, the user table and every\n"
    "invariant of the store. Changes nothing; may run beside the server. Prints\n"
    "a line for each fault and exits with 1 if there is one.\n";

enum { WORKERS = 2 };

struct check {
	struct config *config;
	struct users *users;
	unsigned faults;
};

static void fault(void *arg, const char *sentence)
{
	struct check *c = arg;
	printf("%s\n", sentence);
	c->faults++;
}

static void fault_buf(struct check *c, struct buf *why)
{
	buf_putc(why, 0);
	fault(c, buf_span(why).p);
	buf_done(why);
}

static void check_tls(struct check *c)
{
	struct buf why = { 0 };
	struct net_tls *tls = NULL;
	struct stat st;
	if (!site_wants_tls(c->config))
		return;
	if (site_tls(c->config, &tls, &why) != ERR_OK)
		fault_buf(c, &why);
	net_tls_unref(tls);
	if (stat(c->config->tls_key, &st) == 0 && (st.st_mode & 077)) {
		buf_printf(&why,
			   "The key %s can be read by others than its owner (mode %03o).",
			   c->config->tls_key, st.st_mode & 0777u);
		fault_buf(c, &why);
	}
}

static void check_users(struct check *c)
{
	struct buf why = { 0 };
	if (users_load(c->config->users, &c->users, &why) != ERR_OK)
		fault_buf(c, &why);
	buf_done(&why);
}

static void check_store(struct check *c)
{
	struct buf why = { 0 };
	struct store *store = NULL;
	uint64_t accounts = 0, messages = 0;
	if (strcmp(c->config->store_engine, "mem") == 0) {
		puts("The store is in memory: nothing to check.");
		return;
	}
	if (access(c->config->store_directory, F_OK) != 0) {
		puts("There is no store yet: the server makes it when it starts.");
		return;
	}
	struct workers *workers = workers_new(WORKERS);
	if (!workers) {
		fault(c, "The system refuses threads.");
		return;
	}
	struct engine_config e = site_engine(c->config, workers_executor(workers));
	e.flags = ENGINE_READ_ONLY;
	if (store_open(&e, &store, &why) == ERR_OK) {
		unsigned before = c->faults;
		enum err rc = store_check(store, fault, c, &accounts, &messages);
		if (rc != ERR_OK && c->faults == before) {
			buf_printf(&why, "The store could not be checked: %s.",
				   err_text(rc));
			fault_buf(c, &why);
		}
		store_close(store);
		printf("%llu accounts, %llu messages.\n", (unsigned long long)accounts,
		       (unsigned long long)messages);
	} else {
		fault_buf(c, &why);
	}
	workers_free(workers);
	buf_done(&why);
}

static int run(int argc, char **argv)
{
	const struct tool_option options[] = { { 0 } };
	struct check c = { 0 };
	struct buf why = { 0 };
	const char *dir;
	size_t n;
	if (!tool_options(argc, argv, options, &dir, "DIR", 1, &n, &why)) {
		return tool_usage_buf(&cmd_check, &why);
	}
	if (config_load(dir, &c.config, &why) != ERR_OK) {
		fault_buf(&c, &why);
	} else {
		check_tls(&c);
		check_users(&c);
		check_store(&c);
		if (c.users)
			printf("%zu users.\n", users_count(c.users));
	}
	if (c.faults)
		printf("%u fault%s.\n", c.faults, c.faults == 1 ? "" : "s");
	else
		printf("%s is sound.\n", dir);
	users_unref(c.users);
	config_free(c.config);
	buf_done(&why);
	return c.faults ? EXIT_FAILED : EXIT_DONE;
}

const struct subcommand cmd_check = {
	.name = "check",
	.summary = "checks configuration, users and store; changes nothing",
	.help = help,
	.run = run,
};
