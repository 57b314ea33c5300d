#include "sqlparse/parser.h"

/*
 * What a statement is, by its first words, and the verdict on it.
 */

enum { P = 1 << SQL_POSTGRES, M = 1 << SQL_MYSQL, S = 1 << SQL_SQLITE };

static const char ddl[] =
	"a change of the schema cannot be undone with the global transaction: "
	"run it outside of one";
static const char admin[] =
	"administration is no part of a global transaction: run it outside "
	"of one";
static const char bulk[] =
	"bulk loading takes no images of the rows: use INSERT";
static const char call[] =
	"what a procedure or an anonymous block changes cannot be seen: send "
	"its statements themselves";
static const char prepare[] =
	"a statement prepared in SQL hides what it changes: use the agent's "
	"prepare call";
static const char truncated[] = "TRUNCATE cannot be undone: use DELETE";
static const char merge[] =
	"MERGE is not protected: use INSERT with ON CONFLICT, or UPDATE and "
	"INSERT";
static const char notify[] =
	"a notification cannot be called back: send it after the global "
	"transaction";
static const char tables[] =
	"LOCK TABLES commits what was done before: use SELECT FOR UPDATE";
static const char attach[] =
	"attach and detach databases before the global transaction begins";
static const char discard[] =
	"DISCARD resets what the agent relies on: use RESET";
static const char procedure_only[] =
	"this statement has a meaning in stored procedures only";

/* Statements that are known by their first word and looked at no further.
 * Without a reason they pass. */
static const struct starter {
	enum word word;
	unsigned dialects;
	enum sql_kind kind;
	const char *reason;
} starters[] = {
	{ W_SHOW, P | M, SQL_READ, NULL },
	{ W_FETCH, P, SQL_READ, NULL },
	{ W_MOVE, P, SQL_READ, NULL },
	{ W_HANDLER, M, SQL_READ, NULL },
	{ W_HELP, M, SQL_READ, NULL },
	{ W_CHECKSUM, M, SQL_READ, NULL },
	{ W_USE, M, SQL_SESSION, NULL },
	{ W_RESET, P, SQL_SESSION, NULL },
	{ W_LISTEN, P, SQL_SESSION, NULL },
	{ W_UNLISTEN, P, SQL_SESSION, NULL },
	{ W_DEALLOCATE, P | M, SQL_SESSION, NULL },
	{ W_CLOSE, P, SQL_SESSION, NULL },
	{ W_GET, M, SQL_SESSION, NULL },
	{ W_DISCARD, P, SQL_SESSION, discard },
	{ W_NOTIFY, P, SQL_SESSION, notify },
	{ W_ATTACH, S, SQL_SESSION, attach },
	{ W_DETACH, S, SQL_SESSION, attach },
	{ W_CREATE, P | M | S, SQL_DDL, ddl },
	{ W_ALTER, P | M | S, SQL_DDL, ddl },
	{ W_DROP, P | M | S, SQL_DDL, ddl },
	{ W_RENAME, M, SQL_DDL, ddl },
	{ W_COMMENT, P, SQL_DDL, ddl },
	{ W_GRANT, P | M, SQL_DDL, ddl },
	{ W_REVOKE, P | M, SQL_DDL, ddl },
	{ W_SECURITY, P, SQL_DDL, ddl },
	{ W_REFRESH, P, SQL_DDL, ddl },
	{ W_REASSIGN, P, SQL_DDL, ddl },
	{ W_IMPORT, P | M, SQL_DDL, ddl },
	{ W_TRUNCATE, P | M, SQL_TRUNCATE, truncated },
	{ W_COPY, P, SQL_BULK, bulk },
	{ W_LOAD, M, SQL_BULK, bulk },
	{ W_LOAD, P, SQL_ADMIN, admin },
	{ W_CALL, P | M, SQL_CALL, call },
	{ W_DO, P | M, SQL_CALL, call },
	{ W_EXECUTE, P | M, SQL_CALL, prepare },
	{ W_PREPARE, P | M, SQL_CALL, prepare },
	{ W_MERGE, P, SQL_MERGE, merge },
	{ W_LOCK, P, SQL_LOCK_TABLES, NULL },
	{ W_LOCK, M, SQL_LOCK_TABLES, tables },
	{ W_UNLOCK, M, SQL_LOCK_TABLES, tables },
	{ W_VACUUM, P | S, SQL_ADMIN, admin },
	{ W_ANALYZE, P | M | S, SQL_ADMIN, admin },
	{ W_ANALYSE, P, SQL_ADMIN, admin },
	{ W_REINDEX, P | S, SQL_ADMIN, admin },
	{ W_CLUSTER, P, SQL_ADMIN, admin },
	{ W_CHECKPOINT, P, SQL_ADMIN, admin },
	{ W_OPTIMIZE, M, SQL_ADMIN, admin },
	{ W_REPAIR, M, SQL_ADMIN, admin },
	{ W_CHECK, M, SQL_ADMIN, admin },
	{ W_FLUSH, M, SQL_ADMIN, admin },
	{ W_RESET, M, SQL_ADMIN, admin },
	{ W_PURGE, M, SQL_ADMIN, admin },
	{ W_CHANGE, M, SQL_ADMIN, admin },
	{ W_START, M, SQL_ADMIN, admin },
	{ W_STOP, M, SQL_ADMIN, admin },
	{ W_INSTALL, M, SQL_ADMIN, admin },
	{ W_UNINSTALL, M, SQL_ADMIN, admin },
	{ W_CLONE, M, SQL_ADMIN, admin },
	{ W_SHUTDOWN, M, SQL_ADMIN, admin },
	{ W_RESTART, M, SQL_ADMIN, admin },
	{ W_BINLOG, M, SQL_ADMIN, admin },
	{ W_CACHE, M, SQL_ADMIN, admin },
	{ W_KILL, M, SQL_ADMIN, admin },
	{ W_BACKUP, M, SQL_ADMIN, admin },
	{ W_SIGNAL, M, SQL_CALL, procedure_only },
	{ W_RESIGNAL, M, SQL_CALL, procedure_only },
};

static const struct starter *find_starter(const struct parser *p)
{
	for (size_t i = 0; is_kind(p, T_WORD) && i < ARRAY_LEN(starters); i++) {
		if (starters[i].word == peek_token(p)->word &&
		    (starters[i].dialects & (1u << p->dialect)))
			return &starters[i];
	}
	return NULL;
}

/* ---- SELECT ---- */

static void judge_query(struct parser *p)
{
	struct sql_statement *st = p->st;

	st->kind = SQL_READ;
	if (p->with_write != SQL_UNKNOWN)
		st->kind = p->with_write;
	else if (st->n_locks > 0 || (p->flags & SQL_HAS_LOCK))
		st->kind = SQL_SELECT_LOCK;
	if (st->n_locks == 0 && st->kind == SQL_SELECT_LOCK)
		parse_refuse(p,
			     "rows are locked inside a sub-query, where their "
			     "global locks cannot be checked: lock them in the "
			     "outermost SELECT");
	if (p->into == INTO_TABLE || p->into == INTO_FILE)
		st->target = (struct sql_table){ 0 };
	if (p->into == INTO_TABLE) {
		st->kind = SQL_DDL;
		parse_refuse(p, ddl);
	}
	if (p->into == INTO_FILE) {
		st->kind = SQL_BULK;
		parse_refuse(
			p, "a file cannot be called back: write it outside of "
			   "the global transaction");
	}
}

static bool select_statement(struct parser *p)
{
	if (!parse_query(p, p->st))
		return false;
	judge_query(p);
	return true;
}

/* PostgreSQL: DECLARE c CURSOR FOR SELECT ... */
static bool declare_statement(struct parser *p)
{
	while (!is_kind(p, T_END) && !is_word(p, W_FOR))
		take_token(p);
	if (!expect_word(p, W_FOR) || !select_statement(p))
		return false;
	if (p->st->kind != SQL_READ)
		parse_refuse(
			p, "which rows a cursor locks is not known before they "
			   "are fetched: use SELECT FOR UPDATE itself");
	return true;
}

/* ---- EXPLAIN ---- */

/* Whether EXPLAIN's (options) ask to run the statement. */
static bool options_analyze(struct parser *p)
{
	bool analyze = false;

	for (; !is_kind(p, T_END) && !is_kind(p, T_RIGHT); take_token(p)) {
		if (!is_word(p, W_ANALYZE) && !is_word(p, W_ANALYSE))
			continue;
		analyze = !is_text_at(p, 1, "false") &&
			  !is_text_at(p, 1, "off") && !is_text_at(p, 1, "0") &&
			  token_ahead(p, 1)->kind != T_STRING;
		/* A quoted value is not worth a mistake. */
		analyze |= token_ahead(p, 1)->kind == T_STRING;
	}
	accept_kind(p, T_RIGHT);
	return analyze;
}

/* The statement behind EXPLAIN ANALYZE runs: only a read may. */
static bool explain_analyzed(struct parser *p)
{
	if (!nest_enter(p) || !parse_statement(p))
		return false;
	nest_leave(p);
	if (p->st->kind != SQL_READ)
		parse_refuse(
			p, "EXPLAIN ANALYZE runs the statement: leave ANALYZE "
			   "away");
	return true;
}

/* Words up to the statement; *analyze if it will run. */
static void explain_words(struct parser *p, bool *analyze)
{
	if (p->dialect == SQL_POSTGRES && accept_kind(p, T_LEFT)) {
		*analyze = options_analyze(p);
		return;
	}
	for (;;) {
		if (is_word(p, W_ANALYZE) || is_word(p, W_ANALYSE))
			*analyze = true;
		else if (p->dialect == SQL_MYSQL && is_word(p, W_FORMAT) &&
			 token_ahead(p, 1)->kind == T_OP)
			p->pos += 2;
		else if (!is_word(p, W_VERBOSE) && !is_word(p, W_EXTENDED))
			return;
		take_token(p);
	}
}

bool explain_statement(struct parser *p)
{
	bool analyze = is_word(p, W_ANALYZE); /* MariaDB's ANALYZE UPDATE */

	take_token(p);
	if (p->dialect != SQL_SQLITE)
		explain_words(p, &analyze);
	if (analyze)
		return explain_analyzed(p);
	p->st->kind = SQL_READ;
	return skip_rest(p);
}

/* MariaDB's ANALYZE of a statement, not of tables. */
static bool is_analyzed(const struct parser *p)
{
	return is_word(p, W_ANALYZE) && p->dialect == SQL_MYSQL &&
	       !is_word_at(p, 1, W_TABLE) && !is_text_at(p, 1, "tables") &&
	       !is_word_at(p, 1, W_LOCAL) &&
	       !is_text_at(p, 1, "no_write_to_binlog");
}

/* ---- any statement ---- */

static bool write_or_query(struct parser *p, bool *is)
{
	*is = true;
	switch (peek_token(p)->kind == T_WORD ? peek_token(p)->word : W_NONE) {
	case W_INSERT:
		return insert_statement(p);
	case W_REPLACE:
		if (p->dialect != SQL_POSTGRES)
			return insert_statement(p);
		break;
	case W_UPDATE:
		return update_statement(p);
	case W_DELETE:
		return delete_statement(p);
	case W_SELECT:
	case W_VALUES:
		return select_statement(p);
	case W_TABLE:
		if (p->dialect != SQL_SQLITE)
			return select_statement(p);
		break;
	default:
		break;
	}
	if (is_kind(p, T_LEFT) && p->dialect != SQL_SQLITE)
		return select_statement(p);
	*is = false;
	return true;
}

static bool with_statement(struct parser *p)
{
	size_t from = p->pos;
	bool is;

	if (!with_clause(p))
		return false;
	p->st->with = span_of(p, from, p->pos);
	if (is_word(p, W_MERGE) && p->dialect == SQL_POSTGRES) {
		p->st->kind = SQL_MERGE;
		parse_refuse(p, merge);
		return skip_rest(p);
	}
	if (!write_or_query(p, &is))
		return false;
	return is ||
	       parse_fail(p, "SELECT, INSERT, UPDATE or DELETE behind WITH");
}

static bool other(struct parser *p)
{
	const struct starter *s = find_starter(p);

	if (!s)
		return parse_fail(p, "a statement that is known here");
	p->st->kind = s->kind;
	if (s->reason)
		parse_refuse(p, s->reason);
	return skip_rest(p);
}

static bool by_first_word(struct parser *p)
{
	bool is;

	if (!write_or_query(p, &is))
		return false;
	if (is)
		return true;
	if (!txn_statement(p, &is))
		return false;
	if (is)
		return true;
	switch (is_kind(p, T_WORD) ? peek_token(p)->word : W_NONE) {
	case W_WITH:
		return with_statement(p);
	case W_EXPLAIN:
		return explain_statement(p);
	case W_DESCRIBE:
	case W_DESC:
		if (p->dialect != SQL_MYSQL)
			break;
		return explain_statement(p);
	case W_SET:
		if (p->dialect == SQL_SQLITE)
			break;
		return set_statement(p);
	case W_PRAGMA:
		if (p->dialect != SQL_SQLITE)
			break;
		return pragma_statement(p);
	case W_DECLARE:
		if (p->dialect != SQL_POSTGRES)
			break;
		return declare_statement(p);
	default:
		break;
	}
	return is_analyzed(p) ? explain_statement(p) : other(p);
}

bool parse_statement(struct parser *p)
{
	if (!by_first_word(p))
		return false;
	return is_kind(p, T_END) || parse_fail(p, "the end of the statement");
}
