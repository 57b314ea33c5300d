#include "tc/cli/show.h"

#include "tc/cli/difference.h"

/*
 * treaty tx show, message show: the transaction, its branches, what a dirty one met, its
 * history, and what can be done about it, as commands to copy.
 */

static void label(struct cli *c, const char *name)
{
	static const char blanks[] = "              ";
	size_t len = strlen(name);

	REQUIRE(len < sizeof blanks - 1);
	paint(c, PAINT_DIM);
	buf_put_text(&c->out, name);
	paint(c, PAINT_PLAIN);
	buf_put_text(&c->out, blanks + len);
}

static void field(struct cli *c, const char *name, const cJSON *tx,
		  const char *member)
{
	struct bytes text = json_string(tx, member);

	if (text.len == 0)
		return;
	label(c, name);
	put_safe(&c->out, text);
	buf_put_char(&c->out, '\n');
}

static void span_field(struct cli *c, const char *name, const cJSON *tx,
		       const char *member, const char *behind)
{
	if (json_is_null(tx, member))
		return;
	label(c, name);
	put_span(&c->out, json_count(tx, member));
	buf_put_text(&c->out, behind);
	buf_put_char(&c->out, '\n');
}

void print_head(struct cli *c, const cJSON *tx)
{
	bool hung = json_flag(tx, "hung");

	field(c, "transaction", tx, "xid");
	label(c, "status");
	paint(c, hung ? PAINT_RED : PAINT_BOLD);
	put_safe(&c->out, json_string(tx, "status"));
	paint(c, PAINT_PLAIN);
	buf_put_text(&c->out, hung ? " (hung: it waits for an operator)\n"
			      : json_flag(tx, "finished") ? " (finished)\n"
							  : "\n");
	if (!bytes_equal(json_string(tx, "kind"), BYTES("plain")))
		field(c, "kind", tx, "kind");
	field(c, "name", tx, "name");
	field(c, "application", tx, "application");
	field(c, "began", tx, "began_at");
	field(c, "ended", tx, "ended_at");
	span_field(c, "age", tx, "age_ms", "");
	span_field(c, "timeout", tx, "timeout_ms", "");
	span_field(c, "next attempt", tx, "next_due_ms", " from now");
	field(c, "machine", tx, "machine");
	field(c, "version", tx, "version");
	field(c, "business key", tx, "business_key");
	field(c, "back-check", tx, "check");
	field(c, "last error", tx, "last_error");
}

/* ---- branches ---- */

static void cell_due(struct table *t, const cJSON *branch)
{
	struct buf text;

	buf_init(&text, &t->cli->arena.as_mem);
	if (json_flag(branch, "in_flight"))
		buf_put_text(&text, "asked");
	else if (json_is_null(branch, "next_due_ms"))
		buf_put_char(&text, '-');
	else
		put_span(&text, json_count(branch, "next_due_ms"));
	table_cell(t, buf_bytes(&text));
}

static void print_branches(struct cli *c, const cJSON *branches)
{
	static const char *const heads[] = { "BRANCH", "MODE",
					     "STATUS", "RESOURCE",
					     "AT",     "ATTEMPTS",
					     "NEXT",   "LAST ERROR" };
	const cJSON *branch;
	struct table t;

	if (cJSON_GetArraySize(branches) == 0)
		return;
	table_init(&t, c, heads, ARRAY_LEN(heads));
	cJSON_ArrayForEach(branch, branches)
	{
		table_cell(&t, json_string(branch, "id"));
		table_cell(&t, json_string(branch, "mode"));
		table_cell(&t, json_string(branch, "status"));
		table_cell(&t, json_string(branch, "resource"));
		table_cell(&t, json_string(branch, "application"));
		table_count(&t, json_count(branch, "attempts"));
		cell_due(&t, branch);
		table_cell(&t, json_string(branch, "last_error"));
		if (has_difference(branch))
			table_row_paint(&t, PAINT_RED);
	}
	buf_put_char(&c->out, '\n');
	table_print(&t);
}

static void print_locks(struct cli *c, const cJSON *branch)
{
	const cJSON *keys = json_member(branch, "lock_keys"), *key;
	const char *between = " ";

	if (cJSON_GetArraySize(keys) == 0)
		return;
	buf_put_text(&c->out, "\nbranch ");
	put_safe(&c->out, json_string(branch, "id"));
	buf_put_text(&c->out, " locks:");
	cJSON_ArrayForEach(key, keys)
	{
		buf_put_text(&c->out, between);
		put_safe(&c->out, bytes_of(cJSON_GetStringValue(key)));
		between = ", ";
	}
	buf_put_char(&c->out, '\n');
}

static void print_dirty(struct cli *c, const cJSON *branch)
{
	if (!has_difference(branch))
		return;
	buf_put_text(&c->out, "\nbranch ");
	put_safe(&c->out, json_string(branch, "id"));
	buf_put_text(&c->out, " found rows that somebody else has changed; "
			      "nothing was overwritten:\n");
	print_difference(c, branch);
}

void print_history(struct cli *c, const cJSON *history)
{
	const cJSON *line;

	if (cJSON_GetArraySize(history) == 0)
		return;
	buf_put_text(&c->out, "\nhistory\n");
	cJSON_ArrayForEach(line, history)
	{
		buf_put_text(&c->out, "  ");
		paint(c, PAINT_DIM);
		put_safe(&c->out, json_string(line, "at"));
		paint(c, PAINT_PLAIN);
		buf_put_text(&c->out, "  ");
		put_safe(&c->out, json_string(line, "text"));
		buf_put_char(&c->out, '\n');
	}
}

/* ---- what can be done ---- */

void put_command(struct cli *c, const char *command, const cJSON *tx)
{
	buf_put_text(&c->out, "    treaty ");
	if (c->server_given) {
		buf_put_text(&c->out, "--server ");
		put_safe(&c->out, bytes_of(c->server));
		buf_put_char(&c->out, ' ');
	}
	buf_put_text(&c->out, command);
	buf_put_char(&c->out, ' ');
	put_safe(&c->out, json_string(tx, "xid"));
}

static bool is_dead_letter(const cJSON *branch)
{
	struct bytes status = json_string(branch, "status");

	return bytes_equal(json_string(branch, "mode"), BYTES("MSG")) &&
	       (bytes_equal(status, BYTES("STOP_RETRY")) ||
		bytes_equal(status,
			    BYTES("PhaseTwo_CommitFailed_Unretryable")));
}

static void advise_dirty(struct cli *c, const cJSON *tx, const cJSON *branch)
{
	static const char *const ways[][2] = {
		{ "put the values from before the branch back, over the "
		  "present ones:",
		  "--use-undo" },
		{ "leave the rows as they are now:", "--keep-current" },
		{ "write other values (a JSON file, see treaty(1)):",
		  "--values FILE" },
	};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		buf_printf(&c->out, "  %s\n", ways[i][0]);
		put_command(c, "tx resolve", tx);
		buf_put_char(&c->out, ' ');
		put_safe(&c->out, json_string(branch, "id"));
		buf_printf(&c->out, " %s --reason TEXT\n", ways[i][1]);
	}
}

/* Deliveries that were given up are replayed one by one. */
static void advise_letters(struct cli *c, const cJSON *tx)
{
	const cJSON *branch;

	cJSON_ArrayForEach(branch, json_member(tx, "branches"))
	{
		if (!is_dead_letter(branch))
			continue;
		buf_put_text(&c->out, "  deliver it again, when the cause is "
				      "gone:\n");
		put_command(c, "message replay", tx);
		buf_put_char(&c->out, ' ');
		put_safe(&c->out, json_string(branch, "id"));
		buf_put_text(&c->out, " --reason TEXT\n");
	}
}

static bool has_begun_phase_two(const cJSON *tx)
{
	return json_count(tx, "status_code") > 1;
}

static void print_advice(struct cli *c, const cJSON *tx)
{
	const cJSON *branch;
	bool dirty = false;

	if (json_flag(tx, "finished") || !has_begun_phase_two(tx))
		return;
	buf_put_text(&c->out, "\nwhat you can do\n");
	cJSON_ArrayForEach(branch, json_member(tx, "branches"))
	{
		if (!has_difference(branch))
			continue;
		advise_dirty(c, tx, branch);
		dirty = true;
	}
	advise_letters(c, tx);
	buf_put_text(&c->out, dirty ? "  try again, when the rows are as the "
				      "branch left them:\n"
				    : "  try again now, not when it is due:\n");
	put_command(c, "tx retry", tx);
	buf_put_char(&c->out, '\n');
}

static void print_transaction(struct cli *c, const cJSON *tx)
{
	const cJSON *branches = json_member(tx, "branches"), *branch;

	print_head(c, tx);
	print_branches(c, branches);
	cJSON_ArrayForEach(branch, branches) print_locks(c, branch);
	cJSON_ArrayForEach(branch, branches) print_dirty(c, branch);
	print_history(c, json_member(tx, "history"));
	print_advice(c, tx);
}

int show_one(struct cli *c, const struct showing *of, int argc, char **argv)
{
	struct args a = {
		.argc = argc, .argv = argv, .words_min = 1, .words_max = 1
	};
	int rc = args_parse(c, of->command, &a);
	struct answer answer;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, of->command);
		return EXIT_OK;
	}
	url_init(&u, c, of->path);
	url_segment(&u, a.words[0]);
	rc = ask(c, &u, NULL, &answer);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &answer);
	else if (rc == EXIT_OK)
		of->print(c, answer.json);
	answer_free(&answer);
	return rc;
}

int command_show(struct cli *c, int argc, char **argv)
{
	static const struct showing of = { "tx show", "/api/v1/transactions",
					   print_transaction };

	return show_one(c, &of, argc, argv);
}

int command_message_show(struct cli *c, int argc, char **argv)
{
	static const struct showing of = { "message show", "/api/v1/messages",
					   print_transaction };

	return show_one(c, &of, argc, argv);
}
