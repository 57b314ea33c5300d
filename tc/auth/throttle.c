#include "tc/auth/throttle.h"

/*
 * Places in sets of WAYS, chosen by a keyed hash; a name is in its set or not
 * at all.
 *   I1  failures == 0: the place is free
 */

#define WAYS 8

enum side { SIDE_USER = 1, SIDE_ADDRESS = 2 };

struct place {
	uint64_t hash;
	uint64_t until_ms; /* no attempt before */
	uint64_t last_ms;  /* the last attempt that was let through */
	uint32_t failures;
};

struct throttle {
	const struct mem *mem;
	struct throttle_config config;
	uint8_t key[SECRET_LEN];
	struct place places[];
};

void throttle_config_default(struct throttle_config *config)
{
	*config = (struct throttle_config){
		.user = { .free = 5,
			  .first_ms = 1000,
			  .max_ms = 30 * 1000,
			  .forget_ms = 3600 * 1000 },
		.address = { .free = 20,
			     .first_ms = 1000,
			     .max_ms = 15 * 60 * 1000,
			     .forget_ms = 24 * 3600 * 1000 },
		.places = 4096,
	};
}

int throttle_new(struct throttle **out, const struct mem *mem,
		 const struct throttle_config *config,
		 const struct entropy *entropy)
{
	struct throttle *t;

	REQUIRE(config->places >= WAYS && config->places <= 1u << 20 &&
		(config->places & (config->places - 1)) == 0);
	REQUIRE(config->user.max_ms < config->user.forget_ms &&
		config->address.max_ms < config->address.forget_ms);
	t = mem_alloc(mem, sizeof *t + config->places * sizeof t->places[0]);
	if (!t)
		return E_NOMEM;
	t->mem = mem;
	t->config = *config;
	secret_fill(entropy, t->key, sizeof t->key);
	*out = t;
	return OK;
}

void throttle_free(struct throttle *t)
{
	if (!t)
		return;
	secret_wipe(t->key, sizeof t->key);
	mem_free(t->mem, t);
}

static const struct throttle_limit *limit_of(const struct throttle *t,
					     enum side side)
{
	return side == SIDE_USER ? &t->config.user : &t->config.address;
}

static uint64_t hash_of(const struct throttle *t, enum side side,
			struct bytes text)
{
	uint8_t inner[SECRET_LEN + 1], outer[SECRET_LEN];
	uint64_t hash;

	secret_hash(inner, t->key, text);
	inner[SECRET_LEN] = (uint8_t)side; /* a name may look like an address */
	secret_hash(outer, t->key, (struct bytes){ inner, sizeof inner });
	memcpy(&hash, outer, sizeof hash);
	return hash;
}

static struct place *set_of(struct throttle *t, uint64_t hash)
{
	size_t sets = t->config.places / WAYS;

	return &t->places[((size_t)(hash >> 32) & (sets - 1)) * WAYS];
}

static struct place *find(struct throttle *t, uint64_t hash)
{
	struct place *set = set_of(t, hash);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].failures > 0 && set[i].hash == hash)
			return &set[i];
	return NULL;
}

/* One that is there, or the one in the set that is missed least. */
static struct place *take(struct throttle *t, uint64_t hash)
{
	struct place *set = set_of(t, hash), *least = find(t, hash);

	if (least)
		return least;
	least = set;
	for (size_t i = 1; i < WAYS; i++)
		if (set[i].failures < least->failures ||
		    (set[i].failures == least->failures &&
		     set[i].last_ms < least->last_ms))
			least = &set[i];
	*least = (struct place){ .hash = hash };
	return least;
}

static uint64_t wait_of(struct place *p, const struct throttle_limit *limit,
			uint64_t now_ms)
{
	if (!p)
		return 0;
	if (now_ms >= p->last_ms && now_ms - p->last_ms >= limit->forget_ms)
		*p = (struct place){ 0 };
	return p->until_ms > now_ms ? p->until_ms - now_ms : 0;
}

static void count(struct place *p, const struct throttle_limit *limit,
		  uint64_t now_ms)
{
	uint64_t wait = limit->first_ms;

	if (p->failures < UINT32_MAX)
		p->failures++;
	p->last_ms = now_ms;
	if (p->failures < limit->free)
		return;
	for (uint32_t i = limit->free; i < p->failures && wait < limit->max_ms;
	     i++)
		wait *= 2;
	p->until_ms = now_ms + (wait < limit->max_ms ? wait : limit->max_ms);
}

int throttle_begin(struct throttle *t, struct bytes user, struct bytes address,
		   uint64_t now_ms, uint64_t *wait_ms)
{
	const struct bytes texts[] = { user, address };
	const enum side sides[] = { SIDE_USER, SIDE_ADDRESS };
	uint64_t hashes[2], longest = 0;

	for (size_t i = 0; i < 2; i++) {
		uint64_t wait;

		hashes[i] = hash_of(t, sides[i], texts[i]);
		wait = wait_of(find(t, hashes[i]), limit_of(t, sides[i]),
			       now_ms);
		if (wait > longest)
			longest = wait;
	}
	if (longest > 0) {
		*wait_ms = longest;
		return E_AGAIN;
	}
	for (size_t i = 0; i < 2; i++)
		count(take(t, hashes[i]), limit_of(t, sides[i]), now_ms);
	return OK;
}

void throttle_succeeded(struct throttle *t, struct bytes user,
			struct bytes address)
{
	struct place *u = find(t, hash_of(t, SIDE_USER, user));
	struct place *a = find(t, hash_of(t, SIDE_ADDRESS, address));

	if (u)
		*u = (struct place){ 0 };
	if (a) {
		a->failures--;
		a->until_ms = 0;
	}
}
