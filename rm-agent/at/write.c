#include "rm-agent/at/returning.h"

/*
 * UPDATE and DELETE: before image by the statement's own condition, locked;
 * the statement; what it says it changed must be those rows.
 *
 * Why that is exact: the rows of the before image are locked, so their own
 * columns still meet the condition when the statement runs. Were other rows to
 * meet it by then as well, the count differs. Where the condition depends on
 * more than the row (sub-queries, joins, functions, LIMIT), the statement is
 * pinned: its text gets "AND key IN (the image's)", so it cannot reach
 * another row, and an equal count means the same rows.
 */

#define PIN_FLAGS                                                              \
	((unsigned)(SQL_HAS_SUBQUERY | SQL_HAS_VOLATILE | SQL_HAS_CALL |       \
		    SQL_HAS_VARIABLE | SQL_HAS_SKIP_LOCKED))

static bool must_pin(const struct work *w)
{
	const struct sql_statement *st = w->st;
	unsigned flags = PIN_FLAGS;

	/* SQLite's write lock is ours: nobody changes what a sub-query sees. */
	if (w->at->dialect == DIALECT_SQLITE) {
		flags &= ~(unsigned)SQL_HAS_SUBQUERY;
		return (st->where.flags & flags) || st->tail.len;
	}
	return (st->where.flags & flags) || st->tail.len || st->joined ||
	       st->from.span.len || st->with.len;
}

static size_t end_of(struct sql_span s)
{
	return s.at + s.len;
}

/* Where a WHERE clause would stand if there is none. */
static size_t where_at(const struct sql_statement *st)
{
	size_t at = end_of(st->target.span);

	if (st->kind == SQL_UPDATE && end_of(st->set) > at)
		at = end_of(st->set);
	if (end_of(st->from.span) > at)
		at = end_of(st->from.span);
	return at;
}

int work_pinned_text(struct work *w, struct buf *out)
{
	const struct image_source source = { w->script, w->st, w->target };
	struct sql_span own = w->st->span;
	struct bytes text = { w->script->text.data, end_of(own) };
	struct bytes q = image_sql_qualifier(&source);
	struct sql_span where = w->st->where.span;
	size_t from = where.len ? where.at : where_at(w->st);
	size_t to = where.len ? end_of(where) : from;

	buf_put(out, (struct bytes){ text.data + own.at, from - own.at });
	if (where.len) {
		buf_put_char(out, '(');
		buf_put(out, (struct bytes){ text.data + from, to - from });
		buf_put_text(out, "\n) AND (");
	} else {
		buf_put_text(out, " WHERE (");
	}
	image_sql_pin(out, &w->before, w->target, q);
	buf_put_text(out, ") ");
	buf_put(out, (struct bytes){ text.data + to, text.len - to });
	return buf_error(out) == OK ? OK
				    : at_fail(w->at, E_NOMEM, "out of memory");
}

static int read_before(struct work *w)
{
	const struct image_source source = { w->script, w->st, w->target };
	struct treaty_at *at = w->at;
	struct db_stmt stmt = { .as = w->target->as,
				.n_as = w->target->n_select };
	struct sql_binds binds;
	struct value *params;
	struct buf sql;
	int rc;

	image_init(&w->before, w->arena, w->target->table);
	image_init(&w->after, w->arena, w->target->table);
	buf_init(&sql, &w->arena->as_mem);
	sql_binds_init(&binds, &w->arena->as_mem, 1);
	rc = image_sql_before(&sql, &binds, &source);
	if (rc == OK)
		rc = buf_error(&sql);
	if (rc == OK)
		rc = at_binds_values(&binds, w->run->params, w->run->n_params,
				     w->arena, &params);
	if (rc != OK)
		return at_fail(at, rc, "no image of the statement's rows: %s",
			       rc == E_INVALID
				       ? "it has more parameters than values"
				       : err_name(rc));
	stmt.sql = buf_bytes(&sql);
	stmt.params = params;
	stmt.n_params = binds.n;
	stmt.keep = at->repeated;
	return work_read_first(w, &stmt, &w->before);
}

int work_run(struct work *w, struct bytes text, bool rows)
{
	int rc = at_begun(w->at);

	if (rc != OK)
		return rc;
	rc = w->run->run(w->run, text, rows, w->arena, &w->done);
	w->ran = true;
	/* SQLite counts when the last row was read. Its write lock is ours, so
	 * the rows are those of the image. */
	if (rc == OK && w->run->unfinished)
		w->done.affected = w->done.matched = w->before.n_rows;
	if (rc != OK)
		w->class = db_error(w->at->db)->class;
	if (rc != OK && !w->run->native)
		return at_fail_db(w->at, rc, "running the statement");
	return rc;
}

/* The after image of an UPDATE without another round trip. */
static bool returns_after(const struct work *w)
{
	return w->st->kind == SQL_UPDATE && w->run->can_return &&
	       w->at->dialect == DIALECT_POSTGRES && !w->st->returning.len;
}

/* Before image, check of the table, the statement. */
static int run_between(struct work *w)
{
	struct buf text;
	int rc = read_before(w);

	if (rc != OK)
		return rc;
	if (!must_pin(w))
		return returns_after(w) ? returning_run(w, &w->after)
					: work_run(w, BYTES(""), false);
	if (w->run->fixed_text)
		return at_fail(w->at, E_UNSUPPORTED,
			       "refused: which rows it changes cannot be tied "
			       "down in a statement that is prepared already "
			       "(LIMIT, or a function in the condition)");
	buf_init(&text, &w->arena->as_mem);
	rc = work_pinned_text(w, &text);
	if (rc == OK && returns_after(w))
		return returning_run_text(w, buf_bytes(&text), &w->after);
	return rc == OK ? work_run(w, buf_bytes(&text), false) : rc;
}

static int other_rows(struct work *w)
{
	return at_fail(w->at, E_AGAIN,
		       "the statement changed %llu rows where its image has "
		       "%zu: other rows came to meet its condition",
		       (unsigned long long)w->done.matched, w->before.n_rows);
}

static bool ignores(const struct sql_statement *st)
{
	return st->on_conflict == SQL_CONFLICT_IGNORE;
}

/* Another name of SQLite's rowid, which is the key or not in any image. */
static bool is_rowid(const struct table *t, struct bytes name)
{
	static const char *const aliases[] = { "rowid", "_rowid_", "oid" };

	if (t->dialect != DIALECT_SQLITE)
		return false;
	for (size_t c = 0; c < t->n_columns; c++)
		if (sql_same_name(SQL_SQLITE, name, t->columns[c].name))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (sql_same_name(SQL_SQLITE, name, bytes_of(aliases[i])))
			return true;
	return false;
}

static bool is_key(const struct work *w, struct bytes name)
{
	const struct table *t = w->target->table;

	for (size_t k = 0; k < t->n_key; k++)
		if (sql_same_name(w->script->dialect, name,
				  t->columns[t->key[k]].name))
			return true;
	return is_rowid(t, name);
}

/* id = LAST_INSERT_ID(id) of MySQL's ON DUPLICATE KEY UPDATE is there to tell
 * the key, not to change it. If it does, the images do not fit. */
static bool only_tells(const struct work *w, const struct sql_assign *a)
{
	struct bytes text = sql_text(w->script, a->value.span);

	return w->at->dialect == DIALECT_MYSQL && w->st->n_upserts &&
	       text.len > 14 &&
	       strncasecmp((const char *)text.data, "LAST_INSERT_ID", 14) == 0;
}

int write_refuse_key_change(struct work *w, const struct sql_assign *assigns,
			    size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < assigns[i].n_columns; c++) {
			struct bytes name = assigns[i].columns[c].name.text;

			if (is_key(w, name) && !only_tells(w, &assigns[i]))
				return at_fail(w->at, E_UNSUPPORTED,
					       "refused: the key column %.*s "
					       "is changed; delete the row "
					       "and insert it anew",
					       (int)name.len,
					       (const char *)name.data);
		}
	return OK;
}

int write_update(struct work *w)
{
	int rc = write_refuse_key_change(w, w->st->assigns, w->st->n_assigns);

	if (rc == OK && w->st->on_conflict == SQL_CONFLICT_REPLACE)
		rc = at_fail(w->at, E_UNSUPPORTED,
			     "refused: UPDATE OR REPLACE deletes rows that no "
			     "image can see");
	if (rc == OK)
		rc = run_between(w);
	if (rc != OK)
		return rc;
	if (w->done.matched != w->before.n_rows &&
	    !(ignores(w->st) && w->done.matched < w->before.n_rows))
		return other_rows(w);
	if (!returns_after(w))
		rc = image_read_again(w->at, w->target, &w->before, &w->after);
	if (rc == OK && w->after.n_rows != w->before.n_rows)
		rc = other_rows(w);
	if (rc != OK)
		return rc;
	rc = record_add(&w->at->local.record, ITEM_UPDATE, &w->before,
			&w->after);
	return rc == OK ? OK : at_fail(w->at, rc, "no undo record");
}

int write_delete(struct work *w)
{
	enum item_kind kind = ITEM_DELETE;
	int rc = run_between(w);

	if (rc != OK)
		return rc;
	if (w->done.affected > w->before.n_rows ||
	    (w->done.affected < w->before.n_rows && !ignores(w->st)))
		return other_rows(w);
	if (w->done.affected < w->before.n_rows) {
		kind = ITEM_MIXED;
		rc = image_read_again(w->at, w->target, &w->before, &w->after);
	}
	if (rc != OK)
		return rc;
	rc = record_add(&w->at->local.record, kind, &w->before, &w->after);
	return rc == OK ? OK : at_fail(w->at, rc, "no undo record");
}

int read_locked(struct work *w, struct lock_keys *keys)
{
	int rc = read_before(w);

	if (rc == OK) {
		rc = lock_keys_add(keys, &w->before);
		if (rc != OK)
			rc = at_fail(w->at, rc, "no lock keys of the rows: %s",
				     err_name(rc));
	}
	return rc;
}
