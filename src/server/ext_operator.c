/* The operator's own commands (operator.h). */
#include "server/operator.h"

#include "server/reply.h"
#include "store/quota.h"

enum { START, READ, REMOVED };
enum { NAME_MAX_BYTES = 128, VALUE_MAX_BYTES = 1024 };

struct mark {
	bool is_set;
	struct attr_edit edit; /* of what follows */
	char name[NAME_MAX_BYTES], value[VALUE_MAX_BYTES];
};

extern const struct extension ext_operator;

const struct attr_edit *operator_mark(struct cmd *cmd)
{
	struct mark *m = session_slot_if(cmd->session, &ext_operator);

	if (!m || !m->is_set)
		return NULL;
	m->is_set = false;
	return &m->edit;
}

static struct attr_key key_of(struct span name)
{
	return (struct attr_key){ .kind = ATTR_IMPORT, .name = name };
}

static enum verdict told(struct cmd *cmd)
{
	struct span name = *(struct span *)cmd->state;
	const struct attrs *found;
	struct buf line = { 0 };

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	found = op_attrs(cmd->op);
	emit_astring(&line, cmd_mode(cmd), name);
	buf_putc(&line, ' ');
	emit_nstring(&line, cmd_mode(cmd), found->n ? found->at[0].value : SPAN_NONE);
	untagged(cmd, "XMARK %.*s", (int)line.n, line.p + line.off);
	buf_done(&line);
	return reply_done(cmd);
}

static enum verdict ask(struct cmd *cmd, struct span name)
{
	const struct attr_query q = { .key = key_of(name), .is_exact = true };
	struct span *kept = ARENA_NEW(cmd->arena, struct span);

	*kept = name;
	cmd->state = kept;
	return cmd_wait(cmd, READ, attrs_read(cmd->session->account, &q, 1, cmd_to(cmd)));
}

static enum verdict drop(struct cmd *cmd, struct span name)
{
	const struct attr_edit e = { .key = key_of(name), .remove = true };

	return cmd_wait(cmd, REMOVED,
			attrs_set(cmd->session->account, &e, 1, NULL, cmd_to(cmd)));
}

static void keep(struct session *s, struct span name, struct span value)
{
	struct mark *m = session_slot(s, &ext_operator);

	memcpy(m->name, name.p, name.n);
	memcpy(m->value, value.p, value.n);
	m->edit = (struct attr_edit){ .key = key_of(span_of(m->name, name.n)),
				      .value = span_of(m->value, value.n) };
	m->is_set = true;
}

static enum verdict start(struct cmd *cmd)
{
	struct span name, value = SPAN_NONE;
	bool has_value;

	cursor_sp(&cmd->cur);
	name = cursor_astring(&cmd->cur);
	has_value = !cmd->cur.bad && cursor_try_sp(&cmd->cur);
	if (has_value && !cursor_try_nil(&cmd->cur))
		value = cursor_astring(&cmd->cur);
	if (!cursor_end(&cmd->cur) || name.n == 0 || name.n > NAME_MAX_BYTES ||
	    value.n > VALUE_MAX_BYTES)
		return reply_syntax(cmd);
	if (!has_value)
		return ask(cmd, name);
	if (!value.p)
		return drop(cmd, name);
	keep(cmd->session, name, value);
	return reply_done(cmd);
}

static enum verdict run_mark(struct cmd *cmd)
{
	switch (cmd->step) {
	case START: return start(cmd);
	case READ: return told(cmd);
	default:
		return cmd->op->rc == ERR_OK ? reply_done(cmd)
					     : reply_err(cmd, cmd->op->rc);
	}
}

static bool resource_of(struct span name, enum quota_resource *ret)
{
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++)
		if (span_ieq(name, span_str(quota_name((enum quota_resource)r)))) {
			*ret = (enum quota_resource)r;
			return true;
		}
	return false;
}

static enum verdict show_quota(struct cmd *cmd)
{
	struct buf *out = cmd_out(cmd);
	struct quota q;

	account_quota_now(cmd->session->account, &q);
	buf_puts(out, "* XQUOTA (");
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++) {
		buf_printf(out, "%s%s %llu ", r ? " " : "",
			   quota_name((enum quota_resource)r),
			   (unsigned long long)q.used[r]);
		if (q.limit[r] == QUOTA_NONE)
			buf_puts(out, "NIL");
		else
			buf_put_u64(out, q.limit[r]);
	}
	buf_puts(out, ")\r\n");
	return reply_done(cmd);
}

static enum verdict run_quota(struct cmd *cmd)
{
	enum quota_resource r = QUOTA_STORAGE;
	uint64_t limit = QUOTA_NONE;
	struct span name, value = SPAN_NONE;
	bool is_default, is_good;

	if (cmd->step != START)
		return cmd->op->rc == ERR_OK ? reply_done(cmd)
					     : reply_err(cmd, cmd->op->rc);
	if (cursor_at_end(&cmd->cur))
		return show_quota(cmd);
	cursor_sp(&cmd->cur);
	name = cursor_astring(&cmd->cur);
	cursor_sp(&cmd->cur);
	is_default = cursor_try_nil(&cmd->cur);
	if (!is_default)
		value = cursor_astring(&cmd->cur);
	is_good = is_default || span_ieq(value, SPAN("none")) ||
		  span_u64(value, INT64_MAX, &limit);
	if (!cursor_end(&cmd->cur) || !is_good || !resource_of(name, &r))
		return reply_syntax(cmd);
	return cmd_wait(cmd, REMOVED,
			account_quota_set_one(cmd->session->account, r,
					      is_default ? NULL : &limit, cmd_to(cmd)));
}

static const struct command commands[] = {
	{ "XMARK", IN_LOGGED_IN, CMD_OPERATOR, run_mark },
	{ "XQUOTA", IN_LOGGED_IN, CMD_OPERATOR, run_quota },
	{ 0 },
};
const struct extension ext_operator = {
	.name = "XMARK",
	.commands = commands,
	.slot_bytes = sizeof(struct mark),
};
