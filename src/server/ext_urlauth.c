/*
 * URLAUTH (RFC 4467): RESETKEY, GENURLAUTH; URLFETCH is in urlfetch.c. A token is the
 * keyed digest of the URL as written, under a key of the mailbox and user and with a word
 * that is the user's for all his mailboxes; both are attributes (store/attrs.h). RESETKEY
 * of a mailbox changes the key, RESETKEY of all the word.
 */
#include "server/urlauth.h"

#include "auth/mac.h"
#include "server/mailbox_name.h"
#include "server/place.h"
#include "server/reply.h"
#include "server/selected.h"

extern const struct extension ext_urlauth;

enum { PARSE, KEYS, MADE };

#define ALGORITHM                                                                        \
	"01" /* HMAC-SHA-256: the first two digits of a token (section 2.4.1)            \
	      */

/* ---- keys ---- */

static struct attr_key key_key(struct span user, uint32_t mailbox)
{
	return (struct attr_key){ mailbox, ATTR_URL_KEY, user, SPAN("key") };
}

static struct attr_key word_key(struct span user)
{
	return (struct attr_key){ 0, ATTR_URL_KEY, user, SPAN("word") };
}

struct op *url_keys_read(struct cmd *cmd, struct account *a, struct span user,
			 uint32_t mailbox)
{
	const struct attr_query q[2] = {
		{ .key = key_key(user, mailbox), .is_exact = true },
		{ .key = word_key(user), .is_exact = true },
	};

	return attrs_read(a, q, 2, cmd_to(cmd));
}

bool url_keys_take(struct cmd *cmd, struct url_keys *ret)
{
	const struct attrs *got = op_attrs(cmd->op);

	*ret = (struct url_keys){ 0 };
	for (size_t i = 0; i < got->n; i++)
		*(got->at[i].query ? &ret->word
				   : &ret->key) = arena_dup(cmd->arena, got->at[i].value);
	return ret->key.n == MAC_BYTES && ret->word.n == MAC_BYTES;
}

struct span url_token(struct arena *a, const struct url_keys *k, struct span rump)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t mac[MAC_BYTES];
	char text[2 + 2 * MAC_BYTES] = ALGORITHM;

	if (mac_make(k->key, k->word, rump, mac) != ERR_OK)
		return SPAN_NONE;
	for (size_t i = 0; i < MAC_BYTES; i++) {
		text[2 + 2 * i] = digits[mac[i] >> 4];
		text[3 + 2 * i] = digits[mac[i] & 15];
	}
	return arena_dup(a, span_of(text, sizeof text));
}

static bool fresh(struct cmd *cmd, struct attr_edit *e, struct attr_key key)
{
	char *bytes = arena_alloc(cmd->arena, MAC_BYTES);

	*e = (struct attr_edit){ .key = key, .value = span_of(bytes, MAC_BYTES) };
	return mac_key_make((uint8_t *)bytes) == ERR_OK;
}

static uint32_t number_of_mailbox(struct account *a, struct span path)
{
	const struct names *names = account_names_now(a);
	const struct name *name = names_find(names, path);
	uint32_t number = name ? name->mailbox : 0;

	names_unref(names);
	return number;
}

/* ---- RESETKEY ---- */

/* What a session remembers of changes of keys. */
struct told {
	bool has_begun;
	uint64_t since, own;
};

static enum verdict reset_done(struct cmd *cmd)
{
	struct told *t = session_slot(cmd->session, &ext_urlauth);

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	t->own = op_modseq(cmd->op);
	if (cmd->state)
		return reply_ok(cmd, "URLMECH INTERNAL", "The key is a new one.");
	return reply_ok(cmd, NULL, "All keys are removed.");
}

/* Mechanisms behind the mailbox: INTERNAL is the only one. */
static bool knows_mechanisms(struct cmd *cmd)
{
	bool knows = true;

	while (!cmd->cur.bad && !cursor_at_end(&cmd->cur)) {
		cursor_sp(&cmd->cur);
		knows &= span_ieq(cursor_atom(&cmd->cur), SPAN("INTERNAL"));
	}
	return knows;
}

static enum verdict run_resetkey(struct cmd *cmd)
{
	struct session *s = cmd->session;
	struct span name = SPAN_NONE;
	struct attr_edit edit;
	struct place place;
	bool knows = true;
	uint32_t number = 0;

	if (cmd->step == MADE)
		return reset_done(cmd);
	if (!cursor_at_end(&cmd->cur)) {
		cursor_sp(&cmd->cur);
		name = mailbox_name(cmd);
		knows = knows_mechanisms(cmd);
	}
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!knows)
		return reply_no(cmd, "CANNOT", "That mechanism is not known here.");
	if (name.p) {
		if (!place_find(cmd, name, RIGHT_R, &place))
			return cmd->verdict;
		if (place.space == PLACE_PERSONAL)
			number = number_of_mailbox(place.account, place.path);
		if (!number)
			return reply_err(cmd, ERR_NOENT);
		cmd->state = s;
	}
	if (!fresh(cmd, &edit,
		   name.p ? key_key(auth_account(&s->who), number)
			  : word_key(auth_account(&s->who))))
		return reply_err(cmd, ERR_IO);
	return cmd_wait(cmd, MADE, attrs_set(s->account, &edit, 1, NULL, cmd_to(cmd)));
}

/* ---- GENURLAUTH ---- */

struct gen {
	struct wire_url url[URLS_MAX];
	uint32_t mailbox[URLS_MAX];
	size_t n, at;
	struct buf out;
};

static void gen_done(void *arg)
{
	buf_done(&((struct gen *)arg)->out);
}

bool url_user_is(struct span user, struct span name)
{
	struct user_name n;

	return user.p && user_name_make(user, &n) == ERR_OK &&
	       span_eq(span_of(n.text, n.n), name);
}

/* What must be true of a URL (section 7, GENURLAUTH), or why it is BAD. */
static const char *gen_fault(struct cmd *cmd, struct gen *g, struct span text)
{
	struct session *s = cmd->session;
	struct wire_url *u = &g->url[g->n];

	if (!wire_url_parse(cmd->arena, text, u) || !u->is_absolute || u->token.p)
		return "That is no URL of a message.";
	if (!u->access)
		return "The URL has no access identifier.";
	if (!url_user_is(u->user, auth_authzid(&s->who)))
		return "The URL's owner is not the user.";
	g->mailbox[g->n] = number_of_mailbox(s->account,
					     mailbox_name_normal(cmd->arena, u->mailbox));
	return g->mailbox[g->n++] ? NULL : "There is no such mailbox.";
}

static enum verdict gen_read(struct cmd *cmd)
{
	struct gen *g = cmd->state;
	struct buf *out = cmd_out(cmd);

	if (g->at < g->n)
		return cmd_wait(cmd, KEYS,
				url_keys_read(cmd, cmd->session->account,
					      auth_account(&cmd->session->who),
					      g->mailbox[g->at]));
	buf_puts(out, "* GENURLAUTH");
	buf_put(out, buf_span(&g->out));
	buf_puts(out, "\r\n");
	return reply_done(cmd);
}

/* Those that are not there yet; another session may make them at the same time. */
static enum verdict gen_make(struct cmd *cmd, const struct url_keys *k)
{
	struct gen *g = cmd->state;
	struct span user = auth_account(&cmd->session->who);
	struct attr_edit e[2];
	size_t n = 0;

	if (!k->key.p) {
		if (!fresh(cmd, &e[n], key_key(user, g->mailbox[g->at])))
			return reply_err(cmd, ERR_IO);
		e[n++].has_expect = true;
	}
	if (!k->word.p) {
		if (!fresh(cmd, &e[n], word_key(user)))
			return reply_err(cmd, ERR_IO);
		e[n++].has_expect = true;
	}
	return cmd_wait(cmd, MADE,
			attrs_set(cmd->session->account, e, n, NULL, cmd_to(cmd)));
}

static enum verdict gen_keys(struct cmd *cmd)
{
	struct gen *g = cmd->state;
	const struct wire_url *u = &g->url[g->at];
	struct url_keys k;
	struct span token;

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	if (!url_keys_take(cmd, &k))
		return gen_make(cmd, &k);
	token = url_token(cmd->arena, &k, u->rump);
	if (!token.p)
		return reply_err(cmd, ERR_IO);
	buf_puts(&g->out, " ");
	emit_string(
	    &g->out, cmd_mode(cmd),
	    span_str(arena_printf(cmd->arena, "%.*s:INTERNAL:%.*s", (int)u->rump.n,
				  u->rump.p, (int)token.n, token.p)));
	g->at++;
	return gen_read(cmd);
}

static enum verdict gen_made(struct cmd *cmd)
{
	struct told *t = session_slot(cmd->session, &ext_urlauth);

	if (cmd->op->rc != ERR_OK && cmd->op->rc != ERR_CONFLICT)
		return reply_err(cmd, cmd->op->rc);
	t->own = op_modseq(cmd->op);
	return gen_read(cmd);
}

static enum verdict run_genurlauth(struct cmd *cmd)
{
	const char *fault = NULL;
	struct gen *g;

	if (cmd->step == KEYS)
		return gen_keys(cmd);
	if (cmd->step == MADE)
		return gen_made(cmd);
	g = cmd->state = ARENA_NEW(cmd->arena, struct gen);
	arena_defer(cmd->arena, gen_done, g);
	do {
		struct span text, mechanism;

		cursor_sp(&cmd->cur);
		text = cursor_astring(&cmd->cur);
		cursor_sp(&cmd->cur);
		mechanism = cursor_atom(&cmd->cur);
		if (cmd->cur.bad)
			break;
		if (g->n == URLS_MAX)
			return reply_no(cmd, "LIMIT", "These are too many URLs.");
		if (!fault && !span_ieq(mechanism, SPAN("INTERNAL")))
			fault = "That mechanism is not known here.";
		if (!fault)
			fault = gen_fault(cmd, g, text);
	} while (!cursor_at_end(&cmd->cur));
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	return fault ? reply_bad(cmd, fault) : gen_read(cmd);
}

/* ---- news of keys: RESETKEY is told to who has the mailbox selected ---- */

struct heard {
	struct cmd *cmd;
	struct told *told;
	uint32_t mailbox;
	bool is_new;
};

static void hear(void *arg, const struct attr_key *key, uint64_t modseq)
{
	struct heard *h = arg;

	h->is_new |= key->kind == ATTR_URL_KEY && key->mailbox &&
		     key->mailbox == h->mailbox && modseq != h->told->own &&
		     span_eq(key->user, auth_account(&h->cmd->session->who));
}

static void tell(struct cmd *cmd)
{
	struct session *s = cmd->session;
	const struct selected *sel = s->selected;
	struct heard h = { .cmd = cmd };
	uint64_t newest;

	if (!s->account)
		return;
	h.told = session_slot(s, &ext_urlauth);
	newest = account_attr_changes(s->account, h.told->since, NULL, NULL);
	if (h.told->has_begun && newest > h.told->since && sel &&
	    sel->place.account == s->account) {
		h.mailbox = number_of_mailbox(s->account, sel->place.path);
		newest = account_attr_changes(s->account, h.told->since, hear, &h);
	}
	h.told->since = newest;
	h.told->has_begun = true;
	if (h.is_new)
		untagged_ok(cmd, "URLMECH INTERNAL", "The key is a new one.");
}

static const struct command commands[] = {
	{ "RESETKEY", IN_LOGGED_IN, 0, run_resetkey },
	{ "GENURLAUTH", IN_LOGGED_IN, 0, run_genurlauth },
	{ "URLFETCH", IN_LOGGED_IN, 0, run_urlfetch },
	{ 0 },
};
const struct extension ext_urlauth = {
	.name = "URLAUTH",
	.rfc = "RFC 4467",
	.about = "URLs that let others read one message",
	.capability = "URLAUTH",
	.states = IN_LOGGED_IN,
	.commands = commands,
	.slot_bytes = sizeof(struct told),
	.tell = tell,
};
