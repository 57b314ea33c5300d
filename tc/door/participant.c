#include "tc/door/participant.h"

#define NAME_LEN_MAX  128
#define VALUE_LEN_MAX 4096

/* Written as they are compared: '_' as '-', lower-case. */
static const char *const reserved[] = {
	"accept-encoding",
	"connection",
	"content-encoding",
	"content-length",
	"content-type",
	"expect",
	"host",
	"http2-settings",
	"idempotency-key",
	"keep-alive",
	"proxy-authenticate",
	"proxy-authorization",
	"proxy-connection",
	"range",
	"te",
	"trailer",
	"transfer-encoding",
	"tx-xid",
	"upgrade",
};

static const char *const params[] = { "gid", "trans_type", "branch_id", "op" };

/* ---- headers ---- */

static uint8_t folded(uint8_t c)
{
	if (c == '_')
		return '-';
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same_name(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (folded(a.data[i]) != folded(b.data[i]))
			return false;
	return true;
}

static bool is_token(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return name.len > 0 && name.len <= NAME_LEN_MAX;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool is_value(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] != '\t' &&
		    (value.data[i] < ' ' || value.data[i] >= 0x7f))
			return false;
	return value.len > 0 && value.len <= VALUE_LEN_MAX &&
	       !is_blank(value.data[0]) && !is_blank(value.data[value.len - 1]);
}

static bool is_reserved(struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (same_name(name, bytes_of(reserved[i])))
			return true;
	return false;
}

static int refuse_header(struct buf *why, struct bytes name, const char *what)
{
	size_t n = name.len < 60 ? name.len : 60;

	buf_put_text(why, "header ");
	json_put_text(why, (struct bytes){ name.data, n });
	buf_printf(why, ": %s", what);
	return E_INVALID;
}

static int check_header(const struct participant *p, size_t i, struct buf *why)
{
	const struct participant_header *h = &p->headers[i];

	if (!is_token(h->name))
		return refuse_header(why, h->name,
				     "this is no name of a header");
	if (is_reserved(h->name))
		return refuse_header(why, h->name,
				     "the coordinator or the connection "
				     "writes it; leave it out");
	if (!is_value(h->value))
		return refuse_header(why, h->name,
				     "its value must be 1 to 4096 characters "
				     "of visible ASCII, blanks and tabs, "
				     "without blanks around it");
	for (size_t k = 0; k < i; k++)
		if (same_name(h->name, p->headers[k].name))
			return refuse_header(why, h->name, "it is given twice");
	return OK;
}

/* ---- URLs ---- */

struct url_field {
	const char *name;
	size_t offset;
};

static const struct url_field url_fields[] = {
	{ "commit", offsetof(struct participant, commit) },
	{ "rollback", offsetof(struct participant, rollback) },
	{ "check", offsetof(struct participant, check) },
};

static const struct bytes *url_of(const struct participant *p, size_t i)
{
	return (const struct bytes *)(const void *)((const char *)p +
						    url_fields[i].offset);
}

static int check_url(struct url *url, const struct participant *p, size_t i,
		     struct buf *why)
{
	const char *name = url_fields[i].name;
	const char *wrong;

	if (url_parse(url, *url_of(p, i), &wrong) != OK) {
		buf_printf(why, "the %s URL is refused: %s", name, wrong);
		return E_INVALID;
	}
	for (size_t k = 0; k < ARRAY_LEN(params); k++) {
		if (!url_has_param(url, params[k]))
			continue;
		buf_printf(why,
			   "the %s URL has a parameter %s already; the "
			   "coordinator adds that, so leave it out",
			   name, params[k]);
		return E_INVALID;
	}
	return OK;
}

static int check_urls(const struct participant *p, struct buf *why)
{
	struct url first = { 0 }, url;

	for (size_t i = 0; i < ARRAY_LEN(url_fields); i++) {
		int rc;

		if (url_of(p, i)->len == 0)
			continue;
		rc = check_url(&url, p, i, why);
		if (rc != OK)
			return rc;
		if (first.host.len > 0 && !url_same_origin(&first, &url)) {
			buf_put_text(why,
				     "the URLs of one participant must have "
				     "the same scheme, host and port; "
				     "register what is elsewhere as a "
				     "participant of its own");
			return E_INVALID;
		}
		first = url;
	}
	return OK;
}

int participant_check(const struct participant *p, struct buf *why)
{
	int rc = check_urls(p, why);

	for (size_t i = 0; i < p->n_headers && rc == OK; i++)
		rc = check_header(p, i, why);
	return rc;
}

int participant_origin(struct buf *out, const struct participant *p)
{
	struct url url;

	for (size_t i = 0; i < ARRAY_LEN(url_fields); i++) {
		if (url_of(p, i)->len == 0)
			continue;
		REQUIRE(url_parse(&url, *url_of(p, i), NULL) == OK);
		url_put_origin(out, &url);
		return OK;
	}
	return E_NOTFOUND;
}

/* ---- reading ---- */

struct reading {
	struct participant *p;
	struct arena *arena;
	struct buf *why;
};

static int refuse(struct buf *why, int err, const char *text)
{
	buf_put_text(why, text);
	return err;
}

static int get_text(struct reading *r, struct bytes value, struct bytes *out)
{
	struct buf text;

	buf_init(&text, &r->arena->as_mem);
	json_get_text(&text, value);
	*out = buf_bytes(&text); /* stays in the arena */
	return buf_error(&text);
}

static int read_header(struct reading *r, struct bytes key, struct bytes value)
{
	struct participant_header *h = &r->p->headers[r->p->n_headers];
	int rc;

	if (r->p->n_headers == PARTICIPANT_HEADERS_MAX)
		return refuse(r->why, E_LIMIT,
			      "a participant may have 32 headers");
	if (json_type(value) != JSON_TEXT)
		return refuse(r->why, E_INVALID,
			      "the value of a header must be a string");
	r->p->n_headers++;
	rc = get_text(r, key, &h->name);
	return rc == OK ? get_text(r, value, &h->value) : rc;
}

static int read_headers(struct reading *r, struct bytes headers)
{
	struct json_walk walk;
	struct bytes key, value;
	int rc = OK;

	if (json_type(headers) != JSON_OBJECT)
		return refuse(r->why, E_INVALID,
			      "\"headers\" must be an object, {name: value}");
	json_walk_init(&walk, headers);
	while (rc == OK && json_walk(&walk, &key, &value))
		rc = read_header(r, key, value);
	return rc;
}

static int read_url(struct reading *r, struct bytes name, struct bytes value)
{
	for (size_t i = 0; i < ARRAY_LEN(url_fields); i++) {
		struct bytes *to =
			(struct bytes *)(void *)((char *)r->p +
						 url_fields[i].offset);
		int rc;

		if (!bytes_equal(name, bytes_of(url_fields[i].name)))
			continue;
		if (json_type(value) != JSON_TEXT)
			return refuse(r->why, E_INVALID,
				      "a URL must be a string");
		if (to->len > 0)
			return refuse(r->why, E_INVALID,
				      "a member is given twice");
		rc = get_text(r, value, to);
		if (rc == OK && to->len == 0)
			return refuse(r->why, E_INVALID,
				      "a URL is empty; leave it out");
		return rc;
	}
	buf_put_text(r->why, "a participant has no member ");
	json_put_text(r->why, name);
	buf_put_text(r->why,
		     "; there are \"commit\", \"rollback\", \"check\" and "
		     "\"headers\"");
	return E_INVALID;
}

static int read_members(struct reading *r, struct bytes document)
{
	struct json_walk walk;
	struct bytes key, value, name;
	bool headers = false;
	int rc = OK;

	json_walk_init(&walk, document);
	while (rc == OK && json_walk(&walk, &key, &value)) {
		rc = get_text(r, key, &name);
		if (rc != OK)
			return rc;
		if (!bytes_equal(name, BYTES("headers")))
			rc = read_url(r, name, value);
		else if (headers)
			rc = refuse(r->why, E_INVALID,
				    "\"headers\" is given twice");
		else
			rc = read_headers(r, value);
		headers = headers || bytes_equal(name, BYTES("headers"));
	}
	return rc;
}

int participant_read(struct participant *out, struct arena *arena,
		     struct bytes document, struct buf *why)
{
	struct participant p = { 0 };
	struct reading r = { &p, arena, why };
	int rc;

	if (document.len > PARTICIPANT_LEN_MAX)
		return refuse(why, E_LIMIT,
			      "the document of a participant may have 8192 "
			      "bytes");
	if (document.len == 0) {
		*out = p;
		return OK;
	}
	if (!json_valid(document) || json_type(document) != JSON_OBJECT)
		return refuse(why, E_INVALID,
			      "a participant must be a JSON object");
	rc = read_members(&r, document);
	if (rc == OK)
		rc = participant_check(&p, why);
	if (rc == OK)
		*out = p;
	return rc;
}

/* ---- writing ---- */

static void put(struct buf *out, const struct participant *p, bool hide)
{
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	for (size_t i = 0; i < ARRAY_LEN(url_fields); i++)
		if (url_of(p, i)->len > 0)
			json_text(&j, url_fields[i].name, *url_of(p, i));
	if (p->n_headers > 0) {
		/* json.h takes plain literals as keys, so by hand. */
		json_object(&j, "headers");
		for (size_t i = 0; i < p->n_headers; i++) {
			if (i > 0)
				buf_put_char(out, ',');
			json_put_text(out, p->headers[i].name);
			buf_put_char(out, ':');
			json_put_text(out, hide ? BYTES("***")
						: p->headers[i].value);
		}
		json_end(&j);
	}
	json_end(&j);
}

void participant_put(struct buf *out, const struct participant *p)
{
	put(out, p, false);
}

void participant_put_public(struct buf *out, const struct participant *p)
{
	put(out, p, true);
}
