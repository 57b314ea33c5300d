#include "base/hash.h"
#include "tc/core/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Who gets what waits, of healthy and of suspect peers. */

#define PLACES 2

struct rig {
	struct peers ps;
	struct lane *lane; /* of R, application "app" */
};

static struct peer *up(struct rig *r, uint64_t id, const char *resource)
{
	const struct bytes resources[] = { bytes_of(resource) };
	const struct peer_up u = { .peer = id,
				   .application = BYTES("app"),
				   .instance =
					   id == 1 ? BYTES("i1") : BYTES("i"),
				   .resources = resources,
				   .n_resources = 1 };
	struct peer *p;

	assert_int_equal(peers_up(&r->ps, &u, &p), OK);
	return p;
}

static void rig_start(struct rig *r)
{
	assert_int_equal(peers_init(&r->ps, &mem_heap, 7), OK);
	peers_limit(&r->ps, 100, PLACES);
	assert_int_equal(
		lane_get(&r->lane, &r->ps, BYTES("R"), BYTES("app"), false),
		OK);
}

static void rig_stop(struct rig *r)
{
	lane_put(&r->ps, r->lane);
	peers_fini(&r->ps);
}

static void queue(struct rig *r, struct list *node)
{
	list_init(node);
	peers_queue(&r->ps, r->lane, BYTES("i1"), node);
	peers_check(&r->ps);
}

/* Send the next. Who got it, or NULL; the node must be this one. */
static struct peer *send_next(struct rig *r, const struct list *want)
{
	struct peer *to = NULL;
	struct list *node = peers_next(&r->ps, &to);

	peers_check(&r->ps);
	if (!node)
		return NULL;
	assert_ptr_equal(node, want);
	peers_sent(to, node);
	peers_check(&r->ps);
	return to;
}

static void test_a_suspect_gets_nothing_that_a_healthy_one_can_take(
	void **state)
{
	struct list node;
	struct peer *bad, *good;
	struct rig r;

	(void)state;
	rig_start(&r);
	bad = up(&r, 1, "R");
	good = up(&r, 2, "R");
	queue(&r, &node);
	assert_ptr_equal(send_next(&r, &node), bad); /* who registered it */
	peers_suspect(bad);
	for (int i = 0; i < 10; i++) { /* also when it was woken last time */
		struct peer *had = i ? good : bad;

		peers_back(&r.ps, had, &node);
		queue(&r, &node);
		assert_ptr_equal(send_next(&r, &node), good);
	}
	peers_back(&r.ps, good, &node);
	peers_gone(&r.ps, good); /* and now nobody else is there */
	queue(&r, &node);
	assert_ptr_equal(send_next(&r, &node), bad);
	peers_back(&r.ps, bad, &node);
	rig_stop(&r);
}

static void test_a_suspect_is_asked_when_the_healthy_are_full(void **state)
{
	struct list nodes[PLACES + 3];
	struct peer *bad, *good;
	struct rig r;

	(void)state;
	rig_start(&r);
	bad = up(&r, 1, "R");
	good = up(&r, 2, "R");
	peers_suspect(bad);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		queue(&r, &nodes[i]);
	for (size_t i = 0; i < PLACES; i++)
		assert_ptr_equal(send_next(&r, &nodes[i]), good);
	assert_ptr_equal(send_next(&r, &nodes[PLACES]), bad);
	assert_null(send_next(&r, NULL)); /* one at a time */
	peers_back(&r.ps, good, &nodes[0]);
	peers_back(&r.ps, bad, &nodes[PLACES]); /* it was in vain */
	assert_ptr_equal(send_next(&r, &nodes[PLACES + 1]), good);
	assert_ptr_equal(send_next(&r, &nodes[PLACES + 2]), bad);
	peers_trust(&r.ps, bad); /* it does answer */
	queue(&r, &nodes[0]);
	assert_ptr_equal(send_next(&r, &nodes[0]), bad);
	peers_back(&r.ps, bad, &nodes[0]);
	peers_back(&r.ps, bad, &nodes[PLACES + 2]);
	peers_back(&r.ps, good, &nodes[1]);
	peers_back(&r.ps, good, &nodes[PLACES + 1]);
	rig_stop(&r);
}

/* Woken for what waits, and then suspect before it has taken it. */
static void test_who_becomes_suspect_hands_on_what_it_was_woken_for(
	void **state)
{
	struct peer *a, *b, *woken, *other;
	struct list node;
	struct rig r;

	(void)state;
	rig_start(&r);
	a = up(&r, 2, "R");
	b = up(&r, 3, "R");
	assert_null(send_next(&r, NULL));
	queue(&r, &node);
	woken = CONTAINER_OF(list_first(&r.ps.ready), struct peer, ready);
	other = woken == a ? b : a;
	peers_suspect(woken);
	assert_ptr_equal(send_next(&r, &node), other);
	peers_back(&r.ps, other, &node);
	rig_stop(&r);
}

/* ---- anything, in any order ---- */

#define PEERS 4
#define NODES 24

struct world {
	struct rig r;
	struct lane *lanes[2];
	struct peer *peers[PEERS];
	struct list nodes[NODES];
	struct peer *at[NODES]; /* in flight there */
	bool waits[NODES];
	int lane[NODES];
	uint64_t random;
};

static uint64_t any(struct world *w, uint64_t n)
{
	return random_next(&w->random) % n;
}

/* Odd ones have R, even ones S as well. */
static bool has_lane(const struct peer *p, const struct lane *lane)
{
	return p->id % 2 == 0 || bytes_equal(lane->resource->name, BYTES("R"));
}

static bool can(const struct peer *p, const struct lane *lane, bool suspect)
{
	return p && p->suspect == suspect && has_lane(p, lane) &&
	       p->n_in_flight < (suspect ? 1 : PLACES);
}

static bool somebody(const struct world *w, int lane, bool suspect)
{
	for (int i = 0; i < PEERS; i++)
		if (can(w->peers[i], w->lanes[lane], suspect))
			return true;
	return false;
}

/* Send all that can be sent, and look who got it. */
static void settle(struct world *w)
{
	struct peer *to;
	struct list *node;

	while ((node = peers_next(&w->r.ps, &to))) {
		size_t i = (size_t)(node - w->nodes);

		assert_true(i < NODES && w->waits[i]);
		assert_true(can(to, w->lanes[w->lane[i]], to->suspect));
		assert_true(!to->suspect || !somebody(w, w->lane[i], false));
		peers_sent(to, node);
		w->waits[i] = false;
		w->at[i] = to;
		peers_check(&w->r.ps);
	}
	for (size_t i = 0; i < NODES; i++)
		if (w->waits[i]) {
			assert_false(somebody(w, w->lane[i], false));
			assert_false(somebody(w, w->lane[i], true));
		}
}

static void come(struct world *w, size_t i)
{
	const struct bytes resources[] = { BYTES("R"), BYTES("S") };
	const struct peer_up u = { .peer = i + 1,
				   .application = BYTES("app"),
				   .instance = BYTES("i"),
				   .resources = resources,
				   .n_resources = i % 2 ? 2 : 1 };

	assert_int_equal(peers_up(&w->r.ps, &u, &w->peers[i]), OK);
}

static void back(struct world *w, size_t i)
{
	if (!w->at[i])
		return;
	peers_back(&w->r.ps, w->at[i], &w->nodes[i]);
	w->at[i] = NULL;
}

static void go(struct world *w, size_t i)
{
	struct peer *p = w->peers[i];

	peers_suspect(p);
	for (size_t k = 0; k < NODES; k++)
		if (w->at[k] == p)
			back(w, k);
	peers_gone(&w->r.ps, p);
	w->peers[i] = NULL;
}

static void put_in(struct world *w, size_t i)
{
	if (w->at[i] || w->waits[i])
		return;
	w->lane[i] = (int)any(w, 2);
	list_init(&w->nodes[i]);
	peers_queue(&w->r.ps, w->lanes[w->lane[i]], (struct bytes){ 0 },
		    &w->nodes[i]);
	w->waits[i] = true;
}

static void turn(struct world *w)
{
	size_t p = (size_t)any(w, PEERS), i = (size_t)any(w, NODES);

	switch (any(w, 16)) {
	case 0:
		come(w, p);
		break;
	case 1:
		if (w->peers[p])
			go(w, p);
		break;
	case 2:
	case 3:
		if (w->peers[p])
			peers_suspect(w->peers[p]);
		break;
	case 4:
		if (w->peers[p])
			peers_trust(&w->r.ps, w->peers[p]);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		back(w, i);
		break;
	default:
		put_in(w, i);
	}
	peers_check(&w->r.ps);
}

static void world_stop(struct world *w)
{
	for (size_t i = 0; i < NODES; i++) {
		back(w, i);
		if (w->waits[i])
			list_remove(&w->nodes[i]);
	}
	lane_put(&w->r.ps, w->lanes[1]);
	rig_stop(&w->r);
}

static void test_nothing_waits_that_somebody_may_take(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w = { .random = seed };

		rig_start(&w.r);
		w.lanes[0] = w.r.lane;
		assert_int_equal(lane_get(&w.lanes[1], &w.r.ps, BYTES("S"),
					  BYTES("app"), false),
				 OK);
		for (int i = 0; i < 3000; i++) {
			turn(&w);
			if (any(&w, 4) == 0)
				settle(&w);
		}
		world_stop(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_suspect_gets_nothing_that_a_healthy_one_can_take),
		cmocka_unit_test(
			test_a_suspect_is_asked_when_the_healthy_are_full),
		cmocka_unit_test(
			test_who_becomes_suspect_hands_on_what_it_was_woken_for),
		cmocka_unit_test(test_nothing_waits_that_somebody_may_take),
	};

	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
