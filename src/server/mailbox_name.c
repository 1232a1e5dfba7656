/* Mailbox names of commands, in the one form the store knows. */
#include <stdlib.h>
#include <uninorm.h>

#include "server/mailbox_name.h"

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

struct span mailbox_name_normal(struct arena *a, struct span utf8)
{
	struct span normal = utf8;
	uint8_t *made;
	size_t n = 0;

	if (is_ascii(utf8))
		return utf8;
	made = u8_normalize(UNINORM_NFC, (const uint8_t *)utf8.p, utf8.n, NULL, &n);
	if (made)
		normal = arena_dup(a, span_of(made, n));
	free(made);
	return normal;
}

struct span mailbox_name(struct cmd *cmd)
{
	return mailbox_name_normal(cmd->arena, cursor_mailbox(&cmd->cur));
}
