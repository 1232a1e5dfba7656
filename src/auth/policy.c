/* Who may become whom: rules, first match decides. */
#include "auth/policy.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"

struct policy {
	atomic_uint refs;
	struct arena *arena;
	struct policy_rule *rule;
	size_t n;
	struct certificate_rule *certificate;
	size_t n_certificates;
};

struct policy *policy_new(const struct policy_rule *rules, size_t n)
{
	struct policy *p = xcalloc(1, sizeof *p);
	atomic_init(&p->refs, 1);
	p->arena = arena_new(NULL);
	p->rule = arena_array(p->arena, n, sizeof *p->rule);
	p->n = n;
	for (size_t i = 0; i < n; i++) {
		const char **become = arena_array(p->arena, rules[i].n_may_become,
						  sizeof *become);
		for (size_t k = 0; k < rules[i].n_may_become; k++)
			become[k] = arena_strdup(p->arena, rules[i].may_become[k]);
		p->rule[i] = rules[i];
		p->rule[i].who = arena_strdup(p->arena, rules[i].who);
		p->rule[i].may_become = become;
	}
	return p;
}

void policy_certificates(struct policy *p, const struct certificate_rule *rules, size_t n)
{
	p->certificate = arena_array(p->arena, n, sizeof *p->certificate);
	p->n_certificates = n;
	for (size_t i = 0; i < n; i++)
		p->certificate[i] =
		    (struct certificate_rule){ rules[i].by,
					       arena_strdup(p->arena, rules[i].pattern),
					       arena_strdup(p->arena, rules[i].user) };
}

enum err policy_certificate_user(const struct policy *p, struct span der,
				 struct user_name *ret)
{
	return certificate_user(p->certificate, p->n_certificates, der, ret);
}

struct policy *policy_ref(struct policy *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void policy_unref(struct policy *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_free(p->arena);
	free(p);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Index behind the UTF-8 character at `i`. */
static size_t behind(struct span s, size_t i)
{
	for (i++; i < s.n && ((unsigned char)s.p[i] & 0xc0) == 0x80; i++)
		;
	return i;
}

/* Greedy with one point to come back to: linear but for the last "*", never recursive. */
bool policy_pattern_matches(struct span pattern, struct span name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, star_n = 0;
	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			star_n = n;
		} else if (p < pattern.n && pattern.p[p] == '?') {
			p++;
			n = behind(name, n);
		} else if (p < pattern.n && lower(pattern.p[p]) == lower(name.p[n])) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = star_n = behind(name, star_n);
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool policy_may_become(const struct policy *p, struct span authcid, bool authcid_is_admin,
		       struct span authzid, bool authzid_is_admin)
{
	if (span_eq(authcid, authzid))
		return true;
	if (!authcid_is_admin)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		const struct policy_rule *r = &p->rule[i];
		if (!policy_pattern_matches(span_str(r->who), authcid))
			continue;
		if (authzid_is_admin && !r->admins)
			return false;
		for (size_t k = 0; k < r->n_may_become; k++)
			if (policy_pattern_matches(span_str(r->may_become[k]), authzid))
				return true;
		return false;
	}
	return false;
}
