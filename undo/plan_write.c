#include "undo/plan.h"

/* The order inside of an item. */
enum group { GROUP_DELETE, GROUP_UPDATE, GROUP_INSERT, GROUPS };

/* What is to be done about one touch: bring the row from here to there. */
struct step {
	const struct row *from;
	const struct row *to;
	const bool *given; /* columns to insert; NULL: all */
};

/* False if there is nothing to do. A row that gets a value of an operator is
 * written once, where its first touch would be undone. */
static bool step_of(const struct plan *p, const struct touch *t,
		    struct step *out)
{
	const struct subject *s = t->subject;

	/* What undoing the later touch left; in a sound record, t->after. */
	*out = (struct step){ t->next ? t->next->before : t->after, t->before,
			      NULL };
	if (s->verdict == VERDICT_SET && t == s->first)
		*out = (struct step){ s->now, s->target, s->given };
	else if (s->verdict != VERDICT_UNDO && s->verdict != VERDICT_REPAIR)
		return false;
	return !row_equal(p->tables[s->table].was, out->from, out->to);
}

static int group_of(const struct step *s)
{
	if (!s->to)
		return GROUP_DELETE;
	return s->from ? GROUP_UPDATE : GROUP_INSERT;
}

/* Go back to the next touch of this item and group that wants a write, from
 * place *at on; false if there is none. */
static bool next_step(const struct plan *p, size_t item, int group, size_t *at,
		      struct step *out)
{
	while (*at > 0) {
		const struct touch *t = p->items[item].list[*at - 1];

		if (step_of(p, t, out) && group_of(out) == group)
			return true;
		--*at;
	}
	return false;
}

/* Move on to the next item or group that wants a write. */
static bool next_group(struct plan *p, struct step *out)
{
	while (p->item > 0) {
		if (next_step(p, p->item - 1, p->group, &p->touch, out))
			return true;
		if (++p->group == GROUPS) {
			p->group = GROUP_DELETE;
			p->item--;
		}
		if (p->item > 0)
			p->touch = p->items[p->item - 1].n;
	}
	return false;
}

static size_t batch_max(const struct plan *p, const struct table *t,
			size_t rows)
{
	size_t each = p->group == GROUP_DELETE ? t->n_key : t->n_columns;
	size_t most = SQL_PARAMS_MAX / each;

	if (p->group == GROUP_UPDATE || rows == 0)
		return 1;
	if (rows > most)
		rows = most > 0 ? most : 1;
	return rows;
}

/* Collect the rows of one statement into p->rows; *at ends behind them. */
static size_t collect(struct plan *p, size_t max, size_t *at,
		      struct step *first)
{
	struct step step;
	size_t n = 0;

	while (n < max &&
	       next_step(p, p->item - 1, p->group, at, n ? &step : first)) {
		const struct step *s = n ? &step : first;

		if (n > 0 && (s->given || first->given))
			break;
		p->rows[n++] = s->to ? s->to : s->from;
		--*at;
	}
	return n;
}

static int make(struct plan *p, const struct plan_table *t,
		const struct step *first, size_t n)
{
	switch (p->group) {
	case GROUP_DELETE:
		return sql_delete(&p->sql, t->was, p->rows, n);
	case GROUP_UPDATE:
		return sql_update(&p->sql, t->was, first->from, first->to);
	default:
		return sql_insert(&p->sql, t->was, p->rows, n, first->given,
				  t->overriding);
	}
}

int plan_next_write(struct plan *p, size_t rows, struct statement *out)
{
	const struct plan_table *t;
	struct step first;
	size_t at, max, n;

	if (p->state != PLAN_CHECKED)
		return E_STATE;
	if (!next_group(p, &first))
		return E_NOTFOUND;
	t = &p->tables[p->items[p->item - 1].table];
	max = batch_max(p, t->was, rows);
	if (max > p->touch)
		max = p->touch;
	if (!plan_reserve_rows(p, max))
		return E_NOMEM;
	at = p->touch;
	n = collect(p, max, &at, &first);
	if (make(p, t, &first, n) != OK)
		return E_NOMEM;
	p->touch = at;
	*out = (struct statement){ buf_bytes(&p->sql.text), p->sql.params,
				   p->sql.n, n };
	return OK;
}
