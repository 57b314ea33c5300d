#include "tc/cli/client.h"

/*
 * treaty machine list, show, put, drop.
 */

static int begin(struct cli *c, const char *command, struct args *a)
{
	int rc = args_parse(c, command, a);

	if (rc == EXIT_OK && c->help)
		print_help(c, command);
	return rc;
}

static void print_machines(struct cli *c, const cJSON *machines)
{
	static const char *const heads[] = { "NAME", "VERSION", "RUNS",
					     "ADDED" };
	const cJSON *m;
	struct table t;

	if (cJSON_GetArraySize(machines) == 0) {
		buf_put_text(&c->out, "no state machines\n");
		return;
	}
	table_init(&t, c, heads, ARRAY_LEN(heads));
	cJSON_ArrayForEach(m, machines)
	{
		table_cell(&t, json_string(m, "name"));
		table_cell(&t, json_string(m, "version"));
		table_count(&t, json_count(m, "runs"));
		table_cell(&t, json_string(m, "added_at"));
	}
	table_print(&t);
}

int command_machine_list(struct cli *c, int argc, char **argv)
{
	struct args a = { .argc = argc, .argv = argv };
	int rc = begin(c, "machine list", &a);
	struct answer answer;
	struct url u;

	if (rc != EXIT_OK || c->help)
		return rc;
	url_init(&u, c, "/api/v1/machines");
	rc = ask(c, &u, NULL, &answer);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &answer);
	else if (rc == EXIT_OK)
		print_machines(c, json_member(answer.json, "machines"));
	answer_free(&answer);
	return rc;
}

/* cJSON indents by tabs, which put_safe() would escape; what stands in texts is
 * escaped by cJSON. */
static void print_line(struct cli *c, struct bytes line)
{
	struct buf plain;
	bool indent = true;

	buf_init(&plain, &c->arena.as_mem);
	for (size_t i = 0; i < line.len; i++) {
		indent = indent && line.data[i] == '\t';
		if (line.data[i] == '\t')
			buf_put_text(&plain, indent ? "  " : " ");
		else
			buf_put_u8(&plain, line.data[i]);
	}
	put_safe(&c->out, buf_bytes(&plain));
	buf_put_char(&c->out, '\n');
}

/* The document alone, so that it can be put again. */
static void print_document(struct cli *c, const cJSON *document)
{
	char *text = cJSON_Print(document);

	if (!text)
		c->out.error = E_NOMEM;
	for (const char *line = text; line;) {
		const char *end = strchr(line, '\n');
		struct bytes b = bytes_of(line);

		if (end)
			b.len = (size_t)(end - line);
		print_line(c, b);
		line = end ? end + 1 : NULL;
	}
	cJSON_free(text);
}

int command_machine_show(struct cli *c, int argc, char **argv)
{
	const char *version = NULL;
	const struct option options[] = { { "version", 0, &version, NULL } };
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = 1,
			  .words_min = 1,
			  .words_max = 1 };
	int rc = begin(c, "machine show", &a);
	struct answer answer;
	struct url u;

	if (rc != EXIT_OK || c->help)
		return rc;
	url_init(&u, c, "/api/v1/machines");
	url_segment(&u, a.words[0]);
	url_param(&u, "version", version);
	rc = ask(c, &u, NULL, &answer);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &answer);
	else if (rc == EXIT_OK)
		print_document(c, json_member(answer.json, "document"));
	answer_free(&answer);
	return rc;
}

static void say(struct cli *c, const cJSON *machine, const char *what)
{
	put_safe(&c->out, json_string(machine, "name"));
	buf_put_text(&c->out, ", version ");
	put_safe(&c->out, json_string(machine, "version"));
	buf_put_text(&c->out, what);
}

int command_machine_put(struct cli *c, int argc, char **argv)
{
	struct args a = {
		.argc = argc, .argv = argv, .words_min = 1, .words_max = 1
	};
	int rc = begin(c, "machine put", &a);
	struct answer answer;
	struct buf body;
	struct url u;

	if (rc != EXIT_OK || c->help)
		return rc;
	buf_init(&body, &c->arena.as_mem);
	rc = read_object(a.words[0], &body);
	if (rc != EXIT_OK)
		return rc;
	url_init(&u, c, "/api/v1/machines");
	rc = ask(c, &u, &body, &answer);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &answer);
	else if (rc == EXIT_OK)
		say(c, answer.json,
		    json_flag(answer.json, "existed") ? " was there already\n"
						      : " is there now\n");
	answer_free(&answer);
	return rc;
}

int command_machine_drop(struct cli *c, int argc, char **argv)
{
	const char *version = NULL;
	const struct option options[] = { { "version", 0, &version, NULL } };
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = 1,
			  .words_min = 1,
			  .words_max = 1 };
	int rc = begin(c, "machine drop", &a);
	struct answer answer;
	struct url u;

	if (rc != EXIT_OK || c->help)
		return rc;
	if (!version) {
		complain("say which: --version V; see treaty machine list");
		return EXIT_USAGE;
	}
	url_init(&u, c, "/api/v1/machines");
	url_segment(&u, a.words[0]);
	url_param(&u, "version", version);
	u.drop = true;
	rc = ask(c, &u, NULL, &answer);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &answer);
	else if (rc == EXIT_OK)
		say(c, answer.json, " is gone\n");
	answer_free(&answer);
	return rc;
}
