#include "base/hash.h"
#include "undo/json.h"
#include "undo/plan.h"

#include <inttypes.h>

#define SHOWN_MAX 100 /* dirty rows in a difference */

/* ---- verdicts ---- */

/* Whether every touch starts where the one before it ended. */
static bool is_chain(const struct table *t, const struct subject *s)
{
	for (const struct touch *k = s->first; k->next; k = k->next)
		if (!row_equal(t, k->after, k->next->before))
			return false;
	return true;
}

static const char *reason_of(const struct subject *s)
{
	if (!s->now)
		return "the row was deleted from outside since the branch "
		       "wrote it";
	if (!s->last->after)
		return "a row with this key was inserted from outside since "
		       "the branch deleted it";
	return "the row was changed from outside since the branch wrote it";
}

static void dirty(struct subject *s, const char *reason)
{
	s->verdict = VERDICT_DIRTY;
	s->reason = reason;
}

static void judge(const struct table *t, struct subject *s)
{
	const struct row *before = s->first->before, *after = s->last->after;

	if (s->stray)
		dirty(s, "the key of the row was spelled otherwise from "
			 "outside since the branch wrote it");
	else if (row_equal(t, s->now, after) && is_chain(t, s))
		s->verdict = VERDICT_UNDO;
	else if (row_equal(t, s->now, before))
		s->verdict = VERDICT_DONE;
	else if (row_equal(t, s->now, after))
		dirty(s, "between two statements of the branch something that "
			 "its images did not see changed the row");
	else if (row_equal(t, before, after) && is_chain(t, s))
		s->verdict = VERDICT_DONE;
	else
		dirty(s, reason_of(s));
}

/* Something is to be restored, and not only to be passed through. */
static bool any_to_restore(const struct plan *p)
{
	for (size_t i = 0; i < p->record->n_tables; i++) {
		for (size_t k = 0; k < p->tables[i].n; k++) {
			const struct subject *s = p->tables[i].subjects[k];

			if (s->verdict == VERDICT_DIRTY)
				return true;
			if (s->verdict == VERDICT_UNDO &&
			    !row_equal(p->tables[i].was, s->first->before,
				       s->last->after))
				return true;
		}
	}
	return false;
}

/*
 * A row that the branch changed and changed back takes part in the undo, for
 * the sake of unique keys on the way, but only if there is a way to go.
 */
void plan_judge(struct plan *p)
{
	for (size_t i = 0; i < p->record->n_tables; i++)
		for (size_t k = 0; k < p->tables[i].n; k++)
			judge(p->tables[i].was, p->tables[i].subjects[k]);
	if (any_to_restore(p))
		return;
	for (size_t i = 0; i < p->record->n_tables; i++)
		for (size_t k = 0; k < p->tables[i].n; k++)
			if (p->tables[i].subjects[k]->verdict == VERDICT_UNDO)
				p->tables[i].subjects[k]->verdict =
					VERDICT_DONE;
}

/* ---- the difference ---- */

static const char *statement_name(enum item_kind kind)
{
	switch (kind) {
	case ITEM_INSERT:
		return "insert";
	case ITEM_UPDATE:
		return "update";
	case ITEM_DELETE:
		return "delete";
	case ITEM_MIXED:
		break;
	}
	return "mixed";
}

static void put_dirty(struct buf *out, const struct plan *p,
		      const struct subject *s)
{
	const struct table *t = p->tables[s->table].was;
	enum item_kind kind = p->record->items[s->last->item].kind;

	buf_put_char(out, '{');
	row_difference_members(out, t, s->first->before, s->last->after,
			       s->now);
	buf_printf(out, ",\"statement\":\"%s\",\"seen\":\"",
		   statement_name(kind));
	if (s->now)
		buf_printf(out, "%016" PRIx64, row_hash(t, s->now));
	else
		buf_put_text(out, "absent");
	buf_printf(out, "\",\"reason\":\"%s\"}", s->reason);
}

static size_t count_dirty(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->record->n_tables; i++)
		for (size_t k = 0; k < p->tables[i].n; k++)
			n += p->tables[i].subjects[k]->verdict == VERDICT_DIRTY;
	return n;
}

static void put_difference(struct buf *out, const struct plan *p, size_t dirty)
{
	size_t shown = 0;

	buf_printf(out, "{\"dirty\":\"%zu\",\"rows\":[", dirty);
	for (size_t i = 0; i < p->record->n_tables; i++) {
		for (size_t k = 0; k < p->tables[i].n; k++) {
			const struct subject *s = p->tables[i].subjects[k];

			if (s->verdict != VERDICT_DIRTY || shown == SHOWN_MAX)
				continue;
			buf_put_text(out, shown++ ? ",\n" : "");
			put_dirty(out, p, s);
		}
	}
	buf_put_text(out, "]}");
}

/* ---- repairs ---- */

static bool add_repair(struct plan *p, struct touches *list, struct subject *s)
{
	struct touch *t = arena_alloc(p->arena, sizeof *t);

	if (!t)
		return false;
	t->subject = s;
	t->before = s->last->after;
	t->after = s->now;
	t->repair = true;
	list->list[list->n++] = t;
	return true;
}

/*
 * Rows that an operator wants undone whatever they are now are put back to
 * what the branch left, table by table, as if by items behind the last one.
 * From there all goes its usual way.
 */
static bool add_repairs(struct plan *p)
{
	for (size_t i = 0; i < p->record->n_tables; i++) {
		struct plan_table *t = &p->tables[i];
		struct touches *list = &p->items[p->record->n_items + i];

		list->table = i;
		list->n = 0;
		list->list = arena_array(p->arena, t->n, sizeof *list->list);
		if (!list->list)
			return false;
		for (size_t k = 0; k < t->n; k++)
			if (t->subjects[k]->verdict == VERDICT_REPAIR &&
			    !add_repair(p, list, t->subjects[k]))
				return false;
	}
	return true;
}

static int begin_writing(struct plan *p)
{
	if (!add_repairs(p))
		return E_NOMEM;
	p->item = plan_items(p);
	p->touch = p->item > 0 ? p->items[p->item - 1].n : 0;
	p->state = PLAN_CHECKED;
	return OK;
}

int plan_check(struct plan *p, struct buf *difference)
{
	size_t n;

	if (p->state != PLAN_READ)
		return E_STATE;
	n = count_dirty(p);
	if (n == 0)
		return begin_writing(p);
	if (difference) {
		put_difference(difference, p, n);
		if (buf_error(difference) != OK)
			return buf_error(difference);
	}
	return E_DIRTY;
}
