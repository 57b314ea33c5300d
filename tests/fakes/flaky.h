#ifndef TESTS_FAKES_FLAKY_H
#define TESTS_FAKES_FLAKY_H

/*
 * A heap that fails on its n-th allocation and counts leaks. The usual sweep:
 *
 *   for (long n = 0; rc != OK; n++) {
 *           flaky_init(&f, n);
 *           rc = … with &f.mem …;          OK or E_NOMEM, and no trace left
 *           assert_int_equal(f.live, 0);
 *   }
 */

#include "base/base.h"

struct flaky {
	struct mem mem;
	long fail_at; /* < 0: never */
	long calls;
	long live;
};

void flaky_init(struct flaky *f, long fail_at);

#endif
