/* mailstile init: a new site. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/login.h"
#include "net/cert.h"
#include "tools/config.h"
#include "tools/subcommand.h"

static const char help[] =
    "usage: mailstile init DIR [options]\n\n"
    "Makes a site in DIR, which must be empty or absent: mailstile.yaml, a\n"
    "self-signed certificate (ECDSA P-256) and a user table with one\n"
    "administrator.\n\n"
    "  --imap PORT           IMAP with STARTTLS (1143)\n"
    "  --imaps PORT          IMAP with TLS from the first byte (1993)\n"
    "  --listen ADDRESS      where to listen (127.0.0.1)\n"
    "  --admin NAME          the administrator (admin)\n"
    "  --password-file FILE  his password, the first line of FILE (\"-\": standard\n"
    "                        input); without it one is made and printed once\n"
    "  --plaintext-login     clients on a loopback address may log in without TLS\n";

enum { CERTIFICATE_DAYS = 825 };

struct site {
	const char *dir, *listen, *admin, *password_file;
	struct config_wish wish;
	struct arena *arena;
	struct buf why;
	bool made_dir;
};

static bool refuse(struct site *s, const char *what, const char *path)
{
	buf_printf(&s->why, "Cannot %s %s: %s.", what, path, strerror(errno));
	return false;
}

static const char *in_site(struct site *s, const char *name)
{
	return arena_printf(s->arena, "%s/%s", s->dir, name);
}

/* Makes DIR and what is above it, or takes an empty one. */
static bool make_folder(struct site *s)
{
	char *path = arena_strdup(s->arena, s->dir);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			return refuse(s, "make", path);
		*slash = '/';
	}
	if (mkdir(s->dir, 0700) == 0) {
		s->made_dir = true;
		return true;
	}
	DIR *d = errno == EEXIST ? opendir(s->dir) : NULL;
	if (!d)
		return refuse(s, "make", s->dir);
	const struct dirent *e;
	bool is_empty = true;
	while (is_empty && (e = readdir(d)))
		is_empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	if (!is_empty)
		buf_printf(
		    &s->why,
		    access(in_site(s, "mailstile.yaml"), F_OK) == 0
			? "%s holds a site already. Nothing was changed."
			: "%s is not empty. Choose another folder; nothing was changed.",
		    s->dir);
	return is_empty;
}

static bool make_certificate(struct site *s)
{
	char host[256] = "";
	const char *names[4] = { "localhost", "127.0.0.1" };
	unsigned n = 2;
	struct net_error fault;
	if (strcmp(s->listen, "127.0.0.1") != 0 && strcmp(s->listen, "0.0.0.0") != 0 &&
	    strcmp(s->listen, "::") != 0)
		names[n++] = s->listen;
	if (gethostname(host, sizeof host - 1) == 0 && host[0] &&
	    strcmp(host, "localhost") != 0)
		names[n++] = host;
	if (mkdir(in_site(s, "tls"), 0700) != 0)
		return refuse(s, "make", in_site(s, "tls"));
	if (net_cert_write(in_site(s, "tls/certificate.pem"), in_site(s, "tls/key.pem"),
			   names, n, CERTIFICATE_DAYS, &fault) == ERR_OK)
		return true;
	buf_printf(&s->why, "%s.", fault.text);
	return false;
}

static bool make_users(struct site *s, struct span password)
{
	struct users_edit *e = NULL;
	struct span name = span_str(s->admin);
	bool is_ok = users_edit_open(in_site(s, "users"), true, &e, &s->why) == ERR_OK;
	if (is_ok && users_edit_add(e, name, SPAN("*"), true) != ERR_OK) {
		buf_printf(&s->why, "\"%s\" cannot be the name of a user.", s->admin);
		is_ok = false;
	}
	if (is_ok && auth_password_set(e, name, password) != ERR_OK) {
		buf_puts(&s->why,
			 "The password is longer than 511 bytes or holds a NUL.");
		is_ok = false;
	}
	is_ok = is_ok && users_edit_save(e, &s->why) == ERR_OK;
	users_edit_close(e);
	return is_ok;
}

/* Last: a folder with this file is a site. Read back, so that no bad file is left. */
static bool make_config(struct site *s)
{
	struct buf text = { 0 };
	struct config *c = NULL;
	config_text(&s->wish, &text);
	bool is_ok = config_parse(buf_span(&text), s->dir, &c, &s->why) == ERR_OK;
	config_free(c);
	const char *path = in_site(s, "mailstile.yaml");
	int fd = is_ok ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
	if (is_ok && (fd < 0 || write(fd, buf_span(&text).p, text.n) != (ssize_t)text.n ||
		      fsync(fd) != 0))
		is_ok = refuse(s, "write", path);
	if (fd >= 0)
		close(fd);
	buf_done(&text);
	return is_ok;
}

/* A site that was not finished is taken away again. */
static void remove_all(struct site *s)
{
	static const char *const names[] = { "mailstile.yaml",	    "users",
					     "users.new",	    "users.lock",
					     "tls/certificate.pem", "tls/key.pem" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(in_site(s, names[i]));
	rmdir(in_site(s, "tls"));
	if (s->made_dir)
		rmdir(s->dir);
}

static void print_site(const struct site *s, const struct buf *password, bool was_made)
{
	printf("%s is ready.\n\n", s->dir);
	printf("  configuration  %s/mailstile.yaml\n", s->dir);
	printf("  listens on     %s, port %u (STARTTLS) and %u (TLS)\n", s->listen,
	       s->wish.imap, s->wish.imaps);
	printf("  certificate    %s/tls/certificate.pem, self-signed\n", s->dir);
	if (was_made)
		printf("  administrator  %s, password %.*s (shown this once)\n", s->admin,
		       (int)password->n, buf_span(password).p);
	else
		printf("  administrator  %s\n", s->admin);
	printf("\nAdd users with: mailstile user add %s NAME\n", s->dir);
	printf("Start it with:  mailstile serve %s\n", s->dir);
}

static bool port_of(const char *text, unsigned standard, unsigned *ret)
{
	uint64_t v = standard;
	/* 0: any that is free, told in the log of `serve` */
	if (text && !span_u64(span_str(text), 65535, &v))
		return false;
	*ret = (unsigned)v;
	return true;
}

static int make_site(struct site *s)
{
	struct buf password = { 0 };
	bool was_made = !s->password_file;
	if (was_made)
		tool_password_make(&password);
	else if (!tool_password_file(s->password_file, &password, &s->why))
		return tool_fail_buf(&cmd_init, &s->why);
	bool has_folder = make_folder(s);
	bool is_ok = has_folder && make_users(s, buf_span(&password)) &&
		     make_certificate(s) && make_config(s);
	if (is_ok)
		print_site(s, &password, was_made);
	else if (has_folder)
		remove_all(s);
	buf_done(&password);
	return is_ok ? EXIT_DONE : tool_fail_buf(&cmd_init, &s->why);
}

static int run(int argc, char **argv)
{
	struct site s = { .listen = "127.0.0.1", .admin = "admin" };
	const char *imap = NULL, *imaps = NULL;
	const struct tool_option options[] = {
		{ "imap", &imap, NULL },
		{ "imaps", &imaps, NULL },
		{ "listen", &s.listen, NULL },
		{ "admin", &s.admin, NULL },
		{ "password-file", &s.password_file, NULL },
		{ "plaintext-login", NULL, &s.wish.plaintext_login },
		{ 0 },
	};
	size_t n;
	struct user_name name;
	if (!tool_options(argc, argv, options, &s.dir, "DIR", 1, &n, &s.why))
		return tool_usage_buf(&cmd_init, &s.why);
	if (!port_of(imap, 1143, &s.wish.imap) || !port_of(imaps, 1993, &s.wish.imaps))
		return tool_usage(&cmd_init,
				  "A port is a number from 1 to 65535, or 0 for any.");
	if (s.wish.imap && s.wish.imap == s.wish.imaps)
		return tool_usage(&cmd_init, "--imap and --imaps want different ports.");
	if (user_name_make(span_str(s.admin), &name) != ERR_OK)
		return tool_usage(&cmd_init, "\"%s\" cannot be the name of a user.",
				  s.admin);
	s.wish.address = s.listen;
	s.arena = arena_new(NULL);
	int status = make_site(&s);
	buf_done(&s.why);
	arena_free(s.arena);
	return status;
}

const struct subcommand cmd_init = {
	.name = "init",
	.summary = "makes a new site: configuration, certificate, administrator",
	.help = help,
	.run = run,
};
