/* Both stores against the contract of tc/store/store.h, and what only the
 * SQLite one has: a file that somebody may have touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "tc/store/store_memory.h"
#include "tc/store/store_sqlite.h"
#include "tests/fakes/fault_vfs.h"
#include "tests/fakes/flaky.h"

struct fixture {
	char dir[64];
	struct buf path;
	struct store_sqlite_options options;
	struct store *s;
	uint64_t epoch;
	struct buf seen; /* one line for each row that was loaded */
};

static int see(void *ctx, const struct row *row)
{
	struct buf *seen = ctx;

	buf_printf(seen, "%d/%llu/%llu:%.*s;", (int)row->table,
		   (unsigned long long)row->id, (unsigned long long)row->gtx,
		   (int)row->body.len, (const char *)row->body.data);
	return OK;
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(&mem_heap, sizeof *f);

	memcpy(f->dir, "/tmp/treaty-store-XXXXXX", 25);
	assert_non_null(mkdtemp(f->dir));
	buf_init(&f->path, &mem_heap);
	buf_init(&f->seen, &mem_heap);
	buf_printf(&f->path, "%s/treaty.db", f->dir);
	store_sqlite_defaults(&f->options);
	f->options.path = buf_text(&f->path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "treaty.db", "treaty.db-wal" };

	store_close(f->s);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		buf_clear(&f->path);
		buf_printf(&f->path, "%s/%s", f->dir, names[i]);
		(void)unlink(buf_text(&f->path));
	}
	(void)rmdir(f->dir);
	buf_fini(&f->path);
	buf_fini(&f->seen);
	mem_free(&mem_heap, f);
	return 0;
}

static int reopen(struct fixture *f)
{
	store_close(f->s);
	buf_clear(&f->seen);
	assert_int_equal(store_sqlite_new(&f->s, &mem_heap, &f->options), OK);
	return store_load(f->s, see, &f->seen, &f->epoch);
}

static struct effect put(enum row_table table, uint64_t id, uint64_t gtx,
			 const char *body)
{
	struct effect fx = { .type = FX_PUT };

	fx.row = (struct row){ .table = table,
			       .id = id,
			       .gtx = gtx,
			       .status = 1,
			       .name = BYTES("a name"),
			       .body = bytes_of(body) };
	return fx;
}

static struct effect archive(uint64_t gtx, uint64_t ended)
{
	struct effect fx = { .type = FX_ARCHIVE };

	fx.archive = (struct archive){ .gtx = gtx,
				       .status = GTX_COMMITTED,
				       .name = BYTES("buy"),
				       .application = BYTES("order"),
				       .began_wall_ms = ended - 5,
				       .ended_wall_ms = ended,
				       .n_branches = 3,
				       .kind = KIND_SAGA,
				       .detail = BYTES("{}") };
	return fx;
}

static struct effect line(uint64_t gtx, uint64_t at, const char *text)
{
	struct effect fx = { .type = FX_HISTORY };

	fx.history = (struct history){ .gtx = gtx,
				       .wall_ms = at,
				       .kind = HISTORY_FAILED,
				       .branch = 70,
				       .task = 3,
				       .attempt = 2,
				       .text = bytes_of(text) };
	return fx;
}

static bool see_archived(void *ctx, const struct archive *a)
{
	assert_int_equal(a->kind, KIND_SAGA);
	assert_true(bytes_equal(a->detail, BYTES("{}")));
	buf_printf(ctx, "%llu:%.*s;", (unsigned long long)a->gtx,
		   (int)a->application.len, (const char *)a->application.data);
	return true;
}

static void see_one(void *ctx, const struct archive *a)
{
	(void)see_archived(ctx, a);
}

static void see_line(void *ctx, const struct history *h)
{
	assert_int_equal(h->kind, HISTORY_FAILED);
	assert_int_equal(h->branch, 70);
	assert_int_equal(h->task, 3);
	assert_int_equal(h->attempt, 2);
	buf_printf(ctx, "%.*s;", (int)h->text.len, (const char *)h->text.data);
}

/* ---- what both must do ---- */

static void fill(struct store *s, uint64_t epoch)
{
	struct effect fx[] = {
		put(ROW_META, 1, 0, "meta"),   put(ROW_GTX, 7, 0, "old"),
		put(ROW_GTX, 7, 0, "new"),     put(ROW_GTX, 8, 0, "gone"),
		put(ROW_BRANCH, 70, 7, "br"),  put(ROW_TOMBSTONE, 5, 0, "t"),
		put(ROW_SAGA, 7, 7, "run"),    put(ROW_MACHINE, 9, 0, "def"),
		{ .type = FX_DELETE },         { .type = FX_DELETE },
		{ .type = FX_REPLY },          archive(5, 1000),
		line(7, 10, "first"),          line(7, 20, "second"),
		line(8, 20, "another's line"),
	};

	fx[8].row = (struct row){ .table = ROW_GTX, .id = 8 };
	fx[9].row = (struct row){ .table = ROW_GTX, .id = 999 };
	assert_int_equal(store_apply(s, fx, ARRAY_LEN(fx), epoch, true), OK);
}

#define FILLED "0/1/0:meta;1/7/0:new;2/70/7:br;3/5/0:t;4/7/7:run;5/9/0:def;"

static void check_people_tables(struct store *s)
{
	struct buf seen;

	buf_init(&seen, &mem_heap);
	assert_int_equal(store_history(s, 7, see_line, &seen), OK);
	assert_string_equal(buf_text(&seen), "first;second;");
	buf_clear(&seen);
	assert_int_equal(store_archived_one(s, 5, see_one, &seen), OK);
	assert_string_equal(buf_text(&seen), "5:order;");
	assert_int_equal(store_archived_one(s, 6, see_one, &seen), E_NOTFOUND);
	buf_fini(&seen);
}

static struct effect audit(const char *actor, uint64_t at)
{
	struct effect fx = { .type = FX_AUDIT, .forced = true };

	fx.audit = (struct audit){ .wall_ms = at,
				   .actor = bytes_of(actor),
				   .action = BYTES("retry"),
				   .xid = BYTES("tc:1:7"),
				   .branch = 70,
				   .reason = BYTES("it's time"),
				   .detail = BYTES("{}"),
				   .err = E_STATE };
	return fx;
}

static bool see_audit(void *ctx, const struct audit *a)
{
	assert_true(bytes_equal(a->action, BYTES("retry")));
	assert_true(bytes_equal(a->xid, BYTES("tc:1:7")));
	assert_int_equal(a->branch, 70);
	assert_true(bytes_equal(a->reason, BYTES("it's time")));
	assert_true(bytes_equal(a->detail, BYTES("{}")));
	assert_int_equal(a->err, E_STATE);
	buf_printf(ctx, "%llu %.*s %llu;", (unsigned long long)a->id,
		   (int)a->actor.len, (const char *)a->actor.data,
		   (unsigned long long)a->wall_ms);
	return true;
}

static bool see_first_audit(void *ctx, const struct audit *a)
{
	(void)see_audit(ctx, a);
	return false;
}

static void assert_audits(struct store *s, uint64_t before, size_t limit,
			  const char *want)
{
	struct buf seen;

	buf_init(&seen, &mem_heap);
	assert_int_equal(store_audits(s, before, limit, see_audit, &seen), OK);
	assert_string_equal(buf_text(&seen), want);
	buf_fini(&seen);
}

static void check_audits(struct store *s, uint64_t epoch)
{
	struct effect fx[] = { audit("a", 10), audit("b", 20) };
	struct audit login = audit("c", 30).audit;
	struct buf seen;

	assert_audits(s, 0, 9, "");
	assert_int_equal(store_apply(s, fx, 2, epoch, true), OK);
	assert_int_equal(store_audit(s, &login, epoch), OK);
	assert_audits(s, 0, 9, "3 c 30;2 b 20;1 a 10;");
	assert_audits(s, 0, 2, "3 c 30;2 b 20;");
	assert_audits(s, 2, 2, "1 a 10;");
	assert_audits(s, 0, 0, "");
	buf_init(&seen, &mem_heap);
	assert_int_equal(store_audits(s, 0, 9, see_first_audit, &seen), OK);
	assert_string_equal(buf_text(&seen), "3 c 30;");
	buf_fini(&seen);
}

static void check_pages(struct store *s, uint64_t epoch)
{
	struct effect fx[] = { archive(3, 1), archive(9, 1), archive(6, 1) };
	struct buf seen;

	buf_init(&seen, &mem_heap);
	assert_int_equal(store_apply(s, fx, 3, epoch, false), OK);
	assert_int_equal(store_archived(s, 0, 3, see_archived, &seen), OK);
	assert_string_equal(buf_text(&seen), "9:order;6:order;5:order;");
	buf_clear(&seen);
	assert_int_equal(store_archived(s, 6, 9, see_archived, &seen), OK);
	assert_string_equal(buf_text(&seen), "5:order;3:order;");
	buf_fini(&seen);
}

static void test_sqlite_gives_back_what_it_was_given(void **state)
{
	struct fixture *f = *state;
	uint64_t first;

	assert_int_equal(reopen(f), OK);
	assert_string_equal(buf_text(&f->seen), "");
	first = f->epoch;
	fill(f->s, f->epoch);
	check_people_tables(f->s);
	assert_int_equal(reopen(f), OK);
	assert_int_equal(f->epoch, first + 1);
	assert_string_equal(buf_text(&f->seen), FILLED);
	check_people_tables(f->s);
	check_pages(f->s, f->epoch);
	check_audits(f->s, f->epoch);
	assert_int_equal(reopen(f), OK);
	assert_audits(f->s, 0, 9, "3 c 30;2 b 20;1 a 10;");
}

static int count(void *ctx, const struct row *row)
{
	(void)row;
	++*(int *)ctx;
	return OK;
}

static void test_memory_gives_back_what_it_was_given(void **state)
{
	struct store *s;
	uint64_t epoch;
	int n = 0;

	(void)state;
	assert_int_equal(store_memory_new(&s, &mem_heap), OK);
	assert_int_equal(store_load(s, count, &n, &epoch), OK);
	fill(s, epoch);
	check_people_tables(s);
	check_pages(s, epoch);
	check_audits(s, epoch);
	store_memory_crash(s, 0);
	assert_int_equal(store_load(s, count, &n, &epoch), OK);
	assert_int_equal(n, 6);
	assert_int_equal(epoch, 2);
	store_close(s);
}

static void test_an_epoch_that_is_over_is_refused_for_good(void **state)
{
	struct fixture *f = *state;
	struct effect fx = put(ROW_GTX, 1, 0, "x");

	assert_int_equal(reopen(f), OK);
	assert_int_equal(store_apply(f->s, &fx, 1, f->epoch - 1, true),
			 E_STATE);
	assert_int_equal(store_apply(f->s, &fx, 1, f->epoch, true), E_STATE);
	assert_non_null(strstr(store_error(f->s), "took over"));
	assert_int_equal(reopen(f), OK);
	assert_string_equal(buf_text(&f->seen), "");
}

static void test_only_a_durable_batch_costs_a_sync_and_just_one(void **state)
{
	struct fixture *f = *state;
	struct effect fx[] = { put(ROW_GTX, 1, 0, "x"),
			       put(ROW_BRANCH, 2, 1, "y") };
	uint64_t before;

	assert_int_equal(reopen(f), OK);
	assert_int_equal(store_apply(f->s, fx, 2, f->epoch, true), OK);
	before = store_stats(f->s).syncs;
	for (int i = 0; i < 10; i++)
		assert_int_equal(store_apply(f->s, fx, 2, f->epoch, false), OK);
	assert_int_equal(store_stats(f->s).syncs, before);
	for (int i = 0; i < 10; i++)
		assert_int_equal(store_apply(f->s, fx, 2, f->epoch, true), OK);
	assert_int_equal(store_stats(f->s).syncs, before + 10);
	assert_int_equal(store_stats(f->s).batches_durable, 11);
	assert_int_equal(store_stats(f->s).rows, 42);
}

/* ---- the file ---- */

static void sql(struct fixture *f, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->options.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_refused(struct fixture *f, int err, const char *says)
{
	assert_int_equal(reopen(f), err);
	if (!strstr(store_error(f->s), says))
		fail_msg("does not say \"%s\": %s", says, store_error(f->s));
	assert_non_null(strstr(store_error(f->s), f->options.path));
}

static void test_a_file_of_another_program_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct stat was, is;

	sql(f, "CREATE TABLE t(x); PRAGMA application_id=42;");
	assert_int_equal(stat(f->options.path, &was), 0);
	assert_refused(f, E_CORRUPT, "another program");
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(stat(f->options.path, &is), 0);
	assert_int_equal(was.st_mtim.tv_sec, is.st_mtim.tv_sec);
	assert_int_equal(was.st_mtim.tv_nsec, is.st_mtim.tv_nsec);
}

static void test_a_file_of_a_newer_version_is_left_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), OK);
	store_close(f->s);
	f->s = NULL;
	sql(f, "PRAGMA user_version=99;");
	assert_refused(f, E_VERSION, "newer treatyd");
}

static void test_a_file_that_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->options.path, O_WRONLY | O_CREAT, 0600);

	for (int i = 0; i < 300; i++)
		assert_int_equal(write(fd, "this is no database. ", 21), 21);
	assert_int_equal(close(fd), 0);
	assert_refused(f, E_CORRUPT, "not a SQLite file");
}

static void test_two_processes_cannot_have_it(void **state)
{
	struct fixture *f = *state;
	struct store *second;
	uint64_t epoch;

	assert_int_equal(reopen(f), OK);
	assert_int_equal(store_sqlite_new(&second, &mem_heap, &f->options), OK);
	assert_int_equal(store_load(second, see, &f->seen, &epoch), E_CONFLICT);
	assert_non_null(strstr(store_error(second), "another process"));
	store_close(second);
}

static void test_a_missing_folder_is_named(void **state)
{
	struct fixture *f = *state;

	f->options.path = "/nowhere/at/all/treaty.db";
	assert_refused(f, E_IO, "the folder exists");
}

static void test_an_edited_row_is_named(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), OK);
	fill(f->s, f->epoch);
	store_close(f->s);
	f->s = NULL;
	sql(f, "UPDATE branch SET status = 5 WHERE id = 70");
	assert_refused(f, E_CORRUPT, "row 70 of table branch");
}

static void test_a_deleted_row_is_missed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), OK);
	fill(f->s, f->epoch);
	store_close(f->s);
	f->s = NULL;
	sql(f, "DELETE FROM branch WHERE id = 70");
	assert_refused(f, E_CORRUPT, "rows are missing");
}

static int see_columns(void *ctx, int n, char **values, char **names)
{
	for (int i = 0; i < n; i++)
		buf_printf(ctx, "%s=%s;", names[i],
			   values[i] ? values[i] : "NULL");
	return 0;
}

static void test_an_operator_can_read_it(void **state)
{
	struct fixture *f = *state;
	struct effect fx = audit("user eve", 5);
	struct buf out;
	sqlite3 *db;

	assert_int_equal(reopen(f), OK);
	fill(f->s, f->epoch);
	assert_int_equal(store_apply(f->s, &fx, 1, f->epoch, true), OK);
	store_close(f->s);
	f->s = NULL;
	buf_init(&out, &mem_heap);
	assert_int_equal(sqlite3_open(f->options.path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			     "SELECT status, ended, kind FROM finished;"
			     "SELECT number, machine, status FROM sagas;"
			     "SELECT resource, status FROM branches;"
			     "SELECT number, status FROM unfinished;"
			     "SELECT * FROM story WHERE number = 8;"
			     "SELECT * FROM audits",
			     see_columns, &out, NULL),
		SQLITE_OK);
	assert_string_equal(
		buf_text(&out),
		"status=Committed;ended=1970-01-01 00:00:01.000;kind=saga;"
		"number=7;machine=a name;status=Begin;"
		"resource=a name;status=Registered;number=7;status=Begin;"
		"number=8;at=1970-01-01 00:00:00.020;kind=failed;branch=70;"
		"task=2;attempt=2;text=another's line;"
		"id=1;at=1970-01-01 00:00:00.005;actor=user eve;action=retry;"
		"xid=tc:1:7;branch=70;reason=it's "
		"time;answer=refused;detail={};");
	(void)sqlite3_close(db);
	buf_fini(&out);
}

/* ---- bounded archive and history ---- */

static size_t n_archived(struct store *s)
{
	struct buf seen;
	size_t n = 0;

	buf_init(&seen, &mem_heap);
	assert_int_equal(store_archived(s, 0, 10000, see_archived, &seen), OK);
	for (size_t i = 0; i < seen.len; i++)
		n += seen.data[i] == ';';
	buf_fini(&seen);
	return n;
}

static void test_the_archive_is_bounded_by_count_and_age(void **state)
{
	struct fixture *f = *state;
	uint64_t wall = 1000000;

	f->options.archive_max = 600;
	f->options.archive_keep_ms = 1000;
	assert_int_equal(reopen(f), OK);
	for (uint64_t i = 1; i <= 1000; i++) {
		struct effect fx = archive(i, i <= 900 ? wall : wall + 5000);

		assert_int_equal(store_apply(f->s, &fx, 1, f->epoch, false),
				 OK);
	}
	while (store_idle(f->s, wall))
		;
	assert_int_equal(n_archived(f->s), 600);
	while (store_idle(f->s, wall + 2000))
		;
	assert_int_equal(n_archived(f->s), 100);
	assert_int_equal(reopen(f), OK);
	assert_int_equal(n_archived(f->s), 100);
}

/* What was dropped gives its number to nobody. */
static void check_numbers_go_on(struct fixture *f)
{
	struct effect fx = audit("y", 1);

	assert_int_equal(store_apply(f->s, &fx, 1, f->epoch, true), OK);
	assert_audits(f->s, 0, 9, "6 y 1;");
}

static void test_the_audit_log_is_bounded_by_count_and_age(void **state)
{
	struct fixture *f = *state;
	uint64_t wall = 1000000;

	f->options.audit_max = 3;
	f->options.audit_keep_ms = 1000;
	assert_int_equal(reopen(f), OK);
	for (uint64_t i = 1; i <= 5; i++) {
		struct effect fx = audit("x", i <= 4 ? wall : wall + 5000);

		assert_int_equal(store_apply(f->s, &fx, 1, f->epoch, false),
				 OK);
	}
	while (store_idle(f->s, wall))
		;
	assert_audits(f->s, 0, 9, "5 x 1005000;4 x 1000000;3 x 1000000;");
	while (store_idle(f->s, wall + 2000))
		;
	assert_audits(f->s, 0, 9, "5 x 1005000;");
	while (store_idle(f->s, wall + 20000))
		;
	assert_audits(f->s, 0, 9, "");
	assert_int_equal(reopen(f), OK);
	check_numbers_go_on(f);
}

static void test_a_story_keeps_its_newest_lines(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = { "a", "b", "c", "d", "e" };
	struct buf seen;

	f->options.history_per_gtx_max = 3;
	assert_int_equal(reopen(f), OK);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct effect fx = line(7, i, texts[i]);

		assert_int_equal(store_apply(f->s, &fx, 1, f->epoch, false),
				 OK);
		if (i == 3)
			assert_int_equal(reopen(f), OK);
	}
	buf_init(&seen, &mem_heap);
	assert_int_equal(store_history(f->s, 7, see_line, &seen), OK);
	assert_string_equal(buf_text(&seen), "c;d;e;");
	buf_fini(&seen);
}

static void test_old_stories_go_but_those_of_the_unfinished_stay(void **state)
{
	struct fixture *f = *state;
	struct effect fx[] = { put(ROW_GTX, 1, 0, "unfinished"),
			       line(1, 5, "old, unfinished"),
			       line(2, 5, "old, finished"),
			       line(3, 9000, "new, finished") };
	struct buf seen;

	f->options.history_keep_ms = 1000;
	assert_int_equal(reopen(f), OK);
	assert_int_equal(store_apply(f->s, fx, 4, f->epoch, true), OK);
	while (store_idle(f->s, 9500))
		;
	buf_init(&seen, &mem_heap);
	for (uint64_t n = 1; n <= 3; n++)
		assert_int_equal(store_history(f->s, n, see_line, &seen), OK);
	assert_string_equal(buf_text(&seen), "old, unfinished;new, finished;");
	buf_fini(&seen);
}

/* ---- the memory store's faults ---- */

static void test_a_crash_takes_only_what_was_not_durable(void **state)
{
	for (size_t keep = 0; keep <= 2; keep++) {
		struct effect a = put(ROW_GTX, 1, 0, "a"),
			      b = put(ROW_GTX, 1, 0, "b"),
			      c = put(ROW_GTX, 2, 0, "c");
		static const char *const want[] = { "1/1/0:a;", "1/1/0:b;",
						    "" };
		struct buf seen;
		struct store *s;
		uint64_t epoch;

		(void)state;
		buf_init(&seen, &mem_heap);
		assert_int_equal(store_memory_new(&s, &mem_heap), OK);
		assert_int_equal(store_load(s, see, &seen, &epoch), OK);
		assert_int_equal(store_apply(s, &a, 1, epoch, true), OK);
		assert_int_equal(store_apply(s, &b, 1, epoch, false), OK);
		c.type = FX_DELETE;
		c.row.id = 1;
		assert_int_equal(store_apply(s, &c, 1, epoch, false), OK);
		assert_int_equal(store_memory_at_risk(s), 2);
		store_memory_crash(s, keep);
		assert_int_equal(store_load(s, see, &seen, &epoch), OK);
		assert_string_equal(buf_text(&seen), want[keep]);
		store_close(s);
		buf_fini(&seen);
	}
}

static void test_a_store_that_failed_refuses_until_it_is_loaded(void **state)
{
	for (int fault = STORE_FAULT_BEFORE; fault <= STORE_FAULT_AFTER;
	     fault++) {
		struct effect a = put(ROW_GTX, 1, 0, "a");
		struct store *s;
		uint64_t epoch;
		int n = 0;

		(void)state;
		assert_int_equal(store_memory_new(&s, &mem_heap), OK);
		assert_int_equal(store_load(s, count, &n, &epoch), OK);
		store_memory_fail(s, (enum store_fault)fault, 2);
		assert_int_equal(store_apply(s, NULL, 0, epoch, true), OK);
		assert_int_equal(store_apply(s, &a, 1, epoch, true), E_IO);
		assert_int_equal(store_apply(s, &a, 1, epoch, true), E_IO);
		store_memory_crash(s, 9);
		assert_int_equal(store_load(s, count, &n, &epoch), OK);
		assert_int_equal(n, fault == STORE_FAULT_AFTER);
		store_close(s);
	}
}

static void test_memory_store_out_of_memory_applies_nothing(void **state)
{
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct effect fx[] = { put(ROW_GTX, 1, 0, "a"),
				       put(ROW_GTX, 2, 0, "b"),
				       line(1, 1, "x") };
		struct flaky flaky;
		struct store *s;
		uint64_t epoch;
		int rows = 0;

		assert_true(n < 100);
		flaky_init(&flaky, n);
		rc = store_memory_new(&s, &flaky.mem);
		if (rc == OK) {
			rc = store_load(s, count, &rows, &epoch);
			assert_int_equal(rc, OK);
			rc = store_apply(s, fx, 3, epoch, true);
			flaky.fail_at = -1;
			store_memory_crash(s, 0);
			assert_int_equal(store_load(s, count, &rows, &epoch),
					 OK);
			assert_int_equal(rows, rc == OK ? 2 : 0);
			store_close(s);
		}
		assert_int_equal(flaky.live, 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_sqlite_gives_back_what_it_was_given),
		T(test_memory_gives_back_what_it_was_given),
		T(test_an_epoch_that_is_over_is_refused_for_good),
		T(test_only_a_durable_batch_costs_a_sync_and_just_one),
		T(test_a_file_of_another_program_is_left_alone),
		T(test_a_file_of_a_newer_version_is_left_alone),
		T(test_a_file_that_is_no_database_is_refused),
		T(test_two_processes_cannot_have_it),
		T(test_a_missing_folder_is_named),
		T(test_an_edited_row_is_named),
		T(test_a_deleted_row_is_missed),
		T(test_an_operator_can_read_it),
		T(test_the_archive_is_bounded_by_count_and_age),
		T(test_the_audit_log_is_bounded_by_count_and_age),
		T(test_a_story_keeps_its_newest_lines),
		T(test_old_stories_go_but_those_of_the_unfinished_stay),
		T(test_a_crash_takes_only_what_was_not_durable),
		T(test_a_store_that_failed_refuses_until_it_is_loaded),
		T(test_memory_store_out_of_memory_applies_nothing),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
