#include "rm-agent/xa/server.h"

#include "base/log.h"
#include "rm-agent/agent.h"
#include "undo/quote.h"

#include <stdlib.h>

/* What MySQL or MariaDB must be like. */

struct asked {
	const char *version, *flush, *log_bin, *sync_binlog;
};

static int ask(struct db *own, struct arena *arena, struct asked *a)
{
	const char *v[4];
	int rc = xa_row(own,
			"SELECT @@version, @@innodb_flush_log_at_trx_commit, "
			"@@log_bin, @@sync_binlog",
			arena, v, 4);

	if (rc != OK)
		return xa_fail_db(own, rc, "asking for the server's settings");
	*a = (struct asked){ v[0], v[1], v[2], v[3] };
	return OK;
}

/* MariaDB keeps a prepared branch when its client goes from 10.5 on (MDEV-742);
 * MySQL's XA is crash-safe with the binary log from 8.0.30 on. */
static int right_version(const struct db *own, const char *version)
{
	const bool mariadb = db_is_mariadb(own);
	const unsigned long least[3] = { mariadb ? 10 : 8, mariadb ? 5 : 0,
					 mariadb ? 0 : 30 };
	const char *p = version;

	for (int i = 0; i < 3; i++) {
		char *end;
		unsigned long n = strtoul(p, &end, 10);

		if (n > least[i])
			return OK;
		if (n < least[i] || end == p)
			return agent_fail(E_UNSUPPORTED,
					  "XA needs MariaDB 10.5 or MySQL "
					  "8.0.30 or newer; this server is %s",
					  version);
		p = *end == '.' ? end + 1 : end;
	}
	return OK;
}

static int durable(const struct asked *a, bool weak)
{
	if (weak)
		return OK;
	if (strcmp(a->flush, "1") != 0)
		return agent_fail(
			E_UNSUPPORTED,
			"a crash of this server may lose prepared branches: "
			"set innodb_flush_log_at_trx_commit = 1 (it is %s), or "
			"accept that with the option weak_durability",
			a->flush);
	if (strcmp(a->log_bin, "1") == 0 && strcmp(a->sync_binlog, "1") != 0)
		return agent_fail(
			E_UNSUPPORTED,
			"a crash of this server may lose prepared branches: "
			"set sync_binlog = 1 (it is %s), or accept that with "
			"the option weak_durability",
			a->sync_binlog);
	return OK;
}

static int no_galera(struct db *own, struct arena *arena)
{
	const char *v[1];
	const struct db_stmt stmt = {
		.sql = BYTES("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
	};
	struct db_result r;
	int rc = db_exec(own, &stmt, arena, &r);

	if (rc != OK)
		return xa_fail_db(own, rc, "asking for wsrep_on");
	if (r.n_rows == 0)
		return OK;
	v[0] = arena_text(arena, db_value(&r, 0, 1).data);
	if (v[0] && strcmp(v[0], "OFF") == 0)
		return OK;
	return agent_fail(
		E_UNSUPPORTED,
		"this server is a node of a Galera cluster "
		"(wsrep_on = ON), which refuses XA: use AT mode, or a "
		"server without Galera");
}

static int rights(struct db *own, struct arena *arena)
{
	struct xa_gid *all;
	const char *v[1];
	size_t n;
	int rc = xa_row(own,
			"SELECT COUNT(*) FROM information_schema.innodb_trx",
			arena, v, 1);

	if (rc == E_DENIED)
		return agent_fail(rc, "the agent must see whether a session's "
				      "transaction has ended: GRANT PROCESS ON "
				      "*.* to its user");
	if (rc != OK)
		return xa_fail_db(own, rc, "asking for InnoDB's transactions");
	rc = xa_my.list(own, arena, &all, &n);
	if (rc == E_DENIED)
		return agent_fail(rc, "the agent must list prepared branches: "
				      "GRANT XA_RECOVER_ADMIN ON *.* to its "
				      "user");
	return rc == OK ? OK : xa_fail_db(own, rc, "XA RECOVER");
}

/* They take part in no transaction; what is written to them stays. */
static int engines(struct db *own, struct arena *arena)
{
	const char *v[2];
	int rc = xa_row(own,
			"SELECT COUNT(*), MIN(table_name) FROM "
			"information_schema.tables WHERE table_schema = "
			"DATABASE() AND table_type = 'BASE TABLE' AND engine "
			"NOT IN ('InnoDB', 'SEQUENCE')",
			arena, v, 2);

	if (rc != OK)
		return xa_fail_db(own, rc, "asking for storage engines");
	if (strcmp(v[0], "0") != 0)
		LOG_WARN("tables that are not InnoDB: what XA branches write "
			 "to them is not rolled back; ALTER TABLE … ENGINE = "
			 "InnoDB",
			 LOG_S("tables", v[0]), LOG_S("first", v[1]));
	return OK;
}

int xa_gate_my(struct db *own, bool weak_durability)
{
	struct arena arena;
	struct asked a = { 0 };
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = ask(own, &arena, &a);
	if (rc == OK)
		rc = right_version(own, a.version);
	if (rc == OK)
		rc = durable(&a, weak_durability);
	if (rc == OK)
		rc = no_galera(own, &arena);
	if (rc == OK)
		rc = rights(own, &arena);
	if (rc == OK)
		rc = engines(own, &arena);
	arena_fini(&arena);
	return rc;
}

/* ---- the table of traces ---- */

static bool usable(struct db *own, const char *table, struct arena *arena)
{
	const struct db_stmt stmt = { 0 };
	struct db_stmt look = stmt;
	struct db_result r;
	struct buf sql;

	buf_init(&sql, &arena->as_mem);
	buf_printf(&sql, "SELECT gtrid, bqual, written FROM %s WHERE 1 = 0",
		   table);
	look.sql = buf_bytes(&sql);
	return buf_error(&sql) == OK && db_exec(own, &look, arena, &r) == OK;
}

static int make(struct db *own, const char *table, bool may_create,
		struct arena *arena)
{
	struct buf sql;

	if (usable(own, table, arena))
		return OK;
	buf_init(&sql, &arena->as_mem);
	buf_printf(
		&sql,
		"CREATE TABLE IF NOT EXISTS %s (gtrid VARBINARY(64) NOT "
		"NULL, bqual VARBINARY(64) NOT NULL, written TIMESTAMP NOT "
		"NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (gtrid, bqual), "
		"KEY (written)) ENGINE = InnoDB",
		table);
	if (buf_error(&sql) != OK)
		return agent_fail(E_NOMEM, "out of memory");
	if (!may_create)
		return agent_fail(E_NOTFOUND,
				  "there is no usable table of traces and it "
				  "may not be created; create it with: %s",
				  buf_text(&sql));
	if (db_command(own, buf_text(&sql)) != OK || !usable(own, table, arena))
		return agent_fail(E_NOTFOUND,
				  "the table of traces cannot be created (%s); "
				  "create it with: %s",
				  db_error(own)->message, buf_text(&sql));
	return OK;
}

int xa_table_my(struct db *own, const char *name, bool may_create, char **out)
{
	const char *schema[1];
	struct arena arena;
	struct buf table;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	buf_init(&table, &arena.as_mem);
	rc = xa_row(own, "SELECT DATABASE()", &arena, schema, 1);
	if (rc != OK) {
		rc = xa_fail_db(own, rc, "asking for the database");
	} else if (!schema[0][0]) {
		rc = agent_fail(E_INVALID, "the connection has no current "
					   "database; name one in the DSN");
	} else {
		quote_table(&table, DIALECT_MYSQL, bytes_of(schema[0]),
			    bytes_of(name));
		rc = buf_error(&table) == OK
			     ? make(own, buf_text(&table), may_create, &arena)
			     : agent_fail(E_NOMEM, "out of memory");
	}
	if (rc == OK) {
		*out = mem_text(&mem_heap, buf_bytes(&table));
		rc = *out ? OK : agent_fail(E_NOMEM, "out of memory");
	}
	arena_fini(&arena);
	return rc;
}
