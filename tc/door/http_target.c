#include "tc/door/http_target.h"

#include "base/utf8.h"

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that %XY stands for at in.data[at]; -1: it is no such escape. */
static int escaped(struct bytes in, size_t at)
{
	int high, low;

	if (in.len - at < 3)
		return -1;
	high = hex_digit(in.data[at + 1]);
	low = hex_digit(in.data[at + 2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static int decode(struct arena *arena, struct bytes in, bool plus_is_blank,
		  struct bytes *out)
{
	uint8_t *text = arena_alloc(arena, in.len + 1);
	size_t n = 0;

	if (!text)
		return E_NOMEM;
	for (size_t i = 0; i < in.len; i++) {
		int c = in.data[i];

		if (c == '%') {
			c = escaped(in, i);
			i += 2;
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		if (c <= 0)
			return E_INVALID;
		text[n++] = (uint8_t)c;
	}
	*out = (struct bytes){ text, n };
	return utf8_valid(*out) ? OK : E_INVALID;
}

/* Cut off everything up to the next `at`; the rest stays. */
static struct bytes cut(struct bytes *rest, char at)
{
	struct bytes part = *rest;
	const uint8_t *end =
		rest->len ? memchr(rest->data, at, rest->len) : NULL;

	if (!end) {
		*rest = (struct bytes){ 0 };
		return part;
	}
	part.len = (size_t)(end - rest->data);
	rest->data += part.len + 1;
	rest->len -= part.len + 1;
	return part;
}

static int parse_path(struct target *t, struct arena *arena, struct bytes path)
{
	bool more = true;

	if (path.len == 0 || path.data[0] != '/')
		return E_INVALID;
	path = (struct bytes){ path.data + 1, path.len - 1 };
	while (more) {
		size_t before = path.len;
		struct bytes part = cut(&path, '/');
		int rc;

		more = part.len < before;
		if (t->n_segments == TARGET_SEGMENTS_MAX)
			return E_LIMIT;
		rc = decode(arena, part, false, &t->segments[t->n_segments++]);
		if (rc != OK)
			return rc;
	}
	return OK;
}

static int parse_query(struct target *t, struct arena *arena,
		       struct bytes query)
{
	while (query.len > 0) {
		struct bytes value = cut(&query, '&');
		struct bytes name = cut(&value, '=');
		struct target_param *p = &t->params[t->n_params];
		int rc;

		if (name.len == 0)
			continue;
		if (t->n_params == TARGET_PARAMS_MAX)
			return E_LIMIT;
		rc = decode(arena, name, true, &p->name);
		if (rc == OK)
			rc = decode(arena, value, true, &p->value);
		if (rc != OK)
			return rc;
		t->n_params++;
	}
	return OK;
}

int target_parse(struct target *out, struct arena *arena, struct bytes text)
{
	struct bytes path = cut(&text, '?');
	int rc;

	*out = (struct target){ .n_segments = 0 };
	rc = parse_path(out, arena, path);
	return rc == OK ? parse_query(out, arena, text) : rc;
}

bool target_matches(const struct target *t, const char *pattern,
		    struct bytes *vars, size_t n_vars)
{
	struct bytes rest = bytes_of(pattern);
	size_t used = 0;

	REQUIRE(rest.len > 0);
	(void)cut(&rest, '/');
	for (size_t i = 0; i < t->n_segments; i++) {
		struct bytes want;

		if (rest.len == 0)
			return false;
		want = cut(&rest, '/');
		if (bytes_equal(want, BYTES("{}"))) {
			REQUIRE(used < n_vars);
			if (t->segments[i].len == 0)
				return false;
			vars[used++] = t->segments[i];
		} else if (!bytes_equal(want, t->segments[i])) {
			return false;
		}
	}
	return rest.len == 0;
}
