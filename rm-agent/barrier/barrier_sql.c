#include "rm-agent/barrier/barrier_sql.h"

#define WORD_MAX   45 /* bytes, as the columns are wide */
#define ID_MAX     128
#define NUMBER_MAX 9999

/* ---- names ---- */

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

/* The length of the word at p; 0 if there is none. */
static size_t word_len(const char *p)
{
	size_t n = 0;

	if (*p >= '0' && *p <= '9')
		return 0;
	while (is_word_char(p[n]))
		n++;
	return n <= 63 ? n : 0;
}

bool barrier_table_ok(const char *table)
{
	size_t n = word_len(table);

	if (n > 0 && table[n] == '.') {
		table += n + 1;
		n = word_len(table);
	}
	return n > 0 && table[n] == '\0';
}

/* No blanks: MySQL compares without those at the end. No other letters: what
 * two sessions with different character sets write must be one row. */
static bool is_plain(const char *text, size_t max)
{
	size_t n = 0;

	if (!text)
		return false;
	for (; text[n]; n++)
		if (n == max || text[n] < 0x21 || text[n] > 0x7e)
			return false;
	return n > 0;
}

int barrier_check(const struct treaty_barrier *b, const char **why)
{
	*why = NULL;
	if (!is_plain(b->trans_type, WORD_MAX))
		*why = "its trans_type is not 1 to 45 visible ASCII letters";
	else if (!is_plain(b->gid, ID_MAX))
		*why = "its gid is not 1 to 128 visible ASCII letters";
	else if (!is_plain(b->branch_id, ID_MAX))
		*why = "its branch_id is not 1 to 128 visible ASCII letters";
	else if (!is_plain(b->op, WORD_MAX))
		*why = "its op is not 1 to 45 visible ASCII letters";
	else if (b->number > NUMBER_MAX)
		*why = "its number is above 9999";
	else if (b->table && !barrier_table_ok(b->table))
		*why = "its table is not \"name\" or \"schema.name\"";
	return *why ? E_INVALID : OK;
}

const char *barrier_origin(const char *op)
{
	if (strcmp(op, "cancel") == 0)
		return "try";
	if (strcmp(op, "compensate") == 0 || strcmp(op, "rollback") == 0)
		return "action";
	return NULL;
}

/* ---- rows ---- */

#define COLUMNS "trans_type, gid, branch_id, op, barrier_id, reason"
#define TIMES   ", create_time, update_time"
#define UNIQUE  "gid, branch_id, op, barrier_id"

/* MySQL's time is UTC, which no session's time zone changes. */
void barrier_sql_insert(struct buf *out, enum dialect d, const char *table)
{
	switch (d) {
	case DIALECT_POSTGRES:
		buf_printf(out,
			   "INSERT INTO %s (" COLUMNS TIMES ") VALUES "
			   "($1, $2, $3, $4, $5, $6, now(), now()) "
			   "ON CONFLICT (" UNIQUE ") DO NOTHING",
			   table);
		return;
	case DIALECT_MYSQL:
		buf_printf(out,
			   "INSERT IGNORE INTO %s (" COLUMNS TIMES ") VALUES "
			   "(?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(),"
			   " UTC_TIMESTAMP())",
			   table);
		return;
	case DIALECT_SQLITE:
		buf_printf(out,
			   "INSERT INTO %s (" COLUMNS TIMES ") VALUES "
			   "(?, ?, ?, ?, ?, ?, datetime('now'),"
			   " datetime('now')) "
			   "ON CONFLICT (" UNIQUE ") DO NOTHING",
			   table);
		return;
	}
}

/* On MySQL a plain SELECT may show an old snapshot without the row that the
 * INSERT has just met; it holds the shared lock already. */
void barrier_sql_reason(struct buf *out, enum dialect d, const char *table)
{
	if (d == DIALECT_POSTGRES)
		buf_printf(out,
			   "SELECT reason FROM %s WHERE gid = $1 AND "
			   "branch_id = $2 AND op = $3 AND barrier_id = $4",
			   table);
	else
		buf_printf(out,
			   "SELECT reason FROM %s WHERE gid = ? AND "
			   "branch_id = ? AND op = ? AND barrier_id = ?%s",
			   table,
			   d == DIALECT_MYSQL ? " LOCK IN SHARE MODE" : "");
}

void barrier_sql_purge(struct buf *out, enum dialect d, const char *table,
		       uint64_t older_than_s, uint32_t rows_max)
{
	const unsigned long long age = older_than_s;

	switch (d) {
	case DIALECT_POSTGRES:
		buf_printf(out,
			   "DELETE FROM %s WHERE id IN (SELECT id FROM %s "
			   "WHERE create_time < now() - %llu * "
			   "interval '1 second' LIMIT %u)",
			   table, table, age, (unsigned)rows_max);
		return;
	case DIALECT_MYSQL:
		buf_printf(out,
			   "DELETE FROM %s WHERE create_time < UTC_TIMESTAMP()"
			   " - INTERVAL %llu SECOND LIMIT %u",
			   table, age, (unsigned)rows_max);
		return;
	case DIALECT_SQLITE:
		buf_printf(out,
			   "DELETE FROM %s WHERE id IN (SELECT id FROM %s "
			   "WHERE create_time < "
			   "datetime('now', '-%llu seconds') LIMIT %u)",
			   table, table, age, (unsigned)rows_max);
		return;
	}
}

/* ---- the table ---- */

#define PG_TABLE(name)                                                         \
	"CREATE TABLE IF NOT EXISTS " name " (\n"                              \
	"  id bigserial PRIMARY KEY,\n"                                        \
	"  trans_type varchar(45) NOT NULL DEFAULT '',\n"                      \
	"  gid varchar(128) NOT NULL DEFAULT '',\n"                            \
	"  branch_id varchar(128) NOT NULL DEFAULT '',\n"                      \
	"  op varchar(45) NOT NULL DEFAULT '',\n"                              \
	"  barrier_id varchar(45) NOT NULL DEFAULT '',\n"                      \
	"  reason varchar(45) NOT NULL DEFAULT '',\n"                          \
	"  create_time timestamptz(0) DEFAULT now(),\n"                        \
	"  update_time timestamptz(0) DEFAULT now(),\n"                        \
	"  UNIQUE (gid, branch_id, op, barrier_id)\n)"

#define PG_INDEX(name, last)                                                   \
	"CREATE INDEX IF NOT EXISTS " last "_create_time ON " name             \
	" (create_time)"

#define MYSQL_TABLE(name)                                                      \
	"CREATE TABLE IF NOT EXISTS " name " (\n"                              \
	"  id bigint PRIMARY KEY AUTO_INCREMENT,\n"                            \
	"  trans_type varchar(45) NOT NULL DEFAULT '',\n"                      \
	"  gid varchar(128) NOT NULL DEFAULT '',\n"                            \
	"  branch_id varchar(128) NOT NULL DEFAULT '',\n"                      \
	"  op varchar(45) NOT NULL DEFAULT '',\n"                              \
	"  barrier_id varchar(45) NOT NULL DEFAULT '',\n"                      \
	"  reason varchar(45) NOT NULL DEFAULT '',\n"                          \
	"  create_time datetime DEFAULT NULL,\n"                               \
	"  update_time datetime DEFAULT NULL,\n"                               \
	"  UNIQUE KEY (gid, branch_id, op, barrier_id),\n"                     \
	"  KEY (create_time)\n"                                                \
	") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"

#define SQLITE_TABLE(name)                                                     \
	"CREATE TABLE IF NOT EXISTS " name " (\n"                              \
	"  id integer PRIMARY KEY AUTOINCREMENT,\n"                            \
	"  trans_type varchar(45) NOT NULL DEFAULT '',\n"                      \
	"  gid varchar(128) NOT NULL DEFAULT '',\n"                            \
	"  branch_id varchar(128) NOT NULL DEFAULT '',\n"                      \
	"  op varchar(45) NOT NULL DEFAULT '',\n"                              \
	"  barrier_id varchar(45) NOT NULL DEFAULT '',\n"                      \
	"  reason varchar(45) NOT NULL DEFAULT '',\n"                          \
	"  create_time datetime DEFAULT CURRENT_TIMESTAMP,\n"                  \
	"  update_time datetime DEFAULT CURRENT_TIMESTAMP,\n"                  \
	"  UNIQUE (gid, branch_id, op, barrier_id)\n)"

/* `whole` is the table's name with its schema, `last` without. */
#define SQLITE_INDEX(whole, last)                                              \
	"CREATE INDEX IF NOT EXISTS " whole "_create_time ON " last            \
	" (create_time)"

static const char *const ddl[] = {
	[TREATY_POSTGRESQL] =
		PG_TABLE("barrier") ";\n" PG_INDEX("barrier", "barrier") ";\n",
	[TREATY_MYSQL] = MYSQL_TABLE("barrier") ";\n",
	[TREATY_SQLITE] = SQLITE_TABLE("barrier") ";\n" SQLITE_INDEX(
		"barrier", "barrier") ";\n",
};

const char *treaty_barrier_ddl(int database)
{
	return database >= 0 && (size_t)database < ARRAY_LEN(ddl)
		       ? ddl[database]
		       : NULL;
}

bool barrier_sql_create(struct buf *out, enum dialect d, const char *table,
			unsigned i)
{
	const char *dot = strchr(table, '.');
	const char *last = dot ? dot + 1 : table;

	if (i > (d == DIALECT_MYSQL ? 0 : 1))
		return false;
	switch (d) {
	case DIALECT_POSTGRES:
		if (i == 0)
			buf_printf(out, PG_TABLE("%s"), table);
		else
			buf_printf(out, PG_INDEX("%s", "%s"), last, table);
		break;
	case DIALECT_MYSQL:
		buf_printf(out, MYSQL_TABLE("%s"), table);
		break;
	case DIALECT_SQLITE:
		if (i == 0)
			buf_printf(out, SQLITE_TABLE("%s"), table);
		else
			buf_printf(out, SQLITE_INDEX("%s", "%s"), table, last);
		break;
	}
	return true;
}
