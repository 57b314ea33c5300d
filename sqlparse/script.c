#include "sqlparse/parser.h"

/*
 * A text as a list of statements.
 */

enum {
	TEXT_MAX = 16 << 20,
	TEXT_MAX_MAX = 1 << 30,
	TOKENS_MAX = 1000000,
	DEPTH_MAX = 200,
	DEPTH_MAX_MAX = 500, /* what the stack of a thread surely holds */
	STATEMENTS_MAX = 1000,
	PARAMS_MAX = 65535, /* what the databases' protocols can count */
};

static size_t limit(size_t wanted, size_t usual, size_t most)
{
	if (wanted == 0)
		wanted = usual;
	return wanted < most ? wanted : most;
}

static struct sql_options with_limits(const struct sql_options *options)
{
	struct sql_options o = { 0 };

	if (options)
		o = *options;
	o.text_max = limit(o.text_max, TEXT_MAX, TEXT_MAX_MAX);
	o.tokens_max = limit(o.tokens_max, TOKENS_MAX, TEXT_MAX_MAX);
	o.depth_max = limit(o.depth_max, DEPTH_MAX, DEPTH_MAX_MAX);
	o.statements_max =
		limit(o.statements_max, STATEMENTS_MAX, TEXT_MAX_MAX);
	return o;
}

/* ---- where a statement ends ---- */

static bool is(const struct parser *p, size_t at, enum word w)
{
	return p->tokens[at].kind == T_WORD && p->tokens[at].word == w;
}

static bool ends(const struct parser *p, size_t at)
{
	return p->tokens[at].kind == T_END || p->tokens[at].kind == T_BAD;
}

/* Whether a CREATE or ALTER defines a body with semicolons in it. */
static bool has_body(const struct parser *p, size_t at)
{
	enum { WORDS_BEFORE = 16 }; /* OR REPLACE DEFINER = a@b ... */
	static const enum word bodies[] = { W_TRIGGER, W_PROCEDURE, W_FUNCTION,
					    W_EVENT,   W_PACKAGE,   W_NONE };

	if (is(p, at, W_BEGIN) && p->dialect == SQL_MYSQL)
		return is(p, at + 1, W_NOT);
	if (!is(p, at, W_CREATE) && !is(p, at, W_ALTER))
		return false;
	for (size_t i = 1; i < WORDS_BEFORE && !ends(p, at + i); i++) {
		if (p->tokens[at + i].kind == T_LEFT)
			return false;
		if (p->tokens[at + i].kind == T_WORD &&
		    is_one_of(p->tokens[at + i].word, bodies))
			return true;
	}
	return false;
}

/* A body's own semicolons do not end it. SQLite's trigger ends at END behind a
 * semicolon; a body in the others takes the rest of the text, but in
 * PostgreSQL it is a string unless it starts with BEGIN ATOMIC. */
static bool in_body(const struct parser *p, size_t at, bool begun)
{
	if (!begun)
		return p->dialect == SQL_MYSQL;
	return p->dialect != SQL_SQLITE || !is(p, at - 1, W_END) ||
	       p->tokens[at - 2].kind != T_SEMICOLON;
}

/* The semicolon of the statement that starts at `from`, or the end. */
static size_t statement_end(const struct parser *p, size_t from)
{
	bool body = has_body(p, from), begun = false;
	size_t depth = 0, at;

	for (at = from; !ends(p, at); at++) {
		switch (p->tokens[at].kind) {
		case T_LEFT:
		case T_OPEN:
			depth++;
			break;
		case T_RIGHT:
		case T_CLOSE:
			depth -= depth > 0;
			break;
		case T_SEMICOLON:
			if (depth == 0 && !(body && in_body(p, at, begun)))
				return at;
			break;
		default:
			begun |= is(p, at, W_BEGIN) &&
				 (p->dialect != SQL_POSTGRES ||
				  is(p, at + 1, W_ATOMIC));
			break;
		}
	}
	return at;
}

/* ---- parameters ---- */

static size_t decimal(struct bytes text)
{
	size_t n = 0;

	for (size_t i = 1; i < text.len && n <= PARAMS_MAX; i++)
		n = n * 10 + text.data[i] - '0';
	return n;
}

/* The number of an earlier parameter of this name, or 0. */
static size_t named(const struct sql_statement *st, struct bytes name)
{
	for (size_t i = 0; i < st->n_params; i++) {
		if (bytes_equal(st->params[i].name, name))
			return st->params[i].number;
	}
	return 0;
}

static void describe_param(const struct parser *p, const struct token *t,
			   size_t largest, struct sql_param *out)
{
	struct bytes text = token_text(p, t);

	out->span = (struct sql_span){ t->at, t->len };
	if (p->dialect == SQL_POSTGRES) {
		out->style = SQL_PARAM_DOLLAR;
		out->number = decimal(text);
	} else if (text.data[0] != '?') {
		out->style = SQL_PARAM_NAMED;
		out->name = text;
		out->number = named(p->st, text);
	} else if (text.len > 1) {
		out->style = SQL_PARAM_NUMBERED;
		out->number = decimal(text);
		if (out->number == 0)
			out->number = PARAMS_MAX + 1; /* ?0 */
	} else {
		out->style = SQL_PARAM_QUESTION;
	}
	if (out->number == 0 && out->style != SQL_PARAM_DOLLAR)
		out->number = largest + 1;
}

static bool find_params(struct parser *p)
{
	struct sql_statement *st = p->st;
	size_t largest = 0;

	for (size_t at = p->pos; at < p->end; at++) {
		struct sql_param *items, param = { 0 };

		if (p->tokens[at].kind != T_PARAM)
			continue;
		describe_param(p, &p->tokens[at], largest, &param);
		items = list_room(p, st->params, st->n_params, sizeof *items);
		if (!items)
			return false;
		st->params = items;
		items[st->n_params++] = param;
		if (param.number > largest)
			largest = param.number;
		if (param.number == 0 || param.number > PARAMS_MAX) {
			p->pos = at;
			return parse_fail(p,
					  "parameter numbers from 1 to 65535");
		}
	}
	return true;
}

/* ---- statements ---- */

/* A statement that could not be read keeps its place and its reason only. */
static void give_up(struct sql_statement *st, const char *reason, size_t at)
{
	*st = (struct sql_statement){ .span = st->span,
				      .reason = reason,
				      .reason_at = at };
}

static void judge(struct sql_statement *st)
{
	if (st->reason) {
		st->verdict = SQL_REFUSE;
		return;
	}
	switch (st->kind) {
	case SQL_INSERT:
	case SQL_REPLACE:
	case SQL_UPDATE:
	case SQL_DELETE:
	case SQL_SELECT_LOCK:
		st->verdict = SQL_PROTECT;
		break;
	case SQL_EMPTY:
	case SQL_READ:
	case SQL_TXN:
	case SQL_SESSION:
	case SQL_LOCK_TABLES:
		st->verdict = SQL_PASS;
		break;
	default:
		st->verdict = SQL_REFUSE;
		st->reason = "this statement is not known to be safe";
		break;
	}
}

static struct sql_statement *add_statement(struct parser *p)
{
	struct sql_script *s = p->script;
	struct sql_statement *items =
		list_room(p, s->statements, s->n_statements, sizeof *items);

	if (!items)
		return NULL;
	s->statements = items;
	return &items[s->n_statements++];
}

/* The statement of the tokens [from, to). */
static bool one_statement(struct parser *p, size_t from, size_t to)
{
	struct parser fresh = { .script = p->script,
				.arena = p->arena,
				.dialect = p->dialect,
				.options = p->options,
				.tokens = p->tokens,
				.pos = from,
				.end = to };

	*p = fresh;
	p->st = add_statement(p);
	if (!p->st)
		return false;
	p->st->span = span_of(p, from, to);
	if ((!find_params(p) || !parse_statement(p)) && !p->nomem)
		give_up(p->st, p->error, p->error_at);
	judge(p->st);
	return !p->nomem;
}

/* What the lexer could not read, from the statement's first token on. */
static bool broken_statement(struct parser *p, size_t from, size_t bad,
			     const char *error)
{
	size_t at = p->tokens[bad].at;
	struct sql_place place = sql_place(p->script, at);
	struct buf b;

	p->st = add_statement(p);
	if (!p->st)
		return false;
	p->st->span = span_of(p, from, bad + 1);
	buf_init(&b, &p->arena->as_mem);
	buf_printf(&b, "line %zu, column %zu: %s", place.line, place.column,
		   error);
	give_up(p->st, buf_text(&b), at);
	return buf_error(&b) == OK;
}

static bool all_statements(struct parser *p, const struct tokens *cut)
{
	size_t from = 0;

	for (;;) {
		size_t to;

		while (p->tokens[from].kind == T_SEMICOLON)
			from++;
		if (p->tokens[from].kind == T_END)
			return true;
		to = statement_end(p, from);
		if (p->tokens[to].kind == T_BAD)
			return broken_statement(p, from, to, cut->error);
		if (p->script->n_statements >= p->options->statements_max)
			return broken_statement(p, from, to,
						"more statements than the "
						"limit allows");
		if (!one_statement(p, from, to))
			return false;
		from = to;
	}
}

static int parse(struct sql_script *s, const struct sql_options *options,
		 struct bytes text)
{
	struct sql_tokens *own = s->tokens;
	struct parser p = { .script = s,
			    .arena = &own->arena,
			    .dialect = s->dialect,
			    .options = options };
	int rc;

	if (text.len > options->text_max) {
		p.st = add_statement(&p);
		if (!p.st)
			return E_NOMEM;
		give_up(p.st, "the text is longer than the limit allows", 0);
		return OK;
	}
	s->text = arena_bytes(&own->arena, text);
	if (!s->text.data)
		return E_NOMEM;
	rc = tokens_cut(&own->cut, own->mem, s->dialect, options, s->text);
	if (rc != OK)
		return rc;
	p.tokens = own->cut.items;
	if (!all_statements(&p, &own->cut))
		return E_NOMEM;
	if (s->n_statements == 0) {
		p.st = add_statement(&p);
		if (!p.st)
			return E_NOMEM;
		p.st->kind = SQL_EMPTY;
		judge(p.st);
	}
	return OK;
}

int sql_parse(const struct mem *mem, enum sql_dialect dialect,
	      const struct sql_options *options, struct bytes text,
	      struct sql_script **out)
{
	struct sql_options o = with_limits(options);
	struct sql_script *s = mem_alloc(mem, sizeof *s);
	int rc;

	REQUIRE(dialect < SQL_DIALECTS);
	if (!s)
		return E_NOMEM;
	s->dialect = dialect;
	s->tokens = mem_alloc(mem, sizeof *s->tokens);
	if (!s->tokens) {
		mem_free(mem, s);
		return E_NOMEM;
	}
	s->tokens->mem = mem;
	s->tokens->cut.mem = mem;
	arena_init(&s->tokens->arena, mem, 0);
	rc = parse(s, &o, text);
	if (rc == OK)
		*out = s;
	else
		sql_script_free(s);
	return rc;
}

void sql_script_free(struct sql_script *s)
{
	const struct mem *mem;

	if (!s)
		return;
	mem = s->tokens->mem;
	tokens_fini(&s->tokens->cut);
	arena_fini(&s->tokens->arena);
	mem_free(mem, s->tokens);
	mem_free(mem, s);
}

/* ---- small answers ---- */

struct bytes sql_text(const struct sql_script *s, struct sql_span span)
{
	REQUIRE(span.at <= s->text.len && span.len <= s->text.len - span.at);
	return (struct bytes){ s->text.data + span.at, span.len };
}

struct sql_place sql_place(const struct sql_script *s, size_t at)
{
	struct sql_place place = { 1, 1 };

	for (size_t i = 0; i < at && i < s->text.len; i++) {
		if (s->text.data[i] == '\n') {
			place.line++;
			place.column = 1;
		} else if ((s->text.data[i] & 0xc0) != 0x80) {
			place.column++;
		}
	}
	return place;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

bool sql_same_name(enum sql_dialect dialect, struct bytes a, struct bytes b)
{
	if (dialect == SQL_POSTGRES || a.len != b.len)
		return bytes_equal(a, b);
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	}
	return true;
}

const char *sql_kind_name(enum sql_kind kind)
{
	static const char *const names[SQL_KINDS] = {
		[SQL_UNKNOWN] = "unknown",
		[SQL_EMPTY] = "empty",
		[SQL_INSERT] = "insert",
		[SQL_REPLACE] = "replace",
		[SQL_UPDATE] = "update",
		[SQL_DELETE] = "delete",
		[SQL_MERGE] = "merge",
		[SQL_SELECT_LOCK] = "select for update",
		[SQL_READ] = "read",
		[SQL_TXN] = "transaction control",
		[SQL_SESSION] = "session",
		[SQL_DDL] = "ddl",
		[SQL_TRUNCATE] = "truncate",
		[SQL_BULK] = "bulk",
		[SQL_CALL] = "call",
		[SQL_LOCK_TABLES] = "lock tables",
		[SQL_ADMIN] = "administration",
	};

	return (unsigned)kind < SQL_KINDS ? names[kind] : "?";
}

const char *sql_verdict_name(enum sql_verdict verdict)
{
	static const char *const names[SQL_VERDICTS] = {
		[SQL_REFUSE] = "refuse",
		[SQL_PASS] = "pass",
		[SQL_PROTECT] = "protect",
	};

	return (unsigned)verdict < SQL_VERDICTS ? names[verdict] : "?";
}
