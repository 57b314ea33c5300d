#include "samples/checkout/hold.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define ARMED_MAX     4
#define POINT_MAX     31
#define BREAK_HOLD_MS 60000

struct hold {
	struct hold *next;
	const char *token;
	const char *xid;
	bool released;
	bool refuse;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct hold *holds;
static char armed[ARMED_MAX][POINT_MAX + 1];

static struct timespec from_now(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

bool hold_wait(const char *token, const char *xid, int64_t hold_ms)
{
	struct timespec end = from_now(hold_ms);
	struct hold me = { .token = token, .xid = xid }, **p;

	pthread_mutex_lock(&lock);
	me.next = holds;
	holds = &me;
	while (!me.released)
		if (pthread_cond_timedwait(&changed, &lock, &end) != 0)
			break;
	for (p = &holds; *p != &me; p = &(*p)->next)
		;
	*p = me.next;
	pthread_mutex_unlock(&lock);
	return me.refuse;
}

static char *armed_as(const char *point)
{
	for (size_t i = 0; i < ARMED_MAX; i++)
		if (strcmp(armed[i], point) == 0)
			return armed[i];
	return NULL;
}

bool hold_arm(const char *point)
{
	char *place;

	if (strlen(point) > POINT_MAX)
		return false;
	pthread_mutex_lock(&lock);
	place = armed_as("");
	if (place)
		memcpy(place, point, strlen(point) + 1);
	pthread_mutex_unlock(&lock);
	return place != NULL;
}

void hold_at(const char *point, const char *xid)
{
	char *place;

	pthread_mutex_lock(&lock);
	place = armed_as(point);
	if (place)
		*place = 0;
	pthread_mutex_unlock(&lock);
	if (place)
		(void)hold_wait(point, xid, BREAK_HOLD_MS);
}

bool hold_release(const char *token, bool refuse)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (struct hold *h = holds; h; h = h->next) {
		if (strcmp(h->token, token) == 0) {
			h->released = found = true;
			h->refuse = refuse;
		}
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return found;
}

cJSON *hold_list(void)
{
	cJSON *list = cJSON_CreateArray();

	pthread_mutex_lock(&lock);
	for (struct hold *h = holds; h; h = h->next) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "token", h->token);
		cJSON_AddStringToObject(item, "xid", h->xid);
		cJSON_AddItemToArray(list, item);
	}
	pthread_mutex_unlock(&lock);
	return list;
}
