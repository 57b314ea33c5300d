#include "tc/auth/login.h"

#include "base/list.h"
#include "base/map.h"

/*
 *   I1  each session is on by_hash and on by_use, and nowhere else
 *   I2  by_use is ordered by used_ms, the least recent first
 */

struct session {
	struct map_node by_hash;
	struct list by_use;
	uint8_t hash[SECRET_LEN];
	uint64_t opened_ms, used_ms;
	size_t user_len;
	uint8_t user[];
};

struct logins {
	const struct mem *mem;
	const struct entropy *entropy;
	struct login_config config;
	uint8_t key[SECRET_LEN];
	struct map by_hash;
	struct list by_use;
};

void login_config_default(struct login_config *config)
{
	*config = (struct login_config){
		.idle_ms = 30 * 60 * 1000,
		.absolute_ms = 12 * 3600 * 1000,
		.max = 1000,
		.per_user_max = 10,
	};
}

int logins_new(struct logins **out, const struct mem *mem,
	       const struct login_config *config, const struct entropy *entropy)
{
	struct logins *l;

	REQUIRE(config->max > 0 && config->per_user_max > 0 &&
		config->idle_ms > 0 && config->absolute_ms > 0);
	l = mem_alloc(mem, sizeof *l);
	if (!l)
		return E_NOMEM;
	if (map_init(&l->by_hash, mem) != OK) {
		mem_free(mem, l);
		return E_NOMEM;
	}
	l->mem = mem;
	l->entropy = entropy;
	l->config = *config;
	list_init(&l->by_use);
	secret_fill(entropy, l->key, sizeof l->key);
	*out = l;
	return OK;
}

static struct session *session_of(struct list *node)
{
	return CONTAINER_OF(node, struct session, by_use);
}

static struct bytes user_of(const struct session *s)
{
	return (struct bytes){ s->user, s->user_len };
}

static void drop(struct logins *l, struct session *s)
{
	map_remove(&l->by_hash, &s->by_hash);
	list_remove(&s->by_use);
	secret_wipe(s->hash, sizeof s->hash);
	mem_free(l->mem, s);
}

void logins_free(struct logins *l)
{
	if (!l)
		return;
	LIST_EACH(node, &l->by_use)
		drop(l, session_of(node));
	map_fini(&l->by_hash);
	secret_wipe(l->key, sizeof l->key);
	mem_free(l->mem, l);
}

static bool is_over(const struct logins *l, const struct session *s,
		    uint64_t now_ms)
{
	return now_ms - s->used_ms >= l->config.idle_ms ||
	       now_ms - s->opened_ms >= l->config.absolute_ms;
}

/* What is kept of a cookie ("s"), or the CSRF token that goes with it ("c").
 * E_INVALID: it is none. */
static int derive(const struct logins *l, struct bytes cookie, char what,
		  uint8_t out[SECRET_LEN])
{
	uint8_t text[1 + SECRET_LEN];
	int rc = secret_of_text(text + 1, cookie);

	if (rc == OK) {
		text[0] = (uint8_t)what;
		secret_hash(out, l->key, (struct bytes){ text, sizeof text });
	}
	secret_wipe(text, sizeof text);
	return rc;
}

static uint64_t bucket_of(const uint8_t hash[SECRET_LEN])
{
	uint64_t h;

	memcpy(&h, hash, sizeof h);
	return h;
}

static struct session *find(const struct logins *l, struct bytes cookie)
{
	uint8_t hash[SECRET_LEN];
	struct map_node *n;

	if (derive(l, cookie, 's', hash) != OK)
		return NULL;
	n = map_find(&l->by_hash, bucket_of(hash));
	for (; n; n = map_find_next(n)) {
		struct session *s = CONTAINER_OF(n, struct session, by_hash);

		if (secret_equal((struct bytes){ s->hash, SECRET_LEN },
				 (struct bytes){ hash, SECRET_LEN }))
			return s;
	}
	return NULL;
}

/* Room for one more of this user. */
static void make_room(struct logins *l, struct bytes user)
{
	struct session *oldest = NULL;
	size_t n = 0;

	LIST_EACH(node, &l->by_use) {
		struct session *s = session_of(node);

		if (!bytes_equal(user_of(s), user))
			continue;
		if (!oldest)
			oldest = s; /* I2 */
		n++;
	}
	if (n >= l->config.per_user_max)
		drop(l, oldest);
}

int login_open(struct logins *l, struct bytes user, uint64_t now_ms,
	       char cookie[SECRET_TEXT_LEN + 1])
{
	uint8_t secret[SECRET_LEN];
	struct session *s = mem_alloc(l->mem, sizeof *s + user.len);

	if (!s)
		return E_NOMEM;
	(void)login_sweep(l, now_ms);
	make_room(l, user);
	if (l->by_hash.count >= l->config.max) {
		mem_free(l->mem, s);
		return E_LIMIT;
	}
	secret_fill(l->entropy, secret, sizeof secret);
	secret_text(cookie, secret);
	secret_wipe(secret, sizeof secret);
	REQUIRE(derive(l, bytes_of(cookie), 's', s->hash) == OK);
	s->opened_ms = s->used_ms = now_ms;
	s->user_len = user.len;
	if (user.len > 0)
		memcpy(s->user, user.data, user.len);
	list_init(&s->by_use);
	list_append(&l->by_use, &s->by_use);
	map_insert(&l->by_hash, &s->by_hash, bucket_of(s->hash));
	return OK;
}

int login_find(struct logins *l, struct bytes cookie, uint64_t now_ms,
	       struct login_view *out)
{
	struct session *s = find(l, cookie);

	if (!s)
		return E_DENIED;
	if (is_over(l, s, now_ms)) {
		drop(l, s);
		return E_DENIED;
	}
	s->used_ms = now_ms;
	list_remove(&s->by_use);
	list_append(&l->by_use, &s->by_use);
	out->user = user_of(s);
	out->opened_ms = s->opened_ms;
	out->until_ms = s->opened_ms + l->config.absolute_ms;
	return OK;
}

int login_csrf(const struct logins *l, struct bytes cookie,
	       char token[SECRET_TEXT_LEN + 1])
{
	uint8_t hash[SECRET_LEN];
	int rc = derive(l, cookie, 'c', hash);

	if (rc == OK)
		secret_text(token, hash);
	secret_wipe(hash, sizeof hash);
	return rc;
}

bool login_csrf_good(const struct logins *l, struct bytes cookie,
		     struct bytes token)
{
	char wanted[SECRET_TEXT_LEN + 1];
	bool good;

	if (login_csrf(l, cookie, wanted) != OK)
		return false;
	good = secret_equal(bytes_of(wanted), token);
	secret_wipe(wanted, sizeof wanted);
	return good;
}

void login_close(struct logins *l, struct bytes cookie)
{
	struct session *s = find(l, cookie);

	if (s)
		drop(l, s);
}

size_t login_close_user(struct logins *l, struct bytes user,
			struct bytes but_cookie)
{
	struct session *but = find(l, but_cookie);
	size_t n = 0;

	LIST_EACH(node, &l->by_use) {
		struct session *s = session_of(node);

		if (s == but || !bytes_equal(user_of(s), user))
			continue;
		drop(l, s);
		n++;
	}
	return n;
}

size_t login_sweep(struct logins *l, uint64_t now_ms)
{
	LIST_EACH(node, &l->by_use) {
		struct session *s = session_of(node);

		if (is_over(l, s, now_ms))
			drop(l, s);
	}
	return l->by_hash.count;
}
