#include "tc/store/sqlite_impl.h"

#include <time.h>

#define PRUNE_EVERY_MS 1000

static struct store_sqlite *self(struct store *s)
{
	return CONTAINER_OF(s, struct store_sqlite, base);
}

static uint64_t wall_ms_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- statements ---- */

static int prepare(struct store_sqlite *s, int which, const char *fmt,
		   const char *table)
{
	struct buf sql;
	int rc = SQLITE_NOMEM;

	buf_init(&sql, s->base.mem);
	while (*fmt) {
		if (*fmt == '@')
			buf_put_text(&sql, table);
		else
			buf_put_char(&sql, *fmt);
		fmt++;
	}
	if (buf_error(&sql) == OK)
		rc = sqlite3_prepare_v3(s->db, buf_text(&sql), -1,
					SQLITE_PREPARE_PERSISTENT,
					&s->statements[which], NULL);
	buf_fini(&sql);
	return rc;
}

static const struct {
	int which;
	bool each_table;
	const char *sql; /* @: the table's name */
} texts[] = {
	{ SQL_BEGIN, false, "BEGIN IMMEDIATE" },
	{ SQL_COMMIT, false, "COMMIT" },
	{ SQL_FENCE, false, "UPDATE fence SET digest = ?2 WHERE epoch = ?1" },
	{ SQL_CHECKSUM, true, "SELECT checksum FROM @ WHERE id = ?1" },
	{ SQL_PUT, true,
	  "REPLACE INTO @(id, gtx, status, name, changed_ms, checksum, body) "
	  "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)" },
	{ SQL_DELETE, true, "DELETE FROM @ WHERE id = ?1" },
	{ SQL_ARCHIVE, false,
	  "REPLACE INTO archive(gtx, status, name, application, began_ms, "
	  "ended_ms, branches, kind, detail) "
	  "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)" },
	{ SQL_HISTORY, false,
	  "INSERT INTO history(gtx, line, wall_ms, text, kind, branch, task, "
	  "attempt) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" },
	{ SQL_AUDIT, false,
	  "INSERT INTO audit(wall_ms, actor, action, xid, branch, reason, "
	  "detail, err) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" },
	{ SQL_HISTORY_TRIM, false,
	  "DELETE FROM history WHERE gtx = ?1 AND line <= (SELECT line FROM "
	  "history WHERE gtx = ?1 ORDER BY line DESC LIMIT 1 OFFSET ?2)" },
};

static int prepare_all(struct store_sqlite *s)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int n = texts[i].each_table ? ROW_TABLES : 1;

		for (int t = 0; t < n; t++)
			if (prepare(s, texts[i].which + t, texts[i].sql,
				    table_names[t]) != SQLITE_OK)
				return sqlite_refuse(s, "preparing statements");
	}
	return OK;
}

/* Run a bound statement that gives no row, and make it ready again. */
static int run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	(void)sqlite3_reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- load ---- */

static struct bytes column_bytes(sqlite3_stmt *st, int i)
{
	const uint8_t *data = sqlite3_column_blob(st, i);

	return (struct bytes){ data, (size_t)sqlite3_column_bytes(st, i) };
}

static struct row column_row(sqlite3_stmt *st, enum row_table table)
{
	return (struct row){
		.table = table,
		.id = (uint64_t)sqlite3_column_int64(st, 0),
		.gtx = (uint64_t)sqlite3_column_int64(st, 1),
		.status = sqlite3_column_int(st, 2),
		.name = column_bytes(st, 3),
		.body = column_bytes(st, 5),
	};
}

static int row_damaged(struct store_sqlite *s, const struct row *row)
{
	return store_refuse(
		&s->base, E_CORRUPT,
		"%s: row %llu of table %s is damaged (its checksum is wrong); "
		"keep a copy of the file and its -wal file, then restore a "
		"backup",
		s->path, (unsigned long long)row->id, table_names[row->table]);
}

static int load_rows(struct store_sqlite *s, enum row_table table,
		     sqlite3_stmt *st,
		     int (*each)(void *ctx, const struct row *row), void *ctx)
{
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct row row = column_row(st, table);
		uint64_t sum = (uint64_t)sqlite3_column_int64(st, 4);

		if (sum != row_checksum(&row))
			return row_damaged(s, &row);
		s->digest += sum;
		rc = each(ctx, &row);
		if (rc != OK)
			return rc;
	}
	return rc == SQLITE_DONE ? OK : sqlite_refuse(s, "reading the rows");
}

static int load_table(struct store_sqlite *s, enum row_table table,
		      int (*each)(void *ctx, const struct row *row), void *ctx)
{
	sqlite3_stmt *st = NULL;
	struct buf sql;
	int rc = SQLITE_NOMEM;

	buf_init(&sql, s->base.mem);
	buf_printf(&sql, "SELECT id, gtx, status, name, checksum, body FROM %s",
		   table_names[table]);
	if (buf_error(&sql) == OK)
		rc = sqlite3_prepare_v2(s->db, buf_text(&sql), -1, &st, NULL);
	buf_fini(&sql);
	if (rc != SQLITE_OK)
		return sqlite_refuse(s, "reading the rows");
	rc = load_rows(s, table, st, each, ctx);
	(void)sqlite3_finalize(st);
	return rc;
}

static int check_digest(struct store_sqlite *s)
{
	int64_t digest = 0;

	if (sqlite_number(s, "SELECT digest FROM fence", &digest) != SQLITE_OK)
		return sqlite_refuse(s, "reading the fence row");
	if ((uint64_t)digest == s->digest)
		return OK;
	return store_refuse(&s->base, E_CORRUPT,
			    "%s: rows are missing, or old ones came back (the "
			    "sum of all checksums is wrong): a write was lost "
			    "or the file was edited; keep a copy of it and its "
			    "-wal file, then restore a backup",
			    s->path);
}

static int take_epoch(struct store_sqlite *s)
{
	int64_t epoch = 0, archived = 0, lines = 0, audits = 0;

	if (sqlite_run(s, "UPDATE fence SET epoch = epoch + 1") ||
	    sqlite_number(s, "SELECT epoch FROM fence", &epoch) ||
	    sqlite_number(s, "SELECT count(*) FROM archive", &archived) ||
	    sqlite_number(s, "SELECT count(*) FROM history", &lines) ||
	    sqlite_number(s, "SELECT count(*) FROM audit", &audits))
		return sqlite_refuse(s, "taking the next epoch");
	s->n_archive = (size_t)archived;
	s->n_history = (size_t)lines;
	s->n_audit = (size_t)audits;
	s->history_line = (uint64_t)epoch << 32; /* above those of before */
	s->epoch = (uint64_t)epoch;
	return OK;
}

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	((struct store_sqlite *)ctx)->wal_pages = pages;
	return SQLITE_OK;
}

static int load_all(struct store_sqlite *s,
		    int (*each)(void *ctx, const struct row *row), void *ctx)
{
	int rc = OK;

	if (sqlite_run(s, "BEGIN IMMEDIATE") != SQLITE_OK)
		return sqlite_refuse(s, "reading the rows");
	for (int t = 0; t < ROW_TABLES && rc == OK; t++)
		rc = load_table(s, (enum row_table)t, each, ctx);
	if (rc == OK)
		rc = check_digest(s);
	if (rc == OK)
		rc = take_epoch(s);
	if (rc == OK && sqlite_run(s, "COMMIT") != SQLITE_OK)
		rc = sqlite_refuse(s, "taking the next epoch");
	return rc;
}

static int load(struct store *base,
		int (*each)(void *ctx, const struct row *row), void *ctx,
		uint64_t *epoch)
{
	struct store_sqlite *s = self(base);
	int rc;

	REQUIRE(!s->db);
	rc = sqlite_open_file(s);
	if (rc == OK)
		rc = sqlite_rewrite_wal(s);
	if (rc == OK)
		rc = sqlite_checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
	if (rc == OK)
		rc = sqlite_upgrade(s);
	if (rc == OK) {
		(void)sqlite3_wal_hook(s->db, on_wal, s);
		rc = load_all(s, each, ctx);
	}
	if (rc == OK)
		rc = prepare_all(s);
	if (rc == OK) {
		*epoch = s->epoch;
		sqlite_checkpoint_on_close(s, true);
	} else {
		base->failed = rc;
	}
	return rc;
}

/* ---- apply ---- */

/* The checksum of the row that is there now; 0 if there is none. */
static int old_checksum(struct store_sqlite *s, const struct row *row,
			uint64_t *sum)
{
	sqlite3_stmt *st = s->statements[SQL_CHECKSUM + row->table];
	int rc;

	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)row->id);
	rc = sqlite3_step(st);
	*sum = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	(void)sqlite3_reset(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int put_row(struct store_sqlite *s, const struct row *row, uint64_t now)
{
	sqlite3_stmt *st = s->statements[SQL_PUT + row->table];
	uint64_t sum = row_checksum(row), old;
	int rc = old_checksum(s, row, &old);

	if (rc != SQLITE_OK)
		return rc;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)row->id);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)row->gtx);
	(void)sqlite3_bind_int(st, 3, row->status);
	rc = sqlite3_bind_text64(
		st, 4, row->name.data ? (const char *)row->name.data : "",
		row->name.len, SQLITE_STATIC, SQLITE_UTF8);
	(void)sqlite3_bind_int64(st, 5, (sqlite3_int64)now);
	(void)sqlite3_bind_int64(st, 6, (sqlite3_int64)sum);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob64(
			st, 7, row->body.data ? row->body.data : (void *)"",
			row->body.len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = run(st);
	s->digest += sum - old;
	return rc;
}

static int delete_row(struct store_sqlite *s, const struct row *row)
{
	sqlite3_stmt *st = s->statements[SQL_DELETE + row->table];
	uint64_t old;
	int rc = old_checksum(s, row, &old);

	if (rc != SQLITE_OK)
		return rc;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)row->id);
	s->digest -= old;
	return run(st);
}

static int apply_one(struct store_sqlite *s, const struct effect *fx,
		     uint64_t now)
{
	switch (fx->type) {
	case FX_PUT:
		return put_row(s, &fx->row, now);
	case FX_DELETE:
		return delete_row(s, &fx->row);
	case FX_HISTORY:
		return sqlite_put_history(s, &fx->history);
	case FX_ARCHIVE:
		return sqlite_put_archive(s, &fx->archive);
	case FX_AUDIT:
		return sqlite_put_audit(s, &fx->audit);
	case FX_REPLY:
	case FX_COMMAND:
		break;
	}
	return SQLITE_OK;
}

static int pass_fence(struct store_sqlite *s)
{
	sqlite3_stmt *st = s->statements[SQL_FENCE];

	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)s->epoch);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)s->digest);
	return run(st);
}

static int fenced_off(struct store_sqlite *s)
{
	s->base.failed = E_STATE;
	return store_refuse(&s->base, E_STATE,
			    "%s: another coordinator took over (epoch %llu is "
			    "over); stop this process",
			    s->path, (unsigned long long)s->epoch);
}

static int set_full(struct store_sqlite *s, bool full)
{
	int rc;

	if (s->full == full)
		return SQLITE_OK;
	rc = sqlite_run(s, full ? "PRAGMA synchronous=FULL"
				: "PRAGMA synchronous=NORMAL");
	if (rc == SQLITE_OK)
		s->full = full;
	return rc;
}

static int apply_all(struct store_sqlite *s, const struct effect *effects,
		     size_t n)
{
	uint64_t now = wall_ms_now();
	int rc = run(s->statements[SQL_BEGIN]);

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
		rc = apply_one(s, &effects[i], now);
	if (rc == SQLITE_OK)
		rc = pass_fence(s);
	return rc;
}

static uint64_t count_rows(const struct effect *effects, size_t n)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < n; i++)
		rows += effects[i].type != FX_REPLY &&
			effects[i].type != FX_COMMAND;
	return rows;
}

static int apply(struct store *base, const struct effect *effects, size_t n,
		 uint64_t epoch, bool durable)
{
	struct store_sqlite *s = self(base);

	REQUIRE(s->epoch != 0);
	if (epoch != s->epoch)
		return fenced_off(s);
	if (set_full(s, durable) || apply_all(s, effects, n))
		return sqlite_fail(s, "writing a batch");
	if (sqlite3_changes64(s->db) == 0)
		return fenced_off(s);
	if (run(s->statements[SQL_COMMIT]) != SQLITE_OK)
		return sqlite_fail(s, "committing a batch");
	base->stats.batches++;
	base->stats.batches_durable += durable;
	base->stats.rows += count_rows(effects, n);
	if (s->wal_pages > (int)s->options.wal_pages_max)
		return sqlite_checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
	return OK;
}

static bool idle(struct store *base, uint64_t wall_ms)
{
	struct store_sqlite *s = self(base);

	if (!s->epoch)
		return false;
	if (wall_ms - s->pruned_ms >= PRUNE_EVERY_MS || s->prune_more) {
		s->pruned_ms = wall_ms;
		s->prune_more = sqlite_prune(s, wall_ms);
	}
	/* A failure is kept for the next apply. */
	if (!base->failed && s->wal_pages > (int)s->options.wal_pages_idle &&
	    sqlite_checkpoint(s, SQLITE_CHECKPOINT_PASSIVE) != OK)
		return false;
	return s->prune_more;
}

/* ---- life ---- */

static void close_store(struct store *base)
{
	struct store_sqlite *s = self(base);

	for (int i = 0; i < SQL_STATEMENTS; i++)
		(void)sqlite3_finalize(s->statements[i]);
	(void)sqlite3_close(s->db);
	sqlite_vfs_free(s->vfs);
	mem_free(base->mem, s->path);
	store_fini(base);
	mem_free(base->mem, s);
}

static const struct store_ops ops = {
	.load = load,
	.apply = apply,
	.idle = idle,
	.archived = sqlite_archived,
	.archived_one = sqlite_archived_one,
	.history = sqlite_history,
	.audits = sqlite_audits,
	.close = close_store,
};

void store_sqlite_defaults(struct store_sqlite_options *options)
{
	*options = (struct store_sqlite_options){
		.wal_pages_max = 16384, /* 64 MiB */
		.wal_pages_idle = 1024,
		.archive_max = 100000,
		.archive_keep_ms = 7ull * 24 * 3600 * 1000,
		.history_max = 1000000,
		.history_per_gtx_max = 200,
		.history_keep_ms = 7ull * 24 * 3600 * 1000,
		.audit_max = 100000,
		.audit_keep_ms = 365ull * 24 * 3600 * 1000,
	};
}

int store_sqlite_new(struct store **out, const struct mem *mem,
		     const struct store_sqlite_options *options)
{
	struct store_sqlite *s = mem_alloc(mem, sizeof *s);
	int rc;

	if (!s)
		return E_NOMEM;
	store_init(&s->base, &ops, mem);
	s->options = *options;
	s->path = mem_text(mem, bytes_of(options->path));
	rc = s->path ? sqlite_vfs_new(&s->vfs, mem, options->vfs,
				      &s->base.stats)
		     : E_NOMEM;
	if (rc != OK) {
		close_store(&s->base);
		return rc;
	}
	*out = &s->base;
	return OK;
}
