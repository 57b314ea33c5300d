#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/hash.h"
#include "tc/core/lock_wait.h"
#include "tests/fakes/flaky.h"

#define PARTIES 6

struct fixture {
	struct lock_table t;
	struct lock_party p[PARTIES]; /* numbers 1 … */
};

static void open_table(struct fixture *f, const struct mem *mem)
{
	assert_int_equal(lock_table_init(&f->t, mem, 7), OK);
	for (size_t i = 0; i < PARTIES; i++)
		lock_party_init(&f->p[i], i + 1);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	open_table(f, &mem_heap);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lock_table_check(&f->t);
	for (size_t i = 0; i < PARTIES; i++)
		lock_party_fini(&f->p[i]);
	lock_table_fini(&f->t);
	free(f);
	return 0;
}

/* Each letter is a key. */
static struct lock_set *set_of(struct fixture *f, const char *letters)
{
	struct bytes keys[16];
	struct lock_set *s;
	size_t n = strlen(letters);

	for (size_t i = 0; i < n; i++)
		keys[i] = (struct bytes){ (const uint8_t *)letters + i, 1 };
	assert_int_equal(lock_set_new(&s, &f->t, keys, n), OK);
	return s;
}

static struct lock_set *held(struct fixture *f, int party, const char *letters)
{
	struct lock_set *s = set_of(f, letters);

	lock_set_claim(s, &f->t, &f->p[party]);
	return s;
}

struct wish {
	struct lock_set *set;
	struct lock_wait wait;
};

static void wish(struct fixture *f, struct wish *w, int party,
		 const char *letters)
{
	w->set = set_of(f, letters);
	assert_int_equal(lock_wait_init(&w->wait, &mem_heap, w->set), OK);
	lock_wait_join(&w->wait, &f->t, &f->p[party], true);
}

static void unwish(struct fixture *f, struct wish *w)
{
	lock_wait_fini(&w->wait, &f->t);
	lock_set_free(w->set, &f->t);
}

/* What unit_grant() does. */
static void grant(struct fixture *f, struct wish *w)
{
	struct lock_party *p = w->wait.party;

	assert_ptr_equal(lock_wait_grantable(&f->t), &w->wait);
	lock_set_claim(w->set, &f->t, p);
	lock_wait_leave(&w->wait, &f->t);
	lock_table_check(&f->t);
}

static void test_a_key_has_one_owner(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "ab"), *b = set_of(f, "xb");
	struct lock_block block;

	assert_true(lock_set_blocked(b, &f->p[1], NULL, &block));
	assert_ptr_equal(block.by, &f->p[0]);
	assert_int_equal(block.key, 1);
	assert_false(block.closing);
	assert_false(lock_set_free_for(b, &f->p[1]));
	assert_false(lock_set_blocked(b, &f->p[0], NULL, &block));
	assert_int_equal(lock_set_fresh(b), 1);
	lock_set_free(a, &f->t);
	assert_false(lock_set_blocked(b, &f->p[1], NULL, &block));
	lock_set_free(b, &f->t);
}

static void test_a_key_is_free_when_every_branch_gave_it_up(void **state)
{
	struct fixture *f = *state;
	struct lock_set *one = held(f, 0, "a"), *two = held(f, 0, "ab");
	struct lock_set *other = set_of(f, "a");

	assert_int_equal(f->p[0].n_held, 3);
	assert_int_equal(f->t.n_owned, 2);
	lock_set_free(one, &f->t);
	assert_false(lock_set_free_for(other, &f->p[1]));
	lock_set_free(two, &f->t);
	assert_true(lock_set_free_for(other, &f->p[1]));
	lock_set_free(other, &f->t);
}

static void test_a_key_named_twice_counts_once(void **state)
{
	struct fixture *f = *state;
	struct lock_set *s = held(f, 0, "aba");

	assert_int_equal(s->n, 2);
	assert_int_equal(f->t.n_owned, 2);
	lock_set_free(s, &f->t);
	assert_int_equal(f->t.n_owned, 0);
}

static void test_a_closing_holder_is_told_first(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "a"), *b = held(f, 1, "b");
	struct lock_set *s = set_of(f, "ab");
	struct lock_block block;

	f->p[1].closing = true;
	assert_true(lock_set_blocked(s, &f->p[2], NULL, &block));
	assert_ptr_equal(block.by, &f->p[1]);
	assert_true(block.closing);
	lock_set_free(s, &f->t);
	lock_set_free(a, &f->t);
	lock_set_free(b, &f->t);
}

static void test_who_came_first_is_served_first(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "a");
	struct wish w1, w2;

	wish(f, &w1, 1, "a");
	wish(f, &w2, 2, "a");
	assert_null(lock_wait_grantable(&f->t));
	lock_set_free(a, &f->t);
	grant(f, &w1);
	assert_null(lock_wait_grantable(&f->t));
	lock_set_release(w1.set, &f->t);
	grant(f, &w2);
	unwish(f, &w1);
	unwish(f, &w2);
}

static void test_nobody_overtakes_on_a_free_key(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "a"), *b = set_of(f, "b");
	struct lock_block block;
	struct wish w1;

	wish(f, &w1, 1, "ab"); /* b is free, but comes only with a */
	assert_true(lock_set_blocked(b, &f->p[2], NULL, &block));
	assert_ptr_equal(block.by, &f->p[1]);
	lock_wait_leave(&w1.wait, &f->t);
	assert_false(lock_set_blocked(b, &f->p[2], NULL, &block));
	unwish(f, &w1);
	lock_set_free(b, &f->t);
	lock_set_free(a, &f->t);
}

static void test_who_leaves_lets_others_go_on(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "a");
	struct wish w1, w2;

	wish(f, &w1, 1, "ab");
	wish(f, &w2, 2, "b");
	assert_null(lock_wait_grantable(&f->t));
	lock_wait_leave(&w1.wait, &f->t);
	grant(f, &w2);
	unwish(f, &w1);
	unwish(f, &w2);
	lock_set_free(a, &f->t);
}

static void test_a_look_waits_but_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "a");
	struct wish look, w2;

	look.set = set_of(f, "ab");
	assert_int_equal(lock_wait_init(&look.wait, &mem_heap, look.set), OK);
	lock_wait_join(&look.wait, &f->t, &f->p[1], false);
	wish(f, &w2, 2, "b");
	lock_table_touch(&f->t, w2.set->locks[0]);
	grant(f, &w2);
	lock_set_release(w2.set, &f->t);
	lock_set_free(a, &f->t);
	assert_ptr_equal(lock_wait_grantable(&f->t), &look.wait);
	unwish(f, &look);
	unwish(f, &w2);
}

static void test_a_claim_lets_the_party_pass_in_that_queue(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "a");
	struct wish w1, w2, w3;

	wish(f, &w1, 1, "a");
	wish(f, &w2, 2, "a");
	wish(f, &w3, 1, "a"); /* the first one's second branch */
	lock_set_free(a, &f->t);
	grant(f, &w1);
	grant(f, &w3);
	assert_null(lock_wait_grantable(&f->t));
	unwish(f, &w1);
	lock_set_release(w3.set, &f->t);
	grant(f, &w2);
	unwish(f, &w3);
	unwish(f, &w2);
}

static void test_the_youngest_of_a_cycle_is_found(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "a"), *b = held(f, 3, "b");
	struct lock_set *c = held(f, 1, "c");
	struct lock_party *next;
	struct wish w0, w3, w1;

	wish(f, &w0, 0, "b"); /* 0 waits for 3 */
	assert_null(lock_wait_cycle(&f->t, &f->p[0], &next));
	wish(f, &w3, 3, "c"); /* 3 waits for 1 */
	assert_null(lock_wait_cycle(&f->t, &f->p[3], &next));
	wish(f, &w1, 1, "xa"); /* 1 waits for 0: closed */
	assert_ptr_equal(lock_wait_cycle(&f->t, &f->p[1], &next), &w3.wait);
	assert_ptr_equal(next, &f->p[1]);
	lock_wait_leave(&w3.wait, &f->t);
	assert_null(lock_wait_cycle(&f->t, &f->p[1], &next));
	unwish(f, &w0);
	unwish(f, &w1);
	unwish(f, &w3);
	lock_set_free(a, &f->t);
	lock_set_free(b, &f->t);
	lock_set_free(c, &f->t);
}

static void test_a_cycle_may_go_through_a_queue(void **state)
{
	struct fixture *f = *state;
	struct lock_set *a = held(f, 0, "a"), *c = held(f, 2, "c");
	struct lock_party *next;
	struct wish w1, w1c, w2;

	wish(f, &w1, 1, "ab"); /* waits for 0 over a, first in b's queue */
	wish(f, &w2, 2, "b");  /* waits for 1 over the free b */
	assert_null(lock_wait_cycle(&f->t, &f->p[2], &next));
	wish(f, &w1c, 1, "c"); /* 1 waits for 2 as well */
	assert_ptr_equal(lock_wait_cycle(&f->t, &f->p[1], &next), &w2.wait);
	unwish(f, &w1);
	unwish(f, &w2);
	unwish(f, &w1c);
	lock_set_free(a, &f->t);
	lock_set_free(c, &f->t);
}

/* ---- against a model: who may have what ---- */

#define KEYS 5

static bool model_blocked(struct lock_party *owner[KEYS], const char *letters,
			  const struct lock_party *who)
{
	for (; *letters; letters++)
		if (owner[*letters - 'a'] && owner[*letters - 'a'] != who)
			return true;
	return false;
}

static void test_random_claims_agree_with_a_model(void **state)
{
	struct fixture *f = *state;
	const char *text = getenv("SEED");
	uint64_t rng = text ? strtoull(text, NULL, 10) : 5;
	struct lock_set *sets[PARTIES] = { NULL };
	struct lock_party *owner[KEYS] = { NULL };
	struct lock_block block;

	for (int i = 0; i < 5000; i++) {
		size_t who = random_next(&rng) % PARTIES;
		char letters[3] = { (char)('a' + random_next(&rng) % KEYS),
				    (char)('a' + random_next(&rng) % KEYS), 0 };
		bool blocked;

		if (sets[who]) {
			lock_set_free(sets[who], &f->t);
			sets[who] = NULL;
			for (int k = 0; k < KEYS; k++)
				if (owner[k] == &f->p[who])
					owner[k] = NULL;
			continue;
		}
		sets[who] = set_of(f, letters);
		blocked = lock_set_blocked(sets[who], &f->p[who], NULL, &block);
		assert_int_equal(blocked,
				 model_blocked(owner, letters, &f->p[who]));
		if (blocked) {
			lock_set_free(sets[who], &f->t);
			sets[who] = NULL;
			continue;
		}
		lock_set_claim(sets[who], &f->t, &f->p[who]);
		owner[letters[0] - 'a'] = &f->p[who];
		owner[letters[1] - 'a'] = &f->p[who];
		lock_table_check(&f->t);
	}
	for (int i = 0; i < PARTIES; i++)
		lock_set_free(sets[i], &f->t);
}

static void test_out_of_memory_leaves_no_trace(void **state)
{
	struct bytes keys[] = { BYTES("a"), BYTES("b"), BYTES("c") };
	struct flaky flaky;
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct lock_table t = { 0 };
		struct lock_set *s = NULL;
		struct lock_wait w = { 0 };

		assert_true(n < 100);
		flaky_init(&flaky, n);
		rc = lock_table_init(&t, &flaky.mem, 1);
		if (rc == OK) {
			rc = lock_set_new(&s, &t, keys, 3);
			if (rc == OK)
				rc = lock_wait_init(&w, &flaky.mem, s);
			lock_table_check(&t);
			assert_true(rc == OK || !w.slots);
			if (w.slots)
				lock_wait_fini(&w, &t);
			lock_set_free(s, &t);
			assert_int_equal(t.by_key.count, 0);
			lock_table_fini(&t);
		}
		assert_int_equal(flaky.live, 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_key_has_one_owner),
		T(test_a_key_is_free_when_every_branch_gave_it_up),
		T(test_a_key_named_twice_counts_once),
		T(test_a_closing_holder_is_told_first),
		T(test_who_came_first_is_served_first),
		T(test_nobody_overtakes_on_a_free_key),
		T(test_who_leaves_lets_others_go_on),
		T(test_a_look_waits_but_holds_up_nobody),
		T(test_a_claim_lets_the_party_pass_in_that_queue),
		T(test_the_youngest_of_a_cycle_is_found),
		T(test_a_cycle_may_go_through_a_queue),
		T(test_random_claims_agree_with_a_model),
		cmocka_unit_test(test_out_of_memory_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
