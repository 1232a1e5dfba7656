/* What a long command has done so far, said while it works (RFC 9585 INPROGRESS). */
#ifndef SERVER_PROGRESS_H
#define SERVER_PROGRESS_H

#include "server/command.h"

/*
 * The running command waits, or lets others go first. If it lets (cmd->tells_progress) the
 * client is told every now and then, between two responses, until progress_stop().
 */
void progress_start(struct conn *c);
/* The command has ended: nothing of it is left. */
void progress_stop(struct conn *c);

#endif
