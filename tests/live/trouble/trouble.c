#include "tests/live/trouble/trouble.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* In front of the C library. Goes to the kernel directly: it may be called
 * before anything else is set up. */

#define EXPORT __attribute__((visibility("default")))

static struct trouble none;

static struct trouble *trouble(void)
{
	static struct trouble *shared;
	const char *path = getenv("TREATY_TROUBLE");
	void *p;
	int fd;

	if (shared)
		return shared;
	if (!path)
		return &none;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return &none;
	p = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)syscall(SYS_close, fd);
	if (p == MAP_FAILED)
		return &none;
	shared = p;
	return shared;
}

static int fails(int fd, int64_t with)
{
	struct stat st;

	if (with == 0 || fd <= 2 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	errno = (int)with;
	return 1;
}

static int sync_file(long number, int fd)
{
	struct trouble *t = trouble();
	struct timespec ts = { (time_t)(t->sync_ms / 1000),
			       (long)(t->sync_ms % 1000) * 1000000 };

	t->syncs++;
	if (t->sync_ms)
		(void)nanosleep(&ts, NULL);
	if (fails(fd, t->sync_errno))
		return -1;
	return (int)syscall(number, fd);
}

EXPORT int fsync(int fd)
{
	return sync_file(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd)
{
	return sync_file(SYS_fdatasync, fd);
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	if (fails(fd, trouble()->write_errno))
		return -1;
	return syscall(SYS_write, fd, data, len);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	if (fails(fd, trouble()->write_errno))
		return -1;
	return syscall(SYS_pwrite64, fd, data, len, at);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	if (fails(fd, trouble()->write_errno))
		return -1;
	return syscall(SYS_pwrite64, fd, data, len, at);
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ts);

	if (rc == 0 && clock == CLOCK_REALTIME)
		ts->tv_sec += (time_t)trouble()->clock_s;
	return rc;
}

EXPORT time_t time(time_t *out)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

typedef int resolver(const char *, const char *, const struct addrinfo *,
		     struct addrinfo **);

static int fake(resolver *real, const char *service,
		const struct addrinfo *hints, struct addrinfo **out)
{
	struct trouble *t = trouble();
	struct timespec ts = { (time_t)(t->resolve_ms / 1000),
			       (long)(t->resolve_ms % 1000) * 1000000 };
	struct in_addr in = { (in_addr_t)t->address };
	struct addrinfo numeric = { 0 };
	char text[INET_ADDRSTRLEN];

	t->resolves++;
	if (t->resolve_ms)
		(void)nanosleep(&ts, NULL);
	if (hints)
		numeric = *hints;
	numeric.ai_family = AF_INET;
	numeric.ai_flags = AI_NUMERICHOST;
	if (!inet_ntop(AF_INET, &in, text, sizeof text))
		return EAI_FAIL;
	return real(text, service, &numeric, out);
}

EXPORT int getaddrinfo(const char *name, const char *service,
		       const struct addrinfo *hints, struct addrinfo **out)
{
	union {
		void *data;
		resolver *code;
	} real = { dlsym(RTLD_NEXT, "getaddrinfo") };
	size_t n = name ? strlen(name) : 0;

	if (n > 5 && strcmp(name + n - 5, ".fake") == 0)
		return fake(real.code, service, hints, out);
	return real.code(name, service, hints, out);
}
