#include "base/json.h"
#include "tc/cli/client.h"

#include <stdio.h>

/*
 * What commands that change something have in common.
 */

#define FILE_MAX (1u << 20)

static const char *outcome(const cJSON *answer)
{
	return json_flag(answer, "finished") ? " had finished already: "
	       : json_flag(answer, "hung")   ? " is taken up, but other "
					       "branches still hang: "
					     : " is taken up again, now ";
}

int post(struct cli *c, struct url *u, const struct buf *body)
{
	struct answer a;
	int rc = ask(c, u, body, &a);

	if (rc == EXIT_OK && c->json) {
		answer_pass(c, &a);
	} else if (rc == EXIT_OK) {
		put_safe(&c->out, json_string(a.json, "xid"));
		buf_put_text(&c->out, outcome(a.json));
		put_safe(&c->out, json_string(a.json, "status"));
		buf_put_char(&c->out, '\n');
	}
	answer_free(&a);
	return rc;
}

static bool read_stream(FILE *f, struct buf *out)
{
	uint8_t part[4096];
	size_t n;

	out->limit = FILE_MAX;
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		buf_put(out, (struct bytes){ part, n });
	return ferror(f) == 0 && buf_error(out) == OK;
}

int read_object(const char *file, struct buf *out)
{
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "rb");
	bool good;

	if (!f) {
		complain("cannot open %s", file);
		return EXIT_USAGE;
	}
	good = read_stream(f, out);
	if (f != stdin)
		(void)fclose(f);
	if (!good) {
		complain("cannot read %s, or it is longer than %u bytes", file,
			 FILE_MAX);
		return EXIT_USAGE;
	}
	if (!json_valid(buf_bytes(out)) ||
	    json_type(buf_bytes(out)) != JSON_OBJECT) {
		complain("%s is not a JSON object; treaty(1) shows one", file);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}
