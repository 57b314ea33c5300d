#include "samples/checkout/app.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const char *name)
{
	fprintf(stderr,
		"usage: %s --port N --db DSN --treaty ADDRESS%s\n"
		"  DSN: sqlite:/path, postgresql://…, mysql://…\n"
		"  ADDRESS: of treatyd's door for agents, tcp://host:port\n",
		name, strcmp(name, "order") ? "" : " --user URL --goods URL");
	return 2;
}

static bool parse(struct app *app, int argc, char **argv, const char **dsn,
		  const char **address)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "db", required_argument, NULL, 'd' },
		{ "treaty", required_argument, NULL, 't' },
		{ "user", required_argument, NULL, 'u' },
		{ "goods", required_argument, NULL, 'g' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			app->port = (uint16_t)strtoul(optarg, NULL, 10);
		else if (c == 'd')
			*dsn = optarg;
		else if (c == 't')
			*address = optarg;
		else if (c == 'u')
			app->user_url = optarg;
		else if (c == 'g')
			app->goods_url = optarg;
		else
			return false;
	}
	return *dsn && *address && optind == argc;
}

int app_start(struct app *app, const char *name, int argc, char **argv,
	      const char *const *schema)
{
	const char *dsn = NULL, *address = NULL;
	struct treaty_options options;

	*app = (struct app){ .name = name };
	if (!parse(app, argc, argv, &dsn, &address))
		return usage(name);
	treaty_options_init(&options, sizeof options);
	options.address = address;
	options.application = name;
	options.request_timeout_ms = 20000;
	options.rollback_wait_ms = 10000;
	if (treaty_open(&app->treaty, &options) != TREATY_OK) {
		fprintf(stderr, "%s: %s\n", name, treaty_last_error());
		return 1;
	}
	app->database = database_open(app->treaty, dsn, schema);
	if (!app->database) {
		treaty_close(app->treaty);
		return 1;
	}
	return 0;
}

void app_stop(struct app *app)
{
	database_close(app->database);
	treaty_close(app->treaty);
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

static void forget_answer(struct exchange *x)
{
	cJSON_Delete(x->answer);
	x->answer = cJSON_CreateObject();
	x->status = 200;
}

static int work_once(struct connection *c, struct exchange *x,
		     const struct part *part)
{
	int rc = treaty_at_begin(c->at);

	if (rc != TREATY_OK)
		return rc;
	rc = part->work(c, x);
	if (rc == TREATY_OK && x->status < 400)
		return treaty_at_commit(c->at);
	treaty_at_rollback(c->at);
	return rc;
}

/* Did another global transaction decide this, one that is itself undecided? */
static bool doubtful(int rc, const struct exchange *x)
{
	return rc == TREATY_E_CONFLICT || rc == TREATY_E_TIMEOUT ||
	       rc == TREATY_E_DEADLOCK || (rc == TREATY_OK && x->status == 409);
}

static int do_part(struct connection *c, struct exchange *x,
		   const struct part *part)
{
	int rc = work_once(c, x, part);

	if (!doubtful(rc, x))
		return rc;
	forget_answer(x);
	rc = part->claim(c, x);
	if (rc != TREATY_OK || x->status != 200)
		return rc;
	return work_once(c, x, part);
}

void app_participate(struct app *app, struct exchange *x,
		     const struct part *part)
{
	struct treaty_tx *tx = NULL;
	struct connection *c;
	int rc;

	if (!x->xid) {
		answer_error(x, 400, "the header TX_XID is missing");
		return;
	}
	rc = treaty_join(app->treaty, x->xid, &tx);
	if (rc != TREATY_OK) {
		answer_error(x, 400, treaty_last_error());
		return;
	}
	c = database_take(app->database);
	if (c) {
		rc = do_part(c, x, part);
		if (rc != TREATY_OK)
			answer_error(x, app_http_status(rc),
				     treaty_last_error());
		database_give(app->database, c);
	} else {
		answer_error(x, 503, "the database cannot be reached");
	}
	treaty_release(tx);
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

void app_count_undo(struct app *app, struct exchange *x)
{
	struct treaty_result *r = NULL;

	/* status 1 is a defence row: nothing is left to undo there */
	if (!app_exec(app, x,
		      "SELECT count(*) FROM undo_log WHERE log_status = 0",
		      NULL, 0, &r))
		return;
	cJSON_AddNumberToObject(x->answer, "undo_rows",
				(double)treaty_result_int(r, 0, 0));
	treaty_result_free(r);
}
