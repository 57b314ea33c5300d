#include "base/hash.h"
#include "tests/fakes/flaky.h"
#include "undo/json.h"
#include "undo/record.h"
#include "undo/record_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <inttypes.h>
#include <zstd.h>

#define XID BYTES("127.0.0.1:8091:4711")

struct fixture {
	struct arena arena;
	struct buf why;
	struct record record;
	struct record_limits limits;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	arena_init(&f->arena, &mem_heap, 0);
	buf_init(&f->why, &mem_heap);
	assert_int_equal(record_init(&f->record, &f->arena, XID, 7), OK);
	f->limits = record_limits_default();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	buf_fini(&f->why);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* A table with a key and a column of one class. */
static struct table *one_column(struct fixture *f, enum value_type class)
{
	struct table *t = arena_alloc(&f->arena, sizeof *t);
	struct column *c = arena_array(&f->arena, 2, sizeof *c);
	size_t *key = arena_alloc(&f->arena, sizeof *key);

	c[0] = (struct column){ .name = BYTES("id"),
				.type = BYTES("bigint"),
				.class = VALUE_INT };
	c[1] = (struct column){ .name = BYTES("v \"\xc3\xa9\\"),
				.type = BYTES("numeric(10,2)"),
				.class = class,
				.nullable = true };
	*t = (struct table){ .dialect = DIALECT_POSTGRES,
			     .schema = BYTES("public"),
			     .name = BYTES("t"),
			     .columns = c,
			     .n_columns = 2,
			     .key = key,
			     .n_key = 1 };
	return t;
}

static void add(struct image *img, const char *id, struct value v)
{
	struct value row[2] = { { VALUE_INT, bytes_of(id) }, v };

	assert_int_equal(image_add(img, row, NULL), OK);
}

static void assert_same_image(const struct image *a, const struct image *b)
{
	assert_int_equal(a->n_rows, b->n_rows);
	assert_true(table_equal(a->table, b->table));
	for (size_t i = 0; i < a->n_rows; i++)
		for (size_t c = 0; c < a->table->n_columns; c++)
			assert_true(value_equal(a->rows[i].values[c],
						b->rows[i].values[c]));
}

static void assert_same(const struct record *a, const struct record *b)
{
	assert_true(bytes_equal(a->xid, b->xid));
	assert_true(a->branch == b->branch);
	assert_int_equal(a->n_tables, b->n_tables);
	assert_int_equal(a->n_items, b->n_items);
	for (size_t i = 0; i < a->n_items; i++) {
		assert_int_equal(a->items[i].kind, b->items[i].kind);
		assert_int_equal(a->items[i].table, b->items[i].table);
		assert_same_image(&a->items[i].before, &b->items[i].before);
		assert_same_image(&a->items[i].after, &b->items[i].after);
	}
}

static struct bytes *infos(struct fixture *f, const struct record_parts *parts)
{
	struct bytes *b = arena_array(&f->arena, parts->n + 1, sizeof *b);

	for (size_t i = 0; i < parts->n; i++)
		b[i] = parts->parts[i].info;
	return b;
}

static int decode(struct fixture *f, struct record *out,
		  const struct bytes *parts, size_t n)
{
	buf_clear(&f->why);
	return record_decode(out, &f->arena, XID, 7, parts, n, &f->limits,
			     &f->why);
}

static struct record_parts encode(struct fixture *f)
{
	struct record_parts parts;

	assert_int_equal(record_encode(&f->record, &f->limits, &f->arena,
				       &parts, &f->why),
			 OK);
	for (size_t i = 0; i < parts.n; i++)
		assert_true(parts.parts[i].info.len <= f->limits.part_max);
	return parts;
}

static size_t round_trip(struct fixture *f)
{
	struct record_parts parts = encode(f);
	struct record got;

	if (decode(f, &got, infos(f, &parts), parts.n) != OK)
		fail_msg("%s", buf_text(&f->why));
	assert_same(&f->record, &got);
	return parts.n;
}

/* ---- values ---- */

#define V(type, text)                                                          \
	{                                                                      \
		type,                                                          \
		{                                                              \
			(const uint8_t *)(text), sizeof(text) - 1              \
		}                                                              \
	}

static const struct {
	enum value_type class;
	struct value value;
} cells[] = {
	{ VALUE_INT, { VALUE_NULL, { 0 } } },
	{ VALUE_INT, V(VALUE_INT, "0") },
	{ VALUE_INT, V(VALUE_INT, "-9223372036854775808") },
	{ VALUE_INT, V(VALUE_INT, "9223372036854775807") },
	{ VALUE_INT, V(VALUE_INT, "18446744073709551615") },
	{ VALUE_INT, V(VALUE_INT, "9007199254740993") },
	{ VALUE_NUMBER, V(VALUE_NUMBER, "1.50") },
	{ VALUE_NUMBER, V(VALUE_NUMBER, "-0.000") },
	{ VALUE_NUMBER, V(VALUE_NUMBER, "NaN") },
	{ VALUE_NUMBER, V(VALUE_NUMBER, "-Infinity") },
	{ VALUE_FLOAT, V(VALUE_FLOAT, "0.1") },
	{ VALUE_FLOAT, V(VALUE_FLOAT, "5e-324") },
	{ VALUE_FLOAT, V(VALUE_FLOAT, "1.7976931348623157e+308") },
	{ VALUE_FLOAT, V(VALUE_FLOAT, "-0") },
	{ VALUE_FLOAT, V(VALUE_FLOAT, "NaN") },
	{ VALUE_BOOL, V(VALUE_BOOL, "t") },
	{ VALUE_BOOL, V(VALUE_BOOL, "f") },
	{ VALUE_TEXT, V(VALUE_TEXT, "") },
	{ VALUE_TEXT, V(VALUE_TEXT, "null") },
	{ VALUE_TEXT, V(VALUE_TEXT, "  padded  ") },
	{ VALUE_TEXT, V(VALUE_TEXT, "a\"b\\c/d\b\f\n\r\t\x01\x1f\x7f") },
	{ VALUE_TEXT, V(VALUE_TEXT, "\\u0041 \\n") },
	{ VALUE_TEXT, V(VALUE_TEXT, "\xf0\x9f\x92\xb0 \xe2\x82\xac") },
	{ VALUE_TEXT, V(VALUE_TEXT, "\xf4\x8f\xbf\xbf") },
	{ VALUE_TEXT, V(VALUE_TEXT, "\xef\xbb\xbf BOM") },
	{ VALUE_TEXT, V(VALUE_TEXT, "\xff\xfe latin1 \xe9") },
	{ VALUE_TEXT, V(VALUE_TEXT, "\xc0\x80 overlong") },
	{ VALUE_TEXT, V(VALUE_TEXT, "\xed\xa0\x80 surrogate") },
	{ VALUE_TEXT, V(VALUE_TEXT, "\xf4\x90\x80\x80") },
	{ VALUE_TEXT, V(VALUE_TEXT, "cut \xe2\x82") },
	{ VALUE_TEXT, V(VALUE_TEXT, "nul \0 inside") },
	{ VALUE_BYTES, V(VALUE_BYTES, "") },
	{ VALUE_BYTES, V(VALUE_BYTES, "\0\1\2\xff") },
	{ VALUE_BYTES, V(VALUE_BYTES, "plain text") },
	{ VALUE_BIT, V(VALUE_BIT, "00001") },
	{ VALUE_DATE, V(VALUE_DATE, "0044-03-15 BC") },
	{ VALUE_DATE, V(VALUE_DATE, "infinity") },
	{ VALUE_DATE, V(VALUE_DATE, "0000-00-00") },
	{ VALUE_TIME, V(VALUE_TIME, "-838:59:59.000000") },
	{ VALUE_TIME, V(VALUE_TIME, "24:00:00") },
	{ VALUE_TIMESTAMP, V(VALUE_TIMESTAMP, "2026-02-28 23:59:59.9") },
	{ VALUE_TIMESTAMPTZ,
	  V(VALUE_TIMESTAMPTZ, "2026-03-29 01:30:00.000001+00") },
	{ VALUE_JSON, V(VALUE_JSON, "{\"a\": [1, 1e400, \"\\u0000\"]}") },
	{ VALUE_OTHER, V(VALUE_OTHER, "{1,2,NULL,\"x y\"}") },
	{ VALUE_OTHER, V(VALUE_INT, "12") }, /* SQLite: any in any */
	{ VALUE_OTHER, V(VALUE_FLOAT, "12.0") },
	{ VALUE_OTHER, V(VALUE_TEXT, "12") },
	{ VALUE_OTHER, V(VALUE_TEXT, "\xff") },
	{ VALUE_OTHER, V(VALUE_BYTES, "12") },
	{ VALUE_BYTES, V(VALUE_TEXT, "12") },
	{ VALUE_NULL, V(VALUE_TEXT, "12") },
};

static void test_every_value_survives_exactly(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		const struct table *t = one_column(f, cells[i].class);
		struct image before, after;

		image_init(&before, &f->arena, t);
		image_init(&after, &f->arena, t);
		add(&before, "1", cells[i].value);
		add(&after, "1", (struct value){ VALUE_NULL, { 0 } });
		assert_int_equal(
			record_add(&f->record, ITEM_UPDATE, &before, &after),
			OK);
	}
	assert_int_equal(f->record.n_items, ARRAY_LEN(cells));
	assert_int_equal(round_trip(f), 1);
}

static void test_a_number_of_a_thousand_digits_survives(void **state)
{
	struct fixture *f = *state;
	const struct table *t = one_column(f, VALUE_NUMBER);
	char digits[1002];
	struct image before, after;

	for (size_t i = 0; i < sizeof digits; i++)
		digits[i] = (char)('0' + (i * 7 + 1) % 10);
	digits[500] = '.';
	image_init(&before, &f->arena, t);
	image_init(&after, &f->arena, t);
	add(&after, "1",
	    (struct value){ VALUE_NUMBER,
			    { (const uint8_t *)digits, sizeof digits } });
	assert_int_equal(record_add(&f->record, ITEM_INSERT, &before, &after),
			 OK);
	round_trip(f);
	assert_memory_equal(
		f->record.items[0].after.rows[0].values[1].data.data, digits,
		sizeof digits);
}

static void test_every_flag_of_a_column_survives(void **state)
{
	struct fixture *f = *state;
	struct table *t = one_column(f, VALUE_TEXT);
	struct column c[6];
	struct value row[6];
	struct image before, after;

	memset(c, 0, sizeof c);
	for (size_t i = 0; i < 6; i++) {
		static const char *const names[] = { "a", "b", "c",
						     "d", "e", "f" };

		c[i].name = bytes_of(names[i]);
		c[i].class = VALUE_TEXT;
		row[i] = (struct value){ VALUE_TEXT, c[i].name };
	}
	c[0].nullable = c[1].generated = c[2].always_identity = true;
	c[3].auto_increment = c[4].rowid = c[5].folds = true;
	t->columns = c;
	t->n_columns = 6;
	image_init(&before, &f->arena, t);
	image_init(&after, &f->arena, t);
	assert_int_equal(image_add(&before, row, NULL), OK);
	assert_int_equal(record_add(&f->record, ITEM_DELETE, &before, &after),
			 OK);
	round_trip(f);
}

static void test_text_is_utf8_to_its_very_end(void **state)
{
	(void)state;
	assert_true(json_is_text(BYTES("\xf4\x8f\xbf\xbf")));
	assert_false(json_is_text(BYTES("\xf4\x90\x80\x80")));
	assert_true(json_is_text(BYTES("\xed\x9f\xbf \xee\x80\x80")));
	assert_false(json_is_text(BYTES("\xed\xa0\x80")));
	assert_false(json_is_text(BYTES("\xed\xbf\xbf")));
	assert_true(json_is_text(BYTES("\xc2\x80 \xe0\xa0\x80")));
	assert_false(json_is_text(BYTES("\xc1\xbf")));
	assert_false(json_is_text(BYTES("\xe0\x9f\xbf")));
	assert_true(json_is_text(BYTES("\xf0\x90\x80\x80")));
	assert_false(json_is_text(BYTES("\xf0\x8f\xbf\xbf")));
	assert_false(json_is_text(BYTES("\xf8\x88\x80\x80\x80")));
	assert_true(json_is_text(BYTES("")));
}

static void test_an_empty_record_survives(void **state)
{
	assert_int_equal(round_trip(*state), 1);
}

/* ---- size ---- */

static void fill(struct fixture *f, size_t n, uint64_t seed)
{
	const struct table *t = one_column(f, VALUE_BYTES);
	struct image before, after;
	char id[24];
	struct buf b;

	buf_init(&b, &mem_heap);
	image_init(&before, &f->arena, t);
	image_init(&after, &f->arena, t);
	for (size_t i = 0; i < n; i++) {
		uint64_t noise[4];

		for (size_t k = 0; k < 4; k++)
			noise[k] = random_next(&seed);
		buf_clear(&b);
		buf_printf(&b, "%zu", i);
		memcpy(id, buf_text(&b), b.len + 1);
		add(&before, id,
		    (struct value){ VALUE_BYTES,
				    { (uint8_t *)noise, sizeof noise } });
		noise[0] ^= 1;
		add(&after, id,
		    (struct value){ VALUE_BYTES,
				    { (uint8_t *)noise, sizeof noise } });
	}
	buf_fini(&b);
	assert_int_equal(record_add(&f->record, ITEM_UPDATE, &before, &after),
			 OK);
}

static void test_ten_thousand_rows_are_compressed_and_split(void **state)
{
	struct fixture *f = *state;
	struct record_parts parts;

	fill(f, 10000, 1);
	f->limits.part_max = 64 << 10;
	parts = encode(f);
	assert_true(parts.n > 5);
	assert_non_null(strstr((const char *)parts.parts[0].context.data,
			       "compressorType=ZSTD"));
	assert_true(parts.parts[0].context.len <= 128);
	assert_int_equal(round_trip(f), parts.n);
}

static void test_parts_may_come_in_any_order(void **state)
{
	struct fixture *f = *state;
	struct record_parts parts;
	struct bytes *b, swap;
	struct record got;

	fill(f, 100, 2);
	f->limits.part_max = 1024;
	parts = encode(f);
	b = infos(f, &parts);
	assert_true(parts.n > 3);
	swap = b[0];
	b[0] = b[parts.n - 1];
	b[parts.n - 1] = swap;
	assert_int_equal(decode(f, &got, b, parts.n), OK);
	assert_same(&f->record, &got);
}

static void test_short_records_stay_readable(void **state)
{
	struct fixture *f = *state;
	struct record_parts parts;

	fill(f, 2, 3);
	parts = encode(f);
	assert_int_equal(parts.n, 1);
	assert_non_null(strstr((const char *)parts.parts[0].info.data,
			       "\"xid\":\"127.0.0.1:8091:4711\""));
	assert_string_equal((const char *)parts.parts[0].context.data,
			    "serializer=treaty-json/1&compressorType=NONE"
			    "&part=1/1");
}

static void test_limits_are_kept_when_writing_and_reading(void **state)
{
	struct fixture *f = *state;
	struct record_parts parts, kept;
	struct record got;

	fill(f, 1000, 4);
	f->limits.part_max = 2048;
	kept = encode(f);
	f->limits.parts_max = kept.n - 1;
	assert_int_equal(record_encode(&f->record, &f->limits, &f->arena,
				       &parts, &f->why),
			 E_LIMIT);
	assert_int_equal(decode(f, &got, infos(f, &kept), kept.n), E_LIMIT);
	f->limits.parts_max = kept.n;
	f->limits.raw_max = 1000;
	assert_int_equal(record_encode(&f->record, &f->limits, &f->arena,
				       &parts, &f->why),
			 E_LIMIT);
	assert_int_equal(decode(f, &got, infos(f, &kept), kept.n), E_LIMIT);
	assert_non_null(strstr(buf_text(&f->why), "raise the limit"));
}

/* ---- damage ---- */

static void test_every_changed_byte_is_found(void **state)
{
	struct fixture *f = *state;
	struct record_parts parts;
	struct bytes *b;

	fill(f, 60, 5);
	f->limits.part_max = 1024;
	f->limits.compress_from = 1000;
	parts = encode(f);
	assert_true(parts.n >= 3);
	b = infos(f, &parts);
	for (size_t p = 0; p < parts.n; p++) {
		struct bytes damaged = arena_bytes(&f->arena, b[p]);
		uint8_t *data = (uint8_t *)(uintptr_t)damaged.data;

		for (size_t i = 0; i < damaged.len; i++) {
			for (int flip = 1; flip < 256; flip <<= 1) {
				struct record got;
				struct bytes was = b[p];
				int rc;

				data[i] ^= (uint8_t)flip;
				b[p] = damaged;
				rc = decode(f, &got, b, parts.n);
				assert_true(rc == E_CORRUPT || rc == E_VERSION);
				assert_true(f->why.len > 0);
				data[i] ^= (uint8_t)flip;
				b[p] = was;
			}
		}
	}
}

static void test_every_cut_is_found(void **state)
{
	struct fixture *f = *state;
	struct record_parts parts;
	struct record got;

	fill(f, 3, 6);
	parts = encode(f);
	for (size_t len = 0; len < parts.parts[0].info.len; len++) {
		struct bytes cut = { parts.parts[0].info.data, len };

		assert_int_equal(decode(f, &got, &cut, 1), E_CORRUPT);
	}
}

static void assert_corrupt(struct fixture *f, const struct bytes *b, size_t n,
			   const char *text)
{
	struct record got;

	assert_int_equal(decode(f, &got, b, n), E_CORRUPT);
	if (!strstr(buf_text(&f->why), text))
		fail_msg("\"%s\" does not say \"%s\"", buf_text(&f->why), text);
}

static void test_missing_and_mixed_up_parts_are_named(void **state)
{
	struct fixture *f = *state;
	struct record_parts parts, other;
	struct bytes *b, *o, keep;

	fill(f, 100, 7);
	f->limits.part_max = 2048;
	parts = encode(f);
	b = infos(f, &parts);
	assert_corrupt(f, b, 0, "no part");
	assert_corrupt(f, b, parts.n - 1, "missing");
	keep = b[1];
	b[1] = b[2];
	assert_corrupt(f, b, parts.n, "part 3 is there twice");
	b[1] = keep;

	record_truncate(&f->record, 0);
	fill(f, 100, 8);
	other = encode(f);
	o = infos(f, &other);
	b[1] = o[1];
	assert_corrupt(f, b, parts.n, "part 2");
}

static void test_a_record_is_bound_to_its_branch(void **state)
{
	struct fixture *f = *state;
	struct record_parts parts;
	struct record got;

	fill(f, 2, 9);
	parts = encode(f);
	assert_int_equal(record_decode(&got, &f->arena, XID, 8,
				       &parts.parts[0].info, 1, &f->limits,
				       NULL),
			 E_CORRUPT);
	assert_int_equal(record_decode(&got, &f->arena, BYTES("h:1:1"), 7,
				       &parts.parts[0].info, 1, &f->limits,
				       NULL),
			 E_CORRUPT);
}

static void test_another_version_is_called_by_its_name(void **state)
{
	struct fixture *f = *state;
	struct bytes future = BYTES("treaty-undo/2 who=knows\n{}");
	struct record got;

	assert_int_equal(decode(f, &got, &future, 1), E_VERSION);
	assert_non_null(strstr(buf_text(&f->why), "version"));
}

/* ---- parts that are sound by their checksums, but lie ---- */

struct lie {
	uint64_t part, parts, zstd, raw, len;
	struct bytes share;
};

/* A part as only we could have written it. */
static struct bytes forge(struct fixture *f, struct lie lie)
{
	uint64_t seed = hash_bytes(hash_u64(RECORD_VERSION, 7), XID);
	struct bytes part;
	struct buf b;

	buf_init(&b, &mem_heap);
	buf_printf(&b,
		   "treaty-undo/1 part=%" PRIu64 "/%" PRIu64 " zstd=%" PRIu64
		   " raw=%" PRIu64 " len=%" PRIu64 " all=%016" PRIx64,
		   lie.part, lie.parts, lie.zstd, lie.raw, lie.len,
		   hash_bytes(seed, lie.share));
	buf_printf(&b, " sum=%016" PRIx64 "\n",
		   hash_bytes(hash_bytes(seed, buf_bytes(&b)), lie.share));
	buf_put(&b, lie.share);
	part = arena_bytes(&f->arena, buf_bytes(&b));
	buf_fini(&b);
	return part;
}

static void test_a_sound_checksum_is_not_trusted(void **state)
{
	struct fixture *f = *state;
	static uint8_t packed[1024], zeros[100000];
	size_t len =
		ZSTD_compress(packed, sizeof packed, zeros, sizeof zeros, 1);
	struct bytes bomb = { packed, len }, junk = BYTES("not zstd"),
		     cut = { packed, len - 3 };
	const struct {
		struct lie lie;
		int rc;
		const char *text;
	} cases[] = {
		{ { 1, 1, 1, (uint64_t)1 << 40, len, bomb }, E_LIMIT, "limit" },
		{ { 1, 1, 0, 8, (uint64_t)1 << 40, junk }, E_LIMIT, "limit" },
		{ { 1, 1, 1, 10, len, bomb }, E_CORRUPT, "compressed length" },
		{ { 1, 1, 1, 10, 8, junk }, E_CORRUPT, "compressed length" },
		{ { 1, 1, 1, sizeof zeros, len - 3, cut },
		  E_CORRUPT,
		  "cannot be uncompressed" },
		{ { 1, 1, 1, sizeof zeros, len, bomb }, E_CORRUPT, "JSON" },
		{ { 1, 1, 0, 9, 8, junk }, E_CORRUPT, "length" },
		{ { 1, 1, 0, 8, 9, junk }, E_CORRUPT, "make 8 bytes" },
		{ { 1, 1, 0, 8, 8, junk }, E_CORRUPT, "JSON" },
		{ { 0, 1, 0, 8, 8, junk }, E_CORRUPT, "cannot be" },
		{ { 2, 1, 0, 8, 8, junk }, E_CORRUPT, "cannot be" },
		{ { 1, 0, 0, 8, 8, junk }, E_CORRUPT, "parts are there" },
	};
	struct record got;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes part = forge(f, cases[i].lie);

		assert_int_equal(decode(f, &got, &part, 1), cases[i].rc);
		if (!strstr(buf_text(&f->why), cases[i].text))
			fail_msg("case %zu: %s", i, buf_text(&f->why));
	}
}

static void test_the_branch_inside_must_be_the_one_outside(void **state)
{
	struct fixture *f = *state;
	struct bytes json =
		BYTES("{\"version\":\"1\",\"xid\":\"127.0.0.1:8091:4711\","
		      "\"branch\":\"8\",\"tables\":[],\"items\":[]}");
	struct bytes part =
		forge(f, (struct lie){ 1, 1, 0, json.len, json.len, json });

	assert_corrupt(f, &part, 1, "another branch's");
}

/* ---- JSON ---- */

#define HEAD "{\"version\":\"1\",\"xid\":\"h:1:1\",\"branch\":\"7\","
#define COLUMN                                                                 \
	"{\"name\":\"id\",\"type\":\"int\",\"class\":\"int\",\"new\":[{}]}"
#define TABLE(columns, key)                                                    \
	"{\"dialect\":\"mysql\",\"schema\":\"\",\"name\":\"t\",\"columns\":"   \
	"[" columns "],\"key\":[" key "],\"comment\":null}"
#define ONE_TABLE "\"tables\":[" TABLE(COLUMN, "\"id\"") "],"
#define ITEM(table, before)                                                    \
	"\"items\":[{\"kind\":\"mixed\",\"table\":" table                      \
	",\"before\":" before                                                  \
	",\"after\":[[\"1\"]],\"took\":1.5}],\"later\":{\"a\":true}}"

static void test_unknown_members_are_passed_over(void **state)
{
	struct fixture *f = *state;
	struct record got;

	assert_int_equal(
		record_get_json(&got, &f->arena,
				BYTES(HEAD ONE_TABLE ITEM("\"0\"", "[]")),
				&f->why),
		OK);
	assert_int_equal(got.n_items, 1);
	assert_int_equal(got.items[0].kind, ITEM_MIXED);
	assert_int_equal(got.items[0].after.n_rows, 1);
	assert_true(got.branch == 7);
}

static void test_json_that_is_no_record_is_refused(void **state)
{
	static const struct {
		const char *json;
		int rc;
	} cases[] = {
		{ "[]", E_CORRUPT },
		{ "{}", E_CORRUPT },
		{ "{\"version\":1}", E_CORRUPT },
		{ "{\"version\":\"01\"}", E_CORRUPT },
		{ "{\"version\":\"x\"}", E_CORRUPT },
		{ "{\"version\":\"2\"}", E_VERSION },
		{ "{\"version\":\"1\",\"branch\":\"0\",\"xid\":\"x\"}",
		  E_CORRUPT },
		{ "{\"version\":\"1\",\"branch\":\"18446744073709551616\","
		  "\"xid\":\"x\"}",
		  E_CORRUPT },
		{ "{\"version\":\"1\",\"branch\":\"1\"}", E_CORRUPT },
		{ HEAD "\"tables\":[{}]}", E_CORRUPT },
		{ HEAD "\"tables\":[{\"dialect\":\"mysql\"}]}", E_CORRUPT },
		{ HEAD "\"tables\":[{\"dialect\":\"dbase\"}]}", E_CORRUPT },
		{ HEAD "\"tables\":[" TABLE("", "\"id\"") "]}", E_CORRUPT },
		{ HEAD "\"tables\":[" TABLE("{}", "\"id\"") "]}", E_CORRUPT },
		{ HEAD "\"tables\":[" TABLE(
			  "{\"name\":\"id\",\"type\":\"\",\"class\":\"?\"}",
			  "\"id\"") "]}",
		  E_CORRUPT },
		{ HEAD "\"tables\":[" TABLE(COLUMN, "") "]}", E_CORRUPT },
		{ HEAD "\"tables\":[" TABLE(COLUMN, "7") "]}", E_CORRUPT },
		{ HEAD "\"tables\":[" TABLE(COLUMN, "\"x\"") "]}", E_CORRUPT },
		{ HEAD ONE_TABLE "\"items\":[{}]}", E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"1\"", "[]"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("0", "[]"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "null"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "[[]]"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "[[null]]"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "[[1]]"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "[[\"1\",\"2\"]]"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "[[{}]]"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "[[{\"text\":1}]]"), E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "[[{\"base64\":\"?\"}]]"),
		  E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"",
				      "[[{\"type\":\"?\",\"text\":\"1\"}]]"),
		  E_CORRUPT },
		{ HEAD ONE_TABLE ITEM("\"0\"", "[[{\"type\":\"null\","
					       "\"text\":\"1\"}]]"),
		  E_CORRUPT },
	};
	struct fixture *f = *state;
	struct record got;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = record_get_json(&got, &f->arena,
					 bytes_of(cases[i].json), &f->why);

		if (rc != cases[i].rc)
			fail_msg("%s: %s", err_name(rc), cases[i].json);
	}
}

static void test_only_json_passes_the_check(void **state)
{
	static const char *const good[] = { "null",
					    " [ ] ",
					    "{}",
					    "[1,-2.5e+3,true,false,null,\"x\"]",
					    "{\"a\":{\"b\":[{}]}}",
					    "\"\\u00e9\\n\\\\\"" };
	static const char *const bad[] = { "",
					   " ",
					   "[",
					   "]",
					   "{",
					   "[1,]",
					   "[,1]",
					   "{\"a\"}",
					   "{\"a\":}",
					   "{a:1}",
					   "nul",
					   "01x",
					   "-",
					   "1.",
					   "1e",
					   "[1 2]",
					   "\"",
					   "\"\\",
					   "\"\\x\"",
					   "\"\\u00\"",
					   "\"\\u0000\"",
					   "\"\\ud800\"",
					   "\"\n\"",
					   "\"\xff\"",
					   "null null",
					   "+1",
					   "1-2" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(json_check(bytes_of(good[i])), OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (json_check(bytes_of(bad[i])) != E_INVALID)
			fail_msg("passed: %s", bad[i]);
}

static void test_json_may_not_nest_without_end(void **state)
{
	char deep[100000];

	(void)state;
	memset(deep, '[', sizeof deep);
	assert_int_equal(
		json_check((struct bytes){ (uint8_t *)deep, sizeof deep }),
		E_INVALID);
}

/* ---- building ---- */

static void test_a_contradictory_item_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct table *t = one_column(f, VALUE_TEXT);
	struct table *u = one_column(f, VALUE_TEXT);
	struct image empty, full, foreign;

	u->name = BYTES("u");
	image_init(&empty, &f->arena, t);
	image_init(&full, &f->arena, t);
	image_init(&foreign, &f->arena, u);
	add(&full, "1", (struct value){ VALUE_NULL, { 0 } });
	assert_int_equal(record_add(&f->record, ITEM_INSERT, &full, &full),
			 E_INVALID);
	assert_int_equal(record_add(&f->record, ITEM_DELETE, &empty, &full),
			 E_INVALID);
	assert_int_equal(record_add(&f->record, ITEM_UPDATE, &foreign, &full),
			 E_INVALID);
	assert_int_equal(f->record.n_items, 0);
	assert_int_equal(record_add(&f->record, ITEM_MIXED, &empty, &empty),
			 OK);
	assert_int_equal(f->record.n_items, 0);
}

static void test_a_row_without_a_whole_key_is_refused(void **state)
{
	struct fixture *f = *state;
	struct value row[2] = { { VALUE_NULL, { 0 } }, { VALUE_NULL, { 0 } } };
	struct image img;

	image_init(&img, &f->arena, one_column(f, VALUE_TEXT));
	assert_int_equal(image_add(&img, row, NULL), E_UNSUPPORTED);
	assert_int_equal(img.n_rows, 0);
}

static void test_a_table_without_a_key_is_refused(void **state)
{
	struct fixture *f = *state;
	struct table *t = one_column(f, VALUE_TEXT);
	struct column twice[2];
	size_t key[2] = { 0, 0 };

	t->n_key = 0;
	assert_int_equal(table_check(t, &f->why), E_UNSUPPORTED);
	assert_non_null(strstr(buf_text(&f->why), "public.t"));
	t->key = key;
	t->n_key = 2;
	assert_int_equal(table_check(t, NULL), E_INVALID);
	key[1] = 2;
	assert_int_equal(table_check(t, NULL), E_INVALID);
	t->n_key = 1;
	assert_int_equal(table_check(t, NULL), OK);
	twice[0] = twice[1] = t->columns[0];
	t->columns = twice;
	assert_int_equal(table_check(t, NULL), E_INVALID);
}

static void test_names_of_types_are_read_back(void **state)
{
	(void)state;
	for (int i = 0; i < VALUE_TYPES; i++) {
		enum value_type type = VALUE_TYPES;
		const char *name = value_type_name((enum value_type)i);

		assert_int_equal(value_type_parse(bytes_of(name), &type), OK);
		assert_int_equal(type, i);
	}
	assert_false(value_equal((struct value){ VALUE_TEXT, BYTES("1") },
				 (struct value){ VALUE_INT, BYTES("1") }));
}

static void test_the_difference_shows_three_states(void **state)
{
	struct fixture *f = *state;
	const struct table *t = one_column(f, VALUE_NUMBER);
	struct image img;

	image_init(&img, &f->arena, t);
	add(&img, "1", (struct value){ VALUE_NUMBER, BYTES("10.00") });
	add(&img, "1", (struct value){ VALUE_NUMBER, BYTES("7.50") });
	row_difference(&f->why, t, &img.rows[0], &img.rows[1], NULL);
	assert_string_equal(
		buf_text(&f->why),
		"{\"table\":\"public.t\",\"key\":{\"id\":\"1\"},\"before\":"
		"\"present\",\"after\":\"present\",\"now\":\"absent\","
		"\"columns\":[{\"name\":\"id\",\"type\":\"bigint\",\"before\":"
		"\"1\",\"after\":\"1\",\"now\":null},{\"name\":"
		"\"v \\\"\xc3\xa9\\\\\",\"type\":\"numeric(10,2)\",\"before\":"
		"\"10.00\",\"after\":\"7.50\",\"now\":null}]}");
	assert_int_equal(json_check(buf_bytes(&f->why)), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_value_survives_exactly),
		TEST(test_a_number_of_a_thousand_digits_survives),
		TEST(test_every_flag_of_a_column_survives),
		TEST(test_text_is_utf8_to_its_very_end),
		TEST(test_an_empty_record_survives),
		TEST(test_ten_thousand_rows_are_compressed_and_split),
		TEST(test_parts_may_come_in_any_order),
		TEST(test_short_records_stay_readable),
		TEST(test_limits_are_kept_when_writing_and_reading),
		TEST(test_every_changed_byte_is_found),
		TEST(test_every_cut_is_found),
		TEST(test_missing_and_mixed_up_parts_are_named),
		TEST(test_a_record_is_bound_to_its_branch),
		TEST(test_another_version_is_called_by_its_name),
		TEST(test_a_sound_checksum_is_not_trusted),
		TEST(test_the_branch_inside_must_be_the_one_outside),
		TEST(test_unknown_members_are_passed_over),
		TEST(test_json_that_is_no_record_is_refused),
		TEST(test_only_json_passes_the_check),
		TEST(test_json_may_not_nest_without_end),
		TEST(test_a_contradictory_item_is_refused),
		TEST(test_a_row_without_a_whole_key_is_refused),
		TEST(test_a_table_without_a_key_is_refused),
		TEST(test_names_of_types_are_read_back),
		TEST(test_the_difference_shows_three_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
