#ifndef TC_AUTH_ROLE_H
#define TC_AUTH_ROLE_H

/*
 * Who may do what: one table of roles and scopes against actions.
 *
 * Rules
 * -----
 *  - What the table does not allow is denied. auth_test.c walks every cell.
 *  - Each thing that can be asked has exactly one action (a route of the http
 *    door, a message of an agent), so the table is all there is to check.
 *  - A person has one role. A token has any of the scopes, and may do what one
 *    of them may; it never has its maker's role.
 *  - ACTION_SERVE is what programs do with their own transactions. An operator
 *    may do it too: who can force a commit gains nothing by it.
 *
 * Pure.
 */

#include "base/base.h"

enum role {
	ROLE_NONE,
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_ADMIN,
	ROLES, /* how many */
};

enum scope {
	SCOPE_READ = 1,
	SCOPE_OPERATE = 2,
	SCOPE_ADMIN = 4,
	SCOPE_SERVICE = 8,
	SCOPES_ALL = 15,
};

enum auth_action {
	ACTION_PROBE,      /* is it alive, does it take work; to log in */
	ACTION_OWN,        /* one's own session, password */
	ACTION_READ,       /* transactions, locks, agents, metrics */
	ACTION_SERVE,      /* begin, register, report, decide, send, start */
	ACTION_OPERATE,    /* what changes other people's transactions */
	ACTION_ADMINISTER, /* users, tokens, keys, the audit log, settings */
	ACTIONS,           /* how many */
};

enum actor_kind {
	ACTOR_NOBODY, /* has not said who it is */
	ACTOR_USER,   /* a person: .role */
	ACTOR_TOKEN,  /* a program with an API token: .scopes */
	ACTOR_AGENT,  /* a program with an application's key */
	ACTOR_KINDS,  /* how many */
};

/* Who asks. .name is borrowed: of the user, the token's label, the agent's
 * "application@instance". */
struct actor {
	enum actor_kind kind;
	enum role role;
	unsigned scopes; /* bits of enum scope */
	struct bytes name;
};

bool auth_allows(const struct actor *who, enum auth_action action);

/* "viewer", "operator", "admin"; "none" for anything else. */
const char *role_name(int role);
MUST_CHECK int role_parse(struct bytes text, enum role *out); /* E_INVALID */

/* "read", "operate", "admin", "service"; NULL if it is not one scope. */
const char *scope_name(unsigned scope);
MUST_CHECK int scope_parse(struct bytes text, unsigned *out); /* E_INVALID */

const char *auth_action_name(int action); /* "operate"; never NULL */

#endif
