/* Reading a range of one body. It never changes, so nobody need be alone. */
#include "store/op.h"

struct read_op {
	struct store_op o;
	struct task job;
	struct body_id body;
	uint64_t off;
	size_t len;
};

static void body_job(struct task *t)
{
	struct read_op *x = TASK_OWNER(t, struct read_op, job);
	enum err rc = engine_body_read(x->o.store->engine, x->o.account->id, x->body,
				       x->off, x->len, &x->o.bytes);
	op_finish(&x->o.e.op, rc);
}

struct op *body_read(struct account *a, struct body_id id, uint64_t off, size_t len,
		     struct op_to to)
{
	struct read_op *x = op_new(sizeof *x, a->store, a, to);
	x->body = id;
	x->off = off;
	x->len = len;
	x->job.run = body_job;
	executor_post(a->store->workers, &x->job);
	return &x->o.e.op;
}
