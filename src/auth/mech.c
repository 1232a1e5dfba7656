/* The table of mechanisms. */
#include "auth/mech.h"

#include "base/base64.h"

static const struct mech *const mechs[] = {
	&mech_external,
	&mech_scram[2 * SCRAM_SHA512 + 1], &mech_scram[2 * SCRAM_SHA256 + 1],
	&mech_scram[2 * SCRAM_SHA1 + 1],   &mech_scram[2 * SCRAM_SHA512],
	&mech_scram[2 * SCRAM_SHA256],	   &mech_scram[2 * SCRAM_SHA1],
	&mech_plain,
	&mech_login,
};

const struct mech *mech_at(size_t i)
{
	return i < sizeof mechs / sizeof mechs[0] ? mechs[i] : NULL;
}

const struct mech *mech_find(struct span name)
{
	const struct mech *m;
	for (size_t i = 0; (m = mech_at(i)); i++)
		if (span_ieq(m->name, name))
			return m;
	return NULL;
}

enum err mech_initial(struct span arg, struct buf *out)
{
	/* RFC 4959 section 3: an empty argument cannot be told from none, so "=" */
	if (span_eq(arg, SPAN("=")))
		return ERR_OK;
	return arg.n ? base64_decode(arg, out) : ERR_INVAL;
}
