#include "tc/door/http_view.h"

#include "base/lock_key.h"
#include "base/utf8.h"
#include "base/xid.h"
#include "tc/door/participant.h"

/* ---- instants ---- */

#define DAY_MS 86400000u

struct date {
	uint64_t year;
	unsigned month, day; /* from 1 */
};

/* The Gregorian date so many days after 1970-01-01. */
static struct date date_of(uint64_t days)
{
	static const unsigned lengths[] = { 31, 28, 31, 30, 31, 30,
					    31, 31, 30, 31, 30, 31 };
	struct date d = { 1970, 1, 1 };

	d.year += days / 146097 * 400; /* days in 400 years */
	days %= 146097;
	for (;;) {
		bool leap = d.year % 4 == 0 &&
			    (d.year % 100 != 0 || d.year % 400 == 0);
		unsigned in_year = leap ? 366 : 365;

		if (days >= in_year) {
			days -= in_year;
			d.year++;
			continue;
		}
		for (d.month = 1; d.month < 12; d.month++) {
			unsigned in_month = lengths[d.month - 1];

			if (d.month == 2 && leap)
				in_month++;
			if (days < in_month)
				break;
			days -= in_month;
		}
		d.day = (unsigned)days + 1;
		return d;
	}
}

void view_instant(struct buf *out, uint64_t wall_ms)
{
	struct date d = date_of(wall_ms / DAY_MS);
	unsigned ms = (unsigned)(wall_ms % DAY_MS);

	buf_printf(out, "%04llu-%02u-%02uT%02u:%02u:%02u.%03uZ",
		   (unsigned long long)d.year, d.month, d.day, ms / 3600000,
		   ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

void view_when(struct json *j, const char *key, uint64_t wall_ms)
{
	if (wall_ms == 0) {
		json_null(j, key);
		return;
	}
	json_raw(j, key, BYTES("\""));
	view_instant(j->out, wall_ms);
	buf_put_char(j->out, '"');
}

/* ---- transactions ---- */

void view_xid(struct json *j, const char *key, struct bytes coordinator,
	      uint64_t number)
{
	struct buf text;

	buf_init(&text, j->out->mem);
	xid_format(&text, coordinator, number);
	json_text(j, key, buf_bytes(&text));
	if (buf_error(&text) != OK)
		j->out->error = E_NOMEM;
	buf_fini(&text);
}

static void put_span(struct json *j, const char *key, uint64_t ms)
{
	if (ms == UINT64_MAX)
		json_null(j, key);
	else
		json_number(j, key, ms);
}

const char *view_kind(enum gtx_kind kind)
{
	switch (kind) {
	case KIND_PLAIN:
		return "plain";
	case KIND_MESSAGE:
		return "message";
	case KIND_SAGA:
		return "saga";
	}
	return "unknown";
}

static void put_identity(struct json *j, struct bytes coordinator,
			 uint64_t number, enum gtx_status status, bool finished)
{
	view_xid(j, "xid", coordinator, number);
	json_id(j, "number", number);
	json_text(j, "status", bytes_of(gtx_status_name((int)status)));
	json_number(j, "status_code", (uint64_t)status);
	json_bool(j, "finished", finished);
	json_bool(j, "hung", !finished && gtx_status_hung((int)status));
}

void view_gtx(struct json *j, struct bytes coordinator,
	      const struct gtx_view *gtx)
{
	put_identity(j, coordinator, gtx->number, gtx->status, false);
	json_text(j, "kind", bytes_of(view_kind(gtx->kind)));
	json_text(j, "name", gtx->name);
	json_text(j, "application", gtx->application);
	view_when(j, "began_at", gtx->began_wall_ms);
	json_null(j, "ended_at");
	json_number(j, "age_ms", gtx->age_ms);
	/* A saga without a deadline has none. */
	put_span(j, "timeout_ms",
		 gtx->timeout_ms ? gtx->timeout_ms : UINT64_MAX);
	json_number(j, "branch_count", gtx->n_branches);
	json_number(j, "lock_count", gtx->n_locks);
	put_span(j, "next_due_ms", gtx->next_due_ms);
	json_text_or_null(j, "last_error", gtx->last_error);
	json_text_or_null(j, "why", bytes_of(gtx->why ? gtx->why : ""));
	json_text_or_null(j, "check", gtx->check);
	json_text_or_null(j, "machine", gtx->machine);
	json_text_or_null(j, "version", gtx->version);
	json_text_or_null(j, "business_key", gtx->business_key);
}

static void put_nulls(struct json *j, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_null(j, names[i]);
}

void view_archived(struct json *j, struct bytes coordinator,
		   const struct archive *gtx)
{
	static const char *const unknown[] = { "next_due_ms", "last_error",
					       "why",         "check",
					       "machine",     "version",
					       "business_key" };

	put_identity(j, coordinator, gtx->gtx, gtx->status, true);
	json_text(j, "kind", bytes_of(view_kind(gtx->kind)));
	json_text(j, "name", gtx->name);
	json_text(j, "application", gtx->application);
	view_when(j, "began_at", gtx->began_wall_ms);
	view_when(j, "ended_at", gtx->ended_wall_ms);
	json_number(j, "age_ms",
		    gtx->ended_wall_ms > gtx->began_wall_ms
			    ? gtx->ended_wall_ms - gtx->began_wall_ms
			    : 0);
	json_null(j, "timeout_ms");
	json_number(j, "branch_count", gtx->n_branches);
	json_number(j, "lock_count", 0);
	put_nulls(j, unknown, ARRAY_LEN(unknown));
}

void view_outcome(struct json *j, struct bytes coordinator, uint64_t number,
		  enum gtx_status status)
{
	static const char *const unknown[] = {
		"kind",       "name",        "application", "began_at",
		"ended_at",   "age_ms",      "timeout_ms",  "branch_count",
		"lock_count", "next_due_ms", "last_error",  "why",
		"check",      "machine",     "version",     "business_key",
	};

	put_identity(j, coordinator, number, status, true);
	put_nulls(j, unknown, ARRAY_LEN(unknown));
}

/* ---- branches ---- */

static void put_lock_keys(struct json *j, const struct branch_view *branch)
{
	struct buf text;

	buf_init(&text, j->out->mem);
	json_array(j, "lock_keys");
	for (size_t i = 0; i < branch->n_lock_keys; i++) {
		buf_clear(&text);
		lock_key_print(&text, branch->lock_keys[i]);
		json_text(j, NULL, buf_bytes(&text));
		if (buf_error(&text) != OK)
			j->out->error = E_NOMEM;
	}
	json_end(j);
	buf_fini(&text);
}

/* Data of the application, if it is text; its length in any case. */
static void put_application_data(struct json *j, struct bytes data)
{
	if (data.len > 0 && utf8_valid(data))
		json_text(j, "application_data", data);
	else
		json_null(j, "application_data");
	json_number(j, "application_data_len", data.len);
}

static void put_detail(struct json *j, struct bytes detail)
{
	if (detail.len == 0)
		json_null(j, "detail");
	else if (json_valid(detail))
		json_raw(j, "detail", detail);
	else
		json_text(j, "detail", detail);
}

/* Its headers may be secrets: only their names are shown. */
void view_participant(struct json *j, const char *key, struct bytes document)
{
	struct participant p;
	struct arena arena;
	struct buf why, text;
	int rc = E_NOTFOUND;

	arena_init(&arena, j->out->mem, 0);
	buf_init(&why, &arena.as_mem);
	buf_init(&text, &arena.as_mem);
	if (document.len > 0)
		rc = participant_read(&p, &arena, document, &why);
	if (rc == OK)
		participant_put_public(&text, &p);
	if (rc == OK)
		json_raw(j, key, buf_bytes(&text));
	else
		json_null(j, key);
	if (rc == E_NOMEM || buf_error(&text) != OK)
		j->out->error = E_NOMEM;
	arena_fini(&arena);
}

void view_letter(struct json *j, const struct branch_view *branch)
{
	json_text(j, "status",
		  bytes_of(branch_status_name((int)branch->status)));
	json_number(j, "status_code", (uint64_t)branch->status);
	json_text(j, "resource", branch->resource);
	json_text_or_null(j, "topic", branch->topic);
	json_text_or_null(j, "subscriber", branch->subscriber);
	json_number(j, "attempts", branch->attempts);
	json_text_or_null(j, "last_error", branch->last_error);
	put_application_data(j, branch->application_data);
	view_participant(j, "participant", branch->participant);
}

void view_branch(struct json *j, const struct branch_view *branch)
{
	json_object(j, NULL);
	json_id(j, "id", branch->id);
	json_text(j, "mode", bytes_of(branch_mode_name((int)branch->mode)));
	json_text(j, "status",
		  bytes_of(branch_status_name((int)branch->status)));
	json_number(j, "status_code", (uint64_t)branch->status);
	json_text(j, "resource", branch->resource);
	json_text(j, "application", branch->application);
	json_text(j, "instance", branch->instance);
	json_number(j, "attempts", branch->attempts);
	put_span(j, "next_due_ms", branch->next_due_ms);
	json_bool(j, "in_flight", branch->in_flight);
	json_text_or_null(j, "last_error", branch->last_error);
	json_text_or_null(j, "why", bytes_of(branch->why ? branch->why : ""));
	put_application_data(j, branch->application_data);
	put_lock_keys(j, branch);
	put_detail(j, branch->detail);
	view_participant(j, "participant", branch->participant);
	json_text_or_null(j, "topic", branch->topic);
	json_text_or_null(j, "subscriber", branch->subscriber);
	json_end(j);
}

void view_history(struct json *j, const struct history *line)
{
	json_object(j, NULL);
	view_when(j, "at", line->wall_ms);
	json_text(j, "kind", bytes_of(history_kind_name((int)line->kind)));
	if (line->branch)
		json_id(j, "branch", line->branch);
	else
		json_null(j, "branch");
	if (line->task)
		json_number(j, "task", line->task - 1);
	else
		json_null(j, "task");
	if (line->attempt)
		json_number(j, "attempt", line->attempt);
	else
		json_null(j, "attempt");
	json_text(j, "text", line->text);
	json_end(j);
}

/* ---- counters ---- */

void view_core_stats(struct json *j, const char *key,
		     const struct core_stats *s)
{
	json_object(j, key);
	json_number(j, "begun", s->begun);
	json_number(j, "committed", s->committed);
	json_number(j, "rolled_back", s->rolled_back);
	json_number(j, "timed_out", s->timed_out);
	json_number(j, "hung", s->hung);
	json_number(j, "branches", s->branches);
	json_number(j, "commands", s->commands);
	json_number(j, "retries", s->retries);
	json_number(j, "lock_conflicts", s->lock_conflicts);
	json_number(j, "lock_waits", s->lock_waits);
	json_number(j, "deadlocks", s->deadlocks);
	json_number(j, "messages", s->messages);
	json_number(j, "delivered", s->delivered);
	json_number(j, "checks", s->checks);
	json_number(j, "dead_letters", s->dead_letters);
	json_number(j, "rows_forced", s->rows_forced);
	json_number(j, "rows_lazy", s->rows_lazy);
	json_number(j, "transactions_now", s->gtx_now);
	json_number(j, "locks_now", s->locks_now);
	json_number(j, "waiters_now", s->waiters_now);
	json_number(j, "peers_now", s->peers_now);
	json_number(j, "tombstones_now", s->tombstones_now);
	json_number(j, "origins_now", s->origins_now);
	json_number(j, "dead_letters_now", s->dead_letters_now);
	json_number(j, "subscribers_now", s->subscribers_now);
	json_end(j);
}

void view_store_stats(struct json *j, const char *key,
		      const struct store_stats *s)
{
	json_object(j, key);
	json_number(j, "batches", s->batches);
	json_number(j, "batches_durable", s->batches_durable);
	json_number(j, "rows", s->rows);
	json_number(j, "syncs", s->syncs);
	json_number(j, "sync_us_total", s->sync_us_total);
	json_end(j);
}

void view_caller_stats(struct json *j, const char *key,
		       const struct door_stats *s)
{
	json_object(j, key);
	json_number(j, "calls", s->messages_out);
	json_number(j, "answers", s->messages_in);
	json_number(j, "failures", s->malformed);
	json_number(j, "refused", s->refused);
	json_number(j, "connections_opened", s->accepted);
	json_end(j);
}
