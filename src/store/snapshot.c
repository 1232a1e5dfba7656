/*
 * Snapshots and restores as operations of a server. Each has a thread of its own: a
 * snapshot waits for the device, a restore for ops that workers do, perhaps for minutes.
 */
#include <stdlib.h>

#include "store/restore.h"

struct long_op {
	struct store_op o; /* path: the account in the backup, path2: the one here */
	enum err (*work)(struct long_op *);
	char *dir;
	struct restored restored;
};

static void *long_main(void *arg)
{
	struct long_op *x = arg;
	op_finish(&x->o.e.op, x->work(x));
	return NULL;
}

static void long_free(struct store_op *o)
{
	free(((struct long_op *)(void *)o)->dir);
}

static struct long_op *long_new(struct store *s, struct account *a,
				enum err (*work)(struct long_op *), struct op_to to)
{
	struct long_op *x = op_new(sizeof *x, s, a, to);
	x->o.free_more = long_free;
	x->work = work;
	return x;
}

static struct op *long_start(struct long_op *x)
{
	pthread_attr_t attr;
	pthread_t thread;
	if (!store_background(x->o.store, 1))
		return op_fail(&x->o, ERR_CLOSED);
	x->o.is_background = true;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	bool is_ok = pthread_create(&thread, &attr, long_main, x) == 0;
	pthread_attr_destroy(&attr);
	return is_ok ? &x->o.e.op : op_fail(&x->o, ERR_LIMIT);
}

enum err store_snapshot(struct store *s, const char *dir, struct buf *ret_why)
{
	return engine_snapshot(s->engine, dir, ret_why);
}

static enum err snapshot_work(struct long_op *x)
{
	return store_snapshot(x->o.store, NULL, &x->o.bytes);
}

struct op *store_snapshot_start(struct store *s, struct op_to to)
{
	return long_start(long_new(s, NULL, snapshot_work, to));
}

static enum err restore_work(struct long_op *x)
{
	const struct engine_config c = { .kind = "rocks",
					 .dir = x->dir,
					 .workers = x->o.store->workers,
					 .flags = ENGINE_READ_ONLY };
	struct store *from;
	enum err rc = store_open(&c, &from, &x->o.bytes);
	if (rc != ERR_OK)
		return rc;
	rc = account_restore(x->o.account, x->o.path2, from, x->o.path, &x->restored,
			     &x->o.bytes);
	store_close(from);
	return rc;
}

static struct span dup(struct span s)
{
	char *p = xmalloc(s.n + 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

struct op *account_restore_start(struct account *a, struct span to_name, const char *dir,
				 struct span from_name, struct op_to to)
{
	struct long_op *x = long_new(a->store, a, restore_work, to);
	x->dir = xstrdup(dir);
	x->o.path = dup(from_name);
	x->o.path2 = dup(to_name);
	return long_start(x);
}

const struct restored *op_restored(struct op *op)
{
	return &((struct long_op *)(void *)STORE_OP(op))->restored;
}
