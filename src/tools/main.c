/* The binary: finds the subcommand and hands over. */
#include <stdio.h>

#include "server/server.h"
#include "tools/subcommand.h"

static const struct subcommand *const commands[] = {
	&cmd_init, &cmd_serve, &cmd_user, &cmd_check, &cmd_backup,
	&cmd_restore, &cmd_mailboxes, &cmd_act,
};

static const struct subcommand *find(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void put_help(FILE *to)
{
	fputs("Mailstile: an IMAP server on which changing user costs one command.\n\n"
	      "usage: mailstile COMMAND ...\n\n",
	      to);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		fprintf(to, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n  mailstile COMMAND --help   explains one\n"
	      "  mailstile --version        says which this is\n"
	      "  mailstile --support        prints what of IMAP is supported, as "
	      "Markdown\n",
	      to);
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int print_support(void)
{
	struct buf out = { 0 };
	server_support(&out);
	fwrite(buf_span(&out).p, 1, out.n, stdout);
	buf_done(&out);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	if (!word) {
		put_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(word, "--version") == 0) {
		puts("mailstile " MAILSTILE_VERSION);
		return EXIT_DONE;
	}
	if (strcmp(word, "--support") == 0)
		return print_support();
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		put_help(stdout);
		return EXIT_DONE;
	}
	const struct subcommand *c = find(word);
	if (!c) {
		fprintf(stderr,
			"mailstile: There is no %s \"%s\".\nTry: mailstile --help\n",
			word[0] == '-' ? "option" : "command", word);
		return EXIT_USAGE;
	}
	if (c->help && wants_help(argc - 1, argv + 1)) {
		fputs(c->help, stdout);
		return EXIT_DONE;
	}
	return c->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status = run(argc, argv);
	/* a full disk behind stdout must not look like success */
	if (fflush(stdout) != 0 && status == EXIT_DONE) {
		perror("mailstile: standard output");
		status = EXIT_FAILED;
	}
	return status;
}
