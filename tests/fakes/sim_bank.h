#ifndef TESTS_FAKES_SIM_BANK_H
#define TESTS_FAKES_SIM_BANK_H

/*
 * Fake databases with accounts, and what an agent does in them: local commits
 * with an undo record (AT) or a fence (TCC), and both phases' second halves.
 * It REQUIREs what the coordinator promises: no branch is both committed and
 * rolled back, no undo meets a row that somebody else changed, no confirm comes
 * for a try that was never done.
 */

#include "tc/core/core.h"

#define BANK_DBS      3
#define BANK_ACCOUNTS 5

enum work_state {
	WORK_NONE,
	WORK_DONE,   /* locally committed */
	WORK_FAILED, /* the agent said so and will do nothing */
	WORK_COMMITTED,
	WORK_ROLLBACKED, /* undone, or nothing was there: a late commit fails */
};

struct work { /* one branch in its database */
	struct work *next;
	uint64_t branch;
	uint64_t gtx;
	bool tcc;
	int db;
	int account;
	int64_t delta;
	int64_t before, after;
	enum work_state state;
};

struct bank {
	int64_t value[BANK_DBS][BANK_ACCOUNTS];
	uint64_t row_lock[BANK_DBS][BANK_ACCOUNTS]; /* of a local transaction */
	struct work *works;
};

void bank_init(struct bank *b);
void bank_fini(struct bank *b);
int64_t bank_total(const struct bank *b);
struct work *bank_find(struct bank *b, uint64_t branch);

/* The local commit of a registered branch. False: the rollback was first. */
bool bank_do(struct bank *b, uint64_t gtx, uint64_t branch, bool tcc, int db,
	     int account, int64_t delta);
/* It was never done and will not be. */
void bank_fail(struct bank *b, uint64_t gtx, uint64_t branch, bool tcc, int db);
/* Phase two; what an agent would answer. */
enum branch_status bank_command(struct bank *b, uint64_t gtx, uint64_t branch,
				bool tcc, int db, bool commit);

#endif
