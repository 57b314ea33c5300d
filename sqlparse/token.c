#include "sqlparse/lexer.h"

static struct bytes cut(const struct lexer *l, size_t from)
{
	return (struct bytes){ l->s + from, l->at - from };
}

static bool lex_word(struct lexer *l)
{
	if (!is_letter(look(l, 0)) &&
	    !(l->dialect == SQL_MYSQL && look(l, 0) == '$'))
		return false;
	while (is_letter(look(l, 0)) || is_digit(look(l, 0)) ||
	       look(l, 0) == '$')
		l->at++;
	return true;
}

static void skip_name(struct lexer *l)
{
	while (is_letter(look(l, 0)) || is_digit(look(l, 0)) ||
	       look(l, 0) == '$')
		l->at++;
}

static bool lex_digits_after(struct lexer *l)
{
	l->at++;
	while (is_digit(look(l, 0)))
		l->at++;
	return true;
}

/* :a, @a and $a, of which any may go on like Tcl's $a::b(c); what is in the
 * brackets holds no space. */
static bool lex_sqlite_param(struct lexer *l)
{
	uint8_t c = look(l, 0);
	size_t n = 1, letters = 0;

	if (c == '?')
		return lex_digits_after(l);
	if (c != ':' && c != '@' && c != '$')
		return false;
	for (;; n++) {
		c = look(l, n);
		if (is_letter(c) || is_digit(c) || c == '$')
			letters++;
		else if (c == ':' && look(l, n + 1) == ':')
			n++;
		else
			break;
	}
	if (letters == 0)
		return false;
	if (c == '(') {
		while (c && c != ')' && !is_space(c))
			c = look(l, ++n);
		if (c != ')')
			l->error = "a parameter's ( has no end";
		n += c == ')';
	}
	l->at += n;
	return true;
}

static bool lex_param(struct lexer *l)
{
	switch (l->dialect) {
	case SQL_POSTGRES:
		if (look(l, 0) != '$' || !is_digit(look(l, 1)))
			return false;
		lex_digits_after(l);
		if (is_letter(look(l, 0)))
			l->error = "a parameter runs into a name";
		return true;
	case SQL_MYSQL:
		if (look(l, 0) != '?')
			return false;
		l->at++;
		return true;
	case SQL_SQLITE:
	default:
		return lex_sqlite_param(l);
	}
}

/* MySQL: @a, @a.b, @'a b', @@global.x. */
static bool lex_variable(struct lexer *l)
{
	uint8_t kind;

	if (l->dialect != SQL_MYSQL || look(l, 0) != '@')
		return false;
	l->at += look(l, 1) == '@' ? 2 : 1;
	if (look(l, 0) == '\'' || look(l, 0) == '"' || look(l, 0) == '`')
		return lex_quoted(l, &kind);
	while (is_letter(look(l, 0)) || is_digit(look(l, 0)) ||
	       look(l, 0) == '$' || look(l, 0) == '.')
		l->at++;
	return true;
}

static bool has_byte(const char *set, uint8_t c)
{
	for (; c && *set; set++) {
		if ((uint8_t)*set == c)
			return true;
	}
	return false;
}

/* PostgreSQL: as many operator characters as there are, but no comment in it,
 * and + or - last only if a rarer character came before. */
static size_t postgres_op(const struct lexer *l)
{
	bool rare = false;
	size_t n = 0;

	for (; has_byte("+-*/<>=~!@#%^&|`?", look(l, n)); n++) {
		if ((look(l, n) == '-' && look(l, n + 1) == '-') ||
		    (look(l, n) == '/' && look(l, n + 1) == '*'))
			break;
		if (has_byte("~!@#%^&|`?", look(l, n)))
			rare = true;
	}
	while (!rare && n > 1 && has_byte("+-", look(l, n - 1)))
		n--;
	return n;
}

static size_t other_op(const struct lexer *l)
{
	static const char *const mysql[] = { "<=>", "->>", "<<", ">>", "<=",
					     ">=",  "<>",  "!=", ":=", "->",
					     "||",  "&&",  NULL };
	static const char *const sqlite[] = {
		"->>", "<<", ">>", "<=", ">=", "<>",
		"!=",  "==", "->", "||", NULL
	};
	const char *const *ops = l->dialect == SQL_MYSQL ? mysql : sqlite;

	for (; *ops; ops++) {
		size_t n = bytes_of(*ops).len;

		if (n <= l->n - l->at && memcmp(l->s + l->at, *ops, n) == 0)
			return n;
	}
	return has_byte(l->dialect == SQL_MYSQL ? "+-*/%<>=!~&|^"
						: "+-*/%<>=~&|",
			look(l, 0));
}

static bool lex_op(struct lexer *l)
{
	size_t n;

	if (l->dialect == SQL_POSTGRES && look(l, 0) == ':') {
		n = look(l, 1) == ':' || look(l, 1) == '=' ? 2 : 1;
	} else {
		n = l->dialect == SQL_POSTGRES ? postgres_op(l) : other_op(l);
	}
	l->at += n;
	return n > 0;
}

static uint8_t punctuation(const struct lexer *l)
{
	switch (look(l, 0)) {
	case '(':
		return T_LEFT;
	case ')':
		return T_RIGHT;
	case '[':
		return l->dialect == SQL_POSTGRES ? T_OPEN : T_BAD;
	case ']':
		return l->dialect == SQL_POSTGRES ? T_CLOSE : T_BAD;
	case ',':
		return T_COMMA;
	case ';':
		return T_SEMICOLON;
	case '.':
		return T_DOT;
	default:
		return T_BAD;
	}
}

/* Move behind one token and say what it is; `last` is the kind before it. */
static uint8_t lex_one(struct lexer *l, uint8_t last)
{
	bool last_is_name = last == T_WORD || last == T_NAME;
	bool dotted = last == T_DOT;
	uint8_t kind;

	if (l->dialect == SQL_SQLITE && look(l, 0) == 0xef &&
	    look(l, 1) == 0xbb && look(l, 2) == 0xbf) {
		l->error = "a byte order mark";
		return T_BAD;
	}
	/* MySQL: a name behind a dot may start with a digit, or be one. */
	if (dotted && l->dialect == SQL_MYSQL && is_digit(look(l, 0))) {
		skip_name(l);
		return T_WORD;
	}
	/* ... so the dot behind a name is no decimal point. */
	if (last_is_name && l->dialect == SQL_MYSQL && look(l, 0) == '.') {
		l->at++;
		return T_DOT;
	}
	if (lex_quoted(l, &kind))
		return kind;
	if (lex_param(l))
		return T_PARAM;
	if (lex_variable(l))
		return T_VARIABLE;
	if (lex_number(l, &kind))
		return kind;
	if (lex_word(l))
		return T_WORD;
	kind = punctuation(l);
	if (kind != T_BAD)
		l->at++;
	else if (lex_op(l))
		return T_OP;
	else
		l->error = "a character that this dialect does not know";
	return kind;
}

static struct token *add(struct tokens *t)
{
	struct token *items;
	size_t cap;

	if (t->n < t->cap)
		return &t->items[t->n++];
	cap = t->cap ? t->cap * 2 : 64;
	items = mem_array(t->mem, cap, sizeof *items);
	if (!items)
		return NULL;
	if (t->n)
		memcpy(items, t->items, t->n * sizeof *items);
	mem_free(t->mem, t->items);
	t->items = items;
	t->cap = cap;
	return &t->items[t->n++];
}

/* The next token; T_END and T_BAD take what is left. */
static int lex_next(struct lexer *l, struct tokens *t)
{
	uint8_t last = t->n ? t->items[t->n - 1].kind : T_END;
	struct token *token = add(t);
	uint8_t kind = T_END;
	size_t from;

	if (!token)
		return E_NOMEM;
	skip_blank(l);
	from = l->at;
	if (!l->error && l->at < l->n)
		kind = lex_one(l, last);
	if (l->error) {
		kind = T_BAD;
		l->at = l->n;
	}
	*token = (struct token){ (uint32_t)from, (uint32_t)(l->at - from),
				 W_NONE, kind };
	if (kind == T_WORD)
		token->word = (uint16_t)word_find(cut(l, from));
	return OK;
}

int tokens_cut(struct tokens *t, const struct mem *mem,
	       enum sql_dialect dialect, const struct sql_options *options,
	       struct bytes text)
{
	struct lexer l = { .s = text.data,
			   .n = text.len,
			   .dialect = dialect,
			   .options = options };
	size_t limit = options->tokens_max;
	int rc;

	*t = (struct tokens){ .mem = mem };
	if (text.len && memchr(text.data, 0, text.len))
		l.error = "a NUL byte";
	do {
		if (t->n >= limit && !l.error)
			l.error = "more tokens than the limit allows";
		rc = lex_next(&l, t);
	} while (rc == OK && t->items[t->n - 1].kind > T_BAD);
	t->error = l.error;
	return rc;
}

void tokens_fini(struct tokens *t)
{
	mem_free(t->mem, t->items);
	*t = (struct tokens){ .mem = t->mem };
}
