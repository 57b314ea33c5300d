#include "base/json.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

/*
 * What json_valid() says yes to is UTF-8, can be walked to its leaves, and
 * written again value by value reads as the same. Any bytes written as text
 * are a valid document, and read as they were if they are UTF-8.
 */

/* ---- UTF-8, against the shortest way to write each character ---- */

static size_t put_utf8(uint32_t c, uint8_t *to)
{
	if (c < 0x80) {
		to[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (uint8_t)(0xc0 | c >> 6);
		to[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (uint8_t)(0xe0 | c >> 12);
		to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		to[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | c >> 18);
	to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	to[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

static void check_utf8(struct bytes in)
{
	bool valid = true;

	for (size_t at = 0; at < in.len;) {
		uint32_t code = UINT32_MAX;
		struct bytes rest = { in.data + at, in.len - at };
		size_t n = utf8_decode(rest, &code);
		uint8_t want[4];

		REQUIRE(n <= 4 && n <= rest.len);
		if (n > 0) {
			REQUIRE(code <= 0x10ffff);
			REQUIRE(code < 0xd800 || code > 0xdfff);
			REQUIRE(put_utf8(code, want) == n);
			REQUIRE(memcmp(want, rest.data, n) == 0);
		} else {
			valid = false;
		}
		at += n ? n : 1;
	}
	REQUIRE(utf8_valid(in) == valid);
}

/* ---- JSON ---- */

static void copy(struct json *out, struct bytes value, size_t depth);

static void copy_members(struct json *out, struct bytes value, size_t depth)
{
	struct json_walk w;
	struct bytes key, member;
	struct buf text;

	REQUIRE(depth < JSON_DEPTH_MAX);
	json_walk_init(&w, value);
	while (json_walk(&w, &key, &member)) {
		REQUIRE(member.data >= value.data);
		REQUIRE(member.data + member.len <= value.data + value.len);
		REQUIRE(json_valid(member));
		if (w.object) {
			REQUIRE(json_type(key) == JSON_TEXT);
			buf_init(&text, &mem_heap);
			json_get_text(&text, key);
			REQUIRE(utf8_valid(buf_bytes(&text)));
			json_text(out, NULL, buf_bytes(&text));
			buf_fini(&text);
		}
		copy(out, member, depth + 1);
	}
}

/* Objects as arrays of key and value: keys of the writer are literals. */
static void copy(struct json *out, struct bytes value, size_t depth)
{
	struct buf text;

	switch (json_type(value)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		json_array(out, NULL);
		copy_members(out, value, depth);
		json_end(out);
		break;
	case JSON_TEXT:
		buf_init(&text, &mem_heap);
		json_get_text(&text, value);
		REQUIRE(utf8_valid(buf_bytes(&text)));
		json_text(out, NULL, buf_bytes(&text));
		buf_fini(&text);
		break;
	case JSON_NUMBER:
	case JSON_BOOL:
	case JSON_NULL:
		json_raw(out, NULL, value);
		break;
	}
}

/* A copy has no objects, so its copy is the same. */
static void check_copy(struct bytes in)
{
	struct buf first, second;
	struct json j;

	buf_init(&first, &mem_heap);
	buf_init(&second, &mem_heap);
	json_init(&j, &first);
	copy(&j, in, 0);
	REQUIRE(json_valid(buf_bytes(&first)));
	json_init(&j, &second);
	copy(&j, buf_bytes(&first), 0);
	REQUIRE(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	buf_fini(&first);
	buf_fini(&second);
}

static void check_text(struct bytes in)
{
	struct buf json, text;

	buf_init(&json, &mem_heap);
	buf_init(&text, &mem_heap);
	json_put_text(&json, in);
	REQUIRE(json_valid(buf_bytes(&json)));
	REQUIRE(json_type(buf_bytes(&json)) == JSON_TEXT);
	json_get_text(&text, buf_bytes(&json));
	REQUIRE(utf8_valid(buf_bytes(&text)));
	if (utf8_valid(in))
		REQUIRE(bytes_equal(buf_bytes(&text), in));
	buf_fini(&json);
	buf_fini(&text);
}

void fuzz_one(struct bytes in)
{
	check_utf8(in);
	check_text(in);
	if (!json_valid(in))
		return;
	REQUIRE(utf8_valid(in));
	check_copy(in);
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	static const char *const texts[] = {
		"{\"id\":\"7\",\"name\":\"checkout\",\"n\":-1.5e+10}",
		" [ 1 , true , false , null , \"\" , [ ] , { } ] ",
		"\"\\u00e9\\ud83d\\udcb0\\n\\\"\\\\\\/ \xf0\x9f\x92\xb0\"",
		"{\"a\":{\"b\":[{\"c\":0},{\"d\":[[[]]]}]}}",
		"\"\\ud83d\"",
		"\"\\udc00\"",
		"\"\\u0000\"",
		"0",
		"-0.0E-0",
		"01",
		"\xed\xa0\x80 \xc0\x80 \xf4\x90\x80\x80 \xef\xbb\xbf",
		"\xe2\x82\xac \xf4\x8f\xbf\xbf \xc3\xa9",
	};
	struct buf b;

	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		sink->seed(sink->ctx, bytes_of(texts[i]));
	for (size_t i = 0; i <= JSON_DEPTH_MAX; i++)
		buf_put_char(&b, '[');
	fuzz_seed(sink, &b);
	buf_fini(&b);
}
