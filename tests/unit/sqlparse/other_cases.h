#ifndef TESTS_UNIT_SQLPARSE_OTHER_CASES_H
#define TESTS_UNIT_SQLPARSE_OTHER_CASES_H

/* clang-format off: a table reads best with a row on three lines */
static const struct sql_case other_cases[] = {
	{ PMS, SQL_DDL, SQL_REFUSE, "",
	  "CREATE TABLE t (id int PRIMARY KEY, a varchar(10))", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ PMS, SQL_DDL, SQL_REFUSE, "", "CREATE TABLE t AS SELECT * FROM u", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ P, SQL_DDL, SQL_REFUSE, "", "SELECT * INTO t2 FROM t",
	  "select{*} from{t} reads{t}",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ P, SQL_DDL, SQL_REFUSE, "", "SELECT a INTO TEMP TABLE t2 FROM t",
	  "select{a} from{t} reads{t}",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ PMS, SQL_DDL, SQL_REFUSE, "", "ALTER TABLE t ADD COLUMN b int", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ PMS, SQL_DDL, SQL_REFUSE, "", "DROP TABLE t", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ PMS, SQL_DDL, SQL_REFUSE, "", "CREATE INDEX i ON t (a)", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ PMS, SQL_DDL, SQL_REFUSE, "", "CREATE VIEW v AS SELECT 1", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ PM, SQL_DDL, SQL_REFUSE, "", "GRANT SELECT ON t TO u", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ PM, SQL_DDL, SQL_REFUSE, "", "REVOKE ALL ON t FROM u", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ P, SQL_DDL, SQL_REFUSE, "", "COMMENT ON TABLE t IS 'x'", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ P, SQL_DDL, SQL_REFUSE, "", "REFRESH MATERIALIZED VIEW v", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ M, SQL_DDL, SQL_REFUSE, "", "RENAME TABLE a TO b", "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ S, SQL_DDL, SQL_REFUSE, "",
	  "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE u SET a = 1; DELETE "
	  "FROM v; END",
	  "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ M, SQL_DDL, SQL_REFUSE, "",
	  "CREATE PROCEDURE p() BEGIN UPDATE t SET a = 1; DELETE FROM u; END",
	  "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ P, SQL_DDL, SQL_REFUSE, "",
	  "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; "
	  "SELECT 2; END",
	  "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ P, SQL_DDL, SQL_REFUSE, "",
	  "CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END; $$ "
	  "LANGUAGE plpgsql",
	  "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ P, SQL_DDL, SQL_REFUSE, "",
	  "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM u; DELETE FROM v)",
	  "",
	  "a change of the schema cannot be undone with the global "
	  "transaction: run it outside of one" },
	{ PM, SQL_TRUNCATE, SQL_REFUSE, "", "TRUNCATE TABLE t", "",
	  "TRUNCATE cannot be undone: use DELETE" },
	{ PM, SQL_TRUNCATE, SQL_REFUSE, "", "TRUNCATE t", "",
	  "TRUNCATE cannot be undone: use DELETE" },
	{ P, SQL_TRUNCATE, SQL_REFUSE, "",
	  "TRUNCATE a, b RESTART IDENTITY CASCADE", "",
	  "TRUNCATE cannot be undone: use DELETE" },
	{ S, SQL_UNKNOWN, SQL_REFUSE, "", "TRUNCATE TABLE t", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ P, SQL_BULK, SQL_REFUSE, "", "COPY t FROM STDIN", "",
	  "bulk loading takes no images of the rows: use INSERT" },
	{ P, SQL_BULK, SQL_REFUSE, "", "COPY (SELECT * FROM t) TO STDOUT", "",
	  "bulk loading takes no images of the rows: use INSERT" },
	{ M, SQL_BULK, SQL_REFUSE, "",
	  "LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "",
	  "bulk loading takes no images of the rows: use INSERT" },
	{ M, SQL_BULK, SQL_REFUSE, "", "SELECT * INTO OUTFILE 'x' FROM t",
	  "select{*}",
	  "a file cannot be called back: write it outside of the global "
	  "transaction" },
	{ M, SQL_BULK, SQL_REFUSE, "", "SELECT * FROM t INTO DUMPFILE 'x'",
	  "select{*} from{t} reads{t}",
	  "a file cannot be called back: write it outside of the global "
	  "transaction" },
	{ PM, SQL_CALL, SQL_REFUSE, "", "CALL p(1, 2)", "",
	  "what a procedure or an anonymous block changes cannot be seen: send "
	  "its statements themselves" },
	{ P, SQL_CALL, SQL_REFUSE, "", "DO $$ BEGIN DELETE FROM t; END $$", "",
	  "what a procedure or an anonymous block changes cannot be seen: send "
	  "its statements themselves" },
	{ M, SQL_CALL, SQL_REFUSE, "", "DO sleep(1)", "",
	  "what a procedure or an anonymous block changes cannot be seen: send "
	  "its statements themselves" },
	{ PM, SQL_CALL, SQL_REFUSE, "", "EXECUTE x", "",
	  "a statement prepared in SQL hides what it changes: use the agent's "
	  "prepare call" },
	{ PM, SQL_CALL, SQL_REFUSE, "", "PREPARE x AS SELECT 1", "",
	  "a statement prepared in SQL hides what it changes: use the agent's "
	  "prepare call" },
	{ M, SQL_CALL, SQL_REFUSE, "", "SIGNAL SQLSTATE '45000'", "",
	  "this statement has a meaning in stored procedures only" },
	{ P, SQL_LOCK_TABLES, SQL_PASS, "", "LOCK TABLE t IN EXCLUSIVE MODE",
	  "", NULL },
	{ M, SQL_LOCK_TABLES, SQL_REFUSE, "", "LOCK TABLES t WRITE", "",
	  "LOCK TABLES commits what was done before: use SELECT FOR UPDATE" },
	{ M, SQL_LOCK_TABLES, SQL_REFUSE, "", "UNLOCK TABLES", "",
	  "LOCK TABLES commits what was done before: use SELECT FOR UPDATE" },
	{ PS, SQL_ADMIN, SQL_REFUSE, "", "VACUUM", "",
	  "administration is no part of a global transaction: run it outside "
	  "of one" },
	{ PS, SQL_ADMIN, SQL_REFUSE, "", "ANALYZE", "",
	  "administration is no part of a global transaction: run it outside "
	  "of one" },
	{ M, SQL_ADMIN, SQL_REFUSE, "", "ANALYZE TABLE t", "",
	  "administration is no part of a global transaction: run it outside "
	  "of one" },
	{ M, SQL_ADMIN, SQL_REFUSE, "", "OPTIMIZE TABLE t", "",
	  "administration is no part of a global transaction: run it outside "
	  "of one" },
	{ M, SQL_ADMIN, SQL_REFUSE, "", "FLUSH TABLES", "",
	  "administration is no part of a global transaction: run it outside "
	  "of one" },
	{ M, SQL_ADMIN, SQL_REFUSE, "", "KILL 5", "",
	  "administration is no part of a global transaction: run it outside "
	  "of one" },
	{ P, SQL_ADMIN, SQL_REFUSE, "", "CHECKPOINT", "",
	  "administration is no part of a global transaction: run it outside "
	  "of one" },
	{ PS, SQL_ADMIN, SQL_REFUSE, "", "REINDEX t", "",
	  "administration is no part of a global transaction: run it outside "
	  "of one" },
	{ PMS, SQL_EMPTY, SQL_PASS, "", "", "", NULL },
	{ PMS, SQL_EMPTY, SQL_PASS, "", " -- nothing", "", NULL },
	{ PMS, SQL_EMPTY, SQL_PASS, "", ";;", "", NULL },
	{ PMS, SQL_UNKNOWN, SQL_REFUSE, "", "FROBNICATE t", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ PMS, SQL_UNKNOWN, SQL_REFUSE, "", "42", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ PMS, SQL_UNKNOWN, SQL_REFUSE, "", "'UPDATE t SET a = 1'", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ PMS, SQL_UNKNOWN, SQL_REFUSE, "", "\"UPDATE\" t SET a = 1", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ PMS, SQL_UNKNOWN, SQL_REFUSE, "", "SELECT", "",
	  "line 1, column 7: expected an expression" },
	{ PS, SQL_UNKNOWN, SQL_REFUSE, "", "SELECT * FROM t WHERE a = 1 b = 2",
	  "", "line 1, column 29: expected the end of the statement" },
	{ PMS, SQL_UNKNOWN, SQL_REFUSE, "", "SELECT * FROM", "",
	  "line 1, column 14: expected a table name" },
	{ PMS, SQL_UNKNOWN, SQL_REFUSE, "", "WITH x AS (SELECT 1)", "",
	  "line 1, column 21: expected SELECT, INSERT, UPDATE or DELETE behind "
	  "WITH" },
	{ PMS, SQL_UNKNOWN, SQL_REFUSE, "", "WITH x AS SELECT 1", "",
	  "line 1, column 11: expected ( behind AS" },
	{ PM, SQL_UNKNOWN, SQL_REFUSE, "", "(UPDATE t SET a = 1)", "",
	  "line 1, column 2: expected SELECT" },
	{ S, SQL_UNKNOWN, SQL_REFUSE, "", "(SELECT 1)", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ P, SQL_UNKNOWN, SQL_REFUSE, "", "REPLACE INTO t VALUES (1)", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ P, SQL_UNKNOWN, SQL_REFUSE, "", "SELECT `a` FROM t", "",
	  "line 1, column 12: expected an expression" },
	{ MS, SQL_UNKNOWN, SQL_REFUSE, "", "SELECT a::int FROM t", "",
	  "line 1, column 9: a character that this dialect does not know" },
	{ M, SQL_UNKNOWN, SQL_REFUSE, "", "IF 1 THEN SELECT 1", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ M, SQL_UNKNOWN, SQL_REFUSE, "", "DELIMITER //", "",
	  "line 1, column 1: expected a statement that is known here" },
	{ P, SQL_UNKNOWN, SQL_REFUSE, "", "\\d t", "",
	  "line 1, column 1: a character that this dialect does not know" },
};
/* clang-format on */

#endif
