#ifndef TC_HOST_PASSWORD_H
#define TC_HOST_PASSWORD_H

/*
 * Argon2id by libsodium. Slow on purpose and hungry for memory, so it runs on
 * the hasher's thread (tc/host/hasher.h), never on the loop's.
 *
 * Rules
 * -----
 *  - secret_init() (tc/auth/secret.h) comes first.
 *  - A user that does not exist costs as much as a wrong password.
 *  - No memory is an answer of its own: it is not "wrong".
 */

#include "base/base.h"

#define PASSWORD_HASH_SIZE 128 /* with the NUL */

struct password_cost {
	uint64_t passes;
	size_t memory; /* bytes */
};

/* 64 MiB, 2 passes: about a tenth of a second of one core. */
void password_cost_default(struct password_cost *cost);
/* The least that Argon2id takes; for tests. */
void password_cost_least(struct password_cost *cost);

/* An argon2id string with a salt of its own. E_NOMEM; E_INVALID: the cost is
 * out of range. */
MUST_CHECK int password_hash(char out[PASSWORD_HASH_SIZE],
			     struct bytes password,
			     const struct password_cost *cost);
/*
 * Is it the one that the string was made of? NULL or "" for a user that does
 * not exist: the same work (of `cost`), and E_DENIED.
 * OK, E_DENIED, E_NOMEM. E_CORRUPT: it is no argon2id string.
 */
MUST_CHECK int password_check(const char *hash, struct bytes password,
			      const struct password_cost *cost);
/* Was it made at another cost than this? Then hash anew, when it is known. */
bool password_is_stale(const char *hash, const struct password_cost *cost);

#endif
