/* Digests give what the summaries say, and go with the messages (store/digest.h). */
#include <stdio.h>

#include "store/change.h"
#include "store/digest.h"
#include "testloop.h"

enum { MANY = 600 };

static struct site site;
static struct account *a;
static struct mailbox *m;

/* Some without date, one long field, one header that is not kept whole, a message inside
 * another one that clients of IMAP4rev1 are shown in another way. */
static void put_text(unsigned i, struct buf *to)
{
	if (i % 7)
		buf_printf(to, "Date: %u Oct 2026 10:00:00 +0200\r\n", 1 + i % 28);
	buf_printf(to, "From: \"F %u\" <f%u@example.org>\r\nTo: all@example.org\r\n", i,
		   i);
	buf_printf(to, "Subject: number %u%s\r\nX-Odd: %u\r\nMessage-ID: <%u@x>\r\n", i,
		   i % 5 ? "" : "\r\n folded", i, i);
	if (i == 40)
		for (unsigned k = 0; k < 900; k++)
			buf_printf(to, "References: <%u.............@x>\r\n", k);
	if (i == 41) {
		buf_puts(to, "Subject: ");
		for (unsigned k = 0; k < 900; k++)
			buf_puts(to, "a long one ");
		buf_puts(to, "\r\n");
	}
	if (i % 50 == 42)
		buf_puts(to, "Content-Type: message/global\r\n\r\nSubject: inside\r\n");
	buf_printf(to, "\r\nBody of %u\r\n", i);
}

static void append(unsigned i)
{
	struct buf text = { 0 };
	put_text(i, &text);
	do_append(&site, a, "INBOX", buf_span(&text), 0, NULL);
	buf_done(&text);
}

static int setup(void **state)
{
	site_init(&site);
	a = site_account(&site, "alice");
	for (unsigned i = 0; i < MANY; i++)
		append(i);
	m = do_open(&site, a, "INBOX");
	return 0;
}

static int teardown(void **state)
{
	mailbox_unref(m);
	account_unref(a);
	site_done(&site);
	return 0;
}

/* ---- rows ---- */

struct count {
	size_t n, per_column[DIGEST_COLUMNS];
};

static bool count_row(void *arg, struct span key, struct span value)
{
	struct count *c = arg;
	uint32_t mailbox, chunk;
	unsigned column;
	struct digest d;
	assert_true(key_read_digest(key, &mailbox, &column, &chunk));
	assert_int_equal(digest_read(value, &d), ERR_OK);
	c->n++;
	c->per_column[column]++;
	return true;
}

static enum err count_plan(void *arg, struct txn *t)
{
	struct key lo = { .n = 1, .b = { KEY_DIGEST } }, hi = key_kind_end(KEY_DIGEST);
	return txn_scan(t, key_span(&lo), key_span(&hi), count_row, arg);
}

static struct count count_rows(void)
{
	struct count c = { 0 };
	site_quiet(&site);
	assert_int_equal(engine_read_now(site.store->engine, a->id, count_plan, &c),
			 ERR_OK);
	return c;
}

/* ---- gathering ---- */

static struct gathered get(struct want want, bool is_located, uint32_t from, size_t n)
{
	struct view *v = mailbox_view_now(m);
	struct body_id *ids = xcalloc(n, sizeof *ids);
	uint32_t *uids = xcalloc(n, sizeof *uids);
	struct gathered g;
	for (size_t i = 0; i < n; i++) {
		struct view_msg msg = view_get(v, from + (uint32_t)i);
		ids[i] = msg.info->body;
		uids[i] = msg.uid;
	}
	want.mailbox = is_located ? mailbox_number_of(m) : 0;
	want.uids = uids;
	assert_int_equal(do_gather(&site, a, ids, n, &want, &g), ERR_OK);
	site_quiet(&site);
	free(ids);
	free(uids);
	view_unref(v);
	return g;
}

static void same(const struct gathered *x, const struct gathered *y)
{
	assert_int_equal(x->n, y->n);
	for (size_t i = 0; i < x->n; i++) {
		const struct gathered_message *p = &x->at[i], *q = &y->at[i];
		assert_int_equal(p->has_summary, q->has_summary);
		assert_int_equal(p->has_fields, q->has_fields);
		assert_true(span_eq(p->bytes, q->bytes));
		assert_true(span_eq(p->summary.envelope, q->summary.envelope));
		assert_true(span_eq(p->summary.structure, q->summary.structure));
		assert_true(
		    span_eq(p->summary.structure_rev1, q->summary.structure_rev1));
		assert_true(span_eq(p->summary.header, q->summary.header));
		assert_int_equal(p->summary.header_kind, q->summary.header_kind);
	}
}

static void same_dates(const struct gathered *x, const struct gathered *y)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct summary *p = &x->at[i].summary, *q = &y->at[i].summary;
		assert_int_equal(p->has_date, q->has_date);
		assert_int_equal(p->sent_utc, q->sent_utc);
		assert_int_equal(p->sent_day, q->sent_day);
	}
}

/* Asked of the summaries, while digests are made, and of the digests. */
static void ask(struct want want, bool has_dates)
{
	uint32_t n = view_count(m->published);
	struct gathered plain = get(want, false, 1, n);
	for (unsigned i = 0; i < 3; i++) {
		struct gathered again = get(want, true, 1, n);
		same(&plain, &again);
		if (has_dates)
			same_dates(&plain, &again);
		gathered_done(&again);
	}
	gathered_done(&plain);
}

static void ask_all(void)
{
	const struct span some[] = { SPAN("subject"), SPAN("FROM") };
	const struct span thread[] = { SPAN("References"), SPAN("Subject") };
	const struct span odd[] = { SPAN("X-Odd") };
	ask((struct want){ .what = WANT_SUMMARY | WANT_ENVELOPE }, false);
	ask((struct want){ .what = WANT_SUMMARY | WANT_STRUCTURE }, false);
	ask((struct want){ .what = WANT_SUMMARY | WANT_ENVELOPE | WANT_STRUCTURE |
				   WANT_BYTES },
	    false);
	ask((struct want){ .what = WANT_SUMMARY }, true);
	ask((struct want){ .what = WANT_SUMMARY | WANT_HEADER,
			   .names = some,
			   .n_names = 2 },
	    true);
	ask((struct want){ .what = WANT_SUMMARY | WANT_HEADER,
			   .names = thread,
			   .n_names = 2 },
	    true);
	ask((struct want){ .what = WANT_SUMMARY | WANT_HEADER,
			   .names = odd,
			   .n_names = 1 },
	    true);
	ask((struct want){ .what = WANT_SUMMARY | WANT_HEADER,
			   .names = some,
			   .n_names = 2,
			   .is_not = true },
	    true);
	ask((struct want){ .what = WANT_SUMMARY | WANT_HEADER }, true);
}

static void they_say_what_the_summaries_say(void **state)
{
	assert_int_equal(count_rows().n, 0);
	ask_all();
	struct count c = count_rows();
	for (unsigned i = 0; i < DIGEST_COLUMNS; i++)
		assert_int_equal(c.per_column[i], MANY / CHUNK_UIDS + 1);
}

static void few_messages_leave_them_alone(void **state)
{
	struct count before = count_rows();
	struct want want = { .what = WANT_SUMMARY | WANT_ENVELOPE };
	for (unsigned i = 0; i < 4; i++)
		append(MANY + i);
	struct gathered g = get(want, true, MANY + 1, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_true(g.at[i].summary.envelope.n > 0);
	gathered_done(&g);
	g = get(want, true, 100, 1);
	assert_true(g.at[0].summary.envelope.n > 0);
	gathered_done(&g);
	assert_int_equal(count_rows().n, before.n);
	ask_all();
}

static void new_messages_are_added_to_what_is_known(void **state)
{
	for (unsigned i = 4; i < 40; i++)
		append(MANY + i);
	ask_all();
}

static void put_row(struct key k, struct span value);

static void ignore(void *arg, const char *sentence)
{
}

static void damaged_ones_are_passed_over_and_mended(void **state)
{
	struct key k = key_digest(mailbox_number_of(m), DIGEST_ENVELOPE, 1);
	uint64_t mended, accounts, messages;
	ask_all();
	put_row(k, SPAN("\1\377\377\377"));
	ask((struct want){ .what = WANT_SUMMARY | WANT_ENVELOPE }, false);
	site_check(&site); /* it was written anew */
	put_row(k, SPAN("\1\377\377\377"));
	assert_int_equal(store_check(site.store, ignore, NULL, &accounts, &messages),
			 ERR_CORRUPT);
	assert_int_equal(store_repair(site.store, ignore, NULL, &mended), ERR_OK);
	assert_int_equal(mended, 1);
	site_check(&site);
	ask_all();
}

static void they_go_with_their_messages(void **state)
{
	ask_all();
	size_t before = count_rows().n;
	assert_int_equal(do_flag(&site, m, "256:511", FLAGS_ADD, FLAG_DELETED, NULL),
			 ERR_OK);
	struct numset went = do_expunge(&site, m);
	numset_done(&went);
	assert_int_equal(count_rows().n, before - DIGEST_COLUMNS);
	site_check(&site);
	ask_all();

	struct done d = { 0 };
	assert_int_equal(do_copy(&site, m, "1:1000", "Else", true, &d), ERR_NOENT);
	done_clear(&d);
	assert_int_equal(do_create(&site, a, "Else", 0), ERR_OK);
	assert_int_equal(do_copy(&site, m, "1:1000", "Else", true, &d), ERR_OK);
	done_clear(&d);
	assert_int_equal(count_rows().n, 0);
	mailbox_unref(m);
	m = do_open(&site, a, "Else");
	ask_all();
	assert_int_not_equal(count_rows().n, 0);
	mailbox_unref(m);
	assert_int_equal(do_delete(&site, a, "Else"), ERR_OK);
	site_quiet(&site);
	assert_int_equal(count_rows().n, 0);
	m = do_open(&site, a, "INBOX");
	site_check(&site);
}

/* ---- a row, as it stands ---- */

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
	txn_put(t, p->key, p->value);
	return ERR_OK;
}

static void put_row(struct key k, struct span value)
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
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(they_say_what_the_summaries_say),
		T(few_messages_leave_them_alone),
		T(new_messages_are_added_to_what_is_known),
		T(damaged_ones_are_passed_over_and_mended),
		T(they_go_with_their_messages),
	};
	return cmocka_run_group_tests_name("digest", tests, setup, teardown);
}
