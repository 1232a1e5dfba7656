/*
 * Where `mailstile mailbox export` writes mail: mbox files or a Maildir. One folder after
 * another, its messages one after another, each in pieces.
 */
#ifndef TOOLS_MAIL_FILES_H
#define TOOLS_MAIL_FILES_H

#include "base/arena.h"
#include "tools/mail_form.h"
#include "wire/date.h"
#include "wire/flags.h"

struct mail_facts {
	uint32_t uidvalidity, uid;
	uint64_t bytes;
	struct wire_flags flags;
	struct wire_time date;
};

struct mail_files {
	const char *to;
	bool is_maildir;
	uint64_t lost_keywords; /* a Maildir has letters for 26 */
	/* its own */
	struct arena *arena, *folder;
	int dir; /* of the folder; Maildir */
	int fd;
	const char *path; /* of the file being written */
	struct buf out;
	struct mail_writer writer;
	struct mail_form form;
	struct mail_facts facts;
	struct span keyword[26];
	size_t n_keywords;
};

/* The folder `to` must be empty or absent. Each: false, and a sentence. */
bool mail_files_open(struct mail_files *f, const char *to, bool is_maildir,
		     struct buf *why);
/* `path`: of the mailbox. */
bool mail_files_folder(struct mail_files *f, struct span path, struct buf *why);
/* `form`: of all of the message, ended. */
bool mail_files_begin(struct mail_files *f, const struct mail_facts *facts,
		      const struct mail_form *form, struct buf *why);
bool mail_files_put(struct mail_files *f, struct span piece, struct buf *why);
bool mail_files_end(struct mail_files *f, struct buf *why);
/* All of the folder is on the disk. */
bool mail_files_folder_end(struct mail_files *f, struct buf *why);
bool mail_files_subscriptions(struct mail_files *f, const struct span *names, size_t n,
			      struct buf *why);
void mail_files_close(struct mail_files *f);

#endif
