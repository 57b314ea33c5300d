#ifndef SQLPARSE_SQL_H
#define SQLPARSE_SQL_H

/*
 * What a piece of SQL text does: one description for each statement in it,
 * precise enough to take images of the rows that it will change.
 *
 * Rules
 * -----
 *  - Nothing is guessed. What the parser does not know entirely is SQL_UNKNOWN
 *    and SQL_REFUSE, with a reason for the application's developer.
 *  - The verdict is for a statement inside a global transaction. Outside one
 *    everything may run as it is.
 *  - A plain SELECT passes whatever functions it calls: whether a function
 *    writes cannot be seen in the text. (nextval(), advisory locks and the
 *    application's own functions are therefore not undone.)
 *  - The text is UTF-8, or another encoding in which no byte of a longer
 *    character is below 0x80 (not: Shift-JIS, Big5, GBK, GB18030).
 *  - A script owns a copy of the text; spans are offsets into that copy, and
 *    everything reached from a script lives until sql_script_free().
 *  - A statement that defines a body (CREATE TRIGGER, CREATE PROCEDURE, BEGIN
 *    NOT ATOMIC, ...) may take all the rest of the text: it is refused anyway.
 *  - sql_mode ORACLE and MSSQL of MariaDB are other languages; don't parse
 *    them with this.
 *
 * Pure: no I/O, no clock, no threads.
 */

#include "base/base.h"
#include "base/buf.h"

enum sql_dialect {
	SQL_POSTGRES,
	SQL_MYSQL, /* and MariaDB */
	SQL_SQLITE,
	SQL_DIALECTS, /* how many */
};

/* All zero is fine: the limits' defaults and a server in its default mode. */
struct sql_options {
	size_t text_max;       /* bytes; 0: 16 MiB, never above 1 GiB */
	size_t tokens_max;     /* 0: 1,000,000 */
	size_t depth_max;      /* nested brackets and queries; 0: 200 */
	size_t statements_max; /* 0: 1,000 */

	bool ansi_quotes;          /* MySQL: "x" is a name, not a string */
	bool no_backslash_escapes; /* MySQL: \ in a string is itself */
	bool backslash_strings; /* PostgreSQL: standard_conforming_strings off */
	bool mariadb;           /* the MySQL dialect is spoken by a MariaDB */
	/* MySQL dialect: the server's version as major * 10000 + minor * 100 +
	 * patch (80036, 101119); 0 if not known. Version comments that would
	 * run on some servers only are refused while it is not known. */
	unsigned version;
};

enum sql_kind {
	SQL_UNKNOWN, /* broken, or not known to this parser */
	SQL_EMPTY,   /* white space and comments */
	SQL_INSERT,
	SQL_REPLACE, /* MySQL's and SQLite's statement */
	SQL_UPDATE,
	SQL_DELETE,
	SQL_MERGE,
	SQL_SELECT_LOCK, /* SELECT ... FOR UPDATE and its relatives */
	SQL_READ,
	SQL_TXN,     /* transaction control; see .txn */
	SQL_SESSION, /* SET, RESET, USE, PRAGMA x = y, ... */
	SQL_DDL,     /* also CREATE TABLE AS, SELECT INTO a table, GRANT */
	SQL_TRUNCATE,
	SQL_BULK, /* COPY, LOAD DATA, SELECT INTO OUTFILE */
	SQL_CALL, /* CALL, DO, EXECUTE, PREPARE */
	SQL_LOCK_TABLES,
	SQL_ADMIN, /* VACUUM, FLUSH, KILL, ... */
	SQL_KINDS, /* how many */
};

enum sql_verdict {
	SQL_REFUSE,   /* see .reason */
	SQL_PASS,     /* changes no row: run it as it is */
	SQL_PROTECT,  /* take images (a write) or check locks (a read) */
	SQL_VERDICTS, /* how many */
};

/* A run of the script's text. len 0: the clause is not there. */
struct sql_span {
	size_t at;
	size_t len;
};

/* One identifier. text.len 0: not there. */
struct sql_name {
	/* Without quotes and folded: PostgreSQL lower-case unless quoted and
	 * cut to 63 bytes, SQLite lower-case always (ASCII letters), MySQL as
	 * written. */
	struct bytes text;
	struct sql_span span; /* exact spelling, quotes included */
	bool quoted;
};

enum sql_flag {
	SQL_HAS_SUBQUERY = 1,
	/* Calls what may differ between two statements of one transaction:
	 * random(), uuid(), nextval(), MySQL's now(). PostgreSQL's now() stays
	 * the same in a transaction and is not flagged. */
	SQL_HAS_VOLATILE = 2,
	/* Calls a function that is not known to be free of surprises. Every
	 * volatile one is also one of these. */
	SQL_HAS_CALL = 4,
	SQL_HAS_VARIABLE = 8,     /* MySQL @x or @@x */
	SQL_HAS_LOCK = 16,        /* FOR UPDATE and the like in a sub-query */
	SQL_HAS_SKIP_LOCKED = 32, /* with SKIP LOCKED: rows by chance */
	SQL_HAS_DEFAULT = 64,     /* the word DEFAULT, alone or in DEFAULT(x) */
	SQL_HAS_AGGREGATE = 256,  /* count(), sum(), ...; not in a sub-query */
	SQL_HAS_COLUMN = 128,     /* refers to a column or another bare name */
};

enum sql_simple {
	SQL_EXPR, /* not simple */
	SQL_NULL,
	SQL_NUMBER,  /* .text: as written, with its sign */
	SQL_STRING,  /* .text: decoded */
	SQL_BYTES,   /* X'..': .text: raw. MySQL's 0x.. and b'..' too */
	SQL_BOOL,    /* .text: "true" or "false" */
	SQL_DEFAULT, /* the word DEFAULT */
	SQL_PARAM,   /* .param: which of the statement's params[] */
};

/* An expression, or a list of them. */
struct sql_expr {
	struct sql_span span;
	unsigned flags; /* of enum sql_flag */
	/* Its parameters: params[first_param .. first_param + n_params). */
	size_t first_param;
	size_t n_params;
	enum sql_simple simple;
	struct bytes text;
	size_t param;
};

struct sql_column {
	struct sql_name qualifier; /* table or alias in front, if any */
	struct sql_name name;
	struct sql_span span; /* qualifier, name and what follows */
	bool part;            /* a[1] or a.b: only a part of the column */
};

struct sql_table {
	struct sql_name database; /* PostgreSQL: the first of three names */
	struct sql_name schema;   /* MySQL: the database */
	struct sql_name name;
	struct sql_name alias;
	struct sql_span span;      /* all of it, alias and hints included */
	struct sql_span name_span; /* database.schema.name */
	struct sql_span partition; /* MySQL PARTITION (...) */
	struct sql_span index;     /* INDEXED BY x, USE INDEX (...), ... */
	bool only;                 /* PostgreSQL ONLY */
	bool star;                 /* PostgreSQL name * */
};

/* column = value, or (a, b) = value with n_columns > 1 or .row. */
struct sql_assign {
	struct sql_span span;
	struct sql_column *columns;
	size_t n_columns;
	bool row;
	struct sql_expr value;
};

struct sql_row {
	struct sql_span span; /* brackets included */
	struct sql_expr *values;
	size_t n_values;
};

enum sql_source {
	SQL_FROM_NOTHING, /* not an INSERT */
	SQL_FROM_VALUES,
	SQL_FROM_SELECT,   /* .query */
	SQL_FROM_DEFAULTS, /* DEFAULT VALUES, or MySQL's () VALUES () */
	SQL_FROM_SET,      /* MySQL INSERT t SET a = 1: see .assigns */
};

/* What happens to a row that meets an existing key. */
enum sql_on_conflict {
	SQL_CONFLICT_FAILS,
	SQL_CONFLICT_IGNORE,    /* INSERT IGNORE, OR IGNORE */
	SQL_CONFLICT_REPLACE,   /* REPLACE, OR REPLACE */
	SQL_CONFLICT_NOTHING,   /* ON CONFLICT DO NOTHING */
	SQL_CONFLICT_UPDATE,    /* ON CONFLICT DO UPDATE */
	SQL_CONFLICT_DUPLICATE, /* ON DUPLICATE KEY UPDATE */
};

/* One ON CONFLICT or ON DUPLICATE KEY clause. SQLite may have several. */
struct sql_upsert {
	struct sql_span span; /* from ON */
	enum sql_on_conflict action;
	struct sql_span target;     /* (a, b), brackets included */
	struct sql_column *columns; /* the target's columns ... */
	size_t n_columns;
	bool target_exprs; /* ... but it also has an expression */
	struct sql_expr target_where;
	struct sql_name constraint; /* ON CONSTRAINT x */
	struct sql_assign *assigns;
	size_t n_assigns;
	struct sql_expr where;
};

enum sql_lock_strength {
	SQL_FOR_KEY_SHARE,
	SQL_FOR_SHARE, /* and LOCK IN SHARE MODE */
	SQL_FOR_NO_KEY_UPDATE,
	SQL_FOR_UPDATE,
};

enum sql_lock_wait {
	SQL_WAIT, /* as long as the server likes */
	SQL_NOWAIT,
	SQL_SKIP_LOCKED,
	SQL_WAIT_SECONDS, /* MariaDB WAIT n: .seconds */
};

struct sql_lock {
	struct sql_span span; /* FOR UPDATE OF t NOWAIT */
	enum sql_lock_strength strength;
	enum sql_lock_wait wait;
	struct sql_expr seconds;
	struct sql_name *of; /* names or aliases; none: every table */
	size_t n_of;
};

/* A condition `column = value` that holds for every row of the result. With
 * several tables the qualifier says whose column it is. */
struct sql_equal {
	struct sql_column column;
	struct sql_expr value; /* never SQL_EXPR or SQL_DEFAULT */
};

enum sql_param_style {
	SQL_PARAM_DOLLAR,   /* $1 */
	SQL_PARAM_QUESTION, /* ? */
	SQL_PARAM_NUMBERED, /* ?12 */
	SQL_PARAM_NAMED,    /* :x @x $x */
};

struct sql_param {
	struct sql_span span;
	enum sql_param_style style;
	/* Which value it takes, from 1, as the database's own bind call counts
	 * within this statement. */
	size_t number;
	struct bytes name; /* of a named one, its sign included */
};

enum sql_txn_sort {
	SQL_TXN_NONE,
	SQL_TXN_BEGIN, /* BEGIN, START TRANSACTION */
	SQL_TXN_COMMIT,
	SQL_TXN_ROLLBACK,
	SQL_TXN_SAVEPOINT,
	SQL_TXN_ROLLBACK_TO,
	SQL_TXN_RELEASE,
	SQL_TXN_SET,        /* SET TRANSACTION, for the (next) transaction */
	SQL_TXN_SET_LATER,  /* SET SESSION TRANSACTION, CHARACTERISTICS */
	SQL_TXN_AUTOCOMMIT, /* SET autocommit */
	SQL_TXN_PREPARE,    /* PREPARE TRANSACTION, COMMIT/ROLLBACK PREPARED */
	SQL_TXN_XA,
};

struct sql_txn {
	enum sql_txn_sort sort;
	struct sql_name savepoint;
	struct sql_span options; /* what follows BEGIN, SET TRANSACTION, ... */
	bool autocommit;         /* the new value */
	bool chain;              /* AND CHAIN (refused) */
	bool read_only;          /* READ ONLY was asked for */
};

struct sql_statement {
	struct sql_span span; /* first to last token, without the ; */
	enum sql_kind kind;
	enum sql_verdict verdict;
	const char *reason;  /* a sentence; NULL unless refused */
	size_t reason_at;    /* offset that the reason speaks of */
	struct sql_txn txn;  /* SQL_TXN */
	bool changes_syntax; /* it sets what this parser was told in options */

	struct sql_param *params; /* all, in order of the text */
	size_t n_params;
	/* Tables read anywhere in it, sub-queries included, the target of a
	 * write excluded (unless it is also read in a sub-query). */
	struct sql_table *reads;
	size_t n_reads;

	/* Writes; SQL_SELECT_LOCK and SQL_READ fill what they have of it, with
	 * the only table of a plain one-table SELECT as target. */
	struct sql_table target;
	struct sql_span with; /* WITH ..., up to the verb */
	struct sql_span
		verb;        /* UPDATE LOW_PRIORITY IGNORE, INSERT OR .. INTO */
	struct sql_span set; /* the list behind SET */
	struct sql_assign *assigns;
	size_t n_assigns;
	/* UPDATE .. FROM, DELETE .. USING: the list behind the keyword, without
	 * the target. MySQL with .joined: the whole reference list, target
	 * included. SELECT: the list behind FROM. */
	struct sql_expr from;
	bool joined; /* MySQL UPDATE a JOIN b, DELETE a FROM a JOIN b */
	struct sql_expr where;
	struct sql_equal *equals; /* top-level conditions of where */
	size_t n_equals;
	bool equals_all; /* where is nothing but equals[] joined by AND */
	struct sql_expr order_by;
	struct sql_expr limit;
	struct sql_expr offset;
	struct sql_span tail;      /* ORDER BY .. LIMIT .., keywords included */
	struct sql_span returning; /* the list behind RETURNING */
	enum sql_on_conflict
		on_conflict; /* the statement's own word, e.g. OR */

	/* SQL_INSERT and SQL_REPLACE. */
	struct sql_column *columns;
	size_t n_columns;
	bool has_columns; /* a list was given, maybe an empty one */
	enum sql_source source;
	struct sql_row *rows;
	size_t n_rows;
	struct sql_expr query; /* all of INSERT ... SELECT's query */
	struct sql_upsert *upserts;
	size_t n_upserts;
	bool overriding_system;    /* OVERRIDING SYSTEM VALUE */
	bool overriding_user;      /* OVERRIDING USER VALUE */
	struct sql_span row_alias; /* MySQL: AS new (a, b) */
	struct sql_name row_name;

	/* SQL_SELECT_LOCK and SQL_READ. */
	struct sql_span select_list;
	struct sql_lock *locks;
	size_t n_locks;
	/* One table, no join, DISTINCT, aggregate, GROUP BY, HAVING, WINDOW or
	 * set operation: each result row is one row of the target. */
	bool one_table;
};

struct sql_script {
	struct bytes text; /* its own copy, a NUL behind it */
	enum sql_dialect dialect;
	struct sql_statement *statements; /* at least one, maybe SQL_EMPTY */
	size_t n_statements;
	struct sql_tokens *tokens; /* for sql_copy() */
};

/*
 * Describe every statement of the text. Empty statements between semicolons
 * are left out; a text with nothing in it is one SQL_EMPTY. A broken statement
 * is SQL_UNKNOWN and says what was expected where; if its end cannot be known
 * (a string or bracket without end, a limit), it takes the rest of the text.
 * Of a text beyond text_max nothing is kept. `options` may be NULL.
 * OK or E_NOMEM.
 */
MUST_CHECK int sql_parse(const struct mem *mem, enum sql_dialect dialect,
			 const struct sql_options *options, struct bytes text,
			 struct sql_script **out);

/* NULL is fine. */
void sql_script_free(struct sql_script *script);

/* The text of a span, borrowed. */
struct bytes sql_text(const struct sql_script *script, struct sql_span span);

/* Line and column of an offset, both from 1; the column counts characters. */
struct sql_place {
	size_t line;
	size_t column;
};
struct sql_place sql_place(const struct sql_script *script, size_t at);

/* Whether two folded names mean the same column or alias: PostgreSQL by bytes,
 * the others without regard to the case of ASCII letters. */
bool sql_same_name(enum sql_dialect dialect, struct bytes a, struct bytes b);

/* "insert", "select for update", ...; never NULL. */
const char *sql_kind_name(enum sql_kind kind);
/* "refuse", "pass", "protect"; never NULL. */
const char *sql_verdict_name(enum sql_verdict verdict);

/*
 * Which parameters of a statement a copied text needs, in the order in which
 * the copy wants them: the copy's (first + i)-th value is the original's
 * numbers[i]-th.
 */
struct sql_binds {
	const struct mem *mem;
	size_t first; /* number of the copy's first parameter, from 1 */
	size_t *numbers;
	size_t n;
	size_t cap;
};

void sql_binds_init(struct sql_binds *binds, const struct mem *mem,
		    size_t first);
void sql_binds_fini(struct sql_binds *binds);

/*
 * Append the text of a span to `out` so that it can stand in another
 * statement: comments fall away (version comments leave their contents), and
 * parameters are numbered anew: $k in PostgreSQL and ?k in SQLite, where a
 * parameter that was already copied keeps its number; ? in MySQL. Append
 * several spans with the same `binds` to build one statement. The span must
 * start and end between tokens, as all spans here do.
 *
 * OK or E_NOMEM (then `out` and `binds` hold a part); E_LIMIT from `out`.
 */
MUST_CHECK int sql_copy(const struct sql_script *script,
			const struct sql_statement *statement,
			struct sql_span span, struct sql_binds *binds,
			struct buf *out);

#endif
