#include "tc/auth/challenge.h"

void challenge_make(struct challenge *c, const struct entropy *entropy,
		    uint64_t now_ms, uint64_t keep_ms)
{
	REQUIRE(keep_ms > 0 && keep_ms <= UINT64_MAX - now_ms);
	secret_fill(entropy, c->nonce, sizeof c->nonce);
	c->until_ms = now_ms + keep_ms;
}

int challenge_take(struct challenge *c, uint64_t now_ms,
		   uint8_t nonce[SECRET_LEN])
{
	uint64_t until = c->until_ms;

	if (until == 0)
		return E_STATE;
	if (now_ms < until)
		memcpy(nonce, c->nonce, sizeof c->nonce);
	secret_wipe(c, sizeof *c);
	return now_ms < until ? OK : E_TIMEOUT;
}
