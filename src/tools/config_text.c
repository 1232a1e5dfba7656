/* The text of a new configuration: every key at its default, a comment at each. */
#include "tools/config_keys.h"

static void put_comment(struct buf *out, const char *indent, const char *text)
{
	for (struct span rest = span_str(text); rest.n;) {
		ptrdiff_t end = span_find(rest, '\n');
		struct span line = end < 0 ? rest : span_sub(rest, 0, (size_t)end);
		buf_puts(out, indent);
		buf_puts(out, "# ");
		buf_put(out, line);
		buf_putc(out, '\n');
		rest = span_sub(rest, line.n + 1, rest.n);
	}
}

static void put_listener(struct buf *out, const char *name, const char *address,
			 unsigned port, const char *tls, bool plaintext)
{
	buf_printf(out,
		   "  - name: %s\n    protocol: imap\n    address: \"%s\"\n"
		   "    port: %u\n    tls: %s\n",
		   name, address, port, tls);
	buf_printf(out, "    plaintext-login: %s\n    unauthenticate: admin-only\n",
		   plaintext ? "loopback" : "never");
}

static const char about[] =
    "Configuration of Mailstile; mailstile.yaml(5) explains it. Every key stands\n"
    "here with its default. Paths begin at the folder of this file. After a\n"
    "change: `mailstile check DIR`, then send SIGHUP to the server, which takes\n"
    "over the certificate, the users and the policy; the rest needs a restart.";

static const char about_listeners[] =
    "Where the server listens.\n"
    "name: in the log. protocol: imap, or lmtp (see below). address: IPv4 or IPv6;\n"
    "\"::\" is every address.\n"
    "tls: none, starttls (the client may turn it on) or implicit (from the first\n"
    "byte). plaintext-login: never, or loopback: a client on a loopback address\n"
    "may log in without TLS. unauthenticate (RFC 8437): off, admin-only (for who\n"
    "logged in as an administrator, also while acting for a user) or on.";

static const char about_lmtp[] =
    "Where the mail server (Postfix, Exim) delivers. LMTP has no logins: who can\n"
    "connect can deliver to every user. So the address is a loopback address with\n"
    "a port, or a Unix socket. socket-access: owner, group or everybody.\n"
    "- name: lmtp\n"
    "  protocol: lmtp\n"
    "  address: \"unix:lmtp.socket\"\n"
    "  socket-access: group\n"
    "  tls: none";

static const char about_databases[] =
    "Where users are looked up who are not in the table, in this order; see\n"
    "mailstile.yaml(5). For example:\n"
    "- name: staff\n"
    "  type: sqlite\n"
    "  file: staff.db\n"
    "  query: SELECT password, groups FROM users WHERE name = ?";

static const char about_policy[] =
    "For whom administrators may act. The first rule whose `who` matches the\n"
    "administrator's name decides; `admins`: other administrators too. In patterns\n"
    "\"*\" is any text, \"?\" one character. [] : nobody acts for anybody.";

static void put_listeners(const struct config_wish *w, struct buf *out)
{
	const char *address = w->address ? w->address : "127.0.0.1";
	put_comment(out, "", about_listeners);
	buf_puts(out, "listeners:\n");
	put_listener(out, "imap", address, w->imap, "starttls", w->plaintext_login);
	put_listener(out, "imaps", address, w->imaps, "implicit", false);
	put_comment(out, "  ", about_lmtp);
}

static void put_sections(struct buf *out)
{
	const struct number_key *k;
	int section = -1;
	for (size_t i = 0; (k = config_number_key(i)); i++) {
		if ((int)k->section != section) {
			section = (int)k->section;
			buf_putc(out, '\n');
			put_comment(out, "", config_section_comment(k->section));
			buf_printf(out, "%s:\n", config_section_name(k->section));
		}
		put_comment(out, "  ", k->comment);
		buf_printf(out, "  %s: %llu\n", k->key, (unsigned long long)k->standard);
	}
}

void config_text(const struct config_wish *w, struct buf *out)
{
	put_comment(out, "", about);
	buf_putc(out, '\n');
	put_listeners(w, out);
	buf_putc(out, '\n');
	put_comment(
	    out, "",
	    "Certificate chain and key, PEM. minimum-version: \"1.2\" or \"1.3\".");
	buf_puts(out, "tls:\n  certificate: tls/certificate.pem\n  key: tls/key.pem\n"
		      "  minimum-version: \"1.2\"\n\n");
	put_comment(
	    out, "",
	    "Where mail is kept. engine: rocks (on disk), or mem (for tests: all\n"
	    "mail is lost when the server ends). body-index: what SEARCH BODY and TEXT\n"
	    "look at first; some 15 bytes for 100 of text. false: they read all text.");
	buf_puts(out, "store:\n  engine: rocks\n  directory: store\n  body-index: true\n\n");
	put_comment(out, "", "The user table; `mailstile user` changes it.");
	buf_puts(out, "users: users\n\n");
	put_comment(out, "", about_databases);
	buf_puts(out, "databases: []\n\n");
	put_comment(
	    out, "",
	    "What METADATA tells of the server (RFC 5464): a note, and how to reach its\n"
	    "administrator, a URI like mailto:postmaster@example.org. Empty: nothing.");
	buf_puts(out, "server-comment: \"\"\nserver-admin: \"\"\n\n");
	put_comment(
	    out, "",
	    "Searches that every user may name (RFC 5466), each with name, search and\n"
	    "perhaps description:  - {name: junk, search: KEYWORD $Junk UNSEEN}");
	buf_puts(out, "shared-filters: []\n\n");
	put_comment(out, "", about_policy);
	buf_puts(out, "policy:\n  - who: \"*\"\n    may-become: [\"*\"]\n"
		      "    admins: false\n");
	put_sections(out);
	buf_putc(out, '\n');
	put_comment(
	    out, "",
	    "Users may give others rights to their mailboxes (ACL, RFC 4314), whose names\n"
	    "begin with \"Other Users/\" and \"Shared/\" there. false: nobody sees any\n"
	    "mailbox but his own.");
	buf_puts(out, "sharing: true\n\n");
	put_comment(
	    out, "",
	    "APPEND with 8-bit bytes in the header, from a client that has not enabled\n"
	    "UTF8=ACCEPT or IMAP4rev2: keep, or reject as RFC 9755 asks. Old mail has "
	    "such\nheaders, and a program that copies it must be able to store it.");
	buf_puts(out, "legacy-8bit-headers: keep\n\n");
	put_comment(
	    out, "",
	    "JSON lines on standard error. level: debug, info, warning or error.");
	buf_puts(out, "log:\n  level: info\n\n");
	put_comment(
	    out, "",
	    "Must stay the last line: without it the file was cut off and is refused.");
	buf_puts(out, "end-of-configuration: true\n");
}
