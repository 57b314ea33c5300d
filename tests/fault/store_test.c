/* The SQLite store on a disk that fails, fills up and loses power. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/hash.h"
#include "tc/store/store_sqlite.h"
#include "tests/fakes/fault_vfs.h"

#define BATCHES 14
#define IDS     8

/* What every table holds after each batch: the batch that wrote the row. */
struct state {
	int row[ROW_TABLES][IDS];
};

static struct state model[BATCHES + 1];

static bool batch_durable(int batch)
{
	return batch % 3 != 1;
}

/* Batch b puts two rows, deletes one, and now and then one that is long. */
static size_t batch_make(int b, struct effect *fx, uint8_t *body)
{
	uint64_t k = (uint64_t)b;
	size_t len = b % 4 == 0 ? 9000 : 40;

	memset(body, b, len);
	fx[0] = (struct effect){ .type = FX_PUT, .forced = true };
	fx[0].row = (struct row){ .table = ROW_GTX,
				  .id = 1 + k % (IDS - 1),
				  .status = b,
				  .name = BYTES("order"),
				  .body = { body, len } };
	fx[1] = (struct effect){ .type = FX_PUT };
	fx[1].row = (struct row){ .table = ROW_BRANCH,
				  .id = 1 + k * 3 % (IDS - 1),
				  .gtx = k,
				  .status = b,
				  .body = { body, 10 } };
	fx[2] = (struct effect){ .type = FX_DELETE };
	fx[2].row =
		(struct row){ .table = ROW_GTX, .id = 1 + (k + 4) % (IDS - 1) };
	fx[3] = (struct effect){ .type = FX_HISTORY };
	fx[3].history = (struct history){ .gtx = k, .text = BYTES("a line") };
	return 4;
}

static void model_make(void)
{
	struct effect fx[4];
	uint8_t body[9000];

	for (int b = 1; b <= BATCHES; b++) {
		size_t n = batch_make(b, fx, body);

		model[b] = model[b - 1];
		for (size_t i = 0; i < n; i++) {
			const struct row *r = &fx[i].row;

			if (fx[i].type == FX_PUT)
				model[b].row[r->table][r->id] = b;
			if (fx[i].type == FX_DELETE)
				model[b].row[r->table][r->id] = 0;
		}
	}
}

static int see(void *ctx, const struct row *row)
{
	struct state *s = ctx;

	assert_true(row->id < IDS);
	assert_true(row->body.len > 0);
	for (size_t i = 0; i < row->body.len; i++)
		if (row->body.data[i] != row->status)
			return E_CORRUPT;
	s->row[row->table][row->id] = row->status;
	return OK;
}

static struct store *store_on(struct fault_vfs *v)
{
	struct store_sqlite_options o;
	struct store *s;

	store_sqlite_defaults(&o);
	o.path = "treaty.db";
	o.vfs = fault_vfs_name(v);
	o.wal_pages_max = 12;
	assert_int_equal(store_sqlite_new(&s, &mem_heap, &o), OK);
	return s;
}

/* Run the batches until something fails. *tried: batches that were begun;
 * *safe: the last one that is promised. The store's answer. */
static int work(struct store *s, int *tried, int *safe)
{
	struct state ignored = { 0 };
	struct effect fx[4];
	uint8_t body[9000];
	uint64_t epoch;
	int rc = store_load(s, see, &ignored, &epoch);

	*tried = *safe = 0;
	for (int b = 1; b <= BATCHES && rc == OK; b++) {
		size_t n = batch_make(b, fx, body);

		*tried = b;
		rc = store_apply(s, fx, n, epoch, batch_durable(b));
		if (rc == OK && batch_durable(b))
			*safe = b;
	}
	return rc;
}

/* What is there is what some prefix of the batches left, and no promised
 * batch is missing. Power goes before the store is closed. */
static int look(struct fault_vfs *v, int tried, int safe)
{
	struct store *s = store_on(v);
	struct state got = { 0 };
	uint64_t epoch;
	int rc = store_load(s, see, &got, &epoch), at = -1;

	if (rc != OK)
		print_message("%s\n", store_error(s));
	assert_int_equal(rc, OK);
	for (int b = 0; b <= BATCHES; b++)
		if (memcmp(&got, &model[b], sizeof got) == 0)
			at = b;
	assert_in_range(at, safe, tried);
	fault_vfs_cut(v, 0);
	store_close(s);
	return at;
}

static void sweep_power(enum fault_loss loss, uint64_t seed)
{
	long n = 0;
	int rc;

	do {
		struct fault_vfs *v = fault_vfs_new();
		struct store *s = store_on(v);
		uint64_t random = seed + (uint64_t)n;
		int tried, safe;

		fault_vfs_cut(v, n++);
		rc = work(s, &tried, &safe);
		if (rc != OK)
			assert_true(strlen(store_error(s)) > 20);
		store_close(s);
		fault_vfs_restart(v, loss, &random);
		(void)look(v, tried, safe);
		fault_vfs_free(v);
		assert_true(n < 2000);
	} while (rc != OK);
	assert_true(n > 50);
}

static void test_power_may_go_at_any_write_and_sync(void **state)
{
	(void)state;
	sweep_power(FAULT_LOSE_ALL, 1);
	for (uint64_t seed = 1; seed <= 3; seed++)
		sweep_power(FAULT_LOSE_SOME, seed * 7919);
}

static void test_a_kill_at_any_write_and_sync_loses_nothing_promised(
	void **state)
{
	(void)state;
	sweep_power(FAULT_LOSE_NOTHING, 1);
}

/* One operation fails, the rest would work: the store must refuse on, and
 * after a restart (and a power loss later) every promise must hold. */
static void sweep_failure(int code, enum fault_loss loss)
{
	long n = 0, clean = 0;

	for (; clean < 3; n++) {
		struct fault_vfs *v = fault_vfs_new();
		struct store *s = store_on(v);
		uint64_t random = 17 + (uint64_t)n, epoch = 1;
		int tried, safe, rc, at;

		fault_vfs_fail(v, n, code);
		rc = work(s, &tried, &safe);
		clean = rc == OK ? clean + 1 : 0;
		if (rc != OK && tried > 0) {
			assert_int_equal(rc, E_IO);
			assert_int_equal(store_apply(s, NULL, 0, epoch, true),
					 E_IO);
			assert_false(store_idle(s, 1));
		}
		store_close(s);
		fault_vfs_restart(v, FAULT_LOSE_NOTHING, &random);
		at = look(v, tried, safe);
		/* What was loaded once is promised from then on. */
		fault_vfs_restart(v, loss, &random);
		assert_int_equal(look(v, tried, safe), at);
		fault_vfs_free(v);
		assert_true(n < 2000);
	}
	assert_true(n > 50);
}

static void test_a_failed_sync_is_final_and_nothing_promised_is_lost(
	void **state)
{
	(void)state;
	sweep_failure(SQLITE_IOERR_FSYNC, FAULT_LOSE_ALL);
	sweep_failure(SQLITE_IOERR_FSYNC, FAULT_LOSE_SOME);
}

/* A sync fails, and while the next life loads, power goes as well. */
static void test_power_may_go_while_a_failed_sync_is_repaired(void **state)
{
	(void)state;
	for (long n = 0; n < 160; n += 3) {
		int rc = E_IO;

		for (long m = 0; rc != OK; m++) {
			struct fault_vfs *v = fault_vfs_new();
			struct store *s = store_on(v);
			struct state got = { 0 };
			uint64_t random = (uint64_t)(n * 1000 + m), epoch;
			int tried, safe;

			fault_vfs_fail(v, n, SQLITE_IOERR_FSYNC);
			(void)work(s, &tried, &safe);
			store_close(s);
			fault_vfs_restart(v, FAULT_LOSE_NOTHING, &random);
			fault_vfs_cut(v, m);
			s = store_on(v);
			rc = store_load(s, see, &got, &epoch);
			store_close(s);
			fault_vfs_restart(v, FAULT_LOSE_SOME, &random);
			(void)look(v, tried, safe);
			fault_vfs_free(v);
		}
	}
}

static void test_a_full_disk_is_final_and_nothing_promised_is_lost(void **state)
{
	(void)state;
	sweep_failure(SQLITE_FULL, FAULT_LOSE_ALL);
}

static void test_a_failed_write_is_final_and_nothing_promised_is_lost(
	void **state)
{
	(void)state;
	sweep_failure(SQLITE_IOERR_WRITE, FAULT_LOSE_SOME);
}

static struct fault_vfs *after_work(void)
{
	struct fault_vfs *v = fault_vfs_new();
	struct store *s = store_on(v);
	int tried, safe;

	assert_int_equal(work(s, &tried, &safe), OK);
	store_close(s);
	return v;
}

static void test_no_flipped_bit_is_believed(void **state)
{
	long found = 0, harmless = 0;
	size_t size;

	(void)state;
	for (size_t at = 0;; at += 251) {
		struct fault_vfs *v = after_work();
		struct store *s = store_on(v);
		struct state got = { 0 };
		uint64_t epoch;
		int rc;

		size = fault_vfs_size(v, "treaty.db");
		if (at >= size) {
			store_close(s);
			fault_vfs_free(v);
			break;
		}
		assert_int_equal(fault_vfs_flip(v, "treaty.db", at), OK);
		got = (struct state){ 0 };
		rc = store_load(s, see, &got, &epoch);
		if (rc == OK) {
			harmless++;
			assert_memory_equal(&got, &model[BATCHES], sizeof got);
		} else {
			found++;
			assert_true(rc == E_CORRUPT || rc == E_VERSION ||
				    rc == E_IO);
		}
		store_close(s);
		fault_vfs_free(v);
	}
	print_message("%ld flips found, %ld harmless\n", found, harmless);
	assert_true(found > 30);
}

/* A whole page that was never written: each is consistent in itself, only the
 * sum of all checksums knows. */
static void put_one(struct fault_vfs *v, uint64_t id)
{
	struct effect fx = { .type = FX_PUT };
	struct store *s = store_on(v);
	struct state got;
	uint64_t epoch;

	fx.row = (struct row){ .table = ROW_GTX,
			       .id = id,
			       .status = 1,
			       .body = { (const uint8_t *)"\1", 1 } };
	assert_int_equal(store_load(s, see, &got, &epoch), OK);
	assert_int_equal(store_apply(s, &fx, 1, epoch, true), OK);
	store_close(s);
}

static void test_a_page_that_went_back_in_time_is_found(void **state)
{
	int found = 0;

	(void)state;
	for (size_t at = 4096;; at += 4096) {
		struct fault_vfs *v = fault_vfs_new();
		struct store *s;
		struct state got = { 0 };
		uint64_t epoch;
		int rc;

		put_one(v, 1);
		fault_vfs_keep(v, "treaty.db");
		put_one(v, 2);
		if (fault_vfs_revert(v, "treaty.db", at, 4096) != OK) {
			fault_vfs_free(v);
			break;
		}
		s = store_on(v);
		rc = store_load(s, see, &got, &epoch);
		if (rc == E_CORRUPT &&
		    strstr(store_error(s), "old ones came back"))
			found++;
		else
			assert_int_equal(got.row[ROW_GTX][2], 1);
		store_close(s);
		fault_vfs_free(v);
	}
	assert_int_equal(found, 2); /* of the rows, and of the fence */
}

static int set_up(void **state)
{
	(void)state;
	model_make();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_may_go_at_any_write_and_sync),
		cmocka_unit_test(
			test_a_kill_at_any_write_and_sync_loses_nothing_promised),
		cmocka_unit_test(
			test_a_failed_sync_is_final_and_nothing_promised_is_lost),
		cmocka_unit_test(
			test_power_may_go_while_a_failed_sync_is_repaired),
		cmocka_unit_test(
			test_a_full_disk_is_final_and_nothing_promised_is_lost),
		cmocka_unit_test(
			test_a_failed_write_is_final_and_nothing_promised_is_lost),
		cmocka_unit_test(test_no_flipped_bit_is_believed),
		cmocka_unit_test(test_a_page_that_went_back_in_time_is_found),
	};

	return cmocka_run_group_tests_name("store faults", tests, set_up, NULL);
}
