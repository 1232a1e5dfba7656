/*
 * The operator's files: mailstile.yaml and the user table, as they come from an editor,
 * a half-full disk or a wrong hand. The first byte chooses. What is refused is refused
 * with a place in the file; what is accepted keeps what the headers promise.
 */
#include <ctype.h>

#include "auth/users.h"
#include "fuzz_wire.h"
#include "tools/config_keys.h"

static bool is_place(struct span why, struct span path)
{
	return span_starts(why, path) && why.n > path.n + 1 && why.p[path.n] == ':' &&
	       isdigit((unsigned char)why.p[path.n + 1]);
}

static uint64_t number_of(const struct config *c, const struct number_key *k)
{
	const char *at = (const char *)c + k->offset;
	uint64_t wide;
	uint32_t narrow;

	if (k->size == 8)
		memcpy(&wide, at, 8);
	else
		memcpy(&narrow, at, 4), wide = narrow;
	return wide;
}

static void must_be_whole(const struct config *c)
{
	const struct number_key *k;

	MUST(c->n_listeners >= 1 && c->tls_certificate && c->tls_key && c->tls_minimum);
	MUST(c->store_engine && c->store_directory && c->users);
	for (size_t i = 0; (k = config_number_key(i)); i++) {
		uint64_t v = number_of(c, k);
		bool is_default = v == 0 || k->standard == 0; /* filled in by itself */

		MUST(is_default || (v >= k->least * k->scale && v <= k->most * k->scale));
	}
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct server_listener *l = &c->listener[i];

		MUST(l->name && (l->address || l->path));
		MUST(!l->path || strlen(l->path) < 108);
		/* LMTP has no logins: never on an address of the network */
		MUST(l->protocol != SERVER_LMTP || l->path ||
		     span_starts(span_str(l->address), SPAN("127.")) ||
		     strchr(l->address, ':'));
	}
	for (size_t i = 0; i < c->n_rules; i++)
		MUST(c->rule[i].who);
}

static void configuration(struct span text)
{
	struct buf why = { 0 };
	struct config *c = NULL;
	enum err rc = config_parse(text, "/fuzz", &c, &why);

	if (rc == ERR_OK)
		must_be_whole(c);
	else
		MUST(!c && is_place(buf_span(&why), SPAN("/fuzz/mailstile.yaml")));
	config_free(c);
	buf_done(&why);
}

static void table(struct span text)
{
	struct buf why = { 0 };
	struct users *u = NULL;
	enum err rc = users_parse(text, "/fuzz/users", &u, &why);

	if (rc != ERR_OK) {
		MUST(!u && span_starts(buf_span(&why), SPAN("/fuzz/users")));
	} else {
		for (size_t i = 0; i < users_count(u); i++) {
			const struct user *x = users_at(u, i);

			MUST(users_find(u, x->name) == x);
			MUST(x->account.n == USER_ACCOUNT_LEN && x->hash.n >= 1);
			MUST(!memchr(x->name.p, '\n', x->name.n));
		}
	}
	users_unref(u);
	buf_done(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] == 'u')
		table(span_of(data + 1, size - 1));
	else
		configuration(span_of(data + 1, size - 1));
	return 0;
}
