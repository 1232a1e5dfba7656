/*
 * Why something on the network failed, in a form that can be printed: "cannot
 * listen on 127.0.0.1 port 143: Permission denied".
 */
#ifndef NET_ERROR_H
#define NET_ERROR_H

#include "base/err.h"

struct net_error {
	enum err rc;
	int sys;	/* errno, or 0 */
	char text[200]; /* a sentence without full stop; one line */
};

/* Fills `e` (NULL is fine) and returns `rc`. */
enum err net_error_set(struct net_error *e, enum err rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a system call: appends ": " and what errno value `sys` means. */
enum err net_error_sys(struct net_error *e, int sys, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
