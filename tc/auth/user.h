#ifndef TC_AUTH_USER_H
#define TC_AUTH_USER_H

/*
 * People who may log in.
 *
 * Rules
 * -----
 *  - A name has 1 to 64 of a-z 0-9 . _ @ + - and begins with a letter or a
 *    digit: no two names look alike, and none can break a line of a log.
 *  - A password has 12 to 1024 bytes of UTF-8 without control characters and
 *    is not the user's name. There is no rule about kinds of characters.
 *  - The row has the argon2id string of libsodium ("$argon2id$…"), which names
 *    its own cost and salt; never the password.
 *  - One that was made for the first login must be changed before anything
 *    else is done with it (.must_change).
 */

#include "base/buf.h"
#include "tc/auth/role.h"
#include "tc/auth/secret.h"

#define USER_NAME_MAX     64
#define PASSWORD_MIN      12
#define PASSWORD_MAX      1024
#define PASSWORD_HASH_MAX 127 /* without the NUL */

struct user_record {
	struct bytes name;
	enum role role;
	struct bytes password; /* argon2id string */
	bool disabled;
	bool must_change;
	uint64_t created_wall_ms;
	uint64_t changed_wall_ms; /* the password was set */
};

/* E_INVALID: *why (if not NULL) ends the sentence "the name …". */
MUST_CHECK int user_name_check(struct bytes name, const char **why);
/* E_INVALID: *why (if not NULL) ends the sentence "the password …". */
MUST_CHECK int user_password_check(struct bytes name, struct bytes password,
				   const char **why);

/* A password to be read and typed once: 100 random bits as
 * "xxxxx-xxxxx-xxxxx-xxxxx" without letters that look alike. Wipe it. */
#define ONE_TIME_LEN 23
void user_one_time_password(char out[ONE_TIME_LEN + 1],
			    const struct entropy *entropy);

/* The body of the row; the buffer's stickiness tells of E_NOMEM. */
void user_record_put(struct buf *out, const struct user_record *r);
/* E_CORRUPT: cut off, or a value out of its range. E_VERSION: written by a
 * newer version. What is decoded borrows from the body. */
MUST_CHECK int user_record_get(struct user_record *out, struct bytes body);

#endif
