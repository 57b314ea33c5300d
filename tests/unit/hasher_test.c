/* Passwords, and the thread that hashes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>

#include "tc/auth/secret.h"
#include "tc/auth/user.h"
#include "tc/host/hasher.h"
#include "tests/fakes/flaky.h"

static struct password_cost least, more;

static void test_a_password_is_checked_against_its_hash(void **state)
{
	char a[PASSWORD_HASH_SIZE], b[PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(password_hash(a, BYTES("correct horse"), &least), OK);
	assert_int_equal(password_hash(b, BYTES("correct horse"), &least), OK);
	assert_string_not_equal(a, b); /* each has a salt */
	assert_memory_equal(a, "$argon2id$", 10);
	assert_int_equal(password_check(a, BYTES("correct horse"), &least), OK);
	assert_int_equal(password_check(b, BYTES("correct horse"), &least), OK);
	assert_int_equal(password_check(a, BYTES("correct hors"), &least),
			 E_DENIED);
	assert_int_equal(password_check(a, BYTES(""), &least), E_DENIED);
}

static void test_nobody_has_no_right_password(void **state)
{
	(void)state;
	assert_int_equal(password_check(NULL, BYTES("x"), &least), E_DENIED);
	assert_int_equal(password_check("", BYTES(""), &least), E_DENIED);
}

static void test_what_is_no_hash_is_said_to_be_none(void **state)
{
#define SALT "c2FsdHNhbHRzYWx0c2FsdA$"
#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	static const char *const bad[] = {
		"$argon2i$v=19$m=8,t=1,p=1$" SALT HASH,
		"$argon2id$v=16$m=8,t=1,p=1$" SALT HASH,
		"$argon2id$v=19$m=,t=1,p=1$" SALT HASH,
		"$argon2id$v=19$m=1,t=1,p=1$" SALT HASH,
		"$argon2id$v=19$m=99999999999999999999,t=1,p=1$" SALT HASH,
		"$argon2id$v=19$m=8,t=0,p=1$" SALT HASH,
		"$argon2id$v=19$m=8,t=1,p=2$" SALT HASH,
		"$argon2id$v=19$m=8,t=1,p=1$c2FsdA$" HASH,
		"$argon2id$v=19$m=8,t=1,p=1$" SALT "AAAA",
		"$argon2id$v=19$m=8,t=1,p=1$" SALT HASH "$",
		"$argon2id$v=19$m=8,t=1,p=1$" SALT HASH "A",
	};
	char longest[300];

	assert_int_equal(password_check("$argon2id$v=19$m=8,t=1,p=1$" SALT HASH,
					BYTES("x"), &least),
			 E_DENIED); /* the good one of these */
	(void)state;
	assert_int_equal(password_check("x", BYTES("x"), &least), E_CORRUPT);
	assert_int_equal(password_check("$argon2id$", BYTES("x"), &least),
			 E_CORRUPT);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(password_check(bad[i], BYTES("x"), &least),
				 E_CORRUPT);
	memset(longest, '$', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(password_check(longest, BYTES("x"), &least),
			 E_CORRUPT);
}

static void test_no_memory_is_not_a_wrong_password(void **state)
{
	/* 4 TiB of memory, in a string that is well-formed */
	static const char hash[] =
		"$argon2id$v=19$m=4294967295,t=1,p=1$"
		"c2FsdHNhbHRzYWx0c2FsdA$"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	struct password_cost huge = least;
	char out[PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(password_check(hash, BYTES("x"), &least), E_NOMEM);
	huge.memory = (size_t)4398046510080;
	assert_int_equal(password_hash(out, BYTES("x"), &huge), E_NOMEM);
	assert_int_equal(password_check(NULL, BYTES("x"), &huge), E_NOMEM);
	huge.memory = 1;
	assert_int_equal(password_hash(out, BYTES("x"), &huge), E_INVALID);
	huge = least;
	huge.passes = 0;
	assert_int_equal(password_hash(out, BYTES("x"), &huge), E_INVALID);
}

static void test_a_hash_of_another_cost_is_stale(void **state)
{
	char a[PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(password_hash(a, BYTES("x"), &least), OK);
	assert_false(password_is_stale(a, &least));
	assert_true(password_is_stale(a, &more));
}

/* ---- the thread ---- */

struct told {
	size_t n;
	struct hasher_done done[32];
	char hashes[32][PASSWORD_HASH_SIZE];
	struct hasher *again; /* submit one more from the callback */
};

static void on_done(void *ctx, const struct hasher_done *d)
{
	struct told *t = ctx;

	assert_true(t->n < ARRAY_LEN(t->done));
	memcpy(t->hashes[t->n], d->hash, strlen(d->hash) + 1);
	t->done[t->n] = *d;
	t->done[t->n].hash = t->hashes[t->n];
	t->n++;
	if (t->again) {
		assert_int_equal(hasher_submit(t->again, HASHER_HASH, 99,
					       BYTES("once more"),
					       (struct bytes){ 0 }),
				 OK);
		t->again = NULL;
	}
}

static void wait_for(struct hasher *h, const struct told *t, size_t n)
{
	while (t->n < n) {
		struct pollfd p = { .fd = hasher_fd(h), .events = POLLIN };

		assert_int_equal(poll(&p, 1, 20000), 1);
		hasher_collect(h);
	}
}

static struct hasher *hasher(size_t queue_max, const struct password_cost *cost,
			     struct told *t)
{
	struct hasher *h = NULL;

	assert_int_equal(hasher_new(&h, &mem_heap, queue_max, cost, on_done, t),
			 OK);
	return h;
}

static void test_jobs_are_done_in_order_and_told_once(void **state)
{
	struct told t = { 0 };
	struct hasher *h = hasher(8, &least, &t);
	char hash[PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(password_hash(hash, BYTES("right"), &least), OK);
	assert_int_equal(hasher_submit(h, HASHER_HASH, 1, BYTES("new one"),
				       (struct bytes){ 0 }),
			 OK);
	assert_int_equal(hasher_submit(h, HASHER_CHECK, 2, BYTES("right"),
				       bytes_of(hash)),
			 OK);
	assert_int_equal(hasher_submit(h, HASHER_CHECK, 3, BYTES("wrong"),
				       bytes_of(hash)),
			 OK);
	assert_int_equal(hasher_submit(h, HASHER_CHECK, 4, BYTES("right"),
				       (struct bytes){ 0 }),
			 OK);
	wait_for(h, &t, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(t.done[i].id, i + 1);
	assert_int_equal(t.done[0].err, OK);
	assert_int_equal(t.done[0].job, HASHER_HASH);
	assert_int_equal(password_check(t.hashes[0], BYTES("new one"), &least),
			 OK);
	assert_int_equal(t.done[1].err, OK);
	assert_string_equal(t.hashes[1], "");
	assert_int_equal(t.done[2].err, E_DENIED);
	assert_string_equal(t.hashes[2], "");
	assert_int_equal(t.done[3].err, E_DENIED);
	hasher_collect(h);
	assert_int_equal(t.n, 4);
	hasher_free(h);
}

static void test_a_stale_hash_is_made_anew_when_it_is_right(void **state)
{
	struct told t = { 0 };
	struct hasher *h = hasher(8, &more, &t);
	char hash[PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(password_hash(hash, BYTES("right"), &least), OK);
	assert_int_equal(hasher_submit(h, HASHER_CHECK, 1, BYTES("right"),
				       bytes_of(hash)),
			 OK);
	assert_int_equal(hasher_submit(h, HASHER_CHECK, 2, BYTES("wrong"),
				       bytes_of(hash)),
			 OK);
	wait_for(h, &t, 2);
	assert_int_equal(t.done[0].err, OK);
	assert_false(password_is_stale(t.hashes[0], &more));
	assert_int_equal(password_check(t.hashes[0], BYTES("right"), &more),
			 OK);
	assert_int_equal(t.done[1].err, E_DENIED);
	assert_string_equal(t.hashes[1], "");
	hasher_free(h);
}

static void test_a_full_queue_refuses_until_it_is_collected(void **state)
{
	struct told t = { 0 };
	struct hasher *h = hasher(3, &least, &t);

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(hasher_submit(h, HASHER_HASH, i, BYTES("p"),
					       (struct bytes){ 0 }),
				 OK);
	assert_int_equal(hasher_submit(h, HASHER_HASH, 3, BYTES("p"),
				       (struct bytes){ 0 }),
			 E_AGAIN);
	t.again = h; /* a place is free before the callback is called */
	wait_for(h, &t, 4);
	assert_int_equal(t.done[3].id, 99);
	hasher_free(h);
}

static void test_what_is_too_long_is_refused(void **state)
{
	uint8_t longest[PASSWORD_MAX + 1];
	struct told t = { 0 };
	struct hasher *h = hasher(1, &least, &t);

	(void)state;
	memset(longest, 'p', sizeof longest);
	assert_int_equal(
		hasher_submit(h, HASHER_HASH, 1,
			      (struct bytes){ longest, sizeof longest },
			      (struct bytes){ 0 }),
		E_INVALID);
	assert_int_equal(
		hasher_submit(h, HASHER_CHECK, 1, BYTES("p"),
			      (struct bytes){ longest, PASSWORD_HASH_SIZE }),
		E_INVALID);
	assert_int_equal(hasher_submit(h, HASHER_HASH, 1,
				       (struct bytes){ longest, PASSWORD_MAX },
				       (struct bytes){ 0 }),
			 OK);
	wait_for(h, &t, 1);
	assert_int_equal(t.done[0].err, OK);
	hasher_free(h);
}

static void test_it_can_be_freed_with_work_to_do(void **state)
{
	struct told t = { 0 };
	struct hasher *h = hasher(8, &least, &t);

	(void)state;
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(hasher_submit(h, HASHER_HASH, i, BYTES("p"),
					       (struct bytes){ 0 }),
				 OK);
	hasher_free(h);
	assert_int_equal(t.n, 0);
	hasher_free(NULL);
}

static void test_out_of_memory_leaves_no_trace(void **state)
{
	struct told t = { 0 };
	struct flaky f;
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct hasher *h = NULL;

		assert_true(n < 10);
		flaky_init(&f, n);
		rc = hasher_new(&h, &f.mem, 4, &least, on_done, &t);
		assert_true(rc == OK || rc == E_NOMEM);
		if (rc == OK)
			hasher_free(h);
		assert_int_equal(f.live, 0);
	}
}

static int set_up(void **state)
{
	(void)state;
	password_cost_least(&least);
	more = least;
	more.passes++;
	return secret_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_password_is_checked_against_its_hash),
		cmocka_unit_test(test_nobody_has_no_right_password),
		cmocka_unit_test(test_what_is_no_hash_is_said_to_be_none),
		cmocka_unit_test(test_no_memory_is_not_a_wrong_password),
		cmocka_unit_test(test_a_hash_of_another_cost_is_stale),
		cmocka_unit_test(test_jobs_are_done_in_order_and_told_once),
		cmocka_unit_test(
			test_a_stale_hash_is_made_anew_when_it_is_right),
		cmocka_unit_test(
			test_a_full_queue_refuses_until_it_is_collected),
		cmocka_unit_test(test_what_is_too_long_is_refused),
		cmocka_unit_test(test_it_can_be_freed_with_work_to_do),
		cmocka_unit_test(test_out_of_memory_leaves_no_trace),
	};
	return cmocka_run_group_tests_name("hasher", tests, set_up, NULL);
}
