#include "base/json.h"
#include "base/utf8.h"

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
}

/* ---- strings ---- */

static void put_escape(struct buf *out, uint8_t c)
{
	static const char names[] = "\b\f\n\r\t";
	static const char letters[] = "bfnrt";
	const char *name = c ? strchr(names, c) : NULL;

	if (c == '"' || c == '\\')
		buf_printf(out, "\\%c", c);
	else if (name)
		buf_printf(out, "\\%c", letters[name - names]);
	else
		buf_printf(out, "\\u%04x", c);
}

static bool stands_for_itself(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* What can be copied as it is from the front of b. */
static size_t plain_run(struct bytes b)
{
	size_t n = 0;

	while (n < b.len && stands_for_itself(b.data[n]))
		n++;
	return n;
}

void json_put_text(struct buf *out, struct bytes text)
{
	buf_put_char(out, '"');
	while (text.len > 0) {
		uint32_t code;
		size_t n = plain_run(text);

		if (n > 0) {
			buf_put(out, (struct bytes){ text.data, n });
		} else if (text.data[0] < 0x80) {
			put_escape(out, text.data[0]);
			n = 1;
		} else if ((n = utf8_decode(text, &code)) > 0) {
			buf_put(out, (struct bytes){ text.data, n });
		} else {
			buf_put_text(out, "\xef\xbf\xbd");
			n = 1;
		}
		text.data += n;
		text.len -= n;
	}
	buf_put_char(out, '"');
}

/* ---- values ---- */

static void before_value(struct json *j, const char *key)
{
	bool in_object = j->depth > 0 && j->closes[j->depth - 1] == '}';

	REQUIRE((key != NULL) == in_object);
	if (j->comma)
		buf_put_char(j->out, ',');
	if (key) {
		buf_put_char(j->out, '"');
		buf_put_text(j->out, key);
		buf_put_text(j->out, "\":");
	}
	j->comma = true;
}

static void nest(struct json *j, const char *key, char opens, char closes)
{
	before_value(j, key);
	REQUIRE(j->depth < JSON_DEPTH_MAX);
	buf_put_char(j->out, opens);
	j->closes[j->depth++] = closes;
	j->comma = false;
}

void json_object(struct json *j, const char *key)
{
	nest(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
	nest(j, key, '[', ']');
}

void json_end(struct json *j)
{
	REQUIRE(j->depth > 0);
	buf_put_char(j->out, j->closes[--j->depth]);
	j->comma = true;
}

void json_text(struct json *j, const char *key, struct bytes text)
{
	before_value(j, key);
	json_put_text(j->out, text);
}

void json_text_or_null(struct json *j, const char *key, struct bytes text)
{
	if (text.len > 0)
		json_text(j, key, text);
	else
		json_null(j, key);
}

/* Numbers are most of what an answer consists of; printf is slow at them. */
static void put_digits(struct buf *out, uint64_t n)
{
	uint8_t digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (uint8_t)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	buf_put(out, (struct bytes){ digits + at, sizeof digits - at });
}

void json_id(struct json *j, const char *key, uint64_t id)
{
	before_value(j, key);
	buf_put_char(j->out, '"');
	put_digits(j->out, id);
	buf_put_char(j->out, '"');
}

void json_number(struct json *j, const char *key, uint64_t n)
{
	before_value(j, key);
	put_digits(j->out, n);
}

void json_bool(struct json *j, const char *key, bool value)
{
	before_value(j, key);
	buf_put_text(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	before_value(j, key);
	buf_put_text(j->out, "null");
}

void json_raw(struct json *j, const char *key, struct bytes document)
{
	before_value(j, key);
	buf_put(j->out, document);
}
