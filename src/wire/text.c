/* Names of status conditions and response codes (RFC 9051 section 7.1, RFC 5530). */
#include "wire/text.h"

static const char cond_names[][8] = { "", "OK", "NO", "BAD", "BYE", "PREAUTH" };

static const char code_names[CODE_COUNT][24] = {
	[CODE_ALERT] = "ALERT",
	[CODE_ALREADYEXISTS] = "ALREADYEXISTS",
	[CODE_APPENDUID] = "APPENDUID", /* RFC 4315 */
	[CODE_AUTHENTICATIONFAILED] = "AUTHENTICATIONFAILED",
	[CODE_AUTHORIZATIONFAILED] = "AUTHORIZATIONFAILED",
	[CODE_BADCHARSET] = "BADCHARSET",
	[CODE_CANNOT] = "CANNOT",
	[CODE_CAPABILITY] = "CAPABILITY",
	[CODE_CLIENTBUG] = "CLIENTBUG",
	[CODE_CLOSED] = "CLOSED", /* RFC 7162 */
	[CODE_CONTACTADMIN] = "CONTACTADMIN",
	[CODE_COPYUID] = "COPYUID",
	[CODE_CORRUPTION] = "CORRUPTION",
	[CODE_EXPIRED] = "EXPIRED",
	[CODE_EXPUNGEISSUED] = "EXPUNGEISSUED",
	[CODE_HASCHILDREN] = "HASCHILDREN",
	[CODE_HIGHESTMODSEQ] = "HIGHESTMODSEQ",
	[CODE_INUSE] = "INUSE",
	[CODE_LIMIT] = "LIMIT",
	[CODE_MAILBOXID] = "MAILBOXID", /* RFC 8474 */
	[CODE_MODIFIED] = "MODIFIED",
	[CODE_NEWNAME] = "NEWNAME", /* RFC 2060 */
	[CODE_NOMODSEQ] = "NOMODSEQ",
	[CODE_NONEXISTENT] = "NONEXISTENT",
	[CODE_NOPERM] = "NOPERM",
	[CODE_NOTSAVED] = "NOTSAVED", /* RFC 5182 */
	[CODE_OVERQUOTA] = "OVERQUOTA",
	[CODE_PARSE] = "PARSE",
	[CODE_PERMANENTFLAGS] = "PERMANENTFLAGS",
	[CODE_PRIVACYREQUIRED] = "PRIVACYREQUIRED",
	[CODE_READ_ONLY] = "READ-ONLY",
	[CODE_READ_WRITE] = "READ-WRITE",
	[CODE_REFERRAL] = "REFERRAL", /* RFC 2193 */
	[CODE_SERVERBUG] = "SERVERBUG",
	[CODE_TOOBIG] = "TOOBIG", /* RFC 4469 */
	[CODE_TRYCREATE] = "TRYCREATE",
	[CODE_UIDNEXT] = "UIDNEXT",
	[CODE_UIDNOTSTICKY] = "UIDNOTSTICKY",
	[CODE_UIDVALIDITY] = "UIDVALIDITY",
	[CODE_UNAVAILABLE] = "UNAVAILABLE",
	[CODE_UNKNOWN_CTE] = "UNKNOWN-CTE",
	[CODE_UNSEEN] = "UNSEEN",
	[CODE_USEATTR] = "USEATTR", /* RFC 6154 */
};

const char *cond_name(enum cond c)
{
	return cond_names[c];
}

enum cond cond_of(struct span s)
{
	for (enum cond c = COND_OK; c <= COND_PREAUTH; c++)
		if (span_ieq(s, span_str(cond_names[c])))
			return c;
	return COND_NONE;
}

const char *code_name(enum code c)
{
	return code_names[c];
}

enum code code_of(struct span s)
{
	if (s.n == 0)
		return CODE_NONE;
	for (int c = CODE_ALERT; c < CODE_COUNT; c++)
		if (span_ieq(s, span_str(code_names[c])))
			return (enum code)c;
	return CODE_OTHER;
}
