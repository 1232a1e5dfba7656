/* The capability list, from the registered extensions. */
#include "server/capability.h"

void capability_put(const struct conn *c, unsigned state, struct buf *out)
{
	buf_puts(out, "CAPABILITY IMAP4rev1 IMAP4rev2");
	for (size_t i = 0; server_extensions[i]; i++) {
		const struct extension *e = server_extensions[i];

		if (e->offer) {
			e->offer(c, state, out);
		} else if (e->capability && (e->states & state)) {
			buf_putc(out, ' ');
			buf_puts(out, e->capability);
		}
	}
}

const char *capability_code(struct cmd *cmd, unsigned state)
{
	struct buf b = { 0 };
	const char *code;

	capability_put(cmd->conn, state, &b);
	code = arena_printf(cmd->arena, "%.*s", (int)b.n, b.p + b.off);
	buf_done(&b);
	return code;
}
