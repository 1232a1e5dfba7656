/*
 * The bytes that an IMAP URL names: found in steps, then read (CATENATE of RFC 4469,
 * URLFETCH of RFC 4467). \Seen stays as it is.
 */
#ifndef SERVER_URL_SOURCE_H
#define SERVER_URL_SOURCE_H

#include "server/command.h"
#include "wire/url.h"

struct url_source {
	/* the caller's; they live in the command's arena */
	struct wire_url url;
	struct account *account;
	struct span path;
	uint32_t number; /* of the mailbox that it must be; 0: any */
	/* when it is found */
	enum err rc; /* ERR_NOENT: no such mailbox, message or section */
	uint64_t bytes;
	/* its own */
	uint64_t start;
	struct body_id body;
	struct span text; /* p not NULL: the bytes, and not those of the body */
	int step;
	struct mailbox *mailbox;
	struct view *view;
	struct view_info info;
};

/*
 * Finds it. An op: the command waits for it, and calls again with cmd->op completed.
 * NULL: it is found, or rc says why not.
 */
struct op *url_source_find(struct cmd *cmd, struct url_source *u);
#define URL_CHUNK (256 << 10)
/* Bytes [at, at + URL_CHUNK) of it, shorter at the end: at once, or an op (op_bytes). */
struct op *url_source_read(struct cmd *cmd, const struct url_source *u, uint64_t at,
			   struct span *ret_now);

#endif
