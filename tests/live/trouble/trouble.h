#ifndef TESTS_LIVE_TROUBLE_TROUBLE_H
#define TESTS_LIVE_TROUBLE_TROUBLE_H

/*
 * Trouble with disk and clock for a process that a test starts with
 *
 *   LD_PRELOAD=libtrouble.so TREATY_TROUBLE=/path/of/a/file
 *
 * The file holds this struct; what the test writes there counts at once. Only
 * regular files are troubled, and not the standard descriptors. And there is
 * trouble with names.
 */

#include <stdint.h>

struct trouble {
	volatile int64_t sync_ms;    /* a sync takes that long */
	volatile int64_t sync_errno; /* or fails with this */
	volatile int64_t write_errno;
	volatile int64_t clock_s; /* what CLOCK_REALTIME is wrong by */
	volatile int64_t syncs;   /* counted */
	/* Names that end in ".fake" take that long to resolve, and lead to this
	 * IPv4 address, as in struct in_addr. */
	volatile int64_t resolve_ms;
	volatile int64_t address;
	volatile int64_t resolves; /* counted, when they begin */
};

#endif
