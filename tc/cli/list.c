#include "tc/cli/client.h"

#include <stdlib.h>

/*
 * treaty tx list. The coordinator lists oldest first; what needs an operator
 * is asked for first, so that it is never behind a page.
 */

#define LIMIT_DEFAULT 50

struct list {
	struct cli *cli;
	const char *status, *text, *resource, *min_age, *after, *limit;
	bool hung, finished, quiet;
	uint64_t room; /* rows that may still be shown */
	struct table table;
	struct bytes next; /* cursor of the page behind; in the arena */
};

static void row_times(struct list *l, const cJSON *tx)
{
	struct buf text;

	buf_init(&text, &l->cli->arena.as_mem);
	if (!json_is_null(tx, "age_ms"))
		put_span(&text, json_count(tx, "age_ms"));
	table_cell(&l->table, buf_bytes(&text));
	buf_init(&text, &l->cli->arena.as_mem);
	if (json_is_null(tx, "next_due_ms"))
		buf_put_char(&text, '-');
	else
		put_span(&text, json_count(tx, "next_due_ms"));
	table_cell(&l->table, buf_bytes(&text));
}

static void row_counts(struct list *l, const cJSON *tx)
{
	static const char *const names[] = { "branch_count", "lock_count" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf text;

		buf_init(&text, &l->cli->arena.as_mem);
		buf_printf(&text, "%llu",
			   (unsigned long long)json_count(tx, names[i]));
		table_cell(&l->table, buf_bytes(&text));
	}
}

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
	row_times(l, tx);
	row_counts(l, tx);
	table_cell(&l->table, json_string(tx, "name"));
	table_cell(&l->table, json_string(tx, "application"));
	table_cell(&l->table, json_string(tx, "last_error"));
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

	url_init(&u, l->cli, "/api/v1/transactions");
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
		buf_put_text(out, l->finished ? "no finished transactions\n"
					      : "no unfinished transactions\n");
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
	static const char *const heads[] = {
		"XID",   "STATUS", "AGE",         "NEXT",      "BRANCHES",
		"LOCKS", "NAME",   "APPLICATION", "LAST ERROR"
	};
	bool hung_first = !l->hung && !l->finished && !l->status && !l->after &&
			  !l->cli->json;
	int rc = EXIT_OK;

	table_init(&l->table, l->cli, heads, ARRAY_LEN(heads));
	if (hung_first)
		rc = fetch(l, true, false);
	if (rc == EXIT_OK)
		rc = fetch(l, l->hung, hung_first);
	if (rc == EXIT_OK && !l->cli->json)
		print_rest(l);
	return rc;
}

int command_list(struct cli *c, int argc, char **argv)
{
	struct list l = { .cli = c };
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
	int rc = args_parse(c, "tx list", &a);

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "tx list");
		return EXIT_OK;
	}
	return run(&l);
}
