/*
 * Scripts of `mailstile act run`: IMAP commands without tags, a line each.
 *
 *	# deliver, then mark; the blank line waits for the answers above it
 *	APPEND INBOX (\Flagged) {<mail/%u.eml}
 *
 *	SELECT INBOX
 *	STORE 1:* +FLAGS.SILENT (\Seen)
 *
 * %u is the user, quoted where that is needed; {<FILE} a literal with the
 * bytes of FILE; %% a percent sign. Lines between two blank lines are a group:
 * sent in one go, answered before the next group starts.
 */
#ifndef TOOLS_ACT_SCRIPT_H
#define TOOLS_ACT_SCRIPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct script_line {
	struct span text; /* the template */
	unsigned number;  /* in the file, from 1 */
	unsigned group;	  /* from 0, without gaps */
};

struct script {
	struct script_line *line;
	size_t n;
};

/* A piece of a command for one user: text, or the name of a file for a literal. */
struct script_piece {
	struct span text;
	bool is_file;
};

/*
 * Reads the text of a script. ERR_INVAL with a sentence in `why`: a command that
 * would change who is logged in or what the connection is (LOGIN, STARTTLS, ...),
 * a literal that is no file, a quote without its end, no command at all.
 * `ret_script` lives in `a` and borrows nothing from `text`.
 */
enum err script_parse(struct arena *a, struct span text, struct script *ret_script,
		      struct buf *why);

/*
 * The pieces of a line for `user`, in `a`. File names get the user as
 * act_path_component writes it.
 */
size_t script_expand(struct arena *a, const struct script_line *line, struct span user,
		     struct script_piece **ret_pieces);

#endif
