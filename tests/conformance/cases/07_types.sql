-- section: Keys and types

-- group: Text keys
-- case: update
-- expect: protected, update, tag, label
UPDATE tag SET label = 'new' WHERE code = 'Red'
-- case: delete
-- expect: protected, delete, tag
DELETE FROM tag WHERE code <> 'blue'
-- case: insert
-- expect: protected, insert, tag
INSERT INTO tag VALUES ('red', 'another row'), ('it''s', NULL), ('', 'empty')

-- group: Text keys without regard to case
-- case: update by another case
-- expect: protected, update, tag_ci, label
UPDATE tag_ci SET label = 'new' WHERE code = 'rED'
-- case: delete by another case
-- expect: protected, delete, tag_ci
DELETE FROM tag_ci WHERE code IN ('RED', 'BLUE')
-- case: insert
-- expect: protected, insert, tag_ci
INSERT INTO tag_ci VALUES ('Green', 'g')
-- case: insert a key that differs in case only
-- expect: failed, insert, tag_ci
INSERT INTO tag_ci VALUES ('RED', 'dup')
-- case: the key written in another case
-- on: postgresql mariadb sqlite
-- expect: refused, update, tag_ci, code
-- because: is changed; delete the row and insert it anew
UPDATE tag_ci SET code = 'RED' WHERE code = 'red'
-- case: blanks at the end do not count
-- on: sqlite
-- expect: protected, update, tag_rtrim, label
UPDATE tag_rtrim SET label = 'x' WHERE code = 'Red'

-- group: Keys of other types
-- case: uuid
-- on: postgresql mariadb
-- expect: protected, update, doc, body
UPDATE doc SET body = '{"b": [1, 2.50]}' WHERE uid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
-- case: uuid, all rows
-- on: postgresql mariadb
-- expect: protected, delete, doc
DELETE FROM doc
-- case: bytes
-- on: sqlite
-- expect: protected, update, doc, body
UPDATE doc SET body = 'x' WHERE uid = x'a0eebc99'
-- case: bytes with a zero
-- on: postgresql mariadb
-- expect: protected, update, key_bytes, v
UPDATE key_bytes SET v = v + 1
-- case: bytes inserted
-- on: postgresql
-- expect: protected, insert, key_bytes
INSERT INTO key_bytes VALUES ('\x0102', 5), ('', 6)
-- case: bytes inserted, MySQL
-- on: mariadb
-- expect: protected, insert, key_bytes
INSERT INTO key_bytes VALUES (x'0102', 5), ('', 6)
-- case: a decimal
-- expect: protected, update, key_num, v
UPDATE key_num SET v = 9 WHERE k = 2.5
-- case: a decimal deleted
-- expect: protected, delete, key_num
DELETE FROM key_num
-- case: a decimal inserted
-- expect: protected, insert, key_num
INSERT INTO key_num VALUES (3.10, 1), (-4, 2)
-- case: a float
-- expect: protected, update, key_float, v
UPDATE key_float SET v = 9
-- case: a float deleted
-- expect: protected, delete, key_float
DELETE FROM key_float WHERE k < 1
-- case: a point in time
-- on: postgresql mariadb
-- expect: protected, update, key_time, v
UPDATE key_time SET v = v * 10
-- case: a point in time, another time zone
-- on: postgresql
-- before: SET TIME ZONE 'Asia/Kolkata'
-- after: RESET TIME ZONE
-- expect: protected, delete, key_time
DELETE FROM key_time
-- case: a point in time, another time zone, MySQL
-- on: mariadb
-- before: SET time_zone = '+05:30'
-- after: SET time_zone = DEFAULT
-- expect: protected, delete, key_time
DELETE FROM key_time
-- case: a date and an enum
-- on: postgresql mariadb
-- expect: protected, update, key_date, v
UPDATE key_date SET v = 7 WHERE w = 'sad'
-- case: a date and an enum deleted
-- on: postgresql mariadb
-- expect: protected, delete, key_date
DELETE FROM key_date WHERE k = '2026-01-01'
-- case: values of any class
-- on: sqlite
-- expect: protected, update, key_any, v
UPDATE key_any SET v = v + 1
-- case: values of any class deleted
-- on: sqlite
-- expect: protected, delete, key_any
DELETE FROM key_any

-- group: A unique NOT NULL key instead of a primary key
-- case: update
-- expect: protected, update, uniq, v
UPDATE uniq SET v = 'z' WHERE u = 1
-- case: delete
-- expect: protected, delete, uniq
DELETE FROM uniq
-- case: insert
-- expect: protected, insert, uniq
INSERT INTO uniq VALUES (3, 'c'), (4, NULL)

-- group: No key that is unique and not NULL
-- case: update
-- on: postgresql mariadb
-- expect: refused, update, nokey, a
-- because: no primary key and no unique key over NOT NULL columns
UPDATE nokey SET a = 1
-- case: delete
-- on: postgresql mariadb
-- expect: refused, delete, nokey
-- because: no primary key and no unique key over NOT NULL columns
DELETE FROM nokey
-- case: insert
-- on: postgresql mariadb
-- expect: refused, insert, nokey
-- because: no primary key and no unique key over NOT NULL columns
INSERT INTO nokey VALUES (1, 2)
-- case: a unique key that may be NULL
-- on: postgresql mariadb
-- expect: refused, update, uniq_null, v
-- because: no primary key and no unique key over NOT NULL columns
UPDATE uniq_null SET v = 'z'
-- case: the rowid serves: update
-- on: sqlite
-- expect: protected, update, nokey, b
UPDATE nokey SET b = 9 WHERE a = 1
-- case: the rowid serves: delete one of two equal rows
-- on: sqlite
-- expect: protected, delete, nokey
DELETE FROM nokey WHERE rowid = 1
-- case: the rowid serves: NULL in a unique key
-- on: sqlite
-- expect: protected, delete, uniq_null
DELETE FROM uniq_null
-- case: the rowid serves: NULL in a primary key
-- on: sqlite
-- expect: protected, update, text_key_null, v
UPDATE text_key_null SET v = v + 1

-- group: Every type of column
-- case: numbers updated
-- on: postgresql mariadb
-- expect: protected, update, types_number
UPDATE types_number SET i2 = 1, i4 = 2, i8 = 3, num2 = 5.55
-- case: numbers deleted
-- on: postgresql mariadb
-- expect: protected, delete, types_number
DELETE FROM types_number
-- case: numbers to their extremes
-- on: postgresql
-- expect: protected, update, types_number, r d num
UPDATE types_number SET r = '-Infinity', d = 'NaN', num = 'NaN'
-- case: floats that are hard to write
-- on: postgresql mariadb
-- expect: protected, update, types_number, d
UPDATE types_number SET d = 0.1 + 0.2
-- case: texts updated
-- on: postgresql mariadb
-- expect: protected, update, types_text, c v t
UPDATE types_text SET c = 'z', v = 'z ', t = 'z'
-- case: texts deleted
-- on: postgresql mariadb
-- expect: protected, delete, types_text
DELETE FROM types_text
-- case: times updated
-- on: postgresql
-- expect: protected, update, types_time, d ts tsz
UPDATE types_time SET d = '2000-01-01', ts = '2000-01-01 00:00:00', tsz = '2000-01-01 00:00:00+01'
-- case: times updated, MySQL
-- on: mariadb
-- expect: protected, update, types_time, d t dt ts
UPDATE types_time SET d = '2000-01-01', t = '01:02:03.4', dt = '2000-01-01', ts = '2000-01-01 00:00:00'
-- case: times deleted
-- on: postgresql mariadb
-- expect: protected, delete, types_time
DELETE FROM types_time
-- case: times deleted in another time zone
-- on: mariadb
-- before: SET time_zone = '-03:00'
-- after: SET time_zone = DEFAULT
-- expect: protected, delete, types_time
DELETE FROM types_time
-- case: times deleted with another date style
-- on: postgresql
-- before: SET DateStyle = 'German'
-- after: RESET DateStyle
-- expect: protected, delete, types_time
DELETE FROM types_time
-- case: the rest updated
-- on: postgresql
-- expect: protected, update, types_odd, u j jb x p md
-- volatile: yes
UPDATE types_odd SET u = gen_random_uuid(), j = '{}', jb = '[]', x = '<b/>', p = '(9,9)', md = 'ok'
-- case: the rest deleted
-- on: postgresql mariadb
-- expect: protected, delete, types_odd
DELETE FROM types_odd
-- case: the rest updated, MySQL
-- on: mariadb
-- expect: protected, update, types_odd, i6 g
UPDATE types_odd SET i6 = '::2', g = ST_GeomFromText('POINT(9 9)')
-- case: every class of value updated
-- on: sqlite
-- expect: protected, update, types, a i r n t b
UPDATE types SET a = 5, i = 5, r = 5, n = 5, t = 5, b = 5
-- case: every class of value deleted
-- on: sqlite
-- expect: protected, delete, types
DELETE FROM types
-- case: a strict table
-- on: sqlite
-- expect: protected, update, strict_table, r b a
UPDATE strict_table SET r = 2, b = x'', a = x'00'
-- case: a strict table, deleted
-- on: sqlite
-- expect: protected, delete, strict_table
DELETE FROM strict_table
-- case: enums and sets
-- on: mariadb
-- expect: protected, update, types_text, e s
UPDATE types_text SET e = 'ok', s = 'b'
-- case: zeros at the end of a number
-- on: postgresql
-- expect: protected, update, types_number, num
UPDATE types_number SET num = num * 1.000 WHERE id IN (1, 3)

-- group: Generated columns
-- case: update of what they are made of
-- expect: protected, update, gen, a
UPDATE gen SET a = a + 1
-- case: delete
-- expect: protected, delete, gen
DELETE FROM gen
-- case: insert
-- expect: protected, insert, gen, id a b
INSERT INTO gen (id, a, b) VALUES (5, 6, 7)
-- case: a value for one
-- expect: failed, update, gen, total
UPDATE gen SET total = 1
-- case: a column that changes by itself
-- on: mariadb
-- expect: protected, update, stamped, v
-- volatile: yes
UPDATE stamped SET v = v + 1
-- case: a column that is not shown
-- on: mariadb
-- expect: protected, update, hidden, v h
UPDATE hidden SET v = 9, h = 9 WHERE id = 1
-- case: a row with a column that is not shown
-- on: mariadb
-- expect: protected, delete, hidden
DELETE FROM hidden
