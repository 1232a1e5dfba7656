/* A row of a database as a user: the line of the table that says the same. */
#include <openssl/evp.h>

#include "auth/userdb_kind.h"
#include "base/arena.h"

static const char *const names[COLUMNS] = {
	"password", "scram_sha_1", "scram_sha_256", "scram_sha_512",
	"groups",   "role",	   "account",
};

enum userdb_column userdb_column(const char *name)
{
	unsigned i = 0;

	while (i < COLUMNS && strcmp(names[i], name) != 0)
		i++;
	return (enum userdb_column)i;
}

void userdb_row_done(struct userdb_row *r)
{
	for (unsigned i = 0; i < COLUMNS; i++)
		buf_done(&r->at[i]);
	*r = (struct userdb_row){ 0 };
}

static void put_hex(const uint8_t *b, size_t n, char *to)
{
	for (size_t i = 0; i < n; i++) {
		*to++ = "0123456789abcdef"[b[i] >> 4];
		*to++ = "0123456789abcdef"[b[i] & 15];
	}
	*to = 0;
}

void userdb_account(struct span name, char ret[USER_ACCOUNT_LEN + 1])
{
	static const char label[] = "mailstile account of "; /* its NUL too */
	uint8_t digest[EVP_MAX_MD_SIZE] = { 0 };
	struct buf text = { 0 };

	buf_put(&text, span_of(label, sizeof label));
	buf_put(&text, name);
	EVP_Digest(buf_span(&text).p, text.n, digest, NULL, EVP_sha256(), NULL);
	put_hex(digest, USER_ACCOUNT_LEN / 2, ret);
	buf_done(&text);
}

struct making {
	const struct userdb_row *row;
	const struct userdb_config *config;
	struct span name;
	struct buf line;
	struct buf *why;
};

static struct span column(const struct making *m, enum userdb_column c)
{
	return m->row->has[c] ? buf_span(&m->row->at[c]) : SPAN_NONE;
}

static bool refuse(struct making *m, enum userdb_column c, const char *what)
{
	buf_printf(m->why, "The column %s of the user \"%.*s\" %s.", names[c],
		   (int)m->name.n, m->name.p, what);
	return false;
}

/* 32 hex digits, "-" between them as in a UUID; or made from the name. */
static bool put_account(struct making *m)
{
	struct span from = column(m, COLUMN_ACCOUNT);
	char account[USER_ACCOUNT_LEN + 1];
	size_t n = 0;

	if (from.n == 0) {
		userdb_account(m->name, account);
		n = USER_ACCOUNT_LEN;
	}
	for (size_t i = 0; i < from.n; i++) {
		char c = from.p[i];

		if (c == '-')
			continue;
		c = c >= 'A' && c <= 'F' ? (char)(c + 32) : c;
		if (n == USER_ACCOUNT_LEN ||
		    !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return refuse(m, COLUMN_ACCOUNT, "is not 32 hexadecimal digits");
		account[n++] = c;
	}
	if (n != USER_ACCOUNT_LEN)
		return refuse(m, COLUMN_ACCOUNT, "is not 32 hexadecimal digits");
	buf_put(&m->line, span_of(account, n));
	return true;
}

static bool put_role(struct making *m)
{
	struct span role = column(m, COLUMN_ROLE);

	if (span_eq(role, SPAN("admin")) && m->config->has_admins)
		buf_puts(&m->line, ":admin:");
	else if (span_eq(role, SPAN("shared")))
		buf_puts(&m->line, ":shared:");
	else if (role.n == 0 || span_eq(role, SPAN("-")) || span_eq(role, SPAN("user")) ||
		 span_eq(role, SPAN("admin")))
		buf_puts(&m->line, ":-:");
	else
		return refuse(m, COLUMN_ROLE, "is none of user, admin and shared");
	return true;
}

static bool has_keys(const struct making *m)
{
	return column(m, COLUMN_SCRAM_SHA_1).n || column(m, COLUMN_SCRAM_SHA_256).n ||
	       column(m, COLUMN_SCRAM_SHA_512).n;
}

/* "!" and "*" in front of it: locked (passwd(5)). */
static bool put_password(struct making *m)
{
	struct span password = column(m, COLUMN_PASSWORD);

	if (password.n && (password.p[0] == '!' || password.p[0] == '*'))
		buf_putc(&m->line, '*');
	else if (password.n == 0)
		buf_put(&m->line, has_keys(m) ? USER_HASH_NONE : SPAN("*"));
	else if (span_find(password, ':') < 0 && span_find(password, '\n') < 0)
		buf_put(&m->line, password);
	else
		return refuse(m, COLUMN_PASSWORD, "is no crypt(5) string");
	return true;
}

/* Ours (scram.h), or "SCRAM-SHA-256$4096:salt$StoredKey:ServerKey", as RFC 5803 and
 * PostgreSQL write them. */
static bool put_keys(struct making *m, enum userdb_column c, enum scram_hash hash,
		     const char *field)
{
	struct span text = column(m, c);
	struct span prefix = span_str(scram_name(hash));
	struct scram_keys keys;
	struct buf ours = { 0 };
	bool is_ok;

	if (text.n == 0)
		return true;
	if (span_starts(text, prefix) && text.n > prefix.n && text.p[prefix.n] == '$')
		text = span_sub(text, prefix.n + 1, text.n);
	for (size_t i = 0; i < text.n; i++)
		buf_putc(&ours, strchr("$:", text.p[i]) && text.p[i] ? ',' : text.p[i]);
	is_ok = scram_keys_read(hash, buf_span(&ours), &keys) == ERR_OK;
	if (is_ok) {
		buf_printf(&m->line, ":%s=", field);
		scram_keys_write(&keys, &m->line);
	}
	wipe(&keys, sizeof keys);
	buf_done(&ours);
	return is_ok || refuse(m, c, "is no key of SCRAM");
}

/* "," or spaces between them; names in any ASCII case. */
static bool put_groups(struct making *m, struct span groups)
{
	struct user_name name;
	bool is_first = true;

	for (size_t i = 0, from = 0; i <= groups.n; i++) {
		if (i < groups.n && !strchr(", ", groups.p[i]))
			continue;
		if (i > from) {
			struct span g = span_sub(groups, from, i - from);

			if (user_name_make(g, &name) != ERR_OK ||
			    !user_group_ok(span_of(name.text, name.n)))
				return refuse(m, COLUMN_GROUPS,
					      "has a name that no group may have");
			buf_puts(&m->line, is_first ? ":groups=" : ",");
			buf_put(&m->line, span_of(name.text, name.n));
			is_first = false;
		}
		from = i + 1;
	}
	return true;
}

static bool put_all(struct making *m)
{
	bool is_asked = m->config->type == USERDB_SASLAUTHD;

	buf_put(&m->line, m->name);
	buf_putc(&m->line, ':');
	return put_account(m) && put_role(m) && put_password(m) &&
	       put_keys(m, COLUMN_SCRAM_SHA_1, SCRAM_SHA1, "scram-sha-1") &&
	       put_keys(m, COLUMN_SCRAM_SHA_256, SCRAM_SHA256, "scram-sha-256") &&
	       put_keys(m, COLUMN_SCRAM_SHA_512, SCRAM_SHA512, "scram-sha-512") &&
	       put_groups(m, is_asked && m->config->groups ? span_str(m->config->groups)
							   : column(m, COLUMN_GROUPS));
}

enum err userdb_row_user(const struct userdb_row *r, const struct userdb_config *c,
			 struct span name, struct users **ret, struct buf *ret_why)
{
	struct making m = { .row = r, .config = c, .name = name, .why = ret_why };
	enum err rc = put_all(&m) ? ERR_OK : ERR_INVAL;

	if (rc == ERR_OK) {
		if (c->type == USERDB_SASLAUTHD)
			buf_puts(&m.line, ":assumed=yes");
		buf_putc(&m.line, '\n');
		rc = users_parse(buf_span(&m.line), c->name, ret, ret_why);
	}
	buf_done(&m.line);
	return rc;
}
