/*
 * The journal of a run of `mailstile act`: an append-only text file that says
 * which users are done, so that a killed run goes on where it stopped.
 *
 *	mailstile-journal 1 <sha256 of the job>   <crc>
 *	begin <user> <uidvalidity> <uidnext>      <crc>
 *	done <user>                               <crc>
 *	failed <user>                             <crc>
 *
 * Fields are separated by one space; in names, bytes up to 0x20, '%' and 0x7f
 * are written %XX. The CRC-32 of the line before it ends each line. A tail
 * that a crash cut off is dropped when the file is opened; damage before the
 * tail is an error. A lock (flock) keeps a second run from the same file.
 *
 * Records of all connections that arrive while a sync is under way are written
 * and synced together (fdatasync) by the next one, on `work`, off the loop.
 */
#ifndef TOOLS_ACT_JOURNAL_H
#define TOOLS_ACT_JOURNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/task.h"

enum journal_state {
	JOURNAL_NONE,  /* not heard of */
	JOURNAL_BEGUN, /* started; whether it ended is not known */
	JOURNAL_DONE,
	JOURNAL_FAILED, /* the server refused something */
};

struct journal_entry {
	enum journal_state state;
	uint32_t uidvalidity,
	    uidnext; /* of "begin": the mailbox before the first APPEND */
};

struct journal;

/* What waits for a record to be durable; part of the owner's block. */
struct journal_ticket {
	struct journal_ticket *next;
	void (*durable)(struct journal_ticket *, enum err);
};

/*
 * Opens or makes `path`. `job`: what identifies the job (its arguments); a
 * journal of another job is refused, ERR_CONFLICT. `work` runs the syncs,
 * `home` the completions; both may be the same that runs at once. Errors: ERR_BUSY
 * (another run has it), ERR_CORRUPT, ERR_IO; `why` then gets a sentence.
 */
enum err journal_open(const char *path, struct span job, struct executor *work,
		      struct executor *home, struct journal **ret_journal,
		      struct buf *why);
/* No sync may be under way (journal_idle). NULL is fine. */
void journal_close(struct journal *j);

struct journal_entry journal_find(const struct journal *j, struct span user);
size_t journal_count(const struct journal *j, enum journal_state state);

/*
 * Adds a record. With a ticket, its `durable` runs on `home` once the record and
 * all before it are on disk, or with the error; the ticket must live until
 * then. After an error every later record fails too.
 */
void journal_begin(struct journal *j, struct span user, uint32_t uidvalidity,
		   uint32_t uidnext, struct journal_ticket *t);
void journal_done(struct journal *j, struct span user, struct journal_ticket *t);
void journal_failed(struct journal *j, struct span user, struct journal_ticket *t);
/* Nothing waits to be written or synced. */
bool journal_idle(const struct journal *j);
uint64_t journal_syncs(const struct journal *j);

#endif
