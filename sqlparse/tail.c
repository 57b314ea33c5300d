#include "sqlparse/parser.h"

/*
 * What ends a query and some writes: ORDER BY, LIMIT and FOR UPDATE.
 */

/* LIMIT a, b; LIMIT b OFFSET a; OFFSET a ROWS; FETCH FIRST b ROWS ONLY */
static bool limit_clause(struct parser *p, struct sql_statement *out)
{
	if (accept_word(p, W_LIMIT)) {
		if (p->dialect == SQL_POSTGRES && accept_word(p, W_ALL))
			return true;
		if (!parse_expr(p, &out->limit))
			return false;
		if (p->dialect == SQL_POSTGRES || !accept_kind(p, T_COMMA))
			return true;
		out->offset = out->limit;
		return parse_expr(p, &out->limit);
	}
	if (accept_word(p, W_OFFSET)) {
		if (!parse_expr(p, &out->offset))
			return false;
		if (!accept_word(p, W_ROW))
			accept_word(p, W_ROWS);
		return true;
	}
	take_token(p); /* FETCH */
	if (!accept_word(p, W_FIRST) && !accept_word(p, W_NEXT))
		return parse_fail(p, "FIRST or NEXT behind FETCH");
	if (!is_word(p, W_ROW) && !is_word(p, W_ROWS) &&
	    !parse_expr(p, &out->limit))
		return false;
	if (!accept_word(p, W_ROW) && !accept_word(p, W_ROWS))
		return parse_fail(p, "ROWS");
	if (accept_word(p, W_ONLY))
		return true;
	return expect_word(p, W_WITH) && expect_word(p, W_TIES);
}

static bool at_limit(const struct parser *p)
{
	return is_word(p, W_LIMIT) || is_word(p, W_OFFSET) ||
	       (is_word(p, W_FETCH) && p->dialect != SQL_SQLITE);
}

static bool order_clause(struct parser *p, struct sql_statement *out)
{
	if (!accept_words(p, W_ORDER, W_BY))
		return true;
	return parse_expr_list(p, &out->order_by);
}

/* NOWAIT, SKIP LOCKED, WAIT n */
static bool lock_wait(struct parser *p, struct sql_lock *lock)
{
	if (accept_word(p, W_NOWAIT)) {
		lock->wait = SQL_NOWAIT;
	} else if (accept_words(p, W_SKIP, W_LOCKED)) {
		lock->wait = SQL_SKIP_LOCKED;
	} else if (p->dialect == SQL_MYSQL && accept_word(p, W_WAIT)) {
		lock->wait = SQL_WAIT_SECONDS;
		return parse_expr(p, &lock->seconds);
	}
	return true;
}

static bool lock_of(struct parser *p, struct sql_lock *lock)
{
	if (!accept_word(p, W_OF))
		return true;
	do {
		struct sql_name *items =
			list_room(p, lock->of, lock->n_of, sizeof *items);

		if (!items)
			return false;
		lock->of = items;
		if (!name_expect(p, "a table or alias behind OF",
				 &items[lock->n_of++]))
			return false;
		while (accept_kind(p, T_DOT)) {
			items[lock->n_of - 1] = (struct sql_name){ 0 };
			if (!is_name(p, 0))
				return parse_fail(p, "a name behind the dot");
			if (!name_take(p, &items[lock->n_of - 1]))
				return false;
		}
	} while (accept_kind(p, T_COMMA));
	return true;
}

static bool lock_strength(struct parser *p, struct sql_lock *lock)
{
	if (accept_word(p, W_LOCK)) {
		lock->strength = SQL_FOR_SHARE;
		return expect_word(p, W_IN) && expect_word(p, W_SHARE) &&
		       expect_word(p, W_MODE);
	}
	take_token(p); /* FOR */
	lock->strength = SQL_FOR_UPDATE;
	if (accept_word(p, W_UPDATE))
		return true;
	lock->strength = SQL_FOR_SHARE;
	if (accept_word(p, W_SHARE))
		return true;
	if (p->dialect != SQL_POSTGRES)
		return parse_fail(p, "UPDATE or SHARE behind FOR");
	lock->strength = SQL_FOR_KEY_SHARE;
	if (accept_words(p, W_KEY, W_SHARE))
		return true;
	lock->strength = SQL_FOR_NO_KEY_UPDATE;
	return expect_word(p, W_NO) && expect_word(p, W_KEY) &&
	       expect_word(p, W_UPDATE);
}

static bool lock_clause(struct parser *p, struct sql_statement *out)
{
	struct sql_lock *items =
		list_room(p, out->locks, out->n_locks, sizeof *items);
	struct sql_lock *lock;
	size_t from = p->pos;

	if (!items)
		return false;
	out->locks = items;
	lock = &items[out->n_locks++];
	if (!lock_strength(p, lock) || !lock_of(p, lock) || !lock_wait(p, lock))
		return false;
	lock->span = span_of(p, from, p->pos);
	p->flags |= SQL_HAS_LOCK;
	if (lock->wait == SQL_SKIP_LOCKED)
		p->flags |= SQL_HAS_SKIP_LOCKED;
	return true;
}

static bool at_lock(const struct parser *p)
{
	if (p->dialect == SQL_SQLITE)
		return false;
	return is_word(p, W_FOR) ||
	       (p->dialect == SQL_MYSQL && is_word(p, W_LOCK) &&
		is_word_at(p, 1, W_IN));
}

bool tail_clauses(struct parser *p, struct sql_statement *out, bool locks)
{
	size_t from = p->pos;

	if (!order_clause(p, out))
		return false;
	while (at_limit(p)) {
		if (!limit_clause(p, out))
			return false;
	}
	if (p->pos > from)
		out->tail = span_of(p, from, p->pos);
	while (locks) {
		if (p->dialect == SQL_POSTGRES && is_word(p, W_FOR) &&
		    is_word_at(p, 1, W_READ) && is_word_at(p, 2, W_ONLY))
			p->pos += 3;
		else if (at_lock(p)) {
			if (!lock_clause(p, out))
				return false;
		} else if (is_word(p, W_INTO) && p->into == INTO_NOTHING) {
			if (!into_clause(p))
				return false;
		} else {
			break;
		}
	}
	if (locks && at_limit(p))
		return parse_fail(p, "LIMIT and OFFSET before FOR UPDATE");
	return true;
}
