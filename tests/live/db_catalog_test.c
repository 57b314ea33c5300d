#include "base/buf.h"
#include "rm-agent/db/catalog.h"
#include "tests/live/servers.h"
#include "undo/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct servers servers;
static struct arena arena;

static int start(void **state)
{
	(void)state;
	arena_init(&arena, &mem_heap, 0);
	return servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB);
}

static int stop(void **state)
{
	(void)state;
	arena_fini(&arena);
	servers_stop(&servers);
	return 0;
}

static struct db *open_db(const char *dsn)
{
	struct db_error error;
	struct db *db;

	if (db_open(&db, &mem_heap, dsn, &error) != OK)
		fail_msg("%s: %s", dsn, error.message);
	return db;
}

static struct db *open_lite(const char *name)
{
	struct buf dsn;
	struct db *db;

	buf_init(&dsn, &mem_heap);
	buf_printf(&dsn, "sqlite:%s/%s?create=1", servers.dir, name);
	db = open_db(buf_text(&dsn));
	buf_fini(&dsn);
	return db;
}

static struct db_result run(struct db *db, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;

	if (db_exec(db, &stmt, &arena, &r) != OK)
		fail_msg("%s: %s", sql, db_error(db)->message);
	return r;
}

static struct catalog_table load_in(struct db *db, const char *schema,
				    const char *name)
{
	struct catalog_table t;
	int rc = catalog_load(db, bytes_of(schema), bytes_of(name), &arena, &t);

	if (rc != OK)
		fail_msg("%s: %s: %s", name, err_name(rc),
			 db_error(db)->message);
	return t;
}

static struct catalog_table load(struct db *db, const char *name)
{
	return load_in(db, "", name);
}

static const struct column *column(const struct catalog_table *t,
				   const char *name)
{
	size_t at = table_find_column(t->table, bytes_of(name));

	if (at == t->table->n_columns)
		fail_msg("no column %s", name);
	return &t->table->columns[at];
}

/* The key as "a,b". */
static void key_is(const struct catalog_table *t, const char *names)
{
	struct buf b;

	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < t->table->n_key; i++) {
		if (i > 0)
			buf_put_char(&b, ',');
		buf_put(&b, t->table->columns[t->table->key[i]].name);
	}
	assert_string_equal(buf_text(&b), names);
	buf_fini(&b);
}

static void says(const struct catalog_table *t, const char *word)
{
	if (!memmem(t->why.data, t->why.len, word, strlen(word)))
		fail_msg("\"%.*s\" does not say \"%s\"", (int)t->why.len,
			 (const char *)t->why.data, word);
}

static void refused(struct db *db, const char *name, const char *why)
{
	struct catalog_table t = load(db, name);

	if (t.verdict != CATALOG_REFUSED)
		fail_msg("%s is not refused", name);
	assert_int_equal(t.on_insert, CATALOG_REFUSED);
	assert_int_equal(t.on_update, CATALOG_REFUSED);
	assert_int_equal(t.on_delete, CATALOG_REFUSED);
	says(&t, why);
}

static void verdicts(struct db *db, const char *name, int insert, int update,
		     int delete)
{
	struct catalog_table t = load(db, name);

	if (t.on_insert != (enum catalog_verdict)insert ||
	    t.on_update != (enum catalog_verdict)update ||
	    t.on_delete != (enum catalog_verdict) delete)
		fail_msg("%s: %d %d %d: %.*s", name, t.on_insert, t.on_update,
			 t.on_delete, (int)t.why.len, (const char *)t.why.data);
}

/* Rows that the column takes as equal have one lock text, others another. The
 * pairs of `equal` and `other` are SQL literals. */
static const char *lock_text(struct db *db, const struct catalog_table *t,
			     const char *literal)
{
	struct buf sql;
	struct db_result r;

	run(db, "DELETE FROM folded");
	buf_init(&sql, &arena.as_mem);
	buf_printf(&sql, "INSERT INTO folded VALUES (%s)", literal);
	run(db, buf_text(&sql));
	buf_clear(&sql);
	buf_put_text(&sql, "SELECT ");
	if (t->table->columns[t->table->key[0]].folds)
		catalog_put_sql(&sql, t->columns[t->table->key[0]].lock,
				BYTES("k"), BYTES("?"));
	else
		buf_put_text(&sql, "k");
	buf_put_text(&sql, " FROM folded");
	r = run(db, buf_text(&sql));
	return arena_text(&arena, db_value(&r, 0, 0).data);
}

static void folds(struct db *db, const char *type, const char *a,
		  const char *same, const char *other)
{
	struct catalog_table t;
	struct buf sql;

	run(db, "DROP TABLE IF EXISTS folded");
	buf_init(&sql, &arena.as_mem);
	buf_printf(&sql, "CREATE TABLE folded (k %s NOT NULL, PRIMARY KEY (k))",
		   type);
	run(db, buf_text(&sql));
	t = load(db, "folded");
	if (same && strcmp(lock_text(db, &t, a), lock_text(db, &t, same)) != 0)
		fail_msg("%s: %s and %s lock apart: %s, %s", type, a, same,
			 lock_text(db, &t, a), lock_text(db, &t, same));
	if (other &&
	    strcmp(lock_text(db, &t, a), lock_text(db, &t, other)) == 0)
		fail_msg("%s: %s and %s lock alike", type, a, other);
}

static void changes(struct db *db, const char *name, const char *ddl)
{
	struct catalog_table t = load(db, name);
	bool same;

	assert_int_equal(catalog_unchanged(db, &t, &arena, &same), OK);
	assert_true(same);
	run(db, ddl);
	assert_int_equal(catalog_unchanged(db, &t, &arena, &same), OK);
	if (same)
		fail_msg("not noticed: %s", ddl);
}

/* ---- PostgreSQL ---- */

static void test_postgresql_columns_and_keys(void **state)
{
	struct db *db = open_db(servers.postgresql);
	struct catalog_table t;

	(void)state;
	run(db, "CREATE SCHEMA other");
	run(db, "CREATE TYPE other.mood AS ENUM ('a')");
	run(db, "CREATE TABLE t (id bigserial PRIMARY KEY, a int GENERATED"
		" ALWAYS AS IDENTITY, n numeric(10,2), \"Odd \"\"name\" text,"
		" g int GENERATED ALWAYS AS (1) STORED, m other.mood,"
		" ms other.mood[], dropped int, v varchar(7) NOT NULL UNIQUE)");
	run(db, "ALTER TABLE t DROP COLUMN dropped");
	t = load(db, "t");
	assert_int_equal(t.verdict, CATALOG_OK);
	assert_int_equal(t.why.len, 0);
	key_is(&t, "id");
	assert_int_equal(t.table->n_columns, 8);
	assert_true(bytes_equal(t.table->schema, BYTES("public")));
	assert_true(column(&t, "id")->auto_increment);
	assert_false(column(&t, "id")->always_identity);
	assert_true(column(&t, "a")->always_identity);
	assert_true(column(&t, "g")->generated);
	assert_true(column(&t, "n")->nullable);
	assert_false(column(&t, "v")->nullable);
	assert_int_equal(column(&t, "Odd \"name")->class, VALUE_TEXT);
	assert_true(bytes_equal(column(&t, "n")->type, BYTES("numeric(10,2)")));
	assert_true(bytes_equal(column(&t, "m")->type, BYTES("other.mood")));
	assert_true(bytes_equal(column(&t, "ms")->type, BYTES("other._mood")));
	assert_true(bytes_equal(column(&t, "v")->type,
				BYTES("character varying(7)")));
	run(db, "CREATE TABLE u (a int, b int NOT NULL, c int NOT NULL)");
	run(db, "CREATE UNIQUE INDEX u1 ON u (b) WHERE b > 0");
	run(db, "CREATE UNIQUE INDEX u2 ON u ((b + 1))");
	run(db, "CREATE UNIQUE INDEX u3 ON u (a)");
	refused(db, "u", "no primary key");
	run(db, "CREATE UNIQUE INDEX u4 ON u (c, b) INCLUDE (a)");
	t = load(db, "u");
	key_is(&t, "c,b");
	db_free(db);
}

static void test_postgresql_names_resolve_by_search_path(void **state)
{
	struct db *db = open_db(servers.postgresql);
	struct catalog_table t;
	bool same;

	(void)state;
	run(db, "CREATE SCHEMA s1");
	run(db, "CREATE SCHEMA s2");
	run(db, "CREATE TABLE s1.x (id int PRIMARY KEY)");
	run(db, "CREATE TABLE s2.x (id int PRIMARY KEY)");
	run(db, "SET search_path = s2, s1");
	t = load(db, "x");
	assert_true(bytes_equal(t.table->schema, BYTES("s2")));
	run(db, "SET search_path = s1");
	assert_int_equal(catalog_unchanged(db, &t, &arena, &same), OK);
	assert_false(same);
	t = load_in(db, "s2", "x");
	assert_true(bytes_equal(t.table->schema, BYTES("s2")));
	assert_int_equal(
		catalog_load(db, BYTES(""), BYTES("nosuch"), &arena, &t),
		E_NOTFOUND);
	assert_int_equal(
		catalog_load(db, BYTES("no'\\such"), BYTES("x\"'"), &arena, &t),
		E_NOTFOUND);
	db_free(db);
}

static void test_postgresql_refuses_what_it_cannot_undo(void **state)
{
	struct db *db = open_db(servers.postgresql);

	(void)state;
	run(db, "CREATE TABLE base (id int PRIMARY KEY, v int)");
	run(db, "CREATE VIEW a_view AS SELECT * FROM base");
	refused(db, "a_view", "view");
	run(db, "CREATE TEMP TABLE a_temp (id int PRIMARY KEY)");
	refused(db, "a_temp", "temporary");
	run(db, "CREATE UNLOGGED TABLE unsafe (id int PRIMARY KEY)");
	refused(db, "unsafe", "unlogged");
	run(db, "CREATE TABLE kid () INHERITS (base)");
	refused(db, "base", "inherit");
	run(db, "CREATE TABLE part (id int PRIMARY KEY) PARTITION BY"
		" RANGE (id)");
	run(db, "CREATE TABLE part1 PARTITION OF part FOR VALUES"
		" FROM (0) TO (9)");
	refused(db, "part1", "partition");
	verdicts(db, "part", 0, 0, 0);
	refused(db, "pg_class", "itself");
	run(db, "CREATE TABLE ruled (id int PRIMARY KEY)");
	run(db, "CREATE RULE r AS ON DELETE TO ruled DO INSTEAD NOTHING");
	verdicts(db, "ruled", 0, 0, CATALOG_REFUSED);
	db_free(db);
}

static void test_postgresql_hidden_changes_by_event(void **state)
{
	struct db *db = open_db(servers.postgresql);

	(void)state;
	run(db, "CREATE TABLE h (id int PRIMARY KEY, u int UNIQUE)");
	run(db, "CREATE TABLE h1 (h int REFERENCES h ON UPDATE CASCADE)");
	verdicts(db, "h", 0, 0, 0); /* key columns are never updated */
	run(db, "CREATE TABLE h2 (h int REFERENCES h (u) ON UPDATE CASCADE)");
	verdicts(db, "h", 0, 1, 0);
	run(db, "CREATE TABLE h3 (h int REFERENCES h ON DELETE SET NULL)");
	verdicts(db, "h", 0, 1, 1);
	run(db, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql"
		" AS 'BEGIN RETURN NEW; END'");
	run(db, "CREATE TRIGGER g BEFORE INSERT ON h FOR EACH ROW"
		" EXECUTE FUNCTION f()");
	verdicts(db, "h", 1, 1, 1);
	run(db, "ALTER TABLE h DISABLE TRIGGER g");
	verdicts(db, "h", 0, 1, 1);
	run(db, "CREATE TABLE q (id int PRIMARY KEY)");
	run(db, "CREATE TRIGGER s BEFORE UPDATE ON q FOR EACH ROW"
		" EXECUTE FUNCTION suppress_redundant_updates_trigger()");
	verdicts(db, "q", 0, 0, 0);
	db_free(db);
}

static void test_postgresql_equal_keys_lock_alike(void **state)
{
	struct db *db = open_db(servers.postgresql);

	(void)state;
	run(db, "CREATE EXTENSION citext");
	run(db, "CREATE COLLATION ci (provider = icu, deterministic = false,"
		" locale = 'und-u-ks-level2')");
	folds(db, "numeric", "1.0", "1.000", "1.001");
	folds(db, "float8", "0", "'-0'", "1");
	folds(db, "float4", "0", "'-0'", "0.1");
	folds(db, "interval", "'1 mon'", "'30 days'", "'31 days'");
	folds(db, "citext", "'AB'", "'ab'", "'ac'");
	folds(db, "text COLLATE ci", "'AB'", "'ab'", NULL);
	folds(db, "bpchar", "'a'", "'a  '", "'b'");
	folds(db, "char(5)", "'a'", "'a  '", "'b'");
	folds(db, "text", "'a'", NULL, "'A'");
	folds(db, "jsonb", "'{\"a\":1.0}'", "'{\"a\":1.00}'", NULL);
	folds(db, "numeric[]", "'{1.0}'", "'{1.00}'", NULL);
	db_free(db);
}

static void test_postgresql_notices_changes(void **state)
{
	struct db *db = open_db(servers.postgresql);

	(void)state;
	run(db, "CREATE TABLE c (id int PRIMARY KEY, v int, w text)");
	run(db, "ANALYZE c");
	changes(db, "c", "ALTER TABLE c ADD COLUMN x int");
	changes(db, "c", "ALTER TABLE c ALTER COLUMN v TYPE bigint");
	changes(db, "c", "ALTER TABLE c DROP COLUMN w");
	changes(db, "c", "ALTER TABLE c RENAME COLUMN x TO y");
	changes(db, "c", "CREATE UNIQUE INDEX ON c (v)");
	changes(db, "c", "CREATE TABLE c2 (id int REFERENCES c)");
	changes(db, "c", "ALTER TABLE c RENAME TO c_old");
	db_free(db);
}

/* ---- MariaDB ---- */

static void test_mariadb_columns_and_keys(void **state)
{
	struct db *db = open_db(servers.mariadb);
	struct catalog_table t;

	(void)state;
	run(db, "CREATE TABLE t (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,"
		" n DECIMAL(10,2), g INT AS (1) STORED, `odd ``name` TEXT,"
		" ts TIMESTAMP NOT NULL, b BIT(3))");
	t = load(db, "t");
	assert_int_equal(t.verdict, CATALOG_OK);
	key_is(&t, "id");
	assert_true(bytes_equal(t.table->schema, BYTES("test")));
	assert_true(column(&t, "id")->auto_increment);
	assert_true(column(&t, "g")->generated);
	assert_true(column(&t, "n")->nullable);
	assert_int_equal(column(&t, "odd `name")->class, VALUE_TEXT);
	assert_int_equal(column(&t, "ts")->class, VALUE_TIMESTAMPTZ);
	assert_int_equal(column(&t, "b")->class, VALUE_BIT);
	assert_true(bytes_equal(column(&t, "id")->type,
				BYTES("bigint(20) unsigned")));
	run(db, "CREATE TABLE u (a INT UNIQUE, b VARCHAR(9) NOT NULL,"
		" c INT NOT NULL, UNIQUE up (b(3)))");
	refused(db, "u", "no primary key");
	run(db, "CREATE UNIQUE INDEX u4 ON u (c, b)");
	t = load(db, "u");
	key_is(&t, "c,b");
	run(db, "CREATE DATABASE elsewhere");
	run(db, "CREATE TABLE elsewhere.x (id INT PRIMARY KEY)");
	t = load_in(db, "elsewhere", "x");
	assert_true(bytes_equal(t.table->schema, BYTES("elsewhere")));
	assert_int_equal(catalog_load(db, BYTES(""), BYTES("x"), &arena, &t),
			 E_NOTFOUND);
	db_free(db);
}

static void test_mariadb_refuses_what_it_cannot_undo(void **state)
{
	struct db *db = open_db(servers.mariadb);

	(void)state;
	run(db, "CREATE TABLE m (id INT PRIMARY KEY) ENGINE = MyISAM");
	refused(db, "m", "MyISAM");
	run(db, "CREATE TABLE ar (id INT PRIMARY KEY) ENGINE = Aria");
	refused(db, "ar", "Aria");
	run(db, "CREATE VIEW a_view AS SELECT 1 AS x");
	refused(db, "a_view", "view");
	run(db, "CREATE TABLE hist (id INT PRIMARY KEY)"
		" WITH SYSTEM VERSIONING");
	refused(db, "hist", "versioned");
	run(db, "CREATE TABLE hidden (id INT PRIMARY KEY)");
	run(db, "CREATE TEMPORARY TABLE hidden (id INT PRIMARY KEY)");
	refused(db, "hidden", "temporary");
	run(db, "CREATE TABLE jp (id INT PRIMARY KEY,"
		" v VARCHAR(9) CHARACTER SET sjis)");
	refused(db, "jp", "sjis");
	run(db, "CREATE SEQUENCE sq");
	refused(db, "sq", "not a table");
	db_free(db);
}

static void test_mariadb_hidden_changes_by_event(void **state)
{
	struct db *db = open_db(servers.mariadb);

	(void)state;
	run(db, "CREATE TABLE h (id INT PRIMARY KEY, u INT UNIQUE)");
	run(db, "CREATE TABLE h1 (h INT, FOREIGN KEY (h) REFERENCES h (id)"
		" ON UPDATE CASCADE)");
	verdicts(db, "h", 0, 0, 0);
	run(db, "CREATE TABLE h2 (h INT, FOREIGN KEY (h) REFERENCES h (u)"
		" ON UPDATE SET NULL)");
	verdicts(db, "h", 0, 1, 0);
	run(db, "CREATE TABLE h3 (h INT, FOREIGN KEY (h) REFERENCES h (id)"
		" ON DELETE CASCADE)");
	verdicts(db, "h", 0, 1, 1);
	assert_int_equal(db_command(db, "CREATE TRIGGER g BEFORE INSERT ON h"
					" FOR EACH ROW SET NEW.u = 1"),
			 OK);
	verdicts(db, "h", 1, 1, 1);
	db_free(db);
}

static void test_mariadb_equal_keys_lock_alike(void **state)
{
	struct db *db = open_db(servers.mariadb);

	(void)state;
	folds(db, "VARCHAR(20)", "'ab'", "'AB  '", "'ac'");
	folds(db, "VARCHAR(20)", "'ä'", "'A'", "'b'");
	folds(db, "CHAR(20)", "'ab'", "'AB'", "'ac'");
	folds(db, "VARCHAR(20) COLLATE utf8mb4_bin", "'a'", "'a '", "'A'");
	folds(db, "VARCHAR(20) CHARACTER SET latin1", "'ä'", "'Ä'", "'ö'");
	folds(db, "VARCHAR(20) COLLATE utf8mb4_german2_ci", "'ß'", "'ss'",
	      "'s'");
	folds(db, "VARBINARY(20)", "'a'", NULL, "'A'");
	folds(db, "ENUM('a','b')", "'a'", "'A'", "'b'");
	folds(db, "DECIMAL(5,2)", "1.1", "1.10", "1.11");
	folds(db, "DOUBLE", "0e0", "-0e0", "1");
	db_free(db);
}

/* What an operator sees of a key. */
static void shows(struct db *db, const char *type, const char *literal,
		  const char *text)
{
	struct catalog_table t;

	folds(db, type, literal, NULL, NULL);
	t = load(db, "folded");
	assert_string_equal(lock_text(db, &t, literal), text);
}

static void test_mariadb_locks_can_be_read(void **state)
{
	struct db *db = open_db(servers.mariadb);

	(void)state;
	shows(db, "VARCHAR(20)", "'u5'", "U5");
	shows(db, "VARCHAR(20)", "'Zo\u00eb  '", "ZOE");
	shows(db, "VARCHAR(20) CHARACTER SET utf8mb3", "'u5'", "U5");
	shows(db, "VARCHAR(20) CHARACTER SET latin1", "'u5'", "U5");
	shows(db, "VARCHAR(20) COLLATE utf8mb4_bin", "'\u00e4\U0001f600 '",
	      "\u00e4\U0001f600");
	shows(db, "VARCHAR(20) COLLATE utf8mb4_nopad_bin", "'a '", "a ");
	shows(db, "CHAR(20) COLLATE utf8mb4_nopad_bin", "'a '", "a");
	/* Whoever set the session's character sets. */
	run(db, "SET NAMES latin1");
	shows(db, "VARCHAR(20) COLLATE utf8mb4_bin", "X'C3A4'", "\u00e4");
	db_free(db);
}

/* Texts of up to three letters, and of each letter alone. */
static void fill_spellings(struct db *db, const char *charset)
{
	static const char letters[] =
		"SELECT '' x UNION SELECT X'61' UNION SELECT X'41' UNION"
		" SELECT X'62' UNION SELECT X'20' UNION SELECT X'09' UNION"
		" SELECT X'00' UNION SELECT X'3F' UNION SELECT X'73' UNION"
		" SELECT X'C3A4' UNION SELECT X'C384' UNION SELECT X'C3A1'"
		" UNION SELECT X'C39F' UNION SELECT X'C2A0'";
	static const char wide[] = " UNION SELECT X'F09F9880' UNION"
				   " SELECT X'F09F9881' UNION SELECT X'EFBFBD'";
	struct buf sql;

	run(db, "CREATE OR REPLACE TEMPORARY TABLE letter (x VARBINARY(9))");
	buf_init(&sql, &arena.as_mem);
	buf_printf(&sql, "INSERT INTO letter %s%s", letters,
		   strcmp(charset, "utf8mb4") == 0 ? wide : "");
	run(db, buf_text(&sql));
	run(db, "CREATE OR REPLACE TABLE spelling AS SELECT DISTINCT"
		" CONCAT(a.x, b.x, c.x) k FROM letter a, (SELECT * FROM"
		" letter) b, (SELECT '' x UNION SELECT ' ' UNION SELECT '  ')"
		" c");
}

static void never(struct db *db, const char *sql, const char *type)
{
	struct db_result r = run(db, sql);

	if (!bytes_equal(db_value(&r, 0, 0).data, BYTES("0")))
		fail_msg("%s: %.*s pairs, e.g. %.*s", type,
			 (int)db_value(&r, 0, 0).data.len,
			 (const char *)db_value(&r, 0, 0).data.data,
			 (int)db_value(&r, 0, 1).data.len,
			 (const char *)db_value(&r, 0, 1).data.data);
}

/* Two values lock alike exactly when the server takes them for equal. */
static void exact(struct db *db, const char *charset, const char *collation)
{
	struct catalog_table t;
	struct buf sql;

	fill_spellings(db, charset);
	buf_init(&sql, &arena.as_mem);
	buf_printf(&sql,
		   "CREATE OR REPLACE TABLE folded (k VARCHAR(20) CHARACTER SET"
		   " %s COLLATE %s NOT NULL PRIMARY KEY)",
		   charset, collation);
	run(db, buf_text(&sql));
	t = load(db, "folded");
	buf_clear(&sql);
	buf_printf(&sql,
		   "CREATE OR REPLACE TABLE pair (k VARCHAR(20) CHARACTER SET"
		   " %s COLLATE %s, l VARBINARY(400))",
		   charset, collation);
	run(db, buf_text(&sql));
	run(db, "INSERT INTO pair (k) SELECT CONVERT(k USING utf8mb4)"
		" FROM spelling");
	buf_clear(&sql);
	buf_put_text(&sql, "UPDATE pair SET l = ");
	catalog_put_sql(&sql, t.columns[0].lock, BYTES("k"), BYTES("?"));
	run(db, buf_text(&sql));
	never(db,
	      "SELECT COUNT(*), MAX(CONCAT(HEX(a.k), ' ', HEX(b.k))) FROM"
	      " pair a, pair b WHERE a.k = b.k AND a.l <> b.l",
	      collation);
	never(db,
	      "SELECT COUNT(*), MAX(CONCAT(HEX(a.k), ' ', HEX(b.k))) FROM"
	      " pair a, pair b WHERE a.l = b.l AND a.k <> b.k",
	      collation);
	never(db, "SELECT COUNT(*), '' FROM pair WHERE l IS NULL", collation);
}

static void test_mariadb_locks_are_exact(void **state)
{
	struct db *db = open_db(servers.mariadb);

	(void)state;
	exact(db, "utf8mb4", "utf8mb4_general_ci");
	exact(db, "utf8mb4", "utf8mb4_general_nopad_ci");
	exact(db, "utf8mb4", "utf8mb4_bin");
	exact(db, "utf8mb4", "utf8mb4_nopad_bin");
	exact(db, "utf8mb4", "utf8mb4_unicode_ci");
	exact(db, "utf8mb4", "utf8mb4_unicode_nopad_ci");
	exact(db, "utf8mb4", "utf8mb4_unicode_520_ci");
	exact(db, "utf8mb4", "utf8mb4_german2_ci");
	exact(db, "utf8mb4", "utf8mb4_uca1400_ai_ci");
	exact(db, "utf8mb3", "utf8mb3_general_ci");
	exact(db, "latin1", "latin1_swedish_ci");
	exact(db, "latin1", "latin1_swedish_nopad_ci");
	exact(db, "latin1", "latin1_bin");
	db_free(db);
}

static void test_mariadb_notices_changes(void **state)
{
	struct db *db = open_db(servers.mariadb);

	(void)state;
	run(db, "CREATE TABLE c (id INT PRIMARY KEY, v INT, w TEXT)");
	changes(db, "c", "ALTER TABLE c ADD COLUMN x INT");
	changes(db, "c", "ALTER TABLE c MODIFY v BIGINT");
	changes(db, "c", "ALTER TABLE c DROP COLUMN w");
	changes(db, "c", "ALTER TABLE c RENAME COLUMN x TO y");
	changes(db, "c", "CREATE UNIQUE INDEX cu ON c (v)");
	changes(db, "c", "ALTER TABLE c ENGINE = Aria");
	changes(db, "c", "ALTER TABLE c ENGINE = InnoDB");
	changes(db, "c",
		"CREATE TABLE c2 (id INT, FOREIGN KEY (id)"
		" REFERENCES c (id))");
	changes(db, "c", "ALTER TABLE c RENAME TO c_old");
	db_free(db);
}

/* ---- SQLite ---- */

static void test_sqlite_columns_and_keys(void **state)
{
	struct db *db = open_lite("keys.db");
	struct catalog_table t;

	(void)state;
	run(db, "CREATE TABLE T1 (id INTEGER PRIMARY KEY, n NUMERIC,"
		" g AS (id + 1), s AS (1) STORED, \"odd \"\"name\" TEXT,"
		" v VARCHAR(9) NOT NULL)");
	t = load(db, "t1");
	assert_int_equal(t.verdict, CATALOG_OK);
	key_is(&t, "id");
	assert_true(bytes_equal(t.table->name, BYTES("T1")));
	assert_true(bytes_equal(t.table->schema, BYTES("main")));
	assert_true(column(&t, "id")->auto_increment);
	assert_false(column(&t, "id")->nullable);
	assert_true(column(&t, "g")->generated);
	assert_true(column(&t, "s")->generated);
	assert_int_equal(column(&t, "odd \"name")->class, VALUE_TEXT);
	assert_false(column(&t, "v")->nullable);
	/* A primary key that takes NULL finds no row. */
	run(db, "CREATE TABLE t2 (k TEXT PRIMARY KEY, v)");
	t = load(db, "t2");
	key_is(&t, "rowid");
	assert_true(t.table->columns[0].rowid);
	assert_int_equal(t.table->n_columns, 3);
	run(db, "CREATE TABLE t3 (rowid TEXT, _rowid_ INT, v)");
	t = load(db, "t3");
	key_is(&t, "oid");
	run(db, "CREATE TABLE t4 (rowid, _rowid_, oid)");
	refused(db, "t4", "no primary key");
	run(db, "CREATE TABLE t5 (k TEXT PRIMARY KEY NOT NULL, v)");
	t = load(db, "t5");
	key_is(&t, "k");
	run(db, "CREATE TABLE t6 (b, a, PRIMARY KEY (a, b)) WITHOUT ROWID");
	t = load(db, "t6");
	key_is(&t, "a,b");
	run(db, "CREATE TABLE t7 (a INT NOT NULL, b INT, c INT NOT NULL)");
	run(db, "CREATE UNIQUE INDEX i1 ON t7 (a) WHERE a > 0");
	run(db, "CREATE UNIQUE INDEX i2 ON t7 (a + 1)");
	run(db, "CREATE UNIQUE INDEX i3 ON t7 (b)");
	t = load(db, "t7");
	key_is(&t, "rowid");
	run(db, "CREATE UNIQUE INDEX i4 ON t7 (c, a)");
	t = load(db, "t7");
	key_is(&t, "c,a");
	/* Not an alias of the rowid: the type is not exactly INTEGER. */
	run(db, "CREATE TABLE t8 (id INT PRIMARY KEY)");
	t = load(db, "t8");
	key_is(&t, "rowid");
	db_free(db);
}

static void test_sqlite_refuses_what_it_cannot_undo(void **state)
{
	struct db *db = open_lite("refused.db");
	struct catalog_table t;
	struct buf sql;

	(void)state;
	run(db, "CREATE TABLE base (id INTEGER PRIMARY KEY)");
	run(db, "CREATE VIEW a_view AS SELECT * FROM base");
	refused(db, "a_view", "view");
	run(db, "CREATE VIRTUAL TABLE fts USING fts5 (x)");
	refused(db, "fts", "virtual");
	refused(db, "sqlite_schema", "itself");
	verdicts(db, "base", 0, 0, 0);
	run(db, "CREATE TEMP TABLE base (id INTEGER PRIMARY KEY)");
	refused(db, "base", "temporary");
	t = load_in(db, "main", "base");
	assert_int_equal(t.verdict, CATALOG_OK);
	buf_init(&sql, &arena.as_mem);
	buf_printf(&sql, "ATTACH '%s/two.db' AS two", servers.dir);
	run(db, buf_text(&sql));
	run(db, "CREATE TABLE two.far (id INTEGER PRIMARY KEY)");
	refused(db, "far", "attached");
	assert_int_equal(
		catalog_load(db, BYTES(""), BYTES("nosuch"), &arena, &t),
		E_NOTFOUND);
	db_free(db);
}

static void test_sqlite_hidden_changes_by_event(void **state)
{
	struct db *db = open_lite("hidden.db");

	(void)state;
	run(db, "CREATE TABLE h (id INTEGER PRIMARY KEY, u UNIQUE)");
	run(db, "CREATE TABLE h1 (h REFERENCES h ON UPDATE CASCADE)");
	verdicts(db, "h", 0, 0, 0);
	run(db, "CREATE TABLE h2 (h REFERENCES H (u) ON UPDATE SET NULL)");
	verdicts(db, "h", 0, 1, 0);
	run(db, "CREATE TRIGGER \"delete\" /* insert */ AFTER INSERT ON h"
		" BEGIN DELETE FROM h1; END");
	verdicts(db, "h", 1, 1, 0);
	run(db, "CREATE TEMP TRIGGER x DELETE ON main.h BEGIN SELECT 1; END");
	verdicts(db, "h", 1, 1, 1);
	db_free(db);
}

static void test_sqlite_equal_keys_lock_alike(void **state)
{
	struct db *db = open_lite("folds.db");

	(void)state;
	folds(db, "TEXT COLLATE NOCASE", "'ab'", "'AB'", "'ac'");
	folds(db, "TEXT COLLATE RTRIM", "'ab'", "'ab  '", "'AB'");
	folds(db, "TEXT", "'ab'", NULL, "'AB'");
	folds(db, "", "1000000000000000000", "1000000000000000000.0", "'x'");
	folds(db, "NUMERIC", "1e15", "1000000000000000", "2");
	folds(db, "REAL", "0.0", "-0.0", "1");
	db_free(db);
}

static void test_sqlite_notices_changes(void **state)
{
	struct db *db = open_lite("changes.db");

	(void)state;
	run(db, "CREATE TABLE c (id INTEGER PRIMARY KEY, v INT)");
	changes(db, "c", "ALTER TABLE c ADD COLUMN x INT");
	changes(db, "c", "CREATE UNIQUE INDEX cu ON c (v)");
	changes(db, "c", "CREATE TEMP TABLE c (id)");
	db_free(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postgresql_columns_and_keys),
		cmocka_unit_test(test_postgresql_names_resolve_by_search_path),
		cmocka_unit_test(test_postgresql_refuses_what_it_cannot_undo),
		cmocka_unit_test(test_postgresql_hidden_changes_by_event),
		cmocka_unit_test(test_postgresql_equal_keys_lock_alike),
		cmocka_unit_test(test_postgresql_notices_changes),
		cmocka_unit_test(test_mariadb_columns_and_keys),
		cmocka_unit_test(test_mariadb_refuses_what_it_cannot_undo),
		cmocka_unit_test(test_mariadb_hidden_changes_by_event),
		cmocka_unit_test(test_mariadb_equal_keys_lock_alike),
		cmocka_unit_test(test_mariadb_locks_can_be_read),
		cmocka_unit_test(test_mariadb_locks_are_exact),
		cmocka_unit_test(test_mariadb_notices_changes),
		cmocka_unit_test(test_sqlite_columns_and_keys),
		cmocka_unit_test(test_sqlite_refuses_what_it_cannot_undo),
		cmocka_unit_test(test_sqlite_hidden_changes_by_event),
		cmocka_unit_test(test_sqlite_equal_keys_lock_alike),
		cmocka_unit_test(test_sqlite_notices_changes),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
