#ifndef TC_AUTH_THROTTLE_H
#define TC_AUTH_THROTTLE_H

/*
 * How often a password may be tried, by the name that is tried and by the
 * address it comes from.
 *
 * Rules
 * -----
 *  - An attempt counts as failed when it begins, so that many at a time gain
 *    nothing; throttle_succeeded() takes it back.
 *  - The first few are free. Then each failure doubles the wait, up to a limit;
 *    that of a name is short, so that a stranger cannot lock a person out.
 *  - An attempt during the wait is refused and changes nothing.
 *  - What was quiet for forget_ms is forgotten.
 *  - A name that does not exist is counted like one that does.
 *  - The memory is fixed. When a place is needed, the one with the fewest
 *    failures goes, so that a flood of new names pushes out nobody who has
 *    many.
 */

#include "tc/auth/secret.h"

struct throttle;

struct throttle_limit {
	uint32_t free;      /* failures before the first wait */
	uint64_t first_ms;  /* that wait */
	uint64_t max_ms;    /* no wait is longer */
	uint64_t forget_ms; /* longer than max_ms */
};

struct throttle_config {
	struct throttle_limit user, address;
	size_t places; /* names and addresses remembered; a power of 2, >= 8 */
};

void throttle_config_default(struct throttle_config *config);

/* OK or E_NOMEM. The configuration is copied; the hash's key is drawn. */
MUST_CHECK int throttle_new(struct throttle **out, const struct mem *mem,
			    const struct throttle_config *config,
			    const struct entropy *entropy);
void throttle_free(struct throttle *t); /* NULL is fine */

/*
 * Somebody at `address` wants to try a password of `user`. Of an IPv6 address
 * give the first 64 bits: one subscriber has them all.
 *
 * OK       try it; it counts as failed
 * E_AGAIN  not before *wait_ms have gone by
 */
MUST_CHECK int throttle_begin(struct throttle *t, struct bytes user,
			      struct bytes address, uint64_t now_ms,
			      uint64_t *wait_ms);
/* It was right. The name starts anew; the address gets only this one attempt
 * back, or a guesser with one account could go on for ever. */
void throttle_succeeded(struct throttle *t, struct bytes user,
			struct bytes address);

#endif
