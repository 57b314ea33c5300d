#include "tests/conformance/ground.h"

#include "rm-agent/db/my.h"

#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- connections ---- */

static void *connect_pg(const struct ground *g)
{
	PGconn *conn = PQconnectdb(g->dsn);

	if (PQstatus(conn) == CONNECTION_OK)
		return conn;
	fprintf(stderr, "%s\n", PQerrorMessage(conn));
	return NULL;
}

static void *connect_mysql(const struct ground *g)
{
	MYSQL *conn = mysql_init(NULL), *made;
	struct arena arena;
	struct my_dsn d;

	arena_init(&arena, &mem_heap, 0);
	REQUIRE(my_dsn_parse(&arena, g->dsn, &d) == OK);
	mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	made = mysql_real_connect(conn, d.host, d.user, d.password, d.database,
				  d.port, d.socket, 0);
	if (!made)
		fprintf(stderr, "%s\n", mysql_error(conn));
	arena_fini(&arena);
	return made;
}

static void *connect_sqlite(const struct ground *g)
{
	sqlite3 *conn = NULL;

	if (sqlite3_open_v2(g->dsn + strlen("sqlite:"), &conn,
			    SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_busy_timeout(conn, 5000);
	sqlite3_exec(conn, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
	return conn;
}

static void *connect_native(const struct ground *g)
{
	switch (g->dialect) {
	case DIALECT_POSTGRES:
		return connect_pg(g);
	case DIALECT_MYSQL:
		return connect_mysql(g);
	case DIALECT_SQLITE:
	default:
		return connect_sqlite(g);
	}
}

static void disconnect_native(const struct ground *g, void *conn)
{
	if (!conn)
		return;
	if (g->dialect == DIALECT_POSTGRES)
		PQfinish(conn);
	else if (g->dialect == DIALECT_MYSQL)
		mysql_close(conn);
	else
		(void)sqlite3_close(conn);
}

static bool must(int rc, const char *what, const char *why)
{
	if (rc != OK)
		fprintf(stderr, "%s: %s: %s\n", what, err_name(rc), why);
	return rc == OK;
}

static bool open_twin(struct ground *g)
{
	struct db_error e = { 0 };
	int rc = E_IO;

	g->twin_native = connect_native(g);
	if (!g->twin_native)
		return false;
	if (g->dialect == DIALECT_POSTGRES)
		rc = db_of_pg(&g->twin, &mem_heap, g->twin_native, &e);
	else if (g->dialect == DIALECT_MYSQL)
		rc = db_of_mysql(&g->twin, &mem_heap, g->twin_native, &e);
	else
		rc = db_of_sqlite(&g->twin, &mem_heap, g->twin_native, &e);
	return must(rc, "twin", e.message);
}

static bool open_hand(struct ground *g)
{
	struct treaty_options o;
	int rc = E_IO;

	treaty_options_init(&o, sizeof o);
	o.address = g->treatyd.agents;
	o.application = "conformance";
	o.commit_wait_ms = 4000;
	o.rollback_wait_ms = 4000;
	if (!must(treaty_open(&g->treaty, &o), "open", treaty_last_error()))
		return false;
	g->hand = connect_native(g);
	if (!g->hand)
		return false;
	if (g->dialect == DIALECT_POSTGRES)
		rc = treaty_at_wrap_pg(g->treaty, g->hand, NULL, &g->at);
	else if (g->dialect == DIALECT_MYSQL)
		rc = treaty_at_wrap_mysql(g->treaty, g->hand, NULL, &g->at);
	else
		rc = treaty_at_wrap_sqlite(g->treaty, g->hand, NULL, &g->at);
	return must(rc, "wrap", treaty_last_error());
}

static void close_hand(struct ground *g)
{
	treaty_at_unwrap(g->at);
	disconnect_native(g, g->hand);
	(void)treaty_close(g->treaty);
	g->at = NULL;
	g->hand = NULL;
	g->treaty = NULL;
}

/* ---- statements past Treaty ---- */

void ground_even(struct ground *g)
{
	if (g->dialect != DIALECT_SQLITE)
		return;
	sqlite3_set_last_insert_rowid(g->hand, 0);
	sqlite3_set_last_insert_rowid(g->twin_native, 0);
}

char *next_statement(char **rest)
{
	char *at = *rest, *end;

	while (at && (*at == '\n' || *at == ' '))
		at++;
	if (!at || !*at)
		return NULL;
	end = strstr(at, ";\n");
	*rest = end ? end + 2 : NULL;
	if (end)
		*end = '\0';
	return at;
}

static bool run_one(struct ground *g, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;
	struct arena arena;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = db_exec(g->eye, &stmt, &arena, &r);
	if (rc != OK)
		fprintf(stderr, "%s\n  %s\n", sql, db_error(g->eye)->message);
	arena_fini(&arena);
	return rc == OK;
}

static bool run_all(struct ground *g, const char *sql)
{
	char *copy = mem_text(&mem_heap, bytes_of(sql)), *rest = copy, *one;
	bool ok = copy != NULL;

	while (ok && (one = next_statement(&rest)))
		ok = run_one(g, one);
	mem_free(&mem_heap, copy);
	return ok;
}

static struct bytes ask_text(struct ground *g, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;

	if (db_exec(g->eye, &stmt, &g->arena, &r) != OK || r.n_rows != 1)
		return BYTES("");
	return db_value(&r, 0, 0).data;
}

long ground_count(struct ground *g, const char *sql)
{
	struct bytes text;
	long n;

	text = ask_text(g, sql);
	n = text.len ? strtol((const char *)text.data, NULL, 10) : -1;
	return n;
}

/* ---- snapshots ---- */

/* Queries that give the text of the query of a snapshot. */
static const char *const look_maker[] = {
	[DIALECT_POSTGRES] =
		"SELECT string_agg(format('SELECT %L::text, CASE WHEN "
		"length(zz_row::text) > 200 THEN md5(zz_row::text) ELSE "
		"zz_row::text END FROM "
		"ONLY "
		"%s zz_row', c.oid::regclass, c.oid::regclass), ' UNION ALL ') "
		"|| "
		"' UNION ALL SELECT ''~table'', c.oid::regclass::text || '':'' "
		"|| c.relkind::text || c.relnatts FROM pg_class c JOIN "
		"pg_namespace "
		"n ON n.oid = c.relnamespace WHERE n.nspname !~ ''^pg_'' AND "
		"n.nspname <> ''information_schema'' AND c.relname !~ "
		"''^undo_log'' AND c.relname <> ''treaty_keys'' "
		"ORDER BY 1, 2' "
		"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
		"WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' "
		"AND n.nspname <> 'information_schema' "
		"AND c.relname <> 'undo_log'",
	[DIALECT_MYSQL] =
		"SELECT CONCAT(GROUP_CONCAT(CONCAT('SELECT ''', t.n, ''', "
		"CONCAT_WS(''|'', ', t.c, ') FROM ', t.q) SEPARATOR ' "
		"UNION ALL '), ' UNION ALL SELECT ''~table'', "
		"CONCAT(table_schema, ''.'', table_name) FROM "
		"information_schema.tables WHERE table_schema IN "
		"(''test'', ''shop'') AND table_name <> ''undo_log'' ORDER "
		"BY 1, 2') FROM (SELECT CONCAT(c.table_schema, '.', "
		"c.table_name) n, CONCAT('`', c.table_schema, '`.`', "
		"c.table_name, '`') q, GROUP_CONCAT(CONCAT('IFNULL(', CASE "
		"WHEN data_type = 'bit' THEN CONCAT('BIN(', q, '+0)') WHEN "
		"data_type IN ('float', 'double') THEN CONCAT(q, '+0e0') "
		"WHEN data_type IN ('tinyint', 'smallint', 'mediumint', "
		"'int', 'bigint', 'decimal', 'year', 'date', 'time', "
		"'datetime', 'timestamp', 'enum', 'set') THEN "
		"CONCAT('CAST(', q, ' AS CHAR)') ELSE CONCAT('HEX(', q, "
		"')') END, ',''~'')') ORDER BY ordinal_position) c FROM "
		"(SELECT *, CONCAT('`', REPLACE(column_name, '`', '``'), "
		"'`') q FROM information_schema.columns) c JOIN "
		"information_schema.tables b ON b.table_schema = "
		"c.table_schema AND b.table_name = c.table_name WHERE "
		"c.table_schema IN ('test', 'shop') AND b.table_type <> "
		"'VIEW' AND c.table_name <> 'undo_log' GROUP BY "
		"c.table_schema, c.table_name) t",
	[DIALECT_SQLITE] =
		"SELECT group_concat(q, ' UNION ALL ') || ' UNION ALL SELECT "
		"''~table'', quote(name || '':'' || coalesce(sql, '''')) FROM "
		"sqlite_schema WHERE tbl_name NOT IN (''undo_log'', "
		"''sqlite_sequence'') ORDER BY 1, 2' FROM (SELECT 'SELECT ' || "
		"quote(m.name) || ', ' || (SELECT group_concat('quote(\"' || "
		"replace(c.name, '\"', '\"\"') || '\")', ' || ''|'' || ') FROM "
		"pragma_table_xinfo(m.name) c) || ' FROM \"' || "
		"replace(m.name, '\"', '\"\"') || '\"' AS q FROM "
		"pragma_table_list m WHERE m.schema = 'main' AND m.type = "
		"'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "
		"m.name <> 'undo_log' ORDER BY m.name)",
};

static bool make_look(struct ground *g)
{
	if (g->dialect == DIALECT_MYSQL &&
	    !run_one(g, "SET SESSION group_concat_max_len = 1000000"))
		return false;
	g->look = ask_text(g, look_maker[g->dialect]);
	if (g->look.len == 0)
		fprintf(stderr, "no query for snapshots: %s\n",
			db_error(g->eye)->message);
	return g->look.len > 0;
}

static void put_line(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\n')
			buf_put_text(out, "\\n");
		else
			buf_put_u8(out, text.data[i]);
	}
}

void ground_look(struct ground *g, struct buf *out)
{
	struct db_stmt stmt = { .sql = g->look, .keep = true };
	struct db_result r;
	struct arena arena;

	arena_init(&arena, &mem_heap, 256 * 1024);
	if (db_exec(g->eye, &stmt, &arena, &r) != OK) {
		fprintf(stderr, "snapshot: %s\n", db_error(g->eye)->message);
		abort();
	}
	buf_clear(out);
	for (size_t i = 0; i < r.n_rows; i++) {
		put_line(out, db_value(&r, i, 0).data);
		buf_put_char(out, '\t');
		put_line(out, db_value(&r, i, 1).data);
		buf_put_char(out, '\n');
	}
	REQUIRE(buf_error(out) == OK);
	arena_fini(&arena);
}

/* Put the lines of `a` that `b` does not have. */
static unsigned put_missing(struct buf *out, const char *mark,
			    const struct buf *a, const struct buf *b)
{
	const char *p = (const char *)a->data, *end = p + a->len;
	unsigned n = 0;

	while (p < end && n < 6) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)(nl - p) + 1;

		if (!memmem(b->data, b->len, p, len)) {
			size_t shown = len > 400 ? 400 : len - 1;

			buf_put_text(out, mark);
			buf_put(out,
				(struct bytes){ (const uint8_t *)p, shown });
			buf_put_char(out, '\n');
			n++;
		}
		p += len;
	}
	return n;
}

void ground_difference(const struct buf *a, const struct buf *b,
		       struct buf *out)
{
	unsigned n = put_missing(out, "      - ", a, b);

	n += put_missing(out, "      + ", b, a);
	if (n == 0)
		buf_put_text(out, "      (a row more or less of the same)\n");
}

/* ---- reset ---- */

/* The lines of one table. */
static struct bytes lines_of(const struct buf *look, const char *table,
			     size_t len)
{
	const uint8_t *p = look->data, *end = p + look->len;
	const uint8_t *from = NULL, *to = NULL;

	while (p < end) {
		const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));

		if ((size_t)(nl - p) > len && memcmp(p, table, len) == 0 &&
		    p[len] == '\t') {
			from = from ? from : p;
			to = nl;
		}
		p = nl + 1;
	}
	return (struct bytes){ from, from ? (size_t)(to - from) : 0 };
}

static bool differs(const struct ground *g, const struct buf *now,
		    const char *tables)
{
	for (const char *p = tables; *p;) {
		size_t n = strcspn(p, "+");

		if (!bytes_equal(lines_of(now, p, n),
				 lines_of(&g->pristine, p, n)))
			return true;
		p += n + (p[n] == '+');
	}
	return false;
}

static bool same_look(const struct buf *a, const struct buf *b)
{
	return bytes_equal(buf_bytes(a), buf_bytes(b));
}

static bool check_fits(struct ground *g)
{
	bool on = g->dialect != DIALECT_SQLITE;

	if (!on)
		return true;
	return run_one(g, g->dialect == DIALECT_POSTGRES
				  ? "SET session_replication_role = replica"
				  : "SET SESSION foreign_key_checks = 0");
}

/* MariaDB: an ALTER for each generator is dear; only those that moved. */
static bool reset_sequences(struct ground *g)
{
	static const char moved[] =
		"SELECT GROUP_CONCAT(CONCAT('ALTER TABLE `', t.table_name, "
		"'` AUTO_INCREMENT = ', s.next, ';\\n') SEPARATOR '') FROM "
		"information_schema.tables t JOIN sequences_at_start s ON "
		"s.name = t.table_name WHERE t.table_schema = 'test' AND "
		"t.auto_increment <> s.next";
	struct bytes sql;

	if (!g->sequences)
		return true;
	if (g->dialect != DIALECT_MYSQL)
		return run_all(g, g->sequences);
	sql = ask_text(g, moved);
	return sql.len == 0 || run_all(g, (const char *)sql.data);
}

/*
 * SQLite: rows of a table whose key is not the rowid come back in another
 * order, with another rowid, which no statement here may depend on, but the
 * last insert id shows it.
 */
static bool reset_order(struct ground *g)
{
	if (g->dialect != DIALECT_SQLITE)
		return true;
	for (size_t i = 0; i < g->n_fills; i++)
		if (strcmp(g->fills[i].tables, "pair") == 0)
			return run_all(g, g->fills[i].sql);
	return true;
}

static bool fill_what_differs(struct ground *g, const struct buf *now)
{
	bool ok = true;

	for (size_t i = 0; ok && i < g->n_fills; i++)
		if (differs(g, now, g->fills[i].tables))
			ok = run_all(g, g->fills[i].sql);
	return ok;
}

static bool cannot_reset(struct ground *g, const struct buf *now)
{
	struct buf why;

	buf_init(&why, &mem_heap);
	ground_difference(&g->pristine, now, &why);
	fprintf(stderr, "tables cannot be reset:\n%s", buf_text(&why));
	buf_fini(&why);
	return false;
}

/* Filling a table with a trigger changes another one: look again. */
bool ground_reset(struct ground *g, const struct buf *known)
{
	struct buf now;
	bool ok = true, same;

	buf_init(&now, &mem_heap);
	if (!known)
		ground_look(g, &now);
	same = same_look(known ? known : &now, &g->pristine);
	for (int pass = 0; ok && !same && pass < 4; pass++) {
		ok = fill_what_differs(g, known ? known : &now);
		known = NULL;
		ground_look(g, &now);
		same = same_look(&now, &g->pristine);
	}
	if (ok && !same)
		ok = cannot_reset(g, &now);
	buf_fini(&now);
	return ok && reset_order(g) && reset_sequences(g);
}

/* ---- the schema file ---- */

static char *read_whole(struct ground *g, const char *path)
{
	struct buf b;
	uint8_t block[8192];
	size_t n;
	FILE *f = fopen(path, "r");
	char *text;

	if (!f) {
		perror(path);
		return NULL;
	}
	buf_init(&b, &mem_heap);
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		buf_put(&b, (struct bytes){ block, n });
	(void)fclose(f);
	text = arena_text(&g->arena, buf_bytes(&b));
	buf_fini(&b);
	return text;
}

/* Cut the text at "-- fill: names" and "-- sequences:". */
static void cut(struct ground *g, char *text)
{
	char *at = text;

	while ((at = strstr(at, "\n-- ")) != NULL) {
		char *line = at + 4, *nl = strchr(line, '\n');

		REQUIRE(nl);
		at = nl;
		if (strncmp(line, "fill: ", 6) == 0) {
			REQUIRE(g->n_fills < GROUND_FILLS);
			line[-4] = '\0';
			*nl = '\0';
			g->fills[g->n_fills++] =
				(struct ground_fill){ line + 6, nl + 1 };
			at = nl + 1;
		} else if (strncmp(line, "sequences:", 10) == 0) {
			line[-4] = '\0';
			g->sequences = nl;
		}
	}
}

static bool make_tables(struct ground *g, const char *folder)
{
	char path[1024];
	char *text;
	bool ok;

	(void)snprintf(path, sizeof path, "%s/schema/%s.sql", folder,
		       dialect_name(g->dialect));
	text = read_whole(g, path);
	if (!text)
		return false;
	cut(g, text);
	ok = run_all(g, text) && check_fits(g);
	for (size_t i = 0; ok && i < g->n_fills; i++)
		ok = run_all(g, g->fills[i].sql);
	if (ok && g->sequences)
		ok = run_all(g, g->sequences);
	ok = ok && make_look(g);
	if (ok)
		ground_look(g, &g->pristine);
	return ok;
}

/* ---- open and close ---- */

static bool start_server(struct ground *g)
{
	const char *dsn = NULL;

	if (g->dialect == DIALECT_POSTGRES) {
		if (servers_start(&g->servers, SERVERS_POSTGRESQL) == 0)
			dsn = g->servers.postgresql;
	} else if (g->dialect == DIALECT_MYSQL) {
		if (servers_start(&g->servers, SERVERS_MARIADB) == 0)
			dsn = g->servers.mariadb;
	} else if (servers_start(&g->servers, 0) == 0) {
		(void)snprintf(g->dsn, sizeof g->dsn, "sqlite:%s/ground.db",
			       g->servers.dir);
		return true;
	}
	if (dsn)
		(void)snprintf(g->dsn, sizeof g->dsn, "%s", dsn);
	return dsn != NULL;
}

static bool open_eye(struct ground *g)
{
	struct db_error error = { 0 };
	char dsn[320];

	(void)snprintf(dsn, sizeof dsn, "%s%s", g->dsn,
		       g->dialect == DIALECT_SQLITE ? "?create=1" : "");
	return must(db_open(&g->eye, &mem_heap, dsn, &error), dsn,
		    error.message);
}

bool ground_open(struct ground *g, enum dialect dialect, const char *folder)
{
	memset(g, 0, sizeof *g);
	g->dialect = dialect;
	arena_init(&g->arena, &mem_heap, 0);
	buf_init(&g->pristine, &mem_heap);
	return start_server(g) && open_eye(g) && make_tables(g, folder) &&
	       treatyd_start(&g->treatyd, "--lazy=1ms", NULL) && open_hand(g) &&
	       open_twin(g);
}

bool ground_renew(struct ground *g)
{
	close_hand(g);
	treatyd_remove(&g->treatyd);
	g->treatyd = (struct treatyd){ 0 };
	return run_one(g, "DELETE FROM undo_log") &&
	       treatyd_start(&g->treatyd, "--lazy=1ms", NULL) && open_hand(g);
}

void ground_close(struct ground *g)
{
	if (g->at)
		close_hand(g);
	if (g->twin)
		db_free(g->twin);
	disconnect_native(g, g->twin_native);
	if (g->eye)
		db_free(g->eye);
	treatyd_remove(&g->treatyd);
	servers_stop(&g->servers);
	buf_fini(&g->pristine);
	arena_fini(&g->arena);
}
