#include "tc/cli/client.h"

#include <stdlib.h>

/*
 * treaty tx list, saga list, message list. The coordinator lists oldest first; what needs an operator
 * is asked for first, so that it is never behind a page.
 */

#define LIMIT_DEFAULT 50

/* What is listed, and in which columns. */
struct listing {
	const char *command;
	const char *path;
	const char *what;
	const char *const *heads;
	size_t columns;
	void (*add)(struct table *t, const cJSON *tx);
};

struct list {
	struct cli *cli;
	const struct listing *of;
	const char *status, *text, *resource, *min_age, *after, *limit;
	bool hung, finished, quiet;
	uint64_t room; /* rows that may still be shown */
	struct table table;
	struct bytes next; /* cursor of the page behind; in the arena */
};

static void cell_span(struct table *t, const cJSON *tx, const char *member,
		      const char *none)
{
	struct buf text;

	buf_init(&text, &t->cli->arena.as_mem);
	if (json_is_null(tx, member))
		buf_put_text(&text, none);
	else
		put_span(&text, json_count(tx, member));
	table_cell(t, buf_bytes(&text));
}

/* ---- columns ---- */

static const char *const tx_heads[] = { "XID",  "STATUS",      "AGE",
					"NEXT", "BRANCHES",    "LOCKS",
					"NAME", "APPLICATION", "LAST ERROR" };

static void add_tx(struct table *t, const cJSON *tx)
{
	cell_span(t, tx, "age_ms", "");
	cell_span(t, tx, "next_due_ms", "-");
	table_count(t, json_count(tx, "branch_count"));
	table_count(t, json_count(tx, "lock_count"));
	table_cell(t, json_string(tx, "name"));
	table_cell(t, json_string(tx, "application"));
	table_cell(t, json_string(tx, "last_error"));
}

static const char *const message_heads[] = { "XID",         "STATUS",
					     "AGE",         "NEXT",
					     "DELIVERIES",  "NAME",
					     "APPLICATION", "LAST ERROR" };

static void add_message(struct table *t, const cJSON *tx)
{
	cell_span(t, tx, "age_ms", "");
	cell_span(t, tx, "next_due_ms", "-");
	table_count(t, json_count(tx, "branch_count"));
	table_cell(t, json_string(tx, "name"));
	table_cell(t, json_string(tx, "application"));
	table_cell(t, json_string(tx, "last_error"));
}

static const char *const saga_heads[] = { "XID",  "STATUS",    "AGE",
					  "NEXT", "MACHINE",   "VERSION",
					  "KEY",  "LAST ERROR" };

static void add_saga(struct table *t, const cJSON *tx)
{
	struct bytes machine = json_string(tx, "machine");

	cell_span(t, tx, "age_ms", "");
	cell_span(t, tx, "next_due_ms", "-");
	/* The archive knows the name only, which is the machine's. */
	table_cell(t, machine.len ? machine : json_string(tx, "name"));
	table_cell(t, json_string(tx, "version"));
	table_cell(t, json_string(tx, "business_key"));
	table_cell(t, json_string(tx, "last_error"));
}

static const struct listing transactions = {
	"tx list", "/api/v1/transactions", "transactions",
	tx_heads,  ARRAY_LEN(tx_heads),    add_tx
};
static const struct listing messages = {
	"message list", "/api/v1/messages",       "messages",
	message_heads,  ARRAY_LEN(message_heads), add_message
};
static const struct listing sagas = {
	"saga list", "/api/v1/sagas",       "sagas",
	saga_heads,  ARRAY_LEN(saga_heads), add_saga
};

/* ---- rows ---- */

static bool is_retrying(struct bytes status)
{
	static const char word[] = "Retrying";

	return status.len >= sizeof word - 1 &&
	       memmem(status.data, status.len, word, sizeof word - 1) != NULL;
}

static void add_row(struct list *l, const cJSON *tx)
{
	struct bytes status = json_string(tx, "status");

	if (l->quiet) {
		put_safe(&l->cli->out, json_string(tx, "xid"));
		buf_put_char(&l->cli->out, '\n');
		return;
	}
	table_cell(&l->table, json_string(tx, "xid"));
	table_cell(&l->table, status);
	l->of->add(&l->table, tx);
	if (json_flag(tx, "hung"))
		table_row_paint(&l->table, PAINT_RED);
	else if (is_retrying(status))
		table_row_paint(&l->table, PAINT_YELLOW);
}

/* One page, `hung` or all; with skip_hung those that were shown already are
 * left out. */
static int fetch(struct list *l, bool hung, bool skip_hung)
{
	struct answer a;
	struct url u;
	int rc;

	url_init(&u, l->cli, l->of->path);
	url_param(&u, "state", l->finished ? "finished" : NULL);
	url_param(&u, "status", l->status);
	url_param(&u, "hung", hung ? "true" : NULL);
	url_param(&u, "text", l->text);
	url_param(&u, "resource", l->resource);
	url_param(&u, "min_age", l->min_age);
	url_param(&u, "after", l->after);
	url_param(&u, "limit", l->limit);
	rc = ask(l->cli, &u, NULL, &a);
	if (rc == EXIT_OK && l->cli->json) {
		answer_pass(l->cli, &a);
	} else if (rc == EXIT_OK) {
		const cJSON *tx;

		cJSON_ArrayForEach(tx, json_member(a.json, "transactions"))
		{
			if (skip_hung && json_flag(tx, "hung"))
				continue;
			add_row(l, tx);
		}
		l->next = arena_bytes(&l->cli->arena,
				      json_string(a.json, "next"));
	}
	answer_free(&a);
	return rc;
}

static void print_rest(struct list *l)
{
	struct buf *out = &l->cli->out;

	if (l->quiet)
		return;
	if (l->table.n_cells == 0)
		buf_printf(out, "no %s %s\n",
			   l->finished ? "finished" : "unfinished",
			   l->of->what);
	else
		table_print(&l->table);
	if (l->next.len == 0)
		return;
	buf_put_text(out, "more: add --after ");
	put_safe(out, l->next);
	buf_put_char(out, '\n');
}

static int run(struct list *l)
{
	bool hung_first = !l->hung && !l->finished && !l->status && !l->after &&
			  !l->cli->json;
	int rc = EXIT_OK;

	table_init(&l->table, l->cli, l->of->heads, l->of->columns);
	if (hung_first)
		rc = fetch(l, true, false);
	if (rc == EXIT_OK)
		rc = fetch(l, l->hung, hung_first);
	if (rc == EXIT_OK && !l->cli->json)
		print_rest(l);
	return rc;
}

static int list(struct cli *c, const struct listing *of, int argc, char **argv)
{
	struct list l = { .cli = c, .of = of };
	const struct option options[] = {
		{ "status", 0, &l.status, NULL },
		{ "text", 0, &l.text, NULL },
		{ "resource", 0, &l.resource, NULL },
		{ "min-age", 0, &l.min_age, NULL },
		{ "after", 0, &l.after, NULL },
		{ "limit", 'n', &l.limit, NULL },
		{ "hung", 0, NULL, &l.hung },
		{ "finished", 0, NULL, &l.finished },
		{ "quiet", 'q', NULL, &l.quiet },
	};
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = ARRAY_LEN(options) };
	int rc = args_parse(c, of->command, &a);

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, of->command);
		return EXIT_OK;
	}
	return run(&l);
}

int command_list(struct cli *c, int argc, char **argv)
{
	return list(c, &transactions, argc, argv);
}

int command_message_list(struct cli *c, int argc, char **argv)
{
	return list(c, &messages, argc, argv);
}

int command_saga_list(struct cli *c, int argc, char **argv)
{
	return list(c, &sagas, argc, argv);
}
