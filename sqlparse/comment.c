#include "sqlparse/lexer.h"

/*
 * White space and comments. MySQL's version comments hide statements from
 * other databases: what is in them runs, on some servers. Which ones is
 * decided here, and never guessed.
 */

enum { SURE_VERSION_END = 50700 }; /* every server in use runs older ones */

static void skip_line(struct lexer *l)
{
	while (l->at < l->n && look(l, 0) != '\n' &&
	       (l->dialect != SQL_POSTGRES || look(l, 0) != '\r'))
		l->at++;
}

/* Behind the end of a comment whose mark was just passed. */
static void skip_block(struct lexer *l, bool nests)
{
	size_t depth = 1;

	while (l->at < l->n) {
		if (look(l, 0) == '*' && look(l, 1) == '/') {
			l->at += 2;
			if (--depth == 0)
				return;
		} else if (nests && look(l, 0) == '/' && look(l, 1) == '*') {
			l->at += 2;
			depth++;
		} else {
			l->at++;
		}
	}
	if (l->dialect != SQL_SQLITE)
		l->error = "a comment has no end";
}

enum answer { NO, YES, UNSURE };

/* Whether a comment for servers from `version` on runs. */
static enum answer runs_from(const struct lexer *l, unsigned version, bool m)
{
	unsigned mine = l->options->version;

	if (m && !l->options->mariadb)
		return mine ? NO : UNSURE;
	if (!version)
		return YES;
	/* MariaDB leaves out what is meant for MySQL 5.7 and later. */
	if (l->options->mariadb && !m && version >= 50700 && version <= 99999)
		return NO;
	if (mine)
		return version <= mine ? YES : NO;
	return version < SURE_VERSION_END ? YES : UNSURE;
}

/* The version number here, and move behind it. 0: none. */
static unsigned version_number(struct lexer *l)
{
	unsigned version = 0;
	size_t digits = 0;

	while (digits < 6 && is_digit(look(l, digits)))
		digits++;
	if (digits < 5)
		return 0;
	if (digits == 6 && !l->options->mariadb) {
		l->error = "a version comment with six digits is read "
			   "differently by different servers: leave the "
			   "comment's marks away";
		return 0;
	}
	for (; digits > 0; digits--, l->at++)
		version = version * 10 + look(l, 0) - '0';
	return version;
}

/* At the ! of a version comment, or at its M!. */
static void enter_version(struct lexer *l)
{
	bool m = look(l, 0) == 'M';
	unsigned version;

	if (l->in_version) {
		l->error = "a version comment stands in another one";
		return;
	}
	l->at += m ? 2 : 1;
	version = version_number(l);
	if (l->error)
		return;
	switch (runs_from(l, version, m)) {
	case YES:
		l->in_version = true;
		break;
	case NO:
		skip_block(l, true);
		break;
	case UNSURE:
		l->error = "whether a version comment runs depends on the "
			   "server's version, which is not known: leave the "
			   "comment's marks away";
		break;
	}
}

static void skip_slash_star(struct lexer *l)
{
	l->at += 2;
	if (l->dialect == SQL_MYSQL &&
	    (look(l, 0) == '!' || (look(l, 0) == 'M' && look(l, 1) == '!')))
		enter_version(l);
	else
		skip_block(l, l->dialect == SQL_POSTGRES);
}

/* Whether a comment up to the end of the line starts here. */
static bool line_comment(const struct lexer *l)
{
	uint8_t third = look(l, 2);

	if (l->dialect == SQL_MYSQL && look(l, 0) == '#')
		return true;
	if (look(l, 0) != '-' || look(l, 1) != '-')
		return false;
	/* In MySQL, a--1 is an expression. */
	return l->dialect != SQL_MYSQL || third <= ' ' || third == 0x7f;
}

void skip_blank(struct lexer *l)
{
	while (l->at < l->n && !l->error) {
		uint8_t c = look(l, 0);

		if (is_space(c) || (c == '\v' && l->dialect == SQL_MYSQL)) {
			l->at++;
		} else if (line_comment(l)) {
			skip_line(l);
		} else if (c == '/' && look(l, 1) == '*') {
			skip_slash_star(l);
		} else if (l->in_version && c == '*' && look(l, 1) == '/') {
			l->in_version = false;
			l->at += 2;
		} else {
			return;
		}
	}
	if (l->in_version && !l->error)
		l->error = "a version comment has no end";
}
