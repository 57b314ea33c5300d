#include "base/json.h"
#include "tc/cli/show.h"

/*
 * treaty saga show, start, forward, compensate, skip.
 */

/* ---- show ---- */

static void put_raw(struct cli *c, const char *name, const cJSON *value)
{
	char *text = value ? cJSON_PrintUnformatted(value) : NULL;

	if (!text)
		return;
	buf_printf(&c->out, "\n%s\n  ", name);
	put_safe(&c->out, bytes_of(text));
	buf_put_char(&c->out, '\n');
	cJSON_free(text);
}

/* "12", or nothing where there is none. */
static void cell_task(struct table *t, const cJSON *entry, const char *member)
{
	if (cJSON_IsNumber(json_member(entry, member)))
		table_count(t, json_count(entry, member));
	else
		table_cell(t, json_string(entry, member));
}

static void cell_error(struct table *t, const cJSON *entry)
{
	struct bytes error = json_string(entry, "error");
	struct bytes message = json_string(entry, "message");
	struct buf text;

	buf_init(&text, &t->cli->arena.as_mem);
	buf_put(&text, error);
	if (error.len > 0 && message.len > 0)
		buf_put_text(&text, ": ");
	buf_put(&text, message);
	table_cell(t, buf_bytes(&text));
}

static void print_path(struct cli *c, const cJSON *path)
{
	static const char *const heads[] = { "TASK", "STATE",    "UNDOES",
					     "IS",   "ATTEMPTS", "ERROR" };
	const cJSON *entry;
	struct table t;

	if (cJSON_GetArraySize(path) == 0)
		return;
	table_init(&t, c, heads, ARRAY_LEN(heads));
	cJSON_ArrayForEach(entry, path)
	{
		cell_task(&t, entry, "task");
		table_cell(&t, json_string(entry, "state"));
		cell_task(&t, entry, "of");
		table_cell(&t, json_string(entry, "is"));
		cell_task(&t, entry, "attempts");
		cell_error(&t, entry);
	}
	buf_put_char(&c->out, '\n');
	table_print(&t);
}

static void advise(struct cli *c, const cJSON *tx)
{
	static const char *const ways[][2] = {
		{ "go on now, and try again what hangs:", "saga forward" },
		{ "undo what is done:", "saga compensate" },
		{ "take what fails as done (look first!):", "saga skip" },
	};

	if (!json_flag(tx, "hung"))
		return;
	buf_put_text(&c->out, "\nwhat you can do\n");
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		buf_printf(&c->out, "  %s\n", ways[i][0]);
		put_command(c, ways[i][1], tx);
		buf_put_text(&c->out, " --reason TEXT\n");
	}
}

static void print_saga(struct cli *c, const cJSON *tx)
{
	const cJSON *run = json_member(tx, "run");

	print_head(c, tx);
	print_path(c, json_member(run, "path"));
	put_raw(c, "data", json_member(run, "data"));
	print_history(c, json_member(tx, "history"));
	advise(c, tx);
}

int command_saga_show(struct cli *c, int argc, char **argv)
{
	static const struct showing of = { "saga show", "/api/v1/sagas",
					   print_saga };

	return show_one(c, &of, argc, argv);
}

/* ---- start ---- */

struct order {
	const char *version, *key, *input, *definition, *deadline, *wait;
};

static int put_file(struct cli *c, struct json *j, const char *name,
		    const char *file)
{
	struct buf text;
	int rc;

	if (!file)
		return EXIT_OK;
	buf_init(&text, &c->arena.as_mem);
	rc = read_object(file, &text);
	if (rc == EXIT_OK)
		json_raw(j, name, buf_bytes(&text));
	return rc;
}

static int put_wait(struct json *j, const char *name, const char *span)
{
	uint64_t ms;

	if (!span)
		return EXIT_OK;
	if (!parse_span(span, &ms)) {
		complain("\"%s\" is not a time: 500ms, 30s, 5m, 2h, 1d", span);
		return EXIT_USAGE;
	}
	json_number(j, name, ms);
	return EXIT_OK;
}

static int make_body(struct cli *c, const struct order *o, const char *machine,
		     struct buf *body)
{
	struct json j;
	int rc;

	json_init(&j, body);
	json_object(&j, NULL);
	if (machine)
		json_text(&j, "machine", bytes_of(machine));
	if (o->version)
		json_text(&j, "version", bytes_of(o->version));
	if (o->key)
		json_text(&j, "business_key", bytes_of(o->key));
	rc = put_file(c, &j, "input", o->input);
	if (rc == EXIT_OK)
		rc = put_file(c, &j, "definition", o->definition);
	if (rc == EXIT_OK)
		rc = put_wait(&j, "deadline_ms", o->deadline);
	if (rc == EXIT_OK)
		rc = put_wait(&j, "wait_ms", o->wait);
	json_end(&j);
	return rc;
}

static int start(struct cli *c, const struct buf *body)
{
	struct answer a;
	struct url u;
	int rc;

	url_init(&u, c, "/api/v1/sagas");
	rc = ask(c, &u, body, &a);
	if (rc == EXIT_OK && c->json) {
		answer_pass(c, &a);
	} else if (rc == EXIT_OK) {
		put_safe(&c->out, json_string(a.json, "xid"));
		buf_put_text(&c->out, json_flag(a.json, "existed")
					      ? " was started before, now "
					      : " is started, now ");
		put_safe(&c->out, json_string(a.json, "status"));
		buf_put_char(&c->out, '\n');
	}
	answer_free(&a);
	return rc;
}

int command_saga_start(struct cli *c, int argc, char **argv)
{
	struct order o = { .version = NULL };
	const struct option options[] = {
		{ "version", 0, &o.version, NULL },
		{ "key", 'k', &o.key, NULL },
		{ "input", 'i', &o.input, NULL },
		{ "definition", 0, &o.definition, NULL },
		{ "deadline", 0, &o.deadline, NULL },
		{ "wait", 'w', &o.wait, NULL },
	};
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = ARRAY_LEN(options),
			  .words_max = 1 };
	int rc = args_parse(c, "saga start", &a);
	struct buf body;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "saga start");
		return EXIT_OK;
	}
	if ((a.n_words == 1) == (o.definition != NULL)) {
		complain("give the name of a MACHINE, or --definition FILE; "
			 "see treaty saga start --help");
		return EXIT_USAGE;
	}
	buf_init(&body, &c->arena.as_mem);
	rc = make_body(c, &o, a.n_words == 1 ? a.words[0] : NULL, &body);
	return rc == EXIT_OK ? start(c, &body) : rc;
}

/* ---- forward, compensate, skip ---- */

static bool is_number(const char *text)
{
	return *text && strlen(text) < 11 &&
	       text[strspn(text, "0123456789")] == '\0';
}

static int move(struct cli *c, const char *command, int argc, char **argv)
{
	const char *task = NULL, *reason = NULL;
	const char *way = strchr(command, ' ') + 1;
	const struct option options[] = {
		{ "reason", 'r', &reason, NULL },
		{ "task", 't', &task, NULL },
	};
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = strcmp(way, "skip") == 0 ? 2 : 1,
			  .words_min = 1,
			  .words_max = 1 };
	int rc = args_parse(c, command, &a);
	struct buf body;
	struct json j;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, command);
		return EXIT_OK;
	}
	if (task && !is_number(task)) {
		complain("\"%s\" is not a task, which is a number", task);
		return EXIT_USAGE;
	}
	url_init(&u, c, "/api/v1/sagas");
	url_segment(&u, a.words[0]);
	url_segment(&u, way);
	buf_init(&body, &c->arena.as_mem);
	json_init(&j, &body);
	json_object(&j, NULL);
	if (reason)
		json_text(&j, "reason", bytes_of(reason));
	if (task)
		json_raw(&j, "task", bytes_of(task));
	json_end(&j);
	return post(c, &u, &body);
}

int command_saga_forward(struct cli *c, int argc, char **argv)
{
	return move(c, "saga forward", argc, argv);
}

int command_saga_compensate(struct cli *c, int argc, char **argv)
{
	return move(c, "saga compensate", argc, argv);
}

int command_saga_skip(struct cli *c, int argc, char **argv)
{
	return move(c, "saga skip", argc, argv);
}
