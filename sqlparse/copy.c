#include "sqlparse/parser.h"

/*
 * Parts of a statement, fit for another statement.
 */

void sql_binds_init(struct sql_binds *b, const struct mem *mem, size_t first)
{
	REQUIRE(first >= 1);
	*b = (struct sql_binds){ .mem = mem, .first = first };
}

void sql_binds_fini(struct sql_binds *b)
{
	mem_free(b->mem, b->numbers);
	*b = (struct sql_binds){ .mem = b->mem, .first = b->first };
}

static int add(struct sql_binds *b, size_t number)
{
	size_t cap = b->cap ? b->cap * 2 : 8;
	size_t *numbers;

	if (b->n == b->cap) {
		numbers = mem_array(b->mem, cap, sizeof *numbers);
		if (!numbers)
			return E_NOMEM;
		if (b->n)
			memcpy(numbers, b->numbers, b->n * sizeof *numbers);
		mem_free(b->mem, b->numbers);
		b->numbers = numbers;
		b->cap = cap;
	}
	b->numbers[b->n++] = number;
	return OK;
}

/* Which value of the copy takes the original's `number`-th; it may be new. */
static int rebind(struct sql_binds *b, enum sql_dialect dialect, size_t number,
		  size_t *out)
{
	size_t i = 0;
	int rc;

	if (dialect == SQL_MYSQL)
		return add(b, number);
	while (i < b->n && b->numbers[i] != number)
		i++;
	if (i == b->n) {
		rc = add(b, number);
		if (rc != OK)
			return rc;
	}
	*out = b->first + i;
	return OK;
}

static const struct sql_param *param_at(const struct sql_statement *st,
					size_t at)
{
	size_t low = 0, high = st->n_params;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (st->params[middle].span.at < at)
			low = middle + 1;
		else
			high = middle;
	}
	REQUIRE(low < st->n_params && st->params[low].span.at == at);
	return &st->params[low];
}

static int copy_param(const struct sql_script *s,
		      const struct sql_statement *st, size_t at,
		      struct sql_binds *binds, struct buf *out)
{
	size_t number = 0;
	int rc = rebind(binds, s->dialect, param_at(st, at)->number, &number);

	if (rc != OK)
		return rc;
	if (s->dialect == SQL_MYSQL)
		buf_put_char(out, '?');
	else
		buf_printf(out, "%c%zu", s->dialect == SQL_POSTGRES ? '$' : '?',
			   number);
	return OK;
}

/* The first token that does not start before `at`. */
static size_t token_at(const struct tokens *cut, size_t at)
{
	size_t low = 0, high = cut->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cut->items[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whatever stood between two tokens becomes one space. */
static void copy_gap(struct buf *out, const struct token *before,
		     const struct token *t)
{
	if (before && before->at + before->len < t->at)
		buf_put_char(out, ' ');
}

int sql_copy(const struct sql_script *s, const struct sql_statement *st,
	     struct sql_span span, struct sql_binds *binds, struct buf *out)
{
	const struct tokens *cut = &s->tokens->cut;
	const struct token *before = NULL;
	size_t end = span.at + span.len;

	REQUIRE(span.at <= s->text.len && span.len <= s->text.len - span.at);
	for (size_t i = token_at(cut, span.at);
	     i < cut->n && cut->items[i].at < end; i++) {
		const struct token *t = &cut->items[i];
		struct sql_span whole = { t->at, t->len };
		int rc = OK;

		REQUIRE(t->at + t->len <= end);
		copy_gap(out, before, t);
		if (t->kind == T_PARAM)
			rc = copy_param(s, st, t->at, binds, out);
		else
			buf_put(out, sql_text(s, whole));
		if (rc != OK)
			return rc;
		before = t;
	}
	return buf_error(out);
}
