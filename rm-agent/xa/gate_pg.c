#include "rm-agent/xa/server.h"

#include "rm-agent/agent.h"

#include <libpq-fe.h>

/* What PostgreSQL must be like. */

static int settings(struct db *own, struct arena *arena)
{
	const char *v[3];
	int rc = xa_row(own,
			"SELECT current_setting('max_prepared_transactions'), "
			"pg_catalog.pg_is_in_recovery()::text, "
			"current_setting('server_version_num')",
			arena, v, 3);

	if (rc != OK)
		return xa_fail_db(own, rc, "asking for the server's settings");
	/* pg_current_xact_id_if_assigned() */
	if (strcmp(v[2], "130000") < 0 || strlen(v[2]) < 6)
		return agent_fail(
			E_UNSUPPORTED,
			"XA needs PostgreSQL 13 or newer; this server "
			"is %s",
			v[2]);
	if (strcmp(v[0], "0") == 0)
		return agent_fail(
			E_UNSUPPORTED,
			"XA needs prepared transactions and this server has "
			"none: set max_prepared_transactions (at least as many "
			"as connections that work in XA) in postgresql.conf "
			"and restart it");
	if (v[1][0] == 't')
		return agent_fail(E_UNSUPPORTED,
				  "this server is a standby; XA needs the "
				  "primary: connect to that");
	return OK;
}

/* Only who prepared a transaction, or a superuser, may finish it. */
static int same_role(struct db *app, struct db *own, struct arena *arena)
{
	const char *his[1], *mine[2];
	int rc = xa_row(app, "SELECT current_user::text", arena, his, 1);

	if (rc != OK)
		return xa_fail_db(app, rc, "asking for the role");
	rc = xa_row(own,
		    "SELECT current_user::text, (SELECT rolsuper::text FROM "
		    "pg_catalog.pg_roles WHERE rolname = current_user)",
		    arena, mine, 2);
	if (rc != OK)
		return xa_fail_db(own, rc, "asking for the role");
	if (strcmp(his[0], mine[0]) == 0 || mine[1][0] == 't')
		return OK;
	return agent_fail(E_INVALID,
			  "the connection works as role %s, but phase two "
			  "would run as %s, which may not finish what another "
			  "role prepared: let .dsn name the same role",
			  his[0], mine[0]);
}

int xa_gate_pg(struct db *app, struct db *own)
{
	struct arena arena;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = settings(own, &arena);
	if (rc == OK && app)
		rc = same_role(app, own, &arena);
	arena_fini(&arena);
	return rc;
}
