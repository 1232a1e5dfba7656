/*
 * Who may become whom, and who may UNAUTHENTICATE (RFC 8437 section 8; D10).
 *
 * Everybody may act for himself. Only administrators (role `admin` of the user
 * table) may act for somebody else: the first rule whose `who` matches the
 * administrator's name decides, and it allows the names that one of its
 * `may_become` patterns matches; other administrators only when it says so.
 * No rule matches: nobody else.
 *
 * Patterns: "*" any run of characters, "?" one character (UTF-8), all else
 * itself, without regard to ASCII case.
 */
#ifndef AUTH_POLICY_H
#define AUTH_POLICY_H

#include "auth/certificate.h"
#include "base/span.h"

/* UNAUTHENTICATE on a listener: nobody, administrators, everybody. */
enum auth_gate { AUTH_GATE_OFF, AUTH_GATE_ADMIN_ONLY, AUTH_GATE_ON };

struct policy_rule {
	const char *who;
	const char *const *may_become;
	size_t n_may_become;
	bool admins; /* other administrators too, where a pattern matches */
};

struct policy; /* immutable, refcounted */

/* Copies the rules. */
struct policy *policy_new(const struct policy_rule *rules, size_t n);
/* Whose a client certificate is, too (certificate.h); before it is shared. Copies them.
 */
void policy_certificates(struct policy *p, const struct certificate_rule *rules,
			 size_t n);
enum err policy_certificate_user(const struct policy *p, struct span der,
				 struct user_name *ret);
struct policy *policy_ref(struct policy *p); /* any thread */
void policy_unref(struct policy *p);	     /* any thread; NULL is fine */

/* Names in normal form (auth/users.h). */
bool policy_may_become(const struct policy *p, struct span authcid, bool authcid_is_admin,
		       struct span authzid, bool authzid_is_admin);
bool policy_pattern_matches(struct span pattern, struct span name);

#endif
