/* Logging in: throttle, sessions, and the book of who is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tc/auth/book.h"
#include "tc/auth/login.h"
#include "tc/auth/throttle.h"
#include "tests/fakes/flaky.h"

#define ARGON  "$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$aGFzaA"
#define NOBODY ((struct bytes){ 0 })

/* ---- throttle ---- */

static struct throttle *throttle(const struct throttle_config *config)
{
	struct throttle *t = NULL;

	assert_int_equal(throttle_new(&t, &mem_heap, config, &entropy_system),
			 OK);
	return t;
}

/* free 3, waits 100 200 400 500 500; an address: free 6, 1000 2000 … */
static const struct throttle_config quick = {
	.user = { 3, 100, 500, 5000 },
	.address = { 6, 1000, 4000, 9000 },
	.places = 64,
};

static uint64_t try(struct throttle *t, const char *user, const char *address,
		    uint64_t now)
{
	uint64_t wait = 0;
	int rc = throttle_begin(t, bytes_of(user), bytes_of(address), now,
				&wait);

	assert_int_equal(rc, wait > 0 ? E_AGAIN : OK);
	return wait;
}

static void test_waits_double_up_to_a_limit(void **state)
{
	static const uint64_t waits[] = { 0, 0, 100, 200, 400, 500, 500 };
	struct throttle *t = throttle(&quick);
	uint64_t now = 10;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		char address[] = { (char)('a' + i), '\0' };

		assert_int_equal(try(t, "alice", address, now), 0);
		if (waits[i] == 0)
			continue;
		assert_int_equal(try(t, "alice", "z", now), waits[i]);
		/* asking meanwhile does not make it longer */
		assert_int_equal(try(t, "alice", "z", now + waits[i] - 1), 1);
		now += waits[i];
	}
	assert_int_equal(try(t, "bob", "z", now), 0); /* nobody else waits */
	throttle_free(t);
}

static void test_an_attempt_counts_when_it_begins(void **state)
{
	struct throttle *t = throttle(&quick);

	(void)state;
	/* three at a time, none of them answered yet: no fourth */
	for (int i = 0; i < 3; i++)
		assert_int_equal(try(t, "alice", "a", 0), 0);
	assert_int_equal(try(t, "alice", "a", 0), 100);
	throttle_succeeded(t, BYTES("alice"), BYTES("a"));
	assert_int_equal(try(t, "alice", "a", 0), 0);
	throttle_free(t);
}

static void test_an_address_is_throttled_over_all_names(void **state)
{
	struct throttle *t = throttle(&quick);

	(void)state;
	for (int i = 0; i < 6; i++) {
		char user[] = { (char)('a' + i), '\0' };

		assert_int_equal(try(t, user, "1.2.3.4", 0), 0);
	}
	assert_int_equal(try(t, "another", "1.2.3.4", 0), 1000);
	assert_int_equal(try(t, "another", "1.2.3.5", 0), 0);
	throttle_free(t);
}

static void test_ones_own_account_buys_no_guesses(void **state)
{
	struct throttle *t = throttle(&quick);
	uint64_t guesses = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		char user[] = { (char)('a' + i % 26), (char)('a' + i / 26),
				'\0' };

		if (try(t, user, "1.2.3.4", 0) == 0)
			guesses++;
		if (try(t, "mallory", "1.2.3.4", 0) == 0)
			throttle_succeeded(t, BYTES("mallory"),
					   BYTES("1.2.3.4"));
	}
	assert_true(guesses <= 6);
	throttle_free(t);
}

static void test_a_name_is_no_address(void **state)
{
	struct throttle *t = throttle(&quick);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(try(t, "x", "y", 0), 0);
	assert_int_equal(try(t, "y", "x", 0), 0);
	throttle_free(t);
}

static void test_what_is_quiet_is_forgotten(void **state)
{
	struct throttle *t = throttle(&quick);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(try(t, "alice", "a", 0), 0);
	assert_int_equal(try(t, "alice", "b", 4999), 0); /* the fourth */
	assert_int_equal(try(t, "alice", "b", 4999), 200);
	assert_int_equal(try(t, "alice", "c", 4999 + 5000), 0);
	assert_int_equal(try(t, "alice", "c", 4999 + 5000), 0); /* anew */
	throttle_free(t);
}

static void test_a_flood_of_names_frees_nobody(void **state)
{
	struct throttle *t = throttle(&quick);
	uint64_t seed = 7;

	(void)state;
	for (uint64_t i = 0, now = 0; i < 5; i++, now += 500)
		assert_int_equal(try(t, "alice", i < 3 ? "a" : "b", now), 0);
	assert_true(try(t, "alice", "c", 2001) > 0);
	for (int i = 0; i < 5000; i++) {
		uint64_t name = random_next(&seed), wait;
		uint64_t address = random_next(&seed);
		int rc = throttle_begin(
			t, (struct bytes){ (uint8_t *)&name, 8 },
			(struct bytes){ (uint8_t *)&address, 8 }, 2002, &wait);

		assert_int_equal(rc, OK);
	}
	assert_true(try(t, "alice", "c", 2003) > 0);
	throttle_free(t);
}

static void test_the_longest_wait_never_overflows(void **state)
{
	struct throttle *t = throttle(&quick);

	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		assert_int_equal(try(t, "alice", "a", 4000 * i), 0);
	throttle_free(t);
}

/* ---- sessions ---- */

static const struct login_config hours = {
	.idle_ms = 100, .absolute_ms = 1000, .max = 4, .per_user_max = 2
};

static struct logins *logins(const struct login_config *config)
{
	struct logins *l = NULL;

	assert_int_equal(logins_new(&l, &mem_heap, config, &entropy_system),
			 OK);
	return l;
}

struct cookie {
	char text[SECRET_TEXT_LEN + 1];
};

static struct cookie open_for(struct logins *l, const char *user, uint64_t now)
{
	struct cookie c;

	assert_int_equal(login_open(l, bytes_of(user), now, c.text), OK);
	assert_int_equal(strlen(c.text), SECRET_TEXT_LEN);
	return c;
}

static bool is_open(struct logins *l, const struct cookie *c, uint64_t now)
{
	struct login_view v;

	return login_find(l, bytes_of(c->text), now, &v) == OK;
}

static void test_a_session_says_whose_it_is(void **state)
{
	struct logins *l = logins(&hours);
	struct cookie a = open_for(l, "alice", 5), b = open_for(l, "bob", 6);
	struct login_view v;

	(void)state;
	assert_string_not_equal(a.text, b.text);
	assert_int_equal(login_find(l, bytes_of(a.text), 7, &v), OK);
	assert_true(bytes_equal(v.user, BYTES("alice")));
	assert_int_equal(v.opened_ms, 5);
	assert_int_equal(v.until_ms, 1005);
	assert_int_equal(login_find(l, bytes_of(b.text), 7, &v), OK);
	assert_true(bytes_equal(v.user, BYTES("bob")));
	logins_free(l);
}

static void test_a_session_that_is_idle_ends(void **state)
{
	struct logins *l = logins(&hours);
	struct cookie a = open_for(l, "alice", 0);

	(void)state;
	assert_true(is_open(l, &a, 99));
	assert_true(is_open(l, &a, 198)); /* it was used at 99 */
	assert_false(is_open(l, &a, 298));
	assert_false(is_open(l, &a, 199)); /* and is gone */
	logins_free(l);
}

static void test_a_session_that_is_used_ends_in_the_end(void **state)
{
	struct logins *l = logins(&hours);
	struct cookie a = open_for(l, "alice", 0);

	(void)state;
	for (uint64_t now = 0; now < 1000; now += 50)
		assert_true(is_open(l, &a, now));
	assert_false(is_open(l, &a, 1000));
	logins_free(l);
}

static void test_a_wrong_cookie_is_nobodys(void **state)
{
	struct logins *l = logins(&hours);
	struct cookie a = open_for(l, "alice", 0), other = a;
	struct login_view v;

	(void)state;
	other.text[5] = other.text[5] == 'x' ? 'y' : 'x';
	assert_false(is_open(l, &other, 1));
	assert_int_equal(login_find(l, BYTES(""), 1, &v), E_DENIED);
	assert_int_equal(login_find(l, BYTES("alice"), 1, &v), E_DENIED);
	assert_int_equal(login_find(l,
				    (struct bytes){ (uint8_t *)a.text,
						    SECRET_TEXT_LEN - 1 },
				    1, &v),
			 E_DENIED);
	assert_true(is_open(l, &a, 1));
	logins_free(l);
}

static void test_logging_out_ends_one_session(void **state)
{
	struct logins *l = logins(&hours);
	struct cookie a = open_for(l, "alice", 0), b = open_for(l, "alice", 0);

	(void)state;
	login_close(l, bytes_of(a.text));
	login_close(l, bytes_of(a.text));
	login_close(l, BYTES("nonsense"));
	assert_false(is_open(l, &a, 1));
	assert_true(is_open(l, &b, 1));
	logins_free(l);
}

static void test_another_password_ends_the_other_sessions(void **state)
{
	struct logins *l = logins(&hours);
	struct cookie a = open_for(l, "alice", 0), b = open_for(l, "alice", 0);
	struct cookie bob = open_for(l, "bob", 0);

	(void)state;
	assert_int_equal(login_close_user(l, BYTES("alice"), bytes_of(b.text)),
			 1);
	assert_false(is_open(l, &a, 1));
	assert_true(is_open(l, &b, 1));
	assert_true(is_open(l, &bob, 1));
	assert_int_equal(login_close_user(l, BYTES("alice"), NOBODY), 1);
	assert_false(is_open(l, &b, 1));
	assert_true(is_open(l, &bob, 1));
	logins_free(l);
}

static void test_one_too_many_of_a_user_ends_the_idlest(void **state)
{
	struct logins *l = logins(&hours);
	struct cookie a = open_for(l, "alice", 0), b = open_for(l, "alice", 1);
	struct cookie bob = open_for(l, "bob", 0), c;

	(void)state;
	assert_true(is_open(l, &a, 2)); /* so b is idle for longest */
	c = open_for(l, "alice", 3);
	assert_true(is_open(l, &a, 4));
	assert_false(is_open(l, &b, 4));
	assert_true(is_open(l, &c, 4));
	assert_true(is_open(l, &bob, 4));
	logins_free(l);
}

static void test_sessions_are_limited_and_room_comes_back(void **state)
{
	struct logins *l = logins(&hours);
	struct cookie c;

	(void)state;
	open_for(l, "a", 0);
	open_for(l, "b", 0);
	open_for(l, "c", 50);
	open_for(l, "d", 50);
	assert_int_equal(login_open(l, BYTES("e"), 60, c.text), E_LIMIT);
	assert_int_equal(login_sweep(l, 100), 2); /* a and b are over */
	assert_int_equal(login_open(l, BYTES("e"), 100, c.text), OK);
	assert_int_equal(login_open(l, BYTES("f"), 160, c.text), OK);
	assert_int_equal(login_sweep(l, 160), 2);
	assert_int_equal(login_sweep(l, 10000), 0);
	logins_free(l);
}

static void test_a_csrf_token_is_of_one_session(void **state)
{
	struct logins *l = logins(&hours), *other = logins(&hours);
	struct cookie a = open_for(l, "alice", 0), b = open_for(l, "alice", 0);
	char ta[SECRET_TEXT_LEN + 1], tb[SECRET_TEXT_LEN + 1];

	(void)state;
	assert_int_equal(login_csrf(l, bytes_of(a.text), ta), OK);
	assert_int_equal(login_csrf(l, bytes_of(b.text), tb), OK);
	assert_string_not_equal(ta, tb);
	assert_string_not_equal(ta, a.text);
	assert_true(login_csrf_good(l, bytes_of(a.text), bytes_of(ta)));
	assert_false(login_csrf_good(l, bytes_of(a.text), bytes_of(tb)));
	assert_false(login_csrf_good(l, bytes_of(a.text), bytes_of(a.text)));
	assert_false(login_csrf_good(l, bytes_of(a.text), NOBODY));
	assert_false(login_csrf_good(l, NOBODY, bytes_of(ta)));
	/* of a process of its own: the key is another */
	assert_false(login_csrf_good(other, bytes_of(a.text), bytes_of(ta)));
	assert_int_equal(login_csrf(l, BYTES("nonsense"), ta), E_INVALID);
	logins_free(l);
	logins_free(other);
}

struct searched {
	struct mem mem;
	uint8_t *blocks[64];
	size_t sizes[64];
	size_t n;
};

static void *searched_alloc(void *ctx, size_t size)
{
	struct searched *s = ctx;

	assert_true(s->n < ARRAY_LEN(s->blocks));
	s->sizes[s->n] = size;
	s->blocks[s->n] = mem_alloc(&mem_heap, size);
	return s->blocks[s->n++];
}

static void searched_free(void *ctx, void *p)
{
	(void)ctx; /* at the end of the test */
	(void)p;
}

static bool searched_has(const struct searched *s, struct bytes what)
{
	for (size_t i = 0; i < s->n; i++)
		if (memmem(s->blocks[i], s->sizes[i], what.data, what.len))
			return true;
	return false;
}

static void searched_fini(struct searched *s)
{
	for (size_t i = 0; i < s->n; i++)
		mem_free(&mem_heap, s->blocks[i]);
}

static void test_no_session_can_be_taken_from_the_memory(void **state)
{
	struct searched s = { .mem = { searched_alloc, searched_free, NULL } };
	char csrf[SECRET_TEXT_LEN + 1];
	uint8_t raw[SECRET_LEN];
	struct logins *l;
	struct cookie a;

	(void)state;
	s.mem.ctx = &s;
	assert_int_equal(logins_new(&l, &s.mem, &hours, &entropy_system), OK);
	a = open_for(l, "alice", 0);
	assert_true(is_open(l, &a, 1));
	assert_int_equal(secret_of_text(raw, bytes_of(a.text)), OK);
	assert_true(searched_has(&s, BYTES("alice"))); /* the search works */
	assert_false(searched_has(&s, bytes_of(a.text)));
	assert_int_equal(login_csrf(l, bytes_of(a.text), csrf), OK);
	assert_int_equal(secret_of_text(raw, bytes_of(csrf)), OK);
	assert_false(searched_has(&s, (struct bytes){ raw, sizeof raw }));
	assert_false(searched_has(&s, (struct bytes){ raw, sizeof raw }));
	logins_free(l);
	searched_fini(&s);
}

/* ---- the book ---- */

static struct book *book(const struct mem *mem)
{
	struct book *b = NULL;

	assert_int_equal(book_new(&b, mem, 5, 42), OK);
	return b;
}

static int put_user(struct book *b, uint64_t id, const char *name,
		    enum role role, bool disabled)
{
	struct user_record r = { .name = bytes_of(name),
				 .role = role,
				 .password = BYTES(ARGON),
				 .disabled = disabled };
	struct buf body;
	int rc, checked;

	buf_init(&body, &mem_heap);
	user_record_put(&body, &r);
	checked = book_check(b, BOOK_USER, id, buf_bytes(&body));
	rc = book_put(b, BOOK_USER, id, buf_bytes(&body));
	assert_int_equal(rc, checked);
	buf_fini(&body);
	book_self_check(b);
	return rc;
}

static int put_key(struct book *b, uint64_t id, const char *application,
		   const char *key_id)
{
	static const uint8_t secret[SECRET_LEN] = "a secret of an application";
	struct app_key_record r = { .application = bytes_of(application),
				    .key_id = bytes_of(key_id),
				    .secret = { secret, SECRET_LEN } };
	struct buf body;
	int rc;

	buf_init(&body, &mem_heap);
	app_key_record_put(&body, &r);
	rc = book_put(b, BOOK_KEY, id, buf_bytes(&body));
	buf_fini(&body);
	book_self_check(b);
	return rc;
}

static int put_token(struct book *b, uint64_t id, uint8_t hash_begin)
{
	uint8_t hash[SECRET_LEN] = { hash_begin };
	struct api_token_record r = { .hash = { hash, SECRET_LEN },
				      .label = BYTES("ci"),
				      .scopes = SCOPE_READ };
	struct buf body;
	int rc;

	buf_init(&body, &mem_heap);
	api_token_record_put(&body, &r);
	rc = book_put(b, BOOK_TOKEN, id, buf_bytes(&body));
	buf_fini(&body);
	book_self_check(b);
	return rc;
}

static void test_who_was_put_is_found_until_dropped(void **state)
{
	struct book *b = book(&mem_heap);
	uint8_t hash[SECRET_LEN] = { 9 };

	(void)state;
	assert_int_equal(put_user(b, 3, "alice", ROLE_ADMIN, false), OK);
	assert_int_equal(put_user(b, 1, "bob", ROLE_VIEWER, false), OK);
	assert_int_equal(put_token(b, 3, 9), OK);
	assert_int_equal(put_key(b, 3, "order", "1"), OK);
	assert_int_equal(book_user(b, BYTES("alice"))->user.role, ROLE_ADMIN);
	assert_int_equal(book_user(b, BYTES("bob"))->id, 1);
	assert_null(book_user(b, BYTES("carol")));
	assert_null(book_user(b, BYTES("alic")));
	assert_int_equal(book_token(b, hash)->token.scopes, SCOPE_READ);
	hash[31] = 1;
	assert_null(book_token(b, hash));
	assert_int_equal(book_key(b, BYTES("order"), BYTES("1"))->id, 3);
	assert_null(book_key(b, BYTES("order"), BYTES("2")));
	assert_null(book_key(b, BYTES("1"), BYTES("order")));
	assert_int_equal(book_find(b, BOOK_USER, 1)->kind, BOOK_USER);
	assert_null(book_find(b, BOOK_TOKEN, 1));
	assert_int_equal(book_count(b, BOOK_USER), 2);
	assert_int_equal(book_next_id(b), 4);
	assert_int_equal(book_drop(b, BOOK_USER, 1), OK);
	assert_int_equal(book_drop(b, BOOK_USER, 1), E_NOTFOUND);
	assert_null(book_user(b, BYTES("bob")));
	assert_int_equal(book_drop(b, BOOK_TOKEN, 3), OK);
	assert_int_equal(book_drop(b, BOOK_KEY, 3), OK);
	assert_null(book_key(b, BYTES("order"), BYTES("1")));
	assert_int_equal(book_next_id(b), 4); /* no id comes again */
	book_self_check(b);
	book_free(b);
}

static void test_a_row_takes_the_place_of_its_former_self(void **state)
{
	struct book *b = book(&mem_heap);

	(void)state;
	assert_int_equal(put_user(b, 1, "root", ROLE_ADMIN, false), OK);
	assert_int_equal(put_user(b, 2, "alice", ROLE_VIEWER, false), OK);
	assert_int_equal(put_user(b, 2, "alice", ROLE_OPERATOR, false), OK);
	assert_int_equal(book_user(b, BYTES("alice"))->user.role,
			 ROLE_OPERATOR);
	assert_int_equal(put_user(b, 2, "alicia", ROLE_OPERATOR, false), OK);
	assert_null(book_user(b, BYTES("alice")));
	assert_int_equal(book_count(b, BOOK_USER), 2);
	assert_int_equal(put_user(b, 3, "alicia", ROLE_VIEWER, false),
			 E_CONFLICT);
	assert_int_equal(put_user(b, 2, "root", ROLE_VIEWER, false),
			 E_CONFLICT);
	assert_int_equal(book_user(b, BYTES("root"))->id, 1);
	assert_int_equal(put_token(b, 1, 9), OK);
	assert_int_equal(put_token(b, 2, 9), E_CONFLICT);
	book_free(b);
}

static void test_the_last_admin_stays(void **state)
{
	struct book *b = book(&mem_heap);

	(void)state;
	assert_int_equal(put_user(b, 1, "root", ROLE_ADMIN, false), OK);
	assert_int_equal(put_user(b, 2, "off", ROLE_ADMIN, true), OK);
	assert_int_equal(put_user(b, 1, "root", ROLE_OPERATOR, false), E_STATE);
	assert_int_equal(put_user(b, 1, "root", ROLE_ADMIN, true), E_STATE);
	assert_int_equal(book_drop(b, BOOK_USER, 1), E_STATE);
	assert_int_equal(book_user(b, BYTES("root"))->user.role, ROLE_ADMIN);
	assert_int_equal(put_user(b, 1, "boss", ROLE_ADMIN, false), OK);
	assert_int_equal(put_user(b, 2, "off", ROLE_ADMIN, false), OK);
	assert_int_equal(book_drop(b, BOOK_USER, 1), OK);
	assert_int_equal(book_drop(b, BOOK_USER, 2), E_STATE);
	book_free(b);
}

static void test_an_application_has_two_keys_at_most(void **state)
{
	struct book *b = book(&mem_heap);

	(void)state;
	assert_int_equal(put_key(b, 1, "order", "old"), OK);
	assert_int_equal(put_key(b, 2, "order", "new"), OK);
	assert_int_equal(put_key(b, 3, "order", "newer"), E_LIMIT);
	assert_int_equal(put_key(b, 3, "stock", "new"), OK);
	assert_int_equal(put_key(b, 1, "order", "newer"), OK); /* in place */
	assert_int_equal(put_key(b, 3, "order", "new"), E_CONFLICT);
	assert_int_equal(book_drop(b, BOOK_KEY, 1), OK);
	assert_int_equal(put_key(b, 4, "order", "newer"), OK);
	book_free(b);
}

static void test_the_book_has_a_limit(void **state)
{
	struct book *b = book(&mem_heap);

	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(put_token(b, i, (uint8_t)i), OK);
	assert_int_equal(put_token(b, 6, 6), E_LIMIT);
	assert_int_equal(put_token(b, 5, 7), OK);
	assert_int_equal(put_user(b, 6, "root", ROLE_ADMIN, false), OK);
	book_free(b);
}

static void test_a_damaged_row_is_not_put(void **state)
{
	struct book *b = book(&mem_heap);

	(void)state;
	assert_int_equal(book_put(b, BOOK_USER, 1, BYTES("")), E_CORRUPT);
	assert_int_equal(book_put(b, BOOK_TOKEN, 1, BYTES("\1")), E_CORRUPT);
	assert_int_equal(book_put(b, BOOK_KEY, 1, BYTES("\7")), E_VERSION);
	assert_int_equal(book_count(b, BOOK_KEY), 0);
	book_free(b);
}

static bool note_id(void *ctx, const struct book_entry *e)
{
	struct buf *b = ctx;

	buf_printf(b, "%llu ", (unsigned long long)e->id);
	return b->len < 6;
}

static void test_entries_are_walked_by_id_until_told_to_stop(void **state)
{
	struct book *b = book(&mem_heap);
	struct buf ids;

	(void)state;
	buf_init(&ids, &mem_heap);
	assert_int_equal(put_token(b, 4, 4), OK);
	assert_int_equal(put_token(b, 1, 1), OK);
	assert_int_equal(put_token(b, 3, 3), OK);
	assert_int_equal(put_token(b, 2, 2), OK);
	book_each(b, BOOK_TOKEN, note_id, &ids);
	assert_string_equal(buf_text(&ids), "1 2 3 ");
	buf_fini(&ids);
	book_free(b);
}

static void test_a_secret_is_wiped_when_its_entry_goes(void **state)
{
	struct searched s = { .mem = { searched_alloc, searched_free, NULL } };
	struct book *b;

	(void)state;
	s.mem.ctx = &s;
	b = book(&s.mem);
	assert_int_equal(put_key(b, 1, "order", "1"), OK);
	assert_true(searched_has(&s, BYTES("a secret of an")));
	assert_int_equal(book_drop(b, BOOK_KEY, 1), OK);
	assert_false(searched_has(&s, BYTES("a secret of an")));
	assert_int_equal(put_key(b, 1, "order", "1"), OK);
	book_free(b);
	assert_false(searched_has(&s, BYTES("a secret of an")));
	searched_fini(&s);
}

static int set_up(void **state)
{
	(void)state;
	return secret_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_double_up_to_a_limit),
		cmocka_unit_test(test_an_attempt_counts_when_it_begins),
		cmocka_unit_test(test_an_address_is_throttled_over_all_names),
		cmocka_unit_test(test_ones_own_account_buys_no_guesses),
		cmocka_unit_test(test_a_name_is_no_address),
		cmocka_unit_test(test_what_is_quiet_is_forgotten),
		cmocka_unit_test(test_a_flood_of_names_frees_nobody),
		cmocka_unit_test(test_the_longest_wait_never_overflows),
		cmocka_unit_test(test_a_session_says_whose_it_is),
		cmocka_unit_test(test_a_session_that_is_idle_ends),
		cmocka_unit_test(test_a_session_that_is_used_ends_in_the_end),
		cmocka_unit_test(test_a_wrong_cookie_is_nobodys),
		cmocka_unit_test(test_logging_out_ends_one_session),
		cmocka_unit_test(test_another_password_ends_the_other_sessions),
		cmocka_unit_test(test_one_too_many_of_a_user_ends_the_idlest),
		cmocka_unit_test(test_sessions_are_limited_and_room_comes_back),
		cmocka_unit_test(test_a_csrf_token_is_of_one_session),
		cmocka_unit_test(test_no_session_can_be_taken_from_the_memory),
		cmocka_unit_test(test_who_was_put_is_found_until_dropped),
		cmocka_unit_test(test_a_row_takes_the_place_of_its_former_self),
		cmocka_unit_test(test_the_last_admin_stays),
		cmocka_unit_test(test_an_application_has_two_keys_at_most),
		cmocka_unit_test(test_the_book_has_a_limit),
		cmocka_unit_test(test_a_damaged_row_is_not_put),
		cmocka_unit_test(
			test_entries_are_walked_by_id_until_told_to_stop),
		cmocka_unit_test(test_a_secret_is_wiped_when_its_entry_goes),
	};
	return cmocka_run_group_tests_name("login", tests, set_up, NULL);
}
