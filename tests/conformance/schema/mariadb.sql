-- Keys of every sort, every type, and everything that makes a table refused.

CREATE TABLE account (id int PRIMARY KEY, name varchar(40) NOT NULL UNIQUE,
  balance decimal(12,2) NOT NULL DEFAULT 0, note text);
CREATE TABLE item (id int AUTO_INCREMENT PRIMARY KEY, code varchar(20) UNIQUE, n int);
CREATE TABLE pair (a int, b varchar(10), v int, PRIMARY KEY (a, b));
CREATE TABLE other (id int PRIMARY KEY, acc int, x int);
CREATE TABLE tag (code varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, label varchar(40));
CREATE TABLE tag_ci (code varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, label varchar(40));
CREATE TABLE doc (uid uuid PRIMARY KEY DEFAULT uuid(), body json);
CREATE TABLE nokey (a int, b int);
CREATE TABLE uniq (u int NOT NULL UNIQUE, v text);
CREATE TABLE uniq_null (u int UNIQUE, v text);
CREATE TABLE multi (id int PRIMARY KEY, email varchar(40) NOT NULL UNIQUE,
  nick varchar(40) UNIQUE, a int, b int, UNIQUE (a, b));
CREATE TABLE gen (id int PRIMARY KEY, a int, b int, total int GENERATED ALWAYS AS (a * b) STORED, twice int AS (a * 2) VIRTUAL);
CREATE TABLE deflt (id int PRIMARY KEY, a int DEFAULT 7, b text DEFAULT 'none',
  made datetime(3) DEFAULT '2020-01-01 00:00:00', kind char(3) DEFAULT 'abc');
CREATE TABLE stamped (id int PRIMARY KEY, v int, t timestamp(6) NOT NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6));
CREATE TABLE audited (id int PRIMARY KEY, v int);
CREATE TABLE audit (id int AUTO_INCREMENT PRIMARY KEY, what text);
CREATE TRIGGER audit_u AFTER UPDATE ON audited FOR EACH ROW INSERT INTO audit (what) VALUES ('u');
CREATE TABLE parent (id int PRIMARY KEY, v int);
CREATE TABLE child (id int PRIMARY KEY, parent_id int, v int, FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE);
CREATE TABLE parent_null (id int PRIMARY KEY, v int);
CREATE TABLE child_null (id int PRIMARY KEY, parent_id int, v int, FOREIGN KEY (parent_id) REFERENCES parent_null (id) ON DELETE SET NULL);
CREATE TABLE customer (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, v int, FOREIGN KEY (customer_id) REFERENCES customer (id));
CREATE TABLE tree (id int PRIMARY KEY, up int, v int, FOREIGN KEY (up) REFERENCES tree (id));
CREATE TABLE perm (id int PRIMARY KEY, n int NOT NULL UNIQUE);
CREATE TABLE checked (id int PRIMARY KEY, v int CHECK (v > 0), w int NOT NULL);
CREATE VIEW account_v AS SELECT id, name, balance FROM account;
CREATE TABLE measure (id int, day date, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (year(day)) (PARTITION p25 VALUES LESS THAN (2026), PARTITION p26 VALUES LESS THAN (2027));
CREATE TABLE `Mixed Case` (`Id` int PRIMARY KEY, `select` text, `größe` int, `a"b` int, `a``b` int);
CREATE TABLE `select` (id int PRIMARY KEY, `from` int);
CREATE TABLE `données` (id int PRIMARY KEY, `naïve` text);
CREATE DATABASE shop;
CREATE TABLE shop.stock (id int PRIMARY KEY, n int);
CREATE TABLE shop.account (id int PRIMARY KEY, n int);
CREATE TABLE types_number (id int PRIMARY KEY, t tinyint, u1 tinyint unsigned, i2 smallint, i3 mediumint, i4 int, i8 bigint, u8 bigint unsigned,
  num decimal(65,30), num2 decimal(20,5), f float, d double, z int(8) zerofill, y year, bits bit(5), bits64 bit(64), b boolean);
CREATE TABLE types_text (id int PRIMARY KEY, c char(5), v varchar(10), t text, lt longtext, bin binary(4), vbin varbinary(10), bl blob, lb longblob,
  e enum('sad','ok','happy'), s set('a','b','c'), latin varchar(10) CHARACTER SET latin1, wide varchar(10) CHARACTER SET utf32, j json);
CREATE TABLE types_time (id int PRIMARY KEY, d date, t time(6), dt datetime(6), ts timestamp(6) NULL, t0 time, dt0 datetime);
CREATE TABLE types_odd (id int PRIMARY KEY, u uuid, i6 inet6, g point, ge geometry);
CREATE TABLE key_time (t timestamp(6) PRIMARY KEY, v int);
CREATE TABLE key_num (k decimal(10,2) PRIMARY KEY, v int);
CREATE TABLE key_float (k double PRIMARY KEY, v int);
CREATE TABLE key_bytes (k varbinary(10) PRIMARY KEY, v int);
CREATE TABLE key_date (k date, w enum('sad','ok'), v int, PRIMARY KEY (k, w));
CREATE TABLE big (id int PRIMARY KEY, s text);
CREATE TABLE wide_row (id int PRIMARY KEY, s longtext);
CREATE TABLE myisam (id int PRIMARY KEY, v int) ENGINE = MyISAM;
CREATE TABLE versioned (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
CREATE TABLE prefix_key (id int PRIMARY KEY, v varchar(40), UNIQUE (v(2)));
CREATE TABLE hidden (id int PRIMARY KEY, v int, h int INVISIBLE DEFAULT 5);
CREATE TABLE big5 (id int PRIMARY KEY, v varchar(20) CHARACTER SET big5);
CREATE TABLE src (id int PRIMARY KEY, code varchar(20), n int);
CREATE SEQUENCE seq START WITH 1;
CREATE PROCEDURE raise_all() UPDATE account SET balance = balance + 1;

-- fill: test.account
DELETE FROM account;
INSERT INTO account VALUES (1, 'ann', 100.00, NULL), (2, 'bob', 50.50, 'x'), (3, 'cid', 0.00, 'it''s \\ "q" $1 ?'), (4, 'Дана', -7.25, '');

-- fill: test.item
DELETE FROM item;
INSERT INTO item VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3);

-- fill: test.pair
DELETE FROM pair;
INSERT INTO pair VALUES (1, 'x', 10), (1, 'y', 20), (2, 'x', 30);

-- fill: test.other
DELETE FROM other;
INSERT INTO other VALUES (1, 1, 5), (2, 1, 7), (3, 2, 9);

-- fill: test.tag
DELETE FROM tag;
INSERT INTO tag VALUES ('Red', 'r'), ('blue', 'b'), ('grün', NULL);

-- fill: test.nokey
DELETE FROM nokey;
INSERT INTO nokey VALUES (1, 1), (1, 1), (2, NULL);

-- fill: test.uniq
DELETE FROM uniq;
INSERT INTO uniq VALUES (1, 'a'), (2, NULL);

-- fill: test.uniq_null
DELETE FROM uniq_null;
INSERT INTO uniq_null VALUES (1, 'a'), (NULL, 'b'), (NULL, 'c');

-- fill: test.multi
DELETE FROM multi;
INSERT INTO multi VALUES (1, 'a@x', 'a', 1, 1), (2, 'b@x', NULL, 1, 2), (3, 'c@x', NULL, NULL, 2);

-- fill: test.gen
DELETE FROM gen;
INSERT INTO gen (id, a, b) VALUES (1, 2, 3), (2, 4, NULL);

-- fill: test.deflt
DELETE FROM deflt;
INSERT INTO deflt VALUES (1, 1, 'one', '2021-02-03 04:05:06.789', 'x'), (2, NULL, NULL, NULL, NULL);

-- fill: test.audited
DELETE FROM audited;
INSERT INTO audited VALUES (1, 1), (2, 2);

-- fill: test.audit
DELETE FROM audit;
INSERT INTO audit VALUES (1, 'begin');

-- fill: test.parent+test.child
DELETE FROM child;
DELETE FROM parent;
INSERT INTO parent VALUES (1, 1), (2, 2);
INSERT INTO child VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);

-- fill: test.parent_null+test.child_null
DELETE FROM child_null;
DELETE FROM parent_null;
INSERT INTO parent_null VALUES (1, 1), (2, 2);
INSERT INTO child_null VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);

-- fill: test.customer+test.orders
DELETE FROM orders;
DELETE FROM customer;
INSERT INTO customer VALUES (1, 'ann'), (2, 'bob'), (3, 'cid');
INSERT INTO orders VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);

-- fill: test.tree
DELETE FROM tree;
INSERT INTO tree VALUES (1, NULL, 1), (2, 1, 2), (3, 1, 3), (4, 3, 4), (10, NULL, 5), (5, 10, 6);

-- fill: test.perm
DELETE FROM perm;
INSERT INTO perm VALUES (1, 1), (2, 2), (3, 3);

-- fill: test.checked
DELETE FROM checked;
INSERT INTO checked VALUES (1, 1, 1), (2, 2, 2);

-- fill: test.src
DELETE FROM src;
INSERT INTO src VALUES (11, 'k', 1), (12, 'l', 2), (13, 'a', 30);

-- fill: test.tag_ci
DELETE FROM tag_ci;
INSERT INTO tag_ci VALUES ('Red', 'r'), ('blue', 'b'), ('grün', NULL);

-- fill: test.doc
DELETE FROM doc;
INSERT INTO doc VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a":  1.50}'), ('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', NULL);

-- fill: test.stamped
DELETE FROM stamped;
INSERT INTO stamped VALUES (1, 1, '2020-01-01 00:00:00.123456'), (2, 2, '2020-01-02 00:00:00');

-- fill: test.measure
DELETE FROM measure;
INSERT INTO measure VALUES (1, '2025-01-01', 1), (2, '2026-03-01', 2), (3, '2026-08-01', 3);

-- fill: test.Mixed Case
DELETE FROM `Mixed Case`;
INSERT INTO `Mixed Case` VALUES (1, 'one', 10, 1, 1), (2, 'two', 20, 2, 2);

-- fill: test.select
DELETE FROM `select`;
INSERT INTO `select` VALUES (1, 1), (2, 2);

-- fill: test.données
DELETE FROM `données`;
INSERT INTO `données` VALUES (1, 'é'), (2, '日本');

-- fill: shop.stock
DELETE FROM shop.stock;
INSERT INTO shop.stock VALUES (1, 100), (2, 200);

-- fill: shop.account
DELETE FROM shop.account;
INSERT INTO shop.account VALUES (1, 100), (2, 200);

-- fill: test.types_number
DELETE FROM types_number;
INSERT INTO types_number VALUES
  (1, 127, 255, 32767, 8388607, 2147483647, 9223372036854775807, 18446744073709551615, 12345678901234567890.123456789012345678901234567890, 999999999999999.99999, 3.4e38, 1.7976931348623157e308, 42, 2155, b'10101', 18446744073709551615, true),
  (2, -128, 0, -32768, -8388608, -2147483648, -9223372036854775808, 0, -0.000000000000000000000000000001, -0.00001, 1.17e-38, 2.2250738585072014e-308, 0, 1901, b'0', 0, false),
  (3, 0, 0, 0, 0, 0, 0, 9223372036854775808, 1.5, 1.5, 0.1, 0.1, 99999999, 0, b'11111', 1, 1),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (5, 1, 1, 1, 1, 1, 1, 1, 1, 1, -0e0, -0e0, 1, 2026, b'1', 1, 1);

-- fill: test.types_text
DELETE FROM types_text;
INSERT INTO types_text VALUES
  (1, 'ab', 'ab  ', 'tab\t nl\n cr\r back\\ quote'' 😀 \0 nul', 'x', x'00ff', x'00ff01020000', x'00ff0102deadbeef', x'00', 'happy', 'a,c', 'é', '日', '{"b" : 1,  "a":1.50}'),
  (2, '', '', '', '', '', '', '', '', 'sad', '', '', '', 'null'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- fill: test.types_time
DELETE FROM types_time;
INSERT INTO types_time VALUES
  (1, '2026-02-28', '23:59:59.999999', '2026-02-28 23:59:59.999999', '2026-02-28 23:59:59.999999', '12:00:00', '2026-01-01 00:00:00'),
  (2, '1000-01-01', '-838:59:59', '1000-01-01 00:00:00', '1970-01-01 00:00:01', '838:59:59', '9999-12-31 23:59:59'),
  (3, '9999-12-31', '838:59:59.000001', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '00:00:00', '1000-01-01'),
  (4, NULL, NULL, NULL, NULL, NULL, NULL);

-- fill: test.types_odd
DELETE FROM types_odd;
INSERT INTO types_odd VALUES
  (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::1', ST_GeomFromText('POINT(1.5 -2)'), ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')),
  (2, NULL, NULL, NULL, NULL),
  (3, '00000000-0000-0000-0000-000000000000', '::ffff:10.0.0.1', ST_GeomFromText('POINT(0 0)', 4326), ST_GeomFromText('LINESTRING(0 0,1 1)'));

-- fill: test.key_time
DELETE FROM key_time;
INSERT INTO key_time VALUES ('2026-01-01 00:00:00', 1), ('2026-06-01 12:00:00.123456', 2);

-- fill: test.key_num
DELETE FROM key_num;
INSERT INTO key_num VALUES (1.0, 1), (2.50, 2);

-- fill: test.key_float
DELETE FROM key_float;
INSERT INTO key_float VALUES (0.1, 1), (1e300, 2);

-- fill: test.key_bytes
DELETE FROM key_bytes;
INSERT INTO key_bytes VALUES (x'00', 1), (x'ff00', 2);

-- fill: test.key_date
DELETE FROM key_date;
INSERT INTO key_date VALUES ('2026-01-01', 'sad', 1), ('2026-01-01', 'ok', 2);

-- fill: test.big
DELETE FROM big;
INSERT INTO big SELECT seq, repeat(md5(seq), 8) FROM seq_1_to_300;

-- fill: test.wide_row
DELETE FROM wide_row;
INSERT INTO wide_row VALUES (1, repeat('0123456789abcdef', 8000));

-- fill: test.myisam
DELETE FROM myisam;
INSERT INTO myisam VALUES (1, 1);

-- fill: test.versioned
DELETE FROM versioned;
INSERT INTO versioned VALUES (1, 1);

-- fill: test.prefix_key
DELETE FROM prefix_key;
INSERT INTO prefix_key VALUES (1, 'ann'), (2, 'bob');

-- fill: test.hidden
DELETE FROM hidden;
INSERT INTO hidden (id, v, h) VALUES (1, 1, 1), (2, 2, 2);

-- fill: test.big5
DELETE FROM big5;
INSERT INTO big5 VALUES (1, 'x');

-- sequences:
CREATE OR REPLACE TABLE sequences_at_start (name varchar(64) COLLATE utf8mb4_general_ci PRIMARY KEY, next bigint) ENGINE = MEMORY;
INSERT INTO sequences_at_start VALUES ('item', 4), ('audit', 2);
