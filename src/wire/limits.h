/*
 * Limits of the grammar: how much structure one command or response may hold.
 * A reader that passes one fails with a sentence; nothing is cut silently.
 * (Bytes are limited before, by struct frame_limits.)
 */
#ifndef WIRE_LIMITS_H
#define WIRE_LIMITS_H

#define WIRE_NESTING_MAX       100   /* parentheses, and NOT / OR / FUZZY of SEARCH */
#define WIRE_RANGES_MAX	       10000 /* ranges of one sequence set */
#define WIRE_SEARCH_NODES_MAX  4000  /* keys of one search program */
#define WIRE_FLAGS_MAX	       512   /* flags of one list */
#define WIRE_FETCH_ITEMS_MAX   256   /* items of one FETCH */
#define WIRE_HEADER_NAMES_MAX  512   /* names of one HEADER.FIELDS */
#define WIRE_PART_DEPTH_MAX    100   /* numbers of one section part, 1.2.3 */
#define WIRE_PATTERNS_MAX      256   /* patterns of one LIST */
#define WIRE_PATTERN_BYTES_MAX 1000  /* one LIST pattern */
#define WIRE_PARAMS_MAX	       64    /* modifiers, options or parameters of one list */

#endif
