#include "rm-agent/db/pg.h"

#include "base/hash.h"

#include <stdlib.h>
#include <strings.h>

/*
 * Arrays, ranges, composites and domains are spelled from their parts, so
 * that a timestamp inside of an array is as independent of the session as one
 * outside. Types that only the server can spell (tsvector, extensions) are
 * sent back to it: SELECT $1::text.
 */

#define DEPTH_MAX 16

/* Not an enum err: the value holds something that only the server spells. */
#define ASK_SERVER 1

/* ---- what is known of types ---- */

static struct pg_type *known(struct pg_db *p, uint32_t oid)
{
	struct map_node *n = map_find(&p->types, hash_u64(0, oid));

	for (; n; n = map_find_next(n)) {
		struct pg_type *t = CONTAINER_OF(n, struct pg_type, node);

		if (t->oid == oid)
			return t;
	}
	return NULL;
}

void pg_types_clear(struct pg_db *p)
{
	struct map_node *n = map_next(&p->types, NULL);

	while (n) {
		struct map_node *next = map_next(&p->types, n);

		mem_free(p->db.mem, CONTAINER_OF(n, struct pg_type, node));
		n = next;
	}
	map_fini(&p->types);
}

static int remember(struct pg_db *p, const struct pg_type *t,
		    const struct pg_type **out)
{
	struct pg_type *copy = mem_alloc(p->db.mem, sizeof(*copy));

	if (!copy)
		return driver_nomem(&p->db);
	*copy = *t;
	map_insert(&p->types, &copy->node, hash_u64(0, t->oid));
	*out = copy;
	return OK;
}

/* Whatever the server says of a type, as text: type, base, element, length,
 * category, delimiter, subtype of the range, name. */
static const char about_type[] =
	"SELECT t.typtype, t.typbasetype, t.typelem, t.typlen, t.typcategory,"
	" t.typdelim, (SELECT r.rngsubtype FROM pg_catalog.pg_range r"
	" WHERE r.rngtypid = t.oid%s),"
	" pg_catalog.format_type(t.oid, NULL)"
	" FROM pg_catalog.pg_type t WHERE t.oid = %u";

static uint32_t oid_at(const PGresult *r, int column)
{
	return (uint32_t)strtoul(PQgetvalue(r, 0, column), NULL, 10);
}

static enum pg_shape shape_of(const PGresult *r, struct pg_type *t)
{
	const uint32_t int2vector = 22, oidvector = 30; /* spelled otherwise */
	const uint32_t record = 2249, records = 2287;

	switch (t->oid == records ? 'b' : *PQgetvalue(r, 0, 0)) {
	case 'e':
		return PG_TEXT;
	case 'd':
		t->element = oid_at(r, 1);
		return PG_DOMAIN;
	case 'r':
		t->element = oid_at(r, 6);
		return PG_RANGE;
	case 'm':
		t->element = oid_at(r, 6);
		return PG_MULTIRANGE;
	case 'c':
		return PG_COMPOSITE;
	case 'p': /* of a row constructor; void and the like are empty */
		return t->oid == record ? PG_COMPOSITE : PG_TEXT;
	default:
		break;
	}
	if ((*PQgetvalue(r, 0, 4) != 'A' && t->oid != records) ||
	    strcmp(PQgetvalue(r, 0, 3), "-1") || t->oid == int2vector ||
	    t->oid == oidvector)
		return PG_OPAQUE;
	t->element = oid_at(r, 2);
	t->delimiter = *PQgetvalue(r, 0, 5);
	return PG_ARRAY;
}

static int learn(struct pg_db *p, uint32_t oid, struct pg_type *t)
{
	struct buf sql;
	PGresult *r;
	int rc = OK;

	buf_init(&sql, p->db.mem);
	buf_printf(&sql, about_type,
		   PQserverVersion(p->conn) >= 140000
			   ? " OR r.rngmultitypid = t.oid"
			   : "",
		   oid);
	if (buf_error(&sql) != OK) {
		buf_fini(&sql);
		return driver_nomem(&p->db);
	}
	r = PQexecParams(p->conn, buf_text(&sql), 0, NULL, NULL, NULL, NULL, 0);
	buf_fini(&sql);
	if (PQresultStatus(r) != PGRES_TUPLES_OK) {
		rc = pg_fail(p, r);
	} else if (PQntuples(r) != 1) {
		t->shape = PG_OPAQUE;
	} else {
		const char *name = PQgetvalue(r, 0, 7);
		size_t len = strnlen(name, sizeof(t->name) - 1);

		memcpy(t->name, name, len);
		t->shape = shape_of(r, t);
	}
	PQclear(r);
	return rc;
}

int pg_type_find(struct pg_db *p, uint32_t oid, const struct pg_type **out)
{
	struct pg_type t = { .oid = oid, .shape = PG_SCALAR };
	const char *name = pg_scalar_name(oid);
	int rc = OK;

	*out = known(p, oid);
	if (*out)
		return OK;
	if (name)
		memcpy(t.name, name, strlen(name));
	else
		rc = learn(p, oid, &t);
	return rc == OK ? remember(p, &t, out) : rc;
}

/* ---- spelling ---- */

static int put(struct pg_db *p, struct buf *out, uint32_t oid, struct bytes raw,
	       int depth);

/* Append `text` in double quotes if it is empty, has one of `special` or
 * blanks, or is NULL where that means something. */
static void put_quoted(struct buf *out, struct bytes text, const char *special,
		       bool null_word)
{
	bool quote = text.len == 0 ||
		     (null_word && text.len == 4 &&
		      strncasecmp((const char *)text.data, "null", 4) == 0);

	for (size_t i = 0; i < text.len && !quote; i++) {
		char c = (char)text.data[i];

		quote = c == ' ' || (c >= '\t' && c <= '\r') || c == '"' ||
			c == '\\' || (c && strchr(special, c));
	}
	if (!quote) {
		buf_put(out, text);
		return;
	}
	buf_put_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];

		if (c == '"' || c == '\\')
			buf_put_char(out, '\\');
		buf_put_char(out, c);
	}
	buf_put_char(out, '"');
}

/* One part of a nested value: its length (-1: NULL) and its bytes. */
static int put_part(struct pg_db *p, struct buf *out, struct reader *r,
		    uint32_t oid, const char *special, const char *null,
		    int depth)
{
	uint32_t len = read_u32(r);
	struct buf part;
	int rc;

	if (len == UINT32_MAX) {
		buf_put_text(out, null);
		return OK;
	}
	buf_init(&part, out->mem);
	rc = put(p, &part, oid, read_raw(r, len), depth + 1);
	if (rc == OK && r->failed)
		rc = E_CORRUPT;
	if (rc == OK)
		put_quoted(out, buf_bytes(&part), special, *null != '\0');
	if (rc == OK)
		rc = buf_error(&part);
	buf_fini(&part);
	return rc;
}

struct shape {
	uint32_t size[6];
	int dims;
	uint32_t oid;
	char special[4];
};

static int put_dimension(struct pg_db *p, struct buf *out, struct reader *r,
			 const struct shape *a, int dim, int depth)
{
	int rc = OK;

	buf_put_char(out, '{');
	for (uint32_t i = 0; i < a->size[dim] && rc == OK; i++) {
		if (i > 0)
			buf_put_char(out, a->special[2]);
		rc = dim + 1 < a->dims
			     ? put_dimension(p, out, r, a, dim + 1, depth)
			     : put_part(p, out, r, a->oid, a->special, "NULL",
					depth);
	}
	buf_put_char(out, '}');
	return rc;
}

static int put_array(struct pg_db *p, struct buf *out, const struct pg_type *t,
		     struct bytes raw, int depth)
{
	struct reader r = reader_of(raw);
	uint32_t dims = read_u32(&r), lower[6];
	struct shape a = { .special = { '{', '}', t->delimiter, 0 } };
	bool plain = true;

	(void)read_u32(&r); /* has NULLs */
	a.oid = read_u32(&r);
	if (r.failed || dims > ARRAY_LEN(a.size))
		return E_CORRUPT;
	a.dims = (int)dims;
	for (uint32_t i = 0; i < dims; i++) {
		a.size[i] = read_u32(&r);
		lower[i] = read_u32(&r);
		plain = plain && lower[i] == 1;
	}
	if (dims == 0) {
		buf_put_text(out, "{}");
		return OK;
	}
	for (uint32_t i = 0; i < dims && !plain; i++)
		buf_printf(out, "[%d:%d]", (int)lower[i],
			   (int)(lower[i] + a.size[i] - 1));
	if (!plain)
		buf_put_char(out, '=');
	return put_dimension(p, out, &r, &a, 0, depth);
}

static int put_composite(struct pg_db *p, struct buf *out, struct bytes raw,
			 int depth)
{
	struct reader r = reader_of(raw);
	uint32_t n = read_u32(&r);
	int rc = OK;

	buf_put_char(out, '(');
	for (uint32_t i = 0; i < n && rc == OK; i++) {
		uint32_t oid = read_u32(&r);

		if (i > 0)
			buf_put_char(out, ',');
		rc = put_part(p, out, &r, oid, "(),", "", depth);
	}
	buf_put_char(out, ')');
	return rc;
}

static int put_range(struct pg_db *p, struct buf *out, const struct pg_type *t,
		     struct bytes raw, int depth)
{
	struct reader r = reader_of(raw);
	uint8_t flags = read_u8(&r);
	int rc = OK;

	if (flags & 0x01) {
		buf_put_text(out, "empty");
		return OK;
	}
	buf_put_char(out, flags & 0x02 ? '[' : '(');
	if (!(flags & 0x08))
		rc = put_part(p, out, &r, t->element, "()[],", "", depth);
	buf_put_char(out, ',');
	if (rc == OK && !(flags & 0x10))
		rc = put_part(p, out, &r, t->element, "()[],", "", depth);
	buf_put_char(out, flags & 0x04 ? ']' : ')');
	return rc;
}

static int put_multirange(struct pg_db *p, struct buf *out,
			  const struct pg_type *t, struct bytes raw, int depth)
{
	struct reader r = reader_of(raw);
	uint32_t n = read_u32(&r);
	int rc = OK;

	buf_put_char(out, '{');
	for (uint32_t i = 0; i < n && rc == OK && !r.failed; i++) {
		if (i > 0)
			buf_put_char(out, ',');
		rc = put_range(p, out, t, read_bytes(&r), depth);
	}
	buf_put_char(out, '}');
	return r.failed ? E_CORRUPT : rc;
}

static int put(struct pg_db *p, struct buf *out, uint32_t oid, struct bytes raw,
	       int depth)
{
	const struct pg_type *t;
	int rc = pg_type_find(p, oid, &t);

	if (rc != OK)
		return rc;
	if (depth > DEPTH_MAX)
		return E_LIMIT;
	switch (t->shape) {
	case PG_SCALAR:
		return pg_put_scalar(out, oid, raw);
	case PG_TEXT:
		buf_put(out, raw);
		return OK;
	case PG_DOMAIN:
		return put(p, out, t->element, raw, depth + 1);
	case PG_ARRAY:
		return put_array(p, out, t, raw, depth);
	case PG_RANGE:
		return put_range(p, out, t, raw, depth);
	case PG_MULTIRANGE:
		return put_multirange(p, out, t, raw, depth);
	case PG_COMPOSITE:
		return put_composite(p, out, raw, depth);
	case PG_OPAQUE:
		break;
	}
	return ASK_SERVER;
}

static int ask_server(struct pg_db *p, uint32_t oid, struct bytes raw,
		      struct buf *out)
{
	const char *data = raw.len ? (const char *)raw.data : "";
	int len = (int)raw.len, binary = 1, rc = OK;
	Oid type = oid;
	PGresult *r = PQexecParams(p->conn, "SELECT $1::pg_catalog.text", 1,
				   &type, &data, &len, &binary, 1);

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		rc = pg_fail(p, r);
	else
		buf_put(out, (struct bytes){ (uint8_t *)PQgetvalue(r, 0, 0),
					     (size_t)PQgetlength(r, 0, 0) });
	PQclear(r);
	return rc;
}

static int unreadable(struct pg_db *p, int rc, uint32_t oid)
{
	struct buf why;

	if (rc == E_NOMEM)
		return driver_nomem(&p->db);
	buf_init(&why, p->db.mem);
	buf_printf(&why, "a value of type %u is not in the form known here",
		   oid);
	rc = driver_fail(&p->db, E_UNSUPPORTED, DB_DATA, "", 0, buf_text(&why));
	buf_fini(&why);
	return rc;
}

int pg_decode(struct pg_db *p, uint32_t oid, struct bytes raw,
	      struct arena *arena, struct value *out)
{
	enum value_type class = pg_class(oid);
	struct bytes text;
	struct buf b;
	int rc;

	if (class == VALUE_BYTES) {
		*out = (struct value){ class, arena_bytes(arena, raw) };
		return out->data.data ? OK : driver_nomem(&p->db);
	}
	buf_init(&b, &arena->as_mem);
	rc = put(p, &b, oid, raw, 0);
	if (rc == ASK_SERVER) {
		buf_clear(&b);
		rc = ask_server(p, oid, raw, &b);
		if (rc != OK)
			return rc;
	}
	if (rc == OK)
		rc = buf_error(&b);
	if (rc == OK)
		rc = charset_to_utf8(&p->db.charset, arena, buf_bytes(&b),
				     &text);
	if (rc == E_CLOSED || rc == E_IO || rc == E_TIMEOUT)
		return rc; /* learning of a type failed; the error is set */
	if (rc != OK)
		return unreadable(p, rc, oid);
	*out = (struct value){ class, text };
	return OK;
}
