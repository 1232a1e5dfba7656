/*
 * Layers of a stack: tcp below all, then tls, a SASL security layer, deflate.
 *
 *	owner
 *	  |  out: to be encoded by deflate      ^  up: decoded by deflate
 *	deflate
 *	  |  out: to be encoded by tls          ^  up: decoded by tls
 *	tls
 *	  |  out: to be sent                    ^  up: received
 *	tcp
 *
 * Pull discipline: the stack calls decode() only when the owner reads, and for
 * one unit (TLS record, SASL packet, deflate block). What a layer has no use for
 * it leaves in the buffer below, so that layers can be put on and taken off at an
 * exact byte: a layer that is pushed finds the bytes behind the switch there,
 * and one that has ended leaves them there.
 */
#ifndef NET_LAYER_H
#define NET_LAYER_H

#include "base/buf.h"
#include "base/err.h"

struct net_layer;
struct net_stack;

enum net_unit {
	NET_UNIT, /* one unit was decoded; it may have been empty (a TLS ticket) */
	NET_MORE, /* `from` ends before the unit does; layer->want may say where it ends
		   */
	NET_END,  /* finishing, and the inbound side has ended: what is in `from` is not
		     ours */
	NET_EOS,  /* the peer has ended the connection in this layer (close_notify) */
	NET_FAIL, /* broken; net_layer_fail() said why */
};

struct net_layer_ops {
	const char *name;
	/*
	 * Takes bytes from the front of `from` and appends at most one unit's plain
	 * bytes to `to`. Nothing is taken for a unit that is not complete, or else the
	 * layer keeps it itself. A unit that grows beyond 64 KiB is handed up in parts.
	 */
	enum net_unit (*decode)(struct net_layer *l, struct buf *from, struct buf *to);
	/* Takes all of `from` and appends what goes to the layer below to `to`. */
	enum err (*encode)(struct net_layer *l, struct buf *from, struct buf *to);
	/*
	 * The layer is being taken off: appends what ends the outbound side, nothing is
	 * encoded from here on, and decode() goes on until it returns NET_END. NULL for
	 * a layer that stays.
	 */
	enum err (*finish)(struct net_layer *l, struct buf *to);
	/* The connection ends in order: appends the farewell. May be NULL. */
	void (*farewell)(struct net_layer *l, struct buf *to);
	void (*free)(struct net_layer *l);
};

/* The first member of a layer's block, which the layer allocates. */
struct net_layer {
	const struct net_layer_ops *ops;
	struct net_stack *stack;
	struct net_layer *below; /* NULL: this is tcp */
	struct buf up;		 /* decoded, not taken yet by the layer above */
	struct buf out;		 /* to be encoded by this layer */
	size_t want; /* after NET_MORE: bytes of `from` the unit needs, or 0 */
	bool has_ended_out; /* what is written goes to the layer below */
	bool is_finishing;
};

/*
 * Puts `l` on top; it is the stack's from now on. What was written before goes out
 * in front of it; what was not read yet is for it to decode.
 */
void net_layer_push(struct net_stack *s, struct net_layer *l);
/*
 * Takes the top layer off: its outbound side ends behind what was written so far,
 * its inbound side where decode() says NET_END; the owner need not wait for that.
 * ERR_INVAL when decoded bytes of this layer were not read (or were given back by
 * net_unread): nobody could tell which layer they are for.
 */
enum err net_layer_pop(struct net_stack *s);
/*
 * Only its outbound side ends, behind what was written so far; net_layer_pop() ends the
 * other later. For a client, whose layer ends with its command (RFC 8437 section 3).
 */
enum err net_layer_end_out(struct net_stack *s);
/* The top layer; "tcp" when there is no other. One that is finishing does not count. */
const char *net_layer_top(const struct net_stack *s);
/* From decode() and encode(): why NET_FAIL or an error is returned. */
enum err net_layer_fail(struct net_layer *l, enum err rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
