#ifndef TC_STORE_STORE_H
#define TC_STORE_STORE_H

/*
 * What a coordinator must not forget, behind one interface: SQLite by default
 * (store_sqlite.c), memory for tests (store_memory.c).
 *
 * Rules
 * -----
 *  - Memory is the authority, the store keeps what a restart needs.
 *  - store_apply() is all or none. When it fails, the store refuses everything
 *    from then on: what was promised can no longer be known (an fsync that
 *    failed once is never asked again). Stop the process and load.
 *  - Each body is kept with a checksum over itself and the row's columns.
 *  - The epoch goes up by one each time a store is opened for work. An apply
 *    with an older epoch is refused: another coordinator took over.
 *  - May block, so call it from one thread; no other rule about which.
 */

#include "tc/core/core.h"

struct store;

/* How SQLite is opened; see store_sqlite.h and store_memory.h for making one. */

/*
 * Give every row to `each`; it returns an error to stop. Once, before anything
 * else. *epoch is what store_apply() wants.
 *
 * OK
 * E_CORRUPT   a checksum or the file is wrong; store_error() says which row
 *             and what can be done
 * E_VERSION   written by a newer version
 * E_CONFLICT  another process has it open
 * E_IO
 * or what `each` returned
 */
MUST_CHECK int store_load(struct store *s,
			  int (*each)(void *ctx, const struct row *row),
			  void *ctx, uint64_t *epoch);

/*
 * Do every FX_PUT, FX_DELETE, FX_HISTORY, FX_ARCHIVE and FX_AUDIT of
 * effects[0..n) in one transaction; other effects are skipped. With `durable` it has reached
 * the disk when the call returns; without, it will with the next durable one.
 *
 * OK
 * E_STATE   the epoch is not this store's any more
 * E_IO      disk full, failed sync, …; store_error() says; final
 */
MUST_CHECK int store_apply(struct store *s, const struct effect *effects,
			   size_t n, uint64_t epoch, bool durable);

/* Housekeeping when there's nothing else to do: checkpoint, drop archive,
 * history lines and audits beyond the configured age and count. True: more is left. */
bool store_idle(struct store *s, uint64_t wall_ms);

/* Finished transactions, newest first, numbers below `before` (0: from the
 * newest), at most `limit`. Stops when `each` returns false. */
MUST_CHECK int store_archived(struct store *s, uint64_t before, size_t limit,
			      bool (*each)(void *ctx, const struct archive *),
			      void *ctx);
/* One finished transaction. E_NOTFOUND. */
MUST_CHECK int store_archived_one(struct store *s, uint64_t number,
				  void (*each)(void *ctx,
					       const struct archive *),
				  void *ctx);
/* The history lines of one transaction, oldest first. */
MUST_CHECK int store_history(struct store *s, uint64_t number,
			     void (*each)(void *ctx, const struct history *),
			     void *ctx);

/* Write down what somebody did that the core has no part in: a login, another
 * configuration. A durable batch of its own, after those given before; errors
 * of store_apply(). Its .id is given by the store. */
MUST_CHECK int store_audit(struct store *s, const struct audit *audit,
			   uint64_t epoch);
/* What operators did, newest first, .id below `before` (0: from the newest), at
 * most `limit`. Stops when `each` returns false. */
MUST_CHECK int store_audits(struct store *s, uint64_t before, size_t limit,
			    bool (*each)(void *ctx, const struct audit *),
			    void *ctx);

struct store_stats {
	uint64_t batches;         /* applied transactions */
	uint64_t batches_durable; /* of these, with a sync */
	uint64_t rows;
	uint64_t syncs; /* fsync or fdatasync calls seen by the file layer */
	uint64_t sync_us_total;
};

struct store_stats store_stats(const struct store *s);

/* The story behind the last error: what, which file, what to do. Never NULL. */
const char *store_error(const struct store *s);

void store_close(struct store *s);

#endif
