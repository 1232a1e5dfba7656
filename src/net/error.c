/* Errors as sentences. */
#include "net/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(struct net_error *e, enum err rc, int sys, const char *fmt, va_list ap)
{
	e->rc = rc;
	e->sys = sys;
	if (vsnprintf(e->text, sizeof e->text, fmt, ap) < 0)
		e->text[0] = 0;
}

enum err net_error_set(struct net_error *e, enum err rc, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		set(e, rc, 0, fmt, ap);
		va_end(ap);
	}
	return rc;
}

static enum err from_errno(int sys)
{
	switch (sys) {
	case EACCES:
	case EPERM: return ERR_DENIED;
	case EADDRINUSE: return ERR_BUSY;
	case ENOENT: return ERR_NOENT;
	case EEXIST: return ERR_EXISTS;
	case EINVAL:
	case ENAMETOOLONG:
	case EADDRNOTAVAIL: return ERR_INVAL;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM: return ERR_LIMIT;
	case ENOSPC:
	case EDQUOT: return ERR_FULL;
	case ECONNRESET:
	case EPIPE: return ERR_CLOSED;
	default: return ERR_IO;
	}
}

enum err net_error_sys(struct net_error *e, int sys, const char *fmt, ...)
{
	enum err rc = from_errno(sys);
	if (e) {
		va_list ap;
		char meaning[80];
		va_start(ap, fmt);
		set(e, rc, sys, fmt, ap);
		va_end(ap);
		size_t n = strlen(e->text);
		snprintf(e->text + n, sizeof e->text - n, ": %s",
			 strerror_r(sys, meaning, sizeof meaning));
	}
	return rc;
}
