#ifndef TESTS_LIVE_CASHIER_H
#define TESTS_LIVE_CASHIER_H

/*
 * A business's own connection to one of the three databases, opened as an
 * application would, and a wallet on it:
 *
 *   wallet (id, balance, frozen), every row with WALLET_START at the beginning
 *   barrier
 *
 * SQL goes past Treaty. What must work fails the test if it doesn't; where a
 * code is returned it is one of base.h.
 */

#include "rm-agent/db/db.h"

#include <treaty/barrier.h>

#include <inttypes.h>

#define WALLET_ROWS  4
#define WALLET_START 1000000

enum cashier_kind { CASHIER_PG, CASHIER_MYSQL, CASHIER_SQLITE, CASHIER_KINDS };

struct cashier {
	enum cashier_kind kind;
	void *native;
	struct db *db;     /* a look at .native */
	uint64_t affected; /* rows of the last cashier_sql() */
};

const char *cashier_kind_name(enum cashier_kind kind);
/* `dsn` as rm-agent/db has it; for SQLite "sqlite:/path". */
void cashier_open(struct cashier *t, enum cashier_kind kind, const char *dsn);
void cashier_close(struct cashier *t);

/* Drop the tables and make them anew. */
void cashier_tables(struct cashier *t);

int cashier_sql(struct cashier *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* One number. */
int64_t cashier_number(struct cashier *t, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
int64_t cashier_balance(struct cashier *t, int row);
int64_t cashier_frozen(struct cashier *t, int row);

int cashier_begin(struct cashier *t);
int cashier_commit(struct cashier *t);
void cashier_rollback(struct cashier *t);

int cashier_barrier(struct cashier *t, const struct treaty_barrier *b,
		    enum treaty_barrier_verdict *verdict);
int cashier_query(struct cashier *t, const char *gid,
		  enum treaty_prepared *out);
int cashier_create(struct cashier *t, const char *table);
int cashier_purge(struct cashier *t, uint64_t older_than_s, uint32_t rows_max,
		  uint64_t *n);

#endif
