#include "rm-agent/db/catalog_my.h"
#include "rm-agent/db/my.h"

/* MariaDB spells names in InnoDB's list as those of files. */
#define AS_FILE(name)                                                          \
	"CONVERT(BINARY CONVERT(" name " USING filename) USING utf8mb3)"
#define MARIADB_REF  "CONCAT(" AS_FILE("%1") ", '/', " AS_FILE("%2") ")"
#define MARIADB_LIST "information_schema.INNODB_SYS_FOREIGN"
#define MYSQL_REF    "CONCAT(%1, '/', %2)"
#define MYSQL_LIST   "information_schema.INNODB_FOREIGN"

/* Names differ by case alone where file names do. */
#define REFERS(ref)                                                            \
	" f.REF_NAME = " ref " AND (@@lower_case_table_names > 0"              \
	" OR BINARY f.REF_NAME = BINARY " ref ")"

/* The bits of TYPE: 1 and 2, on delete cascade and set null; 4 and 8, on
 * update. Constraint, table, changes on delete, on update, column. */
#define LIST_OF(list, ref, schema)                                             \
	"SELECT SUBSTRING_INDEX(f.ID, '/', -1),"                               \
	" IF(SUBSTRING_INDEX(f.FOR_NAME, '/', 1) = " schema ","                \
	" SUBSTRING_INDEX(f.FOR_NAME, '/', -1),"                               \
	" REPLACE(f.FOR_NAME, '/', '.')), (f.TYPE & 3) <> 0,"                  \
	" (f.TYPE & 12) <> 0, c.REF_COL_NAME, f.ID FROM " list                 \
	" f LEFT JOIN " list                                                   \
	"_COLS c ON c.ID = f.ID WHERE" REFERS(ref) " ORDER BY f.ID, c.POS"

static const char mariadb_list[] =
	LIST_OF(MARIADB_LIST, MARIADB_REF, AS_FILE("%1"));
static const char mysql_list[] = LIST_OF(MYSQL_LIST, MYSQL_REF, "%1");

static const char listed[] =
	"SELECT r.CONSTRAINT_NAME, IF(r.CONSTRAINT_SCHEMA = %1, r.TABLE_NAME,"
	" CONCAT(r.CONSTRAINT_SCHEMA, '.', r.TABLE_NAME)),"
	" r.DELETE_RULE = 'CASCADE' OR r.DELETE_RULE LIKE 'SET %',"
	" r.UPDATE_RULE = 'CASCADE' OR r.UPDATE_RULE LIKE 'SET %',"
	" k.REFERENCED_COLUMN_NAME,"
	" CONCAT(r.CONSTRAINT_SCHEMA, '/', r.CONSTRAINT_NAME)"
	" FROM information_schema.REFERENTIAL_CONSTRAINTS r"
	" LEFT JOIN information_schema.KEY_COLUMN_USAGE k"
	" ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA"
	" AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME"
	" AND k.TABLE_NAME = r.TABLE_NAME"
	" WHERE r.UNIQUE_CONSTRAINT_SCHEMA = %1 AND r.REFERENCED_TABLE_NAME"
	" = %2 ORDER BY r.CONSTRAINT_SCHEMA, r.CONSTRAINT_NAME,"
	" k.ORDINAL_POSITION";

/* Sums of checksums, because GROUP_CONCAT cuts off without an error. */
#define SUM_OF(list, ref)                                                      \
	"(SELECT CONCAT(COUNT(*), '.', SUM(CRC32(CONCAT_WS('|', f.ID,"         \
	" f.FOR_NAME, f.TYPE)))) FROM " list " f WHERE" REFERS(ref) ")"

static const char listed_sum[] =
	"(SELECT CONCAT(COUNT(*), '.', SUM(CRC32(CONCAT_WS('|',"
	" CONSTRAINT_SCHEMA, CONSTRAINT_NAME, DELETE_RULE, UPDATE_RULE))))"
	" FROM information_schema.REFERENTIAL_CONSTRAINTS"
	" WHERE UNIQUE_CONSTRAINT_SCHEMA = %1 AND REFERENCED_TABLE_NAME = %2)";

/* Of this user as the tables of rights spell it; roles are not looked into. */
#define MINE                                                                   \
	"GRANTEE = CONCAT('''', LEFT(CURRENT_USER(),"                          \
	" CHAR_LENGTH(CURRENT_USER()) - 1 - CHAR_LENGTH("                      \
	"SUBSTRING_INDEX(CURRENT_USER(), '@', -1))), '''@''',"                 \
	" SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"
/* SELECT alone shows no constraints. */
static const char may_everywhere[] =
	"SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE " MINE
	" AND PRIVILEGE_TYPE IN ('INSERT', 'UPDATE', 'DELETE')";
/* MySQL can take single databases out of a global right again. */
#define UNREVOKED " AND @@GLOBAL.partial_revokes = 0"

/* A right on databases by pattern is left out: another one may be nearer. */
#define UNESCAPED(name)                                                        \
	"REPLACE(REPLACE(" name ", CONCAT(CHAR(92), '_'), '_'),"               \
	" CONCAT(CHAR(92), '%'), '%')"
#define TRIGGER_OF " FROM information_schema."
#define IS_TRIGGER " WHERE PRIVILEGE_TYPE = 'TRIGGER' AND " MINE

static const char may_trigger_here[] =
	"SELECT (SELECT COUNT(*)" TRIGGER_OF "SCHEMA_PRIVILEGES" IS_TRIGGER
	" AND " UNESCAPED("TABLE_SCHEMA") " = %1) + (SELECT COUNT(*)" TRIGGER_OF
					  "TABLE_PRIVILEGES" IS_TRIGGER
					  " AND TABLE_SCHEMA = %1"
					  " AND TABLE_NAME = %2)";
static const char may_trigger_everywhere[] =
	"SELECT COUNT(*)" TRIGGER_OF "USER_PRIVILEGES" IS_TRIGGER;

static const char about_triggers[] =
	"SELECT TRIGGER_NAME, EVENT_MANIPULATION"
	" FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = %1"
	" AND EVENT_OBJECT_TABLE = %2 ORDER BY TRIGGER_NAME";

/* ---- asking ---- */

static int ask(struct build *b, const char *sql, const char *more,
	       struct db_result *out)
{
	struct db_stmt stmt = { 0 };
	struct buf text;

	buf_init(&text, &b->arena->as_mem);
	my_put_sql(&text, sql, my_literal(b, b->table->schema),
		   my_literal(b, b->table->name));
	buf_put_text(&text, more);
	if (buf_error(&text) != OK)
		return E_NOMEM;
	stmt.sql = buf_bytes(&text);
	return db_exec(b->db, &stmt, b->arena, out);
}

/* The server refused to say: no right, or it does not know the question. */
static bool is_silent(const struct build *b, int rc)
{
	enum db_class class = db_error(b->db)->class;

	return rc == E_DENIED || (rc == E_INVALID && class == DB_SYNTAX) ||
	       (rc == E_INVALID && class == DB_OTHER);
}

/* Is a count above 0? No, if the server does not say. */
static int ask_whether(struct build *b, const char *sql, bool global, bool *out)
{
	bool revokes = global && !db_is_mariadb(b->db);
	struct db_result r;
	int rc = ask(b, sql, revokes ? UNREVOKED : "", &r);

	*out = rc == OK && r.n_rows == 1 &&
	       value_number(db_value(&r, 0, 0)) > 0;
	return rc != OK && is_silent(b, rc) ? OK : rc;
}

int my_may_trigger(struct build *b, bool *may)
{
	int rc = ask_whether(b, may_trigger_here, false, may);

	if (rc == OK && !*may)
		rc = ask_whether(b, may_trigger_everywhere, true, may);
	return rc;
}

/* ---- foreign keys ---- */

/* MariaDB's list has room for 193 characters and cuts off what is longer. */
static bool is_cut(const struct build *b)
{
	struct bytes parts[2] = { b->table->schema, b->table->name };
	size_t len = 1;

	for (size_t p = 0; p < 2; p++) {
		for (size_t i = 0; i < parts[p].len; i++) {
			uint8_t c = parts[p].data[i];

			len += (c >= 'a' && c <= 'z') ||
					       (c >= 'A' && c <= 'Z') ||
					       (c >= '0' && c <= '9') ||
					       c == '_'
				       ? 1
				       : 5;
		}
	}
	return db_is_mariadb(b->db) && len > 193;
}

static const char *innodb_list(const struct build *b)
{
	return db_is_mariadb(b->db) ? mariadb_list : mysql_list;
}

int my_look(struct build *b, struct value engine, enum my_sight *out)
{
	struct db_result r;
	bool all = false;
	int rc;

	if (value_is(engine, "InnoDB") && !is_cut(b)) {
		rc = ask(b, innodb_list(b), "", &r);
		if (rc == OK)
			*out = MY_INNODB;
		if (rc == OK || !is_silent(b, rc))
			return rc;
	}
	rc = ask_whether(b, may_everywhere, true, &all);
	if (rc == OK)
		*out = all ? MY_LISTED : MY_BLIND;
	return rc;
}

const char *my_foreign_probe(const struct build *b, enum my_sight sight)
{
	if (sight == MY_INNODB)
		return db_is_mariadb(b->db) ? SUM_OF(MARIADB_LIST, MARIADB_REF)
					    : SUM_OF(MYSQL_LIST, MYSQL_REF);
	return sight == MY_LISTED ? listed_sum : "''";
}

/* One row a column. An update of key columns is refused anyway. */
static void judge_foreign_key(struct build *b, const struct db_result *r,
			      size_t i)
{
	size_t at = build_find(b, db_value(r, i, 4).data);
	bool first = i == 0 || !bytes_equal(db_value(r, i, 5).data,
					    db_value(r, i - 1, 5).data);

	if (first && value_is(db_value(r, i, 2), "1"))
		build_hidden(b, ON_DELETE,
			     "foreign key %.*s of table %.*s changes "
			     "rows there when one is deleted here",
			     TEXT(db_value(r, i, 0)), TEXT(db_value(r, i, 1)));
	if (value_is(db_value(r, i, 3), "1") && !table_is_key(b->table, at))
		build_hidden(b, ON_UPDATE,
			     "foreign key %.*s of table %.*s changes "
			     "rows there when one is updated here",
			     TEXT(db_value(r, i, 0)), TEXT(db_value(r, i, 1)));
}

/* The user's name for a GRANT, unquoted parts as CURRENT_USER() has them. */
static int name_user(struct build *b, struct value *out)
{
	struct db_result r;
	int rc = ask(b,
		     "SELECT CONCAT(QUOTE(LEFT(CURRENT_USER(),"
		     " CHAR_LENGTH(CURRENT_USER()) - 1 - CHAR_LENGTH("
		     "SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))), '@',"
		     " QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))",
		     "", &r);

	if (rc == OK)
		*out = db_value(&r, 0, 0);
	return rc;
}

static int judge_unseen(struct build *b, bool more_indexed)
{
	struct value user;
	int rc = name_user(b, &user);

	if (rc != OK)
		return rc;
	build_hidden(b, more_indexed ? ON_DELETE | ON_UPDATE : ON_DELETE,
		     "foreign keys of other tables may change rows there, and "
		     "this user has not the rights to see them; GRANT PROCESS "
		     "ON *.* TO %.*s and connect anew",
		     TEXT(user));
	return OK;
}

int my_judge_foreign_keys(struct build *b, enum my_sight sight,
			  bool more_indexed)
{
	struct db_result r;
	int rc = ask(b, sight == MY_INNODB ? innodb_list(b) : listed, "", &r);

	for (size_t i = 0; rc == OK && i < r.n_rows; i++)
		judge_foreign_key(b, &r, i);
	if (rc == OK && sight == MY_BLIND && b->out->verdict != CATALOG_REFUSED)
		rc = judge_unseen(b, more_indexed);
	return rc;
}

/* ---- triggers ---- */

/* MariaDB shows them to whoever may write the table, seen with 10.11; MySQL
 * only to who has TRIGGER. */
#define SHOWS_TRIGGERS 101100

static int sees_triggers(struct build *b, bool *sees)
{
	*sees = db_is_mariadb(b->db) &&
		mysql_get_server_version(db_mysql(b->db)) >= SHOWS_TRIGGERS;
	return *sees ? OK : my_may_trigger(b, sees);
}

static int judge_unseen_triggers(struct build *b)
{
	struct value user;
	int rc = name_user(b, &user);

	if (rc == OK)
		build_hidden(b, ON_ALL,
			     "triggers may change other rows, and this user "
			     "has not the right to see them; GRANT TRIGGER ON "
			     "`%.*s`.`%.*s` TO %.*s",
			     (int)b->table->schema.len,
			     (const char *)b->table->schema.data,
			     (int)b->table->name.len,
			     (const char *)b->table->name.data, TEXT(user));
	return rc;
}

int my_judge_triggers(struct build *b)
{
	struct db_result r;
	bool sees = false;
	int rc = ask(b, about_triggers, "", &r);

	for (size_t i = 0; rc == OK && i < r.n_rows; i++) {
		struct value event = db_value(&r, i, 1);

		build_hidden(b,
			     value_is(event, "INSERT")   ? ON_INSERT
			     : value_is(event, "UPDATE") ? ON_UPDATE
							 : ON_DELETE,
			     "trigger %.*s may change other rows",
			     TEXT(db_value(&r, i, 0)));
	}
	if (rc == OK && b->out->verdict != CATALOG_REFUSED)
		rc = sees_triggers(b, &sees);
	if (rc == OK && !sees && b->out->verdict != CATALOG_REFUSED)
		rc = judge_unseen_triggers(b);
	return rc;
}
