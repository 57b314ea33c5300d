#ifndef TC_AUTH_SECRET_H
#define TC_AUTH_SECRET_H

/*
 * What the rest of tc/auth is made of: random bytes, hashes, comparisons that
 * take the same time whatever they find, and wiping. All by libsodium.
 *
 * Rules
 * -----
 *  - secret_init() comes first, once for the process.
 *  - Random bytes come through a struct entropy, so that a test can say them.
 *    (The salt of a password is the one exception: libsodium draws it itself.)
 *  - A secret is compared by secret_equal() only, and wiped where it was.
 */

#include "base/base.h"

#define SECRET_LEN      32 /* bytes of a random secret, of a hash, of a MAC */
#define SECRET_TEXT_LEN 43 /* as base64url without padding */

struct entropy {
	void (*fill)(void *ctx, void *to, size_t n);
	void *ctx;
};

/* The kernel's, by libsodium. */
extern const struct entropy entropy_system;

/* OK, or E_IO: this machine has no random numbers. */
MUST_CHECK int secret_init(void);

void secret_fill(const struct entropy *e, void *to, size_t n);
void secret_wipe(void *p, size_t n);
/* The time depends on the lengths alone. */
bool secret_equal(struct bytes a, struct bytes b);

/* BLAKE2b-256; with a key of SECRET_LEN bytes nobody without it can tell what
 * was hashed. `key` NULL: without one. */
void secret_hash(uint8_t out[SECRET_LEN], const uint8_t *key, struct bytes b);
/* HMAC-SHA256. */
void secret_mac(uint8_t out[SECRET_LEN], const uint8_t key[SECRET_LEN],
		struct bytes b);

/* base64url of SECRET_LEN bytes, and the only spelling that is read back. */
void secret_text(char out[SECRET_TEXT_LEN + 1], const uint8_t in[SECRET_LEN]);
MUST_CHECK int secret_of_text(uint8_t out[SECRET_LEN],
			      struct bytes text); /* E_INVALID */

#endif
