-- section: Everything else

-- group: `SELECT`
-- case: all rows
-- expect: passed, read
SELECT * FROM account ORDER BY id
-- case: a join, grouped
-- expect: passed, read
SELECT a.name, count(*), sum(o.x) FROM account a LEFT JOIN other o ON o.acc = a.id GROUP BY a.name ORDER BY 1
-- case: WITH
-- expect: passed, read
WITH q AS (SELECT id FROM account WHERE id < 3) SELECT * FROM q ORDER BY id
-- case: UNION
-- expect: passed, read
SELECT id FROM account UNION SELECT id FROM other ORDER BY 1
-- case: no table
-- expect: passed, read
SELECT 1 + 1 AS two, 'x'
-- case: a window
-- expect: passed, read
SELECT id, row_number() OVER (ORDER BY balance DESC) AS r FROM account ORDER BY id
-- case: VALUES
-- expect: passed, read
VALUES (1, 'a'), (2, 'b')
-- case: TABLE
-- on: postgresql
-- expect: passed, read
TABLE pair ORDER BY 1, 2
-- case: every type
-- on: postgresql
-- expect: passed, read
SELECT * FROM types_number ORDER BY id
-- case: EXPLAIN
-- on: postgresql
-- expect: passed, read
-- volatile: yes
EXPLAIN SELECT * FROM account
-- case: EXPLAIN, MySQL
-- on: mariadb
-- expect: passed, read
-- volatile: yes
EXPLAIN SELECT * FROM account
-- case: EXPLAIN QUERY PLAN
-- on: sqlite
-- expect: passed, read
-- volatile: yes
EXPLAIN QUERY PLAN SELECT * FROM account
-- case: parameters, PostgreSQL
-- on: postgresql
-- expect: passed, read
-- param: int 2
SELECT name FROM account WHERE id = $1
-- case: parameters
-- on: mariadb sqlite
-- expect: passed, read
-- param: int 2
SELECT name FROM account WHERE id = ?
-- case: into a variable
-- on: mariadb
-- expect: passed, read
SELECT balance INTO @b FROM account WHERE id = 1

-- group: `SHOW`, `DESCRIBE`, `PRAGMA`
-- case: SHOW
-- on: postgresql
-- expect: passed, read
SHOW server_encoding
-- case: SHOW, MySQL
-- on: mariadb
-- expect: passed, read
SHOW TABLES LIKE 'account'
-- case: DESCRIBE
-- on: mariadb
-- expect: passed, read
DESCRIBE account
-- case: a pragma that only asks
-- on: sqlite
-- expect: passed, read
PRAGMA table_info(account)

-- group: Settings of the session
-- case: SET
-- on: postgresql
-- after: RESET ALL
-- expect: passed, session
SET statement_timeout = 60000
-- case: RESET
-- on: postgresql
-- expect: passed, session
RESET ALL
-- case: SET, MySQL
-- on: mariadb
-- expect: passed, session
SET @x = 5
-- case: a pragma
-- on: sqlite
-- expect: passed, session
PRAGMA cache_size = 4000

-- group: Settings that change how SQL is read
-- case: standard_conforming_strings
-- on: postgresql
-- expect: refused
-- because: it changes how statements are read: set it before the global transaction begins
SET standard_conforming_strings = off
-- case: sql_mode
-- on: mariadb
-- expect: refused
-- because: it changes how statements are read: set it before the global transaction begins
SET sql_mode = 'ANSI_QUOTES'
-- case: SET NAMES
-- on: mariadb
-- expect: refused, session
-- because: it changes how statements are read: set it before the global transaction begins
SET NAMES utf8mb4
-- case: SET GLOBAL
-- on: mariadb
-- expect: refused
-- because: SET GLOBAL changes the server for everybody
SET GLOBAL max_connections = 50
-- case: DISCARD
-- on: postgresql
-- expect: refused
-- because: DISCARD resets what the agent relies on
DISCARD ALL
-- case: an unsafe pragma
-- on: sqlite
-- expect: refused
-- because: this PRAGMA changes the database or what statements do: use it before the global transaction begins
PRAGMA journal_mode = DELETE

-- group: A change of the schema
-- case: CREATE TABLE
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
CREATE TABLE made (id int PRIMARY KEY)
-- case: CREATE TABLE AS
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
CREATE TABLE made AS SELECT * FROM account
-- case: SELECT INTO
-- on: postgresql
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
SELECT * INTO made FROM account
-- case: ALTER TABLE
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
ALTER TABLE account ADD COLUMN extra int
-- case: DROP TABLE
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
DROP TABLE pair
-- case: CREATE INDEX
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
CREATE INDEX made_i ON account (balance)
-- case: CREATE VIEW
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
CREATE VIEW made_v AS SELECT 1 AS one
-- case: GRANT
-- on: postgresql mariadb
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
GRANT SELECT ON account TO PUBLIC
-- case: RENAME
-- on: mariadb
-- expect: refused, ddl
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
RENAME TABLE pair TO pairs

-- group: `TRUNCATE`
-- case: TRUNCATE
-- on: postgresql mariadb
-- expect: refused, truncate
-- because: TRUNCATE cannot be undone: use DELETE
TRUNCATE TABLE pair
-- case: TRUNCATE of several
-- on: postgresql
-- expect: refused, truncate
-- because: TRUNCATE cannot be undone: use DELETE
TRUNCATE pair, other RESTART IDENTITY CASCADE

-- group: Bulk loading
-- case: COPY FROM
-- on: postgresql
-- expect: refused, bulk
-- because: bulk loading takes no images of the rows: use INSERT
COPY pair FROM STDIN
-- case: LOAD DATA
-- on: mariadb
-- expect: refused, bulk
-- because: bulk loading takes no images of the rows: use INSERT
LOAD DATA INFILE '/tmp/none' INTO TABLE pair
-- case: into a file
-- on: mariadb
-- expect: refused, bulk
-- because: a file cannot be called back: write it outside of the global transaction
SELECT * FROM pair INTO OUTFILE '/tmp/treaty-none'

-- group: Procedures and blocks
-- case: CALL
-- on: postgresql mariadb
-- expect: refused, call
-- because: what a procedure or an anonymous block changes cannot be seen
CALL raise_all()
-- case: DO
-- on: postgresql
-- expect: refused, call
-- because: what a procedure or an anonymous block changes cannot be seen
DO $$ BEGIN UPDATE account SET balance = 0; END $$
-- case: PREPARE
-- on: postgresql
-- expect: refused, call
-- because: a statement prepared in SQL hides what it changes
PREPARE p AS UPDATE account SET balance = 0
-- case: PREPARE, MySQL
-- on: mariadb
-- expect: refused, call
-- because: a statement prepared in SQL hides what it changes
PREPARE p FROM 'UPDATE account SET balance = 0'
-- case: EXECUTE IMMEDIATE
-- on: mariadb
-- expect: refused, call
-- because: a statement prepared in SQL hides what it changes
EXECUTE IMMEDIATE 'UPDATE account SET balance = 0'
-- case: a cursor that locks
-- on: postgresql
-- expect: refused
-- because: which rows a cursor locks is not known before they are fetched: use SELECT FOR UPDATE itself
DECLARE c CURSOR FOR SELECT * FROM account FOR UPDATE

-- group: `LOCK TABLES`
-- case: LOCK TABLES
-- on: mariadb
-- expect: refused, lock tables
-- because: LOCK TABLES commits what was done before
LOCK TABLES account WRITE

-- group: Maintenance and the server
-- case: VACUUM
-- on: postgresql sqlite
-- expect: refused, administration
-- because: administration is no part of a global transaction: run it outside of one
VACUUM
-- case: FLUSH
-- on: mariadb
-- expect: refused, administration
-- because: administration is no part of a global transaction: run it outside of one
FLUSH TABLES
-- case: NOTIFY
-- on: postgresql
-- expect: refused
-- because: a notification cannot be called back
NOTIFY channel, 'x'
-- case: ATTACH
-- on: sqlite
-- expect: refused
-- because: attach and detach databases before the global transaction begins
ATTACH ':memory:' AS more

-- group: What no parser knows
-- case: nonsense
-- expect: refused, unknown
-- because: expected a statement that is known here
FROB pair
-- case: a broken statement
-- expect: refused, unknown
-- because: expected a column name
UPDATE account SET WHERE id = 1
-- case: a string without end
-- expect: refused, unknown
-- because: a string has no end
UPDATE account SET note = 'never
-- case: EXPLAIN ANALYZE of a write
-- on: postgresql
-- expect: refused
-- because: EXPLAIN ANALYZE runs the statement: leave ANALYZE away
EXPLAIN ANALYZE UPDATE account SET balance = 0
-- case: ANALYZE of a write
-- on: mariadb
-- expect: refused
-- because: EXPLAIN ANALYZE runs the statement: leave ANALYZE away
ANALYZE UPDATE account SET balance = 0
-- case: a write inside of a query
-- on: postgresql
-- expect: refused
-- because: a write inside WITH changes rows that no image covers: make it a statement of its own
WITH gone AS (DELETE FROM account RETURNING *) SELECT * FROM gone

-- group: Several statements in one text
-- case: two writes
-- expect: refused
-- because: several statements in one text inside of a global transaction; give them one by one
DELETE FROM pair WHERE a = 1; DELETE FROM other WHERE id = 1
-- case: a read and a write
-- expect: refused
-- because: several statements in one text inside of a global transaction; give them one by one
SELECT 1; UPDATE account SET note = 'x'
-- case: hidden behind a comment
-- expect: refused
-- because: several statements in one text inside of a global transaction; give them one by one
UPDATE account SET note = 'x' /* ; */ ; -- ;
DELETE FROM pair
-- case: a semicolon in a string is none
-- expect: protected, update, account, note
UPDATE account SET note = 'a; DELETE FROM pair' WHERE id = 1;
-- case: empty statements around one
-- on: sqlite postgresql
-- expect: protected, update, account, note
;; UPDATE account SET note = 'x' WHERE id = 1 ;; /* end */ ;
