#include "rm-agent/db/pg.h"

/* SQLSTATE by its beginning; the first that fits. */
static const struct {
	const char *prefix;
	int err;
	enum db_class class;
} states[] = {
	{ "40P01", E_DEADLOCK, DB_DEADLOCK },
	{ "40003", E_CLOSED, DB_LOST }, /* statement completion unknown */
	{ "40", E_CONFLICT, DB_SERIALIZATION },
	{ "55P03", E_TIMEOUT, DB_LOCK_TIMEOUT },
	{ "57014", E_TIMEOUT, DB_CANCELLED },
	{ "57P", E_CLOSED, DB_LOST },
	{ "08", E_CLOSED, DB_LOST },
	{ "25006", E_UNSUPPORTED, DB_READONLY },
	{ "25P02", E_STATE, DB_ABORTED },
	{ "25P03", E_CLOSED, DB_LOST }, /* idle in transaction too long */
	{ "25", E_STATE, DB_OTHER },
	{ "26", E_AGAIN, DB_STALE },
	/* A cached plan met a changed table: as stale as if it were gone. */
	{ "0A000!cached plan", E_AGAIN, DB_STALE },
	{ "0A", E_UNSUPPORTED, DB_OTHER },
	{ "23", E_INVALID, DB_CONSTRAINT },
	{ "42501", E_DENIED, DB_PERMISSION },
	{ "28", E_DENIED, DB_PERMISSION },
	{ "3D000", E_NOTFOUND, DB_OTHER },
	{ "53", E_LIMIT, DB_FULL },
	{ "54", E_LIMIT, DB_OTHER },
	{ "42", E_INVALID, DB_SYNTAX },
	{ "3F", E_INVALID, DB_SYNTAX },
	{ "22", E_INVALID, DB_DATA },
	{ "21", E_INVALID, DB_DATA },
	{ "44", E_INVALID, DB_CONSTRAINT },
	{ "", E_IO, DB_OTHER },
};

static bool fits(const char *prefix, const char *state, const char *message)
{
	const char *bang = strchr(prefix, '!');
	size_t len = bang ? (size_t)(bang - prefix) : strlen(prefix);

	return strncmp(prefix, state, len) == 0 &&
	       (!bang || strncmp(message, bang + 1, strlen(bang + 1)) == 0);
}

int pg_fail(struct pg_db *p, const PGresult *result)
{
	const char *state = NULL, *text = NULL;

	if (result) {
		state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	}
	if (!text)
		text = result && *PQresultErrorMessage(result)
			       ? PQresultErrorMessage(result)
			       : PQerrorMessage(p->conn);
	/* libpq's own errors have no SQLSTATE: the connection, or memory. */
	if (!state && PQstatus(p->conn) == CONNECTION_BAD)
		return driver_fail(&p->db, E_CLOSED, DB_LOST, "", 0, text);
	if (!state)
		return driver_fail(&p->db, E_IO, DB_OTHER, "", 0, text);
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (fits(states[i].prefix, state, text))
			return driver_fail(&p->db, states[i].err,
					   states[i].class, state, 0, text);
	return driver_fail(&p->db, E_IO, DB_OTHER, state, 0, text);
}
