#include "tc/auth/role.h"

#define MAY(action) (1u << ACTION_##action)

static const unsigned anybody = MAY(PROBE);

static const unsigned roles[ROLES] = {
	[ROLE_VIEWER] = MAY(OWN) | MAY(READ),
	[ROLE_OPERATOR] = MAY(OWN) | MAY(READ) | MAY(SERVE) | MAY(OPERATE),
	[ROLE_ADMIN] = MAY(OWN) | MAY(READ) | MAY(SERVE) | MAY(OPERATE) |
		       MAY(ADMINISTER),
};

static const struct {
	enum scope scope;
	const char *name;
	unsigned may;
} scopes[] = {
	{ SCOPE_READ, "read", MAY(READ) },
	{ SCOPE_OPERATE, "operate", MAY(READ) | MAY(OPERATE) },
	{ SCOPE_ADMIN, "admin", MAY(READ) | MAY(OPERATE) | MAY(ADMINISTER) },
	{ SCOPE_SERVICE, "service", MAY(SERVE) },
};

static unsigned token_may(unsigned held)
{
	unsigned may = 0;

	for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
		if (held & scopes[i].scope)
			may |= scopes[i].may;
	return may;
}

static unsigned may_of(const struct actor *who)
{
	switch (who->kind) {
	case ACTOR_USER:
		REQUIRE((unsigned)who->role < ROLES);
		return roles[who->role];
	case ACTOR_TOKEN:
		return token_may(who->scopes);
	case ACTOR_AGENT:
		return MAY(SERVE);
	default:
		return 0;
	}
}

bool auth_allows(const struct actor *who, enum auth_action action)
{
	REQUIRE((unsigned)action < ACTIONS);
	return ((anybody | may_of(who)) & (1u << action)) != 0;
}

static const char *const role_names[ROLES] = {
	[ROLE_NONE] = "none",
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
};

const char *role_name(int role)
{
	return role_names[role > 0 && role < ROLES ? role : ROLE_NONE];
}

int role_parse(struct bytes text, enum role *out)
{
	for (int i = ROLE_VIEWER; i < ROLES; i++) {
		if (bytes_equal(text, bytes_of(role_names[i]))) {
			*out = (enum role)i;
			return OK;
		}
	}
	return E_INVALID;
}

const char *scope_name(unsigned scope)
{
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
		if (scopes[i].scope == scope)
			return scopes[i].name;
	return NULL;
}

int scope_parse(struct bytes text, unsigned *out)
{
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		if (bytes_equal(text, bytes_of(scopes[i].name))) {
			*out = scopes[i].scope;
			return OK;
		}
	}
	return E_INVALID;
}

const char *auth_action_name(int action)
{
	static const char *const names[ACTIONS] = {
		[ACTION_PROBE] = "probe",
		[ACTION_OWN] = "own",
		[ACTION_READ] = "read",
		[ACTION_SERVE] = "serve",
		[ACTION_OPERATE] = "operate",
		[ACTION_ADMINISTER] = "administer",
	};

	return action >= 0 && action < ACTIONS ? names[action] : "unknown";
}
