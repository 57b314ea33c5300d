#include "sqlparse/parser.h"

const struct token *token_ahead(const struct parser *p, size_t n)
{
	static const struct token none = { 0, 0, W_NONE, T_END };

	return n < p->end - p->pos ? &p->tokens[p->pos + n] : &none;
}

const struct token *peek_token(const struct parser *p)
{
	return token_ahead(p, 0);
}

const struct token *take_token(struct parser *p)
{
	const struct token *t = peek_token(p);

	if (p->pos < p->end)
		p->pos++;
	return t;
}

struct bytes token_text(const struct parser *p, const struct token *t)
{
	return (struct bytes){ p->script->text.data + t->at, t->len };
}

bool is_kind(const struct parser *p, enum token_kind kind)
{
	return peek_token(p)->kind == kind;
}

bool is_word_at(const struct parser *p, size_t at, enum word w)
{
	return token_ahead(p, at)->kind == T_WORD &&
	       token_ahead(p, at)->word == w;
}

bool is_word(const struct parser *p, enum word w)
{
	return is_word_at(p, 0, w);
}

bool is_one_of(enum word w, const enum word list[])
{
	for (size_t i = 0; list[i] != W_NONE; i++) {
		if (list[i] == w)
			return true;
	}
	return false;
}

bool is_op(const struct parser *p, const char *op)
{
	return is_kind(p, T_OP) &&
	       bytes_equal(token_text(p, peek_token(p)), bytes_of(op));
}

bool is_text_at(const struct parser *p, size_t at, const char *text)
{
	const struct token *t = token_ahead(p, at);

	return t->kind != T_STRING &&
	       sql_same_name(SQL_SQLITE, token_text(p, t), bytes_of(text));
}

bool is_name(const struct parser *p, size_t at)
{
	enum token_kind kind = token_ahead(p, at)->kind;

	return kind == T_WORD || kind == T_NAME;
}

bool is_free_name(const struct parser *p, size_t at)
{
	const struct token *t = token_ahead(p, at);

	return t->kind == T_NAME ||
	       (t->kind == T_WORD && !word_reserved(t->word, p->dialect));
}

bool accept_kind(struct parser *p, enum token_kind kind)
{
	if (!is_kind(p, kind))
		return false;
	take_token(p);
	return true;
}

bool accept_word(struct parser *p, enum word w)
{
	if (!is_word(p, w))
		return false;
	take_token(p);
	return true;
}

bool accept_op(struct parser *p, const char *op)
{
	if (!is_op(p, op))
		return false;
	take_token(p);
	return true;
}

bool accept_words(struct parser *p, enum word first, enum word second)
{
	if (!is_word_at(p, 0, first) || !is_word_at(p, 1, second))
		return false;
	p->pos += 2;
	return true;
}

static const char *kind_text(enum token_kind kind)
{
	switch (kind) {
	case T_LEFT:
		return "(";
	case T_RIGHT:
		return ")";
	case T_OPEN:
		return "[";
	case T_CLOSE:
		return "]";
	case T_COMMA:
		return ",";
	case T_DOT:
		return ".";
	default:
		return "something else";
	}
}

bool expect_kind(struct parser *p, enum token_kind kind)
{
	return accept_kind(p, kind) || parse_fail(p, kind_text(kind));
}

bool expect_word(struct parser *p, enum word w)
{
	return accept_word(p, w) || parse_fail(p, word_name(w));
}

/* What stands here, short enough for a message and without any string's
 * contents, which may be nobody's business. */
static void put_found(struct parser *p, struct buf *b)
{
	enum { SHOWN_MAX = 40 };
	struct bytes text = token_text(p, peek_token(p));

	switch (peek_token(p)->kind) {
	case T_END:
		buf_put_text(b, "the end of the statement");
		break;
	case T_STRING:
	case T_BYTES:
		buf_put_text(b, "a literal");
		break;
	default:
		if (text.len > SHOWN_MAX)
			text.len = SHOWN_MAX;
		buf_printf(b, "\"%.*s\"", (int)text.len,
			   (const char *)text.data);
		break;
	}
}

bool parse_fail(struct parser *p, const char *expected)
{
	struct sql_place place;
	struct buf b;

	if (p->error || p->nomem)
		return false;
	p->error_at = p->pos < p->end ? peek_token(p)->at
				      : p->st->span.at + p->st->span.len;
	place = sql_place(p->script, p->error_at);
	buf_init(&b, &p->arena->as_mem);
	buf_printf(&b, "line %zu, column %zu: expected %s, found ", place.line,
		   place.column, expected);
	put_found(p, &b);
	p->error = buf_text(&b);
	if (buf_error(&b) != OK)
		p->nomem = true;
	return false;
}

bool out_of_memory(struct parser *p)
{
	p->nomem = true;
	return false;
}

void parse_refuse(struct parser *p, const char *reason)
{
	if (p->st->reason)
		return;
	p->st->reason = reason;
	p->st->reason_at = p->pos < p->end ? peek_token(p)->at : p->st->span.at;
}

bool nest_enter(struct parser *p)
{
	if (p->depth >= p->options->depth_max)
		return parse_fail(
			p, "fewer nested brackets and queries (the limit "
			   "is reached)");
	p->depth++;
	return true;
}

void nest_leave(struct parser *p)
{
	REQUIRE(p->depth > 0);
	p->depth--;
}

struct sql_span span_of(const struct parser *p, size_t from, size_t to)
{
	const struct token *first = &p->tokens[from];
	const struct token *last;

	if (from >= to)
		return (struct sql_span){ first->at, 0 };
	last = &p->tokens[to - 1];
	return (struct sql_span){ first->at, last->at + last->len - first->at };
}

void *list_room(struct parser *p, void *items, size_t n, size_t size)
{
	enum { FIRST = 4 };
	void *bigger;

	if (n != 0 && (n < FIRST || (n & (n - 1)) != 0))
		return items;
	bigger = arena_array(p->arena, n ? n * 2 : FIRST, size);
	if (!bigger) {
		p->nomem = true;
		return NULL;
	}
	if (n)
		memcpy(bigger, items, n * size);
	return bigger;
}

bool skip_rest(struct parser *p)
{
	p->pos = p->end;
	return true;
}
