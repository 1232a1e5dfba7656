/*
 * A loop for tests: tasks posted from any thread run on the thread that asks for it. And
 * a store on top of it, with each operation as a call that waits for its end.
 */
#ifndef TEST_STORE_TESTLOOP_H
#define TEST_STORE_TESTLOOP_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/store.h"

struct testloop {
	struct executor executor;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct task *head, **tail;
};

void testloop_init(struct testloop *l);
void testloop_done(struct testloop *l);
/* Runs tasks on this thread until *flag. */
void testloop_until(struct testloop *l, const bool *flag);
/* Runs what is there. */
void testloop_drain(struct testloop *l);

/* A store under test. */
struct site {
	const char *kind;
	unsigned flags;
	uint32_t expunge_history; /* 0: the usual */
	uint32_t commit_chunks;	  /* 0: the usual */
	void (*at)(void *arg, const char *point); /* engine.h */
	void *at_arg;
	uint32_t segment_bytes; /* these three: 0, the usual */
	unsigned tick_ms, pass_ms;
	char dir[64];
	struct workers *workers;
	struct store *store;
	struct testloop loop;
};

/* The engine named on the command line, "mem" without. */
extern const char *site_kind;
void site_args(int argc, char **argv);
bool site_is_lasting(void); /* what was stored survives closing */

void site_init(struct site *s);
void site_open(struct site *s);
void site_close(struct site *s); /* checks every invariant first */
void site_done(struct site *s);
/* Waits until nothing runs in the background. */
void site_quiet(struct site *s);
/* store_check finds nothing. */
void site_check(struct site *s);

/* An operation's end, kept for the test. */
struct done {
	bool is_done;
	enum err rc;
	uint32_t uidvalidity;
	struct numset modified, source, target;
	struct account *account;
	struct mailbox *mailbox;
	uint8_t mailbox_id[8];
	struct mailbox_status status[8];
	struct buf bytes;
};
struct op_to done_to(struct testloop *l, struct done *d);
/* Waits for the op; d is cleared by done_clear. */
enum err done_wait(struct testloop *l, struct done *d);
void done_clear(struct done *d);

struct account *site_account(struct site *s, const char *name);
enum err do_create(struct site *s, struct account *a, const char *path, unsigned use);
enum err do_delete(struct site *s, struct account *a, const char *path);
enum err do_rename(struct site *s, struct account *a, const char *from, const char *to);
enum err do_subscribe(struct site *s, struct account *a, const char *path, bool on);
struct mailbox_status do_status(struct site *s, struct account *a, const char *path);
/* NULL when it could not be opened. */
struct mailbox *do_open(struct site *s, struct account *a, const char *path);
/* The UID. Keywords: names with spaces between them, or NULL. */
uint32_t do_append(struct site *s, struct account *a, const char *path, struct span text,
		   uint64_t system, const char *keywords);
/* n small messages in one go. */
void do_append_many(struct site *s, struct account *a, const char *path, size_t n);
enum err do_flag(struct site *s, struct mailbox *m, const char *uids,
		 enum flag_change how, uint64_t system, const char *keywords);
/* The UIDs that went; the caller's to end. */
struct numset do_expunge(struct site *s, struct mailbox *m);
enum err do_copy(struct site *s, struct mailbox *m, const char *uids, const char *to,
		 bool move, struct done *d);
/* The bytes, or an error; the caller's to end. */
enum err do_read(struct site *s, struct account *a, struct body_id id, struct buf *out);

/* "1:3,7" to a set. */
struct numset uids_of(const char *text);
/* The set printed equals `text`. */
void expect_uids(const struct numset *s, const char *text);
/* All names, one a line, with their flags: "INBOX E\na S\n". */
void expect_names(struct account *a, const char *text);

/* A small generator that gives the same for the same seed. */
static inline uint32_t rnd(uint64_t *state, uint32_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % below;
}

/* messages_gather, waited for; the result is the caller's. */
enum err do_gather(struct site *s, struct account *a, const struct body_id *ids, size_t n,
		   const struct want *want, struct gathered *ret);

#endif
