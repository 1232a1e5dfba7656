/* What `check --repair` mends: rows that sum up what others say. */
#include <stdio.h>

#include "store/change.h"
#include "testloop.h"

static struct site site;

static int setup(void **state)
{
	site_init(&site);
	return 0;
}

static int teardown(void **state)
{
	store_close(site.store);
	site.store = NULL;
	site_done(&site);
	return 0;
}

struct put_op {
	struct store_op o;
	struct span key, value;
};

static enum err no_plan(struct store_op *o, struct change *c)
{
	return ERR_OK;
}

static enum err raw_plan(struct engine_op *e, struct txn *t)
{
	struct put_op *p = (struct put_op *)(void *)e;
	if (p->value.p)
		txn_put(t, p->key, p->value);
	else
		txn_delete(t, p->key);
	return ERR_OK;
}

static void put_row(struct account *a, struct key k, struct span value)
{
	struct done d = { 0 };
	struct put_op *p = op_new(sizeof *p, site.store, a, done_to(&site.loop, &d));
	p->o.plan = no_plan;
	p->o.e.plan = raw_plan;
	p->key = key_span(&k);
	p->value = value;
	op_start(&p->o);
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
	atomic_store(&a->drop_head, true);
}

struct get {
	struct key key;
	struct buf value;
};

static enum err get_plan(void *arg, struct txn *t)
{
	struct get *g = arg;
	struct span v;
	enum err rc = txn_get(t, key_span(&g->key), &v);
	if (rc == ERR_OK)
		buf_put(&g->value, v);
	return rc;
}

static struct buf get_row(struct account *a, struct key k)
{
	struct get g = { .key = k };
	assert_int_equal(engine_read_now(site.store->engine, a->id, get_plan, &g),
			 ERR_OK);
	return g.value;
}

static void count(void *arg, const char *sentence)
{
	++*(unsigned *)arg;
}

static enum err check(unsigned *ret)
{
	uint64_t accounts, messages;
	*ret = 0;
	site_quiet(&site);
	return store_check(site.store, count, ret, &accounts, &messages);
}

static uint32_t number_of(struct account *a, const char *path)
{
	const struct names *n = account_names_now(a);
	uint32_t number = names_find(n, span_str(path))->mailbox;
	names_unref(n);
	return number;
}

static struct body_id body_of(struct account *a, uint32_t number)
{
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	struct body_id id = view_get(v, number).info->body;
	view_unref(v);
	mailbox_unref(m);
	return id;
}

/* ---- what goes wrong ---- */

static void account_counts(struct account *a)
{
	struct buf row = get_row(a, key_account());
	struct account_header h;
	uint8_t to[ACCOUNT_HEADER_BYTES];
	assert_int_equal(account_header_read(buf_span(&row), &h), ERR_OK);
	h.messages += 3;
	h.bytes = 1;
	h.drops += 2;
	h.next_number = 1;
	put_row(a, key_account(), account_header_write(&h, to));
	buf_done(&row);
}

static void mailbox_counts(struct account *a)
{
	struct key k = key_of_mailbox(KEY_MAILBOX, number_of(a, "INBOX"));
	struct buf row = get_row(a, k);
	struct mailbox_header h;
	struct keywords *w;
	struct arena *arena = arena_new(NULL);
	assert_int_equal(mailbox_header_read(buf_span(&row), &h, &w), ERR_OK);
	h.exists += 7;
	h.unseen = 0;
	h.bytes++;
	h.uidnext = 5;
	put_row(a, k, mailbox_header_write(&h, w, arena));
	keywords_unref(w);
	arena_free(arena);
	buf_done(&row);
}

static void holders_too_many(struct account *a)
{
	put_row(a, key_body(KEY_HOLDERS, body_of(a, 2)), SPAN("\1\0\0\0\7"));
}

static void holders_lost(struct account *a)
{
	put_row(a, key_body(KEY_HOLDERS, body_of(a, 2)), SPAN_NONE);
}

static void holders_of_one(struct account *a)
{
	put_row(a, key_body(KEY_HOLDERS, body_of(a, 20)), SPAN("\1\0\0\0\2"));
}

static void summary(struct account *a)
{
	put_row(a, key_body(KEY_SUMMARY, body_of(a, 3)), SPAN("nonsense"));
}

static void vanished(struct account *a)
{
	put_row(a, key_vanished(number_of(a, "INBOX"), 4), SPAN("nonsense"));
}

static void held_and_to_be_dropped(struct account *a)
{
	put_row(a, key_drop(3, body_of(a, 3)), SPAN("\1"));
}

/* A body whose messages' rows have gone, as a damaged chunk would leave it. */
struct keep_op {
	struct store_op o;
	struct body_put *put;
};

static enum err keep_plan(struct engine_op *e, struct txn *t)
{
	return txn_body_keep(t, ((struct keep_op *)(void *)e)->put);
}

static void body_of_nobody(struct account *a)
{
	struct done d = { 0 };
	struct body_id id;
	struct keep_op *k = op_new(sizeof *k, site.store, a, done_to(&site.loop, &d));
	struct body_put *put = engine_body_begin(site.store->engine, a->id, &id);
	assert_int_equal(engine_body_write(put, SPAN("nobody's")), ERR_OK);
	k->o.plan = no_plan;
	k->o.e.plan = keep_plan;
	k->put = put;
	op_start(&k->o);
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
	engine_body_end(put);
}

static void fill(struct account *a)
{
	struct done d = { 0 };
	do_append_many(&site, a, "INBOX", 300);
	assert_int_equal(do_create(&site, a, "Work", 0), ERR_OK);
	struct mailbox *m = do_open(&site, a, "INBOX");
	assert_int_equal(do_copy(&site, m, "1:9", "Work", false, &d), ERR_OK);
	done_clear(&d);
	assert_int_equal(do_flag(&site, m, "11:12", FLAGS_ADD, FLAG_DELETED, NULL),
			 ERR_OK);
	struct numset went = do_expunge(&site, m);
	numset_done(&went);
	mailbox_unref(m);
	site_quiet(&site);
}

static void what_others_say_is_made_anew(void **state)
{
	static void (*const damage[])(struct account *) = {
		account_counts, mailbox_counts,		holders_too_many,
		holders_lost,	holders_of_one,		summary,
		vanished,	held_and_to_be_dropped, body_of_nobody,
	};
	char name[20];
	for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
		unsigned findings;
		uint64_t mended;
		snprintf(name, sizeof name, "user%zu", i);
		struct account *a = site_account(&site, name);
		fill(a);
		assert_int_equal(check(&findings), ERR_OK);
		damage[i](a);
		assert_int_equal(check(&findings), ERR_CORRUPT);
		findings = 0;
		assert_int_equal(store_repair(site.store, count, &findings, &mended),
				 ERR_OK);
		assert_true(mended > 0 && findings == mended);
		assert_int_equal(check(&findings), ERR_OK);
		assert_int_equal(store_repair(site.store, NULL, NULL, &mended), ERR_OK);
		assert_int_equal(mended, 0);
		account_unref(a);
	}
}

static void what_is_lost_is_told_and_nothing_else_is_touched(void **state)
{
	unsigned findings;
	uint64_t mended;
	struct account *a = site_account(&site, "user");
	fill(a);
	put_row(a, key_in_mailbox(KEY_CHUNK, number_of(a, "INBOX"), 1), SPAN("nonsense"));
	assert_int_equal(store_repair(site.store, NULL, NULL, &mended), ERR_OK);
	assert_int_equal(check(&findings), ERR_CORRUPT);
	/* what the other mailbox shares is still held twice */
	struct mailbox *m = do_open(&site, a, "Work");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 9);
	struct buf row = get_row(a, key_body(KEY_HOLDERS, view_get(v, 1).info->body));
	assert_true(span_eq(buf_span(&row), SPAN("\1\0\0\0\2")));
	buf_done(&row);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_others_say_is_made_anew),
		T(what_is_lost_is_told_and_nothing_else_is_touched),
	};
	return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
