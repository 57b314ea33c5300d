-- Keys of every sort, every class of value, and everything that makes a table
-- refused.

CREATE TABLE account (id INTEGER PRIMARY KEY, name varchar(40) NOT NULL UNIQUE,
  balance numeric(12,2) NOT NULL DEFAULT 0, note text);
CREATE TABLE item (id INTEGER PRIMARY KEY, code varchar(20) UNIQUE, n int);
CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, v text);
CREATE TABLE pair (a int NOT NULL, b varchar(10) NOT NULL, v int, PRIMARY KEY (a, b));
CREATE TABLE other (id INTEGER PRIMARY KEY, acc int, x int);
CREATE TABLE tag (code varchar(20) NOT NULL PRIMARY KEY, label varchar(40));
CREATE TABLE tag_ci (code varchar(20) COLLATE NOCASE NOT NULL PRIMARY KEY, label varchar(40));
CREATE TABLE tag_rtrim (code varchar(20) COLLATE RTRIM NOT NULL PRIMARY KEY, label varchar(40));
CREATE TABLE doc (uid blob NOT NULL PRIMARY KEY, body text);
CREATE TABLE nokey (a int, b int);
CREATE TABLE uniq (u int NOT NULL UNIQUE, v text);
CREATE TABLE uniq_null (u int UNIQUE, v text);
CREATE TABLE text_key_null (k text PRIMARY KEY, v int);
CREATE TABLE multi (id INTEGER PRIMARY KEY, email varchar(40) NOT NULL UNIQUE,
  nick varchar(40) UNIQUE, a int, b int, UNIQUE (a, b));
CREATE TABLE gen (id INTEGER PRIMARY KEY, a int, b int, total int GENERATED ALWAYS AS (a * b) STORED, twice int AS (a * 2) VIRTUAL);
CREATE TABLE deflt (id INTEGER PRIMARY KEY, a int DEFAULT 7, b text DEFAULT 'none',
  made text DEFAULT '2020-01-01 00:00:00', kind char(3) DEFAULT 'abc');
CREATE TABLE audited (id INTEGER PRIMARY KEY, v int);
CREATE TABLE audit (id INTEGER PRIMARY KEY, what text);
CREATE TRIGGER audit_u AFTER UPDATE ON audited BEGIN INSERT INTO audit (what) VALUES ('u'); END;
CREATE TABLE parent (id INTEGER PRIMARY KEY, v int);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE, v int);
CREATE TABLE parent_null (id INTEGER PRIMARY KEY, v int);
CREATE TABLE child_null (id INTEGER PRIMARY KEY, parent_id int REFERENCES parent_null ON DELETE SET NULL, v int);
CREATE TABLE customer (id INTEGER PRIMARY KEY, name text);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, v int);
CREATE TABLE tree (id INTEGER PRIMARY KEY, up int REFERENCES tree, v int);
CREATE TABLE perm (id INTEGER PRIMARY KEY, n int NOT NULL UNIQUE);
CREATE TABLE checked (id INTEGER PRIMARY KEY, v int CHECK (v > 0), w int NOT NULL);
CREATE VIEW account_v AS SELECT id, name, balance FROM account;
CREATE TABLE worowid (a int NOT NULL, b text NOT NULL, v int, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE strict_table (id INTEGER PRIMARY KEY, i int, r real, t text, b blob, a any) STRICT;
CREATE TABLE "Mixed Case" ("Id" INTEGER PRIMARY KEY, "select" text, "größe" int, "a""b" int);
CREATE TABLE "select" (id INTEGER PRIMARY KEY, "from" int);
CREATE TABLE "données" (id INTEGER PRIMARY KEY, "naïve" text);
CREATE TABLE types (id INTEGER PRIMARY KEY, a, i int, r real, n numeric, t text, b blob);
CREATE TABLE key_num (k numeric NOT NULL PRIMARY KEY, v int);
CREATE TABLE key_float (k real NOT NULL PRIMARY KEY, v int);
CREATE TABLE key_any (k NOT NULL PRIMARY KEY, v int);
CREATE TABLE big (id INTEGER PRIMARY KEY, s text);
CREATE TABLE wide_row (id INTEGER PRIMARY KEY, s text);
CREATE TABLE partial (id INTEGER PRIMARY KEY, v int, w int);
CREATE UNIQUE INDEX partial_v ON partial (v) WHERE w > 0;
CREATE TABLE expr_key (id INTEGER PRIMARY KEY, v text);
CREATE UNIQUE INDEX expr_key_v ON expr_key (lower(v));
CREATE TABLE replacing (id INTEGER PRIMARY KEY ON CONFLICT REPLACE, v int);
CREATE VIRTUAL TABLE words USING fts5(w);
CREATE TABLE src (id INTEGER PRIMARY KEY, code varchar(20), n int);

-- fill: account
DELETE FROM account;
INSERT INTO account VALUES (1, 'ann', 100.00, NULL), (2, 'bob', 50.50, 'x'), (3, 'cid', 0.00, 'it''s \ "q" $1 ?'), (4, 'Дана', -7.25, '');

-- fill: item
DELETE FROM item;
INSERT INTO item VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3);

-- fill: pair
DELETE FROM pair;
INSERT INTO pair VALUES (1, 'x', 10), (1, 'y', 20), (2, 'x', 30);

-- fill: other
DELETE FROM other;
INSERT INTO other VALUES (1, 1, 5), (2, 1, 7), (3, 2, 9);

-- fill: tag
DELETE FROM tag;
INSERT INTO tag VALUES ('Red', 'r'), ('blue', 'b'), ('grün', NULL);

-- fill: nokey
DELETE FROM nokey;
INSERT INTO nokey VALUES (1, 1), (1, 1), (2, NULL);

-- fill: uniq
DELETE FROM uniq;
INSERT INTO uniq VALUES (1, 'a'), (2, NULL);

-- fill: uniq_null
DELETE FROM uniq_null;
INSERT INTO uniq_null VALUES (1, 'a'), (NULL, 'b'), (NULL, 'c');

-- fill: multi
DELETE FROM multi;
INSERT INTO multi VALUES (1, 'a@x', 'a', 1, 1), (2, 'b@x', NULL, 1, 2), (3, 'c@x', NULL, NULL, 2);

-- fill: gen
DELETE FROM gen;
INSERT INTO gen (id, a, b) VALUES (1, 2, 3), (2, 4, NULL);

-- fill: deflt
DELETE FROM deflt;
INSERT INTO deflt VALUES (1, 1, 'one', '2021-02-03 04:05:06.789', 'x'), (2, NULL, NULL, NULL, NULL);

-- fill: audited
DELETE FROM audited;
INSERT INTO audited VALUES (1, 1), (2, 2);

-- fill: audit
DELETE FROM audit;
INSERT INTO audit VALUES (1, 'begin');

-- fill: parent+child
DELETE FROM child;
DELETE FROM parent;
INSERT INTO parent VALUES (1, 1), (2, 2);
INSERT INTO child VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);

-- fill: parent_null+child_null
DELETE FROM child_null;
DELETE FROM parent_null;
INSERT INTO parent_null VALUES (1, 1), (2, 2);
INSERT INTO child_null VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);

-- fill: customer+orders
DELETE FROM orders;
DELETE FROM customer;
INSERT INTO customer VALUES (1, 'ann'), (2, 'bob'), (3, 'cid');
INSERT INTO orders VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);

-- fill: tree
DELETE FROM tree;
INSERT INTO tree VALUES (1, NULL, 1), (2, 1, 2), (3, 1, 3), (4, 3, 4), (10, NULL, 5), (5, 10, 6);

-- fill: perm
DELETE FROM perm;
INSERT INTO perm VALUES (1, 1), (2, 2), (3, 3);

-- fill: checked
DELETE FROM checked;
INSERT INTO checked VALUES (1, 1, 1), (2, 2, 2);

-- fill: src
DELETE FROM src;
INSERT INTO src VALUES (11, 'k', 1), (12, 'l', 2), (13, 'a', 30);

-- fill: tag_ci
DELETE FROM tag_ci;
INSERT INTO tag_ci VALUES ('Red', 'r'), ('blue', 'b'), ('grün', NULL);

-- fill: tag_rtrim
DELETE FROM tag_rtrim;
INSERT INTO tag_rtrim VALUES ('Red ', 'r'), ('blue', 'b');

-- fill: auto
DELETE FROM auto;
INSERT INTO auto VALUES (1, 'a'), (2, 'b');

-- fill: doc
DELETE FROM doc;
INSERT INTO doc VALUES (x'a0eebc99', '{"a":  1.50}'), (x'00', NULL);

-- fill: text_key_null
DELETE FROM text_key_null;
INSERT INTO text_key_null VALUES ('a', 1), (NULL, 2), (NULL, 3);

-- fill: worowid
DELETE FROM worowid;
INSERT INTO worowid VALUES (1, 'x', 10), (1, 'y', 20), (2, 'x', 30);

-- fill: strict_table
DELETE FROM strict_table;
INSERT INTO strict_table VALUES (1, 1, 1.0, 'a', x'00ff', 1), (2, NULL, NULL, NULL, NULL, 'text');

-- fill: Mixed Case
DELETE FROM "Mixed Case";
INSERT INTO "Mixed Case" VALUES (1, 'one', 10, 1), (2, 'two', 20, 2);

-- fill: select
DELETE FROM "select";
INSERT INTO "select" VALUES (1, 1), (2, 2);

-- fill: données
DELETE FROM "données";
INSERT INTO "données" VALUES (1, 'é'), (2, '日本');

-- fill: types
DELETE FROM types;
INSERT INTO types VALUES
  (1, 1, 9223372036854775807, 1.7976931348623157e308, '1.50', 'tab	 back\ quote'' 😀', x'00ff0102deadbeef'),
  (2, 1.0, -9223372036854775808, 2.2250738585072014e-308, 12345678901234567890, '', x''),
  (3, '1', 1.5, 1, 1e20, 1, 1),
  (4, x'31', 'text', 'text', 'text', x'ff', 'text'),
  (5, NULL, NULL, NULL, NULL, NULL, NULL),
  (6, 0.1, 0, 0.1, 0.1, '0.10', 0.1),
  (7, 9e999, 1, -9e999, 1, char(65, 0, 66), zeroblob(3));

-- fill: key_num
DELETE FROM key_num;
INSERT INTO key_num VALUES (1, 1), (2.5, 2);

-- fill: key_float
DELETE FROM key_float;
INSERT INTO key_float VALUES (0.1, 1), (1e300, 2), (3, 3);

-- fill: key_any
DELETE FROM key_any;
INSERT INTO key_any VALUES (1, 1), ('1', 2), (x'31', 3), (2.5, 4);

-- fill: big
DELETE FROM big;
INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, replace(printf('%256d', i * 7919), ' ', char(65 + i % 26)) FROM n;

-- fill: wide_row
DELETE FROM wide_row;
INSERT INTO wide_row VALUES (1, replace(printf('%8000d', 1), ' ', '0123456789abcdef'));

-- fill: partial
DELETE FROM partial;
INSERT INTO partial VALUES (1, 1, 1), (2, 1, 0), (3, 2, 1);

-- fill: expr_key
DELETE FROM expr_key;
INSERT INTO expr_key VALUES (1, 'Ann'), (2, 'Bob');

-- fill: replacing
DELETE FROM replacing;
INSERT INTO replacing VALUES (1, 1), (2, 2);

-- sequences:
UPDATE sqlite_sequence SET seq = 2 WHERE name = 'auto';
