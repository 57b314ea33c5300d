/* A file of an older format is brought to this one and loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/buf.h"
#include "tc/store/store_sqlite.h"
#include "tests/fakes/store_old.h"

struct fixture {
	char dir[64];
	struct buf path;
	struct store *s;
	uint64_t epoch;
	struct core *core; /* is given what is loaded */
};

static int give(void *ctx, const struct row *row)
{
	struct event e = { .type = EV_LOADED, .now_ms = 1000, .row = *row };
	struct effects fx;

	return core_step(ctx, &e, &fx);
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(&mem_heap, sizeof *f);

	memcpy(f->dir, "/tmp/treaty-upgrade-XXXXXX", 27);
	assert_non_null(mkdtemp(f->dir));
	buf_init(&f->path, &mem_heap);
	buf_printf(&f->path, "%s/treaty.db", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "treaty.db", "treaty.db-wal" };

	store_close(f->s);
	core_free(f->core);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		buf_clear(&f->path);
		buf_printf(&f->path, "%s/%s", f->dir, names[i]);
		(void)unlink(buf_text(&f->path));
	}
	(void)rmdir(f->dir);
	buf_fini(&f->path);
	mem_free(&mem_heap, f);
	return 0;
}

static void load(struct fixture *f)
{
	struct event ready = { .type = EV_READY, .now_ms = 1000 };
	struct store_sqlite_options options;
	struct core_config config;
	struct effects fx;

	store_close(f->s);
	core_free(f->core);
	store_sqlite_defaults(&options);
	options.path = buf_text(&f->path);
	core_config_default(&config);
	config.coordinator = BYTES("tc:1");
	config.seed = 42;
	assert_int_equal(core_new(&f->core, &mem_heap, &config), OK);
	assert_int_equal(store_sqlite_new(&f->s, &mem_heap, &options), OK);
	if (store_load(f->s, give, f->core, &f->epoch) != OK)
		fail_msg("%s", store_error(f->s));
	assert_int_equal(core_step(f->core, &ready, &fx), OK);
	core_check(f->core);
}

static void see_line(void *ctx, const struct history *h)
{
	buf_printf(ctx, "%s %u %u %u %.*s;", history_kind_name((int)h->kind),
		   (unsigned)h->branch, h->task, h->attempt, (int)h->text.len,
		   (const char *)h->text.data);
}

static void see_one(void *ctx, const struct archive *a)
{
	buf_printf(ctx, "%.*s %d %u %d '%.*s'", (int)a->name.len,
		   (const char *)a->name.data, (int)a->status, a->n_branches,
		   (int)a->kind, (int)a->detail.len,
		   (const char *)a->detail.data);
}

static void assert_all_there(struct fixture *f)
{
	enum gtx_status status;
	struct gtx_view v;
	struct buf b;

	assert_int_equal(core_show(f->core, 1, 1000, &v, NULL, NULL), OK);
	assert_int_equal(v.status, GTX_BEGIN);
	assert_int_equal(v.n_locks, 1);
	assert_int_equal(core_show(f->core, 3, 1000, &v, NULL, NULL), OK);
	assert_int_equal(v.status, GTX_ASYNC_COMMITTING);
	assert_int_equal(core_outcome(f->core, 5, &status), OK);
	assert_int_equal(status, GTX_ROLLBACKED);
	buf_init(&b, &mem_heap);
	assert_int_equal(store_archived_one(f->s, 5, see_one, &b), OK);
	assert_string_equal(buf_text(&b), "buy 11 1 0 ''");
	buf_clear(&b);
	assert_int_equal(store_history(f->s, 3, see_line, &b), OK);
	assert_string_equal(buf_text(&b),
			    "note 0 0 0 register branch 4 AT on jdbc:pg, "
			    "1 lock keys;"
			    "note 0 0 0 commit decided, 1 branches;");
	buf_fini(&b);
}

static void write_new_rows(struct fixture *f)
{
	struct effect fx[] = { { .type = FX_PUT },
			       { .type = FX_DELETE },
			       { .type = FX_ARCHIVE } };

	fx[0].row = (struct row){ .table = ROW_SAGA,
				  .id = 9,
				  .gtx = 9,
				  .status = GTX_BEGIN,
				  .name = BYTES("buy"),
				  .body = BYTES("x") };
	fx[1].row = (struct row){ .table = ROW_SAGA, .id = 9 };
	fx[2].archive = (struct archive){ .gtx = 9,
					  .status = GTX_COMMITTED,
					  .name = BYTES("buy"),
					  .kind = KIND_SAGA,
					  .detail = BYTES("{\"a\":1}") };
	assert_int_equal(store_apply(f->s, fx, 3, f->epoch, true), OK);
}

static void test_a_file_of_format_1_is_taken_over_with_all_in_it(void **state)
{
	struct fixture *f = *state;
	struct buf b;

	store_old_make(1, buf_text(&f->path), NULL);
	load(f);
	assert_all_there(f);
	write_new_rows(f);
	load(f); /* and a second time nothing is left to do */
	assert_all_there(f);
	buf_init(&b, &mem_heap);
	assert_int_equal(store_archived_one(f->s, 9, see_one, &b), OK);
	assert_string_equal(buf_text(&b), "buy 9 0 2 '{\"a\":1}'");
	buf_fini(&b);
}

static int see_columns(void *ctx, int n, char **values, char **names)
{
	(void)names;
	for (int i = 0; i < n; i++)
		buf_printf(ctx, "%s|", values[i] ? values[i] : "NULL");
	return 0;
}

static void test_the_views_of_a_file_taken_over_are_the_new_ones(void **state)
{
	struct fixture *f = *state;
	struct buf b;
	sqlite3 *db;

	store_old_make(1, buf_text(&f->path), NULL);
	load(f);
	write_new_rows(f);
	store_close(f->s);
	f->s = NULL;
	buf_init(&b, &mem_heap);
	assert_int_equal(sqlite3_open(buf_text(&f->path), &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			     "PRAGMA user_version;"
			     "SELECT number, kind, detail FROM finished;"
			     "SELECT number, status FROM unfinished;"
			     "SELECT count(*) FROM sagas;"
			     "SELECT kind, text FROM story WHERE number = 3 "
			     "ORDER BY at DESC LIMIT 1",
			     see_columns, &b, NULL),
		SQLITE_OK);
	assert_string_equal(buf_text(&b), "4|5|transaction||9|saga|{\"a\":1}|"
					  "1|Begin|3|AsyncCommitting|0|"
					  "note|register branch 4 AT on "
					  "jdbc:pg, 1 lock keys|");
	(void)sqlite3_close(db);
	buf_fini(&b);
}

/* Of format 2: a saga that runs, and what it did. */
#define SAGA 2987038516000000007u

static void write_line(struct fixture *f)
{
	struct effect fx = { .type = FX_HISTORY };

	fx.history = (struct history){ .gtx = SAGA,
				       .kind = HISTORY_SENT,
				       .task = 1,
				       .attempt = 2,
				       .text = BYTES("again") };
	assert_int_equal(store_apply(f->s, &fx, 1, f->epoch, true), OK);
}

static bool see_actor(void *ctx, const struct audit *a)
{
	buf_printf(ctx, "%u %.*s;", (unsigned)a->id, (int)a->actor.len,
		   (const char *)a->actor.data);
	return true;
}

static void write_audit(struct fixture *f)
{
	struct audit a = { .actor = BYTES("user eve"),
			   .action = BYTES("login") };

	assert_int_equal(store_audit(f->s, &a, f->epoch), OK);
}

static void test_a_file_of_format_2_goes_on_with_kinds_of_lines(void **state)
{
	struct fixture *f = *state;
	enum gtx_status status;
	struct gtx_view v;
	struct buf b;

	store_old_make(2, buf_text(&f->path), NULL);
	load(f);
	write_line(f);
	write_audit(f);
	load(f);
	assert_int_equal(core_show(f->core, SAGA, 1000, &v, NULL, NULL), OK);
	assert_true(bytes_equal(v.business_key, BYTES("k1")));
	assert_int_equal(core_show(f->core, SAGA - 4, 1000, &v, NULL, NULL),
			 OK);
	assert_int_equal(v.status, GTX_COMMITTING);
	assert_int_equal(core_outcome(f->core, SAGA - 2, &status), OK);
	assert_int_equal(status, GTX_ROLLBACKED);
	buf_init(&b, &mem_heap);
	assert_int_equal(store_history(f->s, SAGA, see_line, &b), OK);
	assert_string_equal(
		buf_text(&b),
		"note 0 0 0 saga begun: machine reserve version 1.0, "
		"business key k1;"
		"note 0 0 0 task 0 \"Take\" attempt 1: call stock.take;"
		"note 0 0 0 saga running;sent 0 1 2 again;");
	buf_clear(&b);
	assert_int_equal(store_audits(f->s, 0, 9, see_actor, &b), OK);
	assert_string_equal(buf_text(&b), "1 user eve;");
	buf_fini(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_file_of_format_1_is_taken_over_with_all_in_it),
		T(test_a_file_of_format_2_goes_on_with_kinds_of_lines),
		T(test_the_views_of_a_file_taken_over_are_the_new_ones),
	};

	return cmocka_run_group_tests_name("store upgrade", tests, NULL, NULL);
}
