-- section: INSERT with a conflict clause

-- group: `ON CONFLICT DO NOTHING`
-- case: some rows exist
-- on: postgresql sqlite
-- expect: protected, insert, account
INSERT INTO account VALUES (1, 'zed', 0, NULL), (8, 'hal', 0, NULL) ON CONFLICT DO NOTHING
-- case: all rows exist
-- on: postgresql sqlite
-- expect: protected, insert, account
-- nothing: yes
INSERT INTO account VALUES (1, 'zed', 0, NULL) ON CONFLICT DO NOTHING
-- case: none exists
-- on: postgresql sqlite
-- expect: protected, insert, account
INSERT INTO account VALUES (8, 'hal', 0, NULL) ON CONFLICT (id) DO NOTHING
-- case: by another unique key
-- on: postgresql sqlite
-- expect: protected, insert, account
INSERT INTO account VALUES (8, 'ann', 0, NULL), (9, 'ida', 1, NULL) ON CONFLICT (name) DO NOTHING
-- case: generated keys
-- on: postgresql sqlite
-- expect: protected, insert, item, code n
INSERT INTO item (code, n) VALUES ('a', 50), ('k', 60) ON CONFLICT DO NOTHING
-- case: twice the same row in one statement
-- on: postgresql sqlite
-- expect: protected, insert, item, code n
INSERT INTO item (code, n) VALUES ('k', 50), ('k', 60) ON CONFLICT DO NOTHING
-- case: from a query
-- on: postgresql sqlite
-- expect: protected, insert, item, id code n
INSERT INTO item (id, code, n) SELECT id, code, n FROM src WHERE true ON CONFLICT DO NOTHING
-- case: a constraint by its name
-- on: postgresql
-- expect: protected, insert, account
INSERT INTO account VALUES (8, 'ann', 0, NULL), (9, 'ida', 1, NULL) ON CONFLICT ON CONSTRAINT account_name_key DO NOTHING
-- case: a unique key with NULL in it
-- on: postgresql sqlite
-- expect: protected, insert, multi
INSERT INTO multi VALUES (4, 'd@x', NULL, NULL, 2), (5, 'e@x', 'a', 9, 9) ON CONFLICT DO NOTHING
-- case: a partial unique index
-- on: postgresql sqlite
-- expect: protected, insert, partial
INSERT INTO partial VALUES (4, 1, 1), (5, 1, 0) ON CONFLICT DO NOTHING
-- case: an index on an expression
-- on: postgresql sqlite
-- expect: refused, insert, expr_key
-- because: the table has a unique index over an expression or a part of a column; which rows it would meet cannot be told
INSERT INTO expr_key VALUES (4, 'ANN'), (5, 'Cid') ON CONFLICT DO NOTHING
-- case: an exclusion constraint
-- on: postgresql
-- expect: protected, insert, booked
INSERT INTO booked VALUES (3, '[2,3)'), (4, '[10,12)') ON CONFLICT DO NOTHING
-- case: a key that another case folds
-- on: sqlite postgresql
-- expect: protected, insert, tag_ci
INSERT INTO tag_ci VALUES ('RED', 'x'), ('green', 'g') ON CONFLICT DO NOTHING

-- group: `ON CONFLICT DO UPDATE`
-- case: some rows exist
-- on: postgresql sqlite
-- expect: protected, insert, account, balance
INSERT INTO account VALUES (1, 'ann', 5, 'u'), (8, 'hal', 0, NULL) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance
-- case: all rows exist
-- on: postgresql sqlite
-- expect: protected, insert, account, id name balance balance
INSERT INTO account (id, name, balance) VALUES (1, 'ann', 5), (2, 'bob', 6) ON CONFLICT (id) DO UPDATE SET balance = account.balance + excluded.balance
-- case: none exists
-- on: postgresql sqlite
-- expect: protected, insert, account, balance
INSERT INTO account VALUES (8, 'hal', 0, NULL) ON CONFLICT (id) DO UPDATE SET balance = 7
-- case: by another unique key, generated keys
-- on: postgresql sqlite
-- expect: protected, insert, item, code n n
INSERT INTO item (code, n) VALUES ('a', 50), ('k', 60) ON CONFLICT (code) DO UPDATE SET n = excluded.n
-- case: from a query
-- on: postgresql sqlite
-- expect: protected, insert, item, code n n
INSERT INTO item (code, n) SELECT code, n + 100 FROM src WHERE true ON CONFLICT (code) DO UPDATE SET n = excluded.n
-- case: from a query of the table itself
-- on: postgresql sqlite
-- expect: protected, insert, item, code n n
INSERT INTO item (code, n) SELECT code, n + 100 FROM item WHERE n > 1 ON CONFLICT (code) DO UPDATE SET n = excluded.n
-- case: WHERE that lets some rows alone
-- on: postgresql sqlite
-- expect: protected, insert, account, id name balance balance
INSERT INTO account (id, name, balance) VALUES (1, 'ann', 500), (2, 'bob', 1) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance WHERE excluded.balance > account.balance
-- case: to the value that is there
-- on: postgresql sqlite
-- expect: protected, insert, account, id name balance
-- nothing: yes
INSERT INTO account (id, name) VALUES (2, 'bob') ON CONFLICT (id) DO UPDATE SET balance = account.balance
-- case: a composite key
-- on: postgresql sqlite
-- expect: protected, insert, pair, v
INSERT INTO pair VALUES (1, 'x', 1), (9, 'x', 2) ON CONFLICT (a, b) DO UPDATE SET v = pair.v + excluded.v
-- case: an alias
-- on: postgresql
-- expect: protected, insert, pair, v
INSERT INTO pair AS p VALUES (1, 'x', 1) ON CONFLICT (a, b) DO UPDATE SET v = p.v + excluded.v
-- case: several columns at once
-- on: postgresql sqlite
-- expect: protected, insert, account, balance note
INSERT INTO account VALUES (1, 'ann', 5, 'u') ON CONFLICT (id) DO UPDATE SET (balance, note) = (excluded.balance, 'both')
-- case: a partial unique index as target
-- on: postgresql sqlite
-- expect: protected, insert, partial, id v w v
INSERT INTO partial (id, v, w) VALUES (9, 1, 1) ON CONFLICT (v) WHERE w > 0 DO UPDATE SET v = 5
-- case: the key itself
-- on: postgresql sqlite
-- expect: refused, insert, account, id
-- because: is changed; delete the row and insert it anew
INSERT INTO account VALUES (1, 'ann', 5, 'u') ON CONFLICT (id) DO UPDATE SET id = 77
-- case: RETURNING
-- on: postgresql sqlite
-- expect: protected, insert, account, balance
INSERT INTO account VALUES (1, 'ann', 5, 'u') ON CONFLICT (id) DO UPDATE SET balance = 1 RETURNING id
-- case: two clauses
-- on: sqlite
-- expect: protected, insert, account, balance
INSERT INTO account VALUES (1, 'ann', 5, 'u'), (9, 'bob', 5, 'u') ON CONFLICT (id) DO UPDATE SET balance = 1 ON CONFLICT DO NOTHING
-- case: a random value in a row
-- on: postgresql sqlite
-- expect: protected, insert, account, balance
-- volatile: yes
INSERT INTO account VALUES (1, 'ann', 5, 'u') ON CONFLICT (id) DO UPDATE SET balance = 1000 + abs(random())

-- group: `ON DUPLICATE KEY UPDATE`
-- case: some rows exist
-- on: mariadb
-- expect: protected, insert, item, code n n
INSERT INTO item (code, n) VALUES ('a', 50), ('k', 60) ON DUPLICATE KEY UPDATE n = VALUES(n)
-- case: all rows exist
-- on: mariadb
-- expect: protected, insert, account, id name balance balance
INSERT INTO account (id, name, balance) VALUES (1, 'ann', 5), (2, 'bob', 6) ON DUPLICATE KEY UPDATE balance = balance + VALUES(balance)
-- case: none exists
-- on: mariadb
-- expect: protected, insert, account, id name balance
INSERT INTO account (id, name) VALUES (8, 'hal') ON DUPLICATE KEY UPDATE balance = 7
-- case: VALUE instead of VALUES
-- on: mariadb
-- expect: protected, insert, item, code n n
INSERT INTO item (code, n) VALUES ('a', 50) ON DUPLICATE KEY UPDATE n = VALUE(n)
-- case: to the value that is there
-- on: mariadb
-- expect: protected, insert, item, code n n
-- nothing: yes
INSERT INTO item (code, n) VALUES ('a', 50) ON DUPLICATE KEY UPDATE n = 1
-- case: the last insert id
-- on: mariadb
-- expect: protected, insert, item, code n id n
INSERT INTO item (code, n) VALUES ('a', 50) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), n = 9
-- case: a unique column changed
-- on: mariadb
-- expect: protected, insert, item, code n code
INSERT INTO item (code, n) VALUES ('a', 50) ON DUPLICATE KEY UPDATE code = 'new'
-- case: from a query
-- on: mariadb
-- expect: protected, insert, item, code n n
INSERT INTO item (code, n) SELECT code, n FROM src ON DUPLICATE KEY UPDATE n = VALUES(n) + 1
-- case: from a query of the table itself
-- on: mariadb
-- expect: refused, insert, item, code n n
-- because: it selects from the table that it writes to
INSERT INTO item (code, n) SELECT code, n + 100 FROM item ON DUPLICATE KEY UPDATE n = VALUES(n)
-- case: the key changed
-- on: mariadb
-- expect: refused, insert, item, code n id
-- because: is changed; delete the row and insert it anew
INSERT INTO item (code, n) VALUES ('a', 50) ON DUPLICATE KEY UPDATE id = id + 100
-- case: the same row twice
-- on: mariadb
-- expect: refused, insert, item, code n n
-- because: several of its rows meet the same row; give them one by one
INSERT INTO item (code, n) VALUES ('a', 50), ('a', 60) ON DUPLICATE KEY UPDATE n = n + VALUES(n)
-- case: SET
-- on: mariadb
-- expect: protected, insert, item, code n n
INSERT INTO item SET code = 'a', n = 5 ON DUPLICATE KEY UPDATE n = n + 1
-- case: two unique keys that meet two rows
-- on: mariadb
-- expect: protected, insert, account, id name balance
INSERT INTO account (id, name) VALUES (1, 'bob') ON DUPLICATE KEY UPDATE balance = 1000
-- case: a key that another case folds
-- on: mariadb
-- expect: protected, insert, tag_ci, label
INSERT INTO tag_ci VALUES ('RED', 'x'), ('green', 'g') ON DUPLICATE KEY UPDATE label = 'dup'
-- case: a unique key of a prefix
-- on: mariadb
-- expect: refused, insert, prefix_key, v
-- because: the table has a unique index over an expression or a part of a column; which rows it would meet cannot be told
INSERT INTO prefix_key VALUES (9, 'anton') ON DUPLICATE KEY UPDATE v = 'anx'

-- group: `INSERT IGNORE`, `INSERT OR IGNORE`
-- case: some rows exist
-- on: mariadb
-- expect: protected, insert, item, code n
INSERT IGNORE INTO item (code, n) VALUES ('a', 50), ('k', 60)
-- case: keys given
-- on: mariadb
-- expect: protected, insert, account
INSERT IGNORE INTO account VALUES (1, 'zed', 0, NULL), (8, 'hal', 0, NULL)
-- case: all rows exist
-- on: mariadb
-- expect: protected, insert, account
-- nothing: yes
INSERT IGNORE INTO account VALUES (1, 'zed', 0, NULL)
-- case: from a query
-- on: mariadb
-- expect: protected, insert, item, id code n
INSERT IGNORE INTO item (id, code, n) SELECT id, code, n FROM src
-- case: SQLite, some rows exist
-- on: sqlite
-- expect: protected, insert, account
INSERT OR IGNORE INTO account VALUES (1, 'zed', 0, NULL), (8, 'hal', 0, NULL)
-- case: SQLite, generated keys
-- on: sqlite
-- expect: protected, insert, item, code n
INSERT OR IGNORE INTO item (code, n) VALUES ('a', 50), ('k', 60)
-- case: SQLite, NOT NULL is ignored as well
-- on: sqlite
-- expect: protected, insert, checked
INSERT OR IGNORE INTO checked VALUES (7, 1, NULL), (8, 1, 1)
-- case: a value is made to fit
-- on: mariadb
-- expect: protected, insert, account, id name
INSERT IGNORE INTO account (id, name) VALUES (8, 'a name of more than forty characters, which is cut by IGNORE')

-- group: `REPLACE`, `INSERT OR REPLACE`
-- case: a row exists
-- on: mariadb sqlite
-- expect: protected, replace, account
REPLACE INTO account VALUES (2, 'bob', 1, 'r')
-- case: two rows are in the way
-- on: mariadb sqlite
-- expect: protected, replace, account
REPLACE INTO account VALUES (2, 'cid', 1, 'r')
-- case: no row exists
-- on: mariadb sqlite
-- expect: protected, replace, account
REPLACE INTO account VALUES (8, 'hal', 1, 'r')
-- case: several rows, generated keys
-- on: mariadb sqlite
-- expect: protected, replace, item, code n
REPLACE INTO item (code, n) VALUES ('a', 50), ('k', 60)
-- case: columns left out get their defaults
-- on: mariadb sqlite
-- expect: protected, replace, deflt, id
REPLACE INTO deflt (id) VALUES (1)
-- case: from a query
-- on: mariadb sqlite
-- expect: protected, replace, item, id code n
REPLACE INTO item (id, code, n) SELECT id, code, n FROM src
-- case: SET
-- on: mariadb
-- expect: protected, replace, item, code n
REPLACE item SET code = 'a', n = 1
-- case: INSERT OR REPLACE
-- on: sqlite
-- expect: protected, insert, account
INSERT OR REPLACE INTO account VALUES (1, 'bob', 0, NULL)
-- case: a composite key
-- on: mariadb sqlite
-- expect: protected, replace, pair
REPLACE INTO pair VALUES (1, 'x', 99), (5, 'x', 99)
-- case: the row that is there
-- on: mariadb sqlite
-- expect: protected, replace, pair
-- nothing: yes
REPLACE INTO pair VALUES (1, 'x', 10)
-- case: a parent whose children would go
-- on: mariadb sqlite
-- expect: refused, replace, parent
-- because: changes rows there when one is deleted here
REPLACE INTO parent VALUES (1, 9)
-- case: a table that replaces by its definition
-- on: sqlite
-- expect: refused, insert, replacing
-- because: a constraint of it has ON CONFLICT replace, which changes rows behind the statement's back
INSERT INTO replacing VALUES (1, 9)

-- group: `INSERT OR ABORT`, `OR FAIL`, `OR ROLLBACK`
-- case: OR ABORT
-- on: sqlite
-- expect: protected, insert, account
INSERT OR ABORT INTO account VALUES (8, 'hal', 0, NULL)
-- case: OR FAIL
-- on: sqlite
-- expect: refused
-- because: OR FAIL keeps a part of the statement's changes: use OR ABORT
INSERT OR FAIL INTO account VALUES (8, 'hal', 0, NULL)
-- case: OR ROLLBACK
-- on: sqlite
-- expect: refused
-- because: OR ROLLBACK ends the transaction behind the agent's back: use OR ABORT
INSERT OR ROLLBACK INTO account VALUES (8, 'hal', 0, NULL)

-- group: `MERGE`
-- case: MERGE
-- on: postgresql
-- expect: refused, merge
-- because: MERGE is not protected
MERGE INTO account a USING other o ON o.id = a.id WHEN MATCHED THEN UPDATE SET note = 'm'
