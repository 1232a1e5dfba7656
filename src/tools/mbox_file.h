/*
 * An mbox file, read (mboxrd; mboxo as far as it can be told from it; mboxcl where a
 * Content-Length proves right). One message after another, each in pieces.
 *
 * A message begins with a From_ line (from_line.h) at the beginning of the file or behind
 * an empty line; that empty line belongs to nobody. Status, X-Status and X-Keywords are
 * read and, with what else belongs to the mbox (mail_form.h), left out of the message.
 */
#ifndef TOOLS_MBOX_FILE_H
#define TOOLS_MBOX_FILE_H

#include "tools/mail_form.h"
#include "wire/date.h"

enum { MBOX_WINDOW = 262144 };

struct mbox_file {
	int fd;
	uint64_t odd_lines;
	/* its own: a window of the file */
	char *window;
	uint64_t off; /* in the file, of the window's first byte not yet taken */
	size_t at, n;
	bool is_at_end, is_bad, is_line_start;
};

/* What is put where; any may be NULL. */
struct mbox_sink {
	/* Bytes of the message, CRLF for LF. False: no more is wanted. */
	bool (*bytes)(void *arg, struct span s);
	/* A field that belongs to the mbox. */
	void (*field)(void *arg, enum mbox_field field, struct span value);
	void *arg;
};

struct mbox_place {
	uint64_t at;	 /* of the From_ line */
	uint64_t length; /* by Content-Length, of the body; UINT64_MAX: none */
	bool no_unquote;
	struct wire_time date;
	uint64_t next; /* behind it */
};

/* Takes over `fd`. */
void mbox_file_init(struct mbox_file *f, int fd);
void mbox_file_done(struct mbox_file *f);
/* Skips empty lines at the beginning. False: no mbox. An empty file is one. */
bool mbox_file_begin(struct mbox_file *f, uint64_t *ret_at);
/*
 * Reads the message at p->at, with p->length and p->no_unquote as given (UINT64_MAX and
 * false when it is read for the first time: then what proves right is found out and set).
 * Sets p->date and p->next. ERR_NOENT: the file ends there. ERR_IO, errno says;
 * ERR_CLOSED: the sink wanted no more.
 */
enum err mbox_file_read(struct mbox_file *f, struct mbox_place *p,
			const struct mbox_sink *sink);

#endif
