/*
 * mailstile check: configuration, users and every invariant of the store, read-only; with
 * --repair, what can be made anew of the store.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/site.h"
#include "tools/subcommand.h"

static const char help[] =
    "usage: mailstile check [--repair] DIR\n\n"
    "Checks the configuration, the certificate, the user table and every\n"
    "invariant of the store. Changes nothing; may run beside the server. Prints\n"
    "a line for each fault and exits with 1 if there is one.\n\n"
    "  --repair  first makes anew what can be: counters, summaries, who holds\n"
    "            which body, the record of what was expunged. The server must\n"
    "            not run. What is reported then cannot be mended.\n";

enum { WORKERS = 2 };

/* Beside a running server the view is as old as the check: a body may have been dropped
 * or moved meanwhile. Only what each of so many looks finds is a fault. */
enum { LOOKS = 3, PAUSE_US = 200000 };

struct sentences {
	char **at;
	size_t n, cap;
};

struct check {
	struct config *config;
	struct users *users;
	unsigned faults;
	uint64_t accounts, messages;
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

/* ---- the store ---- */

static void sentences_add(void *arg, const char *sentence)
{
	struct sentences *s = arg;
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 16;
		s->at = xrealloc(s->at, s->cap * sizeof s->at[0]);
	}
	s->at[s->n++] = xstrdup(sentence);
}

static void sentences_done(struct sentences *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->at[i]);
	free(s->at);
	*s = (struct sentences){ 0 };
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Leaves in `s` what `other` has as well. */
static void sentences_keep(struct sentences *s, struct sentences *other)
{
	size_t n = 0;
	if (other->n > 1)
		qsort(other->at, other->n, sizeof other->at[0], by_text);
	for (size_t i = 0; i < s->n; i++) {
		if (other->n > 0 &&
		    bsearch(&s->at[i], other->at, other->n, sizeof other->at[0], by_text))
			s->at[n++] = s->at[i];
		else
			free(s->at[i]);
	}
	s->n = n;
}

/* One look at the store as it is now. */
static void look(struct check *c, struct executor *workers, struct sentences *found)
{
	struct buf why = { 0 };
	struct store *store = NULL;
	struct engine_config e = site_engine(c->config, workers);
	e.flags = ENGINE_READ_ONLY;
	if (store_open(&e, &store, &why) == ERR_OK) {
		enum err rc = store_check(store, sentences_add, found, &c->accounts,
					  &c->messages);
		if (rc != ERR_OK && found->n == 0)
			buf_printf(&why, "The store could not be checked: %s.",
				   err_text(rc));
		store_close(store);
	}
	if (why.n > 0) {
		buf_putc(&why, 0);
		sentences_add(found, buf_span(&why).p);
	}
	buf_done(&why);
}

static void look_often(struct check *c, struct executor *workers)
{
	struct sentences found = { 0 };
	look(c, workers, &found);
	for (int i = 1; i < LOOKS && found.n > 0; i++) {
		struct sentences again = { 0 };
		usleep(PAUSE_US);
		look(c, workers, &again);
		sentences_keep(&found, &again);
		sentences_done(&again);
	}
	for (size_t i = 0; i < found.n; i++)
		fault(c, found.at[i]);
	sentences_done(&found);
	printf("%llu accounts, %llu messages.\n", (unsigned long long)c->accounts,
	       (unsigned long long)c->messages);
}

static void say_mended(void *arg, const char *sentence)
{
	printf("repaired: %s\n", sentence);
}

/* False: it could not even begin. */
static bool repair(struct check *c, struct executor *workers)
{
	struct buf why = { 0 };
	struct store *store = NULL;
	uint64_t mended = 0;
	struct engine_config e = site_engine(c->config, workers);
	e.flags |= ENGINE_REPAIR;
	enum err rc = store_open(&e, &store, &why);
	if (rc == ERR_OK) {
		rc = store_repair(store, say_mended, NULL, &mended);
		store_close(store);
		printf("%llu repaired.\n", (unsigned long long)mended);
		if (rc != ERR_OK)
			buf_printf(&why, "The store could not be repaired: %s.",
				   err_text(rc));
	}
	if (rc != ERR_OK)
		fault_buf(c, &why);
	buf_done(&why);
	return rc == ERR_OK;
}

static void check_store(struct check *c, bool is_repair)
{
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
	if (!is_repair || repair(c, workers_executor(workers)))
		look_often(c, workers_executor(workers));
	workers_free(workers);
}

static int run(int argc, char **argv)
{
	bool is_repair = false;
	const struct tool_option options[] = { { "repair", NULL, &is_repair }, { 0 } };
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
		check_store(&c, is_repair);
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
	.summary = "checks configuration, users and store; repairs what can be",
	.help = help,
	.run = run,
};
