/* The power goes at every write of an upgrade, and what is left is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tc/store/store_sqlite.h"
#include "tests/fakes/fault_vfs.h"
#include "tests/fakes/store_old.h"

static int count(void *ctx, const struct row *row)
{
	(void)row;
	++*(int *)ctx;
	return OK;
}

/* The rows that are given, or an error. */
static int load(struct fault_vfs *v)
{
	struct store_sqlite_options o;
	struct store *s;
	uint64_t epoch;
	int rows = 0, rc;

	store_sqlite_defaults(&o);
	o.path = "treaty.db";
	o.vfs = fault_vfs_name(v);
	assert_int_equal(store_sqlite_new(&s, &mem_heap, &o), OK);
	rc = store_load(s, count, &rows, &epoch);
	store_close(s);
	return rc == OK ? rows : rc;
}

static void sweep_format(int format, int n_rows, enum fault_loss loss)
{
	uint64_t random = 7;
	int rows = -1;

	for (long n = 0; rows < 0; n++) {
		struct fault_vfs *v = fault_vfs_new();

		store_old_make(format, "treaty.db", fault_vfs_name(v));
		fault_vfs_cut(v, n);
		rows = load(v);
		assert_true(rows < 0 || n > 10); /* it was cut at all */
		fault_vfs_restart(v, loss, &random);
		assert_int_equal(load(v), n_rows);
		fault_vfs_free(v);
		assert_true(n < 1000);
	}
	assert_int_equal(rows, n_rows);
}

static void sweep(enum fault_loss loss)
{
	sweep_format(1, 6, loss);
	sweep_format(2, 10, loss);
}

static void test_an_upgrade_survives_kill_9_anywhere(void **state)
{
	(void)state;
	sweep(FAULT_LOSE_NOTHING);
}

static void test_an_upgrade_survives_power_loss_anywhere(void **state)
{
	(void)state;
	sweep(FAULT_LOSE_ALL);
	sweep(FAULT_LOSE_SOME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_upgrade_survives_kill_9_anywhere),
		cmocka_unit_test(test_an_upgrade_survives_power_loss_anywhere),
	};

	return cmocka_run_group_tests_name("store upgrade", tests, NULL, NULL);
}
