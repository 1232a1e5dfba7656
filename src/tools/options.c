/* What subcommands share: errors, options, passwords. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "base/arena.h"
#include "tools/subcommand.h"

static void say(const struct subcommand *c, const char *fmt, va_list ap)
{
	fprintf(stderr, "mailstile %s: ", c->name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int tool_fail(const struct subcommand *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(c, fmt, ap);
	va_end(ap);
	return EXIT_FAILED;
}

int tool_usage(const struct subcommand *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(c, fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try: mailstile %s --help\n", c->name);
	return EXIT_USAGE;
}

int tool_fail_buf(const struct subcommand *c, struct buf *why)
{
	int status = tool_fail(c, "%.*s", (int)why->n, why->n ? buf_span(why).p : "");
	buf_done(why);
	return status;
}

int tool_usage_buf(const struct subcommand *c, struct buf *why)
{
	int status = tool_usage(c, "%.*s", (int)why->n, why->n ? buf_span(why).p : "");
	buf_done(why);
	return status;
}

/* ---- options ---- */

static const struct tool_option *find_option(const struct tool_option *o,
					     struct span name)
{
	for (; o->name; o++)
		if (span_eq(span_str(o->name), name))
			return o;
	return NULL;
}

/* The option at argv[*i], with its value; *i moves to the last word used. */
static bool take_option(int argc, char **argv, int *i, const struct tool_option *options,
			struct buf *why)
{
	const char *word = argv[*i];
	struct span name = span_str(word + 2);
	ptrdiff_t eq = span_find(name, '=');
	if (eq >= 0)
		name.n = (size_t)eq;
	const struct tool_option *o = find_option(options, name);
	if (!o) {
		buf_printf(why, "Unknown option \"%s\".", word);
		return false;
	}
	if (o->flag && eq >= 0) {
		buf_printf(why, "The option --%s takes no value.", o->name);
		return false;
	}
	if (o->flag) {
		*o->flag = true;
		return true;
	}
	if (eq < 0 && *i + 1 >= argc) {
		buf_printf(why, "The option --%s wants a value.", o->name);
		return false;
	}
	*o->value = eq >= 0 ? word + 2 + eq + 1 : argv[++*i];
	return true;
}

bool tool_options(int argc, char **argv, const struct tool_option *options,
		  const char **word, const char *needed, size_t max, size_t *ret_words,
		  struct buf *why)
{
	size_t n = 0;
	bool is_past = false;
	for (int i = 1; i < argc; i++) {
		if (!is_past && strcmp(argv[i], "--") == 0) {
			is_past = true;
		} else if (!is_past && argv[i][0] == '-' && argv[i][1] == '-') {
			if (!take_option(argc, argv, &i, options, why))
				return false;
		} else if (!is_past && argv[i][0] == '-' && argv[i][1]) {
			buf_printf(why, "Unknown option \"%s\".", argv[i]);
			return false;
		} else if (n == max) {
			buf_printf(why, "\"%s\" is one argument too many.", argv[i]);
			return false;
		} else {
			word[n++] = argv[i];
		}
	}
	if (n == 0 && needed) {
		buf_printf(why, "%s is missing.", needed);
		return false;
	}
	*ret_words = n;
	return true;
}

/* ---- passwords ---- */

enum { PASSWORD_FILE_MAX = 4096 };

bool tool_password_file(const char *path, struct buf *out, struct buf *why)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct buf text = { 0 };
	ssize_t n = fd < 0 ? -1 : 1;
	while (n > 0 && text.n <= PASSWORD_FILE_MAX &&
	       span_find(buf_span(&text), '\n') < 0) {
		n = read(fd, buf_room(&text, 1024), 1024);
		if (n > 0)
			buf_added(&text, (size_t)n);
	}
	if (n < 0)
		buf_printf(why, "Cannot read the password file %s: %s.", path,
			   strerror(errno));
	if (fd >= 0 && !is_stdin)
		close(fd);
	struct span line = buf_span(&text);
	ptrdiff_t end = span_find(line, '\n');
	if (end >= 0)
		line.n = (size_t)end;
	if (span_ends(line, SPAN("\r")))
		line.n--;
	bool is_ok = n >= 0 && line.n > 0 && line.n <= PASSWORD_FILE_MAX;
	if (n >= 0 && !is_ok)
		buf_printf(why,
			   "The first line of the password file %s is empty or too long.",
			   path);
	if (is_ok)
		buf_put(out, line);
	buf_done(&text);
	return is_ok;
}

/* One line from the terminal, not shown. */
static bool ask_once(FILE *tty, const char *prompt, struct buf *out)
{
	struct termios shown, hidden;
	char line[1024];
	fputs(prompt, tty);
	fflush(tty);
	if (tcgetattr(fileno(tty), &shown) != 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fileno(tty), TCSAFLUSH, &hidden);
	bool is_ok = fgets(line, sizeof line, tty) != NULL;
	tcsetattr(fileno(tty), TCSAFLUSH, &shown);
	fputc('\n', tty);
	if (is_ok)
		buf_put(out, span_of(line, strcspn(line, "\r\n")));
	wipe(line, sizeof line);
	return is_ok;
}

bool tool_password_ask(const char *name, struct buf *out, struct buf *why)
{
	struct buf prompt = { 0 }, again = { 0 };
	FILE *tty = fopen("/dev/tty", "r+e");
	if (!tty || !isatty(STDIN_FILENO)) {
		buf_puts(
		    why,
		    "There is no terminal to ask for a password on: give --password-file "
		    "FILE, or --no-password.");
		if (tty)
			fclose(tty);
		return false;
	}
	setvbuf(tty, NULL, _IONBF, 0); /* no copy of the password in stdio */
	buf_printf(&prompt, "Password for %s: ", name);
	buf_putc(&prompt, 0);
	bool is_ok = ask_once(tty, buf_span(&prompt).p, out) && out->n > 0 &&
		     ask_once(tty, "Once more: ", &again);
	if (!is_ok)
		buf_puts(why, "No password was given.");
	else if (!span_eq(buf_span(out), buf_span(&again)))
		buf_puts(why, "The two passwords differ.");
	is_ok = is_ok && span_eq(buf_span(out), buf_span(&again));
	fclose(tty);
	buf_done(&prompt);
	buf_done(&again);
	return is_ok;
}

void tool_password_make(struct buf *out)
{
	/* 32 that are not taken for one another: five bits each */
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	uint8_t random[24];
	while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		;
	for (size_t i = 0; i < sizeof random; i++)
		buf_putc(out, letters[random[i] & 31]);
	wipe(random, sizeof random);
}
