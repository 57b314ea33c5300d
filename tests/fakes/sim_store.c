#include "tests/fakes/sim_store.h"

#include <stdlib.h>

static void *more(void *p, size_t *cap, size_t n, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? *cap * 2 : 64;
	p = realloc(p, *cap * size);
	REQUIRE(p);
	return p;
}

void sim_store_fini(struct sim_store *s)
{
	sim_store_crash(s);
	for (size_t i = 0; i < s->n_rows; i++)
		free(s->rows[i].body);
	free(s->rows);
	free(s->changes);
}

static void take_row(struct sim_store *s, const struct effect *e)
{
	struct sim_change *ch;

	s->changes = more(s->changes, &s->cap_changes, s->n_changes,
			  sizeof *s->changes);
	ch = &s->changes[s->n_changes++];
	*ch = (struct sim_change){ s->seq,
				   e->type == FX_PUT,
				   { e->row.table, e->row.id, e->row.gtx, NULL,
				     e->row.body.len } };
	ch->row.body = malloc(ch->row.len + 1);
	REQUIRE(ch->row.body);
	if (ch->row.len)
		memcpy(ch->row.body, e->row.body.data, ch->row.len);
}

void sim_store_take(struct sim_store *s, const struct effects *fx)
{
	if (fx->seq == 0)
		return;
	REQUIRE(fx->seq == s->seq + 1);
	s->seq = fx->seq;
	if (fx->forced)
		s->forced = fx->seq;
	for (size_t i = 0; i < fx->n; i++)
		if (fx->items[i].type == FX_PUT ||
		    fx->items[i].type == FX_DELETE)
			take_row(s, &fx->items[i]);
}

static struct sim_row *find(struct sim_store *s, const struct sim_row *like)
{
	for (size_t i = 0; i < s->n_rows; i++)
		if (s->rows[i].table == like->table &&
		    s->rows[i].id == like->id)
			return &s->rows[i];
	return NULL;
}

static void apply_one(struct sim_store *s, struct sim_change *ch)
{
	struct sim_row *row = find(s, &ch->row);

	if (row)
		free(row->body);
	if (!ch->put) {
		free(ch->row.body);
		if (row)
			*row = s->rows[--s->n_rows];
		return;
	}
	if (!row) {
		s->rows =
			more(s->rows, &s->cap_rows, s->n_rows, sizeof *s->rows);
		row = &s->rows[s->n_rows++];
	}
	*row = ch->row;
}

void sim_store_apply(struct sim_store *s, uint64_t seq)
{
	size_t n = 0;

	for (; n < s->n_changes && s->changes[n].seq <= seq; n++)
		apply_one(s, &s->changes[n]);
	s->n_changes -= n;
	memmove(s->changes, s->changes + n, s->n_changes * sizeof *s->changes);
	if (seq > s->stored)
		s->stored = seq;
}

void sim_store_crash(struct sim_store *s)
{
	for (size_t i = 0; i < s->n_changes; i++)
		free(s->changes[i].row.body);
	s->n_changes = 0;
	s->seq = s->stored = s->forced = 0;
}
