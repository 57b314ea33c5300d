#include "sqlparse/parser.h"

/*
 * Transaction control, where the dialects agree on the words and on little
 * else.
 */

static bool done(struct parser *p, enum sql_txn_sort sort)
{
	p->st->kind = SQL_TXN;
	p->st->txn.sort = sort;
	return true;
}

/* WORK or TRANSACTION, which mean nothing. */
static void accept_noise(struct parser *p)
{
	if (!accept_word(p, W_WORK) && p->dialect != SQL_MYSQL)
		accept_word(p, W_TRANSACTION);
}

/* ISOLATION LEVEL ..., READ ONLY, WITH CONSISTENT SNAPSHOT, DEFERRED, ...:
 * only words and commas. */
static bool options(struct parser *p)
{
	static const enum word known[] = {
		W_ISOLATION,    W_LEVEL,     W_READ,        W_WRITE,
		W_ONLY,         W_COMMITTED, W_UNCOMMITTED, W_REPEATABLE,
		W_SERIALIZABLE, W_NOT,       W_DEFERRABLE,  W_WITH,
		W_CONSISTENT,   W_SNAPSHOT,  W_NONE
	};
	size_t from = p->pos;

	while (!is_kind(p, T_END)) {
		if (is_word(p, W_READ) && is_word_at(p, 1, W_ONLY))
			p->st->txn.read_only = true;
		if (!accept_kind(p, T_COMMA)) {
			if (!is_kind(p, T_WORD) ||
			    !is_one_of(peek_token(p)->word, known))
				return parse_fail(p, "a transaction's option");
			take_token(p);
		}
	}
	p->st->txn.options = span_of(p, from, p->pos);
	return true;
}

/* Behind BEGIN. */
static bool begin(struct parser *p)
{
	struct sql_name name = { 0 };
	size_t from;

	if (p->dialect == SQL_MYSQL) {
		accept_word(p, W_WORK);
		if (is_kind(p, T_END))
			return done(p, SQL_TXN_BEGIN);
		return parse_fail(p,
				  "nothing behind BEGIN (blocks are only for "
				  "stored procedures)");
	}
	if (p->dialect == SQL_POSTGRES) {
		accept_noise(p);
		return options(p) && done(p, SQL_TXN_BEGIN);
	}
	from = p->pos;
	if (!accept_word(p, W_DEFERRED) && !accept_word(p, W_IMMEDIATE))
		accept_word(p, W_EXCLUSIVE);
	p->st->txn.options = span_of(p, from, p->pos);
	if (accept_word(p, W_TRANSACTION) && is_name(p, 0) &&
	    !name_take(p, &name))
		return false;
	return done(p, SQL_TXN_BEGIN);
}

/* AND [NO] CHAIN, [NO] RELEASE */
static bool chain(struct parser *p)
{
	bool no;

	if (p->dialect != SQL_SQLITE && accept_word(p, W_AND)) {
		no = accept_word(p, W_NO);
		if (!expect_word(p, W_CHAIN))
			return false;
		p->st->txn.chain = !no;
		if (!no)
			parse_refuse(
				p, "AND CHAIN begins a transaction that nobody "
				   "asked the agent for: use BEGIN");
	}
	if (p->dialect == SQL_MYSQL && accept_words(p, W_NO, W_RELEASE))
		return true;
	if (p->dialect == SQL_MYSQL && accept_word(p, W_RELEASE))
		parse_refuse(p, "RELEASE closes the connection: leave it away");
	return true;
}

static bool prepared(struct parser *p)
{
	parse_refuse(p,
		     "a prepared transaction's end belongs to the coordinator: "
		     "use XA mode");
	skip_rest(p);
	return done(p, SQL_TXN_PREPARE);
}

static bool savepoint_name(struct parser *p, enum sql_txn_sort sort)
{
	if (!is_name(p, 0))
		return parse_fail(p, "a savepoint's name");
	return name_take(p, &p->st->txn.savepoint) && done(p, sort);
}

static bool commit(struct parser *p)
{
	if (is_word(p, W_PREPARED))
		return prepared(p);
	accept_noise(p);
	return chain(p) && done(p, SQL_TXN_COMMIT);
}

static bool rollback(struct parser *p)
{
	if (is_word(p, W_PREPARED))
		return prepared(p);
	accept_noise(p);
	if (!accept_word(p, W_TO))
		return chain(p) && done(p, SQL_TXN_ROLLBACK);
	accept_word(p, W_SAVEPOINT);
	return savepoint_name(p, SQL_TXN_ROLLBACK_TO);
}

static bool release(struct parser *p)
{
	if (!accept_word(p, W_SAVEPOINT) && p->dialect == SQL_MYSQL)
		return parse_fail(p, "SAVEPOINT");
	return savepoint_name(p, SQL_TXN_RELEASE);
}

/* SET [SESSION | LOCAL | GLOBAL] TRANSACTION, and PostgreSQL's SET SESSION
 * CHARACTERISTICS AS TRANSACTION. */
static bool set_transaction(struct parser *p, size_t words, bool *is)
{
	enum sql_txn_sort sort = words == 1 ? SQL_TXN_SET : SQL_TXN_SET_LATER;

	if (is_word_at(p, words - 1, W_LOCAL) && p->dialect == SQL_POSTGRES)
		sort = SQL_TXN_SET;
	if (is_word_at(p, words, W_CHARACTERISTICS) &&
	    is_word_at(p, words + 1, W_AS) &&
	    is_word_at(p, words + 2, W_TRANSACTION))
		words += 2;
	if (!is_word_at(p, words, W_TRANSACTION)) {
		*is = false;
		return true;
	}
	if (is_word_at(p, 1, W_GLOBAL))
		parse_refuse(p, "SET GLOBAL changes the server for everybody");
	p->pos += words + 1;
	if (p->dialect == SQL_POSTGRES && accept_word(p, W_SNAPSHOT)) {
		parse_refuse(
			p, "a snapshot of another transaction hides what this "
			   "one must check");
		accept_kind(p, T_STRING);
		return done(p, sort);
	}
	return options(p) && done(p, sort);
}

bool txn_statement(struct parser *p, bool *is)
{
	size_t words = 1;

	*is = true;
	switch (peek_token(p)->word) {
	case W_BEGIN:
		take_token(p);
		return begin(p);
	case W_START:
		if (!is_word_at(p, 1, W_TRANSACTION) ||
		    p->dialect == SQL_SQLITE)
			break;
		p->pos += 2;
		return options(p) && done(p, SQL_TXN_BEGIN);
	case W_END:
		if (p->dialect == SQL_MYSQL)
			break;
		take_token(p);
		return commit(p);
	case W_COMMIT:
		take_token(p);
		return commit(p);
	case W_ABORT:
		if (p->dialect != SQL_POSTGRES)
			break;
		take_token(p);
		return rollback(p);
	case W_ROLLBACK:
		take_token(p);
		return rollback(p);
	case W_SAVEPOINT:
		take_token(p);
		return savepoint_name(p, SQL_TXN_SAVEPOINT);
	case W_RELEASE:
		take_token(p);
		return release(p);
	case W_PREPARE:
		if (!is_word_at(p, 1, W_TRANSACTION))
			break;
		return prepared(p);
	case W_XA:
		if (p->dialect != SQL_MYSQL)
			break;
		parse_refuse(p,
			     "XA statements belong to the coordinator: use XA "
			     "mode");
		skip_rest(p);
		return done(p, SQL_TXN_XA);
	case W_SET:
		if (p->dialect == SQL_SQLITE)
			break;
		if (is_word_at(p, 1, W_SESSION) || is_word_at(p, 1, W_LOCAL) ||
		    is_word_at(p, 1, W_GLOBAL))
			words = 2;
		return set_transaction(p, words, is);
	default:
		break;
	}
	*is = false;
	return true;
}
