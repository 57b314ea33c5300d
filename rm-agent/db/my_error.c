#include "rm-agent/db/my.h"

#include <errmsg.h>

static const struct known {
	unsigned native;
	int err;
	enum db_class class;
} known[] = {
	{ 1213, E_DEADLOCK, DB_DEADLOCK },
	{ 1614, E_DEADLOCK, DB_DEADLOCK }, /* XA_RBDEADLOCK */
	{ 1205, E_TIMEOUT, DB_LOCK_TIMEOUT },
	{ 3572, E_TIMEOUT, DB_LOCK_TIMEOUT }, /* NOWAIT */
	{ 1613, E_TIMEOUT, DB_LOCK_TIMEOUT }, /* XA_RBTIMEOUT */
	{ 1020, E_CONFLICT, DB_SERIALIZATION },
	{ 1317, E_TIMEOUT, DB_CANCELLED },
	{ 1969, E_TIMEOUT, DB_CANCELLED }, /* max_statement_time */
	{ 3024, E_TIMEOUT, DB_CANCELLED },
	/* the connection */
	{ 1053, E_CLOSED, DB_LOST }, /* shutdown in progress */
	{ 1152, E_CLOSED, DB_LOST },
	{ 1158, E_CLOSED, DB_LOST },
	{ 1159, E_CLOSED, DB_LOST },
	{ 1160, E_CLOSED, DB_LOST },
	{ 1161, E_CLOSED, DB_LOST },
	{ 1927, E_CLOSED, DB_LOST }, /* killed */
	{ CR_CONNECTION_ERROR, E_CLOSED, DB_LOST },
	{ CR_CONN_HOST_ERROR, E_CLOSED, DB_LOST },
	{ CR_SERVER_GONE_ERROR, E_CLOSED, DB_LOST },
	{ CR_SERVER_LOST, E_CLOSED, DB_LOST },
	{ CR_SERVER_LOST_EXTENDED, E_CLOSED, DB_LOST },
	{ CR_COMMANDS_OUT_OF_SYNC, E_STATE, DB_IN_USE },
	{ CR_OUT_OF_MEMORY, E_NOMEM, DB_OTHER },
	/* constraints */
	{ 1048, E_INVALID, DB_CONSTRAINT },
	{ 1062, E_INVALID, DB_CONSTRAINT },
	{ 1169, E_INVALID, DB_CONSTRAINT },
	{ 1216, E_INVALID, DB_CONSTRAINT },
	{ 1217, E_INVALID, DB_CONSTRAINT },
	{ 1451, E_INVALID, DB_CONSTRAINT },
	{ 1452, E_INVALID, DB_CONSTRAINT },
	{ 1557, E_INVALID, DB_CONSTRAINT },
	{ 1586, E_INVALID, DB_CONSTRAINT },
	{ 1761, E_INVALID, DB_CONSTRAINT },
	{ 1762, E_INVALID, DB_CONSTRAINT },
	{ 3819, E_INVALID, DB_CONSTRAINT },
	{ 4025, E_INVALID, DB_CONSTRAINT },
	/* rights */
	{ 1044, E_DENIED, DB_PERMISSION },
	{ 1045, E_DENIED, DB_PERMISSION },
	{ 1142, E_DENIED, DB_PERMISSION },
	{ 1143, E_DENIED, DB_PERMISSION },
	{ 1227, E_DENIED, DB_PERMISSION },
	{ 1370, E_DENIED, DB_PERMISSION },
	{ 1698, E_DENIED, DB_PERMISSION },
	/* may not be written */
	{ 1036, E_UNSUPPORTED, DB_READONLY },
	{ 1223, E_UNSUPPORTED, DB_READONLY },
	{ 1290, E_UNSUPPORTED, DB_READONLY },
	{ 1792, E_UNSUPPORTED, DB_READONLY },
	{ 1836, E_UNSUPPORTED, DB_READONLY },
	/* full */
	{ 1021, E_LIMIT, DB_FULL },
	{ 1037, E_LIMIT, DB_FULL },
	{ 1038, E_LIMIT, DB_FULL },
	{ 1040, E_LIMIT, DB_FULL },
	{ 1041, E_LIMIT, DB_FULL },
	{ 1114, E_LIMIT, DB_FULL },
	{ 1203, E_LIMIT, DB_FULL },
	{ 1206, E_LIMIT, DB_FULL }, /* lock table */
	{ 1226, E_LIMIT, DB_FULL },
	{ 1461, E_LIMIT, DB_FULL }, /* prepared statements */
	{ 1153, E_LIMIT, DB_DATA }, /* max_allowed_packet */
	/* kept statements */
	{ 1243, E_AGAIN, DB_STALE },
	{ 1615, E_AGAIN, DB_STALE },
	{ CR_STMT_CLOSED, E_AGAIN, DB_STALE },
	/* names and syntax; SQLSTATE 42… says the rest */
	{ 1049, E_NOTFOUND, DB_OTHER },
	{ 1295, E_UNSUPPORTED, DB_SYNTAX }, /* not in the binary protocol */
	{ 1364, E_INVALID, DB_DATA },
	{ 1366, E_INVALID, DB_DATA },
	{ 1265, E_INVALID, DB_DATA },
	{ 1411, E_INVALID, DB_DATA },
	{ 1416, E_INVALID, DB_DATA },
	/* XA */
	{ 1397, E_NOTFOUND, DB_OTHER }, /* NOTA */
	{ 1398, E_INVALID, DB_OTHER },  /* INVAL */
	{ 1399, E_STATE, DB_OTHER },    /* RMFAIL: its text tells the state */
	{ 1400, E_STATE, DB_OTHER },    /* OUTSIDE */
	{ 1401, E_IO, DB_OTHER },       /* RMERR */
	{ 1402, E_STATE, DB_ABORTED },  /* RBROLLBACK */
	{ 1440, E_CONFLICT, DB_OTHER }, /* DUPID */
};

/* For what the table does not name. */
static struct known by_state(const char *state)
{
	if (strncmp(state, "23", 2) == 0)
		return (struct known){ 0, E_INVALID, DB_CONSTRAINT };
	if (strncmp(state, "42", 2) == 0)
		return (struct known){ 0, E_INVALID, DB_SYNTAX };
	if (strncmp(state, "22", 2) == 0 || strncmp(state, "21", 2) == 0)
		return (struct known){ 0, E_INVALID, DB_DATA };
	if (strncmp(state, "08", 2) == 0)
		return (struct known){ 0, E_CLOSED, DB_LOST };
	if (strncmp(state, "40", 2) == 0)
		return (struct known){ 0, E_CONFLICT, DB_SERIALIZATION };
	return (struct known){ 0, E_IO, DB_OTHER };
}

static struct known lookup(unsigned native, const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].native == native)
			return known[i];
	return by_state(state);
}

/* Errors after which the server has rolled back the whole transaction. */
static bool ends_transaction(const struct my_db *m, enum db_class class)
{
	return class == DB_DEADLOCK || class == DB_SERIALIZATION ||
	       class == DB_FULL ||
	       (class == DB_LOCK_TIMEOUT && m->rollback_on_timeout);
}

int my_fail(struct my_db *m, unsigned native, const char *sqlstate,
	    const char *message)
{
	struct known k = lookup(native, sqlstate);

	if (k.class == DB_LOST)
		m->lost = true;
	if (ends_transaction(m, k.class) &&
	    (m->conn->server_status & SERVER_STATUS_IN_TRANS ||
	     !(m->conn->server_status & SERVER_STATUS_AUTOCOMMIT)))
		m->failed = true;
	return driver_fail(&m->db, k.err, k.class, sqlstate, (int)native,
			   message);
}

bool my_surely_rolled_back(enum db_class class)
{
	return class == DB_DEADLOCK || class == DB_SERIALIZATION ||
	       class == DB_CONSTRAINT || class == DB_READONLY ||
	       class == DB_ABORTED;
}

int my_connect_failed(MYSQL *conn, struct db_error *error)
{
	unsigned native = mysql_errno(conn);
	struct known k = lookup(native, mysql_sqlstate(conn));

	if (k.class == DB_LOST || k.err == E_INVALID)
		k.err = E_IO;
	return error_set(error, k.err, k.class, mysql_sqlstate(conn),
			 (int)native, mysql_error(conn));
}
