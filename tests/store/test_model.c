/*
 * Random operations of two sessions against a naive model: what views hold, what their
 * differences tell, and that a message a view shows can be read. Seeded; a seed of one's
 * own is the second argument.
 */
#include <stdio.h>

#include "store/account.h"
#include "testloop.h"

enum { N_BOXES = 3, N_KEYWORDS = 70, MAX_MESSAGES = 4000, N_SYSTEM = 5 };

struct msg {
	uint32_t uid, text; /* the body is "text <number>" */
	uint64_t system;
	uint8_t keyword[N_KEYWORDS];
	uint64_t modseq; /* as the store last told */
};

struct box {
	struct msg at[MAX_MESSAGES];
	size_t n;
	uint32_t uidnext;
};

/* What a client knows of its mailbox, from differences alone. */
struct client {
	struct mailbox *m;
	struct view *v;
	struct box knows;
};

struct model {
	struct site site;
	struct account *a;
	struct box box[N_BOXES];
	struct client client[2][N_BOXES];
	uint64_t rng;
	uint32_t texts;
};

static const char *const path[N_BOXES] = { "INBOX", "Work", "Work/old" };
static unsigned long seed = 1;
static int steps = 800;

static struct msg *find(struct box *b, uint32_t uid)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->at[i].uid == uid)
			return &b->at[i];
	return NULL;
}

static void take_out(struct box *b, struct msg *m)
{
	size_t i = (size_t)(m - b->at);
	memmove(m, m + 1, (b->n - i - 1) * sizeof *m);
	b->n--;
}

static bool has_keyword(const struct view *v, uint32_t seq, unsigned k)
{
	char name[16];
	snprintf(name, sizeof name, "K%u", k);
	int number = view_find_keyword(v, span_str(name));
	return number >= 0 && view_has_keyword(v, seq, (size_t)number);
}

/* ---- what is told ---- */

static void told_expunged(void *arg, uint32_t old_seq, uint32_t uid)
{
	struct client *c = arg;
	struct msg *m = find(&c->knows, uid);
	assert_non_null(m);
	assert_int_equal(view_get(c->v, old_seq).uid, uid);
	take_out(&c->knows, m);
}

struct told {
	struct client *c;
	const struct view *now;
	uint32_t last;
};

static void told_changed(void *arg, uint32_t new_seq, const struct view_msg *old,
			 const struct view_msg *now, bool flags_differ)
{
	struct told *t = arg;
	assert_true(new_seq > t->last);
	t->last = new_seq;
	assert_int_equal(old->uid, now->uid);
	struct msg *m = find(&t->c->knows, now->uid);
	assert_non_null(m);
	assert_true(now->modseq > m->modseq);
	bool differ = m->system != (now->flags & 0xff);
	m->modseq = now->modseq;
	m->system = now->flags & 0xff;
	for (unsigned k = 0; k < N_KEYWORDS; k++) {
		uint8_t has = has_keyword(t->now, new_seq, k);
		differ |= has != m->keyword[k];
		m->keyword[k] = has;
	}
	assert_true(differ == flags_differ);
}

static void learn_new(struct client *c, const struct view *now)
{
	uint32_t from = c->v ? view_uidnext(c->v) : 1;
	uint32_t seq = view_seq_from(now, from);
	for (; seq > 0 && seq <= view_count(now); seq++) {
		struct view_msg is = view_get(now, seq);
		struct msg *m = &c->knows.at[c->knows.n++];
		*m = (struct msg){ .uid = is.uid,
				   .system = is.flags & 0xff,
				   .modseq = is.modseq };
		for (unsigned k = 0; k < N_KEYWORDS; k++)
			m->keyword[k] = has_keyword(now, seq, k);
	}
}

static void check_matches(const struct view *v, uint64_t mask, uint64_t value)
{
	struct numset uids = { 0 }, seqs = { 0 }, found_uids = { 0 }, found_seqs = { 0 };

	for (uint32_t i = 1; i <= view_count(v); i++) {
		struct view_msg m = view_get(v, i);

		if ((m.flags & mask) != value)
			continue;
		numset_add(&uids, m.uid);
		numset_add(&seqs, i);
	}
	view_match_flags(v, mask, value, &found_uids);
	assert_true(numset_equal(&found_uids, &uids));
	view_numbers(v, &found_uids, &found_seqs);
	assert_true(numset_equal(&found_seqs, &seqs));
	numset_done(&uids);
	numset_done(&seqs);
	numset_done(&found_uids);
	numset_done(&found_seqs);
}

/* The client walks to the newest view, and then knows what the model has. */
static void poll_client(struct model *t, struct client *c, struct box *b)
{
	struct view *now = mailbox_view_now(c->m);
	if (c->v) {
		struct told told = { .c = c, .now = now };
		view_diff(c->v, now,
			  &(struct view_diff){ .expunged = told_expunged, .arg = c });
		view_diff(c->v, now,
			  &(struct view_diff){ .changed = told_changed, .arg = &told });
	}
	learn_new(c, now);
	view_unref(c->v);
	c->v = now;

	assert_int_equal(view_count(now), b->n);
	assert_int_equal(view_uidnext(now), b->uidnext);
	assert_int_equal(c->knows.n, b->n);
	uint32_t unseen = 0, deleted = 0;
	struct view_msg walk[7];
	size_t have = 0, at = 0;
	for (size_t i = 0; i < b->n; i++) {
		const struct msg *m = &b->at[i], *k = &c->knows.at[i];
		if (at == have) {
			have = view_walk(now, (uint32_t)i + 1, walk, 7);
			at = 0;
		}
		assert_int_equal(walk[at].uid, m->uid);
		assert_int_equal(walk[at++].flags & 0xff, m->system);
		assert_int_equal(view_seq(now, m->uid), i + 1);
		assert_int_equal(k->uid, m->uid);
		assert_int_equal(k->system, m->system);
		assert_memory_equal(k->keyword, m->keyword, N_KEYWORDS);
		unseen += !(m->system & FLAG_SEEN);
		deleted += !!(m->system & FLAG_DELETED);
	}
	assert_int_equal(view_unseen(now), unseen);
	assert_int_equal(view_deleted(now), deleted);
	check_matches(now, FLAG_SEEN, 0);
	check_matches(now, FLAG_SEEN | FLAG_FLAGGED, FLAG_SEEN);
	check_matches(now, FLAG_DELETED, FLAG_DELETED);
	check_matches(now, 0, 0);
}

/* ---- operations ---- */

static void random_uids(struct model *t, const struct box *b, struct numset *to)
{
	uint32_t n = 1 + rnd(&t->rng, 4);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t lo = 1 + rnd(&t->rng, b->uidnext + 3);
		numset_add_range(to, lo, lo + rnd(&t->rng, rnd(&t->rng, 5) ? 5 : 300));
	}
}

static struct mailbox *handle(struct model *t, unsigned b)
{
	return t->client[rnd(&t->rng, 2)][b].m;
}

static void random_append(struct model *t, unsigned k)
{
	struct box *b = &t->box[k];
	uint32_t n = rnd(&t->rng, 12) ? 1 + rnd(&t->rng, 3) : 200;
	struct append_item items[200] = { 0 };
	char name[200][8];
	struct span keyword[200];
	if (b->n + n > MAX_MESSAGES / 2)
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct msg *m = &b->at[b->n++];
		*m = (struct msg){ .uid = b->uidnext++,
				   .text = ++t->texts,
				   .system = rnd(&t->rng, 1 << N_SYSTEM) };
		char text[32];
		snprintf(text, sizeof text, "text %u", m->text);
		items[i].body = incoming_new(t->a, &t->site.loop.executor, NULL, NULL);
		incoming_feed(items[i].body, span_str(text));
		items[i].flags.system = m->system;
		if (rnd(&t->rng, 3) == 0) {
			unsigned kw = rnd(&t->rng, N_KEYWORDS);
			m->keyword[kw] = 1;
			snprintf(name[i], sizeof name[i], "k%u", kw);
			keyword[i] = span_str(name[i]);
			items[i].flags.keyword = &keyword[i];
			items[i].flags.n_keyword = 1;
		}
	}
	struct done d = { 0 };
	messages_append(t->a, span_str(path[k]), items, n, done_to(&t->site.loop, &d));
	assert_int_equal(done_wait(&t->site.loop, &d), ERR_OK);
	assert_int_equal(numset_count(&d.target), n);
	assert_int_equal(numset_max(&d.target) + 1, b->uidnext);
	done_clear(&d);
}

static void random_flag(struct model *t, unsigned k)
{
	struct box *b = &t->box[k];
	struct numset uids = { 0 };
	random_uids(t, b, &uids);
	enum flag_change how = rnd(&t->rng, 3);
	unsigned kw[3];
	char name[3][8];
	struct span keyword[3];
	struct flag_names f = { .system = rnd(&t->rng, 1 << N_SYSTEM),
				.keyword = keyword };
	f.n_keyword = rnd(&t->rng, 4);
	for (size_t i = 0; i < f.n_keyword; i++) {
		kw[i] = rnd(&t->rng, N_KEYWORDS);
		snprintf(name[i], sizeof name[i], "K%u", kw[i]);
		keyword[i] = span_str(name[i]);
	}
	struct done d = { 0 };
	messages_flag(handle(t, k), &uids, how, &f, UINT64_MAX,
		      done_to(&t->site.loop, &d));
	assert_int_equal(done_wait(&t->site.loop, &d), ERR_OK);
	done_clear(&d);
	for (size_t i = 0; i < b->n; i++) {
		struct msg *m = &b->at[i];
		if (!numset_has(&uids, m->uid))
			continue;
		if (how == FLAGS_SET) {
			m->system = f.system;
			memset(m->keyword, 0, sizeof m->keyword);
		} else if (how == FLAGS_ADD) {
			m->system |= f.system;
		} else {
			m->system &= ~f.system;
		}
		for (size_t j = 0; j < f.n_keyword; j++)
			m->keyword[kw[j]] = how != FLAGS_REMOVE;
	}
	numset_done(&uids);
}

static void random_expunge(struct model *t, unsigned k)
{
	struct box *b = &t->box[k];
	struct numset uids = { 0 }, went = { 0 };
	bool some = rnd(&t->rng, 2);
	random_uids(t, b, &uids);
	struct done d = { 0 };
	messages_expunge(handle(t, k), some ? &uids : NULL, done_to(&t->site.loop, &d));
	assert_int_equal(done_wait(&t->site.loop, &d), ERR_OK);
	for (size_t i = 0; i < b->n;) {
		struct msg *m = &b->at[i];
		if (m->system & FLAG_DELETED && (!some || numset_has(&uids, m->uid))) {
			numset_add(&went, m->uid);
			take_out(b, m);
		} else {
			i++;
		}
	}
	assert_true(numset_equal(&went, &d.source));
	done_clear(&d);
	numset_done(&uids);
	numset_done(&went);
}

static void random_copy(struct model *t, unsigned k, bool move)
{
	struct box *from = &t->box[k];
	unsigned to_k = rnd(&t->rng, N_BOXES);
	struct box *to = &t->box[to_k];
	struct numset uids = { 0 };
	struct done d = { 0 };
	random_uids(t, from, &uids);
	if (to->n + numset_count(&uids) > MAX_MESSAGES / 2)
		move = true;
	if (to->n + numset_count(&uids) > MAX_MESSAGES - 10) {
		numset_done(&uids);
		return;
	}
	messages_copy(handle(t, k), &uids, span_str(path[to_k]), move,
		      done_to(&t->site.loop, &d));
	assert_int_equal(done_wait(&t->site.loop, &d), ERR_OK);
	struct numset_iter a = numset_iter(&d.source), b = numset_iter(&d.target);
	uint32_t was, is;
	size_t n = 0, had = from->n;
	for (size_t i = 0; i < had; i++) {
		if (!numset_has(&uids, from->at[i].uid))
			continue;
		assert_true(numset_next(&a, &was) && numset_next(&b, &is));
		assert_int_equal(was, from->at[i].uid);
		assert_int_equal(is, to->uidnext);
		struct msg m = from->at[i];
		m.uid = to->uidnext++;
		to->at[to->n++] = m;
		n++;
	}
	assert_int_equal(numset_count(&d.target), n);
	for (size_t i = 0; move && i < had && n > 0;) {
		if (numset_has(&d.source, from->at[i].uid)) {
			take_out(from, &from->at[i]);
			had--;
		} else {
			i++;
		}
	}
	done_clear(&d);
	numset_done(&uids);
}

/* Any message that a client's view shows can be read, however long it is gone. */
static void random_read(struct model *t, unsigned k)
{
	struct client *c = &t->client[rnd(&t->rng, 2)][k];
	if (!c->v || view_count(c->v) == 0)
		return;
	struct view_msg m = view_get(c->v, 1 + rnd(&t->rng, view_count(c->v)));
	struct buf b = { 0 };
	assert_int_equal(do_read(&t->site, t->a, m.info->body, &b), ERR_OK);
	assert_int_equal(b.n, m.info->bytes);
	assert_true(span_starts(buf_span(&b), SPAN("text ")));
	const struct msg *model = find(&t->box[k], m.uid);
	char text[32];
	snprintf(text, sizeof text, "text %u", model ? model->text : 0);
	if (model)
		assert_true(span_eq(buf_span(&b), span_str(text)));
	buf_done(&b);
}

static void client_close(struct client *c)
{
	view_unref(c->v);
	mailbox_unref(c->m);
	*c = (struct client){ 0 };
}

static void client_open(struct model *t, unsigned who, unsigned k)
{
	t->client[who][k].m = do_open(&t->site, t->a, path[k]);
	assert_non_null(t->client[who][k].m);
}

static void reopen(struct model *t, bool close_site)
{
	unsigned who = rnd(&t->rng, 2), k = rnd(&t->rng, N_BOXES);
	if (!close_site) {
		client_close(&t->client[who][k]);
		client_open(t, who, k);
		return;
	}
	for (who = 0; who < 2; who++)
		for (k = 0; k < N_BOXES; k++)
			client_close(&t->client[who][k]);
	account_unref(t->a);
	site_quiet(&t->site);
	site_close(&t->site);
	site_open(&t->site);
	t->a = site_account(&t->site, "alice");
	for (who = 0; who < 2; who++)
		for (k = 0; k < N_BOXES; k++)
			client_open(t, who, k);
}

static void step(struct model *t)
{
	unsigned k = rnd(&t->rng, N_BOXES);
	if (rnd(&t->rng, 25) == 0) /* as if a commit had failed */
		atomic_store(&t->a->drop_head, true);
	switch (rnd(&t->rng, 12)) {
	case 0:
	case 1: random_append(t, k); break;
	case 2:
	case 3:
	case 4: random_flag(t, k); break;
	case 5: random_expunge(t, k); break;
	case 6: random_copy(t, k, false); break;
	case 7: random_copy(t, k, true); break;
	case 8: random_read(t, k); break;
	case 9: reopen(t, rnd(&t->rng, 12) == 0 && site_is_lasting()); break;
	default: poll_client(t, &t->client[rnd(&t->rng, 2)][k], &t->box[k]); break;
	}
}

static void run(unsigned flags)
{
	struct model *t = calloc(1, sizeof *t);
	t->rng = seed * 7919;
	site_init(&t->site);
	site_close(&t->site);
	t->site.flags = flags;
	site_open(&t->site);
	t->a = site_account(&t->site, "alice");
	for (unsigned k = 0; k < N_BOXES; k++) {
		t->box[k].uidnext = 1;
		if (k > 0)
			assert_int_equal(do_create(&t->site, t->a, path[k], 0), ERR_OK);
		client_open(t, 0, k);
		client_open(t, 1, k);
	}
	for (int i = 0; i < steps; i++) {
		step(t);
		if (i % 200 == 0)
			site_check(&t->site);
	}
	for (unsigned who = 0; who < 2; who++)
		for (unsigned k = 0; k < N_BOXES; k++) {
			poll_client(t, &t->client[who][k], &t->box[k]);
			client_close(&t->client[who][k]);
		}
	account_unref(t->a);
	site_done(&t->site);
	free(t);
}

static void sessions_learn_what_the_model_has(void **state)
{
	run(0);
}

static void plans_that_run_twice_change_once(void **state)
{
	run(ENGINE_REPLAY);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
	if (argc > 2)
		seed = strtoul(argv[2], NULL, 10);
	if (argc > 3)
		steps = atoi(argv[3]);
	print_message("seed %lu\n", seed);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_learn_what_the_model_has),
		cmocka_unit_test(plans_that_run_twice_change_once),
	};
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
