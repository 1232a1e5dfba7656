/*
 * Durable appends and flag changes a second on the rocks engine.
 *
 *	store_bench DIR [SECONDS]
 *
 * Each lane is a client that waits for its answer before it asks again. An
 * append writes a body and, in one commit, a row of 100 bytes, a chunk of 3 KB
 * and a header row, for a random one of 1000 accounts; a flag change only the
 * last two. Latency is from the request to the completion on the loop.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "store/engine.h"

enum { ACCOUNTS = 1000, SAMPLES = 1 << 20, CHUNK = 3000, ROW = 100 };

struct loop {
	struct executor executor;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct task *head, **tail;
};

struct bench {
	struct loop loop;
	struct engine *engine;
	struct executor *workers;
	size_t body_bytes; /* 0: a flag change */
	unsigned n_accounts;
	bool is_over;
	size_t n_running, n_done;
	uint32_t *us; /* latencies */
	char *text;   /* to take bodies from */
};

struct lane {
	struct task task;
	struct engine_op e;
	struct bench *bench;
	struct body_put *put;
	uint64_t random, started_us;
};

static void post(struct executor *x, struct task *t)
{
	struct loop *l = TASK_OWNER(x, struct loop, executor);
	t->next = NULL;
	pthread_mutex_lock(&l->lock);
	*l->tail = t;
	l->tail = &t->next;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

static struct task *take(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	while (!l->head)
		pthread_cond_wait(&l->wake, &l->lock);
	struct task *t = l->head;
	l->head = t->next;
	if (!l->head)
		l->tail = &l->head;
	pthread_mutex_unlock(&l->lock);
	return t;
}

static uint64_t next_random(struct lane *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

static enum err plan(struct engine_op *e, struct txn *t)
{
	struct lane *l = TASK_OWNER(e, struct lane, e);
	struct span v;
	uint64_t uid = 0;
	char header[48] = { 0 }, row[ROW] = { 0 }, key[5] = "i";
	if (txn_get(t, SPAN("h"), &v) == ERR_OK)
		memcpy(&uid, v.p, sizeof uid);
	uid++;
	memcpy(header, &uid, sizeof uid);
	char *chunk = arena_alloc(txn_arena(t), CHUNK);
	if (txn_get(t, SPAN("c"), &v) == ERR_OK)
		memcpy(chunk, v.p, CHUNK);
	memcpy(chunk + uid % 250 * 12, &uid, sizeof uid);
	txn_put(t, SPAN("c"), span_of(chunk, CHUNK));
	txn_put(t, SPAN("h"), span_of(header, sizeof header));
	if (!l->put)
		return ERR_OK;
	memcpy(key + 1, &uid, 4);
	txn_put(t, span_of(key, sizeof key), span_of(row, sizeof row));
	return txn_body_keep(t, l->put);
}

static void start(struct lane *l);

static void done(struct op *op, void *owner)
{
	struct lane *l = owner;
	struct bench *b = l->bench;
	if (op->rc != ERR_OK) {
		fprintf(stderr, "%s\n", err_text(op->rc));
		exit(1);
	}
	engine_body_end(l->put);
	l->put = NULL;
	b->us[b->n_done++ % SAMPLES] = (uint32_t)(clock_mono_us() - l->started_us);
}

/* The op is its lane's again. */
static void again(struct op *op)
{
	struct lane *l = TASK_OWNER(op, struct lane, e.op);
	if (l->bench->is_over)
		l->bench->n_running--;
	else
		start(l);
}

static void work(struct task *t)
{
	struct lane *l = TASK_OWNER(t, struct lane, task);
	struct bench *b = l->bench;
	struct account_id a = { { 0 } };
	uint64_t n = next_random(l) % b->n_accounts * 0x9e3779b97f4a7c15u;
	memcpy(a.b, &n, sizeof n);
	if (b->body_bytes > 0) {
		struct body_id id;
		l->put = engine_body_begin(b->engine, a, &id);
		engine_body_write(
		    l->put, span_of(b->text + next_random(l) % 4096, b->body_bytes));
	}
	l->e = (struct engine_op){ .account = a, .plan = plan };
	l->e.op = (struct op){
		.home = &b->loop.executor, .done = done, .owner = l, .free = again
	};
	engine_run(b->engine, &l->e);
}

static void start(struct lane *l)
{
	l->started_us = clock_mono_us();
	l->task.run = work;
	executor_post(l->bench->workers, &l->task);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static uint64_t cpu_us(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void run(struct bench *b, const char *name, size_t lanes, unsigned seconds)
{
	struct lane *l = calloc(lanes, sizeof *l);
	uint64_t begin = clock_mono_us(), end = begin + seconds * 1000000ull;
	uint64_t cpu = cpu_us();
	b->is_over = false;
	b->n_done = 0;
	b->n_running = lanes;
	for (size_t i = 0; i < lanes; i++) {
		l[i].bench = b;
		l[i].random = (i + 1) * 88172645463325252u + begin;
		start(&l[i]);
	}
	while (b->n_running > 0) {
		struct task *t = take(&b->loop);
		b->is_over = clock_mono_us() > end;
		t->run(t);
	}
	double s = (double)(clock_mono_us() - begin) / 1e6;
	size_t n = b->n_done < SAMPLES ? b->n_done : SAMPLES;
	qsort(b->us, n, sizeof b->us[0], by_size);
	printf("%-24s x%-3zu %8.0f/s   p50 %6.2f ms   p99 %6.2f ms   %5.0f us CPU\n",
	       name, lanes, (double)b->n_done / s, b->us[n / 2] / 1e3,
	       b->us[n * 99 / 100] / 1e3, (double)(cpu_us() - cpu) / (double)b->n_done);
	fflush(stdout);
	free(l);
}

static void fatal(void *arg, const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
	_Exit(1);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		size_t bytes;
		unsigned accounts;
	} acts[] = {
		{ "append 4 KiB", 4096, ACCOUNTS },
		{ "append 4 KiB, 1 account", 4096, 1 },
		{ "append 64 KiB", 65536, ACCOUNTS },
		{ "flag", 0, ACCOUNTS },
	};
	static const size_t lanes[] = { 1, 16, 64 };
	if (argc < 2) {
		fprintf(stderr, "usage: store_bench DIR [SECONDS]\n");
		return 2;
	}
	unsigned seconds = argc > 2 ? (unsigned)atoi(argv[2]) : 3;
	struct bench b = { .loop.executor.post = post };
	b.loop.tail = &b.loop.head;
	pthread_mutex_init(&b.loop.lock, NULL);
	pthread_cond_init(&b.loop.wake, NULL);
	b.us = calloc(SAMPLES, sizeof b.us[0]);
	b.text = malloc(65536 + 4096);
	for (size_t i = 0; i < 65536 + 4096;
	     i++) /* shrinks by a quarter, as base64 does */
		b.text[i] = (char)('0' + (i * i * 2654435761u >> 13) % 64);
	struct workers *w = workers_new(8);
	b.workers = workers_executor(w);
	struct engine_config c = {
		.kind = "rocks", .dir = argv[1], .workers = b.workers, .fatal = fatal
	};
	struct buf why = { 0 };
	if (engine_open(&c, &b.engine, &why) != ERR_OK) {
		fprintf(stderr, "%.*s\n", (int)why.n, buf_span(&why).p);
		return 1;
	}
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
		b.body_bytes = acts[i].bytes;
		b.n_accounts = acts[i].accounts;
		for (size_t k = 0; k < sizeof lanes / sizeof lanes[0]; k++)
			run(&b, acts[i].name, lanes[k], seconds);
	}
	engine_close(b.engine);
	workers_free(w);
	buf_done(&why);
	free(b.us);
	free(b.text);
	return 0;
}
