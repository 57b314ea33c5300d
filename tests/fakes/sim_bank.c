#include "tests/fakes/sim_bank.h"

#include <stdlib.h>

void bank_init(struct bank *b)
{
	*b = (struct bank){ 0 };
	for (int d = 0; d < BANK_DBS; d++)
		for (int a = 0; a < BANK_ACCOUNTS; a++)
			b->value[d][a] = 1000;
}

void bank_fini(struct bank *b)
{
	while (b->works) {
		struct work *w = b->works;

		b->works = w->next;
		free(w);
	}
}

int64_t bank_total(const struct bank *b)
{
	int64_t total = 0;

	for (int d = 0; d < BANK_DBS; d++)
		for (int a = 0; a < BANK_ACCOUNTS; a++)
			total += b->value[d][a];
	return total;
}

struct work *bank_find(struct bank *b, uint64_t branch)
{
	struct work *w = b->works;

	while (w && w->branch != branch)
		w = w->next;
	return w;
}

static struct work *get(struct bank *b, uint64_t gtx, uint64_t branch, bool tcc,
			int db)
{
	struct work *w = bank_find(b, branch);

	if (!w) {
		w = calloc(1, sizeof *w);
		REQUIRE(w);
		w->branch = branch;
		w->gtx = gtx;
		w->tcc = tcc;
		w->db = db;
		w->next = b->works;
		b->works = w;
	}
	REQUIRE(w->gtx == gtx && w->tcc == tcc && w->db == db);
	return w;
}

bool bank_do(struct bank *b, uint64_t gtx, uint64_t branch, bool tcc, int db,
	     int account, int64_t delta)
{
	struct work *w = get(b, gtx, branch, tcc, db);

	if (w->state == WORK_ROLLBACKED)
		return false;
	REQUIRE(w->state == WORK_NONE); /* the branch's number is its own */
	w->account = account;
	w->delta = delta;
	w->before = b->value[db][account];
	w->after = w->before + delta;
	b->value[db][account] = w->after;
	w->state = WORK_DONE;
	return true;
}

void bank_fail(struct bank *b, uint64_t gtx, uint64_t branch, bool tcc, int db)
{
	struct work *w = get(b, gtx, branch, tcc, db);

	if (w->state == WORK_NONE)
		w->state = WORK_FAILED;
}

static enum branch_status commit(struct work *w)
{
	REQUIRE(w->state != WORK_ROLLBACKED); /* never both */
	if (w->tcc)
		REQUIRE(w->state == WORK_DONE || w->state == WORK_COMMITTED);
	w->state = WORK_COMMITTED;
	return BRANCH_COMMITTED;
}

static enum branch_status rollback(struct bank *b, struct work *w)
{
	int64_t *value = &b->value[w->db][w->account];

	REQUIRE(w->state != WORK_COMMITTED); /* never both */
	if (w->state == WORK_DONE && w->tcc) {
		*value -= w->delta;
	} else if (w->state == WORK_DONE) {
		if (b->row_lock[w->db][w->account])
			return BRANCH_ROLLBACK_RETRYABLE;
		REQUIRE(*value == w->after); /* nobody wrote it meanwhile */
		*value = w->before;
	}
	w->state = WORK_ROLLBACKED;
	return BRANCH_ROLLBACKED;
}

enum branch_status bank_command(struct bank *b, uint64_t gtx, uint64_t branch,
				bool tcc, int db, bool commits)
{
	struct work *w = get(b, gtx, branch, tcc, db);

	return commits ? commit(w) : rollback(b, w);
}
