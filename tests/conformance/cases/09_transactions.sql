-- section: Local transactions

-- group: `BEGIN … COMMIT` with several statements
-- case: two updates
-- expect: protected
-- steps: yes
BEGIN;
UPDATE account SET balance = balance - 10 WHERE id = 1;
UPDATE account SET balance = balance + 10 WHERE id = 2;
COMMIT;
-- case: insert, update and delete one row
-- expect: protected
-- nothing: yes
-- steps: yes
BEGIN;
INSERT INTO account VALUES (9, 'ida', 1, NULL);
UPDATE account SET balance = 2 WHERE id = 9;
DELETE FROM account WHERE id = 9;
COMMIT;
-- case: one row three times
-- expect: protected
-- steps: yes
BEGIN;
UPDATE account SET note = 'a' WHERE id = 1;
UPDATE account SET note = 'b' WHERE id = 1;
UPDATE account SET note = 'c', balance = 0 WHERE id = 1;
COMMIT;
-- case: delete and insert the same key
-- expect: protected
-- steps: yes
BEGIN;
DELETE FROM account WHERE id = 1;
INSERT INTO account VALUES (1, 'anew', 3, 'n');
COMMIT;
-- case: a parent and its child
-- expect: protected
-- steps: yes
BEGIN;
INSERT INTO customer VALUES (9, 'new');
INSERT INTO orders VALUES (90, 9, 1);
UPDATE orders SET customer_id = 9 WHERE id = 1;
COMMIT;
-- case: a child and its parent deleted
-- expect: protected
-- steps: yes
BEGIN;
DELETE FROM orders WHERE customer_id = 1;
DELETE FROM customer WHERE id = 1;
COMMIT;
-- case: a unique value handed on
-- expect: protected
-- steps: yes
BEGIN;
UPDATE account SET name = 'tmp' WHERE id = 1;
UPDATE account SET name = 'ann' WHERE id = 2;
UPDATE account SET name = 'bob' WHERE id = 1;
COMMIT;
-- case: several tables, generated keys
-- expect: protected
-- steps: yes
BEGIN;
INSERT INTO item (code, n) VALUES ('t', 1);
INSERT INTO item (code, n) VALUES ('u', 2);
UPDATE item SET n = n + 1;
DELETE FROM pair WHERE a = 1;
INSERT INTO pair VALUES (1, 'x', 0);
COMMIT;
-- case: reads in between
-- expect: protected
-- steps: yes
BEGIN;
SELECT balance FROM account WHERE id = 1;
UPDATE account SET balance = 1 WHERE id = 1;
SELECT balance FROM account WHERE id = 1;
COMMIT;
-- case: nothing written
-- expect: passed
-- steps: yes
BEGIN;
SELECT count(*) FROM account;
COMMIT;
-- case: nothing at all
-- expect: passed
-- steps: yes
BEGIN;
COMMIT;
-- case: other words for it
-- on: postgresql mariadb
-- expect: protected
-- steps: yes
START TRANSACTION;
UPDATE account SET note = 's' WHERE id = 1;
COMMIT WORK;
-- case: END
-- on: postgresql sqlite
-- expect: protected
-- steps: yes
BEGIN TRANSACTION;
UPDATE account SET note = 's' WHERE id = 1;
END;
-- case: a level of isolation
-- on: postgresql
-- expect: protected
-- steps: yes
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE account SET note = 's' WHERE id = 1;
COMMIT;
-- case: a level of isolation, MySQL
-- on: mariadb
-- expect: protected
-- steps: yes
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
BEGIN;
UPDATE account SET note = 's' WHERE id = 1;
COMMIT;
-- case: IMMEDIATE
-- on: sqlite
-- expect: protected
-- steps: yes
BEGIN IMMEDIATE;
UPDATE account SET note = 's' WHERE id = 1;
COMMIT;
-- case: a lock, then a write
-- on: postgresql mariadb
-- expect: protected
-- steps: yes
BEGIN;
SELECT * FROM account WHERE id = 1 FOR UPDATE;
UPDATE account SET balance = balance - 1 WHERE id = 1;
COMMIT;
-- case: one transaction after another
-- expect: protected
-- steps: yes
BEGIN;
UPDATE account SET note = 'one' WHERE id = 1;
COMMIT;
BEGIN;
UPDATE account SET note = 'two' WHERE id = 1;
COMMIT;
UPDATE account SET note = 'three' WHERE id IN (1, 2);
-- case: SET autocommit
-- on: mariadb
-- expect: protected
-- steps: yes
SET autocommit = 0;
UPDATE account SET note = 'one' WHERE id = 1;
UPDATE account SET note = 'two' WHERE id = 2;
COMMIT;
SET autocommit = 1;

-- group: `ROLLBACK` of a local transaction
-- case: after writes
-- expect: protected
-- nothing: yes
-- steps: yes
BEGIN;
UPDATE account SET balance = 0;
INSERT INTO account VALUES (9, 'ida', 1, NULL);
DELETE FROM pair;
ROLLBACK;
-- case: then another one
-- expect: protected
-- steps: yes
BEGIN;
UPDATE account SET balance = 0;
ROLLBACK;
BEGIN;
UPDATE account SET balance = 77 WHERE id = 2;
COMMIT;

-- group: `SAVEPOINT`, `ROLLBACK TO`, `RELEASE`
-- case: back to it
-- expect: protected
-- steps: yes
BEGIN;
UPDATE account SET note = 'kept' WHERE id = 1;
SAVEPOINT one;
UPDATE account SET note = 'gone' WHERE id = 1;
DELETE FROM account WHERE id = 2;
ROLLBACK TO SAVEPOINT one;
UPDATE account SET note = 'kept too' WHERE id = 3;
COMMIT;
-- case: back to nothing
-- expect: protected
-- nothing: yes
-- steps: yes
BEGIN;
SAVEPOINT one;
DELETE FROM account;
ROLLBACK TO one;
COMMIT;
-- case: released
-- expect: protected
-- steps: yes
BEGIN;
SAVEPOINT one;
UPDATE account SET note = 'kept' WHERE id = 1;
RELEASE SAVEPOINT one;
UPDATE account SET note = 'kept' WHERE id = 2;
COMMIT;
-- case: one inside of another
-- expect: protected
-- steps: yes
BEGIN;
INSERT INTO other VALUES (50, 1, 1);
SAVEPOINT a;
INSERT INTO other VALUES (51, 1, 1);
SAVEPOINT b;
INSERT INTO other VALUES (52, 1, 1);
ROLLBACK TO b;
INSERT INTO other VALUES (53, 1, 1);
ROLLBACK TO a;
INSERT INTO other VALUES (54, 1, 1);
COMMIT;
-- case: the same name twice
-- expect: protected
-- steps: yes
BEGIN;
SAVEPOINT s;
UPDATE account SET note = 'one' WHERE id = 1;
SAVEPOINT s;
UPDATE account SET note = 'two' WHERE id = 1;
ROLLBACK TO s;
COMMIT;
-- case: back twice
-- expect: protected
-- steps: yes
BEGIN;
SAVEPOINT s;
UPDATE account SET note = 'one' WHERE id = 1;
ROLLBACK TO s;
UPDATE account SET note = 'two' WHERE id = 2;
ROLLBACK TO s;
UPDATE account SET note = 'three' WHERE id = 3;
COMMIT;
-- case: an insert taken back, and its key used again
-- expect: protected
-- steps: yes
BEGIN;
SAVEPOINT s;
INSERT INTO account VALUES (9, 'ida', 1, NULL);
ROLLBACK TO s;
INSERT INTO account VALUES (9, 'ivy', 2, NULL);
COMMIT;
-- case: a savepoint is the transaction
-- on: sqlite
-- expect: protected
-- steps: yes
SAVEPOINT outer_one;
UPDATE account SET note = 'x' WHERE id = 1;
RELEASE outer_one;

-- group: A refused statement inside of a local transaction
-- case: the writes before it are not lost, the whole is rolled back at the end
-- expect: refused
-- because: a change of the schema cannot be undone with the global transaction: run it outside of one
-- steps: yes
BEGIN;
UPDATE account SET note = 'x' WHERE id = 1;
DROP TABLE pair;
COMMIT;

-- group: Transaction control that Treaty cannot follow
-- case: COMMIT AND CHAIN
-- on: postgresql mariadb
-- expect: refused
-- because: AND CHAIN begins a transaction that nobody asked the agent for: use BEGIN
-- steps: yes
BEGIN;
UPDATE account SET note = 'x' WHERE id = 1;
COMMIT AND CHAIN;
-- case: PREPARE TRANSACTION
-- on: postgresql
-- expect: refused
-- because: a prepared transaction's end belongs to the coordinator: use XA mode
-- steps: yes
BEGIN;
UPDATE account SET note = 'x' WHERE id = 1;
PREPARE TRANSACTION 'x';
-- case: XA
-- on: mariadb
-- expect: refused
-- because: XA statements belong to the coordinator: use XA mode
XA START 'x'
-- case: RELEASE of the connection
-- on: mariadb
-- expect: refused
-- because: RELEASE closes the connection: leave it away
COMMIT RELEASE

-- group: What the database tells about the last statement
-- case: the last key, SQLite
-- on: sqlite
-- expect: protected
-- steps: yes
INSERT INTO item (code, n) VALUES ('d', 4);
SELECT last_insert_rowid();
-- case: the last key in a transaction, SQLite
-- on: sqlite
-- expect: protected
-- steps: yes
BEGIN;
INSERT INTO item (code, n) VALUES ('d', 4);
SELECT last_insert_rowid();
COMMIT;
SELECT last_insert_rowid();
-- case: the last key, MySQL
-- on: mariadb
-- expect: protected
-- steps: yes
INSERT INTO item (code, n) VALUES ('d', 4);
SELECT LAST_INSERT_ID();
-- case: the last key in a transaction, MySQL
-- on: mariadb
-- expect: protected
-- steps: yes
BEGIN;
INSERT INTO item (code, n) VALUES ('d', 4);
SELECT LAST_INSERT_ID();
COMMIT;
SELECT LAST_INSERT_ID();
-- case: the last key used in the next statement, MySQL
-- on: mariadb
-- expect: protected
-- steps: yes
INSERT INTO item (code, n) VALUES ('d', 4);
INSERT INTO other (id, acc) VALUES (LAST_INSERT_ID() + 100, 1);
-- case: the last key, PostgreSQL
-- on: postgresql
-- expect: protected
-- steps: yes
INSERT INTO item (code, n) VALUES ('d', 4);
SELECT lastval(), currval('item_id_seq');
