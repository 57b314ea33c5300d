#include "base/json.h"
#include "tc/cli/difference.h"

#include <stdio.h>
#include <unistd.h>

/*
 * treaty tx retry, treaty tx resolve.
 */

int command_retry(struct cli *c, int argc, char **argv)
{
	const char *branch = NULL, *reason = NULL;
	const struct option options[] = {
		{ "branch", 'b', &branch, NULL },
		{ "reason", 'r', &reason, NULL },
	};
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = ARRAY_LEN(options),
			  .words_min = 1,
			  .words_max = 1 };
	int rc = args_parse(c, "tx retry", &a);
	struct buf body;
	struct json j;
	struct url u;

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "tx retry");
		return EXIT_OK;
	}
	url_init(&u, c, "/api/v1/transactions");
	url_segment(&u, a.words[0]);
	if (branch) {
		buf_put_text(&u.text, "/branches");
		url_segment(&u, branch);
	}
	buf_put_text(&u.text, "/retry");
	buf_init(&body, &c->arena.as_mem);
	json_init(&j, &body);
	json_object(&j, NULL);
	if (reason)
		json_text(&j, "reason", bytes_of(reason));
	json_end(&j);
	return post(c, &u, &body);
}

/* ---- resolve ---- */

struct order {
	struct cli *cli;
	const char *xid, *branch, *reason, *file;
	bool undo, keep, yes;
	struct buf values;
	struct buf rows; /* JSON: those that were shown */
};

static int bad_order(const char *what)
{
	complain("%s; see treaty tx resolve --help", what);
	return EXIT_USAGE;
}

static int check_order(struct order *o)
{
	if (o->undo + o->keep + (o->file != NULL) != 1)
		return bad_order("give one of --use-undo, --keep-current, "
				 "--values FILE");
	if (!o->reason || !*o->reason)
		return bad_order("--reason TEXT is needed: who reads the "
				 "history will want to know why");
	return o->file ? read_object(o->file, &o->values) : EXIT_OK;
}

static const cJSON *find_branch(const struct order *o, const cJSON *tx)
{
	const cJSON *branch;

	cJSON_ArrayForEach(branch, json_member(tx, "branches")) if (
		bytes_equal(json_string(branch, "id"),
			    bytes_of(o->branch))) return branch;
	return NULL;
}

/* Write out what is there so far, so that it is read before the question. */
static void show_now(struct cli *c)
{
	struct bytes text = buf_bytes(&c->out);

	(void)fwrite(text.data, 1, text.len, stdout);
	(void)fflush(stdout);
	buf_clear(&c->out);
}

static int confirm(struct order *o)
{
	char line[16];

	if (o->yes)
		return EXIT_OK;
	if (!isatty(STDIN_FILENO))
		return bad_order("there is nobody to ask: give --yes");
	show_now(o->cli);
	(void)fprintf(stderr, "%s, in branch %s of %s? Type yes: ",
		      o->undo   ? "Put the old values back"
		      : o->keep ? "Leave the rows as they are"
				: "Write the values of the file",
		      o->branch, o->xid);
	if (!fgets(line, sizeof line, stdin) || strcmp(line, "yes\n") != 0) {
		complain("nothing was done");
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static void put_json(struct json *j, const char *key, const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);

	if (text)
		json_raw(j, key, bytes_of(text));
	else
		j->out->error = E_NOMEM;
	cJSON_free(text);
}

/*
 * What was shown is what is decided on: a row that changes once more between
 * now and then stays dirty. Nothing of the kind if there are more dirty rows
 * than the difference lists.
 */
static void note_rows(struct order *o, const cJSON *branch)
{
	static const char *const members[] = { "table", "key", "seen" };
	const cJSON *detail = json_member(branch, "detail");
	const cJSON *rows = json_member(detail, "rows"), *row;
	struct json j;

	if (!cJSON_IsArray(rows) || cJSON_GetArraySize(rows) == 0 ||
	    json_count(detail, "dirty") > (uint64_t)cJSON_GetArraySize(rows))
		return;
	cJSON_ArrayForEach(
		row, rows) for (size_t i = 0; i < ARRAY_LEN(members);
				i++) if (!json_member(row, members[i])) return;
	json_init(&j, &o->rows);
	json_array(&j, NULL);
	cJSON_ArrayForEach(row, rows)
	{
		json_object(&j, NULL);
		for (size_t i = 0; i < ARRAY_LEN(members); i++)
			put_json(&j, members[i], json_member(row, members[i]));
		json_end(&j);
	}
	json_end(&j);
}

/* What the operator is about to decide on, and whether he means it. */
static int look(struct order *o)
{
	const cJSON *branch;
	struct answer a;
	struct url u;
	int rc;

	url_init(&u, o->cli, "/api/v1/transactions");
	url_segment(&u, o->xid);
	rc = ask(o->cli, &u, NULL, &a);
	branch = rc == EXIT_OK ? find_branch(o, a.json) : NULL;
	if (rc == EXIT_OK && !branch) {
		complain("%s has no branch %s; treaty tx show %s lists them",
			 o->xid, o->branch, o->xid);
		rc = EXIT_NOT_FOUND;
	}
	if (rc == EXIT_OK && !o->cli->json && has_difference(branch))
		print_difference(o->cli, branch);
	if (rc == EXIT_OK && !o->file)
		note_rows(o, branch);
	answer_free(&a);
	return rc == EXIT_OK ? confirm(o) : rc;
}

static int resolve(struct order *o)
{
	struct cli *c = o->cli;
	struct buf body;
	struct json j;
	struct url u;

	url_init(&u, c, "/api/v1/transactions");
	url_segment(&u, o->xid);
	buf_put_text(&u.text, "/branches");
	url_segment(&u, o->branch);
	buf_put_text(&u.text, "/resolve");
	buf_init(&body, &c->arena.as_mem);
	json_init(&j, &body);
	json_object(&j, NULL);
	json_text(&j, "resolution",
		  o->undo   ? BYTES("use_undo")
		  : o->keep ? BYTES("keep_current")
			    : BYTES("values"));
	if (o->file)
		json_raw(&j, "values", buf_bytes(&o->values));
	if (o->rows.len > 0)
		json_raw(&j, "rows", buf_bytes(&o->rows));
	json_text(&j, "reason", bytes_of(o->reason));
	json_end(&j);
	if (buf_error(&o->rows) != OK) {
		complain("out of memory; nothing was sent");
		return EXIT_FAILED;
	}
	return post(c, &u, &body);
}

int command_resolve(struct cli *c, int argc, char **argv)
{
	struct order o = { .cli = c };
	const struct option options[] = {
		{ "use-undo", 0, NULL, &o.undo },
		{ "keep-current", 0, NULL, &o.keep },
		{ "values", 0, &o.file, NULL },
		{ "reason", 'r', &o.reason, NULL },
		{ "yes", 'y', NULL, &o.yes },
	};
	struct args a = { .argc = argc,
			  .argv = argv,
			  .options = options,
			  .n_options = ARRAY_LEN(options),
			  .words_min = 2,
			  .words_max = 2 };
	int rc = args_parse(c, "tx resolve", &a);

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "tx resolve");
		return EXIT_OK;
	}
	o.xid = a.words[0];
	o.branch = a.words[1];
	buf_init(&o.values, &c->arena.as_mem);
	buf_init(&o.rows, &c->arena.as_mem);
	rc = check_order(&o);
	if (rc == EXIT_OK)
		rc = look(&o);
	return rc == EXIT_OK ? resolve(&o) : rc;
}
