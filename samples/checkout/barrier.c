#include "samples/checkout/barrier.h"
#include "samples/checkout/hold.h"
#include "samples/checkout/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int create_table(struct connection *c)
{
	switch (c->kind) {
	case POSTGRESQL:
		return treaty_barrier_create_pg(c->native, NULL);
	case MARIADB:
		return treaty_barrier_create_mysql(c->native, NULL);
	default:
		return treaty_barrier_create_sqlite(c->native, NULL);
	}
}

bool barrier_open(struct app *app)
{
	struct connection *c;
	int rc = TREATY_E_IO;

	if (!app->plain)
		app->plain = database_open(app->treaty, app->dsn,
					   DATABASE_PLAIN, NULL);
	if (!app->plain)
		return false;
	c = database_take(app->plain);
	if (c) {
		rc = create_table(c);
		database_give(app->plain, c);
	}
	if (rc != TREATY_OK)
		fprintf(stderr, "%s: %s\n", app->name, treaty_last_error());
	return rc == TREATY_OK;
}

int barrier_ask(struct connection *c, const struct treaty_barrier *barrier,
		enum treaty_barrier_verdict *verdict)
{
	int rc;

	if (c->kind == POSTGRESQL)
		rc = treaty_barrier_call_pg(c->native, barrier, verdict);
	else if (c->kind == MARIADB)
		rc = treaty_barrier_call_mysql(c->native, barrier, verdict);
	else
		rc = treaty_barrier_call_sqlite(c->native, barrier, verdict);
	if (rc != TREATY_OK) {
		snprintf(c->error, sizeof c->error, "%s", treaty_last_error());
		c->failed = true;
	}
	return rc;
}

/* The barrier first, then the work if it says so. */
static enum barrier_end in_transaction(struct connection *c,
				       const struct treaty_barrier *barrier,
				       barrier_work work, const cJSON *what)
{
	enum treaty_barrier_verdict verdict;

	if (barrier_ask(c, barrier, &verdict) != TREATY_OK)
		return BARRIER_FAILED;
	if (verdict == TREATY_BARRIER_SUSPENDED) {
		barrier_refuse(c, "too late: it is undone already");
		return BARRIER_LATE;
	}
	/* A duplicate, or what it is to undo never happened. */
	if (verdict != TREATY_BARRIER_RUN || work(c, what))
		return BARRIER_DONE;
	return c->failed ? BARRIER_FAILED : BARRIER_REFUSED;
}

static bool in_phase_one(const struct treaty_barrier *barrier)
{
	return strcmp(barrier->op, "try") == 0 ||
	       strcmp(barrier->op, "action") == 0;
}

static enum barrier_end locally(struct connection *c,
				const struct treaty_barrier *barrier,
				barrier_work work, const cJSON *what)
{
	enum barrier_end end;

	if (!sql_begin(c))
		return BARRIER_FAILED;
	end = in_transaction(c, barrier, work, what);
	if (end != BARRIER_DONE) {
		sql_rollback(c);
		return end;
	}
	if (in_phase_one(barrier))
		hold_at("phase one", barrier->gid);
	return sql_commit(c) ? BARRIER_DONE : BARRIER_FAILED;
}

enum barrier_end barrier_run(struct app *app,
			     const struct treaty_barrier *barrier,
			     barrier_work work, const cJSON *what,
			     char why[256])
{
	struct connection *c = database_take(app->plain);
	enum barrier_end end = BARRIER_FAILED;

	snprintf(why, 256, "the database cannot be reached");
	if (!c)
		return end;
	c->error[0] = 0;
	end = locally(c, barrier, work, what);
	snprintf(why, 256, "%s", c->error);
	database_give(app->plain, c);
	if (in_phase_one(barrier))
		hold_at("phase one done", barrier->gid);
	return end;
}

void barrier_answer(struct exchange *x, enum barrier_end end, const char *why)
{
	if (end != BARRIER_DONE)
		answer_error(x, end == BARRIER_FAILED ? 503 : 409, why);
}

bool barrier_refuse(struct connection *c, const char *why)
{
	snprintf(c->error, sizeof c->error, "%s", why);
	return false;
}

const char *barrier_text(const cJSON *what, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(what, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

int64_t barrier_number(const cJSON *what, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(what, name);

	if (cJSON_IsString(item))
		return strtoll(item->valuestring, NULL, 10);
	return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}
