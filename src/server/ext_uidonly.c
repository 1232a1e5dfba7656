/*
 * UIDONLY (RFC 9586): after ENABLE UIDONLY no message number goes in either direction.
 * dispatch.c refuses commands that take numbers (CMD_NUMBERS), SEARCH its own criteria;
 * report.c writes UIDFETCH and VANISHED.
 */
#include "server/command.h"

const struct extension ext_uidonly = {
	.name = "UIDONLY",
	.rfc = "RFC 9586",
	.about = "no message numbers, UIDs only",
	.capability = "UIDONLY",
	.states = IN_LOGGED_IN,
	.enable = "UIDONLY",
	.enable_bit = ENABLED_UIDONLY,
};
