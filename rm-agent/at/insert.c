#include "rm-agent/at/engine.h"
#include "rm-agent/at/insert_sql.h"
#include "rm-agent/at/returning.h"

/*
 * INSERT and REPLACE: which rows the statement made, and which rows that were
 * there it changed or deleted.
 *
 * Plain ones make new rows only. Their keys come from the text, or from
 * RETURNING, or (PostgreSQL's native calls, whose result must not change) by
 * way of a temporary table, or (MySQL) from LAST_INSERT_ID().
 *
 * With a conflict clause the rows in the way are found by all unique keys
 * before, and locked. A row that comes in between is found out afterwards by
 * counting (MySQL, DO NOTHING) or by xmax (PostgreSQL, DO UPDATE).
 */

static int refuse(struct work *w, const char *why)
{
	return at_fail(w->at, E_UNSUPPORTED, "refused: %s", why);
}

static bool has_conflict_clause(const struct sql_statement *st)
{
	return st->kind == SQL_REPLACE || st->n_upserts ||
	       st->on_conflict != SQL_CONFLICT_FAILS;
}

/* Run an image select that is made of pieces of the statement. */
static int read_pieces(struct work *w, struct buf *sql,
		       const struct sql_binds *b, struct image *img)
{
	struct db_stmt stmt = { .as = w->target->as,
				.n_as = w->target->n_select,
				.n_params = b->n };
	struct value *params;
	int rc = buf_error(sql);

	if (rc == OK)
		rc = at_binds_values(b, w->run->params, w->run->n_params,
				     w->arena, &params);
	if (rc != OK)
		return at_fail(w->at, rc, "no image of the inserted rows: %s",
			       err_name(rc));
	stmt.sql = buf_bytes(sql);
	stmt.params = params;
	return image_read(w->at, &stmt, w->target, img);
}

/* SELECT list FROM the table WHERE … */
static void put_select(struct work *w, struct buf *sql)
{
	const struct table *t = w->target->table;
	struct buf q;

	buf_init(&q, &w->arena->as_mem);
	quote_table(&q, t->dialect, BYTES(""), t->name);
	buf_put_text(sql, "SELECT ");
	image_sql_list(sql, w->target, buf_bytes(&q));
	buf_put_text(sql, " FROM ");
	quote_table(sql, t->dialect, t->schema, t->name);
	buf_put_text(sql, " WHERE ");
}

/* ---- plain ---- */

static int mismatch(struct work *w)
{
	return at_fail(w->at, E_UNSUPPORTED,
		       "refused: the statement inserted %llu rows, only %zu "
		       "of them could be found again; it is rolled back",
		       (unsigned long long)w->done.affected, w->after.n_rows);
}

static int read_by_known_keys(struct work *w, const struct insert *in)
{
	struct sql_binds b;
	struct buf sql;
	int rc;

	buf_init(&sql, &w->arena->as_mem);
	sql_binds_init(&b, &w->arena->as_mem, 1);
	put_select(w, &sql);
	rc = insert_put_keys(in, &b, &sql);
	if (w->at->dialect == DIALECT_MYSQL)
		buf_put_text(&sql, " FOR UPDATE");
	if (rc != OK)
		return at_fail(w->at, rc, "out of memory");
	return read_pieces(w, &sql, &b, &w->after);
}

/* MySQL hands out a run of numbers to an INSERT with a known count of rows. */
static int read_by_insert_id(struct work *w, const struct insert *in)
{
	const struct table *t = w->target->table;
	const struct sql_expr *e;
	struct db_stmt stmt = { .as = w->target->as,
				.n_as = w->target->n_select };
	struct buf sql;
	size_t k = t->key[0];

	for (size_t r = 0; r < in->n_rows; r++)
		if (insert_given(in, r, k, &e) != GIVEN_AUTO)
			return refuse(w, "some rows bring their key and some "
					 "get one from the database; split it");
	buf_init(&sql, &w->arena->as_mem);
	put_select(w, &sql);
	quote_name(&sql, t->dialect, t->columns[k].name);
	buf_put_text(&sql, " IN (");
	for (size_t r = 0; r < in->n_rows; r++)
		buf_printf(&sql, "%s%llu + %zu * @@auto_increment_increment",
			   r ? ", " : "", (unsigned long long)w->done.insert_id,
			   r);
	buf_put_text(&sql, ") FOR UPDATE");
	if (buf_error(&sql) != OK)
		return at_fail(w->at, E_NOMEM, "out of memory");
	stmt.sql = buf_bytes(&sql);
	return image_read(w->at, &stmt, w->target, &w->after);
}

static bool own_returning(const struct work *w)
{
	return w->st->returning.len != 0;
}

static bool can_return(const struct work *w)
{
	return w->run->can_return && !own_returning(w);
}

/* By keys that the application's own RETURNING brings along. */
static int read_by_own_returning(struct work *w)
{
	struct image keys;
	int rc;

	if (w->run->split == AT_SPLIT_TYPED)
		return returning_run_own(w, &w->after);
	image_init(&keys, w->arena, w->target->table);
	rc = returning_run_own(w, &keys);
	return rc == OK ? image_read_again(w->at, w->target, &keys, &w->after)
			: rc;
}

static uint64_t number_of(struct bytes text)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		n = n * 10 + (uint64_t)(text.data[i] - '0');
	}
	return n;
}

static size_t auto_column(const struct table *t)
{
	for (size_t c = 0; c < t->n_columns; c++)
		if (t->columns[c].auto_increment)
			return c;
	return t->n_columns;
}

/*
 * MariaDB gives no insert id with rows. What it is without RETURNING: the
 * first number that the database made up, else the last one that was given.
 */
static void note_insert_id(struct work *w, const struct insert *in)
{
	const struct table *t = w->target->table;
	size_t c = auto_column(t), n = w->after.n_rows, row = n;
	const struct sql_expr *e;

	if (t->dialect != DIALECT_MYSQL || n == 0 || c == t->n_columns)
		return;
	for (size_t i = 0; i < in->n_rows && i < n && row == n; i++)
		if (insert_given(in, i, c, &e) == GIVEN_AUTO)
			row = i;
	if (in->n_rows == 0 && in->places[c] == SIZE_MAX)
		row = 0;
	if (row == n)
		row = n - 1;
	w->run->insert_id = number_of(w->after.rows[row].values[c].data);
}

static int insert_and_read(struct work *w, const struct insert *in)
{
	const struct table *t = w->target->table;
	int rc;

	if (can_return(w)) {
		rc = returning_run(w, &w->after);
		if (rc == OK)
			note_insert_id(w, in);
		return rc;
	}
	if (insert_knows_keys(in)) {
		rc = work_run(w, BYTES(""), false);
		return rc == OK ? read_by_known_keys(w, in) : rc;
	}
	if (own_returning(w) && w->run->split != AT_SPLIT_NO)
		return read_by_own_returning(w);
	if (own_returning(w))
		return refuse(w, "its keys are made up by the database and it "
				 "has a RETURNING of its own; give the keys in "
				 "VALUES or leave RETURNING out");
	if (w->at->dialect == DIALECT_POSTGRES)
		return returning_run_aside(w, &w->after);
	if (w->at->dialect == DIALECT_MYSQL && in->n_rows && t->n_key == 1 &&
	    t->columns[t->key[0]].auto_increment) {
		rc = work_run(w, BYTES(""), false);
		return rc == OK ? read_by_insert_id(w, in) : rc;
	}
	if (w->run->must_return)
		return returning_run(w, &w->after);
	return refuse(w, "the keys of its rows cannot be known on this "
			 "database; give them in VALUES");
}

static int insert_plain(struct work *w, const struct insert *in)
{
	int rc = work_check_target(w);

	if (rc == OK)
		rc = insert_and_read(w, in);
	if (rc != OK)
		return rc;
	/* Not counted yet; a plain one makes all of its rows or none. */
	if (w->run->unfinished)
		w->done.affected = in->n_rows;
	if (w->after.n_rows != w->done.affected)
		return mismatch(w);
	rc = record_add(&w->at->local.record, ITEM_INSERT, &w->before,
			&w->after);
	return rc == OK ? OK : at_fail(w->at, rc, "no undo record");
}

/* ---- with a conflict clause ---- */

static int read_conflicts(struct work *w, const struct insert *in, bool lock,
			  struct image *img, bool *loose)
{
	const char *why = "";
	struct sql_binds b;
	struct buf sql;
	int rc = OK;

	buf_init(&sql, &w->arena->as_mem);
	sql_binds_init(&b, &w->arena->as_mem, 1);
	if (in->st->source == SQL_FROM_SELECT)
		rc = insert_put_with(in, &b, &sql);
	put_select(w, &sql);
	if (rc == OK)
		rc = insert_put_conflicts(in, &b, &sql, loose, &why);
	if (rc == E_UNSUPPORTED)
		return refuse(w, why);
	if (rc != OK)
		return at_fail(w->at, rc, "out of memory");
	if (w->at->dialect == DIALECT_MYSQL ||
	    (w->at->dialect == DIALECT_POSTGRES && lock))
		buf_put_text(&sql, " FOR UPDATE");
	return read_pieces(w, &sql, &b, img);
}

static const struct row *find_row(const struct image *img,
				  const struct row *row)
{
	for (size_t i = 0; i < img->n_rows; i++)
		if (row_same_key(img->table, &img->rows[i], row))
			return &img->rows[i];
	return NULL;
}

struct tally {
	size_t fresh;   /* only after */
	size_t changed; /* in both, different */
	size_t same;    /* in both, equal */
	size_t gone;    /* only before */
};

static struct tally tally(const struct work *w)
{
	const struct table *t = w->target->table;
	struct tally n = { 0 };

	for (size_t i = 0; i < w->after.n_rows; i++) {
		const struct row *now = &w->after.rows[i];
		const struct row *was = find_row(&w->before, now);

		if (!was)
			n.fresh++;
		else if (row_equal(t, was, now))
			n.same++;
		else
			n.changed++;
	}
	n.gone = w->before.n_rows - n.changed - n.same;
	return n;
}

static enum sql_on_conflict action_of(const struct sql_statement *st)
{
	if (st->kind == SQL_REPLACE)
		return SQL_CONFLICT_REPLACE;
	for (size_t i = 0; i < st->n_upserts; i++)
		if (st->upserts[i].action == SQL_CONFLICT_UPDATE ||
		    st->upserts[i].action == SQL_CONFLICT_DUPLICATE)
			return st->upserts[i].action;
	return st->n_upserts ? st->upserts[0].action : st->on_conflict;
}

/* Does the database's count fit what the images say? */
static bool count_fits(const struct work *w, const struct tally *n)
{
	uint64_t affected = w->done.affected;

	/* SQLite, not counted yet: its write lock is ours, so nobody came
	 * between the images and the statement. */
	if (w->run->unfinished)
		return true;
	switch (action_of(w->st)) {
	case SQL_CONFLICT_IGNORE:
	case SQL_CONFLICT_NOTHING:
		return affected == n->fresh && n->changed == 0 && n->gone == 0;
	case SQL_CONFLICT_DUPLICATE:
		/* 1 for a new row, 2 for a changed one, 0 (or 1 if found rows
		 * are counted) for one that stays as it is. */
		return affected >= n->fresh + 2 * n->changed &&
		       affected <= n->fresh + 2 * n->changed + n->same &&
		       n->gone == 0;
	case SQL_CONFLICT_REPLACE:
		if (w->at->dialect == DIALECT_SQLITE)
			return affected >= n->fresh;
		return affected <= n->fresh + n->gone +
					   2 * (n->changed + n->same) &&
		       affected >= n->fresh + n->gone + 2 * n->changed;
	default: /* DO UPDATE: new and updated rows, 1 each */
		return affected >= n->fresh &&
		       affected <= n->fresh + n->changed + n->same &&
		       n->gone == 0;
	}
}

/* Rows of the before image that are not in *img yet, by key. */
static int add_rest(struct work *w, struct image *img)
{
	struct image rest;
	int rc = OK;

	image_init(&rest, w->arena, w->target->table);
	for (size_t i = 0; rc == OK && i < w->before.n_rows; i++)
		if (!find_row(img, &w->before.rows[i]))
			rc = image_add(&rest, w->before.rows[i].values,
				       w->before.rows[i].lock_text);
	if (rc != OK)
		return at_fail(w->at, rc, "out of memory for an image");
	return image_read_again(w->at, w->target, &rest, img);
}

/* The rows that the statement gave back, as they are after all of it. */
static int after_returned(struct work *w, const struct image *returned)
{
	int rc = image_read_again(w->at, w->target, returned, &w->after);

	return rc == OK ? add_rest(w, &w->after) : rc;
}

static bool reads_itself(const struct work *w)
{
	for (size_t i = 0; i < w->st->n_reads; i++)
		if (bytes_equal(w->st->reads[i].name.text,
				w->st->target.name.text))
			return true;
	return false;
}

/* PostgreSQL and SQLite can tell by RETURNING which rows it wrote. */
static int run_conflict_returning(struct work *w)
{
	struct image returned;
	int rc;

	image_init(&returned, w->arena, w->target->table);
	if (own_returning(w))
		rc = returning_run_own(w, &returned);
	else if (can_return(w))
		rc = returning_run(w, &returned);
	else
		rc = returning_run_aside(w, &returned);
	if (rc == OK)
		rc = returning_check_fresh(w, &returned);
	return rc == OK ? after_returned(w, &returned) : rc;
}

static int run_conflict_found(struct work *w, const struct insert *in)
{
	bool ignored;
	int rc = work_run(w, BYTES(""), false);

	if (rc == OK)
		rc = read_conflicts(w, in, false, &w->after, &ignored);
	return rc == OK ? add_rest(w, &w->after) : rc;
}

static int refuse_what_is_loose(struct work *w, const struct insert *in,
				bool loose)
{
	bool updates = action_of(w->st) == SQL_CONFLICT_UPDATE;
	bool found = in->n_rows > 0 || !reads_itself(w);

	if (w->at->dialect == DIALECT_MYSQL) {
		if (loose)
			return refuse(w, "a row that it inserts could not be "
					 "found again: give a value for every "
					 "column of a unique key");
		if (!found)
			return refuse(w, "it selects from the table that it "
					 "writes to");
		return OK;
	}
	if (own_returning(w) && w->run->split == AT_SPLIT_NO &&
	    (updates || loose || !found))
		return refuse(w, "it has a conflict clause and a RETURNING of "
				 "its own; which rows were there before could "
				 "not be told");
	return OK;
}

/* What the clause may not do, whatever rows there are. */
static int refuse_upserts(struct work *w)
{
	const struct sql_statement *st = w->st;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < st->n_upserts; i++)
		rc = write_refuse_key_change(w, st->upserts[i].assigns,
					     st->upserts[i].n_assigns);
	if (rc == OK && w->target->cat.partitioned &&
	    action_of(st) == SQL_CONFLICT_UPDATE)
		rc = refuse(w, "on a partitioned table PostgreSQL does not "
			       "tell which rows ON CONFLICT DO UPDATE found");
	return rc;
}

/* MySQL counts a row as often as it is written: with two rows of the statement
 * on one row of the table the count says nothing. */
static int no_fit(struct work *w, const struct insert *in,
		  const struct tally *n)
{
	if (w->at->dialect == DIALECT_MYSQL && in->n_rows > w->after.n_rows)
		return refuse(w, "several of its rows meet the same row; give "
				 "them one by one");
	return at_fail(w->at, E_AGAIN,
		       "the statement changed %llu rows, which does not fit "
		       "its images (%zu new, %zu changed, %zu gone)",
		       (unsigned long long)w->done.affected, n->fresh,
		       n->changed, n->gone);
}

static int insert_conflict(struct work *w, const struct insert *in)
{
	bool loose = false;
	struct tally n;
	int rc = refuse_upserts(w);

	if (rc != OK)
		return rc;
	rc = target_load_unique(w->target, w->at->db);
	if (rc != OK)
		return at_fail_db(w->at, rc, "reading unique keys");
	if (w->st->query.flags & (SQL_HAS_VOLATILE | SQL_HAS_VARIABLE))
		return refuse(w, "its query may give other rows when it is "
				 "read again");
	rc = read_conflicts(w, in, true, &w->before, &loose);
	if (rc == OK)
		rc = work_check_target(w);
	if (rc == OK)
		rc = refuse_what_is_loose(w, in, loose);
	if (rc != OK)
		return rc;
	if (w->at->dialect == DIALECT_MYSQL ||
	    (own_returning(w) && w->run->split == AT_SPLIT_NO))
		rc = run_conflict_found(w, in);
	else
		rc = run_conflict_returning(w);
	if (rc != OK)
		return rc;
	n = tally(w);
	if (!count_fits(w, &n))
		return no_fit(w, in, &n);
	rc = record_add(&w->at->local.record, ITEM_MIXED, &w->before,
			&w->after);
	return rc == OK ? OK : at_fail(w->at, rc, "no undo record");
}

int write_insert(struct work *w)
{
	const struct image_source source = { w->script, w->st, w->target };
	struct bytes what;
	struct insert in;
	int rc;

	image_init(&w->before, w->arena, w->target->table);
	image_init(&w->after, w->arena, w->target->table);
	rc = insert_init(&in, &source, w->run->params, w->run->n_params,
			 w->arena, &what);
	if (rc == E_INVALID)
		return at_fail(w->at, E_INVALID, "there is no column %.*s",
			       (int)what.len, (const char *)what.data);
	if (rc != OK)
		return at_fail(w->at, rc, "out of memory");
	if (has_conflict_clause(w->st))
		return insert_conflict(w, &in);
	return insert_plain(w, &in);
}
