/*
 * Where mail comes from in `mailstile mailbox import`: an mbox file, a folder of mbox
 * files, or a Maildir. Folders one after another, their messages one after another;
 * memory is bounded whatever a message's size, but for the names of a folder's files.
 */
#ifndef TOOLS_SOURCE_H
#define TOOLS_SOURCE_H

#include "base/arena.h"
#include "base/err.h"
#include "wire/date.h"
#include "wire/flags.h"

enum { SOURCE_KEY = 16 };

struct source_message {
	struct wire_flags flags;
	struct wire_time date;
	uint64_t bytes; /* as it will be kept */
	/* Tells it from all others of the source, also when the run is repeated: of a
	 * Maildir the file's name, else the bytes and how often they came. */
	uint8_t key[SOURCE_KEY];
};

struct source_counts {
	uint64_t bytes; /* of files, all */
	uint64_t files;
	/* So far: */
	uint64_t read;	    /* of those bytes */
	uint64_t odd_lines; /* that look like From_ lines but have no empty line before */
	uint64_t bad_keywords; /* that are no IMAP keywords: left out */
	uint64_t empty;	       /* messages without a byte: left out */
};

struct source;
struct source_kind;

/* What it is is found out by looking. False: a sentence. */
bool source_open(const char *path, bool no_unquote, struct source **ret, struct buf *why);
void source_close(struct source *s);		      /* NULL is fine */
const char *source_kind_name(const struct source *s); /* "mbox", "Maildir" */
struct source_counts source_counts(const struct source *s);

/*
 * The next folder: its name, UTF-8 with "/" between levels, lives until the next call;
 * empty of a single file. ERR_NOENT: there is none. ERR_INVAL: this one cannot be read as
 * mail (a sentence): go on with the next. ERR_IO: a sentence.
 */
enum err source_folder(struct source *s, struct span *ret_name, struct buf *why);
/* The next message of it. ERR_NOENT: there is none. Valid until the next call. */
enum err source_next(struct source *s, struct source_message *ret, struct buf *why);
/* Its bytes. False: they could not be read, or are others than before (a sentence); or
 * `put` said false. */
bool source_pour(struct source *s, bool (*put)(void *arg, struct span bytes), void *arg,
		 struct buf *why);
/* Names in the file "subscriptions" of a folder or a Maildir. */
void source_subscriptions(struct source *s, void (*each)(void *arg, struct span name),
			  void *arg);

/* ---- the two kinds (source_mbox.c, source_maildir.c) ---- */

struct source_kind {
	const char *name;
	enum err (*folder)(struct source *, struct span *ret_name, struct buf *why);
	enum err (*next)(struct source *, struct source_message *ret, struct buf *why);
	bool (*pour)(struct source *, bool (*put)(void *arg, struct span bytes),
		     void *arg, struct buf *why);
	void (*close)(struct source *);
};
struct source {
	const struct source_kind *kind;
	const char *path;
	bool is_file, no_unquote;
	struct arena *arena;   /* of all */
	struct arena *message; /* of the message in hand */
	struct source_counts counts;
	void *state;
};
extern const struct source_kind source_mbox, source_maildir;
/* Sees what there is: counts.bytes and files. False: a sentence. */
bool source_mbox_open(struct source *s, struct buf *why);
bool source_maildir_open(struct source *s, struct buf *why);

/* Adds a keyword unless it is none, or there already. */
void source_keyword(struct source *s, struct wire_flags *f, struct span name);
void source_digest(uint8_t ret[SOURCE_KEY], struct span a, struct span b);
/* "a%2Eb" of a file's name (source_level_put), or as it is. */
struct span source_level(struct arena *a, struct span file);

#endif
