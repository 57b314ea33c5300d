#include "sqlparse/parser.h"

/*
 * SET and PRAGMA: what a session is told. Most of it is the application's own
 * business; refused is what changes other sessions, how statements are read,
 * or which rows a statement changes.
 */

static bool is_any_text(const struct parser *p, size_t at,
			const char *const list[])
{
	for (size_t i = 0; list[i]; i++) {
		if (is_text_at(p, at, list[i]))
			return true;
	}
	return false;
}

static void refuse_syntax(struct parser *p)
{
	p->st->changes_syntax = true;
	parse_refuse(p, "it changes how statements are read: set it before the "
			"global transaction begins");
}

/* ---- PostgreSQL ---- */

static bool set_postgres(struct parser *p)
{
	static const char *const syntax[] = { "standard_conforming_strings",
					      "client_encoding", "names",
					      NULL };
	static const char *const reach[] = { "session_replication_role",
					     "row_security", NULL };

	if (!accept_word(p, W_SESSION))
		accept_word(p, W_LOCAL);
	if (is_any_text(p, 0, syntax))
		refuse_syntax(p);
	else if (is_any_text(p, 0, reach))
		parse_refuse(
			p, "it changes which rows a statement reaches: set it "
			   "before the global transaction begins");
	else if (!is_name(p, 0))
		return parse_fail(p, "a setting's name behind SET");
	return skip_rest(p);
}

/* ---- MySQL ---- */

static bool is_scope(enum word w)
{
	static const enum word scopes[] = { W_GLOBAL,  W_SESSION,      W_LOCAL,
					    W_PERSIST, W_PERSIST_ONLY, W_NONE };

	return is_one_of(w, scopes);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool starts(struct bytes text, const char *with)
{
	for (size_t i = 0; with[i]; i++) {
		if (i >= text.len || lower(text.data[i]) != (uint8_t)with[i])
			return false;
	}
	return true;
}

/* The name of a system variable without @@ and scope; a user's has none. */
static struct bytes variable(struct parser *p, bool *global)
{
	static const char *const scopes[] = { "global.", "persist.",
					      "persist_only.", "session.",
					      "local." };
	struct bytes name = token_text(p, take_token(p));

	if (name.data[0] == '@' && !(name.len > 1 && name.data[1] == '@'))
		return (struct bytes){ NULL, 0 };
	if (name.data[0] == '@')
		name = (struct bytes){ name.data + 2, name.len - 2 };
	else if (name.data[0] == '`' && name.len > 2)
		name = (struct bytes){ name.data + 1, name.len - 2 };
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		size_t n = bytes_of(scopes[i]).len;

		if (!starts(name, scopes[i]))
			continue;
		*global |= i < 3;
		return (struct bytes){ name.data + n, name.len - n };
	}
	return name;
}

/* ON and ALL are reserved, but values here. */
static bool set_value(struct parser *p, struct sql_expr *out)
{
	enum token_kind behind = token_ahead(p, 1)->kind;
	size_t from = p->pos;
	unsigned outer;

	if (!is_kind(p, T_WORD) || (behind != T_COMMA && behind != T_END))
		return parse_expr(p, out);
	expr_begin(p, &outer);
	take_token(p);
	return expr_end(p, from, outer, out);
}

static bool same(struct bytes name, const char *known)
{
	return sql_same_name(SQL_MYSQL, name, bytes_of(known));
}

/* SET autocommit = ...; the value must be plain. */
static bool set_autocommit(struct parser *p, const struct sql_expr *value)
{
	struct bytes text = sql_text(p->script, value->span);

	p->st->kind = SQL_TXN;
	p->st->txn.sort = SQL_TXN_AUTOCOMMIT;
	p->st->txn.autocommit = same(text, "1") || same(text, "on") ||
				same(text, "true") || same(text, "'on'") ||
				same(text, "default");
	if (!p->st->txn.autocommit && !same(text, "0") && !same(text, "off") &&
	    !same(text, "false") && !same(text, "'off'"))
		parse_refuse(
			p, "autocommit's new value is not plain: write 0 or 1");
	return true;
}

static void check_variable(struct parser *p, struct bytes name)
{
	static const char *const syntax[] = { "sql_mode",
					      "character_set_client",
					      "character_set_connection",
					      "collation_connection", NULL };
	static const char *const reach[] = { "sql_select_limit",
					     "completion_type",
					     "sql_safe_updates",
					     "sql_auto_is_null",
					     "foreign_key_checks",
					     "unique_checks",
					     NULL };

	for (size_t i = 0; syntax[i]; i++) {
		if (same(name, syntax[i]))
			refuse_syntax(p);
	}
	for (size_t i = 0; reach[i]; i++) {
		if (same(name, reach[i]))
			parse_refuse(
				p, "it changes which rows a statement reaches: "
				   "set it before the global transaction "
				   "begins");
	}
}

/* One a = b of the list. */
static bool set_variable(struct parser *p, size_t *autocommits)
{
	struct sql_expr value;
	struct bytes name;
	bool global = false;

	if (is_kind(p, T_WORD) && is_scope(peek_token(p)->word) &&
	    is_name(p, 1)) {
		global = !is_word(p, W_SESSION) && !is_word(p, W_LOCAL);
		take_token(p);
	}
	if (!is_name(p, 0) && !is_kind(p, T_VARIABLE))
		return parse_fail(p, "a variable behind SET");
	name = variable(p, &global);
	if (!accept_op(p, "=") && !accept_op(p, ":="))
		return parse_fail(p, "=");
	if (!set_value(p, &value))
		return false;
	if (global)
		parse_refuse(p, "SET GLOBAL changes the server for everybody");
	check_variable(p, name);
	if (!same(name, "autocommit"))
		return true;
	++*autocommits;
	return set_autocommit(p, &value);
}

static bool set_mysql(struct parser *p)
{
	size_t autocommits = 0, n = 0;

	if (is_text_at(p, 0, "names") || is_text_at(p, 0, "charset") ||
	    (is_text_at(p, 0, "character") && is_text_at(p, 1, "set"))) {
		refuse_syntax(p);
		return skip_rest(p);
	}
	if (is_word(p, W_STATEMENT)) {
		parse_refuse(p,
			     "SET STATEMENT hides a statement: run it on its "
			     "own");
		return skip_rest(p);
	}
	if (is_word(p, W_PASSWORD) || is_word(p, W_DEFAULT)) {
		p->st->kind = SQL_DDL;
		parse_refuse(p, "accounts cannot be changed in a global "
				"transaction");
		return skip_rest(p);
	}
	if (is_word(p, W_ROLE) && !(token_ahead(p, 1)->kind == T_OP))
		return skip_rest(p);
	do {
		if (!set_variable(p, &autocommits))
			return false;
		n++;
	} while (accept_kind(p, T_COMMA));
	if (autocommits > 0 && n > 1)
		parse_refuse(
			p, "autocommit is set together with other things: set "
			   "it alone");
	return true;
}

bool set_statement(struct parser *p)
{
	p->st->kind = SQL_SESSION;
	take_token(p);
	if (p->dialect == SQL_POSTGRES)
		return set_postgres(p);
	return set_mysql(p);
}

/* ---- SQLite ---- */

static const char *const pragma_reads[] = {
	"table_info",
	"table_xinfo",
	"table_list",
	"index_list",
	"index_info",
	"index_xinfo",
	"foreign_key_list",
	"foreign_key_check",
	"integrity_check",
	"quick_check",
	"database_list",
	"collation_list",
	"function_list",
	"module_list",
	"pragma_list",
	"compile_options",
	NULL,
};

/* Told to the connection only. */
static const char *const pragma_session[] = {
	"busy_timeout",       "cache_size",
	"cache_spill",        "mmap_size",
	"temp_store",         "threads",
	"analysis_limit",     "soft_heap_limit",
	"hard_heap_limit",    "query_only",
	"journal_size_limit", "wal_autocheckpoint",
	"automatic_index",    NULL,
};

/* These act even when asked without a value. */
static const char *const pragma_acts[] = {
	"optimize", "wal_checkpoint", "incremental_vacuum", "shrink_memory",
	NULL,
};

bool pragma_statement(struct parser *p)
{
	size_t name = 0;

	p->st->kind = SQL_SESSION;
	take_token(p);
	if (is_name(p, 0) && token_ahead(p, 1)->kind == T_DOT)
		name = 2;
	if (!is_name(p, name))
		return parse_fail(p, "a pragma's name");
	if (is_any_text(p, name, pragma_reads) ||
	    (token_ahead(p, name + 1)->kind == T_END &&
	     !is_any_text(p, name, pragma_acts)))
		p->st->kind = SQL_READ;
	else if (!is_any_text(p, name, pragma_session))
		parse_refuse(
			p,
			"this PRAGMA changes the database or what statements "
			"do: use it before the global transaction begins");
	return skip_rest(p);
}
