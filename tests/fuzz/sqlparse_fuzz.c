#include "tests/fuzz/fuzz.h"
#include "tests/unit/sqlparse/cases.h"
#include "tests/unit/sqlparse/describe.h"

/*
 * Whatever the text: a verdict, a reason exactly if it is refused, every part
 * inside its statement, parameters in order; and what is copied out of a
 * statement needs just the parameters that it has.
 *
 * Input: server u8 (which dialect and options), then the text.
 */

static void check_within(struct sql_span part, struct sql_span whole)
{
	if (part.len == 0)
		return;
	REQUIRE(part.at >= whole.at);
	REQUIRE(part.at + part.len <= whole.at + whole.len);
}

static void check_expr(const struct sql_statement *st, const struct sql_expr *e)
{
	check_within(e->span, st->span);
	REQUIRE(e->first_param + e->n_params <= st->n_params);
	for (size_t i = 0; i < st->n_params; i++) {
		size_t at = st->params[i].span.at;
		bool in = at >= e->span.at && at < e->span.at + e->span.len;
		bool said =
			i >= e->first_param && i < e->first_param + e->n_params;

		REQUIRE(in == said);
	}
}

static void check_params(const struct sql_statement *st)
{
	size_t end = st->span.at;

	for (size_t i = 0; i < st->n_params; i++) {
		const struct sql_param *p = &st->params[i];

		check_within(p->span, st->span);
		REQUIRE(p->span.len > 0 && p->span.at >= end);
		REQUIRE(p->number >= 1);
		end = p->span.at + p->span.len;
	}
}

static void check_write(const struct sql_statement *st)
{
	for (size_t i = 0; i < st->n_assigns; i++) {
		check_within(st->assigns[i].span, st->span);
		check_expr(st, &st->assigns[i].value);
	}
	for (size_t i = 0; i < st->n_equals; i++) {
		check_within(st->equals[i].column.span, st->where.span);
		check_within(st->equals[i].value.span, st->where.span);
		REQUIRE(st->equals[i].value.simple != SQL_EXPR);
	}
	for (size_t i = 0; i < st->n_rows; i++) {
		check_within(st->rows[i].span, st->span);
		for (size_t v = 0; v < st->rows[i].n_values; v++)
			check_within(st->rows[i].values[v].span,
				     st->rows[i].span);
	}
	for (size_t i = 0; i < st->n_upserts; i++)
		check_within(st->upserts[i].span, st->span);
	for (size_t i = 0; i < st->n_columns; i++)
		check_within(st->columns[i].span, st->span);
}

static void check_parts(const struct sql_statement *st)
{
	check_expr(st, &st->where);
	check_expr(st, &st->from);
	check_expr(st, &st->query);
	check_expr(st, &st->order_by);
	check_expr(st, &st->limit);
	check_expr(st, &st->offset);
	check_within(st->with, st->span);
	check_within(st->verb, st->span);
	check_within(st->set, st->span);
	check_within(st->tail, st->span);
	check_within(st->returning, st->span);
	check_within(st->select_list, st->span);
	check_within(st->row_alias, st->span);
	check_within(st->target.span, st->span);
	check_within(st->target.name_span, st->target.span);
	for (size_t i = 0; i < st->n_locks; i++)
		check_within(st->locks[i].span, st->span);
	for (size_t i = 0; i < st->n_reads; i++)
		check_within(st->reads[i].span, st->span);
	check_params(st);
	check_write(st);
}

static void check_verdict(const struct sql_script *s,
			  const struct sql_statement *st)
{
	REQUIRE(st->kind < SQL_KINDS && st->verdict < SQL_VERDICTS);
	REQUIRE((st->verdict == SQL_REFUSE) == (st->reason != NULL));
	REQUIRE(st->kind != SQL_UNKNOWN || st->verdict == SQL_REFUSE);
	if (st->reason) {
		struct sql_place place = sql_place(s, st->reason_at);

		REQUIRE(*st->reason && st->reason_at <= s->text.len);
		REQUIRE(place.line >= 1 && place.column >= 1);
	}
	if (st->verdict == SQL_PROTECT && st->kind != SQL_SELECT_LOCK)
		REQUIRE(st->target.name.text.len > 0);
}

/* How often each parameter stands in the text that a span covers. */
static size_t params_in(const struct sql_statement *st, struct sql_span span)
{
	size_t n = 0;

	for (size_t i = 0; i < st->n_params; i++)
		n += st->params[i].span.at >= span.at &&
		     st->params[i].span.at < span.at + span.len;
	return n;
}

static void check_copy(const struct sql_script *s,
		       const struct sql_statement *st, struct sql_span span)
{
	struct sql_binds binds;
	struct buf b;
	size_t n = params_in(st, span);

	sql_binds_init(&binds, &mem_heap, 1);
	buf_init(&b, &mem_heap);
	REQUIRE(sql_copy(s, st, span, &binds, &b) == OK);
	REQUIRE(binds.n <= n && (binds.n > 0) == (n > 0));
	REQUIRE(s->dialect != SQL_MYSQL || binds.n == n);
	for (size_t i = 0; i < binds.n; i++) {
		bool known = false;

		for (size_t p = 0; p < st->n_params; p++)
			known = known ||
				st->params[p].number == binds.numbers[i];
		REQUIRE(known);
	}
	buf_fini(&b);
	sql_binds_fini(&binds);
}

/* A copied WHERE must read as the same kind of thing in a new statement. */
static void check_where(const struct sql_script *s,
			const struct sql_statement *st)
{
	struct sql_script *again;
	const struct sql_statement *got;
	struct sql_binds binds;
	struct buf b;

	sql_binds_init(&binds, &mem_heap, 1);
	buf_init(&b, &mem_heap);
	buf_put_text(&b, "DELETE FROM t WHERE ");
	REQUIRE(sql_copy(s, st, st->where.span, &binds, &b) == OK);
	REQUIRE(sql_parse(&mem_heap, s->dialect, NULL, buf_bytes(&b), &again) ==
		OK);
	got = &again->statements[0];
	if (got->verdict == SQL_PROTECT) {
		REQUIRE(again->n_statements == 1);
		REQUIRE(got->n_equals == st->n_equals);
		REQUIRE(got->n_params == st->where.n_params);
	}
	sql_script_free(again);
	buf_fini(&b);
	sql_binds_fini(&binds);
}

static void check_statement(const struct sql_script *s,
			    const struct sql_statement *st, bool usual)
{
	struct buf b;

	REQUIRE(st->span.at + st->span.len <= s->text.len);
	check_verdict(s, st);
	check_parts(st);
	if (st->verdict == SQL_PROTECT) {
		check_copy(s, st, st->span);
		check_copy(s, st, st->where.span);
		check_copy(s, st, st->set);
		check_copy(s, st, st->returning);
		check_copy(s, st, st->tail);
		if (usual && st->where.span.len > 0)
			check_where(s, st);
	}
	buf_init(&b, &mem_heap); /* describing touches everything */
	describe_table(&b, s, st);
	describe(&b, s, st);
	REQUIRE(buf_error(&b) == OK);
	buf_fini(&b);
}

void fuzz_one(struct bytes in)
{
	struct reader r = reader_of(in);
	unsigned bit = read_u8(&r) % SERVERS;
	struct sql_script *s = NULL;
	struct sql_options o;
	enum sql_dialect dialect = server_options(bit, &o);
	size_t end = 0;

	REQUIRE(sql_parse(&mem_heap, dialect, &o, read_raw(&r, reader_left(&r)),
			  &s) == OK);
	REQUIRE(s->n_statements >= 1);
	for (size_t i = 0; i < s->n_statements; i++) {
		const struct sql_statement *st = &s->statements[i];

		REQUIRE(st->span.at >= end);
		end = st->span.at + st->span.len;
		check_statement(s, st, bit < 3);
	}
	sql_script_free(s);
}

static void seed_case(const struct fuzz_sink *sink, struct buf *b,
		      const struct sql_case *c)
{
	for (unsigned bit = 0; bit < SERVERS; bit++) {
		if (!(c->servers & (1u << bit)))
			continue;
		buf_put_u8(b, (uint8_t)bit);
		buf_put_text(b, c->text);
		fuzz_seed(sink, b);
	}
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	struct buf b;

	buf_init(&b, &mem_heap);
	for (size_t t = 0; t < ARRAY_LEN(all_cases); t++)
		for (size_t i = 0; i < all_cases[t].n; i++)
			seed_case(sink, &b, &all_cases[t].cases[i]);
	buf_fini(&b);
}
