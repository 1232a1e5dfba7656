/* mailstile user: the user table, also beside a running server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/login.h"
#include "auth/policy.h"
#include "tools/config.h"
#include "tools/pidfile.h"
#include "tools/subcommand.h"

static const char help[] =
    "usage: mailstile user add DIR [NAME] [--admin | --shared] [--groups LIST]\n"
    "                           [--password-file FILE | --no-password]\n"
    "       mailstile user passwd DIR NAME [--password-file FILE | --no-password]\n"
    "       mailstile user groups DIR NAME [--groups LIST]\n"
    "       mailstile user del DIR NAME\n"
    "       mailstile user list DIR [PATTERN]\n\n"
    "Works while the server runs, which takes over the change at once.\n\n"
    "add     adds NAME; without NAME the names on standard input, one a line,\n"
    "        without passwords unless --password-file gives all of them one\n"
    "passwd  changes the password\n"
    "groups  sets the groups NAME is in; without --groups none\n"
    "del     deletes the user. The mail stays in the store, but a user of the\n"
    "        same name added later does not see it\n"
    "list    prints name, role, whether there is a password, and groups,\n"
    "        tab-separated\n\n"
    "  --password-file FILE  the password is the first line of FILE (\"-\": standard\n"
    "                        input); without it, it is asked for on the terminal\n"
    "  --no-password         cannot log in himself; administrators may act for him\n"
    "  --admin               an administrator: acts for others as the policy says\n"
    "  --shared              no person but a tree of mailboxes under Shared/, for\n"
    "                        which administrators act\n"
    "  --groups LIST         names of groups, with commas between them\n";

struct job {
	const char *verb, *dir, *name, *password_file, *groups;
	bool is_admin, is_shared, no_password;
	struct config *config;
	struct users_edit *edit;
	struct buf why, password;
};

static int fail(struct job *j)
{
	return tool_fail_buf(&cmd_user, &j->why);
}

static const char *why_not(enum err rc)
{
	switch (rc) {
	case ERR_EXISTS: return "There is a user \"%.*s\" already.";
	case ERR_NOENT: return "There is no user \"%.*s\".";
	case ERR_INVAL:
		return "\"%.*s\" cannot be the name of a user: names are UTF-8 without "
		       "space, "
		       "\":\" and control characters, do not begin with \"#\" and have "
		       "at most 255 "
		       "bytes.";
	default: return "Cannot change the user \"%.*s\".";
	}
}

static bool note(struct job *j, enum err rc, struct span name)
{
	if (rc != ERR_OK)
		buf_printf(&j->why, why_not(rc), (int)name.n, name.p);
	return rc == ERR_OK;
}

/* ---- passwords ---- */

static bool get_password(struct job *j)
{
	if (j->no_password)
		return true;
	if (!(j->password_file
		  ? tool_password_file(j->password_file, &j->password, &j->why)
		  : tool_password_ask(j->name, &j->password, &j->why)))
		return false;
	if (j->password.n == 0)
		buf_puts(&j->why, "The password is empty; --no-password means none.");
	return j->password.n > 0;
}

/* Each time with new salts. */
static bool set_password(struct job *j, struct span name)
{
	enum err rc = auth_password_set(j->edit, name, buf_span(&j->password));
	if (rc != ERR_INVAL)
		return note(j, rc, name);
	buf_puts(&j->why, "The password is longer than 511 bytes or holds a NUL.");
	return false;
}

/* ---- verbs ---- */

/* Opens late: the lock is not held while somebody types a password. */
static bool open_table(struct job *j)
{
	return users_edit_open(j->config->users, false, &j->edit, &j->why) == ERR_OK;
}

static bool set_groups(struct job *j, struct span name)
{
	struct span list = j->groups ? span_str(j->groups) : SPAN_NONE;
	enum err rc = users_edit_set_groups(j->edit, name, list);
	if (rc == ERR_INVAL)
		buf_printf(&j->why, "\"%s\" is no list of groups: names of groups are like "
				    "those of users, without \",\", \"=\" and \"$\".",
			   j->groups);
	return rc == ERR_INVAL ? false : note(j, rc, name);
}

static bool add_rest(struct job *j, struct span name)
{
	if (j->is_shared)
		users_edit_set_shared(j->edit, name);
	return !j->groups || set_groups(j, name);
}

static bool add_one(struct job *j, struct span name)
{
	return note(j, users_edit_add(j->edit, name, SPAN("*"), j->is_admin), name) &&
	       (j->password.n == 0 || set_password(j, name)) &&
	       add_rest(j, name);
}

/* All of the list or nothing. */
static bool add_list(struct job *j)
{
	char *line = NULL;
	size_t cap = 0, added = 0;
	ssize_t n;
	bool is_ok = !j->password_file || get_password(j);
	is_ok = is_ok && open_table(j);
	while (is_ok && (n = getline(&line, &cap, stdin)) >= 0) {
		struct span name = span_trim(span_of(line, (size_t)n));
		is_ok = name.n == 0 || add_one(j, name);
		added += name.n && is_ok;
	}
	if (is_ok && ferror(stdin)) {
		buf_printf(&j->why, "Cannot read standard input: %s.", strerror(errno));
		is_ok = false;
	}
	is_ok = is_ok && users_edit_save(j->edit, &j->why) == ERR_OK;
	if (is_ok)
		printf("%zu users added.\n", added);
	free(line);
	return is_ok;
}

static bool add(struct job *j)
{
	struct user_name name;
	if (!j->name)
		return add_list(j);
	if (!note(j, user_name_make(span_str(j->name), &name), span_str(j->name)))
		return false;
	j->no_password |= j->is_shared;
	return get_password(j) && open_table(j) && add_one(j, span_str(j->name)) &&
	       users_edit_save(j->edit, &j->why) == ERR_OK;
}

static bool passwd(struct job *j)
{
	return get_password(j) && open_table(j) && set_password(j, span_str(j->name)) &&
	       users_edit_save(j->edit, &j->why) == ERR_OK;
}

static bool groups(struct job *j)
{
	return open_table(j) && set_groups(j, span_str(j->name)) &&
	       users_edit_save(j->edit, &j->why) == ERR_OK;
}

static bool del(struct job *j)
{
	return open_table(j) &&
	       note(j, users_edit_delete(j->edit, span_str(j->name)),
		    span_str(j->name)) &&
	       users_edit_save(j->edit, &j->why) == ERR_OK;
}

static bool list(struct job *j)
{
	struct users *u = NULL;
	if (users_load(j->config->users, &u, &j->why) != ERR_OK)
		return false;
	struct span pattern = j->name ? span_str(j->name) : SPAN("*");
	for (size_t i = 0; i < users_count(u); i++) {
		const struct user *x = users_at(u, i);
		if (policy_pattern_matches(pattern, x->name))
			printf("%.*s\t%s\t%s%s%.*s\n", (int)x->name.n, x->name.p,
			       x->is_shared  ? "shared"
			       : x->is_admin ? "admin"
					     : "user",
			       span_eq(x->hash, SPAN("*")) ? "no-password" : "password",
			       x->groups.n ? "\t" : "", (int)x->groups.n,
			       x->groups.p ? x->groups.p : "");
	}
	users_unref(u);
	return true;
}

static const struct verb {
	const char *name;
	bool (*run)(struct job *);
	bool wants_name, changes, takes_password, takes_admin, takes_groups;
} verbs[] = {
	{ "add", add, false, true, true, true, true },
	{ "passwd", passwd, true, true, true, false },
	{ "groups", groups, true, true, false, false, true },
	{ "del", del, true, true, false, false },
	{ "list", list, false, false, false, false },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* ---- the command line ---- */

static int wrong_usage(const struct job *j, const struct verb *v)
{
	if (!v)
		return tool_usage(
		    &cmd_user, "There is no \"%s\": add, passwd, groups, del or list.", j->verb);
	if (!j->dir)
		return tool_usage(&cmd_user, "DIR is missing.");
	if (v->wants_name && !j->name)
		return tool_usage(&cmd_user, "NAME is missing.");
	if (!v->takes_password && (j->password_file || j->no_password))
		return tool_usage(&cmd_user, "%s takes no password.", v->name);
	if (!v->takes_admin && (j->is_admin || j->is_shared))
		return tool_usage(&cmd_user, "--admin and --shared are for add.");
	if (j->is_admin && j->is_shared)
		return tool_usage(&cmd_user, "--admin and --shared exclude each other.");
	if (j->is_shared && j->password_file)
		return tool_usage(&cmd_user, "A shared tree has no password.");
	if (!v->takes_groups && j->groups)
		return tool_usage(&cmd_user, "--groups is for add and groups.");
	if (j->password_file && j->no_password)
		return tool_usage(
		    &cmd_user, "--password-file and --no-password exclude each other.");
	if (!j->name && j->password_file && strcmp(j->password_file, "-") == 0)
		return tool_usage(&cmd_user,
				  "Names and password cannot both be on standard input.");
	return EXIT_DONE;
}

static void tell_server(const struct job *j)
{
	switch (pidfile_reload(j->dir, j->config->users)) {
	case ERR_AGAIN:
		fputs("The server has not taken over the change yet: see its log.\n",
		      stderr);
		break;
	case ERR_DENIED:
		fputs("The server belongs to another user; it notices the change by "
		      "itself.\n",
		      stderr);
		break;
	default: break;
	}
}

static int run(int argc, char **argv)
{
	struct job j = { 0 };
	const struct tool_option options[] = {
		{ "password-file", &j.password_file, NULL },
		{ "no-password", NULL, &j.no_password },
		{ "admin", NULL, &j.is_admin },
		{ "shared", NULL, &j.is_shared },
		{ "groups", &j.groups, NULL },
		{ 0 },
	};
	const char *word[3] = { 0 };
	size_t n;
	if (!tool_options(argc, argv, options, word,
			  "What to do (add, passwd, groups, del or list)", 3, &n, &j.why)) {
		return tool_usage_buf(&cmd_user, &j.why);
	}
	j.verb = word[0];
	j.dir = word[1];
	j.name = word[2];
	const struct verb *v = find_verb(j.verb);
	int status = wrong_usage(&j, v);
	if (status != EXIT_DONE)
		return status;
	if (config_load(j.dir, &j.config, &j.why) != ERR_OK || !v->run(&j))
		status = fail(&j);
	users_edit_close(j.edit);
	if (status == EXIT_DONE && v->changes)
		tell_server(&j);
	config_free(j.config);
	buf_done(&j.why);
	buf_done(&j.password);
	return status;
}

const struct subcommand cmd_user = {
	.name = "user",
	.summary = "adds, changes, deletes and lists users",
	.help = help,
	.run = run,
};
