#ifndef TC_AUTH_APP_KEY_H
#define TC_AUTH_APP_KEY_H

/*
 * Keys by which agents prove which application they are, and what such a key
 * is good for.
 *
 * Rules
 * -----
 *  - An application has at most two keys at a time: make the second, give it to
 *    every process, drop the first. (tc/auth/book.h counts.)
 *  - A rule about resources is a name, or a beginning followed by "*". No rules
 *    at all: any resource. So "db1" does not allow "db10".
 *  - The secret is kept as it is, since an HMAC needs it: who can read the data
 *    directory can be any application.
 */

#include "base/buf.h"
#include "tc/auth/secret.h"

#define APP_KEY_ID_MAX       64
#define APP_KEY_NAME_MAX     255 /* of the application, of a rule */
#define APP_KEY_RULES_MAX    32
#define APP_KEYS_PER_APP_MAX 2

struct app_key_record {
	struct bytes application;
	struct bytes key_id;
	struct bytes secret;                   /* SECRET_LEN bytes */
	struct bytes rules[APP_KEY_RULES_MAX]; /* resources that are allowed */
	size_t n_rules;                        /* 0: all of them */
	bool own_only; /* asks about transactions of its application only */
	struct bytes created_by;
	uint64_t created_wall_ms;
	uint64_t expires_wall_ms; /* 0: never */
};

/* E_INVALID: *why (if not NULL) ends the sentence "the rule …". */
MUST_CHECK int app_key_rule_check(struct bytes rule, const char **why);

bool app_key_over(const struct app_key_record *r, uint64_t wall_ms);
/* May a branch be registered on it, or its phase two be offered? */
bool app_key_allows(const struct app_key_record *r, struct bytes resource);

/* Sign what was said in a hello (wire/hello.h). */
void app_key_sign(uint8_t out[SECRET_LEN], const struct app_key_record *key,
		  struct bytes transcript);
/* Is this the signature? For an unknown key (NULL) it is not, after the same
 * time. */
bool app_key_signed(const struct app_key_record *key, struct bytes transcript,
		    struct bytes signature);

/* ---- the row; as user_record_put() and user_record_get() ---- */

void app_key_record_put(struct buf *out, const struct app_key_record *r);
MUST_CHECK int app_key_record_get(struct app_key_record *out,
				  struct bytes body);

#endif
