#include "base/json.h"
#include "tc/cli/client.h"

/*
 * treaty topic list, subscribe, unsubscribe.
 */

static void print_subscribers(struct cli *c, const cJSON *subscribers)
{
	static const char *const heads[] = { "TOPIC", "SUBSCRIBER", "TO" };
	const cJSON *s;
	struct table t;

	if (cJSON_GetArraySize(subscribers) == 0) {
		buf_put_text(&c->out, "nobody has subscribed to anything\n");
		return;
	}
	table_init(&t, c, heads, ARRAY_LEN(heads));
	cJSON_ArrayForEach(s, subscribers)
	{
		const cJSON *url =
			json_member(json_member(s, "participant"), "commit");

		table_cell(&t, json_string(s, "topic"));
		table_cell(&t, json_string(s, "subscriber"));
		table_cell(&t, cJSON_IsString(url)
				       ? bytes_of(cJSON_GetStringValue(url))
				       : json_string(s, "resource"));
	}
	table_print(&t);
}

int command_topic_list(struct cli *c, int argc, char **argv)
{
	struct args a = { .argc = argc, .argv = argv, .words_max = 1 };
	int rc = args_parse(c, "topic list", &a);
	struct answer answer;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "topic list");
		return EXIT_OK;
	}
	url_init(&u, c, "/api/v1/topics");
	if (a.n_words == 1) {
		url_segment(&u, a.words[0]);
		url_segment(&u, "subscribers");
	}
	rc = ask(c, &u, NULL, &answer);
	if (rc == EXIT_OK && c->json)
		answer_pass(c, &answer);
	else if (rc == EXIT_OK)
		print_subscribers(c, json_member(answer.json, "subscribers"));
	answer_free(&answer);
	return rc;
}

/* POST or DELETE it, and say what was done. */
static int act(struct cli *c, struct url *u, const struct buf *body,
	       const char *what)
{
	struct answer a;
	int rc = ask(c, u, body, &a);

	if (rc == EXIT_OK && c->json) {
		answer_pass(c, &a);
	} else if (rc == EXIT_OK) {
		put_safe(&c->out, json_string(a.json, "subscriber"));
		buf_put_text(&c->out, what);
		put_safe(&c->out, json_string(a.json, "topic"));
		buf_put_char(&c->out, '\n');
	}
	answer_free(&a);
	return rc;
}

int command_topic_subscribe(struct cli *c, int argc, char **argv)
{
	struct args a = {
		.argc = argc, .argv = argv, .words_min = 3, .words_max = 3
	};
	int rc = args_parse(c, "topic subscribe", &a);
	struct buf body;
	struct json j;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "topic subscribe");
		return EXIT_OK;
	}
	url_init(&u, c, "/api/v1/topics");
	url_segment(&u, a.words[0]);
	url_segment(&u, "subscribers");
	buf_init(&body, &c->arena.as_mem);
	json_init(&j, &body);
	json_object(&j, NULL);
	json_text(&j, "subscriber", bytes_of(a.words[1]));
	json_text(&j, "to", bytes_of(a.words[2]));
	json_end(&j);
	return act(c, &u, &body, " gets what is sent to ");
}

int command_topic_unsubscribe(struct cli *c, int argc, char **argv)
{
	struct args a = {
		.argc = argc, .argv = argv, .words_min = 2, .words_max = 2
	};
	int rc = args_parse(c, "topic unsubscribe", &a);
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "topic unsubscribe");
		return EXIT_OK;
	}
	url_init(&u, c, "/api/v1/topics");
	url_segment(&u, a.words[0]);
	url_segment(&u, "subscribers");
	url_segment(&u, a.words[1]);
	u.drop = true;
	return act(c, &u, NULL, " no longer gets what is sent to ");
}
