#include "sqlparse/parser.h"

/*
 * Which functions may answer differently to the same question within one
 * transaction, and which are known to be free of surprises. Anything in
 * neither list is merely a call.
 */

enum { P = 1 << SQL_POSTGRES, M = 1 << SQL_MYSQL, S = 1 << SQL_SQLITE };

struct function {
	const char *name;
	unsigned dialects;
};

static const struct function volatiles[] = {
	{ "random", P | S },
	{ "rand", M },
	{ "setseed", P },
	{ "random_normal", P },
	{ "gen_random_uuid", P },
	{ "uuidv4", P },
	{ "uuidv7", P },
	{ "uuid_generate_v1", P },
	{ "uuid_generate_v1mc", P },
	{ "uuid_generate_v4", P },
	{ "gen_random_bytes", P },
	{ "nextval", P | M },
	{ "setval", P | M },
	{ "currval", P },
	{ "lastval", P | M },
	{ "clock_timestamp", P },
	{ "timeofday", P },
	{ "statement_timestamp", P },
	{ "pg_advisory_lock", P },
	{ "pg_advisory_xact_lock", P },
	{ "pg_try_advisory_lock", P },
	{ "pg_try_advisory_xact_lock", P },
	{ "pg_sleep", P },
	{ "set_config", P },
	{ "current_setting", P },
	{ "txid_current", P },
	{ "pg_notify", P },
	{ "uuid", M },
	{ "uuid_short", M },
	{ "sys_guid", M },
	{ "random_bytes", M },
	{ "now", M },
	{ "sysdate", M },
	{ "curdate", M },
	{ "curtime", M },
	{ "current_timestamp", M | S },
	{ "current_date", M | S },
	{ "current_time", M | S },
	{ "localtime", M },
	{ "localtimestamp", M },
	{ "utc_timestamp", M },
	{ "utc_date", M },
	{ "utc_time", M },
	{ "unix_timestamp", M },
	{ "last_insert_id", M },
	{ "row_count", M },
	{ "found_rows", M },
	{ "get_lock", M },
	{ "release_lock", M },
	{ "is_free_lock", M },
	{ "sleep", M },
	{ "benchmark", M },
	{ "connection_id", M },
	{ "load_file", M },
	{ "randomblob", S },
	{ "last_insert_rowid", S },
	{ "changes", S },
	{ "total_changes", S },
	/* SQLite's take 'now', in the text or from a parameter. */
	{ "date", S },
	{ "time", S },
	{ "datetime", S },
	{ "julianday", S },
	{ "unixepoch", S },
	{ "strftime", S },
	{ "timediff", S },
};

/* Of every dialect that has them, these depend on nothing but their arguments
 * (or, count() and its like, on the rows). Types that look like calls too. */
static const char *const plain[] = {
	"abs",
	"any",
	"all",
	"some",
	"array",
	"avg",
	"bigint",
	"bit",
	"cast",
	"ceil",
	"ceiling",
	"char",
	"char_length",
	"coalesce",
	"concat",
	"concat_ws",
	"convert",
	"count",
	"dec",
	"decimal",
	"dense_rank",
	"exists",
	"extract",
	"first_value",
	"floor",
	"greatest",
	"group_concat",
	"if",
	"ifnull",
	"iif",
	"instr",
	"int",
	"integer",
	"lag",
	"last_value",
	"lead",
	"least",
	"length",
	"lower",
	"lpad",
	"ltrim",
	"max",
	"min",
	"mod",
	"not",
	"ntile",
	"nullif",
	"numeric",
	"octet_length",
	"overlay",
	"position",
	"pow",
	"power",
	"rank",
	"replace",
	"reverse",
	"round",
	"row",
	"row_number",
	"rpad",
	"rtrim",
	"sign",
	"sqrt",
	"string_agg",
	"substr",
	"substring",
	"sum",
	"total",
	"trim",
	"trunc",
	"truncate",
	"upper",
	"values",
	"varchar",
	"array_agg",
	"date_trunc",
	"date_part",
	"in",
	"and",
	"or",
	"over",
	"filter",
	"left",
	"right",
	"date_add",
	"date_sub",
	"datediff",
	"timestampdiff",
	"repeat",
	"hex",
	"unhex",
	"md5",
	"sha1",
	"sha2",
	"to_char",
	"to_date",
	"typeof",
	"json_extract",
	"generate_series",
	"unnest",
	"when",
	"then",
	"else",
	"between",
	"like",
	"is",
	"interval",
	"partition",
	"by",
	"on",
	"from",
	"where",
	"as",
	"distinct",
	"using",
	"regexp",
	"union",
	"select",
	"rows",
	"within",
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static bool same(struct bytes name, const char *known)
{
	for (size_t i = 0; i < name.len; i++) {
		if (lower(name.data[i]) != (uint8_t)known[i])
			return false; /* its NUL too */
	}
	return known[name.len] == 0;
}

static bool is_volatile(enum sql_dialect dialect, struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(volatiles); i++) {
		if ((volatiles[i].dialects & (1u << dialect)) &&
		    same(name, volatiles[i].name))
			return true;
	}
	return false;
}

unsigned function_flags(enum sql_dialect dialect, struct bytes name)
{
	if (is_volatile(dialect, name))
		return SQL_HAS_VOLATILE | SQL_HAS_CALL;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (same(name, plain[i]))
			return 0;
	}
	return SQL_HAS_CALL;
}

unsigned bare_word_flags(enum sql_dialect dialect, struct bytes name)
{
	static const char *const bare[] = {
		"current_timestamp", "current_date",   "current_time",
		"localtime",         "localtimestamp", "utc_timestamp",
		"utc_date",          "utc_time",       "sysdate",
	};

	for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
		if (same(name, bare[i]))
			return function_flags(dialect, name);
	}
	return SQL_HAS_COLUMN;
}
