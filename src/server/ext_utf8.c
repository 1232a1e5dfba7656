/*
 * UTF8=ACCEPT (RFC 9755, and RFC 6855 for what older clients send): after ENABLE names
 * and quoted strings are UTF-8 both ways (session_is_utf8), APPEND takes headers in UTF-8
 * (cmd_append.c), and messages are shown as they are (fetch_downgrade.c for all others).
 */
#include "server/command.h"

const struct extension ext_utf8 = {
	.name = "UTF8=ACCEPT",
	.rfc = "RFC 9755, RFC 6855",
	.about = "mailbox names, headers and strings in UTF-8",
	.capability = "UTF8=ACCEPT",
	.states = IN_LOGGED_IN,
	.enable = "UTF8=ACCEPT",
	.enable_bit = ENABLED_UTF8,
};
