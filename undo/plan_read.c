#include "undo/plan.h"

/* ---- asking ---- */

static size_t batch_of(const struct plan_table *t, size_t keys)
{
	size_t left = t->n - t->read;
	size_t most = SQL_PARAMS_MAX / t->was->n_key;

	if (keys > most)
		keys = most;
	if (keys == 0)
		keys = 1;
	return keys < left ? keys : left;
}

int plan_next_read(struct plan *p, size_t keys, struct statement *out,
		   const struct table **table)
{
	size_t at = p->table, n;
	struct plan_table *t;

	if (p->asked)
		return E_STATE;
	while (at < p->record->n_tables &&
	       p->tables[at].read == p->tables[at].n)
		at++;
	if (at == p->record->n_tables)
		return E_NOTFOUND;
	t = &p->tables[at];
	n = batch_of(t, keys);
	if (!plan_reserve_rows(p, n))
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		p->rows[i] = t->subjects[t->read + i]->key;
	if (sql_select(&p->sql, t->was, p->rows, n) != OK)
		return E_NOMEM;
	p->table = at;
	p->batch = n;
	p->n_strays = 0;
	p->strays = NULL;
	p->asked = true;
	*table = t->was;
	*out = (struct statement){ buf_bytes(&p->sql.text), p->sql.params,
				   p->sql.n, n };
	return OK;
}

/* ---- hearing ---- */

/* There are few, if any; so one at a time is fine. */
static int add_stray(struct plan *p, const struct row *row)
{
	struct row *strays =
		arena_array(p->arena, p->n_strays + 1, sizeof *strays);

	if (!strays)
		return E_NOMEM;
	if (p->n_strays)
		memcpy(strays, p->strays, p->n_strays * sizeof *strays);
	strays[p->n_strays] = *row;
	p->strays = strays;
	p->n_strays++;
	return OK;
}

int plan_row(struct plan *p, const struct value *values)
{
	const struct table *t = p->tables[p->table].was;
	const struct row seen = { values, NULL }, *row;
	struct subject *s;

	if (!p->asked)
		return E_STATE;
	s = plan_find(p, p->table, &seen);
	if (s && s->now)
		return E_INVALID;
	row = row_copy(p->arena, t, values);
	if (!row)
		return E_NOMEM;
	if (!s)
		return add_stray(p, row);
	s->now = row;
	return OK;
}

/* ---- rows that answer to a key spelled otherwise ---- */

static uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static struct bytes trimmed(struct bytes b)
{
	while (b.len > 0 && b.data[b.len - 1] == ' ')
		b.len--;
	return b;
}

static bool looks_alike(struct bytes a, struct bytes b)
{
	a = trimmed(a);
	b = trimmed(b);
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (fold(a.data[i]) != fold(b.data[i]))
			return false;
	return true;
}

static bool key_looks_alike(const struct table *t, const struct row *a,
			    const struct row *b)
{
	for (size_t i = 0; i < t->n_key; i++)
		if (!looks_alike(row_key(t, a, i).data, row_key(t, b, i).data))
			return false;
	return true;
}

/*
 * The database gave a row that is equal to one we asked for, but its key is
 * spelled differently: somebody renamed it. Which one it is we can only tell
 * for simple spellings; else every absent row of the batch may be meant.
 */
static void mark_stray(struct plan *p, const struct row *stray)
{
	struct plan_table *t = &p->tables[p->table];
	bool found = false;

	for (int pass = 0; pass < 2 && !found; pass++) {
		for (size_t i = 0; i < p->batch; i++) {
			struct subject *s = t->subjects[t->read + i];

			if (s->now || (pass == 0 &&
				       !key_looks_alike(t->was, s->key, stray)))
				continue;
			s->stray = true;
			found = true;
		}
	}
}

void plan_read_done(struct plan *p)
{
	struct plan_table *t = &p->tables[p->table];

	REQUIRE(p->asked);
	for (size_t i = 0; i < p->n_strays; i++)
		mark_stray(p, &p->strays[i]);
	t->read += p->batch;
	p->asked = false;
	for (size_t i = 0; i < p->record->n_tables; i++)
		if (p->tables[i].read < p->tables[i].n)
			return;
	plan_judge(p);
	p->state = PLAN_READ;
}
