#include "sqlparse/lexer.h"

/*
 * Numbers, and where the dialects disagree about what may touch them.
 */

/* How many bytes from `from` on are digits (or hex digits). */
static size_t run(const struct lexer *l, size_t from, bool hex)
{
	size_t n = 0;

	while (hex ? is_hex(look(l, from + n)) : is_digit(look(l, from + n)))
		n++;
	return n;
}

/* The length of e+10 at `from`; 0 if there is none. */
static size_t exponent(const struct lexer *l, size_t from)
{
	size_t sign, digits;

	if ((look(l, from) | 0x20) != 'e')
		return 0;
	sign = look(l, from + 1) == '+' || look(l, from + 1) == '-';
	digits = run(l, from + 1 + sign, false);
	return digits ? 1 + sign + digits : 0;
}

static bool name_char(const struct lexer *l, size_t ahead)
{
	uint8_t c = look(l, ahead);

	return is_letter(c) || is_digit(c) || c == '$';
}

/* 0x1F; MySQL's 0b01 and 0x are with small letters only, and PostgreSQL has
 * 0o17 as well (from version 16 on; older ones refuse them all). */
static bool lex_radix(struct lexer *l, uint8_t *kind)
{
	uint8_t c = look(l, 1), small = c | 0x20;
	bool hex = l->dialect == SQL_MYSQL ? c == 'x' : small == 'x';
	bool other = l->dialect == SQL_MYSQL
			     ? c == 'b'
			     : l->dialect == SQL_POSTGRES &&
				       (small == 'b' || small == 'o');
	size_t n = 2;

	if (look(l, 0) != '0' || (!hex && !other))
		return false;
	if (hex)
		n += run(l, 2, true);
	else
		while (look(l, n) >= '0' &&
		       look(l, n) <= (small == 'b' ? '1' : '7'))
			n++;
	if (n == 2 || name_char(l, n))
		return false;
	*kind = l->dialect == SQL_MYSQL ? T_BYTES : T_NUMBER;
	l->at += n;
	return true;
}

/* MySQL takes 1a for a name. */
static bool digit_name(struct lexer *l, size_t digits)
{
	size_t n = digits;

	if (l->dialect != SQL_MYSQL || !name_char(l, digits) ||
	    exponent(l, digits))
		return false;
	while (name_char(l, n))
		n++;
	l->at += n;
	return true;
}

bool lex_number(struct lexer *l, uint8_t *kind)
{
	size_t n = run(l, 0, false);

	*kind = T_NUMBER;
	if (n == 0 && !(look(l, 0) == '.' && is_digit(look(l, 1))))
		return false;
	if (lex_radix(l, kind))
		return true;
	if (n > 0 && digit_name(l, n)) {
		*kind = T_WORD;
		return true;
	}
	/* PostgreSQL's a[1..2] does not exist, so a dot is the number's. */
	if (look(l, n) == '.')
		n += 1 + run(l, n + 1, false);
	n += exponent(l, n);
	if (name_char(l, n) && l->dialect != SQL_MYSQL)
		l->error = "a number runs into a name";
	else
		l->at += n;
	return true;
}
