#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_values_are_written_with_commas_between(void **state)
{
	struct json j;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	json_init(&j, &b);
	json_object(&j, NULL);
	json_id(&j, "id", UINT64_MAX);
	json_array(&j, "list");
	json_number(&j, NULL, 1);
	json_bool(&j, NULL, true);
	json_null(&j, NULL);
	json_object(&j, NULL);
	json_end(&j);
	json_array(&j, NULL);
	json_end(&j);
	json_end(&j);
	json_text_or_null(&j, "none", (struct bytes){ 0 });
	json_raw(&j, "raw", BYTES("{\"a\": 1}"));
	json_text(&j, "last", BYTES("x"));
	json_end(&j);
	assert_string_equal(buf_text(&b),
			    "{\"id\":\"18446744073709551615\","
			    "\"list\":[1,true,null,{},[]],\"none\":null,"
			    "\"raw\":{\"a\": 1},\"last\":\"x\"}");
	assert_true(json_valid(buf_bytes(&b)));
	buf_fini(&b);
}

static void expect_text(struct bytes in, const char *out)
{
	struct buf b;

	buf_init(&b, &mem_heap);
	json_put_text(&b, in);
	assert_string_equal(buf_text(&b), out);
	assert_true(json_valid(buf_bytes(&b)));
	buf_fini(&b);
}

static void test_text_is_escaped_and_always_utf8(void **state)
{
	(void)state;
	expect_text(BYTES(""), "\"\"");
	expect_text(BYTES("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
	expect_text(BYTES("\b\f\n\r\t\x01\x7f\0"),
		    "\"\\b\\f\\n\\r\\t\\u0001\\u007f\\u0000\"");
	expect_text(BYTES("\xe5\x8d\x8f\xe8\xae\xae"),
		    "\"\xe5\x8d\x8f\xe8\xae\xae\"");
	expect_text(BYTES("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");
	expect_text(BYTES("a\xff\xc3"), "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
	expect_text(BYTES("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_every_run_of_bytes_becomes_a_valid_string(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		uint8_t bytes[24];
		struct buf b;

		for (size_t i = 0; i < sizeof bytes; i++) {
			seed = seed * 1664525u + 1013904223u;
			bytes[i] = (uint8_t)(seed >> 24);
		}
		buf_init(&b, &mem_heap);
		json_put_text(&b, (struct bytes){ bytes, sizeof bytes });
		assert_true(json_valid(buf_bytes(&b)));
		assert_true(utf8_valid(buf_bytes(&b)));
		buf_fini(&b);
	}
}

static void test_json_is_told_from_what_only_looks_like_it(void **state)
{
	static const char *const good[] = {
		"0",
		"-0",
		"1.5e-3",
		"1E+9",
		"\"\"",
		"true",
		"false",
		"null",
		"[]",
		"{}",
		" [ 1 , [ ] , { } ] ",
		"{\"a\":{\"b\":[1,2]}}",
		"\"\\u00e9\\n\\/\"",
		"\t{\"a\" : 1 , \"b\":[]}\n",
	};
	static const char *const bad[] = {
		"",
		" ",
		"01",
		"1.",
		".5",
		"+1",
		"1e",
		"-",
		"tru",
		"nul",
		"\"",
		"\"\n\"",
		"\"\\x\"",
		"\"\\u12g4\"",
		"\"\\u12",
		"\"\\",
		"[",
		"[1,]",
		"[,1]",
		"[1 2]",
		"]",
		"{",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{1:1}",
		"{\"a\":1]",
		"[1}",
		"1 2",
		"{}{}",
		"[1]]",
		"\"\xff\"",
		"\"\xed\xa0\x80\"",
		"'a'",
		"NaN",
		"{\"a\":1,\"b\"}",
		"[[1],",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!json_valid(bytes_of(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (json_valid(bytes_of(bad[i])))
			fail_msg("taken: %s", bad[i]);
}

static void test_deep_nesting_is_refused_and_does_not_crash(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_put_char(&b, '[');
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_put_char(&b, ']');
	assert_true(json_valid(buf_bytes(&b)));
	buf_clear(&b);
	for (int i = 0; i < 1000000; i++)
		buf_put_char(&b, '[');
	assert_false(json_valid(buf_bytes(&b)));
	buf_fini(&b);
}

static void test_utf8_refuses_what_the_rfc_refuses(void **state)
{
	uint32_t code = 0;

	(void)state;
	assert_int_equal(utf8_decode(BYTES("\xe4\xbd\xa0x"), &code), 3);
	assert_int_equal(code, 0x4f60);
	assert_int_equal(utf8_decode(BYTES("\xf4\x8f\xbf\xbf"), &code), 4);
	assert_int_equal(code, 0x10ffff);
	assert_int_equal(utf8_decode(BYTES(""), &code), 0);
	assert_int_equal(utf8_decode(BYTES("\xf4\x90\x80\x80"), &code), 0);
	assert_int_equal(utf8_decode(BYTES("\xe0\x80\xaf"), &code), 0);
	assert_int_equal(utf8_decode(BYTES("\xf0\x80\x80\xaf"), &code), 0);
	assert_int_equal(utf8_decode(BYTES("\xed\xbf\xbf"), &code), 0);
	assert_int_equal(utf8_decode(BYTES("\xc3"), &code), 0);
	assert_int_equal(utf8_decode(BYTES("\xc3x"), &code), 0);
	assert_int_equal(utf8_decode(BYTES("\x80"), &code), 0);
	assert_true(utf8_valid(BYTES("\xc3\xa9t\xc3\xa9")));
	assert_false(utf8_valid(BYTES("ab\xf5")));
}

static void test_members_are_walked_in_order(void **state)
{
	struct bytes document = BYTES(
		" { \"a\" : [1, {\"x\":[]} ,\"t\"] , \"b\":{},\"c\":-1.50 } ");
	struct bytes key, value, none;
	struct json_walk w, inner;

	(void)state;
	assert_true(json_valid(document));
	assert_int_equal(json_type(document), JSON_OBJECT);
	json_walk_init(&w, document);
	assert_true(json_walk(&w, &key, &value));
	assert_true(bytes_equal(key, BYTES("\"a\"")));
	assert_int_equal(json_type(value), JSON_ARRAY);
	json_walk_init(&inner, value);
	assert_true(json_walk(&inner, &none, &value));
	assert_true(bytes_equal(value, BYTES("1")));
	assert_int_equal(none.len, 0);
	assert_true(json_walk(&inner, &none, &value));
	assert_true(bytes_equal(value, BYTES("{\"x\":[]}")));
	assert_true(json_walk(&inner, &none, &value));
	assert_int_equal(json_type(value), JSON_TEXT);
	assert_false(json_walk(&inner, &none, &value));
	assert_true(json_walk(&w, &key, &value));
	assert_int_equal(json_type(value), JSON_OBJECT);
	json_walk_init(&inner, value);
	assert_false(json_walk(&inner, &none, &value));
	assert_true(json_walk(&w, &key, &value));
	assert_true(bytes_equal(value, BYTES("-1.50")));
	assert_false(json_walk(&w, &key, &value));
	json_walk_init(&w, BYTES("null"));
	assert_false(json_walk(&w, &key, &value));
}

static void expect_read(const char *json, struct bytes text)
{
	struct buf b;

	assert_true(json_valid(bytes_of(json)));
	buf_init(&b, &mem_heap);
	json_get_text(&b, bytes_of(json));
	assert_int_equal(b.len, text.len);
	assert_true(bytes_equal(buf_bytes(&b), text));
	buf_fini(&b);
}

static void test_escapes_are_read_back(void **state)
{
	(void)state;
	expect_read("\"\"", BYTES(""));
	expect_read("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		    BYTES("a\"\\/\b\f\n\r\t"));
	expect_read("\"\\u0000\\u00e9\\u4F60\"",
		    BYTES("\0\xc3\xa9\xe4\xbd\xa0"));
	expect_read("\"\\ud83d\\ude00\"", BYTES("\xf0\x9f\x98\x80"));
	expect_read("\"\\ud83dx\\ude00\"", BYTES("\xef\xbf\xbdx\xef\xbf\xbd"));
	expect_read("\"\\ud83d\\u0041\"", BYTES("\xef\xbf\xbd"
						"A"));
}

static void test_texts_that_reading_would_change_are_told(void **state)
{
	(void)state;
	assert_true(json_text_whole(BYTES("\"\"")));
	assert_true(json_text_whole(BYTES("\"a\\\\u0000\\n\\u0001\"")));
	assert_true(json_text_whole(BYTES("\"\\ud83d\\ude00\\uFFFD\"")));
	assert_false(json_text_whole(BYTES("\"\\u0000\"")));
	assert_false(json_text_whole(BYTES("\"a\\\\\\u0000\"")));
	assert_false(json_text_whole(BYTES("\"\\ud83d\"")));
	assert_false(json_text_whole(BYTES("\"\\ud83dx\\ude00\"")));
	assert_false(json_text_whole(BYTES("\"\\ud83d\\u0041\"")));
	assert_false(json_text_whole(BYTES("\"\\uDE00\"")));
}

/* Everything in a valid document can be walked and read. */
static void walk_all(struct bytes document, int depth)
{
	struct bytes key, value;
	struct json_walk w;
	struct buf b;

	assert_true(depth <= JSON_DEPTH_MAX);
	assert_true(json_valid(document));
	if (json_type(document) == JSON_TEXT) {
		buf_init(&b, &mem_heap);
		json_get_text(&b, document);
		assert_true(utf8_valid(buf_bytes(&b)));
		buf_fini(&b);
	}
	json_walk_init(&w, document);
	while (json_walk(&w, &key, &value)) {
		if (key.len)
			walk_all(key, depth + 1);
		walk_all(value, depth + 1);
	}
}

static void test_damaged_documents_are_refused_or_can_be_walked(void **state)
{
	static const char whole[] =
		"{\"a\":[1,-2.5e+3,{\"x\":[]},\"t\\u00e9\\ud83d\\ude00\"],"
		"\"b\" : {\"c\":null , \"d\":[true,false]},\"e\":\"\\\\\"}";
	static const char wild[] = "{}[]\",:\\u0 \n19.-eEtfn\x80\xc3\xff";
	uint64_t seed = 7;
	size_t taken = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		uint8_t text[sizeof whole];
		struct bytes b = { text, sizeof whole - 1 };
		size_t hits = random_next(&seed) % 4;

		memcpy(text, whole, sizeof whole);
		for (size_t i = 0; i < hits; i++)
			text[random_next(&seed) % b.len] = (uint8_t)
				wild[random_next(&seed) % (sizeof wild - 1)];
		if (random_next(&seed) % 8 == 0)
			b.len = random_next(&seed) % b.len;
		if (!json_valid(b))
			continue;
		taken++;
		walk_all(b, 0);
	}
	assert_true(taken > 10000 && taken < 150000);
}

static void test_no_memory_sticks_in_the_buffer(void **state)
{
	struct flaky f;
	struct json j;
	struct buf b;

	(void)state;
	flaky_init(&f, 0);
	buf_init(&b, &f.mem);
	json_init(&j, &b);
	json_array(&j, NULL);
	json_text(&j, NULL, BYTES("lost"));
	json_end(&j);
	assert_int_equal(buf_error(&b), E_NOMEM);
	buf_fini(&b);
	assert_int_equal(f.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_written_with_commas_between),
		cmocka_unit_test(test_text_is_escaped_and_always_utf8),
		cmocka_unit_test(
			test_every_run_of_bytes_becomes_a_valid_string),
		cmocka_unit_test(
			test_json_is_told_from_what_only_looks_like_it),
		cmocka_unit_test(
			test_deep_nesting_is_refused_and_does_not_crash),
		cmocka_unit_test(test_utf8_refuses_what_the_rfc_refuses),
		cmocka_unit_test(test_members_are_walked_in_order),
		cmocka_unit_test(test_escapes_are_read_back),
		cmocka_unit_test(test_texts_that_reading_would_change_are_told),
		cmocka_unit_test(
			test_damaged_documents_are_refused_or_can_be_walked),
		cmocka_unit_test(test_no_memory_sticks_in_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
