/* The SASL mechanisms as the table of support has them; cmd_auth.c runs them. */
#include "server/command.h"

const struct extension ext_login = {
	.name = "AUTH=LOGIN",
	.rfc = "draft-murchison-sasl-login",
	.about = "name and password for mail programs without PLAIN; nobody can act for "
		 "another by it",
};
const struct extension ext_external = {
	.name = "AUTH=EXTERNAL, PREAUTH",
	.rfc = "RFC 4422, 8437",
	.about = "a TLS client certificate instead of a password",
};
const struct extension ext_scram = {
	.name = "AUTH=SCRAM-SHA-1, -256, -512, and -PLUS",
	.rfc = "RFC 5802, 7677",
	.about = "a password is proved, never sent; bound to the TLS channel with -PLUS",
};
