/*
 * Writes without end until it is killed, and says what was acknowledged; or
 * looks at what is there after the kill. For crash.py.
 *
 *	crash_writer churn DIR SEED    drops most of it again, in small segments, so
 *that the collector has work; prints "D ACCOUNT NUMBER" before each drop. With KILL_AT it
 *kills itself when the collector comes to that point for the KILL_COUNTth time
 *	crash_writer write DIR SEED    prints "ACCOUNT NUMBER BODYID BYTES BODYSEED" a
 *line, in one write(2), after each acknowledgement crash_writer verify DIR < the lines;
 *prints what is wrong; 0: nothing crash_writer once DIR          one body of 1 MiB,
 *written but not yet synced; then ends at once crash_writer torn DIR [drop]   prints the
 *bodies that a power cut tore; drops them
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/engine.h"
#include "store/kind.h"

enum { WRITERS = 8, ACCOUNTS = 40, BODY_MAX = 20000, BIG = 5 << 20 };

struct lane {
	struct executor home;
	struct engine *engine;
	struct engine_op e;
	struct body_put *put;
	struct body_id body;
	uint64_t number; /* of the version, by the plan */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_done;
	enum err rc;
	uint64_t random;
	pthread_t thread;
	unsigned account;
	uint64_t doomed; /* number to drop */
};

/* Where this process kills itself. */
struct kill_at {
	const char *point;
	unsigned count;
};

static void at_point(void *arg, const char *point)
{
	struct kill_at *k = arg;
	if (k->point && strcmp(point, k->point) == 0 && --k->count == 0)
		kill(getpid(), SIGKILL);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void fill(char *p, size_t n, uint64_t seed)
{
	uint64_t x = seed | 1;
	for (size_t i = 0; i < n; i += 8) {
		uint64_t r = next_random(&x);
		/* half of it shrinks */
		if (i / 512 % 2)
			r &= 0x0101010101010101u;
		memcpy(p + i, &r, n - i < 8 ? n - i : 8);
	}
}

static struct account_id account_of(unsigned n)
{
	struct account_id a = { { 0 } };
	a.b[0] = (uint8_t)n;
	a.b[15] = 7;
	return a;
}

static void die(void *arg, const char *sentence)
{
	fprintf(stderr, "FATAL %s\n", sentence);
	_exit(42);
}

static struct engine *open_engine(const char *dir, struct workers *w, struct kill_at *at)
{
	struct engine_config c = {
		.kind = "rocks", .dir = dir, .workers = workers_executor(w), .fatal = die
	};
	if (at) {
		c.segment_bytes = 1 << 20;
		c.tick_ms = 3;
		c.pass_ms = 1;
		c.at = at_point;
		c.at_arg = at;
	}
	struct engine *e;
	struct buf why = { 0 };
	if (engine_open(&c, &e, &why) != ERR_OK) {
		fprintf(stderr, "%.*s\n", (int)why.n, buf_span(&why).p);
		exit(2);
	}
	buf_done(&why);
	return e;
}

/* ---- one writer ---- */

static void post(struct executor *x, struct task *t)
{
	t->run(t); /* on the commit thread: it only wakes the lane */
}

static void done(struct op *op, void *owner)
{
	struct lane *l = owner;
	l->rc = op->rc;
}

/* Only now is the op the lane's again. */
static void wake(struct op *op)
{
	struct lane *l = TASK_OWNER(op, struct lane, e.op);
	pthread_mutex_lock(&l->lock);
	l->is_done = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

static void row_key(uint64_t number, char key[24])
{
	snprintf(key, 24, "m%016llx", (unsigned long long)number);
}

/* The account's version goes up by one, its row names the body. */
static enum err plan(struct engine_op *e, struct txn *t)
{
	struct lane *l = TASK_OWNER(e, struct lane, e);
	struct span v;
	l->number = 0;
	if (txn_get(t, SPAN("version"), &v) == ERR_OK)
		memcpy(&l->number, v.p, sizeof l->number);
	l->number++;
	char key[24];
	row_key(l->number, key);
	txn_put(t, SPAN("version"), span_of(&l->number, sizeof l->number));
	txn_put(t, span_str(key), span_of(l->body.b, sizeof l->body.b));
	return txn_body_keep(t, l->put);
}

static enum err put_body(struct lane *l, struct account_id a, size_t n, uint64_t seed)
{
	char *bytes = malloc(n + 8);
	fill(bytes, n, seed);
	l->put = engine_body_begin(l->engine, a, &l->body);
	enum err rc = ERR_OK;
	for (size_t at = 0; at < n && rc == ERR_OK; at += BODY_PIECE)
		rc = engine_body_write(l->put,
				       span_sub(span_of(bytes, n), at, BODY_PIECE));
	free(bytes);
	return rc;
}

static enum err run(struct lane *l, struct account_id a,
		    enum err (*what)(struct engine_op *, struct txn *))
{
	l->e = (struct engine_op){ .account = a, .plan = what };
	l->e.op.home = &l->home;
	l->e.op.done = done;
	l->e.op.owner = l;
	l->e.op.free = wake;
	l->is_done = false;
	engine_run(l->engine, &l->e);
	pthread_mutex_lock(&l->lock);
	while (!l->is_done)
		pthread_cond_wait(&l->wake, &l->lock);
	pthread_mutex_unlock(&l->lock);
	return l->rc;
}

static void print_ack(struct lane *l, unsigned account, size_t n, uint64_t seed)
{
	char line[160], hex[33];
	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", l->body.b[i]);
	int len = snprintf(line, sizeof line, "%u %llu %s %zu %llu\n", account,
			   (unsigned long long)l->number, hex, n,
			   (unsigned long long)seed);
	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		_exit(4);
}

static void *write_for_ever(void *arg)
{
	struct lane *l = arg;
	for (unsigned i = 1;; i++) {
		unsigned account = (unsigned)(next_random(&l->random) % ACCOUNTS);
		size_t n = (size_t)(next_random(&l->random) % BODY_MAX);
		if (i % 200 == 0)
			n = BIG; /* more than one piece */
		uint64_t seed = next_random(&l->random);
		enum err rc = put_body(l, account_of(account), n, seed);
		if (rc == ERR_OK)
			rc = run(l, account_of(account), plan);
		engine_body_end(l->put);
		if (rc != ERR_OK)
			pause(); /* after a failed sync: the commit thread ends us */
		print_ack(l, account, n, seed);
	}
	return NULL;
}

/* The row and its body go. */
static enum err forget_plan(struct engine_op *e, struct txn *t)
{
	struct lane *l = TASK_OWNER(e, struct lane, e);
	char key[24];
	struct span v;
	struct body_id body;
	row_key(l->doomed, key);
	enum err rc = txn_get(t, span_str(key), &v);
	if (rc != ERR_OK)
		return rc;
	memcpy(body.b, v.p, sizeof body.b);
	txn_delete(t, span_str(key));
	txn_body_drop(t, body);
	return ERR_OK;
}

/* Three of four bodies live for 40 more. */
static void forget_one(struct lane *l)
{
	enum { LIFE = 40 };
	char line[64];
	if (l->number <= LIFE || l->number % 4 == 0)
		return;
	l->doomed = l->number - LIFE;
	int len = snprintf(line, sizeof line, "D %u %llu\n", l->account,
			   (unsigned long long)l->doomed);
	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		_exit(4);
	run(l, account_of(l->account), forget_plan);
}

static void *churn_for_ever(void *arg)
{
	struct lane *l = arg;
	for (;;) {
		size_t n = (size_t)(next_random(&l->random) % BODY_MAX);
		uint64_t seed = next_random(&l->random);
		enum err rc = put_body(l, account_of(l->account), n, seed);
		if (rc == ERR_OK)
			rc = run(l, account_of(l->account), plan);
		engine_body_end(l->put);
		if (rc != ERR_OK)
			pause();
		print_ack(l, l->account, n, seed);
		forget_one(l);
	}
	return NULL;
}

static void lane_init(struct lane *l, struct engine *e, uint64_t seed)
{
	*l = (struct lane){ .home.post = post, .engine = e, .random = seed };
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
}

static int run_write(const char *dir, uint64_t seed, bool is_churn)
{
	struct workers *w = workers_new(8);
	const char *count = getenv("KILL_COUNT");
	struct kill_at at = { getenv("KILL_AT"), count ? (unsigned)atoi(count) : 1 };
	struct engine *e = open_engine(dir, w, is_churn ? &at : NULL);
	struct lane *lanes = calloc(WRITERS, sizeof *lanes);
	fprintf(stderr, "ready\n");
	for (unsigned i = 0; i < WRITERS; i++) {
		lane_init(&lanes[i], e, seed * 1000 + i + 1);
		lanes[i].account = i;
		pthread_create(&lanes[i].thread, NULL,
			       is_churn ? churn_for_ever : write_for_ever, &lanes[i]);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(lanes[i].thread, NULL);
	return 0;
}

/* ---- looking at what is left ---- */

struct acked {
	unsigned account;
	unsigned long long number, seed;
	struct body_id body;
	size_t n;
	bool is_dropped;
};

static bool parse(const char *line, struct acked *a)
{
	char hex[33];
	if (sscanf(line, "%u %llu %32s %zu %llu", &a->account, &a->number, hex, &a->n,
		   &a->seed) != 5)
		return false;
	for (int i = 0; i < 16; i++) {
		unsigned b;
		if (sscanf(hex + 2 * i, "%2x", &b) != 1)
			return false;
		a->body.b[i] = (uint8_t)b;
	}
	return true;
}

static enum err row_is_there(void *arg, struct txn *t)
{
	const struct acked *a = arg;
	char key[24];
	struct span v;
	row_key(a->number, key);
	enum err rc = txn_get(t, span_str(key), &v);
	return rc != ERR_OK					  ? rc
	       : span_eq(v, span_of(a->body.b, sizeof a->body.b)) ? ERR_OK
								  : ERR_CONFLICT;
}

static bool verify_line(struct engine *e, const struct acked *a)
{
	struct account_id id = account_of(a->account);
	struct buf out = { 0 };
	char *want = malloc(a->n + 8);
	fill(want, a->n, a->seed);
	enum err row = engine_read_now(e, id, row_is_there, (void *)(uintptr_t)a);
	enum err body = engine_body_read(e, id, a->body, 0, SIZE_MAX, &out);
	bool is_equal = body == ERR_OK && span_eq(buf_span(&out), span_of(want, a->n));
	if (row != ERR_OK || !is_equal)
		printf("account %u number %llu: row: %s; body: %s, %s\n", a->account,
		       a->number, err_text(row), err_text(body),
		       is_equal ? "equal" : "different");
	buf_done(&out);
	free(want);
	return row == ERR_OK && is_equal;
}

enum { TORN_MAX = 64 };

struct torn {
	struct engine *engine;
	struct body_id at[TORN_MAX];
	struct account_id account;
	size_t n;
};

static bool torn_body(void *arg, struct account_id a, struct body_id id)
{
	struct torn *t = arg;
	t->account = a;
	t->at[t->n++] = id;
	return t->n < TORN_MAX;
}

static bool is_torn(const struct torn *t, const struct body_id *id)
{
	for (size_t i = 0; i < t->n; i++) {
		if (memcmp(t->at[i].b, id->b, sizeof id->b) == 0)
			return true;
	}
	return false;
}

struct walk {
	struct engine *engine;
	const struct torn *torn;
	struct account_id id;
	uint64_t n;
	bool is_churn; /* rows may be missing */
	bool is_good;
};

static bool walk_row(void *arg, struct span key, struct span value)
{
	struct walk *w = arg;
	char want[24];
	struct body_id body;
	struct buf out = { 0 };
	char text[24];
	snprintf(text, sizeof text, "%.*s", (int)key.n, key.p);
	w->n = w->is_churn ? strtoull(text + 1, NULL, 16) : w->n + 1;
	row_key(w->n, want);
	memcpy(body.b, value.p, sizeof body.b);
	enum err rc = engine_body_read(w->engine, w->id, body, 0, SIZE_MAX, &out);
	if (!span_eq(key, span_str(want)) || (rc != ERR_OK && !is_torn(w->torn, &body))) {
		printf("row %.*s instead of %s, or its body is not readable\n",
		       (int)key.n, key.p, want);
		w->is_good = false;
	}
	buf_done(&out);
	return w->is_good;
}

/* Numbers 1..version without a hole, each with a whole body or one known as torn. */
static enum err walk_account(void *arg, struct txn *t)
{
	struct walk *w = arg;
	struct span v;
	uint64_t version = 0;
	if (txn_get(t, SPAN("version"), &v) == ERR_OK)
		memcpy(&version, v.p, sizeof version);
	enum err rc = txn_scan(t, SPAN("m"), SPAN("n"), walk_row, w);
	if (rc != ERR_OK || (w->n != version && !w->is_churn)) {
		printf("version %llu but %llu rows\n", (unsigned long long)version,
		       (unsigned long long)w->n);
		w->is_good = false;
	}
	return rc;
}

/* "D ACCOUNT NUMBER" */
static void mark_dropped(struct acked *at, size_t n, const char *line)
{
	unsigned account;
	unsigned long long number;
	if (sscanf(line, "D %u %llu", &account, &number) != 2)
		return;
	while (n-- > 0) {
		if (at[n].account == account && at[n].number == number) {
			at[n].is_dropped = true;
			return;
		}
	}
}

static int run_verify(const char *dir)
{
	struct workers *w = workers_new(1);
	struct engine *e = open_engine(dir, w, NULL);
	char line[200];
	struct acked *acked = NULL;
	size_t n_acked = 0, cap = 0;
	bool is_churn = false;
	struct torn torn = { .engine = e };
	bool is_good = engine_torn(e, torn_body, &torn) == ERR_OK;
	size_t n = 0;
	for (; fgets(line, sizeof line, stdin); n++) {
		if (n_acked == cap)
			acked = realloc(acked, (cap = cap * 2 + 64) * sizeof *acked);
		acked[n_acked].is_dropped = false;
		if (line[0] == 'D') {
			is_churn = true;
			mark_dropped(acked, n_acked, line);
		} else if (parse(line, &acked[n_acked])) {
			n_acked++;
		}
	}
	for (size_t i = 0; i < n_acked; i++)
		if (!acked[i].is_dropped)
			is_good = verify_line(e, &acked[i]) && is_good;
	free(acked);
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		struct walk walk = { e, &torn, account_of(i), 0, is_churn, true };
		enum err rc = engine_read_now(e, walk.id, walk_account, &walk);
		is_good = is_good && rc == ERR_OK && walk.is_good;
	}
	engine_close(e);
	workers_free(w);
	fprintf(stderr, "%zu acknowledged, %zu torn\n", n, torn.n);
	return is_good ? 0 : 1;
}

/* ---- a torn body ---- */

/* Written, and the log as far as the system; nothing of the body is synced. */
static int run_once(const char *dir)
{
	struct workers *w = workers_new(1);
	struct lane l;
	lane_init(&l, open_engine(dir, w, NULL), 1);
	struct txn t;
	put_body(&l, account_of(1), 1 << 20, 99);
	txn_init(&t, l.engine, account_of(1));
	if (plan(&l.e, &t) != ERR_OK || l.engine->kind->write(&t) != ERR_OK)
		return 1;
	l.number = 1;
	print_ack(&l, 1, 1 << 20, 99);
	_exit(0);
}

struct drop {
	struct lane lane;
	struct torn *torn;
};

static struct torn *torn_of_op(struct engine_op *e)
{
	struct lane *l = TASK_OWNER(e, struct lane, e);
	return TASK_OWNER(l, struct drop, lane)->torn;
}

static enum err drop_plan(struct engine_op *e, struct txn *t)
{
	struct torn *torn = torn_of_op(e);
	for (size_t i = 0; i < torn->n; i++)
		txn_body_drop(t, torn->at[i]);
	return ERR_OK;
}

static int run_torn(const char *dir, bool is_drop)
{
	struct workers *w = workers_new(1);
	struct torn t = { .engine = open_engine(dir, w, NULL) };
	struct drop d = { .torn = &t };
	engine_torn(t.engine, torn_body, &t);
	for (size_t i = 0; i < t.n; i++) {
		struct buf out = { 0 };
		printf("torn: %s\n",
		       err_text(engine_body_read(t.engine, t.account, t.at[i], 0,
						 SIZE_MAX, &out)));
		buf_done(&out);
	}
	if (is_drop && t.n > 0) {
		lane_init(&d.lane, t.engine, 1);
		d.lane.e = (struct engine_op){ .account = t.account, .plan = drop_plan };
		d.lane.e.op = (struct op){
			.home = &d.lane.home, .done = done, .owner = &d.lane, .free = wake
		};
		engine_run(t.engine, &d.lane.e);
	}
	engine_close(t.engine);
	workers_free(w);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "write") == 0)
		return run_write(argv[2], strtoull(argv[3], NULL, 10), false);
	if (argc == 4 && strcmp(argv[1], "churn") == 0)
		return run_write(argv[2], strtoull(argv[3], NULL, 10), true);
	if (argc == 3 && strcmp(argv[1], "verify") == 0)
		return run_verify(argv[2]);
	if (argc == 3 && strcmp(argv[1], "once") == 0)
		return run_once(argv[2]);
	if (argc >= 3 && strcmp(argv[1], "torn") == 0)
		return run_torn(argv[2], argc == 4);
	fprintf(stderr, "usage: crash_writer write|verify|once|torn DIR\n");
	return 2;
}
