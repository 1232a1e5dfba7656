/*
 * Snapshots and restores as operations of a server. Each has a thread of its own: a
 * snapshot waits for the device, a restore for ops that workers do, perhaps for minutes.
 */
#include <stdlib.h>

#include "store/restore.h"

struct long_op {
	struct store_op o;
	enum err (*work)(struct long_op *);
	char *dir, *name;
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
	struct long_op *x = (struct long_op *)(void *)o;
	free(x->dir);
	free(x->name);
}

static struct op *long_start(struct store *s, struct account *a,
			     enum err (*work)(struct long_op *), const char *dir,
			     struct span name, struct op_to to)
{
	struct long_op *x = op_new(sizeof *x, s, a, to);
	pthread_attr_t attr;
	pthread_t thread;
	x->o.free_more = long_free;
	x->work = work;
	x->dir = dir ? xstrdup(dir) : NULL;
	x->name = xmalloc(name.n + 1);
	if (name.n)
		memcpy(x->name, name.p, name.n);
	x->name[name.n] = 0;
	if (!store_background(s, 1))
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
	return long_start(s, NULL, snapshot_work, NULL, SPAN_NONE, to);
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
	rc = account_restore(x->o.account, from, span_str(x->name), &x->restored,
			     &x->o.bytes);
	store_close(from);
	return rc;
}

struct op *account_restore_start(struct account *a, const char *dir, struct span name,
				 struct op_to to)
{
	return long_start(a->store, a, restore_work, dir, name, to);
}

const struct restored *op_restored(struct op *op)
{
	return &((struct long_op *)(void *)STORE_OP(op))->restored;
}
