/*
 * An account with damaged rows: the fuzzer changes, takes out and puts in rows of an
 * account with a few mailboxes, and then it is used, checked, repaired and checked again.
 *
 * What must hold: every operation answers and none steps outside; what `check` calls
 * whole can be used without ERR_CORRUPT; a repair ends.
 *
 * The input is a list of changes: which row, how, and the bytes (see change_rows).
 */
#include "../tests/store/testloop.h"

#include "fuzz_wire.h"
#include "store/change.h"

enum { ROWS = 200 };

struct rows {
	struct buf key[ROWS], value[ROWS];
	size_t n;
};

static struct site site;
static struct rows rows; /* of an account that is whole */

/* ---- the account that all begin with ---- */

static bool keep_row(void *arg, struct span key, struct span value)
{
	buf_put(&rows.key[rows.n], key);
	buf_put(&rows.value[rows.n++], value);
	return rows.n < ROWS;
}

static enum err read_rows(void *arg, struct txn *t)
{
	return txn_scan(t, SPAN("a"), SPAN("z"), keep_row, arg);
}

static void fill(struct account *a)
{
	struct done d = { 0 };
	char many[700] = "";
	struct mailbox *m;

	do_append_many(&site, a, "INBOX", 12);
	do_create(&site, a, "Work/old", 0);
	do_subscribe(&site, a, "Gone/away", true);
	m = do_open(&site, a, "INBOX");
	for (unsigned i = 0; i < 60; i++)
		snprintf(many + strlen(many), 16, "k%u ", i);
	do_flag(&site, m, "3:5", FLAGS_ADD, FLAG_SEEN, many);
	do_copy(&site, m, "2:4", "Work/old", false, &d);
	done_clear(&d);
	do_flag(&site, m, "11:12", FLAGS_ADD, FLAG_DELETED, NULL);
	struct view *v = mailbox_view_now(m);
	struct numset went = do_expunge(&site, m);
	numset_done(&went);
	view_unref(v);
	mailbox_unref(m);
}

static void open_store(void)
{
	site.flags = ENGINE_REPAIR;
	site_open(&site);
}

static void first_time(void)
{
	struct account *a;

	site.kind = "mem";
	site.workers = workers_new(1);
	testloop_init(&site.loop);
	open_store();
	a = site_account(&site, "alice");
	fill(a);
	struct account_id id = a->id;
	account_unref(a);
	site_quiet(&site);
	store_evict(site.store, 0);
	MUST(engine_read_now(site.store->engine, id, read_rows, NULL) == ERR_OK);
	store_close(site.store);
}

/* ---- a damaged one ---- */

struct put_op {
	struct engine_op e;
	struct span changes;
};

/*
 * Each change: a byte that chooses the row, one that says how, one that says how many
 * bytes follow, and these. How: 0 the value is these bytes, 1 they are laid over it at
 * an offset (the first of them), 2 the row goes, 3 the value is cut, 4 a row of that
 * key kind is put in whose key has the rest of the bytes.
 */
static void change_row(struct txn *t, size_t i, uint8_t how, struct span bytes)
{
	struct buf value = { 0 }, key = { 0 };
	size_t at = bytes.n ? (uint8_t)bytes.p[0] : 0;

	buf_put(&value, buf_span(&rows.value[i]));
	buf_put(&key, buf_span(&rows.key[i]));
	switch (how % 5) {
	case 0:
		buf_clear(&value);
		buf_put(&value, bytes);
		break;
	case 1:
		for (size_t k = 1; k < bytes.n && at + k - 1 < value.n; k++)
			value.p[value.off + at + k - 1] ^= bytes.p[k];
		break;
	case 3: buf_truncate(&value, at < value.n ? at : value.n); break;
	case 4:
		buf_truncate(&key, 1);
		buf_put(&key, bytes);
		break;
	default: break;
	}
	if (how % 5 == 2)
		txn_delete(t, buf_span(&key));
	else
		txn_put(t, buf_span(&key), buf_span(&value));
	buf_done(&value);
	buf_done(&key);
}

static enum err plan(struct engine_op *e, struct txn *t)
{
	struct span s = TASK_OWNER(e, struct put_op, e)->changes;

	for (size_t i = 0; i < rows.n; i++)
		txn_put(t, buf_span(&rows.key[i]), buf_span(&rows.value[i]));
	while (s.n >= 3) {
		size_t n = (uint8_t)s.p[2];
		struct span bytes = span_sub(s, 3, n);

		change_row(t, (uint8_t)s.p[0] % rows.n, (uint8_t)s.p[1], bytes);
		s = span_sub(s, 3 + bytes.n, s.n);
	}
	return ERR_OK;
}

static void put_done(struct op *op, void *owner)
{
	*(bool *)owner = true;
}

static void no_free(struct op *op)
{
}

static void put_rows(struct account_id id, struct span changes)
{
	bool is_done = false;
	struct put_op p = { .changes = changes };

	p.e.account = id;
	p.e.plan = plan;
	p.e.op.home = &site.loop.executor;
	p.e.op.done = put_done;
	p.e.op.owner = &is_done;
	p.e.op.free = no_free;
	engine_run(site.store->engine, &p.e);
	testloop_until(&site.loop, &is_done);
}

static void ignore(void *arg, const char *sentence)
{
	MUST(strlen(sentence) > 0);
	++*(int *)arg;
}

static bool check(void)
{
	int findings = 0;
	uint64_t accounts, messages;
	enum err rc = store_check(site.store, ignore, &findings, &accounts, &messages);

	MUST(rc == ERR_OK || rc == ERR_CORRUPT);
	MUST((rc == ERR_CORRUPT) == (findings > 0));
	return rc == ERR_OK;
}

static void use_mailbox(struct account *a, const char *path)
{
	struct mailbox *m = do_open(&site, a, path);
	struct done d = { 0 };

	do_append(&site, a, path, SPAN("Subject: x\r\n\r\nnew"), 0, "k3 kx");
	if (!m)
		return;
	struct view *v = mailbox_view_now(m);
	for (uint32_t i = 1; i <= view_count(v); i++) {
		struct view_msg msg = view_get(v, i);

		MUST(view_seq(v, msg.uid) == i);
		for (size_t k = 0; k < view_keywords(v); k++)
			view_has_keyword(v, i, k);
	}
	if (view_count(v)) {
		struct want want = { .what = WANT_SUMMARY | WANT_HEADER };
		struct gathered g;
		struct body_id id = view_get(v, 1).info->body;

		if (do_gather(&site, a, &id, 1, &want, &g) == ERR_OK)
			gathered_done(&g);
	}
	view_unref(v);
	do_flag(&site, m, "1:8", FLAGS_SET, FLAG_DELETED, "k1 k59 other");
	do_copy(&site, m, "5:6", "Work", false, &d);
	done_clear(&d);
	messages_expunge(m, NULL, done_to(&site.loop, &d));
	done_wait(&site.loop, &d);
	done_clear(&d);
	mailbox_unref(m);
}

static void use(void)
{
	struct done d = { 0 };

	store_account_open(site.store, SPAN("alice"), false, done_to(&site.loop, &d));
	if (done_wait(&site.loop, &d) == ERR_OK) {
		struct account *a = d.account;

		use_mailbox(a, "INBOX");
		use_mailbox(a, "Work/old");
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

/* Its thousands of features a run make the entropic schedule cost more than the run. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char **more = xcalloc((size_t)*argc + 3, sizeof *more);

	memcpy(more, *argv, (size_t)*argc * sizeof *more);
	more[(*argc)++] = xstrdup("-entropic=0");
	more[(*argc)++] = xstrdup("-detect_leaks=0");
	*argv = more;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t mended;
	int said = 0;
	struct account *a;

	if (size < 4)
		return 0;
	if (!rows.n)
		first_time();
	open_store();
	a = site_account(&site, "alice");
	struct account_id id = a->id;
	account_unref(a);
	site_quiet(&site);
	store_evict(site.store, 0);
	put_rows(id, span_of(data + 1, size - 1));
	if (data[0] & 1)
		check();
	if (data[0] & 2)
		use();
	store_repair(site.store, ignore, &said, &mended);
	check();
	if (data[0] & 4)
		use();
	store_close(site.store);
	testloop_drain(&site.loop);
	return 0;
}
