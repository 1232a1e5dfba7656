/* The table of support for the README, from the registered extensions. */
#include "server/command.h"

void server_support(struct buf *out)
{
	buf_puts(out, "| extension | source | what it gives |\n|---|---|---|\n");
	for (size_t i = 0; server_extensions[i]; i++) {
		const struct extension *e = server_extensions[i];

		if (e->rfc)
			buf_printf(out, "| %s | %s | %s |\n", e->name, e->rfc, e->about);
	}
}
