/* Proofs other than a password: the keys of SCRAM, and who has proved himself by them. */
#include "auth/login.h"

#include "auth/state.h"

static struct span field_name(enum scram_hash hash)
{
	switch (hash) {
	case SCRAM_SHA1: return SPAN("scram-sha-1");
	case SCRAM_SHA256: return SPAN("scram-sha-256");
	default: return SPAN("scram-sha-512");
	}
}

/* False: he has none, or may not log in by himself. */
static bool keys_of(const struct user *u, enum scram_hash hash, struct scram_keys *ret)
{
	struct span text;

	if (!u || span_eq(u->hash, SPAN("*")))
		return false;
	text = user_field(u, field_name(hash));
	return text.p && scram_keys_read(hash, text, ret) == ERR_OK;
}

enum err auth_scram_keys(struct auth *a, struct span authcid, enum scram_hash hash,
			 struct scram_keys *ret)
{
	struct auth_snapshot s = auth_snapshot_take(a);
	struct user_name name;
	/* Both are made, so that neither is quicker. */
	bool is_name = user_name_make(authcid, &name) == ERR_OK;
	struct scram_keys made;
	enum err rc = scram_keys_false(hash, span_of(a->secret, AUTH_SECRET),
				       is_name ? span_of(name.text, name.n) : authcid,
				       &made);

	if (!keys_of(is_name ? auth_snapshot_find(&s, authcid) : NULL, hash, ret))
		*ret = made;
	auth_snapshot_done(&s);
	return rc;
}

enum err auth_proven(struct auth *a, const struct auth_request *r,
		     const struct scram_keys *keys, struct auth_identity *ret)
{
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = auth_snapshot_find(&s, r->authcid);
	struct scram_keys now;
	enum err rc = ERR_AUTH;

	/* A reload may have come since they were handed out. */
	if (keys_of(u, keys->hash, &now) &&
	    span_eq_secret(span_of(now.stored, scram_digest(now.hash)),
			   span_of(keys->stored, scram_digest(now.hash))))
		rc = auth_judge(&s, u, r->authzid, ret);
	auth_snapshot_done(&s);
	return rc;
}

enum err auth_certificate_name(struct auth *a, struct span der, struct user_name *ret)
{
	struct auth_snapshot s = auth_snapshot_take(a);
	enum err rc = policy_certificate_user(s.policy, der, ret);

	auth_snapshot_done(&s);
	return rc == ERR_OK ? ERR_OK : ERR_AUTH;
}

enum err auth_certificate(struct auth *a, struct span der, struct span authzid,
			  struct auth_identity *ret)
{
	struct auth_snapshot s = auth_snapshot_take(a);
	struct user_name name;
	enum err rc = ERR_AUTH;

	if (policy_certificate_user(s.policy, der, &name) == ERR_OK) {
		const struct user *u = auth_snapshot_find(&s, span_of(name.text, name.n));

		rc = u ? auth_judge(&s, u, authzid, ret) : ERR_AUTH;
		ret->by_certificate = rc == ERR_OK;
	}
	auth_snapshot_done(&s);
	return rc;
}

static enum err set_keys(struct users_edit *e, struct span name, struct span password,
			 enum scram_hash hash)
{
	struct scram_keys keys;
	struct buf text = { 0 };
	enum err rc = password.n ? scram_keys_new(hash, password, &keys) : ERR_INVAL;

	if (rc == ERR_OK)
		scram_keys_write(&keys, &text);
	if (rc == ERR_OK || rc == ERR_INVAL)
		rc = users_edit_set_field(e, name, field_name(hash),
					  rc == ERR_OK ? buf_span(&text) : SPAN_NONE);
	buf_done(&text);
	return rc;
}

enum err auth_password_set(struct users_edit *e, struct span name, struct span password)
{
	struct buf text = { 0 };
	enum err rc = password.n ? auth_password_hash(password, &text) : ERR_OK;

	if (rc == ERR_OK)
		rc = users_edit_set_hash(e, name,
					 password.n ? buf_span(&text) : SPAN("*"));
	for (enum scram_hash h = 0; h < SCRAM_HASHES && rc == ERR_OK; h++)
		rc = set_keys(e, name, password, h);
	buf_done(&text);
	return rc;
}
