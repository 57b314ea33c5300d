#include "base/hash.h"
#include "tests/fuzz/fuzz.h"
#include "undo/json.h"
#include "undo/record.h"
#include "undo/record_json.h"

/*
 * Undo records: JSON that is understood comes back equal through parts; parts
 * are never believed with a byte changed, one missing, or for another branch.
 *
 * Input: first byte 0: the rest is one part as it would stand in undo_log.
 * Else: place u16 (of the byte to be changed), then the JSON of a record.
 */

#define XID    BYTES("127.0.0.1:8091:4711")
#define BRANCH 7

struct work {
	struct arena arena;
	struct buf why;
	struct record_limits limits;
};

static void require_same_image(const struct image *a, const struct image *b)
{
	REQUIRE(a->n_rows == b->n_rows && table_equal(a->table, b->table));
	for (size_t i = 0; i < a->n_rows; i++)
		for (size_t c = 0; c < a->table->n_columns; c++)
			REQUIRE(value_equal(a->rows[i].values[c],
					    b->rows[i].values[c]));
}

static void require_same(const struct record *a, const struct record *b)
{
	REQUIRE(bytes_equal(a->xid, b->xid) && a->branch == b->branch);
	REQUIRE(a->n_tables == b->n_tables && a->n_items == b->n_items);
	for (size_t i = 0; i < a->n_tables; i++)
		REQUIRE(table_equal(a->tables[i], b->tables[i]));
	for (size_t i = 0; i < a->n_items; i++) {
		const struct record_item *x = &a->items[i], *y = &b->items[i];

		REQUIRE(x->kind == y->kind && x->table == y->table);
		require_same_image(&x->before, &y->before);
		require_same_image(&x->after, &y->after);
	}
}

static int decode(struct work *w, struct record *out, struct bytes xid,
		  uint64_t branch, const struct bytes *parts, size_t n)
{
	int rc;

	buf_clear(&w->why);
	rc = record_decode(out, &w->arena, xid, branch, parts, n, &w->limits,
			   &w->why);
	REQUIRE(rc == OK || rc == E_CORRUPT || rc == E_VERSION ||
		rc == E_LIMIT);
	REQUIRE((rc == OK) == (w->why.len == 0));
	return rc;
}

/* ---- a part as it comes ---- */

/* The checksum that a part must have, worked out apart from the code. */
static bool sum_is_right(struct bytes part)
{
	uint64_t seed = hash_bytes(hash_u64(RECORD_VERSION, BRANCH), XID);
	const uint8_t *end = memchr(part.data, '\n', part.len);
	size_t line = (size_t)(end - part.data);
	struct bytes head = { part.data, line - strlen(" sum=") - 16 };
	struct bytes share = { end + 1, part.len - line - 1 };
	struct buf want;
	bool right;

	buf_init(&want, &mem_heap);
	buf_printf(
		&want, " sum=%016llx",
		(unsigned long long)hash_bytes(hash_bytes(seed, head), share));
	right = memcmp(end - want.len, want.data, want.len) == 0;
	buf_fini(&want);
	return right;
}

static void check_raw(struct work *w, struct bytes in)
{
	struct record r;

	if (decode(w, &r, XID, BRANCH, &in, 1) == OK)
		REQUIRE(sum_is_right(in));
}

/* ---- JSON ---- */

static void check_damage(struct work *w, const struct record *r,
			 struct bytes *parts, size_t n, size_t place)
{
	size_t which = place % n;
	size_t at = place / n % parts[which].len;
	uint8_t *byte = (uint8_t *)(uintptr_t)parts[which].data + at;
	struct bytes whole = parts[which];
	struct record got;

	*byte ^= (uint8_t)(1 + place % 255);
	REQUIRE(decode(w, &got, r->xid, r->branch, parts, n) != OK);
	*byte ^= (uint8_t)(1 + place % 255);
	parts[which].len = at;
	REQUIRE(decode(w, &got, r->xid, r->branch, parts, n) != OK);
	parts[which] = whole;
	REQUIRE(decode(w, &got, r->xid, r->branch ^ 1, parts, n) != OK);
	REQUIRE(decode(w, &got, XID, r->branch, parts, n) ==
		(bytes_equal(r->xid, XID) ? OK : E_CORRUPT));
	if (n > 1) {
		parts[which] = parts[(which + 1) % n];
		REQUIRE(decode(w, &got, r->xid, r->branch, parts, n) != OK);
		parts[which] = whole;
		REQUIRE(decode(w, &got, r->xid, r->branch, parts, n - 1) != OK);
	}
}

static void check_parts(struct work *w, const struct record *r, size_t place)
{
	struct record_parts made;
	struct bytes *parts;
	struct record got;

	REQUIRE(record_encode(r, &w->limits, &w->arena, &made, &w->why) == OK);
	REQUIRE(made.n > 0);
	parts = arena_array(&w->arena, made.n, sizeof *parts);
	REQUIRE(parts);
	for (size_t i = 0; i < made.n; i++) {
		REQUIRE(made.parts[i].info.len <= w->limits.part_max);
		parts[made.n - 1 - i] = made.parts[i].info;
	}
	REQUIRE(decode(w, &got, r->xid, r->branch, parts, made.n) == OK);
	require_same(r, &got);
	check_damage(w, r, parts, made.n, place);
}

static void check_json(struct work *w, struct bytes json, size_t place)
{
	struct record r, again;
	struct buf b;
	int rc = record_get_json(&r, &w->arena, json, &w->why);

	REQUIRE(rc == OK || rc == E_CORRUPT || rc == E_VERSION);
	if (json_check(json) != OK)
		REQUIRE(rc != OK);
	if (rc != OK)
		return;
	buf_init(&b, &mem_heap);
	record_put_json(&b, &r);
	REQUIRE(json_check(buf_bytes(&b)) == OK);
	REQUIRE(record_get_json(&again, &w->arena, buf_bytes(&b), NULL) == OK);
	require_same(&r, &again);
	buf_fini(&b);
	check_parts(w, &r, place);
}

void fuzz_one(struct bytes in)
{
	struct reader r = reader_of(in);
	struct work w = { .limits = record_limits_default() };
	uint8_t mode = read_u8(&r);
	size_t place = 0;

	arena_init(&w.arena, &mem_heap, 0);
	buf_init(&w.why, &mem_heap);
	w.limits.raw_max = 1 << 16;
	w.limits.part_max = 1024;
	w.limits.compress_from = mode % 2 ? 200 : 1 << 16;
	if (mode != 0)
		place = read_u16(&r);
	if (mode == 0)
		check_raw(&w, read_raw(&r, reader_left(&r)));
	else
		check_json(&w, read_raw(&r, reader_left(&r)), place);
	buf_fini(&w.why);
	arena_fini(&w.arena);
}

/* ---- seeds ---- */

static const struct table *some_table(enum dialect dialect)
{
	static struct column columns[] = {
		{ .name = { (const uint8_t *)"id", 2 },
		  .type = { (const uint8_t *)"bigint", 6 },
		  .class = VALUE_INT },
		{ .name = { (const uint8_t *)"v \"\xc3\xa9", 5 },
		  .class = VALUE_OTHER,
		  .nullable = true },
		{ .name = { (const uint8_t *)"g", 1 },
		  .type = { (const uint8_t *)"text", 4 },
		  .class = VALUE_TEXT,
		  .nullable = true,
		  .generated = true },
	};
	static const size_t key[] = { 0 };
	static struct table t;

	t = (struct table){ .dialect = dialect,
			    .schema = BYTES("public"),
			    .name = BYTES("t"),
			    .columns = columns,
			    .n_columns = ARRAY_LEN(columns),
			    .key = key,
			    .n_key = 1 };
	return &t;
}

static void add_rows(struct image *img, enum value_type type, size_t n)
{
	static const struct bytes ids[] = { { (const uint8_t *)"1", 1 },
					    { (const uint8_t *)"2", 1 },
					    { (const uint8_t *)"-3", 2 } };

	for (size_t i = 0; i < n; i++) {
		struct value row[] = { { VALUE_INT, ids[i] },
				       { type, BYTES("12\xff") },
				       { VALUE_TEXT, BYTES("a\"b\\\n\x01") } };

		if (type == VALUE_NULL)
			row[1].data.len = 0;
		REQUIRE(image_add(img, row, NULL) == OK);
	}
}

static void some_record(struct record *r, struct arena *a, enum dialect dialect,
			enum value_type type)
{
	const struct table *t = some_table(dialect);

	REQUIRE(record_init(r, a, XID, BRANCH) == OK);
	for (int kind = ITEM_INSERT; kind <= ITEM_MIXED; kind++) {
		struct image before, after;

		image_init(&before, a, t);
		image_init(&after, a, t);
		if (kind != ITEM_INSERT)
			add_rows(&before, type, 2);
		if (kind != ITEM_DELETE)
			add_rows(&after, VALUE_TEXT, 3 - (kind == 2));
		REQUIRE(record_add(r, (enum item_kind)kind, &before, &after) ==
			OK);
	}
}

static void seed_record(const struct fuzz_sink *sink, const struct record *r,
			struct arena *a)
{
	struct record_limits limits = record_limits_default();
	struct record_parts parts;
	struct buf b;

	buf_init(&b, &mem_heap);
	for (uint8_t mode = 1; mode <= 2; mode++) {
		buf_put_u8(&b, mode);
		buf_put_u16(&b, (uint16_t)(r->n_items * 111));
		record_put_json(&b, r);
		fuzz_seed(sink, &b);
		limits.compress_from = mode == 1 ? 64 : 1 << 16;
		REQUIRE(record_encode(r, &limits, a, &parts, &b) == OK);
		buf_put_u8(&b, 0);
		buf_put(&b, parts.parts[0].info);
		fuzz_seed(sink, &b);
	}
	buf_fini(&b);
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	static const enum dialect dialects[] = { DIALECT_POSTGRES,
						 DIALECT_MYSQL,
						 DIALECT_SQLITE };
	struct record r;
	struct arena a;

	arena_init(&a, &mem_heap, 0);
	for (size_t d = 0; d < ARRAY_LEN(dialects); d++) {
		for (int type = VALUE_NULL; type < VALUE_TYPES; type += 3) {
			some_record(&r, &a, dialects[d], (enum value_type)type);
			seed_record(sink, &r, &a);
			record_truncate(&r, 1);
			seed_record(sink, &r, &a);
		}
	}
	arena_fini(&a);
}
