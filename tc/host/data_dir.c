#include "tc/host/data_dir.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_MAX 4096

static int fail(struct buf *error, int err, const char *path, const char *what,
		const char *advice)
{
	buf_clear(error);
	buf_printf(error, "%s: %s; %s", path, what, advice);
	return err;
}

/* A folder that was just made must not vanish with the power. */
static void sync_parent(const struct mem *mem, const char *path)
{
	char *copy = mem_text(mem, bytes_of(path));
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		      : -1;

	if (fd >= 0) {
		(void)fsync(fd);
		(void)close(fd);
	}
	mem_free(mem, copy);
}

static int make_folder(struct data_dir *d, const char *path, struct buf *error)
{
	struct stat st;

	if (mkdir(path, 0700) == 0) {
		sync_parent(d->mem, path);
		return OK;
	}
	if (errno != EEXIST)
		return fail(error, E_IO, path, strerror(errno),
			    "create the folder above it, or choose another "
			    "with --data-dir");
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return fail(error, E_IO, path, "not a folder",
			    "choose another with --data-dir");
	if (st.st_mode & 0007)
		LOG_WARN("everybody can read the data directory; chmod o-rwx",
			 LOG_S("data_dir", path));
	return OK;
}

static const char *path_of(struct data_dir *d, struct buf *b, const char *name,
			   const char *suffix)
{
	buf_clear(b);
	buf_printf(b, "%s/%s%s", buf_text(&d->path), name, suffix);
	return buf_text(b);
}

static void put_pid(int fd)
{
	char text[32];
	int n = (int)getpid(), at = (int)sizeof text;

	text[--at] = '\n';
	for (; n > 0; n /= 10)
		text[--at] = (char)('0' + n % 10);
	if (ftruncate(fd, 0) == 0 &&
	    pwrite(fd, text + at, sizeof text - (size_t)at, 0) < 0)
		LOG_WARN("cannot write the process id into the lock file",
			 LOG_S("error", strerror(errno)));
}

static int taken(struct data_dir *d, struct buf *error)
{
	struct buf who;

	buf_init(&who, d->mem);
	if (data_dir_read(d, "lock", &who) != OK)
		buf_put_text(&who, "?");
	buf_clear(error);
	buf_printf(error,
		   "%s: another treatyd has it (process %s); stop that one, or "
		   "choose another folder with --data-dir",
		   buf_text(&d->path), buf_text(&who));
	buf_fini(&who);
	return E_CONFLICT;
}

static int take_lock(struct data_dir *d, struct buf *error)
{
	struct buf path;
	int rc = OK;

	buf_init(&path, d->mem);
	d->lock = open(path_of(d, &path, "lock", ""),
		       O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock < 0)
		rc = fail(error, E_IO, buf_text(&path), strerror(errno),
			  "check owner and mode of the folder and whether the "
			  "file system is mounted read-only");
	else if (flock(d->lock, LOCK_EX | LOCK_NB) != 0)
		rc = taken(d, error);
	else
		put_pid(d->lock);
	buf_fini(&path);
	return rc;
}

int data_dir_open(struct data_dir *d, const struct mem *mem, const char *path,
		  struct buf *error)
{
	int rc;

	*d = (struct data_dir){ .mem = mem, .lock = -1 };
	buf_init(&d->path, mem);
	buf_init(&d->store, mem);
	buf_put_text(&d->path, path);
	buf_printf(&d->store, "%s/treaty.db", path);
	if (buf_error(&d->path) || buf_error(&d->store))
		rc = fail(error, E_NOMEM, path, "out of memory",
			  "give the process more");
	else
		rc = make_folder(d, path, error);
	if (rc == OK)
		rc = take_lock(d, error);
	if (rc != OK)
		data_dir_close(d);
	return rc;
}

int data_dir_read(struct data_dir *d, const char *name, struct buf *out)
{
	uint8_t text[SMALL_MAX];
	struct buf path;
	ssize_t n;
	int fd;

	buf_init(&path, d->mem);
	fd = open(path_of(d, &path, name, ""), O_RDONLY | O_CLOEXEC);
	buf_fini(&path);
	if (fd < 0)
		return errno == ENOENT ? E_NOTFOUND : E_IO;
	n = read(fd, text, sizeof text);
	(void)close(fd);
	if (n < 0)
		return E_IO;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	buf_put(out, (struct bytes){ text, (size_t)n });
	return buf_error(out);
}

static int write_all(int fd, struct bytes text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.data, text.len);

		if (n < 0)
			return E_IO;
		text.data += n;
		text.len -= (size_t)n;
	}
	return fsync(fd) == 0 ? OK : E_IO;
}

int data_dir_write(struct data_dir *d, const char *name, struct bytes text)
{
	struct buf from, to;
	int fd, rc = E_IO;

	buf_init(&from, d->mem);
	buf_init(&to, d->mem);
	fd = open(path_of(d, &from, name, ".new"),
		  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0) {
		rc = write_all(fd, text);
		(void)close(fd);
	}
	if (rc == OK && rename(buf_text(&from), path_of(d, &to, name, "")) != 0)
		rc = E_IO;
	if (rc == OK)
		sync_parent(d->mem, buf_text(&to));
	buf_fini(&from);
	buf_fini(&to);
	return rc;
}

void data_dir_remove(struct data_dir *d, const char *name)
{
	struct buf path;

	buf_init(&path, d->mem);
	(void)unlink(path_of(d, &path, name, ""));
	buf_fini(&path);
}

void data_dir_close(struct data_dir *d)
{
	if (!d->mem)
		return;
	if (d->lock >= 0)
		(void)close(d->lock);
	d->lock = -1;
	buf_fini(&d->path);
	buf_fini(&d->store);
}
