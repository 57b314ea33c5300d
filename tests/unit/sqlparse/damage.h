#ifndef TESTS_UNIT_SQLPARSE_DAMAGE_H
#define TESTS_UNIT_SQLPARSE_DAMAGE_H

/*
 * Texts of the case tables, damaged by chance: the same seed, the same damage.
 */

#include "tests/unit/sqlparse/cases.h"

#include <stdlib.h>

struct random {
	uint64_t state;
};

static uint32_t draw(struct random *r, uint32_t below)
{
	r->state = r->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(r->state >> 33) % below;
}

static uint64_t from_environment(const char *name, uint64_t usual)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : usual;
}

enum { TEXT_MAX = 2048 };

struct text {
	uint8_t data[TEXT_MAX];
	size_t len;
};

static void insert(struct text *t, size_t at, const uint8_t *data, size_t n)
{
	if (t->len + n > TEXT_MAX)
		return;
	memmove(t->data + at + n, t->data + at, t->len - at);
	memcpy(t->data + at, data, n);
	t->len += n;
}

static void cut(struct text *t, size_t at, size_t n)
{
	if (n > t->len - at)
		n = t->len - at;
	memmove(t->data + at, t->data + at + n, t->len - at - n);
	t->len -= n;
}

static const char *const snippets[] = {
	"'",
	"\"",
	"`",
	"(",
	")",
	"[",
	"]",
	"$$",
	"$1",
	"?",
	":x",
	"@x",
	"/*",
	"*/",
	"/*!",
	"/*!50000 ",
	"/*M!",
	"--",
	"-- ",
	"#",
	"\n",
	";",
	",",
	".",
	"\\",
	"\\'",
	"E'",
	"U&\"",
	"x'",
	"0x",
	" AND ",
	" OR ",
	" NOT ",
	" CASE ",
	" END ",
	" WHERE ",
	" FROM ",
	" SET ",
	" SELECT ",
	" WITH x AS (",
	" RETURNING ",
	" ON ",
	" ON CONFLICT ",
	" LIMIT ",
	" FOR UPDATE ",
	" IN ",
	" BETWEEN ",
	" INTERVAL ",
	" IS ",
	" VALUES ",
	" USING ",
	" JOIN ",
	" AS ",
	" DEFAULT ",
	"::",
	":=",
	"||",
	"*",
	"1",
	"1e",
	"=",
};

static const struct sql_case *any_case(struct random *r)
{
	size_t t = draw(r, ARRAY_LEN(all_cases));

	return &all_cases[t].cases[draw(r, (uint32_t)all_cases[t].n)];
}

static void damage(struct random *r, struct text *t)
{
	size_t at = draw(r, (uint32_t)t->len + 1);
	const char *with;
	uint8_t byte;

	switch (draw(r, 6)) {
	case 0:
		byte = (uint8_t)draw(r, 256);
		insert(t, at, &byte, 1);
		break;
	case 1:
		cut(t, at, 1 + draw(r, 8));
		break;
	case 2:
		t->len = at;
		break;
	case 3:
		with = any_case(r)->text;
		insert(t, at, (const uint8_t *)with,
		       draw(r, (uint32_t)strlen(with) + 1));
		break;
	default:
		with = snippets[draw(r, ARRAY_LEN(snippets))];
		insert(t, at, (const uint8_t *)with, strlen(with));
		break;
	}
}

static void load(struct text *t, const char *from)
{
	t->len = strlen(from);
	REQUIRE(t->len <= TEXT_MAX);
	memcpy(t->data, from, t->len);
}

#endif
