/*
 * APPEND's bytes on their way to the disk. The loop gathers them to pieces; a full
 * piece is written and scanned by a worker while the peer is held; what is left at the
 * end is written in the append's own plan, so a small message costs no trip of its own.
 */
#include "store/incoming.h"

#include <stdlib.h>

#include "mail/header.h"
#include "mail/summary.h"
#include "mail/text_index.h"
#include "store/shared_body.h"

struct incoming {
	struct account *account; /* a reference */
	struct executor *home;
	void (*drained)(void *arg);
	void *arg;

	/* home */
	struct buf tail; /* bytes that no worker has seen */
	uint64_t bytes;
	bool is_busy; /* a piece is with the workers */
	bool is_held; /* the feeder was told to stop */
	bool is_dropped;
	bool is_ended;		  /* no more bytes come: the last piece may be short */
	void (*ready)(void *arg); /* an append waits for the piece */
	void *ready_arg;
	struct task job, back;

	/* the worker that has the piece, or the append's */
	struct buf piece;
	struct body_put *put; /* NULL: it shares another's bytes, all but the head */
	struct shared *shared;
	struct buf head;
	bool is_plain, has_begun;
	struct body_id body;
	struct summary_scanner *scanner;
	struct buf summary, words;
	uint8_t thread_id[16];
	bool is_finished;
	enum err rc;
};

struct incoming *incoming_new(struct account *a, struct executor *home,
			      void (*drained)(void *arg), void *arg)
{
	struct incoming *in = xcalloc(1, sizeof *in);
	in->account = account_ref(a);
	in->home = home;
	in->drained = drained;
	in->arg = arg;
	return in;
}

static void destroy(struct incoming *in)
{
	if (in->put)
		engine_body_end(in->put);
	shared_unref(in->shared);
	buf_done(&in->head);
	summary_scanner_free(in->scanner);
	buf_done(&in->summary);
	buf_done(&in->words);
	buf_done(&in->tail);
	buf_done(&in->piece);
	account_unref(in->account);
	free(in);
}

void incoming_free(struct incoming *in)
{
	if (!in)
		return;
	if (in->is_busy)
		in->is_dropped = true; /* the piece comes back first */
	else
		destroy(in);
}

void incoming_plain(struct incoming *in)
{
	in->is_plain = true;
}

bool incoming_share(struct incoming *in, struct shared *sh)
{
	if (in->tail.n != in->bytes || in->bytes > SHARED_HEAD_MAX)
		return false;
	buf_put(&in->head, buf_span(&in->tail));
	in->shared = shared_ref(sh);
	return true;
}

static void begin(struct incoming *in)
{
	struct engine *e = in->account->store->engine;
	in->has_begun = true;
	if (in->shared)
		in->body = engine_body_id(e);
	else
		in->put = engine_body_begin(e, in->account->id, &in->body);
	if (!in->is_plain)
		in->scanner = summary_scanner_new();
}

/* On a worker. */
static enum err write_piece(struct incoming *in, struct span piece)
{
	if (!in->has_begun)
		begin(in);
	if (in->rc == ERR_OK && in->put && piece.n > 0)
		in->rc = engine_body_write(in->put, piece);
	if (in->rc == ERR_OK && in->scanner)
		summary_scanner_feed(in->scanner, piece);
	return in->rc;
}

enum err incoming_keep(const struct incoming *in, struct txn *t)
{
	if (!in->shared)
		return txn_body_keep(t, in->put);
	if (in->bytes != in->head.n + shared_bytes(in->shared))
		return ERR_INVAL; /* they are not the same bytes */
	shared_part_keep(t, in->body, buf_span(&in->head), shared_body(in->shared),
			 shared_bytes(in->shared));
	return ERR_OK;
}

static void start_piece(struct incoming *in);

static bool is_piece_due(const struct incoming *in)
{
	return in->tail.n >= BODY_PIECE ||
	       (in->is_ended && in->tail.n > STORE_INCOMING_KEPT);
}

static void piece_back(struct task *t)
{
	struct incoming *in = TASK_OWNER(t, struct incoming, back);
	in->is_busy = false;
	if (in->is_dropped) {
		destroy(in);
		return;
	}
	if (is_piece_due(in)) {
		start_piece(in);
		return;
	}
	if (in->is_ended)
		buf_done(&in->piece); /* its memory, too */
	bool was_held = in->is_held;
	in->is_held = false;
	if (in->ready) {
		void (*ready)(void *) = in->ready;
		in->ready = NULL;
		ready(in->ready_arg);
	} else if (was_held && in->drained) {
		in->drained(in->arg);
	}
}

static void piece_write(struct task *t)
{
	struct incoming *in = TASK_OWNER(t, struct incoming, job);
	write_piece(in, buf_span(&in->piece));
	buf_clear(&in->piece);
	in->back.run = piece_back;
	executor_post(in->home, &in->back);
}

static void start_piece(struct incoming *in)
{
	in->is_busy = true;
	if (in->tail.n <= BODY_PIECE) {
		struct buf spare = in->piece;
		in->piece = in->tail;
		in->tail = spare;
	} else {
		buf_put(&in->piece, span_sub(buf_span(&in->tail), 0, BODY_PIECE));
		buf_take(&in->tail, BODY_PIECE);
	}
	in->job.run = piece_write;
	executor_post(in->account->store->workers, &in->job);
}

bool incoming_feed(struct incoming *in, struct span s)
{
	in->bytes += s.n;
	while (s.n > 0) {
		/* up to a piece's end, so that whole pieces are handed over without a
		 * copy */
		size_t room = in->tail.n < BODY_PIECE ? BODY_PIECE - in->tail.n : s.n;
		struct span part = span_sub(s, 0, room);
		buf_put(&in->tail, part);
		s = span_sub(s, part.n, s.n);
		if (in->tail.n >= BODY_PIECE && !in->is_busy)
			start_piece(in);
	}
	in->is_held = in->is_busy;
	return !in->is_held;
}

bool incoming_end(struct incoming *in)
{
	in->is_ended = true;
	if (!in->is_busy && is_piece_due(in))
		start_piece(in);
	in->is_held = in->is_busy;
	return !in->is_held;
}

uint64_t incoming_bytes(const struct incoming *in)
{
	return in->bytes;
}

void incoming_when_idle(struct incoming *in, void (*ready)(void *arg), void *arg)
{
	if (!in->is_busy) {
		ready(arg);
		return;
	}
	in->ready = ready;
	in->ready_arg = arg;
}

/* Of a message that is all there. */
static void make_words(struct incoming *in, struct span message)
{
	struct summary s;
	if (summary_open(buf_span(&in->summary), &s) != ERR_OK)
		return;
	struct text_index *x = text_index_new();
	text_index_message(x, &s, message, &in->words);
	text_index_free(x);
}

enum err incoming_finish(struct incoming *in)
{
	if (in->is_finished)
		return in->rc;
	in->is_finished = true;
	struct span rest = buf_span(&in->tail), all = rest;
	bool is_whole = !in->has_begun; /* no piece of it has gone before */
	do {
		write_piece(in, span_sub(rest, 0, BODY_PIECE));
		rest = span_sub(rest, BODY_PIECE, rest.n);
	} while (rest.n > 0 && in->rc == ERR_OK);
	if (in->rc != ERR_OK || in->is_plain)
		return in->rc;
	summary_scanner_finish(in->scanner, &in->summary);
	thread_id_of(buf_span(&in->summary), in->body, in->thread_id);
	if (is_whole && !(in->account->store->flags & ENGINE_NO_BODY_INDEX))
		make_words(in, all);
	buf_done(&in->tail);
	return ERR_OK;
}

struct body_put *incoming_put(const struct incoming *in)
{
	return in->put;
}

struct body_id incoming_body(const struct incoming *in)
{
	return in->body;
}

struct span incoming_summary(const struct incoming *in)
{
	return buf_span(&in->summary);
}

struct span incoming_words(const struct incoming *in)
{
	return buf_span(&in->words);
}

const uint8_t *incoming_thread_id(const struct incoming *in)
{
	return in->thread_id;
}

/* ---- THREADID ---- */

/* The first "<...>" of a field. */
static struct span first_msg_id(struct span value)
{
	ptrdiff_t from = span_find(value, '<');
	if (from < 0)
		return SPAN_NONE;
	struct span rest = span_sub(value, (size_t)from + 1, value.n);
	ptrdiff_t to = span_find(rest, '>');
	return to < 0 ? SPAN_NONE : span_trim(span_sub(rest, 0, (size_t)to));
}

void thread_id_of(struct span summary, struct body_id body, uint8_t ret[16])
{
	static const struct span fields[] = { SPAN_INIT("References"),
					      SPAN_INIT("In-Reply-To"),
					      SPAN_INIT("Message-ID") };
	struct summary s;
	struct header_field f;
	struct span id = SPAN_NONE;
	memcpy(ret, body.b, 16);
	if (summary_open(summary, &s) != ERR_OK)
		return;
	for (size_t i = 0; i < 3 && id.n == 0; i++)
		if (summary_header_covers(&s, fields[i]) &&
		    header_find(s.header, fields[i], &f))
			id = first_msg_id(f.value);
	if (id.n == 0)
		return;
	/* FNV-1a, 128 bits: spreads well; nothing rests on its being hard to meet */
	unsigned __int128 h = (unsigned __int128)0x6c62272e07bb0142u << 64 |
			      0x62b821756295c58du;
	const unsigned __int128 prime = (unsigned __int128)0x1000000u << 64 | 0x13bu;
	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (unsigned char)id.p[i]) * prime;
	for (unsigned i = 16; i-- > 0; h >>= 8)
		ret[i] = (uint8_t)h;
}
