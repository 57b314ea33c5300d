-- section: Parameters

-- group: `$1`, `?`
-- case: an int, PostgreSQL
-- on: postgresql
-- expect: protected, update, account, balance
-- param: int 1
UPDATE account SET balance = 1 WHERE id = $1
-- case: an int
-- on: mariadb sqlite
-- expect: protected, update, account, balance
-- param: int 1
UPDATE account SET balance = 1 WHERE id = ?
-- case: a number, a text and an int, PostgreSQL
-- on: postgresql
-- expect: protected, update, account, balance note
-- param: number -12.50
-- param: text it's "so" \ 😀
-- param: int 2
UPDATE account SET balance = $1, note = $2 WHERE id = $3
-- case: a number, a text and an int
-- on: mariadb sqlite
-- expect: protected, update, account, balance note
-- param: number -12.50
-- param: text it's "so" \ 😀
-- param: int 2
UPDATE account SET balance = ?, note = ? WHERE id = ?
-- case: NULL, PostgreSQL
-- on: postgresql
-- expect: protected, update, account, note
-- param: null
-- param: int 2
UPDATE account SET note = $1 WHERE id = $2
-- case: NULL
-- on: mariadb sqlite
-- expect: protected, update, account, note
-- param: null
-- param: int 2
UPDATE account SET note = ? WHERE id = ?
-- case: one used twice, out of order
-- on: postgresql
-- expect: protected, update, other, x acc
-- param: int 2
-- param: int 40
UPDATE other SET x = $2 + $1, acc = $1 WHERE id = $1
-- case: insert, PostgreSQL
-- on: postgresql
-- expect: protected, insert, account
-- param: int 9
-- param: text ida
-- param: number 7.77
-- param: null
INSERT INTO account VALUES ($1, $2, $3, $4)
-- case: insert
-- on: mariadb sqlite
-- expect: protected, insert, account
-- param: int 9
-- param: text ida
-- param: number 7.77
-- param: null
INSERT INTO account VALUES (?, ?, ?, ?)
-- case: insert two rows, PostgreSQL
-- on: postgresql
-- expect: protected, insert, pair
-- param: int 9
-- param: text p
-- param: int 8
INSERT INTO pair VALUES ($1, $2, 1), ($3, $2, $1 + $3)
-- case: insert two rows
-- on: mariadb sqlite
-- expect: protected, insert, pair
-- param: int 9
-- param: text p
-- param: int 8
-- param: text q
INSERT INTO pair VALUES (?, ?, 1), (?, ?, 2)
-- case: delete, PostgreSQL
-- on: postgresql
-- expect: protected, delete, pair
-- param: int 1
-- param: text y
DELETE FROM pair WHERE a = $1 AND b = $2
-- case: delete
-- on: mariadb sqlite
-- expect: protected, delete, pair
-- param: int 1
-- param: text y
DELETE FROM pair WHERE a = ? AND b = ?
-- case: in a sub-query, PostgreSQL
-- on: postgresql
-- expect: protected, update, account, note
-- param: text big
-- param: int 6
UPDATE account SET note = $1 WHERE id IN (SELECT acc FROM other WHERE x > $2)
-- case: in a sub-query
-- on: mariadb sqlite
-- expect: protected, update, account, note
-- param: text big
-- param: int 6
UPDATE account SET note = ? WHERE id IN (SELECT acc FROM other WHERE x > ?)
-- case: conflict clause, PostgreSQL
-- on: postgresql
-- expect: protected, insert, item, code n n
-- param: text a
-- param: int 70
INSERT INTO item (code, n) VALUES ($1, $2), ('k', $2) ON CONFLICT (code) DO UPDATE SET n = excluded.n + $2
-- case: conflict clause, SQLite
-- on: sqlite
-- expect: protected, insert, item, code n n
-- param: text a
-- param: int 70
INSERT INTO item (code, n) VALUES (?1, ?2), ('k', ?2) ON CONFLICT (code) DO UPDATE SET n = excluded.n + ?2
-- case: conflict clause, MySQL
-- on: mariadb
-- expect: protected, insert, item, code n n
-- param: text a
-- param: int 70
-- param: int 5
INSERT INTO item (code, n) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = VALUES(n) + ?
-- case: LIMIT
-- on: mariadb
-- expect: protected, update, account, note
-- param: text l
-- param: int 2
UPDATE account SET note = ? ORDER BY id LIMIT ?
-- case: FROM, PostgreSQL
-- on: postgresql
-- expect: protected, update, account, balance
-- param: int 3
-- param: number 0.5
UPDATE account SET balance = balance + o.x * $2::numeric FROM other o WHERE o.acc = account.id AND o.id = $1
-- case: JOIN
-- on: mariadb
-- expect: protected, update, account, balance
-- param: int 3
-- param: number 0.5
UPDATE account a JOIN other o ON o.acc = a.id AND o.id = ? SET a.balance = a.balance + o.x * ?
-- case: INSERT … SELECT, PostgreSQL
-- on: postgresql
-- expect: protected, insert, other, id acc x
-- param: int 100
-- param: int 1
INSERT INTO other (id, acc, x) SELECT id + $1, id, $2::int FROM account WHERE id > $2
-- case: INSERT … SELECT
-- on: mariadb sqlite
-- expect: protected, insert, other, id acc x
-- param: int 100
-- param: int 5
-- param: int 1
INSERT INTO other (id, acc, x) SELECT id + ?, id, ? FROM account WHERE id > ?
-- case: generated key
-- on: sqlite
-- expect: protected, insert, item, code n
-- param: text gen
-- param: int 5
INSERT INTO item (code, n) VALUES (?, ?)
-- case: generated key, PostgreSQL
-- on: postgresql
-- expect: protected, insert, item, code n
-- param: text gen
-- param: int 5
INSERT INTO item (code, n) VALUES ($1, $2)
-- case: a cast
-- on: postgresql
-- expect: protected, update, account, balance
-- param: text 5.25
UPDATE account SET balance = $1::text::numeric WHERE id = 1
-- case: a question mark in a string is none
-- on: mariadb sqlite
-- expect: protected, update, account, note
-- param: int 1
UPDATE account SET note = 'a ? b' /* ? */ WHERE id = ?
-- case: a text key that another case folds
-- on: sqlite mariadb
-- expect: protected, update, tag_ci, label
-- param: text RED
UPDATE tag_ci SET label = 'x' WHERE code = ?

-- group: `?1`, `:name`, `@name`, `$name`
-- case: numbered
-- on: sqlite
-- expect: protected, update, other, x acc
-- param: int 2
-- param: int 40
UPDATE other SET x = ?2 + ?1, acc = ?1 WHERE id = ?1
-- case: named
-- on: sqlite
-- expect: protected, update, account, balance note
-- param: number 1.25
-- param: text n
-- param: int 2
UPDATE account SET balance = :b, note = @n WHERE id = $id OR name = @n
-- case: mixed
-- on: sqlite
-- expect: protected, update, account, balance note
-- param: int 1
-- param: text n
-- param: int 3
UPDATE account SET balance = ?, note = :n WHERE id IN (?, ?1)
-- case: inserted
-- on: sqlite
-- expect: protected, insert, pair
-- param: int 9
-- param: text q
INSERT INTO pair VALUES (:a, :b, :a * 2)

-- group: Parameters of every type
-- case: numbers, PostgreSQL
-- on: postgresql
-- expect: protected, update, types_number, i2 i4 i8 num r d b
-- param: int -5
-- param: int 2147483647
-- param: int -9223372036854775808
-- param: number 123456789012345678901234567890.5
-- param: float 0.1
-- param: float 1e-300
-- param: bool f
UPDATE types_number SET i2 = $1, i4 = $2, i8 = $3, num = $4, r = $5, d = $6, b = $7 WHERE id = 1
-- case: numbers, MySQL
-- on: mariadb
-- expect: protected, update, types_number, t u8 i8 num2 d bits
-- param: int -5
-- param: int 18446744073709551615
-- param: int -9223372036854775808
-- param: number -99999.99999
-- param: float 1e-300
-- param: int 9
UPDATE types_number SET t = ?, u8 = ?, i8 = ?, num2 = ?, d = ?, bits = ? WHERE id = 1
-- case: times, PostgreSQL
-- on: postgresql
-- expect: protected, update, types_time, d t ts tsz
-- param: date 2024-02-29
-- param: time 12:34:56.789
-- param: timestamp 2024-02-29 12:34:56.789
-- param: timestamptz 2024-02-29 12:34:56.789+00
UPDATE types_time SET d = $1, t = $2, ts = $3, tsz = $4 WHERE id = 1
-- case: times, MySQL
-- on: mariadb
-- expect: protected, update, types_time, d t dt
-- param: date 2024-02-29
-- param: time -12:34:56.789
-- param: timestamp 2024-02-29 12:34:56.789
UPDATE types_time SET d = ?, t = ?, dt = ? WHERE id = 1
-- case: bytes, bits and JSON, PostgreSQL
-- on: postgresql
-- expect: protected, update, types_odd, bits jb u
-- param: bit 00111
-- param: json {"k": [1, 2.50, null]}
-- param: other 00000000-0000-0000-0000-0000000000ff
UPDATE types_odd SET bits = $1, jb = $2, u = $3 WHERE id = 1
-- case: bytes, PostgreSQL
-- on: postgresql
-- expect: protected, update, types_text, bin
-- param: bytes 00ff27225c
UPDATE types_text SET bin = $1 WHERE id < 3
-- case: bytes, MySQL
-- on: mariadb
-- expect: protected, update, types_text, bl
-- param: bytes 00ff27225c
UPDATE types_text SET bl = ? WHERE id < 3
-- case: every class, SQLite
-- on: sqlite
-- expect: protected, update, types, a i r n t b
-- param: bytes 00ff
-- param: int -9223372036854775808
-- param: float 0.1
-- param: number 12.5
-- param: text x
-- param: null
UPDATE types SET a = ?, i = ?, r = ?, n = ?, t = ?, b = ? WHERE id < 4
