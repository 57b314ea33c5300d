/* Every allocation of the book, the sessions and the throttle fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tc/auth/book.h"
#include "tc/auth/login.h"
#include "tc/auth/throttle.h"
#include "tests/fakes/flaky.h"

static void put_user(struct buf *b, const char *name, enum role role)
{
	struct user_record r = { .name = bytes_of(name),
				 .role = role,
				 .password = BYTES("$argon2id$v=19$x") };

	buf_clear(b);
	user_record_put(b, &r);
	assert_int_equal(buf_error(b), OK);
}

static int fill_book(struct book *b, struct buf *body)
{
	int rc;

	put_user(body, "root", ROLE_ADMIN);
	rc = book_put(b, BOOK_USER, 1, buf_bytes(body));
	book_self_check(b);
	if (rc != OK)
		return rc;
	put_user(body, "alice", ROLE_VIEWER);
	rc = book_put(b, BOOK_USER, 2, buf_bytes(body));
	book_self_check(b);
	assert_non_null(book_user(b, BYTES("root")));
	assert_true((book_user(b, BYTES("alice")) != NULL) == (rc == OK));
	if (rc != OK)
		return rc;
	put_user(body, "alice", ROLE_OPERATOR);
	rc = book_put(b, BOOK_USER, 2, buf_bytes(body));
	book_self_check(b);
	assert_int_equal(book_user(b, BYTES("alice"))->user.role,
			 rc == OK ? ROLE_OPERATOR : ROLE_VIEWER);
	return rc;
}

static void test_a_book_without_memory_is_as_it_was(void **state)
{
	struct flaky f;
	struct buf body;
	int rc = E_NOMEM;

	(void)state;
	buf_init(&body, &mem_heap);
	for (long n = 0; rc != OK; n++) {
		struct book *b = NULL;

		assert_true(n < 100);
		flaky_init(&f, n);
		rc = book_new(&b, &f.mem, 10, 1);
		if (rc == OK)
			rc = fill_book(b, &body);
		assert_true(rc == OK || rc == E_NOMEM);
		book_free(b);
		assert_int_equal(f.live, 0);
	}
	buf_fini(&body);
}

static void test_sessions_without_memory_are_as_they_were(void **state)
{
	const struct login_config config = { 100, 100, 4, 1 };
	struct flaky f;
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct logins *l = NULL;
		char a[SECRET_TEXT_LEN + 1], b[SECRET_TEXT_LEN + 1];
		struct login_view v;

		assert_true(n < 100);
		flaky_init(&f, n);
		rc = logins_new(&l, &f.mem, &config, &entropy_system);
		if (rc == OK)
			rc = login_open(l, BYTES("alice"), 0, a);
		if (rc == OK) {
			/* the old one goes only when the new one is there */
			rc = login_open(l, BYTES("alice"), 1, b);
			assert_int_equal(login_find(l, bytes_of(a), 2, &v),
					 rc == OK ? E_DENIED : OK);
		}
		assert_true(rc == OK || rc == E_NOMEM);
		logins_free(l);
		assert_int_equal(f.live, 0);
	}
}

static void test_a_throttle_takes_its_memory_at_the_start(void **state)
{
	struct throttle_config config;
	struct throttle *t = NULL;
	struct flaky f;
	uint64_t wait;

	(void)state;
	throttle_config_default(&config);
	flaky_init(&f, 0);
	assert_int_equal(throttle_new(&t, &f.mem, &config, &entropy_system),
			 E_NOMEM);
	assert_int_equal(f.live, 0);
	flaky_init(&f, 1);
	assert_int_equal(throttle_new(&t, &f.mem, &config, &entropy_system),
			 OK);
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(
			throttle_begin(t, (struct bytes){ (uint8_t *)&i, 8 },
				       (struct bytes){ (uint8_t *)&i, 8 }, i,
				       &wait),
			OK);
	assert_int_equal(f.live, 1);
	throttle_free(t);
	assert_int_equal(f.live, 0);
}

static int set_up(void **state)
{
	(void)state;
	return secret_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_book_without_memory_is_as_it_was),
		cmocka_unit_test(test_sessions_without_memory_are_as_they_were),
		cmocka_unit_test(test_a_throttle_takes_its_memory_at_the_start),
	};
	return cmocka_run_group_tests_name("auth_fault", tests, set_up, NULL);
}
