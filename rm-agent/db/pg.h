#ifndef RM_AGENT_DB_PG_H
#define RM_AGENT_DB_PG_H

/*
 * PostgreSQL: what the files of this driver share.
 *
 * Results are asked for in binary form and spelled by us. Text form would
 * depend on DateStyle, TimeZone, IntervalStyle, extra_float_digits,
 * bytea_output and lc_monetary of the session, and changing those for a
 * statement would change what the application's own WHERE clause means.
 */

#include "rm-agent/db/driver.h"

#include <libpq-fe.h>

/* How a type's binary form is built. */
enum pg_shape {
	PG_SCALAR = 1, /* pg_put_scalar() knows it */
	PG_TEXT,       /* an enum: its label */
	PG_DOMAIN,     /* as .element */
	PG_ARRAY,      /* of .element, text with .delimiter */
	PG_RANGE,      /* of .element */
	PG_MULTIRANGE, /* of ranges of .element */
	PG_COMPOSITE,
	PG_OPAQUE, /* only the server can spell it */
};

struct pg_type {
	struct map_node node;
	uint32_t oid;
	enum pg_shape shape;
	uint32_t element;
	char delimiter;
	char name[64];
};

struct pg_db {
	struct db db;
	PGconn *conn;
	struct map types; /* struct pg_type by oid, learned as needed */
};

static inline struct pg_db *pg_of(struct db *db)
{
	return CONTAINER_OF(db, struct pg_db, db);
}

/* ---- pg_error.c ---- */

/* From a result that is an error, or NULL for the connection's message. */
int pg_fail(struct pg_db *p, const PGresult *result);

/* ---- pg_value.c: types that the driver knows by heart ---- */

/* What values of a type are; VALUE_OTHER for those not known by heart. */
enum value_type pg_class(uint32_t oid);
/* The name of a type known by heart, or NULL. */
const char *pg_scalar_name(uint32_t oid);
/* Append the text of a binary value of a type known by heart. OK, or
 * E_CORRUPT. Text comes as it is, in the session's encoding. */
MUST_CHECK int pg_put_scalar(struct buf *out, uint32_t oid, struct bytes raw);

/* ---- pg_time.c ---- */

void pg_put_date(struct buf *out, int32_t days);
void pg_put_time(struct buf *out, int64_t us);
void pg_put_timetz(struct buf *out, int64_t us, int32_t zone);
void pg_put_timestamp(struct buf *out, int64_t us, bool zone);
void pg_put_interval(struct buf *out, int64_t us, int32_t days, int32_t months);

/* ---- pg_nested.c ---- */

/* What is known of a type, asking the server once. Out-parameter is borrowed
 * from the connection. Codes as db_exec(). */
MUST_CHECK int pg_type_find(struct pg_db *p, uint32_t oid,
			    const struct pg_type **out);
void pg_types_clear(struct pg_db *p);
/* A binary value as a struct value in the arena. The connection must be free
 * for asking about types. Codes as db_exec(). */
MUST_CHECK int pg_decode(struct pg_db *p, uint32_t oid, struct bytes raw,
			 struct arena *arena, struct value *out);

/* ---- pg_exec.c ---- */

int pg_exec(struct db *db, const struct db_stmt *stmt, struct arena *arena,
	    struct db_result *out);
int pg_exec_all(struct db *db, const struct db_stmt *stmts, size_t n,
		struct arena *arena, struct db_result *results, size_t *done);
void pg_drop(struct db *db, struct kept_stmt *stmt);

#endif
