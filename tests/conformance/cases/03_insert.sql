-- section: INSERT

-- group: `INSERT … VALUES` with the key
-- case: all columns
-- expect: protected, insert, account
INSERT INTO account VALUES (5, 'eve', 1.5, NULL)
-- case: a column list
-- expect: protected, insert, account, name id
INSERT INTO account (name, id) VALUES ('eve', 5)
-- case: several rows
-- expect: protected, insert, account, id name balance
INSERT INTO account (id, name, balance) VALUES (5, 'eve', 1), (6, 'fay', 2.25), (7, 'gus', -3)
-- case: a composite key
-- expect: protected, insert, pair
INSERT INTO pair VALUES (3, 'x', 1), (3, 'y', NULL)
-- case: expressions as keys
-- expect: protected, insert, account, id name
INSERT INTO account (id, name) VALUES (2 + 3, 'eve'), (10 * 2, 'fay')
-- case: a sub-query as a value
-- expect: protected, insert, account, id name balance
INSERT INTO account (id, name, balance) VALUES (5, 'eve', (SELECT sum(x) FROM other))
-- case: a sub-query as the key
-- expect: protected, insert, other, id acc
INSERT INTO other (id, acc) VALUES ((SELECT max(id) + 1 FROM account), 1)
-- case: negative and zero keys
-- expect: protected, insert, other, id acc
INSERT INTO other (id, acc) VALUES (-5, 1), (0, 2)
-- case: many rows
-- expect: protected, insert, other, id
INSERT INTO other (id) VALUES (101),(102),(103),(104),(105),(106),(107),(108),(109),(110),(111),(112),(113),(114),(115),(116),(117),(118),(119),(120)
-- case: an alias
-- on: postgresql sqlite
-- expect: protected, insert, account, id name
INSERT INTO account AS a (id, name) VALUES (5, 'eve')
-- case: VALUE
-- on: mariadb
-- expect: protected, insert, account, id name
INSERT INTO account (id, name) VALUE (5, 'eve')
-- case: without INTO
-- on: mariadb
-- expect: protected, insert, account, id name
INSERT account (id, name) VALUES (5, 'eve')
-- case: ROW-less brackets around values
-- on: postgresql sqlite
-- expect: protected, insert, account, id name
INSERT INTO account (id, name) VALUES ((5), ('e' || 've'))

-- group: `INSERT … DEFAULT`
-- case: DEFAULT as a value
-- on: postgresql mariadb
-- expect: protected, insert, deflt
INSERT INTO deflt VALUES (3, DEFAULT, DEFAULT, DEFAULT, 'k')
-- case: columns left out
-- expect: protected, insert, deflt, id
INSERT INTO deflt (id) VALUES (3)
-- case: DEFAULT VALUES
-- on: postgresql sqlite
-- expect: protected, insert, item
INSERT INTO item DEFAULT VALUES
-- case: empty lists
-- on: mariadb
-- expect: protected, insert, item
INSERT INTO item () VALUES ()
-- case: the default of a column
-- on: mariadb
-- expect: protected, insert, deflt, id a
INSERT INTO deflt (id, a) VALUES (3, DEFAULT(a))

-- group: `INSERT` whose key the database makes
-- case: serial, AUTO_INCREMENT, rowid; left out
-- expect: protected, insert, item, code n
INSERT INTO item (code, n) VALUES ('d', 4)
-- case: several rows
-- expect: protected, insert, item, code n
INSERT INTO item (code, n) VALUES ('d', 4), ('e', 5), ('f', 6)
-- case: DEFAULT as the key
-- on: postgresql mariadb
-- expect: protected, insert, item
INSERT INTO item VALUES (DEFAULT, 'd', 4)
-- case: NULL as the key
-- on: mariadb sqlite
-- expect: protected, insert, item
INSERT INTO item VALUES (NULL, 'd', 4), (NULL, 'e', 5)
-- case: zero as the key
-- on: mariadb
-- expect: protected, insert, item
INSERT INTO item VALUES (0, 'd', 4)
-- case: the key given
-- expect: protected, insert, item
INSERT INTO item VALUES (50, 'd', 4)
-- case: some given, some not
-- on: mariadb sqlite
-- expect: protected, insert, item
INSERT INTO item VALUES (50, 'd', 4), (NULL, 'e', 5)
-- case: some given, some not, PostgreSQL
-- on: postgresql
-- expect: protected, insert, item
INSERT INTO item VALUES (50, 'd', 4), (DEFAULT, 'e', 5)
-- case: nextval
-- on: postgresql
-- expect: protected, insert, item
INSERT INTO item VALUES (nextval('item_id_seq'), 'd', 4)
-- case: AUTOINCREMENT
-- on: sqlite
-- expect: protected, insert, auto, v
INSERT INTO auto (v) VALUES ('c'), ('d')
-- case: identity
-- on: postgresql
-- expect: protected, insert, ident, v
INSERT INTO ident (v) VALUES ('c'), ('d')
-- case: identity by default, given
-- on: postgresql
-- expect: protected, insert, ident_default, id v
INSERT INTO ident_default (id, v) VALUES (7, 'c'), (DEFAULT, 'd')
-- case: OVERRIDING SYSTEM VALUE
-- on: postgresql
-- expect: protected, insert, ident, id v
INSERT INTO ident (id, v) OVERRIDING SYSTEM VALUE VALUES (77, 'c')
-- case: OVERRIDING USER VALUE
-- on: postgresql
-- expect: protected, insert, ident, id v
INSERT INTO ident (id, v) OVERRIDING USER VALUE VALUES (77, 'c')
-- case: a given identity without OVERRIDING
-- on: postgresql
-- expect: failed, insert, ident, id v
INSERT INTO ident (id, v) VALUES (77, 'c')
-- case: a uuid
-- on: postgresql mariadb
-- expect: protected, insert, doc, body
-- volatile: yes
INSERT INTO doc (body) VALUES ('{"n": 1}')
-- case: a uuid by a function
-- on: postgresql
-- expect: protected, insert, doc
-- volatile: yes
INSERT INTO doc VALUES (gen_random_uuid(), NULL)
-- case: a uuid by a function, MySQL
-- on: mariadb
-- expect: protected, insert, doc
-- volatile: yes
INSERT INTO doc VALUES (uuid(), NULL)
-- case: a random key
-- on: sqlite
-- expect: protected, insert, doc
-- volatile: yes
INSERT INTO doc VALUES (randomblob(16), NULL)
-- case: a table without a key of its own
-- on: sqlite
-- expect: protected, insert, nokey
INSERT INTO nokey VALUES (5, 5), (5, 5)
-- case: the rowid given
-- on: sqlite
-- expect: protected, insert, nokey, rowid a
INSERT INTO nokey (rowid, a) VALUES (88, 5)

-- group: `INSERT … SET`
-- case: with the key
-- on: mariadb
-- expect: protected, insert, account, id name
INSERT INTO account SET id = 5, name = 'eve'
-- case: without it
-- on: mariadb
-- expect: protected, insert, item, code
INSERT item SET code = 'q'

-- group: `INSERT … SELECT`
-- case: keys out of the query
-- expect: protected, insert, other, id acc x
INSERT INTO other (id, acc, x) SELECT id + 100, id, 1 FROM account WHERE id > 1
-- case: keys made by the database
-- expect: protected, insert, item, code n
INSERT INTO item (code, n) SELECT name, id FROM account
-- case: from the table itself
-- expect: protected, insert, pair
INSERT INTO pair SELECT 9, b, v FROM pair WHERE a = 1
-- case: no row
-- expect: protected, insert, other, id acc
-- nothing: yes
INSERT INTO other (id, acc) SELECT id + 100, id FROM account WHERE id > 999
-- case: a join, grouped
-- expect: protected, insert, pair, a b v
INSERT INTO pair (a, b, v) SELECT a.id + 50, 'sum', sum(o.x) FROM account a JOIN other o ON o.acc = a.id GROUP BY a.id
-- case: UNION
-- expect: protected, insert, other, id
INSERT INTO other (id) SELECT 50 UNION ALL SELECT 51
-- case: ORDER BY and LIMIT
-- expect: protected, insert, item, code n
INSERT INTO item (code, n) SELECT name, id FROM account ORDER BY id DESC LIMIT 2
-- case: WITH inside
-- expect: protected, insert, other, id acc
INSERT INTO other (id, acc) WITH q AS (SELECT id FROM account WHERE id < 3) SELECT id + 200, id FROM q
-- case: WITH in front
-- on: postgresql sqlite
-- expect: protected, insert, other, id acc
WITH q AS (SELECT id FROM account WHERE id < 3) INSERT INTO other (id, acc) SELECT id + 200, id FROM q
-- case: in brackets
-- on: postgresql mariadb
-- expect: protected, insert, other, id acc
INSERT INTO other (id, acc) (SELECT id + 100, id FROM account)
-- case: a series
-- on: postgresql
-- expect: protected, insert, other, id acc
INSERT INTO other (id, acc) SELECT i, 1 FROM generate_series(100, 400) AS i
-- case: VALUES as a query
-- on: postgresql sqlite
-- expect: protected, insert, other, id acc
INSERT INTO other (id, acc) SELECT * FROM (VALUES (100, 1), (101, 2)) AS v
-- case: TABLE
-- on: postgresql
-- expect: protected, insert, item, id code n
INSERT INTO item (id, code, n) TABLE src OFFSET 0 LIMIT 2

-- group: `INSERT … RETURNING`
-- case: keys given
-- expect: protected, insert, account, id name
INSERT INTO account (id, name) VALUES (5, 'eve') RETURNING id, name, balance
-- case: all columns
-- expect: protected, insert, pair
INSERT INTO pair VALUES (7, 'r', 1), (8, 'r', 2) RETURNING *
-- case: keys made by the database
-- on: postgresql mariadb sqlite
-- expect: protected, insert, item, code
INSERT INTO item (code) VALUES ('z') RETURNING id

-- group: `INSERT` that meets an existing key
-- case: the primary key
-- expect: failed, insert, account
INSERT INTO account VALUES (1, 'new', 0, NULL)
-- case: another unique key
-- expect: failed, insert, account
INSERT INTO account VALUES (9, 'bob', 0, NULL)
-- case: the second of two rows
-- expect: failed, insert, account, id name
INSERT INTO account (id, name) VALUES (8, 'new'), (1, 'dup')

-- group: `INSERT` that breaks a constraint
-- case: CHECK
-- expect: failed, insert, checked
INSERT INTO checked VALUES (3, -1, 1)
-- case: NOT NULL
-- expect: failed, insert, checked
INSERT INTO checked VALUES (3, 1, NULL)
-- case: a foreign key
-- expect: failed, insert, orders
INSERT INTO orders VALUES (9, 99, 1)
-- case: a column that is not there
-- expect: failed, insert, account, id nix
INSERT INTO account (id, nix) VALUES (5, 1)
-- case: a table that is not there
-- expect: failed, insert, nowhere
INSERT INTO nowhere VALUES (1)

-- group: `INSERT` of rows that refer to rows
-- case: to an existing one
-- expect: protected, insert, orders
INSERT INTO orders VALUES (9, 2, 1)
-- case: to one of the same statement
-- expect: protected, insert, tree
INSERT INTO tree VALUES (20, 1, 1), (21, 20, 2), (22, 21, 3)
-- case: against the order of keys
-- on: postgresql sqlite mariadb
-- expect: protected, insert, tree
INSERT INTO tree VALUES (30, NULL, 1), (29, 30, 2), (28, 29, 3)

-- group: `INSERT` with a priority (MySQL)
-- case: LOW_PRIORITY
-- on: mariadb
-- expect: protected, insert, account, id name
INSERT LOW_PRIORITY INTO account (id, name) VALUES (5, 'eve')
-- case: HIGH_PRIORITY
-- on: mariadb
-- expect: protected, insert, account, id name
INSERT HIGH_PRIORITY INTO account (id, name) VALUES (5, 'eve')
-- case: DELAYED
-- on: mariadb
-- expect: refused
-- because: DELAYED rows are written after the transaction: leave it away
INSERT DELAYED INTO account (id, name) VALUES (5, 'eve')
-- case: a partition
-- on: mariadb
-- expect: protected, insert, measure
INSERT INTO measure PARTITION (p26) VALUES (7, '2026-05-05', 1)
