/* IMAP URLs: what is taken names a message, and its parts are sane. */
#include "fuzz_wire.h"
#include "wire/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(NULL);
	struct span text = span_of(data, size);
	struct wire_url u;

	if (wire_url_parse(a, text, &u)) {
		MUST(u.uid > 0);
		MUST(!u.mailbox.p || (u.mailbox.n > 0 && wire_is_utf8(u.mailbox)));
		MUST(u.mailbox.p || !u.is_rooted);
		MUST(!u.access || span_starts(text, u.rump));
		MUST(!u.token.p || (u.token.n && u.mechanism.n && u.access));
	}
	arena_free(a);
	return 0;
}
