/* Damaged rows: no step outside, ERR_CORRUPT for who needs them, a finding of
 * store_check. */
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

static void fill(struct account *a)
{
	do_append_many(&site, a, "INBOX", 40);
	assert_int_equal(do_create(&site, a, "Work/old", 0), ERR_OK);
	assert_int_equal(do_subscribe(&site, a, "Gone/away", true), ERR_OK);
	struct mailbox *m = do_open(&site, a, "INBOX");
	char many[600] = "";
	for (unsigned i = 0; i < 60; i++)
		snprintf(many + strlen(many), 16, "k%u ", i % 1000);
	assert_int_equal(do_flag(&site, m, "3:9", FLAGS_ADD, FLAG_SEEN, many), ERR_OK);
	struct done d = { 0 };
	assert_int_equal(do_copy(&site, m, "2:20", "Work/old", false, &d), ERR_OK);
	done_clear(&d);
	assert_int_equal(do_flag(&site, m, "11:12", FLAGS_ADD, FLAG_DELETED, NULL),
			 ERR_OK);
	struct view *v = mailbox_view_now(m);
	struct numset went = do_expunge(&site, m);
	numset_done(&went);
	view_unref(v);
	mailbox_unref(m);
}

/* Every row of the account, in order. */
struct rows {
	struct buf key[400], value[400];
	size_t n;
};

static bool keep_row(void *arg, struct span key, struct span value)
{
	struct rows *r = arg;
	buf_put(&r->key[r->n], key);
	buf_put(&r->value[r->n++], value);
	return r->n < 400;
}

static enum err read_rows(void *arg, struct txn *t)
{
	return txn_scan(t, SPAN("a"), SPAN("z"), keep_row, arg);
}

static void rows_done(struct rows *r)
{
	for (size_t i = 0; i < 400; i++) {
		buf_done(&r->key[i]);
		buf_done(&r->value[i]);
	}
	free(r);
}

/* One row put as it is given; NULL value: deleted. */
struct put_op {
	struct store_op o;
	struct span key, value;
};

static enum err put_plan(struct store_op *o, struct change *c)
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

static void put_row(struct account *a, struct span key, struct span value)
{
	struct done d = { 0 };
	struct put_op *p = op_new(sizeof *p, site.store, a, done_to(&site.loop, &d));
	p->o.plan = put_plan;
	p->o.e.plan = raw_plan;
	p->key = key;
	p->value = value;
	op_start(&p->o);
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
}

static void ignore_finding(void *arg, const char *sentence)
{
	++*(int *)arg;
}

static void try_mailbox(struct account *a, const char *path)
{
	struct mailbox *m = do_open(&site, a, path);
	do_append(&site, a, path, SPAN("new"), 0, "k3 kx");
	if (!m)
		return;
	struct view *v = mailbox_view_now(m);
	for (uint32_t i = 1; i <= view_count(v); i++) {
		struct view_msg msg = view_get(v, i);
		for (size_t k = 0; k < view_keywords(v); k++)
			view_has_keyword(v, i, k);
		if (i % 9 == 0) {
			struct buf b = { 0 };
			do_read(&site, a, msg.info->body, &b);
			buf_done(&b);
		}
	}
	view_unref(v);
	do_flag(&site, m, "1:8", FLAGS_SET, FLAG_DELETED, "k1 k59 other");
	struct done d = { 0 };
	do_copy(&site, m, "5:6", "Work", false, &d);
	done_clear(&d);
	messages_expunge(m, NULL, done_to(&site.loop, &d));
	done_wait(&site.loop, &d);
	done_clear(&d);
	mailbox_unref(m);
}

/* Whatever it answers: it must answer, and not step outside. */
static void use_all(void)
{
	struct done d = { 0 };
	store_account_open(site.store, SPAN("alice"), false, done_to(&site.loop, &d));
	if (done_wait(&site.loop, &d) == ERR_OK) {
		struct account *a = d.account;
		try_mailbox(a, "INBOX");
		try_mailbox(a, "Work/old");
		do_rename(&site, a, "Work", "Fun");
		do_rename(&site, a, "INBOX", "Inbox2");
		do_subscribe(&site, a, "Gone/away", false);
		do_delete(&site, a, "Fun/old");
	}
	done_clear(&d);
	site_quiet(&site);
	testloop_drain(&site.loop);
	store_evict(site.store, 0);
}

static void damage(struct account_id id, struct span key, struct span value,
		   uint64_t *rng)
{
	struct account *a = account_get(site.store, id);
	char copy[8192];
	size_t n = value.n < sizeof copy ? value.n : sizeof copy;
	memcpy(copy, value.p, n);
	switch (rnd(rng, 4)) {
	case 0: put_row(a, key, SPAN_NONE); break;
	case 1: put_row(a, key, span_of(copy, rnd(rng, (uint32_t)n))); break;
	default:
		copy[rnd(rng, (uint32_t)n)] ^= (char)(1u << rnd(rng, 8));
		put_row(a, key, span_of(copy, n));
		break;
	}
	account_unref(a);
	store_evict(site.store, 0);
}

/* A store of its own for each damage, since using a damaged one may drop bodies. Returns
 * how many rows there are; `i` is the one that is damaged. */
static size_t try_damage(size_t i, uint64_t *rng, int *found)
{
	setup(NULL);
	struct account *a = site_account(&site, "alice");
	fill(a);
	struct account_id id = a->id;
	account_unref(a);
	site_check(&site);
	store_evict(site.store, 0);
	struct rows *rows = calloc(1, sizeof *rows);
	assert_int_equal(engine_read_now(site.store->engine, id, read_rows, rows),
			 ERR_OK);
	size_t n = rows->n;
	damage(id, buf_span(&rows->key[i]), buf_span(&rows->value[i]), rng);
	int findings = 0;
	uint64_t accounts, messages;
	enum err rc = store_check(site.store, ignore_finding, &findings, &accounts,
				  &messages);
	assert_true(rc == ERR_CORRUPT || rc == ERR_OK);
	assert_true((rc == ERR_CORRUPT) == (findings > 0));
	*found += rc == ERR_CORRUPT;
	use_all();
	rows_done(rows);
	teardown(NULL);
	return n;
}

static void damaged_rows_are_found_and_do_no_harm(void **state)
{
	uint64_t rng = 3;
	int found = 0, tries = 0;
	size_t n = 1,
	       step = site_is_lasting() ? 4 : 1; /* each opens a store of its own */
	for (size_t round = 0; round < 2; round++)
		for (size_t i = round; i < n; i += step, tries++)
			n = try_damage(i, &rng, &found);
	print_message("%d of %d damages found, %zu rows\n", found, tries, n);
	assert_true(found > tries / 2);
}

static void a_lost_summary_is_made_anew(void **state)
{
	struct account *a = site_account(&site, "alice");
	do_append(&site, a, "INBOX", SPAN("Subject: one\r\n\r\nHello\r\n"), 0, NULL);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	struct body_id id = view_get(v, 1).info->body;
	struct key k = key_body(KEY_SUMMARY, id);
	struct want want = { .what = WANT_SUMMARY | WANT_ENVELOPE | WANT_HEADER };
	struct gathered was, is;
	assert_int_equal(do_gather(&site, a, &id, 1, &want, &was), ERR_OK);
	assert_true(was.at[0].has_summary);
	for (int damaged = 0; damaged < 2; damaged++) {
		put_row(a, key_span(&k), damaged ? SPAN("nonsense") : SPAN_NONE);
		assert_int_equal(do_gather(&site, a, &id, 1, &want, &is), ERR_OK);
		assert_true(is.at[0].has_summary);
		assert_true(span_eq(buf_span(&was.bytes), buf_span(&is.bytes)));
		gathered_done(&is);
	}
	/* and it was put back */
	struct rows *rows = calloc(1, sizeof *rows);
	assert_int_equal(engine_read_now(site.store->engine, a->id, read_rows, rows),
			 ERR_OK);
	bool is_there = false;
	for (size_t i = 0; i < rows->n; i++)
		is_there |= span_eq(buf_span(&rows->key[i]), key_span(&k));
	assert_true(is_there);
	rows_done(rows);
	gathered_done(&was);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_rows_are_found_and_do_no_harm),
		T(a_lost_summary_is_made_anew),
	};
	return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
