#ifndef TC_AUTH_LOGIN_H
#define TC_AUTH_LOGIN_H

/*
 * Who is logged in: sessions of people in their browsers.
 *
 * Rules
 * -----
 *  - The cookie is 256 random bits. What is kept is a hash of it under a key
 *    that was drawn at the start and never leaves the memory, so neither a
 *    dump of the table nor the store gives a session away. A restart ends all.
 *  - A session ends when it was idle for idle_ms, and absolute_ms after the
 *    login whatever it did.
 *  - It names the user only. The role is looked up at each request, so that a
 *    change counts at once.
 *  - The CSRF token belongs to the session: it is made of the cookie and the
 *    key, is good for no other session, and does not tell the cookie.
 *  - A login always makes a new session, whatever cookie came with it.
 *  - A user who has per_user_max sessions loses the one idle for longest.
 */

#include "tc/auth/secret.h"

struct logins;

struct login_config {
	uint64_t idle_ms;
	uint64_t absolute_ms;
	size_t max; /* of all users */
	size_t per_user_max;
};

void login_config_default(struct login_config *config);

/* OK or E_NOMEM. The configuration is copied; mem and entropy must outlive it.
 */
MUST_CHECK int logins_new(struct logins **out, const struct mem *mem,
			  const struct login_config *config,
			  const struct entropy *entropy);
void logins_free(struct logins *l); /* NULL is fine; wipes */

/*
 * A session for a user whose password was right.
 * E_LIMIT: as many as `max` are there. E_NOMEM. Wipe the cookie when it was
 * said.
 */
MUST_CHECK int login_open(struct logins *l, struct bytes user, uint64_t now_ms,
			  char cookie[SECRET_TEXT_LEN + 1]);

struct login_view {
	struct bytes user; /* borrowed until the next call */
	uint64_t opened_ms;
	uint64_t until_ms; /* it ends then at the latest, used or not */
};

/* Whose session it is; it counts as used now. E_DENIED: malformed, unknown or
 * over, which are not told apart. */
MUST_CHECK int login_find(struct logins *l, struct bytes cookie,
			  uint64_t now_ms, struct login_view *out);

/* What a page must send with each request that changes something. E_INVALID:
 * it is no cookie. */
MUST_CHECK int login_csrf(const struct logins *l, struct bytes cookie,
			  char token[SECRET_TEXT_LEN + 1]);
bool login_csrf_good(const struct logins *l, struct bytes cookie,
		     struct bytes token);

/* Log out. Fine if there is no such session. */
void login_close(struct logins *l, struct bytes cookie);
/* All of a user (disabled, another password), but the one with this cookie.
 * Returns how many. */
size_t login_close_user(struct logins *l, struct bytes user,
			struct bytes but_cookie);
/* Forget what is over. Returns how many are left. */
size_t login_sweep(struct logins *l, uint64_t now_ms);

#endif
