/* IMAP4rev2 beside IMAP4rev1: what ENABLE IMAP4rev2 turns on (RFC 9051 section 6.3.1,
 * appendix E). */
#include "server/command.h"

const struct extension ext_rev2 = {
	.name = "IMAP4rev2",
	.rfc = "RFC 9051",
	.about = "on after ENABLE IMAP4rev2; rev1 until then",
	.enable = "IMAP4rev2",
	.enable_bit = ENABLED_REV2,
};
