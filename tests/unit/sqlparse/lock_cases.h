#ifndef TESTS_UNIT_SQLPARSE_LOCK_CASES_H
#define TESTS_UNIT_SQLPARSE_LOCK_CASES_H

/* clang-format off: a table reads best with a row on three lines */
static const struct sql_case lock_cases[] = {
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT * FROM t WHERE id = 1 FOR UPDATE",
	  "select{*} from{t} where{id = 1} exactly{id=#1} lock{update} "
	  "reads{t}",
	  NULL },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT a, b FROM t WHERE id = 1 FOR SHARE",
	  "select{a, b} from{t} where{id = 1} exactly{id=#1} lock{share} "
	  "reads{t}",
	  NULL },
	{ P, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT * FROM t FOR NO KEY UPDATE",
	  "select{*} from{t} lock{no key update} reads{t}", NULL },
	{ P, SQL_SELECT_LOCK, SQL_PROTECT, "t", "SELECT * FROM t FOR KEY SHARE",
	  "select{*} from{t} lock{key share} reads{t}", NULL },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT * FROM t FOR UPDATE NOWAIT",
	  "select{*} from{t} lock{update nowait} reads{t}", NULL },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT * FROM t ORDER BY a LIMIT 1 FOR UPDATE SKIP LOCKED",
	  "select{*} from{t} tail{ORDER BY a LIMIT 1} limit{#1} lock{update "
	  "skip} reads{t}",
	  NULL },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "t=x",
	  "SELECT * FROM t x WHERE x.a = 1 FOR UPDATE OF x",
	  "select{*} from{t x} where{x.a = 1} exactly{x.a=#1} lock{update of "
	  "x} reads{t=x}",
	  NULL },
	{ P, SQL_SELECT_LOCK, SQL_PROTECT, "",
	  "SELECT * FROM t JOIN u ON t.id = u.id FOR UPDATE OF t SKIP LOCKED "
	  "FOR SHARE OF u NOWAIT",
	  "select{*} from{t JOIN u ON t.id = u.id} lock{update of t skip} "
	  "lock{share of u nowait} no-rows-of-one-table reads{t u}",
	  NULL },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "",
	  "SELECT t.a FROM t, u WHERE t.id = u.id AND t.a = 1 FOR UPDATE",
	  "select{t.a} from{t, u} where{t.id = u.id AND t.a = 1} "
	  "equals{t.a=#1} lock{update} no-rows-of-one-table reads{t u}",
	  NULL },
	{ M, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE",
	  "select{*} from{t} where{id = 1} exactly{id=#1} lock{share} reads{t}",
	  NULL },
	{ MARIADB, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT * FROM t WHERE id = 1 FOR UPDATE WAIT 5",
	  "select{*} from{t} where{id = 1} exactly{id=#1} lock{update wait #5} "
	  "reads{t}",
	  NULL },
	{ MARIADB, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE NOWAIT",
	  "select{*} from{t} where{id = 1} exactly{id=#1} lock{share nowait} "
	  "reads{t}",
	  NULL },
	{ M, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT * FROM t WHERE id = 1 FOR UPDATE INTO @x",
	  "select{*} from{t} where{id = 1} exactly{id=#1} lock{update} "
	  "reads{t}",
	  NULL },
	{ M, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT a INTO @a FROM t WHERE id = ? FOR UPDATE",
	  "select{a} from{t} where{id = ?/p0+1} exactly{id=:1} lock{update} "
	  "reads{t}",
	  NULL },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "",
	  "SELECT count(*) FROM t GROUP BY a FOR UPDATE",
	  "select{count(*)} from{t} lock{update} no-rows-of-one-table reads{t}",
	  NULL },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "",
	  "SELECT DISTINCT a FROM t FOR UPDATE",
	  "select{a} from{t} lock{update} no-rows-of-one-table reads{t}",
	  NULL },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "(SELECT * FROM t WHERE id = 1 FOR UPDATE)",
	  "select{*} from{t} where{id = 1} exactly{id=#1} lock{update} "
	  "reads{t}",
	  NULL },
	{ PM, SQL_SELECT_LOCK, SQL_REFUSE, "",
	  "SELECT * FROM (SELECT * FROM t WHERE id = 1 FOR UPDATE) x",
	  "select{*} from{(SELECT * FROM t WHERE id = 1 FOR UPDATE) "
	  "x/subquery/lock} no-rows-of-one-table reads{t}",
	  "rows are locked inside a sub-query, where their global locks cannot "
	  "be checked: lock them in the outermost SELECT" },
	{ PM, SQL_SELECT_LOCK, SQL_REFUSE, "u",
	  "SELECT * FROM u WHERE id IN (SELECT id FROM t FOR UPDATE)",
	  "select{*} from{u} where{id IN (SELECT id FROM t FOR "
	  "UPDATE)/subquery/lock} reads{u t}",
	  "rows are locked inside a sub-query, where their global locks cannot "
	  "be checked: lock them in the outermost SELECT" },
	{ PM, SQL_SELECT_LOCK, SQL_PROTECT, "",
	  "WITH x AS (SELECT 1 AS id) SELECT * FROM t JOIN x ON x.id = t.id "
	  "FOR UPDATE",
	  "with{WITH x AS (SELECT 1 AS id)} select{*} from{t JOIN x ON x.id = "
	  "t.id} lock{update} no-rows-of-one-table reads{t}",
	  NULL },
	{ P, SQL_SELECT_LOCK, SQL_REFUSE, "t",
	  "DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE",
	  "select{*} from{t} lock{update} reads{t}",
	  "which rows a cursor locks is not known before they are fetched: use "
	  "SELECT FOR UPDATE itself" },
	{ P, SQL_UNKNOWN, SQL_REFUSE, "", "SELECT * FROM t FOR UPDATE LIMIT 1",
	  "",
	  "line 1, column 28: expected LIMIT and OFFSET before FOR UPDATE" },
	{ P, SQL_READ, SQL_PASS, "t", "SELECT * FROM t FOR READ ONLY",
	  "select{*} from{t} reads{t}", NULL },
	{ S, SQL_UNKNOWN, SQL_REFUSE, "", "SELECT * FROM t FOR UPDATE", "",
	  "line 1, column 17: expected the end of the statement" },
	{ P, SQL_SELECT_LOCK, SQL_PROTECT, "t",
	  "SELECT \"for\", \"update\" FROM t WHERE a = 'for update' FOR UPDATE",
	  "select{\"for\", \"update\"} from{t} where{a = 'for update'} "
	  "exactly{a='for update'} lock{update} reads{t}",
	  NULL },
	{ P, SQL_READ, SQL_PASS, "t", "SELECT \"for\", 'for update' FROM t",
	  "select{\"for\", 'for update'} from{t} reads{t}", NULL },
	{ PMS, SQL_READ, SQL_PASS, "t", "SELECT for_update FROM t",
	  "select{for_update} from{t} reads{t}", NULL },
};
/* clang-format on */

#endif
