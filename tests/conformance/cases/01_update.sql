-- section: UPDATE

-- group: `UPDATE … WHERE key = …`
-- case: an expression of the column itself
-- expect: protected, update, account, balance
UPDATE account SET balance = balance - 10 WHERE id = 1
-- case: several columns
-- expect: protected, update, account, balance note
UPDATE account SET balance = 1.5, note = 'new' WHERE id = 2
-- case: NULL into a column that had a text
-- expect: protected, update, account, note
UPDATE account SET note = NULL WHERE id = 3
-- case: a text into a column that was NULL
-- expect: protected, update, account, note
UPDATE account SET note = '' WHERE id = 1
-- case: a composite key
-- expect: protected, update, pair, v
UPDATE pair SET v = 99 WHERE a = 1 AND b = 'y'
-- case: by another unique key
-- expect: protected, update, account, balance
UPDATE account SET balance = 0.01 WHERE name = 'bob'
-- case: a semicolon behind it
-- expect: protected, update, account, balance
UPDATE account SET balance = 3 WHERE id = 1;

-- group: `UPDATE` of many rows
-- case: every row
-- expect: protected, update, account, note
UPDATE account SET note = 'all'
-- case: part of a composite key
-- expect: protected, update, pair, v
UPDATE pair SET v = v * 2 WHERE a = 1
-- case: a range
-- expect: protected, update, account, balance
UPDATE account SET balance = balance + 0.01 WHERE id BETWEEN 2 AND 3
-- case: a list
-- expect: protected, update, account, note
UPDATE account SET note = 'in' WHERE id IN (1, 3, 77)
-- case: OR, NOT and brackets
-- expect: protected, update, account, note
UPDATE account SET note = 'or' WHERE (id = 1 OR NOT (balance > 0)) AND name <> 'cid'
-- case: LIKE
-- expect: protected, update, account, note
UPDATE account SET note = 'like' WHERE name LIKE '%n%'
-- case: IS NULL
-- expect: protected, update, account, note
UPDATE account SET note = 'was null' WHERE note IS NULL
-- case: CASE
-- expect: protected, update, account, balance
UPDATE account SET balance = CASE WHEN id = 1 THEN 11 WHEN id = 2 THEN 22 ELSE balance END WHERE id < 4
-- case: more rows than are read at once
-- expect: protected, update, big, s
UPDATE big SET s = 'short' WHERE id > 10
-- case: an image above 64 KiB
-- expect: protected, update, wide_row, s
UPDATE wide_row SET s = 'small'

-- group: `UPDATE` that meets or changes no row
-- case: no such key
-- expect: protected, update, account, balance
-- nothing: yes
UPDATE account SET balance = 1 WHERE id = 999
-- case: the value that is there
-- expect: protected, update, account, balance
-- nothing: yes
UPDATE account SET balance = balance WHERE id = 2
-- case: the literal that is there
-- expect: protected, update, account, note
-- nothing: yes
UPDATE account SET note = 'x' WHERE id = 2
-- case: a condition that is never true
-- expect: protected, update, account, note
-- nothing: yes
UPDATE account SET note = 'x' WHERE 1 = 0

-- group: `UPDATE` with an alias
-- case: AS
-- expect: protected, update, account, balance
UPDATE account AS a SET balance = a.balance + 1 WHERE a.id = 1
-- case: without AS
-- on: postgresql mariadb
-- expect: protected, update, account, balance
UPDATE account a SET balance = a.balance + 1 WHERE a.id = 1
-- case: the table's name in front of columns
-- expect: protected, update, account, balance
UPDATE account SET balance = account.balance + 1 WHERE account.id = 1
-- case: the alias in SET
-- on: mariadb
-- expect: protected, update, account, balance
UPDATE account a SET a.balance = a.balance + 1 WHERE a.id = 1
-- case: ONLY
-- on: postgresql
-- expect: protected, update, account, balance
UPDATE ONLY account SET balance = 1 WHERE id = 1
-- case: a star
-- on: postgresql
-- expect: protected, update, account, balance
UPDATE account * SET balance = 1 WHERE id = 1

-- group: `UPDATE … SET (a, b) = …`
-- case: a row of values
-- on: postgresql sqlite
-- expect: protected, update, account, balance note
UPDATE account SET (balance, note) = (5, 'five') WHERE id = 1
-- case: ROW
-- on: postgresql
-- expect: protected, update, account, balance note
UPDATE account SET (balance, note) = ROW (5, 'five') WHERE id = 1
-- case: a sub-query
-- on: postgresql sqlite
-- expect: protected, update, account, balance note
UPDATE account SET (balance, note) = (SELECT x, 'from other' FROM other WHERE other.id = account.id) WHERE id < 3
-- case: DEFAULT
-- on: postgresql mariadb
-- expect: protected, update, deflt, a b
UPDATE deflt SET a = DEFAULT, b = DEFAULT WHERE id = 2
-- case: an element of an array
-- on: postgresql
-- expect: protected, update, types_odd, ia
UPDATE types_odd SET ia[2] = 7 WHERE id = 1
-- case: a field of a composite
-- on: postgresql
-- expect: protected, update, types_odd, p2
UPDATE types_odd SET p2.x = 7 WHERE id = 1

-- group: `UPDATE` with a sub-query
-- case: IN
-- expect: protected, update, account, note
UPDATE account SET note = 'rich' WHERE id IN (SELECT acc FROM other WHERE x > 6)
-- case: NOT IN
-- expect: protected, update, account, note
UPDATE account SET note = 'none' WHERE id NOT IN (SELECT acc FROM other)
-- case: EXISTS, correlated
-- expect: protected, update, account, note
UPDATE account SET note = 'has' WHERE EXISTS (SELECT 1 FROM other o WHERE o.acc = account.id)
-- case: the new value, correlated
-- expect: protected, update, account, balance
UPDATE account SET balance = (SELECT sum(x) FROM other WHERE acc = account.id) WHERE id IN (1, 2)
-- case: a comparison with an aggregate
-- expect: protected, update, other, x
UPDATE other SET x = 0 WHERE acc = (SELECT min(id) FROM account)
-- case: of the table itself
-- on: postgresql sqlite mariadb
-- expect: protected, update, account, note
UPDATE account SET note = 'top' WHERE balance = (SELECT max(balance) FROM account)
-- case: two levels
-- expect: protected, update, account, note
UPDATE account SET note = 'deep' WHERE id IN (SELECT acc FROM other WHERE x IN (SELECT v - 5 FROM pair))

-- group: `UPDATE … FROM`
-- case: one table
-- on: postgresql sqlite
-- expect: protected, update, account, balance
UPDATE account SET balance = balance + o.x FROM other o WHERE o.acc = account.id AND o.id = 3
-- case: an alias and two tables
-- on: postgresql sqlite
-- expect: protected, update, account, note
UPDATE account AS a SET note = p.b FROM other AS o, pair AS p WHERE o.acc = a.id AND p.v = 20 AND o.x = 9
-- case: a join
-- on: postgresql sqlite
-- expect: protected, update, account, note
UPDATE account SET note = 'j' FROM other o JOIN pair p ON p.a = o.id WHERE o.acc = account.id AND p.b = 'x'
-- case: a sub-query
-- on: postgresql sqlite
-- expect: protected, update, account, balance
UPDATE account SET balance = s.total FROM (SELECT acc, sum(x) AS total FROM other GROUP BY acc) AS s WHERE s.acc = account.id
-- case: several matches for a row
-- on: postgresql sqlite
-- expect: protected, update, account, note
UPDATE account SET note = 'any' FROM other o WHERE o.acc = account.id
-- case: VALUES
-- on: postgresql
-- expect: protected, update, account, balance
UPDATE account SET balance = v.b FROM (VALUES (1, 10.0), (2, 20.0)) AS v (id, b) WHERE v.id = account.id
-- case: the table itself under another name
-- on: postgresql sqlite
-- expect: protected, update, account, note
UPDATE account SET note = b.name FROM account b WHERE b.id = account.id + 1
-- case: no condition that ties them
-- on: postgresql sqlite
-- expect: protected, update, account, note
UPDATE account SET note = 'x' FROM other WHERE account.id = 1

-- group: `UPDATE … JOIN` (MySQL)
-- case: JOIN
-- on: mariadb
-- expect: protected, update, account, balance
UPDATE account a JOIN other o ON o.acc = a.id SET a.balance = a.balance + 1 WHERE o.x > 4
-- case: LEFT JOIN
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account a LEFT JOIN other o ON o.acc = a.id SET a.note = 'alone' WHERE o.id IS NULL
-- case: a comma
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account, other SET account.note = 'c' WHERE other.acc = account.id AND other.id = 3
-- case: a sub-query joined
-- on: mariadb
-- expect: protected, update, account, balance
UPDATE account a JOIN (SELECT acc, SUM(x) total FROM other GROUP BY acc) s ON s.acc = a.id SET a.balance = s.total
-- case: two tables changed
-- on: mariadb
-- expect: refused
-- because: it changes several tables: use an UPDATE for each
UPDATE account a JOIN other o ON o.acc = a.id SET a.note = 'both', o.x = 0

-- group: `UPDATE … ORDER BY … LIMIT`
-- case: the highest two
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = 'top' ORDER BY balance DESC LIMIT 2
-- case: a condition and a limit
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = 'one' WHERE balance >= 0 ORDER BY name LIMIT 1
-- case: a limit without an order
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = 'some' WHERE id > 1 LIMIT 1
-- case: an order only
-- on: mariadb
-- expect: protected, update, perm, n
UPDATE perm SET n = n + 1 ORDER BY n DESC
-- case: not on this one
-- on: postgresql
-- expect: failed, update, account, note
UPDATE account SET note = 'x' ORDER BY id LIMIT 1

-- group: `WITH … UPDATE`
-- case: a query in front
-- on: postgresql sqlite
-- expect: protected, update, account, note
WITH rich AS (SELECT acc FROM other WHERE x > 6) UPDATE account SET note = 'big' WHERE id IN (SELECT acc FROM rich)
-- case: two queries in front
-- on: postgresql sqlite
-- expect: protected, update, account, note
WITH a AS (SELECT 1 AS id), b AS (SELECT id + 1 AS id FROM a) UPDATE account SET note = 'w' WHERE id IN (SELECT id FROM a UNION ALL SELECT id FROM b)
-- case: recursive
-- on: postgresql sqlite
-- expect: protected, update, tree, v
WITH RECURSIVE sub (id) AS (SELECT 1 UNION ALL SELECT t.id FROM tree t JOIN sub ON t.up = sub.id) UPDATE tree SET v = 0 WHERE id IN (SELECT id FROM sub)
-- case: joined by FROM
-- on: postgresql sqlite
-- expect: protected, update, account, balance
WITH s AS (SELECT acc, sum(x) AS total FROM other GROUP BY acc) UPDATE account SET balance = s.total FROM s WHERE s.acc = account.id
-- case: a write in front
-- on: postgresql
-- expect: refused
-- because: a write inside WITH changes rows that no image covers: make it a statement of its own
WITH gone AS (DELETE FROM other RETURNING acc) UPDATE account SET note = 'g' WHERE id IN (SELECT acc FROM gone)

-- group: `UPDATE … RETURNING`
-- case: all columns
-- on: postgresql sqlite
-- expect: protected, update, account, note
UPDATE account SET note = 'r' WHERE id = 1 RETURNING *
-- case: expressions, several rows
-- on: postgresql sqlite
-- expect: protected, update, account, balance
UPDATE account SET balance = balance + 1 WHERE id < 3 RETURNING id, balance * 2 AS twice, name
-- case: no row
-- on: postgresql sqlite
-- expect: protected, update, account, balance
-- nothing: yes
UPDATE account SET balance = 1 WHERE id = 99 RETURNING id

-- group: `UPDATE` whose values differ at each call
-- case: now
-- on: postgresql mariadb
-- expect: protected, update, deflt, made
-- volatile: yes
UPDATE deflt SET made = now() WHERE id = 1
-- case: a random number
-- on: postgresql
-- expect: protected, update, other, x
-- volatile: yes
UPDATE other SET x = 100 + floor(random() * 1000)
-- case: a random number, SQLite
-- on: sqlite
-- expect: protected, update, other, x
-- volatile: yes
UPDATE other SET x = 100 + (random() & 1023)
-- case: a random number, MySQL
-- on: mariadb
-- expect: protected, update, other, x
-- volatile: yes
UPDATE other SET x = 100 + floor(rand() * 1000)
-- case: a random condition
-- on: postgresql
-- expect: protected, update, other, x
-- volatile: yes
UPDATE other SET x = 1000 WHERE random() >= 0
-- case: a function of the application
-- on: postgresql
-- expect: protected, update, other, x
UPDATE other SET x = twice(x) WHERE twice(id) > 2
-- case: a user variable
-- on: mariadb
-- expect: protected, update, other, x
UPDATE other SET x = (@n := 6) WHERE id = 1

-- group: `UPDATE` of a key column
-- case: the primary key
-- expect: refused, update, account, id
-- because: is changed; delete the row and insert it anew
UPDATE account SET id = 9 WHERE id = 1
-- case: a part of it
-- expect: refused, update, pair, b
-- because: is changed; delete the row and insert it anew
UPDATE pair SET b = 'z' WHERE a = 1
-- case: to the same value
-- expect: refused, update, account, id note
-- because: is changed; delete the row and insert it anew
UPDATE account SET id = id, note = 'x'
-- case: the rowid
-- on: sqlite
-- expect: refused, update, account, rowid
-- because: is changed; delete the row and insert it anew
UPDATE account SET rowid = 77 WHERE id = 1
-- case: the rowid, where it is no key
-- on: sqlite
-- expect: refused, update, pair, rowid
-- because: is changed; delete the row and insert it anew
UPDATE pair SET rowid = 77 WHERE a = 2
-- case: the rowid, where it is the only key
-- on: sqlite
-- expect: refused, update, nokey, rowid
-- because: is changed; delete the row and insert it anew
UPDATE nokey SET rowid = 77 WHERE a = 2

-- group: `UPDATE` of another unique column
-- case: to a free value
-- expect: protected, update, account, name
UPDATE account SET name = 'zoe' WHERE id = 1
-- case: to one that is taken
-- expect: failed, update, account, name
UPDATE account SET name = 'bob' WHERE id = 1
-- case: all at once
-- on: postgresql sqlite mariadb
-- expect: protected, update, perm, n
UPDATE perm SET n = n + 10
-- case: values change places, checked at the end of the statement
-- on: postgresql
-- expect: protected, update, perm_late, n
UPDATE perm_late SET n = 4 - n
-- case: values move up, checked at the end of the statement
-- on: postgresql
-- expect: protected, update, perm_late, n
UPDATE perm_late SET n = n + 1
-- case: values move down
-- on: mariadb sqlite
-- expect: protected, update, perm, n
UPDATE perm SET n = n - 1
-- case: a unique column of several
-- expect: protected, update, multi, a b
UPDATE multi SET a = 5, b = b + 1 WHERE id = 2

-- group: `UPDATE IGNORE`, `UPDATE OR …`
-- case: IGNORE, a row is left out
-- on: mariadb
-- expect: protected, update, account, name note
UPDATE IGNORE account SET name = 'bob', note = 'i' WHERE id IN (1, 2)
-- case: IGNORE, all are changed
-- on: mariadb
-- expect: protected, update, account, note
UPDATE IGNORE account SET note = 'i'
-- case: LOW_PRIORITY
-- on: mariadb
-- expect: protected, update, account, note
UPDATE LOW_PRIORITY account SET note = 'low' WHERE id = 1
-- case: OR ABORT
-- on: sqlite
-- expect: protected, update, account, note
UPDATE OR ABORT account SET note = 'a' WHERE id = 1
-- case: OR IGNORE
-- on: sqlite
-- expect: protected, update, account, name note
UPDATE OR IGNORE account SET name = 'bob', note = 'i' WHERE id < 3
-- case: OR REPLACE
-- on: sqlite
-- expect: refused, update, account, name
-- because: UPDATE OR REPLACE deletes rows that no image can see
UPDATE OR REPLACE account SET name = 'bob' WHERE id = 1
-- case: OR ROLLBACK
-- on: sqlite
-- expect: refused
-- because: OR ROLLBACK ends the transaction behind the agent's back: use OR ABORT
UPDATE OR ROLLBACK account SET note = 'x' WHERE id = 1
-- case: OR FAIL
-- on: sqlite
-- expect: refused
-- because: OR FAIL keeps a part of the statement's changes: use OR ABORT
UPDATE OR FAIL account SET note = 'x' WHERE id = 1

-- group: `UPDATE` that breaks a constraint
-- case: CHECK
-- expect: failed, update, checked, v
UPDATE checked SET v = 0
-- case: NOT NULL
-- expect: failed, update, checked, w
UPDATE checked SET w = NULL WHERE id = 1
-- case: a foreign key
-- expect: failed, update, orders, customer_id
UPDATE orders SET customer_id = 99 WHERE id = 1
-- case: a column that is not there
-- expect: failed, update, account, nix
UPDATE account SET nix = 1 WHERE id = 1
-- case: a value that is none
-- on: postgresql mariadb
-- expect: failed, update, other, x
UPDATE other SET x = 'not a number' WHERE id = 1
-- case: division by zero
-- on: postgresql
-- expect: failed, update, other, x
UPDATE other SET x = x / 0 WHERE id = 1

-- group: `UPDATE … WHERE CURRENT OF`
-- case: a cursor
-- on: postgresql
-- expect: refused
-- because: WHERE CURRENT OF names a row that only the cursor knows: use its primary key
UPDATE account SET note = 'c' WHERE CURRENT OF cur
