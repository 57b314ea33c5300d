-- section: What a table is

-- group: A table with a trigger
-- case: on this kind of statement
-- expect: refused, update, audited, v
-- because: trigger audit_u may change other rows
UPDATE audited SET v = 9
-- case: on another kind: insert
-- expect: protected, insert, audited
INSERT INTO audited VALUES (5, 5)
-- case: on another kind: delete
-- expect: protected, delete, audited
DELETE FROM audited WHERE id = 1
-- case: an insert that may update
-- on: postgresql sqlite
-- expect: refused, insert, audited, v
-- because: trigger audit_u may change other rows
INSERT INTO audited VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET v = 5

-- group: A table that cascading foreign keys refer to
-- case: delete, ON DELETE CASCADE
-- expect: refused, delete, parent
-- because: changes rows there when one is deleted here
DELETE FROM parent WHERE id = 1
-- case: delete, ON DELETE SET NULL
-- expect: refused, delete, parent_null
-- because: changes rows there when one is deleted here
DELETE FROM parent_null WHERE id = 1
-- case: update of another column
-- expect: protected, update, parent, v
UPDATE parent SET v = 9
-- case: insert
-- expect: protected, insert, parent
INSERT INTO parent VALUES (7, 7)
-- case: the table that refers
-- expect: protected, delete, child
DELETE FROM child WHERE parent_id = 1

-- group: A table whose foreign keys only check
-- case: update
-- expect: protected, update, customer, name
UPDATE customer SET name = 'new'
-- case: the table that refers
-- expect: protected, update, orders, customer_id
UPDATE orders SET customer_id = 2

-- group: A view
-- case: update
-- expect: refused, update, account_v, balance
-- because: it is a view; write to its tables
UPDATE account_v SET balance = 1
-- case: insert
-- expect: refused, insert, account_v, id name
-- because: it is a view; write to its tables
INSERT INTO account_v (id, name) VALUES (9, 'v')
-- case: delete
-- expect: refused, delete, account_v
-- because: it is a view; write to its tables
DELETE FROM account_v

-- group: A partitioned table
-- case: update
-- on: postgresql mariadb
-- expect: protected, update, measure, v
UPDATE measure SET v = v + 1
-- case: delete
-- on: postgresql mariadb
-- expect: protected, delete, measure
DELETE FROM measure WHERE id > 1
-- case: insert
-- on: postgresql mariadb
-- expect: protected, insert, measure
INSERT INTO measure VALUES (9, '2026-12-31', 9), (8, '2026-02-01', 8)
-- case: ON CONFLICT DO NOTHING
-- on: postgresql
-- expect: protected, insert, measure
INSERT INTO measure VALUES (1, '2026-01-01', 9), (8, '2026-02-01', 8) ON CONFLICT DO NOTHING
-- case: ON CONFLICT DO UPDATE
-- on: postgresql
-- expect: refused, insert, measure, v
-- because: on a partitioned table PostgreSQL does not tell which rows ON CONFLICT DO UPDATE found
INSERT INTO measure VALUES (1, '2026-01-01', 9) ON CONFLICT (id, day) DO UPDATE SET v = 9
-- case: no partition for the row
-- on: postgresql mariadb
-- expect: failed, insert, measure
INSERT INTO measure VALUES (9, '2031-01-01', 9)
-- case: one partition by its name
-- on: postgresql
-- expect: refused, update, measure_a, v
-- because: it is a partition; write through the partitioned table, so that a row has one name
UPDATE measure_a SET v = 1
-- case: one partition by its name, MySQL
-- on: mariadb
-- expect: protected, update, measure, v
UPDATE measure PARTITION (p26) SET v = 1

-- group: Inheritance
-- case: the parent
-- on: postgresql
-- expect: refused, update, animal, name
-- because: other tables inherit from it
UPDATE animal SET name = 'x'
-- case: the child
-- on: postgresql
-- expect: protected, update, dog, barks
UPDATE dog SET barks = 5

-- group: `WITHOUT ROWID`
-- case: update
-- on: sqlite
-- expect: protected, update, worowid, v
UPDATE worowid SET v = v + 1
-- case: delete
-- on: sqlite
-- expect: protected, delete, worowid
DELETE FROM worowid WHERE a = 1
-- case: insert
-- on: sqlite
-- expect: protected, insert, worowid
INSERT INTO worowid VALUES (7, 'x', 1)
-- case: replace
-- on: sqlite
-- expect: protected, replace, worowid
REPLACE INTO worowid VALUES (1, 'x', 99), (7, 'x', 1)

-- group: Tables that cannot be protected
-- case: unlogged
-- on: postgresql
-- expect: refused, update, unlogged, v
-- because: it is unlogged: a crash empties it
UPDATE unlogged SET v = 2
-- case: with a rule
-- on: postgresql
-- expect: refused, insert, ruled
-- because: rule ruled_i rewrites statements
INSERT INTO ruled VALUES (5, 5)
-- case: of a catalog
-- on: postgresql
-- expect: refused, update, pg_catalog.pg_description, description
-- because: it belongs to the database itself
UPDATE pg_catalog.pg_description SET description = 'x'
-- case: without transactions
-- on: mariadb
-- expect: refused, update, myisam, v
-- because: has no transactions; ALTER TABLE … ENGINE = InnoDB
UPDATE myisam SET v = 2
-- case: with a history
-- on: mariadb
-- expect: refused, update, versioned, v
-- because: it is system-versioned: an undo would leave a trace in its history
UPDATE versioned SET v = 2
-- case: of the server
-- on: mariadb
-- expect: refused, update, mysql.help_topic, url
-- because: it belongs to the database itself
UPDATE mysql.help_topic SET url = 'x'
-- case: with a character set that loses bytes
-- on: mariadb
-- expect: refused, update, big5, v
-- because: does not survive a round trip; use utf8mb4
UPDATE big5 SET v = 'z'
-- case: virtual
-- on: sqlite
-- expect: refused, insert, words, w
-- because: it is a virtual table
INSERT INTO words (w) VALUES ('x')
-- case: of the database itself
-- on: sqlite
-- expect: refused, update, sqlite_sequence, seq
-- because: it belongs to the database itself
UPDATE sqlite_sequence SET seq = 7
-- case: temporary
-- on: postgresql
-- before: CREATE TEMP TABLE mine (id int PRIMARY KEY)
-- after: DROP TABLE mine
-- expect: refused, insert, mine
-- because: it is temporary: no other session could undo a change of it
INSERT INTO mine VALUES (1)
-- case: temporary, SQLite
-- on: sqlite
-- before: CREATE TEMP TABLE mine (id INTEGER PRIMARY KEY)
-- after: DROP TABLE mine
-- expect: refused, insert, mine
-- because: it is temporary: no other connection could undo a change of it
INSERT INTO mine VALUES (1)
-- case: temporary, MySQL
-- on: mariadb
-- before: CREATE TEMPORARY TABLE mine (id int PRIMARY KEY)
-- after: DROP TEMPORARY TABLE mine
-- expect: refused, insert, mine
-- because: it is temporary: no other session could undo a change of it
INSERT INTO mine VALUES (1)
-- case: temporary, hiding another one
-- on: mariadb
-- before: CREATE TEMPORARY TABLE account (id int PRIMARY KEY)
-- after: DROP TEMPORARY TABLE account
-- expect: refused, insert, account
-- because: a temporary table of this name hides it
INSERT INTO account VALUES (1)
-- case: Treaty's own
-- expect: refused, delete, undo_log
-- because: undo_log is Treaty's own table
DELETE FROM undo_log
