/* Finished transactions and histories: for people, bounded, never read back
 * by the coordinator. */
#include "tc/store/sqlite_impl.h"

#define PRUNE_STEP 256 /* rows a turn, so that the loop is not held up */

static int bind_bytes(sqlite3_stmt *st, int i, struct bytes b)
{
	return sqlite3_bind_text64(st, i, b.data ? (const char *)b.data : "",
				   b.len, SQLITE_STATIC, SQLITE_UTF8);
}

static int run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	(void)sqlite3_reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sqlite_put_archive(struct store_sqlite *s, const struct archive *a)
{
	sqlite3_stmt *st = s->statements[SQL_ARCHIVE];
	int rc;

	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)a->gtx);
	(void)sqlite3_bind_int(st, 2, (int)a->status);
	rc = bind_bytes(st, 3, a->name);
	if (rc == SQLITE_OK)
		rc = bind_bytes(st, 4, a->application);
	(void)sqlite3_bind_int64(st, 5, (sqlite3_int64)a->began_wall_ms);
	(void)sqlite3_bind_int64(st, 6, (sqlite3_int64)a->ended_wall_ms);
	(void)sqlite3_bind_int64(st, 7, a->n_branches);
	(void)sqlite3_bind_int(st, 8, (int)a->kind);
	if (rc == SQLITE_OK)
		rc = bind_bytes(st, 9, a->detail);
	if (rc == SQLITE_OK)
		rc = run(st);
	s->n_archive++;
	return rc;
}

int sqlite_put_history(struct store_sqlite *s, const struct history *h)
{
	sqlite3_stmt *st = s->statements[SQL_HISTORY];
	sqlite3_stmt *trim = s->statements[SQL_HISTORY_TRIM];
	int rc;

	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)h->gtx);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)s->history_line++);
	(void)sqlite3_bind_int64(st, 3, (sqlite3_int64)h->wall_ms);
	rc = bind_bytes(st, 4, h->text);
	(void)sqlite3_bind_int(st, 5, (int)h->kind);
	(void)sqlite3_bind_int64(st, 6, (sqlite3_int64)h->branch);
	(void)sqlite3_bind_int64(st, 7, h->task);
	(void)sqlite3_bind_int64(st, 8, h->attempt);
	if (rc == SQLITE_OK)
		rc = run(st);
	if (rc != SQLITE_OK)
		return rc;
	s->n_history++;
	(void)sqlite3_bind_int64(trim, 1, (sqlite3_int64)h->gtx);
	(void)sqlite3_bind_int64(trim, 2,
				 (int64_t)s->options.history_per_gtx_max);
	return run(trim);
}

int sqlite_put_audit(struct store_sqlite *s, const struct audit *a)
{
	sqlite3_stmt *st = s->statements[SQL_AUDIT];
	int rc = bind_bytes(st, 2, a->actor);

	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)a->wall_ms);
	(void)sqlite3_bind_int64(st, 5, (sqlite3_int64)a->branch);
	(void)sqlite3_bind_int(st, 8, a->err);
	if (rc == SQLITE_OK)
		rc = bind_bytes(st, 3, a->action);
	if (rc == SQLITE_OK)
		rc = bind_bytes(st, 4, a->xid);
	if (rc == SQLITE_OK)
		rc = bind_bytes(st, 6, a->reason);
	if (rc == SQLITE_OK)
		rc = bind_bytes(st, 7, a->detail);
	if (rc == SQLITE_OK)
		rc = run(st);
	s->n_audit++;
	return rc;
}

/* ---- pruning ---- */

struct prune {
	const char *count;
	const char *by_age;   /* ?1: the oldest time to keep, ?2: how many */
	const char *by_count; /* ?2: how many */
	size_t max;
	uint64_t keep_ms;
	size_t *n;
};

/* The lines of unfinished transactions stay: gtx_max and history_per_gtx_max
 * bound them. */
#define STORIES_DONE                                                           \
	"(SELECT gtx FROM history WHERE gtx NOT IN (SELECT id FROM gtx) "      \
	"ORDER BY gtx LIMIT ?2)"

static int prune_run(struct store_sqlite *s, const char *sql, uint64_t oldest,
		     size_t n, size_t *gone)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return rc;
	if (sqlite3_bind_parameter_count(st) > 0) {
		(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)oldest);
		(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)n);
	}
	rc = sqlite3_step(st);
	*gone = rc == SQLITE_DONE ? (size_t)sqlite3_changes64(s->db) : 0;
	return sqlite3_finalize(st);
}

/* More than the limit, counted again: what was put twice counts once. */
static int surplus(struct store_sqlite *s, const struct prune *p, size_t *out)
{
	int64_t n = 0;
	int rc = SQLITE_OK;

	*out = 0;
	if (*p->n <= p->max)
		return rc;
	rc = sqlite_number(s, p->count, &n);
	*p->n = (size_t)n;
	if (*p->n > p->max)
		*out = *p->n - p->max;
	if (*out > PRUNE_STEP)
		*out = PRUNE_STEP;
	return rc;
}

static int prune_one(struct store_sqlite *s, const struct prune *p,
		     uint64_t wall_ms, size_t *gone)
{
	size_t many = 0, old = 0, extra = 0;
	int rc = surplus(s, p, &extra);

	*gone = 0;
	if (rc == SQLITE_OK && extra > 0)
		rc = prune_run(s, p->by_count, 0, extra, &many);
	if (rc == SQLITE_OK && *p->n > 0 && wall_ms > p->keep_ms)
		rc = prune_run(s, p->by_age, wall_ms - p->keep_ms, PRUNE_STEP,
			       &old);
	*gone = many + old;
	*p->n -= *gone < *p->n ? *gone : *p->n;
	return rc;
}

bool sqlite_prune(struct store_sqlite *s, uint64_t wall_ms)
{
	const struct prune all[] = {
		{ "SELECT count(*) FROM archive",
		  "DELETE FROM archive WHERE ended_ms < ?1 AND gtx IN "
		  "(SELECT gtx FROM archive ORDER BY gtx LIMIT ?2)",
		  "DELETE FROM archive WHERE ?1 = 0 AND gtx IN "
		  "(SELECT gtx FROM archive ORDER BY gtx LIMIT ?2)",
		  s->options.archive_max, s->options.archive_keep_ms,
		  &s->n_archive },
		{ "SELECT count(*) FROM history",
		  "DELETE FROM history WHERE wall_ms < ?1 AND gtx "
		  "IN " STORIES_DONE,
		  "DELETE FROM history WHERE ?1 = 0 AND gtx IN " STORIES_DONE,
		  s->options.history_max, s->options.history_keep_ms,
		  &s->n_history },
		{ "SELECT count(*) FROM audit",
		  "DELETE FROM audit WHERE wall_ms < ?1 AND id IN "
		  "(SELECT id FROM audit ORDER BY id LIMIT ?2)",
		  "DELETE FROM audit WHERE ?1 = 0 AND id IN "
		  "(SELECT id FROM audit ORDER BY id LIMIT ?2)",
		  s->options.audit_max, s->options.audit_keep_ms, &s->n_audit },
	};
	size_t gone = 0, total = 0;
	int rc = SQLITE_OK;

	/* Lazy, like everything here: no sync, the next durable batch has it. */
	if (s->full && sqlite_run(s, "PRAGMA synchronous=NORMAL") == SQLITE_OK)
		s->full = false;
	for (size_t i = 0; i < ARRAY_LEN(all) && rc == SQLITE_OK; i++) {
		rc = prune_one(s, &all[i], wall_ms, &gone);
		total += gone;
	}
	if (rc != SQLITE_OK)
		(void)sqlite_fail(s, "dropping old history");
	return rc == SQLITE_OK && total > 0;
}

/* ---- questions ---- */

static struct bytes column_bytes(sqlite3_stmt *st, int i)
{
	const uint8_t *data = sqlite3_column_blob(st, i);

	return (struct bytes){ data, (size_t)sqlite3_column_bytes(st, i) };
}

static int query(struct store *base, const char *sql, uint64_t number,
		 size_t limit, sqlite3_stmt **st)
{
	struct store_sqlite *s = CONTAINER_OF(base, struct store_sqlite, base);

	if (!s->epoch)
		return E_STATE;
	if (sqlite3_prepare_v2(s->db, sql, -1, st, NULL) != SQLITE_OK)
		return sqlite_refuse(s, "reading the archive");
	(void)sqlite3_bind_int64(*st, 1, (sqlite3_int64)number);
	if (limit > 0)
		(void)sqlite3_bind_int64(*st, 2, (sqlite3_int64)limit);
	return OK;
}

static int query_end(struct store *base, sqlite3_stmt *st)
{
	if (sqlite3_finalize(st) == SQLITE_OK)
		return OK;
	return sqlite_refuse(CONTAINER_OF(base, struct store_sqlite, base),
			     "reading the archive");
}

#define ARCHIVE_COLUMNS                                                        \
	"SELECT gtx, status, name, application, began_ms, ended_ms, "          \
	"branches, kind, detail FROM archive "

static struct archive column_archive(sqlite3_stmt *st)
{
	return (struct archive){
		.gtx = (uint64_t)sqlite3_column_int64(st, 0),
		.status = (enum gtx_status)sqlite3_column_int(st, 1),
		.name = column_bytes(st, 2),
		.application = column_bytes(st, 3),
		.began_wall_ms = (uint64_t)sqlite3_column_int64(st, 4),
		.ended_wall_ms = (uint64_t)sqlite3_column_int64(st, 5),
		.n_branches = (uint32_t)sqlite3_column_int64(st, 6),
		.kind = (enum gtx_kind)sqlite3_column_int(st, 7),
		.detail = column_bytes(st, 8),
	};
}

int sqlite_archived(struct store *s, uint64_t before, size_t limit,
		    bool (*each)(void *ctx, const struct archive *), void *ctx)
{
	sqlite3_stmt *st;
	bool more = limit > 0;
	int rc;

	if (before == 0 || before > INT64_MAX)
		before = INT64_MAX;
	if (!more)
		return OK;
	rc = query(s,
		   ARCHIVE_COLUMNS "WHERE gtx < ?1 ORDER BY gtx DESC LIMIT ?2",
		   before, limit, &st);
	if (rc != OK)
		return rc;
	while (more && sqlite3_step(st) == SQLITE_ROW) {
		struct archive a = column_archive(st);

		more = each(ctx, &a);
	}
	return query_end(s, st);
}

int sqlite_archived_one(struct store *s, uint64_t number,
			void (*each)(void *ctx, const struct archive *),
			void *ctx)
{
	sqlite3_stmt *st;
	bool found;
	int rc = query(s, ARCHIVE_COLUMNS "WHERE gtx = ?1", number, 0, &st);

	if (rc != OK)
		return rc;
	found = sqlite3_step(st) == SQLITE_ROW;
	if (found) {
		struct archive a = column_archive(st);

		each(ctx, &a);
	}
	rc = query_end(s, st);
	return rc == OK && !found ? E_NOTFOUND : rc;
}

/* One that a later version wrote, or somebody's hand, is still its text. */
static enum history_kind column_kind(sqlite3_stmt *st, int i)
{
	int kind = sqlite3_column_int(st, i);

	return kind > 0 && kind < HISTORY_KINDS ? (enum history_kind)kind
						: HISTORY_NOTE;
}

int sqlite_history(struct store *s, uint64_t number,
		   void (*each)(void *ctx, const struct history *), void *ctx)
{
	sqlite3_stmt *st;
	int rc = query(s,
		       "SELECT wall_ms, text, kind, branch, task, attempt "
		       "FROM history WHERE gtx = ?1 ORDER BY line",
		       number, 0, &st);

	if (rc != OK)
		return rc;
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct history h = {
			.gtx = number,
			.wall_ms = (uint64_t)sqlite3_column_int64(st, 0),
			.text = column_bytes(st, 1),
			.kind = column_kind(st, 2),
			.branch = (uint64_t)sqlite3_column_int64(st, 3),
			.task = (uint32_t)sqlite3_column_int64(st, 4),
			.attempt = (uint32_t)sqlite3_column_int64(st, 5),
		};

		each(ctx, &h);
	}
	return query_end(s, st);
}

static struct audit column_audit(sqlite3_stmt *st)
{
	return (struct audit){
		.id = (uint64_t)sqlite3_column_int64(st, 0),
		.wall_ms = (uint64_t)sqlite3_column_int64(st, 1),
		.actor = column_bytes(st, 2),
		.action = column_bytes(st, 3),
		.xid = column_bytes(st, 4),
		.branch = (uint64_t)sqlite3_column_int64(st, 5),
		.reason = column_bytes(st, 6),
		.detail = column_bytes(st, 7),
		.err = sqlite3_column_int(st, 8),
	};
}

int sqlite_audits(struct store *s, uint64_t before, size_t limit,
		  bool (*each)(void *ctx, const struct audit *), void *ctx)
{
	sqlite3_stmt *st;
	bool more = limit > 0;
	int rc;

	if (before == 0 || before > INT64_MAX)
		before = INT64_MAX;
	if (!more)
		return OK;
	rc = query(s,
		   "SELECT id, wall_ms, actor, action, xid, branch, reason, "
		   "detail, err FROM audit WHERE id < ?1 ORDER BY id DESC "
		   "LIMIT ?2",
		   before, limit, &st);
	if (rc != OK)
		return rc;
	while (more && sqlite3_step(st) == SQLITE_ROW) {
		struct audit a = column_audit(st);

		more = each(ctx, &a);
	}
	return query_end(s, st);
}
