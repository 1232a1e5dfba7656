/* A message on its way in, as the append that takes it over sees it. Private to the
 * store. */
#ifndef STORE_INCOMING_H
#define STORE_INCOMING_H

#include "store/op.h"

/* Calls ready(arg), on home, when no piece is being written; at once if none is. */
void incoming_when_idle(struct incoming *in, void (*ready)(void *arg), void *arg);
/* On a worker, not while a piece is being written: writes what is left and scans it. Does
 * nothing when that was done before. */
enum err incoming_finish(struct incoming *in);

/* Its bytes alone are wanted: no summary. Before the first byte. */
void incoming_plain(struct incoming *in);

/* In the plan that keeps it, after incoming_finish(): where its bytes lie. */
enum err incoming_keep(const struct incoming *in, struct txn *t);

/* After incoming_finish. `put`: NULL when it shares another's bytes. */
struct body_put *incoming_put(const struct incoming *in);
struct body_id incoming_body(const struct incoming *in);
struct span incoming_summary(const struct incoming *in);
/* The index of its text; empty when it was too large to be looked at as a whole, or bodies
 * get none. */
struct span incoming_words(const struct incoming *in);
const uint8_t *incoming_thread_id(const struct incoming *in); /* 16 bytes */

/* shared.c */
struct shared *shared_ref(struct shared *sh);
/* When it is kept. */
struct body_id shared_body(const struct shared *sh);
uint64_t shared_bytes(const struct shared *sh);
/* Before anybody uses the store: deliveries of before are over. */
void store_recover_shared(struct store *s);

/* THREADID: of the first message that the header refers to, or of the message itself; the
 * body's id when it says nothing (RFC 8474 section 5.2). */
void thread_id_of(struct span summary, struct body_id body, uint8_t ret[16]);

#endif
