/* Time, from clock_gettime(2). */
#include "base/clock.h"

#include <time.h>

static struct timespec now(clockid_t id)
{
	struct timespec t = { 0 };
	clock_gettime(id, &t);
	return t;
}

uint64_t clock_mono_us(void)
{
	struct timespec t = now(CLOCK_MONOTONIC);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_wall_s(void)
{
	return now(CLOCK_REALTIME).tv_sec;
}

int64_t clock_wall_ms(void)
{
	struct timespec t = now(CLOCK_REALTIME);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
