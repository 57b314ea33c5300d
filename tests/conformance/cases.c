#include "tests/conformance/cases.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CASES_MAX 2000

static const struct {
	const char *name;
	enum dialect dialect;
} dialects[] = { { "postgresql", DIALECT_POSTGRES },
		 { "mariadb", DIALECT_MYSQL },
		 { "sqlite", DIALECT_SQLITE } };

enum dialect dialect_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		if (strcmp(name, dialects[i].name) == 0)
			return dialects[i].dialect;
	return (enum dialect)0;
}

const char *dialect_name(enum dialect dialect)
{
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		if (dialect == dialects[i].dialect)
			return dialects[i].name;
	return "?";
}

static const char *const expects[] = {
	[EXPECT_PROTECTED] = "protected",
	[EXPECT_PASSED] = "passed",
	[EXPECT_REFUSED] = "refused",
	[EXPECT_FAILED] = "failed",
};

const char *expect_name(enum expect expect)
{
	return expects[expect];
}

/* ---- reading one file ---- */

struct reading {
	struct cases *cases;
	const char *file;
	unsigned line;
	const char *section, *group;
	bool in_docs;
	struct conf_case *now;
	struct buf sql;
	bool ok;
};

static void wrong(struct reading *r, const char *what, const char *text)
{
	fprintf(stderr, "%s:%u: %s: %s\n", r->file, r->line, what, text);
	r->ok = false;
}

static char *keep(struct reading *r, const char *text)
{
	char *copy = arena_text(&r->cases->arena, bytes_of(text));

	REQUIRE(copy);
	return copy;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static struct bytes trimmed(struct bytes b)
{
	while (b.len && is_space((char)b.data[0])) {
		b.data++;
		b.len--;
	}
	while (b.len && is_space((char)b.data[b.len - 1]))
		b.len--;
	return b;
}

static void end_case(struct reading *r)
{
	struct conf_case *c = r->now;

	if (!c)
		return;
	c->sql = arena_text(&r->cases->arena, trimmed(buf_bytes(&r->sql)));
	REQUIRE(c->sql);
	if (c->expect == EXPECT_REFUSED && !c->because)
		wrong(r, "refused without a reason", c->name);
	buf_clear(&r->sql);
	r->now = NULL;
}

static void begin_case(struct reading *r, const char *name)
{
	struct cases *all = r->cases;

	end_case(r);
	if (!r->group)
		wrong(r, "a case outside of a group", name);
	REQUIRE(all->n < CASES_MAX);
	r->now = &all->list[all->n++];
	*r->now = (struct conf_case){ .file = r->file,
				      .line = r->line,
				      .section = r->section,
				      .group = r->group,
				      .in_docs = r->in_docs,
				      .name = keep(r, name),
				      .on = ~0u };
}

static void read_on(struct reading *r, const char *text)
{
	char *word = keep(r, text), *rest = NULL;

	r->now->on = 0;
	for (word = strtok_r(word, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		enum dialect d = dialect_of(word);

		if (!d)
			wrong(r, "not a database", word);
		r->now->on |= 1u << d;
	}
}

/* The next of a list with commas; NULL if there is none. */
static const char *next_part(char **rest)
{
	char *at = *rest, *comma;

	if (!at)
		return NULL;
	comma = strchr(at, ',');
	*rest = comma ? comma + 1 : NULL;
	if (comma)
		*comma = '\0';
	while (*at == ' ')
		at++;
	return at;
}

static void read_expect(struct reading *r, const char *text)
{
	char *rest = keep(r, text);
	const char *verdict = next_part(&rest);
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(expects); i++)
		if (strcmp(verdict, expects[i]) == 0) {
			r->now->expect = (enum expect)i;
			known = true;
		}
	if (!known)
		wrong(r, "not a verdict", verdict);
	r->now->kind = next_part(&rest);
	r->now->table = next_part(&rest);
	r->now->columns = next_part(&rest);
}

static const char *const types[] = {
	[TREATY_NULL] = "null",           [TREATY_INT] = "int",
	[TREATY_NUMBER] = "number",       [TREATY_FLOAT] = "float",
	[TREATY_BOOL] = "bool",           [TREATY_TEXT] = "text",
	[TREATY_BYTES] = "bytes",         [TREATY_BIT] = "bit",
	[TREATY_DATE] = "date",           [TREATY_TIME] = "time",
	[TREATY_TIMESTAMP] = "timestamp", [TREATY_TIMESTAMPTZ] = "timestamptz",
	[TREATY_JSON] = "json",           [TREATY_OTHER] = "other",
};

static void decode_hex(struct treaty_value *v, char *text)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n; i++) {
		char two[3] = { text[2 * i], text[2 * i + 1], '\0' };

		text[i] = (char)strtoul(two, NULL, 16);
	}
	v->len = n;
}

static void read_param(struct reading *r, const char *text)
{
	struct conf_case *c = r->now;
	size_t word = strcspn(text, " ");
	char *value = keep(r, text[word] ? text + word + 1 : "");

	REQUIRE(c->n_params < CASE_PARAMS);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct treaty_value v = { (enum treaty_type)i, value,
					  strlen(value), 0 };

		if (strlen(types[i]) != word ||
		    strncmp(text, types[i], word) != 0)
			continue;
		if (i == TREATY_BYTES)
			decode_hex(&v, value);
		c->params[c->n_params++] = v;
		return;
	}
	wrong(r, "not a type", text);
}

static bool is_yes(struct reading *r, const char *text)
{
	if (strcmp(text, "yes") != 0)
		wrong(r, "not yes", text);
	return true;
}

/* A word of a case. False: it is none. */
static bool read_word(struct reading *r, const char *word, const char *text)
{
	struct conf_case *c = r->now;

	if (strcmp(word, "on") == 0)
		read_on(r, text);
	else if (strcmp(word, "expect") == 0)
		read_expect(r, text);
	else if (strcmp(word, "because") == 0)
		c->because = keep(r, text);
	else if (strcmp(word, "param") == 0)
		read_param(r, text);
	else if (strcmp(word, "steps") == 0)
		c->steps = is_yes(r, text);
	else if (strcmp(word, "nothing") == 0)
		c->nothing = is_yes(r, text);
	else if (strcmp(word, "volatile") == 0)
		c->is_volatile = is_yes(r, text);
	else if (strcmp(word, "before") == 0)
		c->before = keep(r, text);
	else if (strcmp(word, "after") == 0)
		c->after = keep(r, text);
	else
		return false;
	return true;
}

/* "-- word: text"; false: a line of SQL. */
static bool read_directive(struct reading *r, char *line)
{
	size_t n = strspn(line + 3, "abcdefghijklmnopqrstuvwxyz");
	char *word = line + 3, *text;

	if (n == 0 || word[n] != ':')
		return false;
	word[n] = '\0';
	text = word + n + 1;
	while (*text == ' ')
		text++;
	if (strcmp(word, "section") == 0) {
		end_case(r);
		r->section = keep(r, text);
	} else if (strcmp(word, "group") == 0) {
		end_case(r);
		r->group = keep(r, text);
		r->in_docs = true;
	} else if (strcmp(word, "docs") == 0 && !r->now) {
		r->in_docs = false;
	} else if (strcmp(word, "case") == 0) {
		begin_case(r, text);
	} else if (!r->now || !read_word(r, word, text)) {
		word[n] = ':';
		return false;
	}
	return true;
}

static void read_line(struct reading *r, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "-- ", 3) == 0 && r->sql.len == 0 &&
	    read_directive(r, line))
		return;
	if (strncmp(line, "-- ", 3) == 0 &&
	    (strncmp(line, "-- case:", 8) == 0 ||
	     strncmp(line, "-- group:", 9) == 0 ||
	     strncmp(line, "-- section:", 11) == 0)) {
		(void)read_directive(r, line);
		return;
	}
	if (!r->now) {
		if (line[0] && line[0] != '-')
			wrong(r, "SQL outside of a case", line);
		return;
	}
	if (r->sql.len == 0 && line[0] == '\0')
		return;
	buf_put_text(&r->sql, line);
	buf_put_char(&r->sql, '\n');
}

static bool read_file(struct cases *cases, const char *path)
{
	struct reading r = { .cases = cases, .ok = true };
	const char *slash = strrchr(path, '/');
	char *line = NULL;
	size_t room = 0;
	FILE *f = fopen(path, "r");

	if (!f) {
		perror(path);
		return false;
	}
	r.file = keep(&r, slash ? slash + 1 : path);
	buf_init(&r.sql, &mem_heap);
	while (getline(&line, &room, f) >= 0) {
		r.line++;
		read_line(&r, line);
	}
	end_case(&r);
	buf_fini(&r.sql);
	free(line);
	(void)fclose(f);
	return r.ok;
}

/* ---- the folder ---- */

static int is_sql(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return dot && strcmp(dot, ".sql") == 0;
}

bool cases_read(struct cases *out, const char *folder)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, is_sql, alphasort);
	bool ok = n > 0;

	arena_init(&out->arena, &mem_heap, 0);
	out->n = 0;
	out->list = arena_array(&out->arena, CASES_MAX, sizeof *out->list);
	REQUIRE(out->list);
	if (n <= 0)
		fprintf(stderr, "no cases in %s\n", folder);
	for (int i = 0; i < n; i++) {
		char path[1024];

		(void)snprintf(path, sizeof path, "%s/%s", folder,
			       names[i]->d_name);
		ok = read_file(out, path) && ok;
		free(names[i]);
	}
	free(names);
	return ok;
}

void cases_free(struct cases *c)
{
	arena_fini(&c->arena);
}
