/* Time. Monotonic for deadlines, wall clock for dates that people see. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
int64_t clock_wall_s(void);   /* seconds since 1970, UTC */
int64_t clock_wall_ms(void);

#endif
