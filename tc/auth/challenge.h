#ifndef TC_AUTH_CHALLENGE_H
#define TC_AUTH_CHALLENGE_H

/*
 * The coordinator's nonce of one connection: good for one answer, for a while.
 * It lies in the connection's own struct, so it goes with it.
 */

#include "tc/auth/secret.h"

struct challenge {
	uint8_t nonce[SECRET_LEN];
	uint64_t until_ms; /* 0: there is none */
};

/* A new nonce, in place of what was there; good before now_ms + keep_ms. */
void challenge_make(struct challenge *c, const struct entropy *entropy,
		    uint64_t now_ms, uint64_t keep_ms);
/*
 * Take it for the answer that came: *nonce is what the answer must be made of.
 * Whatever becomes of that answer, there is no second one.
 * E_STATE: there is none, or it was taken. E_TIMEOUT: it is too old.
 */
MUST_CHECK int challenge_take(struct challenge *c, uint64_t now_ms,
			      uint8_t nonce[SECRET_LEN]);

#endif
