#include "base/buf.h"
#include "rm-agent/db/catalog.h"
#include "tests/live/servers.h"
#include "undo/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <libpq-fe.h>
#include <mysql.h>

/*
 * Every type goes around: SQL literal -> table v -> read through the catalog's
 * spelling by a session with odd settings -> written by a session of ours into
 * table w -> compared by the database, byte by byte.
 */

struct type {
	const char *type;
	const char *values; /* SQL expressions, ";;" between */
};

struct fixture {
	struct servers servers;
	struct arena arena;
};

static struct fixture fx;

static int start(void **state)
{
	(void)state;
	arena_init(&fx.arena, &mem_heap, 0);
	return servers_start(&fx.servers, SERVERS_POSTGRESQL | SERVERS_MARIADB);
}

static int stop(void **state)
{
	(void)state;
	arena_fini(&fx.arena);
	servers_stop(&fx.servers);
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

static void must(struct db *db, int rc, const char *what)
{
	if (rc != OK)
		fail_msg("%s: %s %s (%s): %s", what, err_name(rc),
			 db_error(db)->message, db_error(db)->sqlstate,
			 db_class_name(db_error(db)->class));
}

static struct db_result run(struct db *db, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;

	must(db, db_exec(db, &stmt, &fx.arena, &r), sql);
	return r;
}

/* SELECT id and the value through the catalog's spelling. */
static struct db_result read_back(struct db *db, const char *table)
{
	static enum value_type as[2];
	struct catalog_table t;
	struct db_result r;
	struct buf sql;
	struct db_stmt stmt = { .as = as, .n_as = 2 };

	must(db, catalog_load(db, BYTES(""), bytes_of(table), &fx.arena, &t),
	     table);
	as[0] = VALUE_NULL;
	as[1] = t.table->columns[1].class;
	if (db_dialect(db) == DIALECT_SQLITE)
		as[1] = VALUE_NULL;
	buf_init(&sql, &fx.arena.as_mem);
	buf_put_text(&sql, "SELECT id, ");
	catalog_put_sql(&sql, t.columns[1].read, BYTES("c"), BYTES("?"));
	buf_printf(&sql, " FROM %s ORDER BY id", table);
	stmt.sql = buf_bytes(&sql);
	must(db, db_exec(db, &stmt, &fx.arena, &r), buf_text(&sql));
	return r;
}

static void write_all(struct db *db, const char *table,
		      const struct db_result *r)
{
	struct catalog_table t;
	struct buf sql;

	must(db, catalog_load(db, BYTES(""), bytes_of(table), &fx.arena, &t),
	     table);
	buf_init(&sql, &fx.arena.as_mem);
	buf_printf(&sql, "INSERT INTO %s VALUES (", table);
	quote_param(&sql, db_dialect(db), &t.table->columns[0], 1);
	buf_put_text(&sql, ", ");
	quote_param(&sql, db_dialect(db), &t.table->columns[1], 2);
	buf_put_char(&sql, ')');
	must(db, db_begin(db), "begin");
	for (size_t i = 0; i < r->n_rows; i++) {
		struct db_stmt stmt = { .sql = buf_bytes(&sql),
					.params = &r->values[i * 2],
					.n_params = 2,
					.keep = true };
		struct db_result done;
		struct value v = db_value(r, i, 1);

		if (db_exec(db, &stmt, &fx.arena, &done) != OK)
			fail_msg("row %zu, %s %.*s: %s", i,
				 value_type_name(v.type), (int)v.data.len,
				 (const char *)v.data.data,
				 db_error(db)->message);
		assert_int_equal(done.affected, 1);
	}
	must(db, db_commit(db), "commit");
}

static void print_rows(const char *what, const struct db_result *r)
{
	for (size_t i = 0; i < r->n_rows; i++) {
		struct value v = db_value(r, i, 1);

		print_error("%s %zu: %s '%.*s'\n", what, i,
			    value_type_name(v.type), (int)v.data.len,
			    (const char *)v.data.data);
	}
}

static void same_rows(const struct db_result *a, const struct db_result *b,
		      const char *what)
{
	bool same = a->n_rows == b->n_rows;

	for (size_t i = 0; same && i < a->n_rows; i++)
		same = value_equal(db_value(a, i, 1), db_value(b, i, 1));
	if (!same) {
		print_rows("before", a);
		print_rows("now", b);
		fail_msg("%s: the session's settings show", what);
	}
}

static void fill(struct db *db, const char *table, const struct type *t)
{
	const char *p = t->values;
	struct buf sql;
	int id = 0;

	buf_init(&sql, &fx.arena.as_mem);
	buf_printf(&sql, "CREATE TABLE %s (id INT PRIMARY KEY, c %s)", table,
		   t->type);
	run(db, buf_text(&sql));
	must(db, db_begin(db), "begin");
	while (*p && *table == 'v') {
		const char *end = strstr(p, ";;");
		int len = end ? (int)(end - p) : (int)strlen(p);

		buf_clear(&sql);
		buf_printf(&sql, "INSERT INTO v VALUES (%d, %.*s)", ++id, len,
			   p);
		run(db, buf_text(&sql));
		p += len + (end ? 2 : 0);
	}
	if (*table == 'v')
		run(db, "INSERT INTO v VALUES (0, NULL)");
	must(db, db_commit(db), "commit");
}

/* The number of rows that `differs` finds between v and w must be 0. */
static void compare(struct db *db, const char *differs, const char *type,
		    const struct db_result *rows)
{
	struct buf sql;
	struct db_result r;

	buf_init(&sql, &fx.arena.as_mem);
	buf_printf(&sql,
		   "SELECT v.id FROM v LEFT JOIN w ON v.id = w.id"
		   " WHERE w.id IS NULL OR %s",
		   differs);
	r = run(db, buf_text(&sql));
	if (r.n_rows > 0) {
		print_rows("read", rows);
		fail_msg("%s: row %.*s came back otherwise", type,
			 (int)db_value(&r, 0, 0).data.len,
			 (const char *)db_value(&r, 0, 0).data.data);
	}
}

static void around(struct db *ours, struct db *odd, const char *const *sets,
		   size_t n_sets, const struct type *t, const char *differs)
{
	struct db_result first, again;

	run(ours, "DROP TABLE IF EXISTS v");
	run(ours, "DROP TABLE IF EXISTS w");
	fill(ours, "v", t);
	fill(ours, "w", t);
	first = read_back(ours, "v");
	for (size_t i = 0; i < n_sets; i++) {
		must(odd, db_command(odd, sets[i]), sets[i]);
		if (i % 3 != 2 && i + 1 != n_sets)
			continue;
		db_forget_kept(odd);
		again = read_back(odd, "v");
		same_rows(&first, &again, t->type);
	}
	write_all(ours, "w", &first);
	compare(ours, differs, t->type, &first);
	again = read_back(ours, "w");
	same_rows(&first, &again, t->type);
	arena_reset(&fx.arena);
}

/* ---- PostgreSQL ---- */

static const struct type pg_types[] = {
	{ "int2", "-32768;;32767;;0" },
	{ "int4", "-2147483648;;2147483647;;0" },
	{ "int8", "-9223372036854775808;;9223372036854775807" },
	{ "oid", "0;;4294967295" },
	{ "numeric",
	  "0;;-0.00;;'NaN';;'Infinity';;'-Infinity';;1e-16383;;"
	  "1.10;;-1234567890123456789012345678901234567890.0000000001;;"
	  "10000;;99999999;;0.0001;;0.00001000;;1e1000;;123450000.6789" },
	{ "numeric(10,2)", "0;;12345678.90;;-0.01" },
	{ "float4", "0;;'-0';;0.1;;3.4028235e38;;1e-45;;1.17549435e-38;;"
		    "'NaN';;'Infinity';;'-Infinity';;16777217;;0.3" },
	{ "float8", "0;;'-0';;0.1;;1.7976931348623157e308;;5e-324;;1e23;;"
		    "'NaN';;'Infinity';;'-Infinity';;0.30000000000000004;;"
		    "9007199254740993;;123456789012345678" },
	{ "bool", "true;;false" },
	{ "text", "'';;' ';;'a''b\"c\\';;U&'\\00e4\\20ac\\+01f600';;"
		  "'NULL';;repeat('x', 100000);;E'\\n\\t\\x01'" },
	{ "varchar(10)", "'';;'abc  ';;'äöü'" },
	{ "char(5)", "'';;'ab';;'abcde';;'ä'" },
	{ "bpchar", "'';;'ab  '" },
	{ "name", "'x';;''" },
	{ "\"char\"", "'x';;''" },
	{ "bytea", "'';;'\\x00ff0a27';;'\\x';;decode(repeat('00', 70000),"
		   "'hex')" },
	{ "bit(7)", "B'0000000';;B'1010101'" },
	{ "varbit", "B'';;B'1';;B'101010101010101'" },
	{ "date", "'0001-01-01';;'4713-01-01 BC';;'5874897-12-31';;"
		  "'infinity';;'-infinity';;'2000-02-29';;'1999-12-31';;"
		  "'1900-03-01';;'0044-03-15 BC'" },
	{ "time", "'00:00';;'24:00:00';;'23:59:59.999999';;'12:34:56.5'" },
	{ "time(2)", "'12:34:56.78'" },
	{ "timetz", "'00:00+00';;'23:59:59.999999-15:59:59';;"
		    "'12:00:00+05:45';;'24:00+15:59'" },
	{ "timestamp",
	  "'infinity';;'-infinity';;'4713-01-01 00:00:00 BC';;"
	  "'294276-12-31 23:59:59.999999';;'1999-12-31 23:59:59.000001';;"
	  "'2000-01-01';;'0001-12-31 23:00 BC'" },
	{ "timestamptz",
	  "'infinity';;'-infinity';;'4713-01-02 00:00:00+00 BC';;"
	  "'294276-12-31 23:59:59.999999+00';;"
	  "'2024-03-31 02:30:00 Europe/Berlin';;'2024-11-03 01:30:00-04';;"
	  "'2024-11-03 01:30:00-05';;'1970-01-01 00:00+00'" },
	{ "interval",
	  "'0';;'1 mon -1 day 00:00:01';;'-1 mon 1 day -00:00:01';;"
	  "'-178000000 years';;'178000000 years';;'-2147483648 days';;"
	  "'2562047788:00:54.775807';;'-2562047788:00:54.775807';;"
	  "'-0.000001 s';;'1 year 2 mons 3 days 04:05:06.789';;'-11 mons'" },
	{ "interval day to minute", "'1 day 02:03'" },
	{ "json", "'{\"a\": 1.0,  \"a\": 2}';;'null';;'\"\\u00e4\"'" },
	{ "jsonb", "'{\"b\":1.00,\"a\":[1e400,null]}';;'null';;'\"ä\"'" },
	{ "jsonpath", "'$.a[*] ? (@ > 1)'" },
	{ "uuid", "'00000000-0000-0000-0000-000000000000';;"
		  "'ffffffff-1234-5678-9abc-def012345678'" },
	{ "inet", "'1.2.3.4';;'1.2.3.4/24';;'::1';;'2001:db8::ff00/64';;"
		  "'::ffff:1.2.3.4';;'0.0.0.0/0'" },
	{ "cidr", "'10.0.0.0/8';;'1.2.3.4/32';;'2001:db8::/32';;'::/0'" },
	{ "macaddr", "'08:00:2b:01:02:03'" },
	{ "macaddr8", "'08:00:2b:01:02:03:04:05'" },
	{ "money", "0;;'-92233720368547758.08';;'92233720368547758.07';;"
		   "'-0.01'" },
	{ "xml", "'<a b=\"c\">ä</a>';;'just text';;'<a/><b/>'" },
	{ "pg_lsn", "'0/0';;'FFFFFFFF/FFFFFFFF'" },
	{ "tsvector", "'a b:1A ''c d'':2,3';;''" },
	{ "tsquery", "'a & !b | c <-> d';;''" },
	{ "point", "'(0.1,-0)';;'(1e300,Infinity)'" },
	{ "lseg", "'[(0.1,2),(3,4)]'" },
	{ "box", "'(0.1,2),(3,4)'" },
	{ "path", "'[(0.1,2),(3,4)]';;'((1,2),(3,4.5))'" },
	{ "polygon", "'((0.1,2),(3,4),(5,6))'" },
	{ "line", "'{1,-1,0.1}'" },
	{ "circle", "'<(0.1,2),3>'" },
	{ "int4[]", "'{}';;'{1,NULL,3}';;'{{1,2},{3,4}}';;'[0:1]={5,6}';;"
		    "'[-1:0][2:3]={{1,2},{3,4}}'" },
	{ "text[]", "array['', 'NULL', 'null', 'a,b', 'c\"d\\e', ' f ', "
		    "'{g}', E'h\\ni', 'ä', NULL]" },
	{ "timestamptz[]", "array['infinity', '2024-11-03 01:30:00-05']"
			   "::timestamptz[]" },
	{ "float8[]", "'{0.1,NaN,-Infinity,5e-324}'" },
	{ "bytea[]", "array['\\x00ff', '']::bytea[]" },
	{ "interval[]", "array['-1 mon 1 day', '00:00:00.000001']"
			"::interval[]" },
	{ "box[]", "'{(1,2),(3,4);(0.1,6),(7,8)}'" },
	{ "tsvector[]", "array['a b'::tsvector, '']" },
	{ "int2vector", "'1 2 3'" },
	{ "int4range", "'empty';;'[1,5)';;'(,)';;'[1,)'" },
	{ "tstzrange", "'[2024-11-03 01:30:00-05,infinity]';;"
		       "'(-infinity,2024-01-01 00:00+00)'" },
	{ "numrange", "'[1.10,2.00]'" },
	{ "datemultirange", "'{}';;'{[2024-01-01,2024-02-01),"
			    "[2024-03-01,)}'" },
	{ "mood", "'sad';;'it''s, \"ok\"'" },
	{ "mood[]", "array['sad', 'it''s, \"ok\"']::mood[]" },
	{ "price", "1.50;;0" },
	{ "price[]", "array[1.50, NULL]::price[]" },
	{ "pair", "row(1, NULL, '2024-11-03 01:30:00-05', '');;"
		  "row(NULL, 'a \"b\\', 'infinity', '(x,y)');;"
		  "row(NULL, NULL, NULL, NULL)" },
	{ "pair[]", "array[row(1, 'x', now(), 'y')]::pair[]" },
	{ "textrange", "textrange('a b', 'c\"d');;textrange('', NULL)" },
	{ "hstore", "'a=>1, b=>NULL'" },
	{ "citext", "'ABC';;'ä'" },
	{ "cube", "'(1,2),(3,4)'" },
};

static const char *const pg_sets[] = {
	"SET datestyle = 'SQL, DMY'",
	"SET datestyle = 'German'",
	"SET timezone = 'America/New_York'",
	"SET intervalstyle = 'sql_standard'",
	"SET intervalstyle = 'postgres_verbose'",
	"SET extra_float_digits = -15",
	"SET bytea_output = 'escape'",
	"SET xmloption = 'document'",
	"SET quote_all_identifiers = on",
	"SET standard_conforming_strings = off",
	"SET search_path = public, pg_catalog",
};

static const char pg_differs[] =
	"record_send(row(v.c)) IS DISTINCT FROM record_send(row(w.c))"
	" OR v.c::text IS DISTINCT FROM w.c::text";

static PGconn *connect_pg(void)
{
	PGconn *conn = PQconnectdb(fx.servers.postgresql);

	if (PQstatus(conn) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(conn));
	return conn;
}

static void test_every_postgresql_type_goes_around(void **state)
{
	struct db *ours = open_db(fx.servers.postgresql), *odd;

	(void)state;
	run(ours, "CREATE TYPE mood AS ENUM ('sad', 'it''s, \"ok\"')");
	run(ours, "CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE >= 0)");
	run(ours, "CREATE TYPE pair AS (a int, \"B b\" text, t timestamptz,"
		  " p text)");
	run(ours, "CREATE TYPE textrange AS RANGE (subtype = text)");
	run(ours, "CREATE EXTENSION hstore");
	run(ours, "CREATE EXTENSION citext");
	run(ours, "CREATE EXTENSION cube");
	for (size_t i = 0; i < ARRAY_LEN(pg_types); i++) {
		PGconn *conn = connect_pg();

		assert_int_equal(db_of_pg(&odd, &mem_heap, conn, NULL), OK);
		around(ours, odd, pg_sets, ARRAY_LEN(pg_sets), &pg_types[i],
		       pg_differs);
		db_free(odd);
		PQfinish(conn);
	}
	db_free(ours);
}

static void test_reading_changes_no_setting(void **state)
{
	static const char settings[] =
		"SELECT string_agg(name || '=' || setting, ',' ORDER BY name)"
		" FROM pg_settings WHERE name NOT LIKE 'transaction%'";
	PGconn *conn = connect_pg();
	struct db_result before, after;
	struct db *ours = open_db(fx.servers.postgresql), *odd;

	(void)state;
	run(ours, "CREATE TABLE s (id int PRIMARY KEY, c timestamptz)");
	run(ours, "INSERT INTO s VALUES (1, now())");
	assert_int_equal(db_of_pg(&odd, &mem_heap, conn, NULL), OK);
	run(odd, "SET timezone = 'Asia/Tokyo'");
	before = run(odd, settings);
	(void)read_back(odd, "s");
	after = run(odd, settings);
	assert_true(
		value_equal(db_value(&before, 0, 0), db_value(&after, 0, 0)));
	db_free(odd);
	PQfinish(conn);
	db_free(ours);
}

static void test_postgresql_latin1_sessions_speak_utf8_here(void **state)
{
	struct value params[] = { { VALUE_TEXT, BYTES("k\xc3\xa4se") },
				  { VALUE_TEXT, BYTES("\xe2\x82\xac") } };
	struct db_stmt stmt = { .sql = BYTES("SELECT $1::text AS \"\xc3\xa4\","
					     " length($1)"),
				.params = params,
				.n_params = 1 };
	PGconn *conn = connect_pg();
	struct db_result r;
	struct db *db;

	(void)state;
	assert_int_equal(db_of_pg(&db, &mem_heap, conn, NULL), OK);
	run(db, "SET client_encoding = 'LATIN1'");
	must(db, db_exec(db, &stmt, &fx.arena, &r), "select");
	assert_true(value_equal(db_value(&r, 0, 0), params[0]));
	assert_true(bytes_equal(db_value(&r, 0, 1).data, BYTES("4")));
	assert_true(bytes_equal(r.columns[0].name, BYTES("\xc3\xa4")));
	stmt.params = &params[1]; /* no euro in Latin 1 */
	assert_int_equal(db_exec(db, &stmt, &fx.arena, &r), E_INVALID);
	run(db, "SET client_encoding = 'SJIS'");
	stmt.params = params;
	assert_int_equal(db_exec(db, &stmt, &fx.arena, &r), E_UNSUPPORTED);
	db_free(db);
	PQfinish(conn);
}

/* ---- MariaDB ---- */

static const struct type my_types[] = {
	{ "tinyint", "-128;;127" },
	{ "tinyint unsigned", "0;;255" },
	{ "smallint", "-32768;;32767" },
	{ "mediumint unsigned", "0;;16777215" },
	{ "int(8) zerofill", "7;;4294967295" },
	{ "bigint", "-9223372036854775808;;9223372036854775807" },
	{ "bigint unsigned", "0;;18446744073709551615" },
	{ "bool", "true;;false" },
	{ "decimal(65,30)",
	  "99999999999999999999999999999999999.999999999999999999999999999999"
	  ";;-0.000000000000000000000000000001;;0" },
	{ "decimal(10,2) unsigned", "0.01" },
	{ "float", "0;;-0e0;;0.1;;3.40282e38;;1.17549e-38;;16777217;;"
		   "1.4e-45;;0.3;;33554431" },
	{ "float(7,3)", "1234.567" },
	{ "double", "0;;-0e0;;0.1;;1.7976931348623157e308;;5e-324;;1e23;;"
		    "0.30000000000000004;;9007199254740993" },
	{ "bit(1)", "b'0';;b'1'" },
	{ "bit(10)", "b'1000000001';;b'0'" },
	{ "bit(64)", "0xffffffffffffffff;;b'1'" },
	{ "char(5)", "'';;'ab';;'ab  ';;'ä'" },
	{ "char(5) character set latin1", "'äöü'" },
	{ "varchar(20)", "'';;'ab  ';;'äя€😀';;'a''b\\\\c';;'\\0x'" },
	{ "varchar(20) character set latin1", "'ä€'" },
	{ "varchar(20) character set latin2", "'łő'" },
	{ "varchar(20) character set cp1251", "'яж'" },
	{ "varchar(20) character set koi8r", "'яж'" },
	{ "varchar(20) character set greek", "'αβ'" },
	{ "varchar(20) character set ucs2", "'äя'" },
	{ "varchar(20) character set utf16", "'äя😀'" },
	{ "varchar(20) character set utf32", "'äя😀'" },
	{ "varchar(20) character set gbk", "'中文'" },
	{ "varchar(20) character set ascii", "'abc'" },
	{ "varchar(20) collate utf8mb4_bin", "'Ab'" },
	{ "tinytext", "'äя'" },
	{ "text", "'';;repeat('я', 30000)" },
	{ "mediumtext", "repeat('x', 200000)" },
	{ "longtext", "'x'" },
	{ "binary(4)", "'';;x'00ff'" },
	{ "varbinary(10)", "'';;x'00ff27';;'a  '" },
	{ "blob", "'';;x'00ff';;repeat('\\0', 60000)" },
	{ "longblob", "repeat(x'ff', 200000)" },
	{ "date", "'0000-00-00';;'2024-00-00';;'9999-12-31';;'1000-01-01';;"
		  "'2024-02-30'" },
	{ "time", "'-838:59:59';;'838:59:59';;'00:00:00'" },
	{ "time(6)", "'-838:59:59.999999';;'00:00:00.000001';;'-00:00:00.5'" },
	{ "datetime", "'0000-00-00 00:00:00';;'9999-12-31 23:59:59'" },
	{ "datetime(6)", "'2024-01-02 03:04:05.000006';;"
			 "'0000-00-00 00:00:00.000000'" },
	{ "timestamp null",
	  "'0000-00-00 00:00:00';;'1970-01-01 00:00:01';;"
	  "'2038-01-19 03:14:07';;from_unixtime(1711848600)" },
	{ "timestamp(3) null", "'2024-11-03 05:30:00.123';;"
			       "'2024-11-03 06:30:00.5';;'0000-00-00'" },
	{ "timestamp(6) null", "'2024-03-31 01:30:00.000001'" },
	{ "year", "0;;1901;;2155;;2000" },
	{ "enum('a','b,c','ö')", "'a';;'b,c';;'ö'" },
	{ "set('a','b','ö')", "'';;'a,ö';;'a,b,ö'" },
	{ "json", "'{\"a\": 1.0,  \"b\":\"ä\"}'" },
	{ "geometry", "ST_GeomFromText('POINT(0.1 -2)');;"
		      "ST_GeomFromText('LINESTRING(0 0,1 1)', 4326)" },
	{ "point", "ST_GeomFromText('POINT(1 2)')" },
	{ "inet6", "'::1';;'2001:db8::ff';;'::ffff:1.2.3.4'" },
	{ "inet4", "'1.2.3.4'" },
	{ "uuid", "'123e4567-e89b-12d3-a456-426655440000'" },
};

static const char *const my_sets[] = {
	"SET time_zone = '+05:45'",
	"SET time_zone = '-11:00'",
	"SET NAMES latin1",
	"SET NAMES cp1251",
	"SET character_set_results = NULL",
	"SET NAMES utf8mb4 COLLATE utf8mb4_bin",
	"SET sql_mode = 'NO_ZERO_DATE,NO_ZERO_IN_DATE,STRICT_ALL_TABLES'",
	"SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",
	"SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'",
	"SET sql_mode = 'ORACLE'",
};

/* HEX() of a number rounds it, so numbers are compared as such, too. */
static const char my_differs[] =
	"NOT (v.c <=> w.c) OR NOT (HEX(v.c) <=> HEX(w.c))";

static MYSQL *connect_my(void)
{
	const char *port = strrchr(fx.servers.mariadb, ':');
	MYSQL *conn = mysql_init(NULL);

	if (!mysql_real_connect(conn, "127.0.0.1", "treaty", "treaty", "test",
				(unsigned)strtoul(port + 1, NULL, 10), NULL, 0))
		fail_msg("%s", mysql_error(conn));
	return conn;
}

static void test_every_mariadb_type_goes_around(void **state)
{
	struct db *ours = open_db(fx.servers.mariadb), *odd;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(my_types); i++) {
		MYSQL *conn = connect_my();

		assert_int_equal(db_of_mysql(&odd, &mem_heap, conn, NULL), OK);
		around(ours, odd, my_sets, ARRAY_LEN(my_sets), &my_types[i],
		       my_differs);
		db_free(odd);
		mysql_close(conn);
	}
	db_free(ours);
}

static void test_mariadb_latin1_sessions_speak_utf8_here(void **state)
{
	struct value params[] = { { VALUE_TEXT, BYTES("k\xc3\xa4se") },
				  { VALUE_TEXT, BYTES("\xd1\x8f") } };
	struct db_stmt stmt = { .sql = BYTES(
					"SELECT ?, '\xc3\xa4' AS `\xc3\xa4`"
					", CHAR_LENGTH(?)"),
				.n_params = 2 };
	struct value both[] = { params[0], params[0] };
	MYSQL *conn = connect_my();
	struct db_result r;
	struct db *db;

	(void)state;
	assert_int_equal(db_of_mysql(&db, &mem_heap, conn, NULL), OK);
	run(db, "SET NAMES latin1");
	db_forget_kept(db);
	stmt.params = both;
	must(db, db_exec(db, &stmt, &fx.arena, &r), "select");
	assert_true(value_equal(db_value(&r, 0, 0), params[0]));
	assert_true(bytes_equal(db_value(&r, 0, 1).data, BYTES("\xc3\xa4")));
	assert_true(bytes_equal(r.columns[1].name, BYTES("\xc3\xa4")));
	assert_true(bytes_equal(db_value(&r, 0, 2).data, BYTES("4")));
	both[0] = params[1]; /* not in latin1 */
	assert_int_equal(db_exec(db, &stmt, &fx.arena, &r), E_INVALID);
	db_free(db);
	mysql_close(conn);
}

/* ---- SQLite ---- */

static const struct type lite_types[] = {
	{ "integer", "-9223372036854775808;;9223372036854775807;;0;;'text';;"
		     "1.5;;x'00'" },
	{ "real", "0.1;;-0.0;;5e-324;;1.7976931348623157e308;;9e999;;-9e999;;"
		  "1;;0.30000000000000004;;'text'" },
	{ "numeric", "1.10;;1e18;;'12345678901234567890';;'abc'" },
	{ "text", "'';;'ä😀';;'a''b';;123;;x'41';;'a' || char(0) || 'b'" },
	{ "blob", "'';;x'';;x'00ff';;1;;1.0;;'t';;zeroblob(100000)" },
	{ "", "1;;1.0;;'1';;x'31';;9007199254740993;;9007199254740992.0" },
	{ "varchar(3)", "'longer than three'" },
};

static const char lite_differs[] =
	"typeof(v.c) <> typeof(w.c) OR v.c IS NOT w.c"
	" OR hex(v.c) <> hex(w.c)";

static void test_every_sqlite_storage_class_goes_around(void **state)
{
	struct buf dsn;
	struct db *ours, *odd;

	(void)state;
	buf_init(&dsn, &mem_heap);
	buf_printf(&dsn, "sqlite:%s/values.db?create=1", fx.servers.dir);
	ours = open_db(buf_text(&dsn));
	odd = open_db(buf_text(&dsn));
	for (size_t i = 0; i < ARRAY_LEN(lite_types); i++)
		around(ours, odd, NULL, 0, &lite_types[i], lite_differs);
	db_free(odd);
	db_free(ours);
	buf_fini(&dsn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_postgresql_type_goes_around),
		cmocka_unit_test(test_reading_changes_no_setting),
		cmocka_unit_test(
			test_postgresql_latin1_sessions_speak_utf8_here),
		cmocka_unit_test(test_every_mariadb_type_goes_around),
		cmocka_unit_test(test_mariadb_latin1_sessions_speak_utf8_here),
		cmocka_unit_test(test_every_sqlite_storage_class_goes_around),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
