/* Messages that look like mail, the same for every server, and their way in. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 100, HEADER_ROOM = 4096 };

uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static const char *const word[] = { "report", "meeting",  "invoice",  "please",
				    "the",    "server",	  "draft",    "of",
				    "and",    "attached", "schedule", "customer",
				    "order",  "review",	  "monday",   "number" };

static size_t header_make(char *to, size_t i, uint64_t r, bool alternative)
{
	unsigned u = (unsigned)(r % 500), minute = (unsigned)(r % 60);
	int n = sprintf(
	    to,
	    "Return-Path: <sender%u@example.org>\r\n"
	    "Received: from mx%u.example.org (mx%u.example.org [192.0.2.%u])\r\n"
	    "\tby mail.example.com (Postfix) with ESMTPS id %08X\r\n"
	    "\tfor <user@example.com>; Mon, 02 Nov 2026 10:%02u:%02u +0000 (UTC)\r\n"
	    "From: \"Sender Number %u\" <sender%u@example.org>\r\n"
	    "To: User <user@example.com>\r\n"
	    "Cc: \"Other, Person\" <other%u@example.net>\r\n"
	    "Subject: %s %s about %s %zu\r\n"
	    "Date: Mon, 02 Nov 2026 10:%02u:%02u +0000\r\n"
	    "Message-ID: <%016llx.%zu@example.org>\r\nMIME-Version: 1.0\r\n"
	    "In-Reply-To: <%016llx.%zu@example.org>\r\n",
	    u, u % 9, u % 9, u % 250, (unsigned)r, minute, minute, u, u, u % 77,
	    i % 1000 == 500 ? "needle" : "Re:", word[r % 16], word[r / 16 % 16], i,
	    minute, minute, (unsigned long long)r, i,
	    /* conversations of five */
	    (unsigned long long)mix(i - (i % 5 > 0)), i - (i % 5 > 0));

	n += sprintf(
	    to + n, "%s",
	    alternative
		? "Content-Type: multipart/alternative; boundary=\"bnd42\"\r\n\r\n"
		  "--bnd42\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
		: "Content-Type: text/plain; charset=utf-8\r\n"
		  "Content-Transfer-Encoding: 8bit\r\n\r\n");
	return (size_t)n;
}

size_t message_make(char *to, size_t i, size_t size)
{
	static const char html[] =
	    "\r\n--bnd42\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>";
	uint64_t r = mix(i);
	bool alternative = i % 4 == 0, in_html = false;
	size_t n = header_make(to, i, r, alternative);
	size_t half = n + (size > n ? (size - n) / 2 : 0), column = 0;

	while (n + 100 < size) {
		const char *w;
		size_t len;

		if (alternative && !in_html && n > half) {
			memcpy(to + n, html, sizeof html - 1);
			n += sizeof html - 1;
			in_html = true;
			column = 0;
		}
		r = mix(r);
		w = i % 1000 == 500 && r % 64 == 0 ? "elephants" : word[r % 16];
		len = strlen(w);
		memcpy(to + n, w, len);
		n += len;
		to[n++] = ' ';
		column += len + 1;
		if (column > 66) {
			to[n - 1] = '\r';
			to[n++] = '\n';
			column = 0;
		}
	}
	if (in_html) {
		memcpy(to + n, "\r\n--bnd42--", 11);
		n += 11;
	}
	while (n + 2 < size)
		to[n++] = 'x';
	to[n++] = '\r';
	to[n++] = '\n';
	return n;
}

void append_one(struct conn *c, const char *mailbox, const char *flags,
		const char *message, size_t n)
{
	bool plus = conn_has(c, "LITERAL+");
	unsigned tag = ++c->tag;
	char *b = malloc(n + 512), line[4096];
	int len = snprintf(b, 512, "qZ%u APPEND %s %s{%zu%s}\r\n", tag, mailbox, flags, n,
			   plus ? "+" : "");
	size_t at = (size_t)len;

	if (!plus) {
		conn_put(c, b, at);
		at = 0;
		do {
			conn_line(c, line, sizeof line);
			if (line[0] == 'q')
				die("APPEND: %s", line);
		} while (line[0] != '+');
	}
	memcpy(b + at, message, n);
	memcpy(b + at + n, "\r\n", 2);
	conn_put(c, b, at + n + 2);
	free(b);
	conn_await(c, tag, "APPEND");
}

/* One MULTIAPPEND (RFC 3502) of messages first..first+n. */
static uint64_t append_batch(struct conn *c, const char *mailbox, size_t first, size_t n,
			     size_t (*size)(size_t i), char *b, char *message)
{
	unsigned tag = ++c->tag;
	uint64_t total = 0;
	size_t at;

	at = (size_t)sprintf(b, "qZ%u APPEND %s", tag, mailbox);
	for (size_t i = first; i < first + n; i++) {
		size_t len = message_make(message, i, size(i));

		at += (size_t)sprintf(b + at, " %s{%zu+}\r\n",
				      i % 10 == 3 ? "" : "(\\Seen) ", len);
		memcpy(b + at, message, len);
		at += len;
		total += len;
	}
	memcpy(b + at, "\r\n", 2);
	conn_put(c, b, at + 2);
	conn_await(c, tag, "APPEND");
	return total;
}

uint64_t append_many(struct conn *c, const char *mailbox, size_t first, size_t n,
		     size_t (*size)(size_t i))
{
	bool multi = conn_has(c, "MULTIAPPEND") && conn_has(c, "LITERAL+");
	size_t most = 0;
	uint64_t total = 0;
	char *b, *message;

	for (size_t i = first; i < first + n; i++)
		if (size(i) > most)
			most = size(i);
	message = malloc(most + HEADER_ROOM);
	b = malloc(BATCH * (most + HEADER_ROOM) + 512);
	if (!message || !b)
		die("out of memory");
	for (size_t i = first; i < first + n;) {
		size_t some = first + n - i < BATCH ? first + n - i : BATCH;

		if (multi) {
			total += append_batch(c, mailbox, i, some, size, b, message);
			i += some;
			continue;
		}
		size_t len = message_make(message, i, size(i));
		append_one(c, mailbox, i % 10 == 3 ? "" : "(\\Seen) ", message, len);
		total += len;
		i++;
	}
	free(b);
	free(message);
	return total;
}
