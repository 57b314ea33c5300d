#include "undo/json.h"

#include <cjson/cJSON.h>
#include <sodium.h>

/* ---- UTF-8 ---- */

/* Bytes of the character at p, 0 if it is none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	static const struct {
		uint8_t mask, lead;
		size_t len;
		uint32_t min;
	} forms[] = { { 0x80, 0x00, 1, 0 },
		      { 0xe0, 0xc0, 2, 0x80 },
		      { 0xf0, 0xe0, 3, 0x800 },
		      { 0xf8, 0xf0, 4, 0x10000 } };

	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		uint32_t c = p[0] & (uint8_t)~forms[f].mask;

		if ((p[0] & forms[f].mask) != forms[f].lead)
			continue;
		if (forms[f].len > left)
			return 0;
		for (size_t i = 1; i < forms[f].len; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (c < forms[f].min || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return 0;
		return forms[f].len;
	}
	return 0;
}

bool json_is_text(struct bytes b)
{
	for (size_t i = 0; i < b.len;) {
		size_t len = utf8_len(b.data + i, b.len - i);

		if (len == 0 || b.data[i] == 0)
			return false;
		i += len;
	}
	return true;
}

/* ---- writing ---- */

static bool plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != 0x7f;
}

static void put_odd(struct buf *out, const uint8_t *p, size_t len)
{
	if (len == 0)
		buf_put_text(out, "\xef\xbf\xbd");
	else if (len > 1)
		buf_put(out, (struct bytes){ p, len });
	else if (*p == '"' || *p == '\\')
		buf_printf(out, "\\%c", *p);
	else
		buf_printf(out, "\\u%04x", *p);
}

void json_put_escaped(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len;) {
		size_t from = i, len;

		while (i < text.len && plain(text.data[i]))
			i++;
		buf_put(out, (struct bytes){ text.data + from, i - from });
		if (i == text.len)
			break;
		len = utf8_len(text.data + i, text.len - i);
		put_odd(out, text.data + i, len);
		i += len ? len : 1;
	}
}

void json_put_string(struct buf *out, struct bytes text)
{
	buf_put_char(out, '"');
	json_put_escaped(out, text);
	buf_put_char(out, '"');
}

/* In pieces of a multiple of three bytes, so that they can be joined. */
static void put_base64(struct buf *out, struct bytes b)
{
	char text[sodium_base64_ENCODED_LEN(3 * 256,
					    sodium_base64_VARIANT_ORIGINAL)];

	for (size_t i = 0; i < b.len; i += 3 * 256) {
		size_t n = b.len - i < 3 * 256 ? b.len - i : 3 * 256;

		sodium_bin2base64(text, sizeof text, b.data + i, n,
				  sodium_base64_VARIANT_ORIGINAL);
		buf_put_text(out, text);
	}
}

static void put_member(struct buf *out, struct bytes b, bool as_text)
{
	if (as_text) {
		buf_put_text(out, "\"text\":");
		json_put_string(out, b);
	} else {
		buf_put_text(out, "\"base64\":\"");
		put_base64(out, b);
		buf_put_char(out, '"');
	}
}

void json_put_value(struct buf *out, enum value_type class, struct value v)
{
	bool as_text = v.type != VALUE_BYTES && json_is_text(v.data);

	if (v.type == VALUE_NULL) {
		buf_put_text(out, "null");
	} else if (as_text && v.type == class) {
		json_put_string(out, v.data);
	} else {
		buf_put_char(out, '{');
		if (v.type != class)
			buf_printf(out, "\"type\":\"%s\",",
				   value_type_name(v.type));
		put_member(out, v.data, as_text);
		buf_put_char(out, '}');
	}
}

void json_put_bytes(struct buf *out, struct bytes b)
{
	json_put_value(out, VALUE_TEXT, (struct value){ VALUE_TEXT, b });
}

/* ---- looking over ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct reader *r)
{
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->p == r->end || *r->p != (uint8_t)c)
		return false;
	r->p++;
	return true;
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* Behind a backslash. Surrogates are refused: we write UTF-8, and half of a
 * pair would be no text. So is NUL, which cJSON takes for the end. */
static bool check_escape(struct reader *r)
{
	uint8_t c = read_u8(r);
	struct bytes hex;

	if (r->failed)
		return false;
	if (c != 'u')
		return memchr("\"\\/bfnrt", c, 8) != NULL;
	hex = read_raw(r, 4);
	if (r->failed || bytes_equal(hex, BYTES("0000")))
		return false;
	for (size_t i = 0; i < 4; i++)
		if (!is_hex(hex.data[i]))
			return false;
	return !((hex.data[0] | 0x20) == 'd' && hex.data[1] >= '8');
}

static bool check_string(struct reader *r)
{
	if (!take(r, '"'))
		return false;
	while (r->p < r->end && *r->p != '"') {
		size_t len = utf8_len(r->p, reader_left(r));

		if (len == 0 || *r->p < 0x20)
			return false;
		if (*r->p == '\\') {
			r->p++;
			if (!check_escape(r))
				return false;
		} else {
			r->p += len;
		}
	}
	return take(r, '"');
}

static size_t skip_digits(struct reader *r)
{
	const uint8_t *from = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return (size_t)(r->p - from);
}

static bool skip_char(struct reader *r, const char *any)
{
	if (r->p == r->end || *r->p == 0 || !strchr(any, *r->p))
		return false;
	r->p++;
	return true;
}

static bool check_number(struct reader *r)
{
	const uint8_t *from = r->p;

	(void)skip_char(r, "-");
	if (skip_digits(r) == 0)
		return false;
	if (skip_char(r, ".") && skip_digits(r) == 0)
		return false;
	if (skip_char(r, "eE")) {
		(void)skip_char(r, "+-");
		if (skip_digits(r) == 0)
			return false;
	}
	/* cJSON reads numbers of up to 63 characters; nobody writes longer. */
	return r->p - from < 63;
}

static bool check_word(struct reader *r, const char *word)
{
	struct bytes w = bytes_of(word);

	if (reader_left(r) < w.len || memcmp(r->p, w.data, w.len) != 0)
		return false;
	r->p += w.len;
	return true;
}

static bool check_value(struct reader *r, unsigned int depth);

/* The inside of an array or object up to its closing bracket. */
static bool check_members(struct reader *r, unsigned int depth, char close)
{
	if (take(r, close))
		return true;
	do {
		if (close == '}' && (!check_string(r) || !take(r, ':')))
			return false;
		if (!check_value(r, depth))
			return false;
	} while (take(r, ','));
	return take(r, close);
}

static bool check_value(struct reader *r, unsigned int depth)
{
	skip_blanks(r);
	if (r->p == r->end || depth == JSON_DEPTH_MAX)
		return false;
	switch (*r->p) {
	case '{':
		r->p++;
		return check_members(r, depth + 1, '}');
	case '[':
		r->p++;
		return check_members(r, depth + 1, ']');
	case '"':
		return check_string(r);
	case 't':
		return check_word(r, "true");
	case 'f':
		return check_word(r, "false");
	case 'n':
		return check_word(r, "null");
	default:
		return check_number(r);
	}
}

int json_check(struct bytes text)
{
	struct reader r = reader_of(text);

	if (!check_value(&r, 0))
		return E_INVALID;
	skip_blanks(&r);
	return reader_done(&r) ? OK : E_INVALID;
}

/* ---- reading ---- */

int json_parse(struct bytes text, cJSON **out)
{
	cJSON *root;

	if (json_check(text) != OK)
		return E_INVALID;
	root = cJSON_ParseWithLength((const char *)text.data, text.len);
	if (!root)
		return E_NOMEM;
	*out = root;
	return OK;
}

static int get_base64(const char *text, struct arena *arena, struct bytes *out)
{
	size_t len = strlen(text), n = 0;
	uint8_t *bin = arena_alloc(arena, len / 4 * 3 + 1);

	if (!bin)
		return E_NOMEM;
	if (sodium_base642bin(bin, len / 4 * 3 + 1, text, len, NULL, &n, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return E_INVALID;
	*out = (struct bytes){ bin, n };
	return OK;
}

static int get_tagged(const cJSON *node, enum value_type class,
		      struct arena *arena, struct value *out)
{
	const cJSON *type = cJSON_GetObjectItemCaseSensitive(node, "type");
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(node, "text");
	const cJSON *b64 = cJSON_GetObjectItemCaseSensitive(node, "base64");
	struct value v = { class, { 0 } };

	if (type && (!cJSON_IsString(type) ||
		     value_type_parse(bytes_of(type->valuestring), &v.type)))
		return E_INVALID;
	if (v.type == VALUE_NULL || !text == !b64)
		return E_INVALID;
	if (!cJSON_IsString(text ? text : b64))
		return E_INVALID;
	if (text) {
		v.data = bytes_of(text->valuestring);
	} else {
		int rc = get_base64(b64->valuestring, arena, &v.data);

		if (rc != OK)
			return rc;
	}
	*out = v;
	return OK;
}

int json_get_value(const cJSON *node, enum value_type class,
		   struct arena *arena, struct value *out)
{
	if (cJSON_IsNull(node)) {
		*out = (struct value){ 0 };
		return OK;
	}
	if (cJSON_IsObject(node))
		return get_tagged(node, class, arena, out);
	if (!cJSON_IsString(node) || class == VALUE_NULL ||
	    class == VALUE_BYTES)
		return E_INVALID;
	*out = (struct value){ class, bytes_of(node->valuestring) };
	return OK;
}

int json_get_bytes(const cJSON *node, struct arena *arena, struct bytes *out)
{
	struct value v;
	int rc;

	if (!node)
		return E_INVALID;
	rc = json_get_value(node, VALUE_TEXT, arena, &v);
	if (rc != OK)
		return rc;
	if (v.type != VALUE_TEXT)
		return E_INVALID;
	*out = v.data;
	return OK;
}
