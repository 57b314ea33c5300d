#ifndef TC_AUTH_BOOK_H
#define TC_AUTH_BOOK_H

/*
 * Everybody who may ask for something: users, API tokens and applications'
 * keys, as their rows in the store say. Memory answers, the store remembers.
 *
 * Rules
 * -----
 *  - An entry is a row: kind, id, body (of user.h, api_token.h, app_key.h). To
 *    change one, write a new body, have it kept, and put it here when it is
 *    durable: then nobody is let in by what a crash would forget. What takes
 *    rights away may be put at once.
 *  - One user has a name, one token a hash, one key a pair of application and
 *    key id; an application has at most two keys.
 *  - There is always somebody who can administer: the last admin that is not
 *    disabled cannot be removed, disabled, or made something else.
 *  - Entries are wiped when they go.
 *  - What is looked up is borrowed until that entry is put again or dropped.
 */

#include "tc/auth/api_token.h"
#include "tc/auth/app_key.h"
#include "tc/auth/user.h"

enum book_kind {
	BOOK_USER,
	BOOK_TOKEN,
	BOOK_KEY,
	BOOK_KINDS, /* how many */
};

struct book;

/* OK or E_NOMEM. `limit` entries of each kind at most; `seed` of the hash is
 * secret and random. */
MUST_CHECK int book_new(struct book **out, const struct mem *mem, size_t limit,
			uint64_t seed);
void book_free(struct book *b); /* NULL is fine */

/*
 * A row: a new one, or in place of the one with its id.
 *
 * OK
 * E_CORRUPT, E_VERSION  the body cannot be read
 * E_CONFLICT            another id has that name, hash or key id
 * E_LIMIT               `limit`, or a third key of the application
 * E_STATE               there would be no admin any more
 * E_NOMEM
 */
MUST_CHECK int book_put(struct book *b, enum book_kind kind, uint64_t id,
			struct bytes body);
/* Would book_put() do it? The same answers, and nothing is changed. */
MUST_CHECK int book_check(const struct book *b, enum book_kind kind,
			  uint64_t id, struct bytes body);
/* E_NOTFOUND. E_STATE: it is the last admin. */
MUST_CHECK int book_drop(struct book *b, enum book_kind kind, uint64_t id);

struct book_entry {
	enum book_kind kind;
	uint64_t id; /* never 0 */
	union {
		struct user_record user;
		struct api_token_record token;
		struct app_key_record key;
	};
};

/* NULL if there is none. What is over or disabled is found too: ask. */
const struct book_entry *book_find(const struct book *b, enum book_kind kind,
				   uint64_t id);
const struct book_entry *book_user(const struct book *b, struct bytes name);
const struct book_entry *book_token(const struct book *b,
				    const uint8_t hash[SECRET_LEN]);
const struct book_entry *book_key(const struct book *b,
				  struct bytes application,
				  struct bytes key_id);

/* In the order of their ids; ends when `each` returns false. */
void book_each(const struct book *b, enum book_kind kind,
	       bool (*each)(void *ctx, const struct book_entry *), void *ctx);
size_t book_count(const struct book *b, enum book_kind kind);
/* One above every id that was ever put. */
uint64_t book_next_id(const struct book *b);

/* Walk everything and REQUIRE its invariants. For tests. */
void book_self_check(const struct book *b);

#endif
