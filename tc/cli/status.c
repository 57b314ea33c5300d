#include "tc/cli/client.h"

/*
 * treaty status, treaty ping.
 */

static void line(struct cli *c, const char *name, const cJSON *object,
		 const char *member)
{
	buf_printf(&c->out, "  %-22s %llu\n", name,
		   (unsigned long long)json_count(object, member));
}

static void print_core(struct cli *c, const cJSON *core)
{
	static const char *const lines[][2] = {
		{ "unfinished now", "transactions_now" },
		{ "row locks now", "locks_now" },
		{ "waiting for locks now", "waiters_now" },
		{ "agents now", "peers_now" },
		{ "dead letters now", "dead_letters_now" },
		{ "begun", "begun" },
		{ "committed", "committed" },
		{ "rolled back", "rolled_back" },
		{ "timed out", "timed_out" },
		{ "branches", "branches" },
		{ "retries", "retries" },
		{ "lock conflicts", "lock_conflicts" },
		{ "deadlocks", "deadlocks" },
	};

	buf_put_text(&c->out, "transactions\n");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		line(c, lines[i][0], core, lines[i][1]);
}

static void print_store(struct cli *c, const cJSON *store)
{
	uint64_t syncs = json_count(store, "syncs");

	buf_put_text(&c->out, "store\n");
	line(c, "batches", store, "batches");
	line(c, "of these synced", store, "batches_durable");
	line(c, "rows", store, "rows");
	if (syncs > 0)
		buf_printf(&c->out, "  %-22s %llu us\n", "a sync takes",
			   (unsigned long long)(json_count(store,
							   "sync_us_total") /
						syncs));
}

static void print_status(struct cli *c, const cJSON *stats)
{
	buf_put_text(&c->out, "coordinator ");
	put_safe(&c->out, json_string(stats, "coordinator"));
	buf_put_text(&c->out, ", treatyd ");
	put_safe(&c->out, json_string(stats, "version"));
	buf_put_text(&c->out, ", ");
	put_safe(&c->out, json_string(stats, "state"));
	buf_put_text(&c->out, ", up ");
	put_span(&c->out, json_count(stats, "uptime_ms"));
	buf_put_char(&c->out, '\n');
	print_core(c, json_member(stats, "core"));
	print_store(c, json_member(stats, "store"));
}

/* How many wait for an operator; the list is asked, since the counter of the
 * statistics also counts those that were repaired. */
static int print_hung(struct cli *c)
{
	struct answer a;
	struct url u;
	int n, rc;

	url_init(&u, c, "/api/v1/transactions");
	url_param(&u, "hung", "true");
	url_param(&u, "limit", "1000");
	rc = ask(c, &u, NULL, &a);
	if (rc == EXIT_OK) {
		n = cJSON_GetArraySize(json_member(a.json, "transactions"));
		paint(c, n > 0 ? PAINT_RED : PAINT_PLAIN);
		buf_printf(&c->out, "%d%s %s for an operator%s", n,
			   json_is_null(a.json, "next") ? "" : " or more",
			   n == 1 ? "transaction waits" : "transactions wait",
			   n > 0 ? ": treaty tx list --hung" : "");
		paint(c, PAINT_PLAIN);
		buf_put_char(&c->out, '\n');
	}
	answer_free(&a);
	return rc;
}

int command_status(struct cli *c, int argc, char **argv)
{
	struct args args = { .argc = argc, .argv = argv };
	int rc = args_parse(c, "status", &args);
	struct answer a;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "status");
		return EXIT_OK;
	}
	url_init(&u, c, "/api/v1/stats");
	rc = ask(c, &u, NULL, &a);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &a);
	else if (rc == EXIT_OK)
		print_status(c, a.json);
	answer_free(&a);
	return rc == EXIT_OK && !c->json ? print_hung(c) : rc;
}

int command_ping(struct cli *c, int argc, char **argv)
{
	struct args args = { .argc = argc, .argv = argv };
	int rc = args_parse(c, "ping", &args);
	struct answer a;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "ping");
		return EXIT_OK;
	}
	url_init(&u, c, "/readyz");
	rc = ask(c, &u, NULL, &a);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &a);
	else if (rc == EXIT_OK)
		buf_printf(&c->out, "%s is ready, %.1f ms\n", c->server, a.ms);
	answer_free(&a);
	return rc;
}
