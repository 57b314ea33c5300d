#include "rm-agent/at/resource_impl.h"
#include "rm-agent/db/catalog.h"
#include "undo/compensate.h"

/*
 * The coordinator's command for one branch. Rollback, in one transaction on a
 * connection of our own:
 *
 *   read and lock the undo rows of the branch
 *     none          write the defence row: a late phase one then fails on
 *                   its unique key; done
 *     defence row   done already
 *     a record      load the tables as they are now, read and check all rows,
 *                   write them back newest first, delete the undo rows
 *   commit
 *
 * Any number of times: after the first the undo rows are gone, and later ones
 * leave a defence row that is purged by age. A dirty row stops everything
 * before the first write.
 */

struct undoing {
	struct at_resource *r;
	struct db *db;
	const struct agent_command *command;
	struct agent_result *result;
	struct arena arena;
	struct value ids[2];
	struct record record;
	struct plan *plan;
	/* The second way, see be_careful(). */
	bool careful;
};

/* Keys of a read, rows of a write; see undo/compensate.h. */
#define AT_ONCE 200

static int say(struct undoing *u, int rc, enum branch_status status,
	       const char *text)
{
	u->result->status = status;
	buf_put_text(u->result->error, text);
	return rc;
}

static int retry_later(struct undoing *u, int rc, const char *what)
{
	const struct db_error *e = db_error(u->db);

	buf_printf(u->result->error, "%s: %s", what,
		   rc == E_NOMEM ? "out of memory" : e->message);
	u->result->status = BRANCH_ROLLBACK_RETRYABLE;
	return rc;
}

/* The database refused a write of ours: by itself it will not get better. */
static int refused(struct undoing *u, int rc, const char *what)
{
	enum db_class class = db_error(u->db)->class;

	(void)retry_later(u, rc, what);
	if (class == DB_CONSTRAINT && !u->careful) {
		u->careful = true;
		return E_AGAIN;
	}
	if (class == DB_CONSTRAINT || class == DB_DATA || class == DB_SYNTAX)
		u->result->status = BRANCH_ROLLBACK_UNRETRYABLE;
	return rc;
}

static int exec(struct undoing *u, enum undo_log_text which,
		struct db_result *out)
{
	struct db_stmt stmt = { .sql = bytes_of(u->r->sql.text[which]),
				.params = u->ids,
				.n_params = 2,
				.keep = true };

	return db_exec(u->db, &stmt, &u->arena, out);
}

/* ---- the record ---- */

static bool is_defence(const struct db_result *rows)
{
	struct bytes status = db_value(rows, 0, 3).data;

	return rows->n_rows == 1 && status.len == 1 && status.data[0] == '1';
}

static int decode(struct undoing *u, const struct db_result *rows)
{
	struct record_limits limits = record_limits_default();
	struct bytes *parts =
		arena_array(&u->arena, rows->n_rows, sizeof *parts);
	struct buf why;
	int rc;

	if (!parts)
		return say(u, E_NOMEM, BRANCH_ROLLBACK_RETRYABLE,
			   "out of memory");
	for (size_t i = 0; i < rows->n_rows; i++)
		parts[i] = db_value(rows, i, 2).data;
	buf_init(&why, &u->arena.as_mem);
	rc = record_decode(&u->record, &u->arena, bytes_of(u->command->xid),
			   u->command->branch, parts, rows->n_rows, &limits,
			   &why);
	if (rc == OK)
		return OK;
	buf_put_text(u->result->error, "the undo rows cannot be read: ");
	return say(u, rc,
		   rc == E_NOMEM ? BRANCH_ROLLBACK_RETRYABLE
				 : BRANCH_ROLLBACK_UNRETRYABLE,
		   buf_text(&why));
}

/* ---- the plan ---- */

static int load_tables(struct undoing *u, const struct table ***out)
{
	size_t n = u->record.n_tables;
	const struct table **now = arena_array(&u->arena, n + 1, sizeof *now);

	if (!now)
		return say(u, E_NOMEM, BRANCH_ROLLBACK_RETRYABLE,
			   "out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct table *was = u->record.tables[i];
		struct catalog_table c;
		int rc = catalog_load(u->db, was->schema, was->name, &u->arena,
				      &c);

		if (rc == OK)
			now[i] = c.table;
		else if (rc != E_NOTFOUND)
			return retry_later(u, rc, "reading the catalog");
	}
	*out = now;
	return OK;
}

static int make_plan(struct undoing *u)
{
	const struct table **now = NULL;
	struct buf why;
	int rc = load_tables(u, &now);

	if (rc != OK)
		return rc;
	buf_init(&why, &u->arena.as_mem);
	rc = plan_new(&u->plan, &u->arena, &u->record, now, &why);
	if (rc == E_UNSUPPORTED)
		return say(u, rc, BRANCH_ROLLBACK_UNRETRYABLE, buf_text(&why));
	return rc == OK
		       ? OK
		       : say(u, rc, BRANCH_ROLLBACK_RETRYABLE, "out of memory");
}

static int read_some(struct undoing *u, const struct statement *s,
		     const struct table *t)
{
	enum value_type *as = arena_array(&u->arena, t->n_columns, sizeof *as);
	struct db_stmt stmt = { .sql = s->sql,
				.params = s->params,
				.n_params = s->n_params,
				.as = as,
				.n_as = t->n_columns };
	struct db_result rows;
	int rc;

	if (!as)
		return say(u, E_NOMEM, BRANCH_ROLLBACK_RETRYABLE,
			   "out of memory");
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->dialect != DIALECT_SQLITE)
			as[i] = t->columns[i].class;
	rc = db_exec(u->db, &stmt, &u->arena, &rows);
	if (rc != OK)
		return retry_later(u, rc, "reading the rows to undo");
	for (size_t i = 0; rc == OK && i < rows.n_rows; i++)
		rc = plan_row(u->plan, &rows.values[i * rows.n_columns]);
	plan_read_done(u->plan);
	return rc == OK ? OK
			: say(u, rc, BRANCH_ROLLBACK_RETRYABLE, err_name(rc));
}

static int read_all(struct undoing *u)
{
	const struct table *t;
	struct statement s;
	int rc;

	while ((rc = plan_next_read(u->plan, AT_ONCE, &s, &t)) == OK) {
		rc = read_some(u, &s, t);
		if (rc != OK)
			return rc;
	}
	return rc == E_NOTFOUND
		       ? OK
		       : say(u, rc, BRANCH_ROLLBACK_RETRYABLE, err_name(rc));
}

static int resolve(struct undoing *u)
{
	struct bytes json = { 0 };
	struct buf why;
	int rc;

	switch (u->command->resolution) {
	case AGENT_RESOLVE_NONE:
		return OK;
	case AGENT_RESOLVE_USE_UNDO:
		json = BYTES("{\"choice\":\"undo\"}");
		break;
	case AGENT_RESOLVE_KEEP_CURRENT:
		json = BYTES("{\"choice\":\"keep\"}");
		break;
	case AGENT_RESOLVE_VALUES:
		break;
	}
	/* With the other two they say which rows the operator saw. */
	if (u->command->values.len > 0 ||
	    u->command->resolution == AGENT_RESOLVE_VALUES)
		json = u->command->values;
	buf_init(&why, &u->arena.as_mem);
	rc = plan_resolve(u->plan, json, &why);
	if (rc == OK)
		return OK;
	buf_put_text(u->result->error, "the resolution is refused: ");
	return say(u, rc,
		   rc == E_NOMEM ? BRANCH_ROLLBACK_RETRYABLE
				 : BRANCH_ROLLBACK_UNRETRYABLE,
		   buf_text(&why));
}

/*
 * A constraint that held before and after the branch may not hold between two
 * statements of its undo: rows that refer to each other or hand on a unique
 * value. Then all is done again row by row, in the reverse order of the images,
 * with what can be checked at the end checked at the end.
 */
static int be_careful(struct undoing *u)
{
	int rc = OK;

	if (u->careful && db_dialect(u->db) == DIALECT_POSTGRES)
		rc = db_command(u->db, "SET CONSTRAINTS ALL DEFERRED");
	if (u->careful && db_dialect(u->db) == DIALECT_SQLITE)
		rc = db_command(u->db, "PRAGMA defer_foreign_keys = ON");
	return rc == OK ? OK : retry_later(u, rc, "deferring constraints");
}

static int write_all(struct undoing *u)
{
	struct db_result done;
	struct statement s;
	int rc = be_careful(u);

	if (rc != OK)
		return rc;
	while ((rc = plan_next_write(u->plan, u->careful ? 1 : AT_ONCE, &s)) ==
	       OK) {
		struct db_stmt stmt = { .sql = s.sql,
					.params = s.params,
					.n_params = s.n_params };

		rc = db_exec(u->db, &stmt, &u->arena, &done);
		if (rc != OK)
			return refused(u, rc, "undoing the rows");
		if (done.affected != s.rows)
			return say(u, E_CONFLICT, BRANCH_ROLLBACK_RETRYABLE,
				   "an undo statement met other rows than were "
				   "checked; it is rolled back");
	}
	return rc == E_NOTFOUND
		       ? OK
		       : say(u, rc, BRANCH_ROLLBACK_RETRYABLE, err_name(rc));
}

static int undo_record(struct undoing *u, const struct db_result *rows)
{
	struct db_result done;
	int rc = decode(u, rows);

	if (rc == OK)
		rc = make_plan(u);
	if (rc == OK)
		rc = read_all(u);
	if (rc == OK)
		rc = resolve(u);
	if (rc != OK)
		return rc;
	rc = plan_check(u->plan, u->result->detail);
	if (rc == E_DIRTY)
		return say(u, rc, BRANCH_ROLLBACK_UNRETRYABLE,
			   "rows were changed from outside since the branch "
			   "committed; nothing is overwritten, the difference "
			   "says what is there; resolve it");
	if (rc != OK)
		return say(u, rc, BRANCH_ROLLBACK_RETRYABLE, err_name(rc));
	rc = write_all(u);
	if (rc != OK)
		return rc;
	rc = exec(u, UNDO_LOG_DELETE, &done);
	return rc == OK ? OK : retry_later(u, rc, "deleting the undo rows");
}

/* ---- the transaction ---- */

static int in_transaction(struct undoing *u)
{
	struct db_result rows, done;
	int rc = exec(u, UNDO_LOG_SELECT, &rows);

	if (rc != OK)
		return retry_later(u, rc, "reading the undo rows");
	if (rows.n_rows == 0) {
		rc = exec(u, UNDO_LOG_DEFEND, &done);
		return rc == OK ? OK
				: retry_later(u, rc, "writing a defence row");
	}
	return is_defence(&rows) ? OK : undo_record(u, &rows);
}

static int once(struct undoing *u)
{
	int rc = db_begin(u->db);

	if (rc != OK)
		return retry_later(u, rc, "beginning");
	rc = in_transaction(u);
	if (rc == OK) {
		rc = db_commit(u->db);
		if (rc == OK)
			return OK;
		(void)refused(u, rc, "committing the undo");
	}
	if (db_rollback(u->db) != OK)
		LOG_WARN("rolling back an undo failed",
			 LOG_S("xid", u->command->xid),
			 LOG_U("branch", u->command->branch));
	return rc;
}

static bool worth_another_try(const struct undoing *u, int rc)
{
	return u->result->status == BRANCH_ROLLBACK_RETRYABLE &&
	       (rc == E_DEADLOCK || rc == E_CONFLICT || rc == E_CLOSED ||
		rc == E_INVALID || rc == E_AGAIN);
}

static void put_ids(struct undoing *u)
{
	struct buf b;

	buf_init(&b, &u->arena.as_mem);
	buf_printf(&b, "%llu", (unsigned long long)u->command->branch);
	u->ids[0] = (struct value){ VALUE_TEXT, bytes_of(u->command->xid) };
	u->ids[1] = (struct value){ VALUE_INT, buf_bytes(&b) };
}

static void rollback(struct undoing *u)
{
	struct db_error error = { 0 };
	int rc = OK;

	for (int try = 0; try < 3; try++) {
		u->db = resource_take(u->r, &error, &rc);
		if (!u->db) {
			(void)say(u, rc, BRANCH_ROLLBACK_RETRYABLE,
				  error.message);
			return;
		}
		arena_init(&u->arena, &mem_heap, 0);
		put_ids(u);
		buf_clear(u->result->error);
		buf_clear(u->result->detail);
		rc = once(u);
		arena_fini(&u->arena);
		resource_give(u->r, u->db);
		if (rc == OK) {
			u->result->status = BRANCH_ROLLBACKED;
			return;
		}
		if (!worth_another_try(u, rc))
			return;
	}
}

static void commit(struct at_resource *r, const struct agent_command *c,
		   struct agent_result *result)
{
	int rc = keeper_add(r, c->xid, c->branch);

	if (rc == OK && r->opt.no_thread)
		rc = at_resource_flush(r);
	if (rc == OK) {
		result->status = BRANCH_COMMITTED;
		return;
	}
	result->status = BRANCH_COMMIT_RETRYABLE;
	buf_put_text(result->error, "undo rows cannot be deleted now");
}

void phase_two_run(void *ctx, const struct agent_command *command,
		   struct agent_result *result)
{
	struct undoing u = { .r = ctx, .command = command, .result = result };

	if (command->type == AGENT_COMMIT)
		commit(ctx, command, result);
	else
		rollback(&u);
	if (result->error->len)
		LOG_WARN("phase two is not done", LOG_S("xid", command->xid),
			 LOG_U("branch", command->branch),
			 LOG_U("attempt", command->attempt),
			 LOG_S("status",
			       branch_status_name((int)result->status)),
			 LOG_B("error", buf_bytes(result->error)));
}
