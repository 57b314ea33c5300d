#include "samples/checkout/app.h"

#include "samples/checkout/hold.h"
#include "samples/checkout/sql.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUTES_MAX 16

static int usage(const char *name)
{
	fprintf(stderr,
		"usage: %s --port N --db DSN --treaty ADDRESS%s\n"
		"  DSN: sqlite:/path, postgresql://…, mysql://…\n"
		"  ADDRESS: of treatyd's door for agents, tcp://host:port\n",
		name,
		strcmp(name, "order")
			? ""
			: " --user URL --goods URL [--points URL]");
	return 2;
}

static bool parse(struct app *app, int argc, char **argv, const char **address)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "db", required_argument, NULL, 'd' },
		{ "treaty", required_argument, NULL, 't' },
		{ "user", required_argument, NULL, 'u' },
		{ "goods", required_argument, NULL, 'g' },
		{ "points", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			app->port = (uint16_t)strtoul(optarg, NULL, 10);
		else if (c == 'd')
			app->dsn = optarg;
		else if (c == 't')
			*address = optarg;
		else if (c == 'u')
			app->user_url = optarg;
		else if (c == 'g')
			app->goods_url = optarg;
		else if (c == 'b')
			app->points_url = optarg;
		else
			return false;
	}
	return app->dsn && *address && optind == argc;
}

/* The demo can hold the second phase of a branch, and kill it there. */
static int at_phase_two(void *ctx, const struct treaty_hook_event *e)
{
	(void)ctx;
	if (e->step == TREATY_STEP_PHASE_TWO_COMMIT ||
	    e->step == TREATY_STEP_PHASE_TWO_ROLLBACK)
		hold_at(e->after ? "phase two done" : "phase two", e->xid);
	return TREATY_OK;
}

static bool open_treaty(struct app *app, const char *address)
{
	struct treaty_options options;

	treaty_options_init(&options, sizeof options);
	options.address = address;
	options.application = app->name;
	options.request_timeout_ms = 20000;
	options.rollback_wait_ms = 10000;
	if (treaty_open(&app->treaty, &options) == TREATY_OK &&
	    treaty_hook_add(app->treaty, at_phase_two, NULL) == TREATY_OK)
		return true;
	fprintf(stderr, "%s: %s\n", app->name, treaty_last_error());
	return false;
}

static bool start_modes(struct app *app)
{
	for (const struct mode *const *m = app->modes; *m; m++)
		if ((*m)->start && !(*m)->start(app))
			return false;
	return true;
}

int app_start(struct app *app, const char *name, int argc, char **argv,
	      const char *const *schema, const struct mode *const *modes)
{
	const char *address = NULL;

	*app = (struct app){ .name = name, .modes = modes };
	if (!parse(app, argc, argv, &address))
		return usage(name);
	if (open_treaty(app, address))
		app->database = database_open(app->treaty, app->dsn,
					      DATABASE_AT, schema);
	if (app->database && start_modes(app))
		return 0;
	app_stop(app);
	return 1;
}

void app_stop(struct app *app)
{
	for (const struct mode *const *m = app->modes; *m; m++)
		if ((*m)->stop)
			(*m)->stop();
	database_close(app->database);
	database_close(app->xa);
	treaty_close(app->treaty);
	/* Handlers of the second phase used it until now. */
	database_close(app->plain);
}

int app_http_status(int code)
{
	switch (code) {
	case TREATY_E_CONFLICT:
	case TREATY_E_TIMEOUT:
	case TREATY_E_DEADLOCK:
	case TREATY_E_STATE:
	case TREATY_E_ROLLED_BACK:
	case TREATY_E_NOTFOUND:
		return 409;
	case TREATY_E_UNKNOWN:
	case TREATY_E_CLOSED:
	case TREATY_E_IO:
	case TREATY_E_AGAIN:
	case TREATY_E_LIMIT:
		return 503;
	default:
		return 500;
	}
}

bool app_exec(struct app *app, struct exchange *x, const char *sql,
	      const struct treaty_value *params, size_t n,
	      struct treaty_result **result)
{
	struct connection *c = database_take(app->database);
	int rc = TREATY_E_IO;

	if (c) {
		rc = database_exec(c, sql, params, n, result);
		if (rc != TREATY_OK)
			answer_error(x, 500, treaty_last_error());
		database_give(app->database, c);
	} else {
		answer_error(x, 503, "the database cannot be reached");
	}
	return rc == TREATY_OK;
}

static void add_number(cJSON *object, const char *name, double number)
{
	cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (item)
		cJSON_SetNumberValue(item, item->valuedouble + number);
	else
		cJSON_AddNumberToObject(object, name, number);
}

static cJSON *left_of(struct exchange *x)
{
	cJSON *left = cJSON_GetObjectItemCaseSensitive(x->answer, "left");

	return left ? left : cJSON_AddObjectToObject(x->answer, "left");
}

static void add_sum(struct app *app, struct exchange *x, cJSON *to,
		    const char *name, const char *sql)
{
	struct treaty_result *r = NULL;

	if (x->status != 200 || !app_exec(app, x, sql, NULL, 0, &r))
		return;
	add_number(to, name, (double)treaty_result_int(r, 0, 0));
	treaty_result_free(r);
}

void app_add_sum(struct app *app, struct exchange *x, const char *name,
		 const char *sql)
{
	add_sum(app, x, x->answer, name, sql);
}

void app_count_left(struct app *app, struct exchange *x, const char *name,
		    const char *sql)
{
	add_sum(app, x, left_of(x), name, sql);
}

/* Prepared and not decided, on the whole server or in the whole database:
 * whoever's they are. MariaDB lists them; one or more is 1. */
static void count_prepared(struct app *app, struct exchange *x)
{
	const char *pg = "SELECT count(*) FROM pg_prepared_xacts "
			 "WHERE database = current_database()";
	struct connection *c;
	struct sql_row row;

	if (database_kind_of(app->dsn) == POSTGRESQL) {
		app_count_left(app, x, "prepared", pg);
		return;
	}
	c = app->xa ? database_take(app->plain) : NULL;
	if (!c)
		return;
	if (sql_run(c, "XA RECOVER", NULL, 0, &row))
		add_number(left_of(x), "prepared", row.found);
	else
		answer_error(x, 500, c->error);
	database_give(app->plain, c);
}

void app_count_all_left(struct app *app, struct exchange *x)
{
	count_prepared(app, x);
	/* status 1 is a defence row: nothing is left to undo there */
	app_count_left(app, x, "undo rows",
		       "SELECT count(*) FROM undo_log WHERE log_status = 0");
	app_count_left(
		app, x, "branches both done and undone",
		"SELECT count(*) FROM (SELECT gid FROM barrier "
		"WHERE reason = op AND op IN ('confirm', 'cancel') "
		"GROUP BY gid, branch_id HAVING count(DISTINCT op) > 1) AS t");
}

void app_serve(void *ctx, struct exchange *x)
{
	struct app *app = ctx;
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(x->body, "mode");
	const char *name = cJSON_IsString(item) ? item->valuestring : "at";

	for (const struct mode *const *m = app->modes; *m; m++) {
		if ((*m)->serve && strcmp((*m)->name, name) == 0) {
			(*m)->serve(app, x);
			return;
		}
	}
	answer_error(x, 400, "this service has no such mode");
}

static void handle_hold(void *app, struct exchange *x)
{
	const char *point;

	(void)app;
	if (want_text(x, "point", &point) && !hold_arm(point))
		answer_error(x, 409, "too many breakpoints");
}

static void handle_holding(void *app, struct exchange *x)
{
	(void)app;
	cJSON_AddItemToObject(x->answer, "holding", hold_list());
}

static void handle_release(void *app, struct exchange *x)
{
	const char *token;

	(void)app;
	if (want_text(x, "token", &token) &&
	    !hold_release(token, number_or(x, "refuse", 0) != 0))
		answer_error(x, 404, "nothing holds there");
}

int app_run(struct app *app, const struct route *routes, size_t n)
{
	struct route all[ROUTES_MAX] = {
		{ "POST", "/hold", handle_hold },
		{ "GET", "/holding", handle_holding },
		{ "POST", "/release", handle_release },
	};
	int rc;

	if (n > ROUTES_MAX - 3)
		abort();
	memcpy(all + 3, routes, n * sizeof *routes);
	rc = service_run(app->name, app->port, all, n + 3, app);
	app_stop(app);
	return rc;
}
