#include "rm-agent/at/resource.h"

static char *text_of(const char *given, const char *otherwise)
{
	const char *text = given ? given : otherwise;

	return text ? mem_text(&mem_heap, bytes_of(text)) : NULL;
}

static uint32_t or_default(uint32_t given, uint32_t otherwise)
{
	return given ? given : otherwise;
}

int at_options_init(struct at_options *out,
		    const struct treaty_at_options *options)
{
	static const struct treaty_at_options none;
	const struct treaty_at_options *o = options ? options : &none;

	*out = (struct at_options){
		.resource = text_of(o->resource, NULL),
		.dsn = text_of(o->dsn, NULL),
		.undo_table = text_of(o->undo_table, "undo_log"),
		.create_undo_table = !o->no_create_undo_table,
		.no_thread = o->no_thread,
		.respect_global_locks = o->respect_global_locks,
		.lock_wait_ms = or_default(o->lock_wait_ms, 10000),
		.retries = or_default(o->retries, 10),
		.retry_for_ms = or_default(o->retry_for_ms, 30000),
		.rows_max = or_default(o->rows_max, 100000),
		.undo_keep_days = or_default(o->undo_keep_days, 7),
		.triggers = o->triggers,
		.unprotected = o->unprotected,
	};
	if (!out->undo_table || (o->resource && !out->resource) ||
	    (o->dsn && !out->dsn)) {
		at_options_fini(out);
		return E_NOMEM;
	}
	return OK;
}

void at_options_fini(struct at_options *o)
{
	mem_free(&mem_heap, o->resource);
	mem_free(&mem_heap, o->dsn);
	mem_free(&mem_heap, o->undo_table);
	*o = (struct at_options){ 0 };
}

/* ---- SQL about the undo table ---- */

static char *text_in(struct buf *b)
{
	char *text =
		buf_error(b) == OK ? mem_text(&mem_heap, buf_bytes(b)) : NULL;

	buf_clear(b);
	return text;
}

int at_undo_sql_init(struct at_undo_sql *u, const struct undo_log *log)
{
	struct buf b;
	bool whole = true;

	buf_init(&b, &mem_heap);
	for (int i = 0; i < UNDO_LOG_TEXTS; i++) {
		undo_log_put(&b, log, (enum undo_log_text)i);
		u->text[i] = text_in(&b);
		whole = whole && u->text[i];
	}
	buf_put_text(&b, "DELETE FROM ");
	quote_table(&b, log->dialect, log->schema, log->name);
	buf_put_text(&b, " WHERE 1 = 0");
	u->touch = text_in(&b);
	buf_fini(&b);
	if (whole && u->touch)
		return OK;
	at_undo_sql_fini(u);
	return E_NOMEM;
}

void at_undo_sql_fini(struct at_undo_sql *u)
{
	for (int i = 0; i < UNDO_LOG_TEXTS; i++)
		mem_free(&mem_heap, u->text[i]);
	mem_free(&mem_heap, u->touch);
	*u = (struct at_undo_sql){ 0 };
}
