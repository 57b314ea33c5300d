#include "tests/conformance/cases.h"

#include <stdio.h>

/*
 * The same table against the parser alone: kind, table, columns, verdict.
 */

static enum sql_dialect parser_of(enum dialect dialect)
{
	switch (dialect) {
	case DIALECT_POSTGRES:
		return SQL_POSTGRES;
	case DIALECT_MYSQL:
		return SQL_MYSQL;
	case DIALECT_SQLITE:
	default:
		return SQL_SQLITE;
	}
}

static void put_columns(struct buf *out, const struct sql_column *columns,
			size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_put_text(out, out->len ? " " : "");
		buf_put(out, columns[i].name.text);
	}
}

static void put_assigned(struct buf *out, const struct sql_assign *assigns,
			 size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_columns(out, assigns[i].columns, assigns[i].n_columns);
}

static void put_written(struct buf *out, const struct sql_statement *st)
{
	put_columns(out, st->columns, st->n_columns);
	put_assigned(out, st->assigns, st->n_assigns);
	for (size_t i = 0; i < st->n_upserts; i++)
		put_assigned(out, st->upserts[i].assigns,
			     st->upserts[i].n_assigns);
}

static void put_table(struct buf *out, const struct sql_table *t)
{
	if (t->schema.text.len) {
		buf_put(out, t->schema.text);
		buf_put_char(out, '.');
	}
	buf_put(out, t->name.text);
}

/* A statement that the text alone condemns says why; one that the catalog
 * condemns looks like one to protect. */
static bool verdict_fits(const struct conf_case *c,
			 const struct sql_statement *st)
{
	switch (c->expect) {
	case EXPECT_PROTECTED:
		return st->verdict == SQL_PROTECT;
	case EXPECT_PASSED:
		return st->verdict == SQL_PASS;
	case EXPECT_REFUSED:
		return st->verdict == SQL_PROTECT ||
		       (st->verdict == SQL_REFUSE && st->reason);
	case EXPECT_FAILED:
	default:
		return st->verdict != SQL_REFUSE;
	}
}

static bool same(const char *expected, struct buf *found)
{
	return !expected || strcmp(expected, buf_text(found)) == 0;
}

static bool check(const struct conf_case *c, const struct sql_statement *st)
{
	struct buf table, columns;
	const char *kind = sql_kind_name(st->kind);
	bool ok;

	buf_init(&table, &mem_heap);
	buf_init(&columns, &mem_heap);
	put_table(&table, &st->target);
	put_written(&columns, st);
	ok = verdict_fits(c, st) && same(c->table, &table) &&
	     same(c->columns, &columns) &&
	     (!c->kind || strcmp(c->kind, kind) == 0);
	if (!ok)
		fprintf(stderr, "%s:%u: parsed as: %s, %s, %s, %s (%s)\n  %s\n",
			c->file, c->line, sql_verdict_name(st->verdict), kind,
			buf_text(&table), buf_text(&columns),
			st->reason ? st->reason : "", c->sql);
	buf_fini(&table);
	buf_fini(&columns);
	return ok;
}

bool case_is_parsed(const struct conf_case *c, enum dialect dialect)
{
	const struct sql_options options = { .mariadb = true,
					     .version = 101100 };
	struct sql_script *script = NULL;
	bool ok;

	/* Steps are told apart by the runner; a session that was changed is
	 * read by other rules. */
	if (c->steps || c->before)
		return true;
	REQUIRE(sql_parse(&mem_heap, parser_of(dialect), &options,
			  bytes_of(c->sql), &script) == OK);
	ok = script->n_statements > 1 || check(c, &script->statements[0]);
	sql_script_free(script);
	return ok;
}
