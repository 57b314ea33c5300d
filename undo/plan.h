#ifndef UNDO_PLAN_H
#define UNDO_PLAN_H

/*
 * The inside of a plan; see undo/compensate.h for what it does.
 *
 *   reading --plan_read_done() of the last read--> read
 *   read    --plan_check() says OK---------------> checked
 *
 * Invariants
 *   I1  a subject is one row (table and key); each is in the map once
 *   I2  a subject's touches are in the order of execution, one for an item
 *   I3  subjects that no item really changed are idle: not read, not written
 *   I4  nothing is written before every subject that is not idle has a
 *       verdict and none is dirty
 */

#include "base/map.h"
#include "undo/compensate.h"
#include "undo/sql.h"

enum plan_state { PLAN_READING, PLAN_READ, PLAN_CHECKED };

enum verdict {
	VERDICT_NONE,  /* idle, or not judged yet */
	VERDICT_UNDO,  /* as the branch left it */
	VERDICT_DONE,  /* nothing to undo */
	VERDICT_DIRTY, /* changed from outside */
	/* An operator decided: */
	VERDICT_REPAIR, /* first put back what the branch left, then undo */
	VERDICT_SET     /* write .target once */
};

/* What one item did to one row. */
struct touch {
	struct touch *next; /* the same row, a later item */
	struct subject *subject;
	size_t item;
	const struct row *before; /* NULL: it was not there */
	const struct row *after;
	bool repair; /* no item did it: from now (after) to last->after */
};

struct subject {
	struct map_node node;
	size_t table;
	const struct row *key; /* any row with its key */
	struct touch *first;
	struct touch *last;
	bool idle;
	enum verdict verdict;
	const char *reason;    /* of a dirty one */
	bool stray;            /* a row with another spelling answered */
	const struct row *now; /* NULL: it is not there */
	/* VERDICT_SET: */
	const struct row *target; /* NULL: it shall not be there */
	const bool *given;        /* columns to insert; NULL: all */
};

struct touches {
	struct touch **list; /* rows before in their order, then new rows */
	size_t n;
	size_t table;
};

struct plan_table {
	const struct table *was;
	bool overriding;
	struct subject **subjects; /* not idle, in order of first touch */
	size_t n;
	size_t read; /* so many of them are asked for or read */
};

struct plan {
	struct arena *arena;
	const struct record *record;
	enum plan_state state;
	struct map subjects;
	struct plan_table *tables;
	struct touches *items; /* record->n_items, then repairs by table */
	struct sql sql;
	const struct row **rows; /* of the statement being made */
	size_t cap_rows;

	/* reading */
	size_t table; /* being read */
	size_t batch; /* so many subjects behind tables[table].read */
	bool asked;
	struct row *strays;
	size_t n_strays;

	/* writing: what comes next */
	size_t item;  /* items[item - 1] */
	int group;    /* enum group */
	size_t touch; /* list[touch - 1] */
};

/* The row with this key, or NULL. */
struct subject *plan_find(const struct plan *p, size_t table,
			  const struct row *key);
/* How many items there are, with the repairs. */
size_t plan_items(const struct plan *p);
/* Give a verdict to every subject that is not idle. */
void plan_judge(struct plan *p);
/* Room for n pointers in p->rows. False: no memory. */
bool plan_reserve_rows(struct plan *p, size_t n);

#endif
