#include "tests/conformance/play.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what a statement gave, as text ---- */

static void put_value(struct buf *out, bool null, struct bytes data)
{
	buf_put_char(out, '|');
	if (null)
		buf_put_text(out, "NULL");
	else
		buf_put(out, data);
}

/* SQLite gives the connection's last insert id with every statement. */
static void put_counts(struct buf *out, const char *sql, uint64_t affected,
		       uint64_t id)
{
	buf_printf(out, "%llu rows", (unsigned long long)affected);
	if (strncmp(sql, "INSERT", 6) == 0 || strncmp(sql, "REPLACE", 7) == 0)
		buf_printf(out, ", id %llu", (unsigned long long)id);
	buf_put_char(out, '\n');
}

static void put_twin(struct buf *out, const char *sql,
		     const struct db_result *r)
{
	put_counts(out, sql, r->affected, r->last_insert_id);
	for (size_t c = 0; c < r->n_columns; c++)
		put_value(out, false, r->columns[c].name);
	for (size_t i = 0; i < r->n_rows; i++) {
		buf_put_char(out, '\n');
		for (size_t c = 0; c < r->n_columns; c++) {
			struct value v = db_value(r, i, c);

			put_value(out, v.type == VALUE_NULL, v.data);
		}
	}
	buf_put_char(out, '\n');
}

static void put_ours(struct buf *out, const char *sql,
		     const struct treaty_result *r)
{
	put_counts(out, sql, treaty_result_affected(r),
		   treaty_result_insert_id(r));
	for (size_t c = 0; c < treaty_result_columns(r); c++)
		put_value(out, false, bytes_of(treaty_result_name(r, c)));
	for (size_t i = 0; i < treaty_result_rows(r); i++) {
		buf_put_char(out, '\n');
		for (size_t c = 0; c < treaty_result_columns(r); c++) {
			struct treaty_value v = treaty_result_value(r, i, c);

			put_value(out, v.type == TREATY_NULL,
				  (struct bytes){ v.data, v.len });
		}
	}
	buf_put_char(out, '\n');
}

/* ---- running, past Treaty and through it ---- */

struct run {
	const struct conf_case *c;
	struct buf gave;
	struct buf said; /* the message of a failure */
	int rc;
};

static int twin_one(struct ground *g, struct run *run, const char *sql)
{
	struct value params[CASE_PARAMS];
	struct db_stmt stmt = { .sql = bytes_of(sql),
				.params = params,
				.n_params = run->c->n_params };
	struct db_result r;
	struct arena arena;
	int rc;

	for (size_t i = 0; i < run->c->n_params; i++)
		params[i] =
			(struct value){ (enum value_type)run->c->params[i].type,
					{ run->c->params[i].data,
					  run->c->params[i].len } };
	arena_init(&arena, &mem_heap, 0);
	rc = db_exec(g->twin, &stmt, &arena, &r);
	if (rc == OK)
		put_twin(&run->gave, sql, &r);
	else
		buf_put_text(&run->said, db_error(g->twin)->message);
	arena_fini(&arena);
	return rc;
}

static void twin_leave(struct ground *g, struct buf *why)
{
	if (db_rollback(g->twin) != OK)
		buf_printf(why, "    twin: %s\n", db_error(g->twin)->message);
}

static int hand_one(struct ground *g, struct run *run, const char *sql)
{
	struct treaty_result *r = NULL;
	int rc = treaty_at_exec(g->at, sql, run->c->params, run->c->n_params,
				&r);

	if (rc == TREATY_OK)
		put_ours(&run->gave, sql, r);
	else
		buf_put_text(&run->said, treaty_at_error(g->at)->message);
	treaty_result_free(r);
	return rc;
}

static void run_case(struct ground *g, struct run *run,
		     int (*one)(struct ground *, struct run *, const char *))
{
	char *copy = mem_text(&mem_heap, bytes_of(run->c->sql)), *rest = copy;
	const char *sql;

	REQUIRE(copy);
	ground_even(g);
	if (!run->c->steps) {
		run->rc = one(g, run, run->c->sql);
	} else {
		size_t n = strlen(copy);

		if (n && copy[n - 1] == ';')
			copy[n - 1] = '\0';
		while (run->rc == OK && (sql = next_statement(&rest)))
			run->rc = one(g, run, sql);
	}
	mem_free(&mem_heap, copy);
}

static void run_init(struct run *run, const struct conf_case *c)
{
	*run = (struct run){ .c = c };
	buf_init(&run->gave, &mem_heap);
	buf_init(&run->said, &mem_heap);
}

static void run_fini(struct run *run)
{
	buf_fini(&run->gave);
	buf_fini(&run->said);
}

/* ---- one global transaction ---- */

/* Ends the transaction; the outcome must be complete when it returns. */
static bool end(struct ground *g, struct treaty_tx *tx, bool commit,
		struct buf *why)
{
	int wanted =
		commit ? TREATY_STATUS_COMMITTED : TREATY_STATUS_ROLLBACKED;
	int rc, status;

	if (treaty_at_rollback(g->at) != TREATY_OK)
		buf_printf(why, "    local rollback: %s\n",
			   treaty_at_error(g->at)->message);
	rc = commit ? treaty_commit(tx) : treaty_rollback(tx, "conformance");
	status = treaty_tx_status(tx);
	if (rc != TREATY_OK || status != wanted)
		buf_printf(why, "    %s: %s, the transaction is %s\n",
			   commit ? "commit" : "rollback",
			   rc ? treaty_last_error() : "ok",
			   treaty_status_name(status));
	(void)treaty_release(tx);
	return rc == TREATY_OK && status == wanted;
}

static void compare(struct ground *g, const struct buf *wanted,
		    const char *when, struct buf *why)
{
	struct buf now;

	buf_init(&now, &mem_heap);
	ground_look(g, &now);
	if (!bytes_equal(buf_bytes(&now), buf_bytes(wanted))) {
		buf_printf(why, "    content differs %s\n", when);
		ground_difference(wanted, &now, why);
	}
	buf_fini(&now);
}

static struct treaty_tx *begin(struct ground *g, struct buf *why)
{
	struct treaty_tx *tx = NULL;

	if (treaty_begin(g->treaty, "conformance", 60000, &tx) != TREATY_OK)
		buf_printf(why, "    begin: %s\n", treaty_last_error());
	return tx;
}

/* What went wrong in phase two is in the coordinator's log only. */
static void put_log(struct ground *g, struct buf *why)
{
	char line[2000], last[2000] = "";
	FILE *f = fopen(g->treatyd.log, "r");

	while (f && fgets(line, sizeof line, f))
		if (strstr(line, "branch"))
			memcpy(last, line, sizeof last);
	if (f)
		(void)fclose(f);
	buf_printf(why, "    %s\n", last);
}

static void end_and_see(struct ground *g, struct treaty_tx *tx, bool commit,
			const struct buf *wanted, struct buf *why)
{
	bool ended = end(g, tx, commit, why);

	if (!ended)
		put_log(g, why);
	if (wanted)
		compare(g, wanted,
			commit ? "after the global commit"
			       : "after the global rollback",
			why);
	if (!ended && !ground_renew(g))
		buf_put_text(why, "    the ground cannot be renewed\n");
}

/* ---- protected and passed ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_sorted(struct buf *out, const struct buf *in)
{
	char *copy = mem_text(&mem_heap, buf_bytes(in)), *rest = NULL;
	const char *lines[1000];
	size_t n = 0;

	for (char *line = strtok_r(copy, "\n", &rest);
	     line && n < ARRAY_LEN(lines); line = strtok_r(NULL, "\n", &rest))
		lines[n++] = line;
	qsort(lines, n, sizeof *lines, by_text);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s\n", lines[i]);
	mem_free(&mem_heap, copy);
}

/* Without ORDER BY rows come in any order. */
static bool same_rows(const struct conf_case *c, const struct buf *a,
		      const struct buf *b)
{
	struct buf x, y;
	bool same = bytes_equal(buf_bytes(a), buf_bytes(b));

	if (same || strstr(c->sql, "ORDER BY"))
		return same;
	buf_init(&x, &mem_heap);
	buf_init(&y, &mem_heap);
	put_sorted(&x, a);
	put_sorted(&y, b);
	same = bytes_equal(buf_bytes(&x), buf_bytes(&y));
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

static void check_given(const struct run *run, const struct run *twin,
			struct buf *why)
{
	struct run *a = (struct run *)(uintptr_t)run;
	struct run *b = (struct run *)(uintptr_t)twin;

	if (run->rc != OK)
		buf_printf(why, "    refused or failed: %s\n",
			   buf_text(&a->said));
	else if (!run->c->is_volatile &&
		 !same_rows(run->c, &run->gave, &twin->gave))
		buf_printf(why, "    gave\n%s    and not\n%s",
			   buf_text(&a->gave), buf_text(&b->gave));
}

/* Through Treaty, against what the twin did. */
static void play_rolled_back(struct ground *g, const struct run *twin,
			     struct buf *why)
{
	struct treaty_tx *tx = begin(g, why);
	struct run run;

	if (!tx)
		return;
	run_init(&run, twin->c);
	run_case(g, &run, hand_one);
	check_given(&run, twin, why);
	end_and_see(g, tx, false, &g->pristine, why);
	run_fini(&run);
}

static void play_committed(struct ground *g, const struct run *twin,
			   const struct buf *after, struct buf *why)
{
	struct treaty_tx *tx = begin(g, why);
	struct run run;

	if (!tx)
		return;
	run_init(&run, twin->c);
	run_case(g, &run, hand_one);
	check_given(&run, twin, why);
	end_and_see(g, tx, run.rc == OK,
		    run.rc != OK         ? &g->pristine
		    : run.c->is_volatile ? NULL
					 : after,
		    why);
	run_fini(&run);
}

static void check_changes(struct ground *g, const struct conf_case *c,
			  const struct buf *after, struct buf *why)
{
	bool same = bytes_equal(buf_bytes(after), buf_bytes(&g->pristine));
	bool wanted = c->expect == EXPECT_PASSED || c->nothing;

	if (c->kind && strcmp(c->kind, "select for update") == 0)
		wanted = true;
	if (same != wanted)
		buf_printf(why, "    the statement itself changes %s\n",
			   same ? "nothing" : "something");
}

static void play_running(struct ground *g, const struct conf_case *c,
			 struct buf *why)
{
	struct buf after;
	struct run twin;

	run_init(&twin, c);
	buf_init(&after, &mem_heap);
	run_case(g, &twin, twin_one);
	if (twin.rc == OK) {
		ground_look(g, &after);
		check_changes(g, c, &after, why);
	} else {
		buf_printf(why, "    the database refuses it: %s\n",
			   buf_text(&twin.said));
		twin_leave(g, why);
	}
	if (!ground_reset(g, twin.rc == OK ? &after : NULL))
		buf_put_text(why, "    not reset\n");
	if (why->len == 0)
		play_rolled_back(g, &twin, why);
	if (why->len == 0 && ground_reset(g, &g->pristine))
		play_committed(g, &twin, &after, why);
	if (!ground_reset(g, why->len || c->is_volatile ? NULL : &after))
		buf_put_text(why, "    not reset\n");
	buf_fini(&after);
	run_fini(&twin);
}

/* ---- refused and failed ---- */

static void play_refused(struct ground *g, const struct conf_case *c,
			 struct buf *why)
{
	struct treaty_tx *tx = begin(g, why);
	struct run run;

	if (!tx)
		return;
	run_init(&run, c);
	run_case(g, &run, hand_one);
	if (run.rc != TREATY_E_UNSUPPORTED)
		buf_printf(why, "    not refused but \"%s\": %s\n",
			   treaty_error_text(run.rc), buf_text(&run.said));
	else if (!strstr(buf_text(&run.said), c->because))
		buf_printf(why, "    refused for another reason: %s\n",
			   buf_text(&run.said));
	if (!c->steps)
		compare(g, &g->pristine, "after the refusal", why);
	end_and_see(g, tx, false, &g->pristine, why);
	if (!ground_reset(g, why->len ? NULL : &g->pristine))
		buf_put_text(why, "    not reset\n");
	run_fini(&run);
}

static void play_failed(struct ground *g, const struct conf_case *c,
			struct buf *why)
{
	struct treaty_tx *tx;
	struct run twin, run;

	run_init(&twin, c);
	run_init(&run, c);
	run_case(g, &twin, twin_one);
	twin_leave(g, why);
	if (twin.rc == OK)
		buf_put_text(why, "    the database takes it\n");
	if (!ground_reset(g, NULL))
		buf_put_text(why, "    not reset\n");
	tx = begin(g, why);
	if (tx) {
		run_case(g, &run, hand_one);
		if (run.rc == OK || run.rc == TREATY_E_UNSUPPORTED)
			buf_printf(why, "    did not fail but \"%s\": %s\n",
				   treaty_error_text(run.rc),
				   buf_text(&run.said));
		end_and_see(g, tx, false, &g->pristine, why);
	}
	if (!ground_reset(g, why->len ? NULL : &g->pristine))
		buf_put_text(why, "    not reset\n");
	run_fini(&twin);
	run_fini(&run);
}

/* ---- around a case ---- */

/* The same on both sides, outside of a global transaction. */
static void run_beside(struct ground *g, const struct conf_case *c,
		       const char *sql, struct buf *why)
{
	const struct conf_case bare = { .name = c->name };
	struct run run;

	if (!sql)
		return;
	run_init(&run, &bare);
	if (hand_one(g, &run, sql) != OK || twin_one(g, &run, sql) != OK)
		buf_printf(why, "    beside: %s\n", buf_text(&run.said));
	run_fini(&run);
}

void play(struct ground *g, const struct conf_case *c, struct buf *why)
{
	run_beside(g, c, c->before, why);
	if (why->len == 0) {
		switch (c->expect) {
		case EXPECT_PROTECTED:
		case EXPECT_PASSED:
			play_running(g, c, why);
			break;
		case EXPECT_REFUSED:
			play_refused(g, c, why);
			break;
		case EXPECT_FAILED:
			play_failed(g, c, why);
			break;
		}
	}
	run_beside(g, c, c->after, why);
}
