#ifndef TC_AUTH_API_TOKEN_H
#define TC_AUTH_API_TOKEN_H

/*
 * Tokens of programs that use the http door: "tty_" and 32 random bytes in
 * base64url.
 *
 * Rules
 * -----
 *  - The token is shown once, when it is made. What is kept is its BLAKE2b-256,
 *    by which it is found; 256 random bits need no slow hash and no salt.
 *  - A token that is unknown, over, or malformed gets the same answer.
 *  - A token does not end with the user who made it: services outlive people.
 *    .created_by says whose tokens to look at.
 *  - The time of its last use is kept roughly: a row each hour at most.
 */

#include "base/buf.h"
#include "tc/auth/role.h"
#include "tc/auth/secret.h"

#define API_TOKEN_LEN       (4 + SECRET_TEXT_LEN)
#define API_TOKEN_LABEL_MAX 128
#define API_TOKEN_USED_MS   (UINT64_C(3600) * 1000)

struct api_token_record {
	struct bytes hash;  /* SECRET_LEN bytes */
	struct bytes label; /* for people: what uses it */
	unsigned scopes;    /* bits of enum scope, at least one */
	struct bytes created_by;
	uint64_t created_wall_ms;
	uint64_t expires_wall_ms; /* from then on it is over; 0: never */
	uint64_t used_wall_ms;    /* 0: never */
};

/* A new one, and what is kept of it. Wipe the text when it was said. */
void api_token_make(char text[API_TOKEN_LEN + 1], uint8_t hash[SECRET_LEN],
		    const struct entropy *entropy);
/* What a token that somebody sent would be kept as. E_INVALID: it is none. */
MUST_CHECK int api_token_parse(struct bytes text, uint8_t hash[SECRET_LEN]);

/* E_INVALID: *why (if not NULL) ends the sentence "the label …". */
MUST_CHECK int api_token_label_check(struct bytes label, const char **why);
bool api_token_over(const struct api_token_record *r, uint64_t wall_ms);
/* It is used now: must the row be written again, with .used_wall_ms? */
bool api_token_used_is_news(const struct api_token_record *r, uint64_t wall_ms);

/* As user_record_put() and user_record_get(). */
void api_token_record_put(struct buf *out, const struct api_token_record *r);
MUST_CHECK int api_token_record_get(struct api_token_record *out,
				    struct bytes body);

#endif
