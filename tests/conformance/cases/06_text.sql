-- section: Names, literals and comments

-- group: Quoted, mixed-case and keyword names
-- case: double quotes
-- on: postgresql sqlite
-- expect: protected, update
UPDATE "Mixed Case" SET "select" = 'x', "größe" = 5 WHERE "Id" = 1
-- case: a quote in a name
-- on: postgresql sqlite
-- expect: protected, update
UPDATE "Mixed Case" SET "a""b" = 5 WHERE "Id" = 1
-- case: backticks
-- on: mariadb
-- expect: protected, update
UPDATE `Mixed Case` SET `select` = 'x', `größe` = 5, `a``b` = 4, `a"b` = 3 WHERE `Id` = 1
-- case: backticks in SQLite
-- on: sqlite
-- expect: protected, update
UPDATE `Mixed Case` SET `select` = 'x' WHERE `Id` = 1
-- case: square brackets
-- on: sqlite
-- expect: protected, update
UPDATE [Mixed Case] SET [select] = 'x' WHERE [Id] = 1
-- case: insert
-- on: postgresql sqlite
-- expect: protected, insert
INSERT INTO "Mixed Case" ("Id", "select") VALUES (9, 'nine')
-- case: insert with backticks
-- on: mariadb
-- expect: protected, insert
INSERT INTO `Mixed Case` (`Id`, `select`) VALUES (9, 'nine')
-- case: delete
-- on: postgresql sqlite
-- expect: protected, delete
DELETE FROM "Mixed Case" AS "M C" WHERE "M C"."Id" = 2
-- case: a keyword as a table
-- on: postgresql sqlite
-- expect: protected, update, select, from
UPDATE "select" SET "from" = 7 WHERE id = 1
-- case: a keyword as a table, backticks
-- on: mariadb
-- expect: protected, update, select, from
UPDATE `select` SET `from` = 7 WHERE id = 1
-- case: unicode without quotes
-- expect: protected, update, données, naïve
UPDATE données SET naïve = 'ü' WHERE id = 1
-- case: upper case that is folded
-- on: postgresql sqlite
-- expect: protected, update, account, balance
UPDATE ACCOUNT SET Balance = 5 WHERE ID = 1
-- case: columns in another case
-- on: mariadb
-- expect: protected, update, account, BALANCE
UPDATE account SET BALANCE = 5 WHERE Id = 1
-- case: quotes around what needs none
-- on: postgresql sqlite
-- expect: protected, update, account, balance
UPDATE "account" SET "balance" = 5 WHERE "account"."id" = 1
-- case: a name by code points
-- on: postgresql
-- expect: refused
-- because: expected a name without UESCAPE
UPDATE U&"\0061ccount" UESCAPE '\' SET balance = 1

-- group: Schema-qualified names
-- case: update
-- on: postgresql mariadb
-- expect: protected, update, shop.stock, n
UPDATE shop.stock SET n = n - 1 WHERE id = 1
-- case: insert
-- on: postgresql mariadb
-- expect: protected, insert, shop.stock
INSERT INTO shop.stock VALUES (3, 300)
-- case: delete
-- on: postgresql mariadb
-- expect: protected, delete, shop.stock
DELETE FROM shop.stock WHERE n > 100
-- case: one name in two schemas
-- on: postgresql mariadb
-- expect: protected, update, shop.account, n
UPDATE shop.account SET n = 0
-- case: its own schema said
-- on: postgresql
-- expect: protected, update, public.account, note
UPDATE public.account SET note = 'p' WHERE id = 1
-- case: its own database said
-- on: mariadb
-- expect: protected, update, test.account, note
UPDATE test.account SET note = 'p' WHERE test.account.id = 1
-- case: main
-- on: sqlite
-- expect: protected, update, main.account, note
UPDATE main.account SET note = 'p' WHERE id = 1
-- case: another search_path
-- on: postgresql
-- before: SET search_path = shop, public
-- after: RESET search_path
-- expect: protected, update, account, n
UPDATE account SET n = 0
-- case: another default database
-- on: mariadb
-- before: USE shop
-- after: USE test
-- expect: protected, update, account, n
UPDATE account SET n = 0
-- case: three names
-- on: postgresql
-- expect: protected, update, public.account, note
UPDATE postgres.public.account SET note = 'p' WHERE id = 1

-- group: Strings
-- case: doubled quotes
-- expect: protected, update, account, note
UPDATE account SET note = 'it''s; -- not a comment' WHERE id = 1
-- case: line breaks and question marks
-- expect: protected, update, account, note
UPDATE account SET note = 'line
two ? $1 :x' WHERE id = 1
-- case: an emoji
-- expect: protected, update, account, note
UPDATE account SET note = '😀 日本 é' WHERE id = 1
-- case: backslashes are themselves
-- on: postgresql sqlite
-- expect: protected, update, account, note
UPDATE account SET note = 'a\' WHERE id = 1
-- case: backslashes escape
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = 'a\'b\\c\n\0\%' WHERE id = 1
-- case: double quotes are strings
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = "it's ""so""" WHERE id = 1
-- case: double quotes are names
-- on: mariadb
-- before: SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_TRANS_TABLES'
-- after: SET SESSION sql_mode = DEFAULT
-- expect: protected, update, account, note
UPDATE "account" SET "note" = 'n' WHERE "id" = 1
-- case: backslashes are themselves, by the mode
-- on: mariadb
-- before: SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'
-- after: SET SESSION sql_mode = DEFAULT
-- expect: protected, update, account, note
UPDATE account SET note = 'a\' WHERE id = 1
-- case: E'…'
-- on: postgresql
-- expect: protected, update, account, note
UPDATE account SET note = E'a\'b\\c\n\u00e9\x41' WHERE id = 1
-- case: a dollar quote
-- on: postgresql
-- expect: protected, update, account, note
UPDATE account SET note = $$it's; $1 -- no$$ WHERE id = 1
-- case: a dollar quote with a tag
-- on: postgresql
-- expect: protected, update, account, note
UPDATE account SET note = $a$ $$ $b$ $a$ WHERE id = 1
-- case: strings that go on in the next line
-- on: postgresql
-- expect: protected, update, account, note
UPDATE account SET note = 'one'
 'two' WHERE id = 1
-- case: strings side by side
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = 'one' 'two' WHERE id = 1
-- case: U&
-- on: postgresql
-- expect: protected, update, account, note
UPDATE account SET note = U&'d\0061t\+000061' WHERE id = 1
-- case: N'…'
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = N'né' WHERE id = 1
-- case: an introducer
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = _utf8mb4'né' COLLATE utf8mb4_bin WHERE id = 1
-- case: backslashes in plain strings, by the setting
-- on: postgresql
-- before: SET standard_conforming_strings = off
-- after: RESET standard_conforming_strings
-- expect: protected, update, account, note
UPDATE account SET note = 'a\'b' WHERE id = 1

-- group: Numbers and other literals
-- case: exponents and points
-- expect: protected, update, account, balance
UPDATE account SET balance = 1.5e2 + .25 + 3. WHERE id = 1
-- case: a sign
-- expect: protected, update, account, balance
UPDATE account SET balance = - 5 - -3 WHERE id = +1
-- case: hexadecimal bytes
-- on: mariadb sqlite
-- expect: protected, update, account, note
UPDATE account SET note = X'6869' WHERE id = 1
-- case: a hexadecimal number
-- on: mariadb sqlite
-- expect: protected, update, account, balance
UPDATE account SET balance = 0x10 + 0 WHERE id = 1
-- case: bits
-- on: mariadb
-- expect: protected, update, types_number, bits
UPDATE types_number SET bits = b'00110' WHERE id = 1
-- case: bits, PostgreSQL
-- on: postgresql
-- expect: protected, update, types_odd, bits vbits
UPDATE types_odd SET bits = B'00110', vbits = X'1F' WHERE id = 1
-- case: bytes, PostgreSQL
-- on: postgresql
-- expect: protected, update, types_text, bin
UPDATE types_text SET bin = '\x0001ff' WHERE id = 1
-- case: casts
-- on: postgresql
-- expect: protected, update, account, balance
UPDATE account SET balance = '5.5'::numeric + CAST('1' AS int) + numeric '2' WHERE id = 1::int
-- case: dates
-- on: postgresql
-- expect: protected, update, types_time, d ts iv
UPDATE types_time SET d = DATE '2020-02-29', ts = TIMESTAMP '2020-02-29 01:02:03', iv = INTERVAL '1' DAY WHERE id = 1
-- case: dates, MySQL
-- on: mariadb
-- expect: protected, update, types_time, d dt
UPDATE types_time SET d = DATE '2020-02-29', dt = TIMESTAMP'2020-02-29 01:02:03' + INTERVAL 1 DAY WHERE id = 1
-- case: arrays
-- on: postgresql
-- expect: protected, update, types_odd, ia ta
UPDATE types_odd SET ia = ARRAY[1, 2] || '{3}', ta = ta || ARRAY['x'] WHERE id = 1
-- case: TRUE, FALSE, NULL
-- on: postgresql mariadb
-- expect: protected, update, types_number, b
UPDATE types_number SET b = NOT b WHERE b IS NOT NULL AND (TRUE OR FALSE)

-- group: Comments
-- case: in front and behind
-- expect: protected, update, account, note
/* one */ UPDATE account SET note = 'c' WHERE id = 1 -- the end
-- case: everywhere
-- expect: protected, update, account, note
UPDATE/*a*/account/* ' */SET note/*"*/=/**/'c' -- x ; y '
WHERE/* ? $1 */id = 1
-- case: nested
-- on: postgresql
-- expect: protected, update, account, note
UPDATE account /* a /* b */ c */ SET note = 'c' WHERE id = 1
-- case: a hash
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account # a ; comment '
SET note = 'c' WHERE id = 1
-- case: a version comment that runs
-- on: mariadb
-- expect: protected, update, account, note
UPDATE /*!50000 LOW_PRIORITY */ account SET note = 'c' WHERE id = 1
-- case: a version comment of MariaDB
-- on: mariadb
-- expect: protected, update, account, note balance
UPDATE account SET note = 'c' /*M!100000 , balance = 5 */ WHERE id = 1
-- case: a version comment that does not run
-- on: mariadb
-- expect: protected, update, account, note
UPDATE account SET note = 'c' /*!99999 , balance = 5 */ WHERE id = 1
-- case: two dashes without a blank are minus minus
-- on: mariadb
-- expect: protected, update, account, balance
UPDATE account SET balance = 5--1 WHERE id = 1
