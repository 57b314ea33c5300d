/*
 * Undo from end to end, failing at each allocation once. Every failure must be
 * E_NOMEM, leave nothing behind, and never be taken for a damaged record: that
 * would make a branch hang for a shortage that passes.
 */

#include "base/hash.h"
#include "tests/fakes/flaky.h"
#include "undo/compensate.h"
#include "undo/lock_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#define XID  BYTES("127.0.0.1:8091:1")
#define ROWS 20

static const uint8_t id_name[] = "id", v_name[] = "v", type_name[] = "text";
static const struct column columns[] = {
	{ .name = { id_name, 2 },
	  .type = { type_name, 4 },
	  .class = VALUE_TEXT },
	{ .name = { v_name, 1 },
	  .type = { type_name, 4 },
	  .class = VALUE_TEXT,
	  .nullable = true },
};
static const size_t key[] = { 0 };

static struct table the_table(void)
{
	return (struct table){ .dialect = DIALECT_POSTGRES,
			       .name = BYTES("t"),
			       .columns = columns,
			       .n_columns = 2,
			       .key = key,
			       .n_key = 1 };
}

/* The key of a row; bytes that are not UTF-8 in every second one. */
static struct value name(char *text, size_t i)
{
	memset(text, 'k', 8);
	text[0] = (char)('0' + i / 10);
	text[1] = (char)('0' + i % 10);
	if (i % 2)
		text[7] = (char)0xff;
	return (struct value){ VALUE_TEXT, { (uint8_t *)text, 8 } };
}

/* What does not compress. */
static struct value noise(uint64_t words[8], size_t i, char mark)
{
	uint64_t seed = (uint64_t)mark * 1000 + i;

	for (size_t k = 0; k < 8; k++)
		words[k] = random_next(&seed);
	return (struct value){ VALUE_TEXT, { (uint8_t *)words, 64 } };
}

static int fill(struct image *img, char mark)
{
	uint64_t words[8];
	char id[8];
	int rc = OK;

	for (size_t i = 0; rc == OK && i < ROWS; i++) {
		struct value row[2] = { name(id, i), noise(words, i, mark) };

		rc = image_add(img, row, NULL);
	}
	return rc;
}

static int build(struct record *r, struct arena *a, const struct table *t)
{
	struct image before, after, none;
	int rc = record_init(r, a, XID, 7);

	image_init(&before, a, t);
	image_init(&after, a, t);
	image_init(&none, a, t);
	if (rc == OK)
		rc = fill(&before, 'b');
	if (rc == OK)
		rc = fill(&after, 'a');
	if (rc == OK)
		rc = record_add(r, ITEM_INSERT, &none, &before);
	for (int i = 0; rc == OK && i < 4; i++)
		rc = record_add(r, ITEM_UPDATE, &before, &before);
	if (rc == OK)
		rc = record_add(r, ITEM_UPDATE, &before, &after);
	return rc;
}

static int lock(const struct record *r, struct arena *a)
{
	struct lock_keys keys;
	int rc = lock_keys_init(&keys, a, BYTES("db"));

	if (rc == OK)
		rc = lock_keys_add(&keys, &r->items[1].before);
	if (rc == OK)
		rc = lock_keys_add(&keys, &r->items[1].after);
	if (rc == OK)
		assert_int_equal(keys.n, ROWS);
	lock_keys_fini(&keys);
	return rc;
}

static int store_and_load(const struct record *r, struct record *out,
			  struct arena *a)
{
	struct record_limits limits = record_limits_default();
	struct record_parts parts;
	struct bytes infos[64];
	int rc;

	limits.part_max = 1024;
	limits.compress_from = 1000;
	rc = record_encode(r, &limits, a, &parts, NULL);
	if (rc != OK)
		return rc;
	assert_in_range(parts.n, 2, 64);
	for (size_t i = 0; i < parts.n; i++)
		infos[i] = parts.parts[i].info;
	return record_decode(out, a, XID, 7, infos, parts.n, &limits, NULL);
}

/* The database has what the branch left, but row 3, which is dirty. */
static int answer(struct plan *p, const struct record *r)
{
	const struct image *now = &r->items[r->n_items - 1].after;
	const struct table *t;
	struct statement s;
	int rc;

	while ((rc = plan_next_read(p, ROWS, &s, &t)) == OK) {
		assert_int_equal(s.n_params, ROWS);
		for (size_t i = 0; rc == OK && i < ROWS; i++) {
			struct value row[2];

			memcpy(row, now->rows[i].values, sizeof row);
			if (i == 3)
				row[1] = (struct value){ VALUE_NULL, { 0 } };
			rc = plan_row(p, row);
		}
		if (rc != OK)
			return rc;
		plan_read_done(p);
	}
	return rc == E_NOTFOUND ? OK : rc;
}

static const char *const decision =
	"{\"choice\":\"keep\",\"rows\":[{\"table\":\"t\","
	"\"key\":{\"id\":{\"base64\":\"MDNra2tra/8=\"}},\"choice\":\"values\","
	"\"values\":{\"v\":{\"base64\":\"AP8=\"}}}]}";

static int check(struct plan *p, struct arena *a, bool dirty)
{
	struct buf difference;
	int rc;

	buf_init(&difference, a->mem);
	rc = plan_check(p, &difference);
	buf_fini(&difference);
	if (dirty) {
		assert_true(rc == E_DIRTY || rc == E_NOMEM);
		return rc == E_DIRTY ? OK : rc;
	}
	return rc;
}

static int undo(const struct record *r, struct arena *a)
{
	const struct table *now = r->tables[0];
	struct statement s;
	struct plan *p;
	size_t rows = 0;
	int rc = plan_new(&p, a, r, &now, NULL);

	if (rc == OK)
		rc = answer(p, r);
	if (rc == OK)
		rc = check(p, a, true);
	if (rc == OK)
		rc = plan_resolve(p, bytes_of(decision), NULL);
	if (rc == OK)
		rc = check(p, a, false);
	if (rc != OK)
		return rc;
	while ((rc = plan_next_write(p, 7, &s)) == OK) {
		assert_true(s.n_params >= s.rows);
		rows += s.rows;
	}
	if (rc != E_NOTFOUND)
		return rc;
	assert_int_equal(rows, 2 * (ROWS - 1) + 1);
	return OK;
}

static int whole_way(const struct mem *mem)
{
	struct table t = the_table();
	struct record r, loaded;
	struct arena a;
	int rc;

	arena_init(&a, mem, 1); /* so each piece is an allocation */
	rc = build(&r, &a, &t);
	if (rc == OK)
		rc = lock(&r, &a);
	if (rc == OK)
		rc = store_and_load(&r, &loaded, &a);
	if (rc == OK)
		rc = undo(&loaded, &a);
	arena_fini(&a);
	return rc;
}

static void must_be_memory(int rc, long n)
{
	if (rc != OK && rc != E_NOMEM)
		fail_msg("allocation %ld: %s", n, err_name(rc));
}

/* A table that cannot grow is no failure; so it goes on until none was met. */
static void test_every_failed_allocation_is_named(void **state)
{
	struct flaky f;
	long n = -1;
	int rc;

	(void)state;
	do {
		flaky_init(&f, ++n);
		rc = whole_way(&f.mem);
		must_be_memory(rc, n);
		assert_int_equal(f.live, 0);
	} while (f.calls > n);
	assert_int_equal(rc, OK);
	assert_true(n > 200);
}

/* ---- cJSON has a heap of its own ---- */

static long parser_calls, parser_fails_at, parser_live;

static void *parser_alloc(size_t size)
{
	if (parser_calls++ == parser_fails_at)
		return NULL;
	parser_live++;
	return malloc(size);
}

static void parser_free(void *p)
{
	if (p)
		parser_live--;
	free(p);
}

static void test_the_parser_may_run_out_of_memory(void **state)
{
	cJSON_Hooks hooks = { parser_alloc, parser_free };
	long n = -1;
	int rc;

	(void)state;
	cJSON_InitHooks(&hooks);
	do {
		parser_calls = 0;
		parser_fails_at = ++n;
		rc = whole_way(&mem_heap);
		assert_int_equal(rc, parser_calls > n ? E_NOMEM : OK);
		assert_int_equal(parser_live, 0);
	} while (parser_calls > n);
	cJSON_InitHooks(NULL);
	assert_true(n > ROWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_failed_allocation_is_named),
		cmocka_unit_test(test_the_parser_may_run_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
