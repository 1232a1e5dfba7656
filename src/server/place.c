/* Where a mailbox lies, and what the user may do there (RFC 2342, RFC 4314). */
#include "server/place.h"

static void personal(struct cmd *cmd, struct span name, struct place *ret)
{
	*ret = (struct place){
		.account = cmd->session->account,
		.path = name,
		.name = name,
		.space = PLACE_PERSONAL,
		.rights = RIGHTS_ALL,
	};
}

bool place_find(struct cmd *cmd, struct span name, unsigned need, struct place *ret)
{
	personal(cmd, name, ret);
	return true;
}

bool place_find_new(struct cmd *cmd, struct span name, struct place *ret)
{
	personal(cmd, name, ret);
	return true;
}

struct mailbox *place_open_now(const struct place *p)
{
	return mailbox_open_now(p->account, p->path);
}

struct op *place_open(const struct place *p, struct op_to to)
{
	return mailbox_open(p->account, p->path, to);
}
