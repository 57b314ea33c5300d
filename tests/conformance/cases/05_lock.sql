-- section: SELECT that locks

-- group: `SELECT … FOR UPDATE`
-- case: one row
-- on: postgresql mariadb
-- expect: protected, select for update, account
SELECT * FROM account WHERE id = 1 FOR UPDATE
-- case: several rows, in order
-- on: postgresql mariadb
-- expect: protected, select for update, account
SELECT id, balance FROM account WHERE id < 3 ORDER BY id DESC FOR UPDATE
-- case: no row
-- on: postgresql mariadb
-- expect: protected, select for update, account
SELECT * FROM account WHERE id = 99 FOR UPDATE
-- case: an alias, and expressions
-- on: postgresql mariadb
-- expect: protected, select for update, account
SELECT a.balance * 2 AS twice FROM account a WHERE a.name = 'bob' FOR UPDATE
-- case: LIMIT
-- on: postgresql mariadb
-- expect: protected, select for update, account
SELECT id FROM account ORDER BY id LIMIT 2 FOR UPDATE
-- case: a sub-query in the condition
-- on: postgresql mariadb
-- expect: protected, select for update, account
SELECT id FROM account WHERE id IN (SELECT acc FROM other) ORDER BY id FOR UPDATE
-- case: NOWAIT
-- on: postgresql mariadb
-- expect: protected, select for update, account
SELECT id FROM account WHERE id = 2 FOR UPDATE NOWAIT
-- case: SKIP LOCKED
-- on: postgresql mariadb
-- expect: protected, select for update, account
SELECT id FROM account ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
-- case: WAIT
-- on: mariadb
-- expect: protected, select for update, account
SELECT id FROM account WHERE id = 2 FOR UPDATE WAIT 5
-- case: OF
-- on: postgresql
-- expect: protected, select for update, account
SELECT id FROM account a WHERE id = 2 FOR UPDATE OF a
-- case: a composite key
-- on: postgresql mariadb
-- expect: protected, select for update, pair
SELECT * FROM pair WHERE a = 1 ORDER BY b FOR UPDATE

-- group: `SELECT … FOR SHARE` and relatives
-- case: FOR SHARE
-- on: postgresql
-- expect: protected, select for update, account
SELECT * FROM account WHERE id = 1 FOR SHARE
-- case: FOR NO KEY UPDATE
-- on: postgresql
-- expect: protected, select for update, account
SELECT * FROM account WHERE id = 1 FOR NO KEY UPDATE
-- case: FOR KEY SHARE
-- on: postgresql
-- expect: protected, select for update, account
SELECT * FROM account WHERE id = 1 FOR KEY SHARE
-- case: LOCK IN SHARE MODE
-- on: mariadb
-- expect: protected, select for update, account
SELECT * FROM account WHERE id = 1 LOCK IN SHARE MODE

-- group: `SELECT … FOR UPDATE` of several tables, or grouped
-- case: a join
-- on: postgresql mariadb
-- expect: refused, select for update
-- because: it locks rows of several tables, or groups them; lock the rows table by table
SELECT * FROM account a JOIN other o ON o.acc = a.id FOR UPDATE
-- case: in a sub-query
-- on: postgresql mariadb
-- expect: refused
-- because: rows are locked inside a sub-query, where their global locks cannot be checked: lock them in the outermost SELECT
SELECT * FROM (SELECT * FROM account FOR UPDATE) x

-- group: `SELECT … FOR UPDATE` of a table without a key
-- case: no key
-- on: postgresql mariadb
-- expect: refused, select for update, nokey
-- because: no primary key and no unique key over NOT NULL columns
SELECT * FROM nokey FOR UPDATE
