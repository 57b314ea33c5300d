#ifndef TESTS_LIVE_TROUBLE_TROUBLE_H
#define TESTS_LIVE_TROUBLE_TROUBLE_H

/*
 * Trouble with disk and clock for a process that a test starts with
 *
 *   LD_PRELOAD=libtrouble.so TREATY_TROUBLE=/path/of/a/file
 *
 * The file holds this struct; what the test writes there counts at once. Only
 * regular files are troubled, and not the standard descriptors.
 */

#include <stdint.h>

struct trouble {
	volatile int64_t sync_ms;    /* a sync takes that long */
	volatile int64_t sync_errno; /* or fails with this */
	volatile int64_t write_errno;
	volatile int64_t clock_s; /* what CLOCK_REALTIME is wrong by */
	volatile int64_t syncs;   /* counted */
};

#endif
