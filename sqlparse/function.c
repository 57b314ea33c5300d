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

static const char *const aggregates[] = {
	"any_value",
	"array_agg",
	"avg",
	"bit_and",
	"bit_or",
	"bit_xor",
	"bool_and",
	"bool_or",
	"count",
	"every",
	"group_concat",
	"json_agg",
	"json_arrayagg",
	"json_group_array",
	"json_group_object",
	"json_object_agg",
	"json_objectagg",
	"jsonb_agg",
	"jsonb_object_agg",
	"max",
	"min",
	"std",
	"stddev",
	"stddev_pop",
	"stddev_samp",
	"string_agg",
	"sum",
	"total",
	"var_pop",
	"var_samp",
	"variance",
	"xmlagg",
};

/* Of every dialect that has them, these depend on nothing but their arguments
 * (or, count() and its like, on the rows). Types that look like calls too. */
static const char *const plain[] = {
	"abs",
	"any",
	"all",
	"some",
	"array",
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
	"dec",
	"decimal",
	"dense_rank",
	"exists",
	"extract",
	"first_value",
	"floor",
	"greatest",
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
	"substr",
	"substring",
	"trim",
	"trunc",
	"truncate",
	"upper",
	"values",
	"varchar",
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

static bool in_list(struct bytes name, const char *const list[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (same(name, list[i]))
			return true;
	}
	return false;
}

unsigned function_flags(enum sql_dialect dialect, struct bytes name)
{
	if (is_volatile(dialect, name))
		return SQL_HAS_VOLATILE | SQL_HAS_CALL;
	if (in_list(name, aggregates, ARRAY_LEN(aggregates)))
		return SQL_HAS_AGGREGATE;
	if (in_list(name, plain, ARRAY_LEN(plain)))
		return 0;
	return SQL_HAS_CALL;
}

unsigned bare_word_flags(enum sql_dialect dialect, struct bytes name)
{
	static const char *const bare[] = {
		"current_timestamp", "current_date",   "current_time",
		"localtime",         "localtimestamp", "utc_timestamp",
		"utc_date",          "utc_time",       "sysdate",
	};

	if (in_list(name, bare, ARRAY_LEN(bare)))
		return function_flags(dialect, name);
	return SQL_HAS_COLUMN;
}
