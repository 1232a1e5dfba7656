/* The phrases for enum err. They stand inside sentences: lower case, no full stop. */
#include "base/err.h"

const char *err_text(enum err e)
{
	switch (e) {
	case ERR_OK: return "success";
	case ERR_NOENT: return "no such mailbox or message";
	case ERR_EXISTS: return "it exists already";
	case ERR_CONFLICT: return "it was changed meanwhile";
	case ERR_AGAIN: return "not ready yet, try again";
	case ERR_BUSY: return "it is in use";
	case ERR_FULL: return "no space left";
	case ERR_QUOTA: return "the quota is used up";
	case ERR_IO: return "the device or the network failed";
	case ERR_TOOBIG: return "it is too large";
	case ERR_LIMIT: return "too many of them";
	case ERR_INVAL: return "it is not well formed";
	case ERR_DENIED: return "permission denied";
	case ERR_AUTH: return "the credentials are wrong";
	case ERR_CORRUPT: return "stored data is damaged";
	case ERR_CLOSED: return "the other side has gone";
	case ERR_NOCHARSET: return "the charset is unknown";
	case ERR_CODING: return "the content-transfer-encoding is unknown or broken";
	case ERR_UNKNOWN: return "it may or may not have happened";
	case ERR_UNSUPPORTED: return "it is not supported";
	}
	return "unknown error";
}
