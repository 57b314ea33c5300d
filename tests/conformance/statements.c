#include "tests/conformance/cases.h"

/*
 * docs/statements.md, out of the cases.
 */

static const char intro[] =
	"# Which statements are protected\n"
	"\n"
	"What happens to a statement that runs on a wrapped connection inside "
	"of\n"
	"a global transaction, for each kind of statement and each database.\n"
	"This page is made from the cases in `tests/conformance/cases`, and a "
	"test\n"
	"plays each of them on a real PostgreSQL, MariaDB and SQLite: once "
	"past\n"
	"Treaty, once with a global rollback (every byte of every table must "
	"be as\n"
	"before) and once with a global commit (everything must be as without\n"
	"Treaty). Outside of a global transaction every statement passes.\n"
	"\n"
	"- **protected**: it runs and gives what it gives without Treaty; a "
	"global\n"
	"  rollback brings every row back.\n"
	"- **passes**: it runs as it is, there is nothing to undo.\n"
	"- **refused**: it does not run. The call returns "
	"`TREATY_E_UNSUPPORTED`,\n"
	"  and `treaty_last_error()` has the reason that stands here.\n"
	"- **fails**: the database itself does not take it, with Treaty or "
	"without.\n"
	"- –: the database has no such statement.\n"
	"\n"
	"Three things are left as any rollback of a database leaves them or as "
	"SQL\n"
	"does not promise them: numbers that a sequence or AUTO_INCREMENT has "
	"given\n"
	"out stay used, rows may come in another order where nothing orders "
	"them,\n"
	"and in SQLite a row of a table without an INTEGER PRIMARY KEY may "
	"get\n"
	"another hidden rowid. `changes()` of SQLite and `ROW_COUNT()` of "
	"MySQL, asked\n"
	"in SQL behind a protected statement, count Treaty's own row in "
	"undo_log: take\n"
	"the count that the call gives.\n"
	"\n"
	"The number behind a word says how many cases show it. Do not edit "
	"this\n"
	"page; run `conformance_test --write-docs docs/statements.md`.\n";

static const enum dialect order[] = { DIALECT_POSTGRES, DIALECT_MYSQL,
				      DIALECT_SQLITE };

/* In Markdown tables a bar ends the cell. */
static void put_cell_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_put_char(out, '\\');
		buf_put_char(out, *text);
	}
}

static bool is_of(const struct conf_case *c, const char *group,
		  const char *section, enum dialect d)
{
	return (c->on & 1u << d) && c->in_docs &&
	       strcmp(c->group, group) == 0 && strcmp(c->section, section) == 0;
}

static bool same_reason(const struct conf_case *a, const struct conf_case *b)
{
	if (a->expect != b->expect)
		return false;
	return a->expect != EXPECT_REFUSED ||
	       strcmp(a->because, b->because) == 0;
}

static const char *word_of(enum expect e)
{
	switch (e) {
	case EXPECT_PROTECTED:
		return "protected";
	case EXPECT_PASSED:
		return "passes";
	case EXPECT_REFUSED:
		return "refused";
	case EXPECT_FAILED:
	default:
		return "fails";
	}
}

/* One verdict of a cell, counted where it comes first. */
static bool put_verdict(const struct cases *c, size_t i, enum dialect d,
			bool first, struct buf *out)
{
	const struct conf_case *me = &c->list[i];
	unsigned n = 0;

	for (size_t k = 0; k < c->n; k++) {
		if (!is_of(&c->list[k], me->group, me->section, d) ||
		    !same_reason(&c->list[k], me))
			continue;
		if (k < i)
			return false;
		n++;
	}
	buf_put_text(out, first ? "" : "; ");
	buf_printf(out, "%s (%u)", word_of(me->expect), n);
	if (me->expect == EXPECT_REFUSED) {
		buf_put_text(out, ": ");
		put_cell_text(out, me->because);
	}
	return true;
}

static void put_cell(const struct cases *c, const struct conf_case *group,
		     enum dialect d, struct buf *out)
{
	static const enum expect ranks[] = { EXPECT_PROTECTED, EXPECT_PASSED,
					     EXPECT_FAILED, EXPECT_REFUSED };
	bool first = true;

	for (size_t r = 0; r < ARRAY_LEN(ranks); r++)
		for (size_t i = 0; i < c->n; i++)
			if (is_of(&c->list[i], group->group, group->section,
				  d) &&
			    c->list[i].expect == ranks[r] &&
			    put_verdict(c, i, d, first, out))
				first = false;
	buf_put_text(out, first ? "–" : "");
}

static bool is_first_of_group(const struct cases *c, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (c->list[k].in_docs &&
		    strcmp(c->list[k].group, c->list[i].group) == 0 &&
		    strcmp(c->list[k].section, c->list[i].section) == 0)
			return false;
	return true;
}

static void put_heading(struct buf *out, const char *section)
{
	buf_printf(out,
		   "\n## %s\n\n| statement | PostgreSQL | MySQL, MariaDB | "
		   "SQLite |\n|---|---|---|---|\n",
		   section);
}

void cases_document(const struct cases *c, struct buf *out)
{
	const char *section = NULL;

	buf_put_text(out, intro);
	for (size_t i = 0; i < c->n; i++) {
		const struct conf_case *g = &c->list[i];

		if (!g->in_docs || !is_first_of_group(c, i))
			continue;
		if (!section || strcmp(section, g->section) != 0)
			put_heading(out, g->section);
		section = g->section;
		buf_put_text(out, "| ");
		put_cell_text(out, g->group);
		for (size_t d = 0; d < ARRAY_LEN(order); d++) {
			buf_put_text(out, " | ");
			put_cell(c, g, order[d], out);
		}
		buf_put_text(out, " |\n");
	}
}
