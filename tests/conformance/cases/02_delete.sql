-- section: DELETE

-- group: `DELETE … WHERE key = …`
-- case: one row
-- expect: protected, delete, account
DELETE FROM account WHERE id = 2
-- case: a composite key
-- expect: protected, delete, pair
DELETE FROM pair WHERE a = 1 AND b = 'y'
-- case: by another unique key
-- expect: protected, delete, account
DELETE FROM account WHERE name = 'cid'

-- group: `DELETE` of many rows
-- case: every row
-- expect: protected, delete, account
DELETE FROM account
-- case: part of a composite key
-- expect: protected, delete, pair
DELETE FROM pair WHERE a = 1
-- case: a range and a list
-- expect: protected, delete, account
DELETE FROM account WHERE id > 1 AND id IN (1, 2, 3)
-- case: more rows than are read at once
-- expect: protected, delete, big
DELETE FROM big WHERE id <= 290
-- case: a condition on an expression
-- expect: protected, delete, account
DELETE FROM account WHERE balance * 2 > 100.5
-- case: IS NULL
-- expect: protected, delete, account
DELETE FROM account WHERE note IS NULL OR note = ''

-- group: `DELETE` that meets no row
-- case: no such key
-- expect: protected, delete, account
-- nothing: yes
DELETE FROM account WHERE id = 999

-- group: `DELETE` with an alias
-- case: AS
-- on: postgresql sqlite
-- expect: protected, delete, account
DELETE FROM account AS a WHERE a.id = 1
-- case: without AS
-- on: postgresql
-- expect: protected, delete, account
DELETE FROM account a WHERE a.id = 1
-- case: the table's name
-- expect: protected, delete, account
DELETE FROM account WHERE account.id = 1
-- case: in front of FROM
-- on: mariadb
-- expect: protected, delete, account
DELETE a FROM account a WHERE a.id = 1
-- case: ONLY
-- on: postgresql
-- expect: protected, delete, account
DELETE FROM ONLY account WHERE id = 1

-- group: `DELETE` with a sub-query
-- case: IN
-- expect: protected, delete, account
DELETE FROM account WHERE id IN (SELECT acc FROM other WHERE x > 6)
-- case: NOT EXISTS, correlated
-- expect: protected, delete, account
DELETE FROM account WHERE NOT EXISTS (SELECT 1 FROM other o WHERE o.acc = account.id)
-- case: of the table itself
-- on: postgresql sqlite mariadb
-- expect: protected, delete, account
DELETE FROM account WHERE balance < (SELECT avg(balance) FROM account)

-- group: `DELETE … USING`
-- case: one table
-- on: postgresql
-- expect: protected, delete, account
DELETE FROM account a USING other o WHERE o.acc = a.id AND o.x = 9
-- case: two tables
-- on: postgresql
-- expect: protected, delete, account
DELETE FROM account USING other o, pair p WHERE o.acc = account.id AND p.a = o.id
-- case: a join
-- on: postgresql
-- expect: protected, delete, account
DELETE FROM account USING other o JOIN pair p ON p.a = o.id WHERE o.acc = account.id AND p.b = 'y'
-- case: MySQL
-- on: mariadb
-- expect: protected, delete, account
DELETE FROM account USING account JOIN other o ON o.acc = account.id WHERE o.x = 9

-- group: `DELETE … JOIN` (MySQL)
-- case: JOIN
-- on: mariadb
-- expect: protected, delete, account
DELETE a FROM account a JOIN other o ON o.acc = a.id WHERE o.x = 5
-- case: LEFT JOIN
-- on: mariadb
-- expect: protected, delete, account
DELETE account FROM account LEFT JOIN other o ON o.acc = account.id WHERE o.id IS NULL
-- case: from several tables
-- on: mariadb
-- expect: refused
-- because: it deletes from several tables: use a DELETE for each
DELETE a, o FROM account a JOIN other o ON o.acc = a.id

-- group: `DELETE … ORDER BY … LIMIT`
-- case: the newest
-- on: mariadb
-- expect: protected, delete, account
DELETE FROM account ORDER BY id DESC LIMIT 1
-- case: a condition
-- on: mariadb
-- expect: protected, delete, account
DELETE FROM account WHERE balance >= 0 ORDER BY name LIMIT 2
-- case: no order
-- on: mariadb
-- expect: protected, delete, account
DELETE FROM account LIMIT 1

-- group: `WITH … DELETE`
-- case: a query in front
-- on: postgresql sqlite
-- expect: protected, delete, account
WITH rich AS (SELECT acc FROM other WHERE x > 6) DELETE FROM account WHERE id IN (SELECT acc FROM rich)
-- case: recursive
-- on: postgresql sqlite
-- expect: protected, delete, tree
WITH RECURSIVE sub (id) AS (SELECT 10 UNION ALL SELECT t.id FROM tree t JOIN sub ON t.up = sub.id) DELETE FROM tree WHERE id IN (SELECT id FROM sub)
-- case: a write in front
-- on: postgresql
-- expect: refused
-- because: a write inside WITH changes rows that no image covers: make it a statement of its own
WITH gone AS (DELETE FROM other RETURNING acc) DELETE FROM account WHERE id IN (SELECT acc FROM gone)

-- group: `DELETE … RETURNING`
-- case: all columns
-- expect: protected, delete, pair
DELETE FROM pair WHERE a = 1 RETURNING *
-- case: an expression
-- expect: protected, delete, account
DELETE FROM account WHERE id = 1 RETURNING id + 1 AS n, name
-- case: no row
-- expect: protected, delete, account
-- nothing: yes
DELETE FROM account WHERE id = 99 RETURNING id

-- group: `DELETE` of rows that others refer to
-- case: refused by the database
-- expect: failed, delete, customer
DELETE FROM customer WHERE id = 1
-- case: one that nobody refers to
-- expect: protected, delete, customer
DELETE FROM customer WHERE id = 3
-- case: the rows that refer
-- expect: protected, delete, orders
DELETE FROM orders
-- case: a leaf of a tree
-- expect: protected, delete, tree
DELETE FROM tree WHERE id = 4
-- case: a branch of a tree, a row and what refers to it
-- on: postgresql sqlite
-- expect: protected, delete, tree
DELETE FROM tree WHERE id IN (3, 4)
-- case: all of a tree
-- on: postgresql sqlite
-- expect: protected, delete, tree
DELETE FROM tree
-- case: a child before its parent in the order of keys
-- on: postgresql sqlite
-- expect: protected, delete, tree
DELETE FROM tree WHERE id IN (5, 10)
-- case: in the order that the database checks
-- on: mariadb
-- expect: protected, delete, tree
DELETE FROM tree WHERE id IN (3, 4) ORDER BY id DESC
-- case: a child before its parent, in an order
-- on: mariadb
-- expect: protected, delete, tree
DELETE FROM tree WHERE id IN (5, 10) ORDER BY id

-- group: `DELETE IGNORE`, `QUICK`, `LOW_PRIORITY`
-- case: QUICK
-- on: mariadb
-- expect: protected, delete, account
DELETE QUICK FROM account WHERE id = 1
-- case: LOW_PRIORITY
-- on: mariadb
-- expect: protected, delete, account
DELETE LOW_PRIORITY FROM account WHERE id = 1
-- case: IGNORE, some stay
-- on: mariadb
-- expect: protected, delete, customer
DELETE IGNORE FROM customer
