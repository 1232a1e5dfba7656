/* mailstile mailbox list, stat and quota. */
#include <stdio.h>

#include "auth/users.h"
#include "base/json.h"
#include "store/quota.h"
#include "tools/mailbox.h"

static void print(struct buf *out)
{
	fwrite(buf_span(out).p, 1, out->n, stdout);
	buf_done(out);
}

/* ---- list ---- */

static void list_json(const struct mailbox_names *names)
{
	struct buf out = { 0 };
	struct json json;

	json_init(&json, &out);
	json_open(&json, NULL, '[');
	for (size_t i = 0; i < names->n; i++) {
		const struct mailbox_name *n = &names->at[i];

		json_open(&json, NULL, '{');
		json_str(&json, "mailbox", n->path);
		json_bool(&json, "exists", n->exists);
		json_bool(&json, "subscribed", n->is_subscribed);
		json_str(&json, "special_use", n->uses);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	buf_putc(&out, '\n');
	print(&out);
}

int mailbox_list(struct mailbox_job *j)
{
	struct mailbox_names names;
	struct buf out = { 0 };

	if (!mailbox_become(j) || !mailbox_names(j, &names))
		return EXIT_FAILED;
	if (j->is_json) {
		list_json(&names);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < names.n; i++) {
		const struct mailbox_name *n = &names.at[i];

		buf_printf(&out, "%-10s  %-10.*s  %.*s\n",
			   n->is_subscribed ? "subscribed" : "-",
			   n->uses.n ? (int)n->uses.n : 1, n->uses.n ? n->uses.p : "-",
			   (int)n->path.n, n->path.p);
	}
	print(&out);
	return EXIT_DONE;
}

/* ---- stat ---- */

static const char *const items[] = { "MESSAGES",    "UNSEEN",  "DELETED",      "SIZE",
				     "UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ" };
static const char *const keys[] = { "messages",	   "unseen",  "deleted",      "bytes",
				    "uidvalidity", "uidnext", "highestmodseq" };
enum { MESSAGES, UNSEEN, DELETED, SIZE, UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, ITEMS };

struct stats {
	struct mailbox_job *j;
	struct buf out;
	struct json json;
	uint64_t value[ITEMS], total[ITEMS];
	struct span path;
	bool has;
};

static void take_status(void *arg, const struct response *r, struct cursor *c)
{
	struct stats *s = arg;

	if (!span_ieq(r->name, SPAN("STATUS")) || !cursor_sp(c))
		return;
	s->path = arena_dup(s->j->arena, cursor_mailbox(c));
	cursor_sp(c);
	if (!cursor_list_open(c))
		return;
	do {
		struct span name = cursor_atom(c);

		cursor_sp(c);
		for (size_t i = 0; i < ITEMS; i++)
			if (span_ieq(name, span_str(items[i])))
				s->value[i] = cursor_number64(c);
	} while (cursor_list_more(c));
	s->has = !c->bad;
}

static void put_row(struct buf *out, const uint64_t *v, struct span path)
{
	struct buf size = { 0 };

	mailbox_put_size(&size, v[SIZE]);
	buf_printf(out, "%10llu %10llu %10.*s ", (unsigned long long)v[MESSAGES],
		   (unsigned long long)v[UNSEEN], (int)size.n, buf_span(&size).p);
	if (v[UIDVALIDITY])
		buf_printf(out, "%12llu %10llu", (unsigned long long)v[UIDVALIDITY],
			   (unsigned long long)v[UIDNEXT]);
	else
		buf_printf(out, "%12s %10s", "-", "-");
	buf_printf(out, "  %.*s\n", (int)path.n, path.p);
	buf_done(&size);
}

static void put_stats(struct stats *s)
{
	for (size_t i = 0; i <= SIZE; i++)
		s->total[i] += s->value[i];
	if (!s->j->is_json) {
		put_row(&s->out, s->value, s->path);
		return;
	}
	json_open(&s->json, NULL, '{');
	json_str(&s->json, "mailbox", s->path);
	for (size_t i = 0; i < ITEMS; i++)
		json_num(&s->json, keys[i], (int64_t)s->value[i]);
	json_close(&s->json, '}');
}

static bool stat_one(struct stats *s, struct span path)
{
	struct buf *b = talk_begin(&s->j->talk);

	s->has = false;
	memset(s->value, 0, sizeof s->value);
	buf_puts(b, "STATUS ");
	emit_mailbox(b, talk_mode(), path);
	for (size_t i = 0; i < ITEMS; i++)
		buf_printf(b, "%s%s", i ? " " : " (", items[i]);
	buf_putc(b, ')');
	if (!mailbox_run(s->j, take_status, s)) {
		buf_printf(&s->j->why, " (%.*s)", (int)path.n, path.p);
		return false;
	}
	if (s->has)
		put_stats(s);
	return true;
}

static bool stat_all(struct stats *s)
{
	struct mailbox_job *j = s->j;
	struct mailbox_names names;

	for (size_t i = 2; i < j->n_words; i++)
		if (!stat_one(s, span_str(j->word[i])))
			return false;
	if (j->n_words > 2)
		return true;
	if (!mailbox_names(j, &names))
		return false;
	for (size_t i = 0; i < names.n; i++)
		if (names.at[i].exists && !stat_one(s, names.at[i].path))
			return false;
	return true;
}

int mailbox_stat(struct mailbox_job *j)
{
	struct stats s = { .j = j };
	bool is_ok;

	json_init(&s.json, &s.out);
	if (j->is_json)
		json_open(&s.json, NULL, '[');
	else
		buf_printf(&s.out, "%10s %10s %10s %12s %10s  %s\n", "messages", "unseen",
			   "size", "uidvalidity", "uidnext", "mailbox");
	is_ok = mailbox_become(j) && stat_all(&s);
	if (j->is_json) {
		json_close(&s.json, ']');
		buf_putc(&s.out, '\n');
	} else {
		put_row(&s.out, s.total, SPAN("(all)"));
	}
	if (is_ok)
		print(&s.out);
	buf_done(&s.out);
	return is_ok ? EXIT_DONE : EXIT_FAILED;
}

/* ---- quota ---- */

struct usage {
	uint64_t used[QUOTA_RESOURCES], limit[QUOTA_RESOURCES];
};

/* XQUOTA (STORAGE 12 NIL MESSAGE 3 100 ...) */
static void take_quota(void *arg, const struct response *r, struct cursor *c)
{
	struct usage *u = arg;

	if (!span_ieq(r->name, SPAN("XQUOTA")) || !cursor_sp(c) || !cursor_list_open(c))
		return;
	do {
		struct span name = cursor_atom(c);
		uint64_t used, limit = QUOTA_NONE;

		cursor_sp(c);
		used = cursor_number64(c);
		cursor_sp(c);
		if (!cursor_try_nil(c))
			limit = cursor_number64(c);
		for (unsigned i = 0; i < QUOTA_RESOURCES && !c->bad; i++)
			if (span_ieq(name,
				     span_str(quota_name((enum quota_resource)i)))) {
				u->used[i] = used;
				u->limit[i] = limit;
			}
	} while (cursor_list_more(c));
}

static void put_limit(struct buf *out, uint64_t v, bool is_size)
{
	struct buf text = { 0 };

	if (v == QUOTA_NONE)
		buf_puts(&text, "none");
	else if (is_size)
		mailbox_put_size(&text, v * 1024);
	else
		buf_put_u64(&text, v);
	buf_putc(out, ' ');
	for (size_t n = text.n; n < 9; n++)
		buf_putc(out, ' ');
	buf_put(out, buf_span(&text));
	buf_done(&text);
}

static void put_usage(struct mailbox_job *j, struct json *json, struct buf *out,
		      struct span user, const struct usage *u)
{
	static const char *const used[] = { "storage_kib", "messages", "mailboxes" };
	static const char *const limit[] = { "storage_kib_limit", "messages_limit",
					     "mailboxes_limit" };

	if (!j->is_json) {
		for (unsigned r = 0; r < QUOTA_RESOURCES; r++) {
			put_limit(out, u->used[r], r == QUOTA_STORAGE);
			put_limit(out, u->limit[r], r == QUOTA_STORAGE);
		}
		buf_printf(out, "  %.*s\n", (int)user.n, user.p);
		return;
	}
	json_open(json, NULL, '{');
	json_str(json, "user", user);
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++) {
		json_num(json, used[r], (int64_t)u->used[r]);
		if (u->limit[r] == QUOTA_NONE)
			json_null(json, limit[r]);
		else
			json_num(json, limit[r], (int64_t)u->limit[r]);
	}
	json_close(json, '}');
}

static bool show_one(struct mailbox_job *j, struct json *json, struct buf *out,
		     struct span user)
{
	struct usage u;

	for (unsigned r = 0; r < QUOTA_RESOURCES; r++) {
		u.used[r] = 0;
		u.limit[r] = QUOTA_NONE;
	}
	if (!talk_become(&j->talk, user, &j->why))
		return false;
	buf_puts(talk_begin(&j->talk), "XQUOTA");
	if (!mailbox_run(j, take_quota, &u))
		return false;
	put_usage(j, json, out, user, &u);
	return true;
}

static bool show_quota(struct mailbox_job *j)
{
	struct buf out = { 0 };
	struct users *users = NULL;
	struct json json;
	bool is_ok = true;

	if (j->n_words == 1 && users_load(j->config->users, &users, &j->why) != ERR_OK)
		return false;
	json_init(&json, &out);
	if (j->is_json)
		json_open(&json, NULL, '[');
	else
		buf_printf(&out, " %9s %9s %9s %9s %9s %9s  %s\n", "storage", "limit",
			   "messages", "limit", "mailboxes", "limit", "user");
	if (!users)
		is_ok = show_one(j, &json, &out, span_str(j->word[1]));
	for (size_t i = 0; users && is_ok && i < users_count(users); i++)
		is_ok = show_one(j, &json, &out, users_at(users, i)->name);
	if (j->is_json) {
		json_close(&json, ']');
		buf_putc(&out, '\n');
	}
	if (is_ok)
		print(&out);
	buf_done(&out);
	users_unref(users);
	return is_ok;
}

/* "10G" in KiB, "250" as it is. */
static bool limit_of(const char *text, bool is_size, struct buf *ret)
{
	static const char units[] = "KMGT";
	struct span s = span_str(text);
	uint64_t v, unit = 0;
	const char *at = s.n && is_size ? strchr(units, s.p[s.n - 1]) : NULL;

	if (strcmp(text, "none") == 0 || strcmp(text, "default") == 0) {
		buf_puts(ret, text[0] == 'n' ? "none" : "NIL");
		return true;
	}
	if (at) {
		unit = (uint64_t)(at - units);
		s.n--;
	}
	if (!span_u64(s, INT64_MAX >> 42, &v))
		return false;
	if (is_size && !at)
		v = v / 1024 + (v % 1024 > 0);
	buf_put_u64(ret, v << (10 * unit));
	return true;
}

static bool send_limit(struct mailbox_job *j, enum quota_resource r, const char *text)
{
	struct buf value = { 0 };

	if (!text)
		return true;
	if (!limit_of(text, r == QUOTA_STORAGE, &value)) {
		buf_printf(&j->why,
			   "\"%s\" is no limit: a number%s, \"none\" or \"default\".",
			   text, r == QUOTA_STORAGE ? " like 500M or 10G" : "");
		return false;
	}
	buf_printf(talk_begin(&j->talk), "XQUOTA %s %.*s", quota_name(r), (int)value.n,
		   buf_span(&value).p);
	buf_done(&value);
	return mailbox_run(j, NULL, NULL);
}

int mailbox_quota(struct mailbox_job *j)
{
	bool sets = j->storage || j->messages || j->mailboxes || j->is_clear;

	if (!sets)
		return show_quota(j) ? EXIT_DONE : EXIT_FAILED;
	if (j->n_words < 2) {
		buf_puts(&j->why, "USER is missing: limits are set for one user. "
				  "What holds for all stands in mailstile.yaml.");
		return EXIT_USAGE;
	}
	if (j->is_clear)
		j->storage = j->messages = j->mailboxes = "default";
	return mailbox_become(j) && send_limit(j, QUOTA_STORAGE, j->storage) &&
		       send_limit(j, QUOTA_MESSAGE, j->messages) &&
		       send_limit(j, QUOTA_MAILBOX, j->mailboxes)
		   ? EXIT_DONE
		   : EXIT_FAILED;
}
