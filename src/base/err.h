/* What can go wrong. A function that can fail returns one of these. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
	ERR_OK = 0,
	ERR_NOENT,    /* no such thing */
	ERR_EXISTS,   /* there already */
	ERR_CONFLICT, /* changed meanwhile: read again and repeat */
	ERR_AGAIN,    /* not now; more input or a later call is needed */
	ERR_BUSY,     /* in use */
	ERR_FULL,     /* no space on the device */
	ERR_QUOTA,    /* over its owner's quota */
	ERR_IO,       /* the device or the network failed */
	ERR_TOOBIG,   /* over a limit on size */
	ERR_LIMIT,    /* over a limit on number or rate */
	ERR_INVAL,    /* the input is not well formed */
	ERR_DENIED,   /* policy or rights say no */
	ERR_AUTH,     /* the credential is wrong */
	ERR_CORRUPT,  /* stored data fails its check */
	ERR_CLOSED,   /* the other side has gone, or we are stopping */
	ERR_NOCHARSET,/* charset unknown */
	ERR_CODING,   /* content-transfer-encoding unknown or broken */
	ERR_UNKNOWN,  /* may or may not have happened: read again */
	ERR_UNSUPPORTED,
};

/* A short English phrase, "no such mailbox or message"; static. */
const char *err_text(enum err e);

#endif
