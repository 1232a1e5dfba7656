/* What GENURLAUTH and URLFETCH share (RFC 4467). */
#ifndef SERVER_URLAUTH_H
#define SERVER_URLAUTH_H

#include "server/command.h"
#include "store/attrs.h"
#include "wire/url.h"

#define URLS_MAX 32 /* of one command */

/* Of a mailbox and its user; in the command's arena. */
struct url_keys {
	struct span key, word;
};
/* `user`: the key of his account (auth_account). */
struct op *url_keys_read(struct cmd *cmd, struct account *a, struct span user,
			 uint32_t mailbox);
/* When that op has ended well. False: there are none, not both. */
bool url_keys_take(struct cmd *cmd, struct url_keys *ret);
/* Hex digits; p NULL when OpenSSL refuses. */
struct span url_token(struct arena *a, const struct url_keys *k, struct span rump);
/* Whether `user`, as a URL has it, is that user (in normal form). */
bool url_user_is(struct span user, struct span name);

enum verdict run_urlfetch(struct cmd *cmd);

#endif
