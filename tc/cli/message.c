#include "base/json.h"
#include "tc/cli/client.h"

/*
 * treaty message dead, replay. (list and show are those of transactions.)
 */

static void print_letters(struct cli *c, const cJSON *answer)
{
	static const char *const heads[] = { "XID",       "BRANCH", "TO",
					     "TOPIC",     "NAME",   "ATTEMPTS",
					     "LAST ERROR" };
	const cJSON *letters = json_member(answer, "dead_letters"), *l;
	struct table t;

	if (cJSON_GetArraySize(letters) == 0)
		buf_put_text(&c->out, "no dead letters\n");
	table_init(&t, c, heads, ARRAY_LEN(heads));
	cJSON_ArrayForEach(l, letters)
	{
		table_cell(&t, json_string(l, "xid"));
		table_cell(&t, json_string(l, "branch"));
		table_cell(&t, json_string(l, "resource"));
		table_cell(&t, json_string(l, "topic"));
		table_cell(&t, json_string(l, "name"));
		table_count(&t, json_count(l, "attempts"));
		table_cell(&t, json_string(l, "last_error"));
	}
	if (t.n_cells > 0)
		table_print(&t);
	if (json_is_null(answer, "next"))
		return;
	buf_put_text(&c->out, "more: add --after ");
	put_safe(&c->out, json_string(answer, "next"));
	buf_put_char(&c->out, '\n');
}

int command_message_dead(struct cli *c, int argc, char **argv)
{
	const char *after = NULL, *limit = NULL;
	const struct option options[] = {
		{ "after", 0, &after, NULL },
		{ "limit", 'n', &limit, NULL },
	};
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = ARRAY_LEN(options) };
	int rc = args_parse(c, "message dead", &a);
	struct answer answer;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "message dead");
		return EXIT_OK;
	}
	url_init(&u, c, "/api/v1/dead-letters");
	url_param(&u, "after", after);
	url_param(&u, "limit", limit);
	rc = ask(c, &u, NULL, &answer);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &answer);
	else if (rc == EXIT_OK)
		print_letters(c, answer.json);
	answer_free(&answer);
	return rc;
}

int command_message_replay(struct cli *c, int argc, char **argv)
{
	const char *reason = NULL;
	const struct option options[] = { { "reason", 'r', &reason, NULL } };
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = 1,
			  .words_min = 2,
			  .words_max = 2 };
	int rc = args_parse(c, "message replay", &a);
	struct buf body;
	struct json j;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "message replay");
		return EXIT_OK;
	}
	url_init(&u, c, "/api/v1/dead-letters");
	url_segment(&u, a.words[0]);
	url_segment(&u, a.words[1]);
	url_segment(&u, "replay");
	buf_init(&body, &c->arena.as_mem);
	json_init(&j, &body);
	json_object(&j, NULL);
	if (reason)
		json_text(&j, "reason", bytes_of(reason));
	json_end(&j);
	return post(c, &u, &body);
}
