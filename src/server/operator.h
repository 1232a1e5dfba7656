/*
 * What only the tools of the operator can do, on their own socket (server.h,
 *is_operator).
 *
 *	XMARK name	     "* XMARK name value", value NIL when there is none
 *	XMARK name value     the next APPEND of this session sets it in its own commit
 *	XMARK name NIL	     removes it now
 *
 *	XQUOTA		     "* XQUOTA (STORAGE used limit MESSAGE ...)", limit NIL: none
 *	XQUOTA resource value   a limit of the user (store/quota.h): a number, "none", or
 *NIL for the one that holds for all
 *
 * So an import knows after any crash how far it came: either the messages and the mark
 *are there, or neither. Names and values are astrings; they belong to the user.
 */
#ifndef SERVER_OPERATOR_H
#define SERVER_OPERATOR_H

#include "server/command.h"
#include "store/attrs.h"

/* The mark for the APPEND that starts now, whatever becomes of it; valid to its end.
 * NULL: none. */
const struct attr_edit *operator_mark(struct cmd *cmd);

#endif
