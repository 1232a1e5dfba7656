/*
 * The timer wheel: seven levels of 64 slots, a slot of level n being 64^n ms wide. A
 * timer stands on the level of the highest 6-bit digit in which its time differs from
 * now; when the wheel comes to a slot above level 0 its timers move down.
 */
#include "net/loop_impl.h"

static uint64_t real_now(const struct loop *l)
{
	return uv_hrtime() / 1000000 - l->wheel.base_ms;
}

static void on_uv_timer(uv_timer_t *t)
{
	struct loop *l = t->data;
	wheel_turn(l);
	/* libuv calls what is due before it waits, and would then wait for more */
	if (l->is_turn)
		uv_stop(&l->uv);
}

static void arm(struct loop *l, uint64_t due)
{
	if (due >= l->wheel.armed_ms || l->is_ending)
		return;
	uint64_t now = real_now(l);
	l->wheel.armed_ms = due;
	uv_update_time(&l->uv);
	uv_timer_start(&l->timer, on_uv_timer, due > now ? due - now : 0, 0);
}

static void insert(struct wheel *w, struct net_timer *t)
{
	uint64_t differs = (t->due_ms ^ w->now_ms) | (WHEEL_SLOTS - 1);
	unsigned level = (63 - (unsigned)__builtin_clzll(differs)) / WHEEL_BITS;
	unsigned slot = (unsigned)(t->due_ms >> (level * WHEEL_BITS)) % WHEEL_SLOTS;
	struct net_timer **head = &w->slots[level][slot];
	t->next = *head;
	if (t->next)
		t->next->link = &t->next;
	t->link = head;
	*head = t;
	w->used[level] |= (uint64_t)1 << slot;
}

/*
 * The next slot that holds timers, and the time it begins. All that stands on a lower
 * level comes before all that stands on a higher one.
 */
static bool next_slot(struct wheel *w, unsigned *ret_level, unsigned *ret_slot,
		      uint64_t *ret_ms)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		while (w->used[level]) {
			unsigned slot = (unsigned)__builtin_ctzll(w->used[level]);
			if (!w->slots[level][slot]) {
				w->used[level] &= ~((uint64_t)1 << slot);
				continue;
			}
			unsigned shift = level * WHEEL_BITS;
			uint64_t above = w->now_ms >> (shift + WHEEL_BITS) << WHEEL_BITS;
			*ret_level = level;
			*ret_slot = slot;
			*ret_ms = (above | slot) << shift;
			return true;
		}
	}
	return false;
}

void wheel_init(struct loop *l)
{
	l->wheel.base_ms = uv_hrtime() / 1000000;
	l->wheel.armed_ms = UINT64_MAX;
}

void wheel_turn(struct loop *l)
{
	struct wheel *w = &l->wheel;
	uint64_t now = real_now(l), due = 0;
	unsigned level, slot;
	bool more;

	w->armed_ms = UINT64_MAX;
	while ((more = next_slot(w, &level, &slot, &due)) && due <= now) {
		w->now_ms = due;
		struct net_timer *t;
		while ((t = w->slots[level][slot])) {
			net_timer_stop(t);
			if (level == 0)
				t->fn(t->arg);
			else
				insert(w, t);
		}
	}
	if (now > w->now_ms)
		w->now_ms = now;
	if (more)
		arm(l, due);
}

void net_timer_start(struct loop *l, struct net_timer *t, uint64_t ms,
		     void (*fn)(void *arg), void *arg)
{
	const uint64_t longest = (uint64_t)1 << 40; /* 34 years */
	net_timer_stop(t);
	if (ms > longest)
		ms = longest;
	t->fn = fn;
	t->arg = arg;
	/* one more, as the current millisecond has begun already */
	t->due_ms = real_now(l) + (ms ? ms : 1) + 1;
	insert(&l->wheel, t);
	arm(l, t->due_ms);
}

void net_timer_stop(struct net_timer *t)
{
	if (!t->link)
		return;
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	t->next = NULL;
	t->link = NULL;
}
