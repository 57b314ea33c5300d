#include "tc/host/hasher.h"

#include "tc/auth/user.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <sodium.h>
#include <sys/eventfd.h>

/*
 * A ring of jobs: [collected, worked) are done, [worked, submitted) wait.
 *
 *   I1  collected <= worked <= submitted <= collected + size
 *   I2  the owner writes a job before it is submitted and reads it after it
 *       was worked, the thread has it between; the mutex is where it passes
 */

struct job {
	enum hasher_job job;
	uint64_t id;
	int err;
	bool known; /* CHECK: there is a user */
	size_t len;
	uint8_t password[PASSWORD_MAX];
	char hash[PASSWORD_HASH_SIZE]; /* in and out */
};

struct hasher {
	const struct mem *mem;
	struct password_cost cost;
	void (*done)(void *ctx, const struct hasher_done *);
	void *ctx;
	int fd;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	bool stop;
	uint64_t submitted, worked, collected;
	size_t size;
	struct job *jobs;
};

static struct job *job_at(struct hasher *h, uint64_t n)
{
	return &h->jobs[n % h->size];
}

static void check_job(struct job *j, struct bytes password,
		      const struct password_cost *cost)
{
	char hash[PASSWORD_HASH_SIZE];

	memcpy(hash, j->hash, sizeof hash);
	j->hash[0] = '\0';
	j->err = password_check(j->known ? hash : NULL, password, cost);
	/* Without memory for it the old one stays: it is good. */
	if (j->err == OK && password_is_stale(hash, cost) &&
	    password_hash(j->hash, password, cost) != OK)
		j->hash[0] = '\0';
	sodium_memzero(hash, sizeof hash);
}

static void do_job(struct job *j, const struct password_cost *cost)
{
	struct bytes password = { j->password, j->len };

	if (j->job == HASHER_CHECK)
		check_job(j, password, cost);
	else
		j->err = password_hash(j->hash, password, cost);
	sodium_memzero(j->password, sizeof j->password);
}

static void wake(const struct hasher *h)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(h->fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
	REQUIRE(n == (ssize_t)sizeof one || errno == EAGAIN);
}

static void *run(void *ctx)
{
	struct hasher *h = ctx;

	(void)pthread_mutex_lock(&h->mutex);
	for (;;) {
		struct job *j;

		while (!h->stop && h->worked == h->submitted)
			(void)pthread_cond_wait(&h->work, &h->mutex);
		if (h->stop)
			break;
		j = job_at(h, h->worked);
		(void)pthread_mutex_unlock(&h->mutex);
		do_job(j, &h->cost);
		(void)pthread_mutex_lock(&h->mutex);
		h->worked++;
		wake(h);
	}
	(void)pthread_mutex_unlock(&h->mutex);
	return NULL;
}

/* The process's signals are for the loop. */
static int start(struct hasher *h)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return E_IO;
	rc = pthread_create(&h->thread, NULL, run, h);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? OK : E_IO;
}

static void give_up(struct hasher *h)
{
	if (h->fd >= 0)
		(void)close(h->fd);
	if (h->jobs) {
		/* wipes */
		(void)sodium_munlock(h->jobs, h->size * sizeof *h->jobs);
		mem_free(h->mem, h->jobs);
	}
	(void)pthread_cond_destroy(&h->work);
	(void)pthread_mutex_destroy(&h->mutex);
	mem_free(h->mem, h);
}

int hasher_new(struct hasher **out, const struct mem *mem, size_t queue_max,
	       const struct password_cost *cost,
	       void (*done)(void *ctx, const struct hasher_done *), void *ctx)
{
	struct hasher *h = mem_alloc(mem, sizeof *h);
	int rc = OK;

	REQUIRE(queue_max > 0);
	if (!h)
		return E_NOMEM;
	h->mem = mem;
	h->cost = *cost;
	h->done = done;
	h->ctx = ctx;
	h->size = queue_max;
	(void)pthread_mutex_init(&h->mutex, NULL);
	(void)pthread_cond_init(&h->work, NULL);
	h->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	h->jobs = mem_array(mem, queue_max, sizeof *h->jobs);
	if (h->fd < 0)
		rc = E_IO;
	else if (!h->jobs)
		rc = E_NOMEM;
	else /* more than the limit of locked memory is no reason to stop */
		(void)sodium_mlock(h->jobs, queue_max * sizeof *h->jobs);
	if (rc == OK)
		rc = start(h);
	if (rc != OK)
		give_up(h);
	else
		*out = h;
	return rc;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	(void)pthread_mutex_lock(&h->mutex);
	h->stop = true;
	(void)pthread_cond_signal(&h->work);
	(void)pthread_mutex_unlock(&h->mutex);
	(void)pthread_join(h->thread, NULL);
	give_up(h);
}

int hasher_submit(struct hasher *h, enum hasher_job job, uint64_t id,
		  struct bytes password, struct bytes hash)
{
	struct job *j = job_at(h, h->submitted);

	if (password.len > PASSWORD_MAX || hash.len >= sizeof j->hash)
		return E_INVALID;
	/* .submitted and .collected are written by this thread only */
	if (h->submitted - h->collected == h->size)
		return E_AGAIN;
	j->job = job;
	j->id = id;
	j->err = E_NOMEM;
	j->known = hash.len > 0;
	j->len = password.len;
	if (password.len > 0)
		memcpy(j->password, password.data, password.len);
	sodium_memzero(j->hash, sizeof j->hash);
	if (hash.len > 0)
		memcpy(j->hash, hash.data, hash.len);
	(void)pthread_mutex_lock(&h->mutex);
	h->submitted++;
	(void)pthread_cond_signal(&h->work);
	(void)pthread_mutex_unlock(&h->mutex);
	return OK;
}

int hasher_fd(const struct hasher *h)
{
	return h->fd;
}

static uint64_t worked(struct hasher *h)
{
	uint64_t n;

	(void)pthread_mutex_lock(&h->mutex);
	n = h->worked;
	(void)pthread_mutex_unlock(&h->mutex);
	return n;
}

void hasher_collect(struct hasher *h)
{
	uint64_t count, end;
	ssize_t n = read(h->fd, &count, sizeof count);

	REQUIRE(n == (ssize_t)sizeof count || errno == EAGAIN ||
		errno == EINTR);
	end = worked(h);
	while (h->collected < end) {
		/* A copy: its place may be taken again by the callback. */
		const struct job *j = job_at(h, h->collected);
		char hash[PASSWORD_HASH_SIZE];
		struct hasher_done d = { j->job, j->id, j->err, hash };

		memcpy(hash, j->hash, sizeof hash);
		h->collected++;
		h->done(h->ctx, &d);
		sodium_memzero(hash, sizeof hash);
	}
}
