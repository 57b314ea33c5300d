#include "base/json.h"
#include "tests/live/at_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * What an operator decides is about what he saw: the rows of the difference,
 * named as the HTTP door passes them on. A row that changed again stays dirty.
 */

static struct servers servers;

static int start(void **state)
{
	(void)state;
	return servers_start(&servers, 0);
}

static int stop(void **state)
{
	(void)state;
	servers_stop(&servers);
	return 0;
}

static void open_world(struct at_world *w, int n)
{
	static const struct treaty_at_options quick = { .lock_wait_ms = 300,
							.retry_for_ms = 3000 };
	char dsn[300];

	(void)snprintf(dsn, sizeof dsn, "sqlite:%s/seen%d.db?create=1",
		       servers.dir, n);
	world_open(w, dsn, &quick);
	world_sql(w, "CREATE TABLE t (id int NOT NULL PRIMARY KEY, n int);\n"
		     "INSERT INTO t VALUES (1, 10), (2, 20)");
}

/* A member of a JSON object, as it stands there. */
static struct bytes member(struct bytes object, const char *name)
{
	struct bytes key, value;
	struct json_walk w;

	json_walk_init(&w, object);
	while (json_walk(&w, &key, &value))
		if (bytes_equal(key, bytes_of(name)))
			return value;
	fail_msg("no %s in %.*s", name, (int)object.len,
		 (const char *)object.data);
	return key;
}

/* {"rows":[…]} of what the desk's last difference shows. */
static const char *seen_rows(const struct at_world *w, const char *choice)
{
	static char text[8192];
	struct buf out;
	struct bytes none, row;
	struct json_walk walk;
	struct json j;

	buf_init(&out, &mem_heap);
	json_init(&j, &out);
	json_object(&j, NULL);
	json_array(&j, "rows");
	json_walk_init(&walk, member(bytes_of(w->desk.detail), "\"rows\""));
	while (json_walk(&walk, &none, &row)) {
		json_object(&j, NULL);
		json_raw(&j, "table", member(row, "\"table\""));
		json_raw(&j, "key", member(row, "\"key\""));
		json_text(&j, "choice", bytes_of(choice));
		json_raw(&j, "seen", member(row, "\"seen\""));
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	assert_true(buf_error(&out) == OK && out.len < sizeof text);
	memcpy(text, buf_text(&out), out.len + 1);
	buf_fini(&out);
	return text;
}

static void expect_rows(struct at_world *w, const char *want)
{
	char *rows = world_look(w, "SELECT id, n FROM t ORDER BY id");

	assert_string_equal(rows, want);
	free(rows);
}

/* A branch whose undo met rows that somebody else had written. */
static struct treaty_tx *make_dirty(struct at_world *w, const char *sql)
{
	struct treaty_tx *tx = at_desk_begin(&w->desk);

	world_exec(w, "UPDATE t SET n = n + 5", OK);
	world_sql(w, sql);
	assert_int_equal(at_desk_rollback(&w->desk, tx), 1);
	return tx;
}

static void test_what_was_seen_is_undone(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;

	(void)state;
	open_world(&w, 1);
	tx = make_dirty(&w, "UPDATE t SET n = 99 WHERE id = 2");
	assert_int_equal(at_desk_again(&w.desk, tx, AGENT_RESOLVE_USE_UNDO,
				       seen_rows(&w, "undo")),
			 0);
	expect_rows(&w, "1|10\n2|20\n");
	world_close(&w);
}

static void test_what_was_seen_is_kept(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;

	(void)state;
	open_world(&w, 2);
	tx = make_dirty(&w, "UPDATE t SET n = 99 WHERE id = 2");
	assert_int_equal(at_desk_again(&w.desk, tx, AGENT_RESOLVE_KEEP_CURRENT,
				       seen_rows(&w, "keep")),
			 0);
	expect_rows(&w, "1|10\n2|99\n");
	world_close(&w);
}

static void test_a_row_that_changed_again_stays_dirty(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;

	(void)state;
	open_world(&w, 3);
	tx = make_dirty(&w, "UPDATE t SET n = 99 WHERE id = 2");
	world_sql(&w, "UPDATE t SET n = 77 WHERE id = 2");
	assert_int_equal(at_desk_again(&w.desk, tx, AGENT_RESOLVE_USE_UNDO,
				       seen_rows(&w, "undo")),
			 1);
	expect_rows(&w, "1|15\n2|77\n");
	assert_non_null(strstr(w.desk.detail, "\"now\":\"77\""));
	/* Seen again, decided again. */
	assert_int_equal(at_desk_again(&w.desk, tx, AGENT_RESOLVE_USE_UNDO,
				       seen_rows(&w, "undo")),
			 0);
	expect_rows(&w, "1|10\n2|20\n");
	world_close(&w);
}

static void test_a_row_that_became_dirty_later_was_not_meant(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;

	(void)state;
	open_world(&w, 4);
	tx = make_dirty(&w, "UPDATE t SET n = 99 WHERE id = 2");
	world_sql(&w, "DELETE FROM t WHERE id = 1");
	assert_int_equal(at_desk_again(&w.desk, tx, AGENT_RESOLVE_USE_UNDO,
				       seen_rows(&w, "undo")),
			 1);
	expect_rows(&w, "2|99\n");
	assert_non_null(strstr(w.desk.detail, "\"now\":\"absent\""));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_seen_is_undone),
		cmocka_unit_test(test_what_was_seen_is_kept),
		cmocka_unit_test(test_a_row_that_changed_again_stays_dirty),
		cmocka_unit_test(
			test_a_row_that_became_dirty_later_was_not_meant),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
