#include "rm-agent/xa/server.h"

#include "rm-agent/agent.h"

const struct xa_server *xa_server_of(enum dialect dialect)
{
	switch (dialect) {
	case DIALECT_POSTGRES:
		return &xa_pg;
	case DIALECT_MYSQL:
		return &xa_my;
	default:
		return NULL;
	}
}

int xa_fail_db(struct db *db, int rc, const char *what)
{
	return agent_fail(rc, "%s: %s", what,
			  rc == E_NOMEM ? "out of memory"
					: db_error(db)->message);
}

int xa_row(struct db *db, const char *sql, struct arena *arena,
	   const char **values, size_t n)
{
	const struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;
	int rc = db_exec(db, &stmt, arena, &r);

	if (rc != OK)
		return rc;
	if (r.n_rows < 1 || r.n_columns < n)
		return E_NOTFOUND;
	for (size_t i = 0; i < n; i++) {
		struct value v = db_value(&r, 0, i);

		values[i] =
			v.type == VALUE_NULL ? "" : arena_text(arena, v.data);
		if (!values[i])
			return E_NOMEM;
	}
	return OK;
}
