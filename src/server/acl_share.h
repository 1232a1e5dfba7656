/*
 * Who shares with whom, so that LIST and every name of another user's mailbox are cheap:
 * ATTR_SHARE of the account that something is shared with, named by the owner's account;
 * its value is the owner's name. What is shared with groups, everybody, and names that
 * are nobody's yet stands in an account that is nobody's (ACL_REGISTRY): one row an
 * owner, his name and then each identifier, with a line feed between them.
 *
 * It says where to look, not what is there: the list of the mailbox alone gives rights.
 * A row is written before the rights are, and stays when they are taken away.
 */
#ifndef SERVER_ACL_SHARE_H
#define SERVER_ACL_SHARE_H

#include "server/place.h"

/*
 * Opens the account that the row belongs to; under place_find()'s conditions. `account`:
 * the store name of the user who is meant; empty: no user. False: `return cmd->verdict`.
 */
bool acl_share_ready(struct cmd *cmd, struct span account, struct account **ret);
/*
 * Writes the row into `to`, that account. NULL: it is there already. The op's
 * ERR_CONFLICT: another session wrote it at the same time, call again. An owner who
 * shares with too many groups and strangers has a row for anyone instead.
 */
struct op *acl_share(struct cmd *cmd, struct account *to, const struct place *p,
		     struct span identifier, struct span account);

/* Whether a row of the registry is for the user; he is in it by name, group or as anyone.
 */
bool acl_share_is_for(const struct acl_who *who, struct span value);
/* The owner's name: the first line. */
struct span acl_share_owner(struct span value);

#endif
