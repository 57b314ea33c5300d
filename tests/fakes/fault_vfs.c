#include "tests/fakes/fault_vfs.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/list.h"

#include <sqlite3.h>
#include <stdatomic.h>

#define SECTOR 512

/* A write or truncation that no sync has covered yet. */
struct pending {
	struct list link;
	bool truncate;
	size_t at; /* or the new size */
	struct buf data;
};

struct file {
	struct list link;
	struct buf name;
	struct buf now;  /* what a reader sees */
	struct buf disk; /* what survives a power loss for certain */
	struct buf kept;
	struct list pending; /* oldest first */
	bool gone;
};

struct fault_vfs {
	sqlite3_vfs base;
	struct buf name;
	struct list files;
	long ops;
	long syncs;
	long cut_at; /* < 0: never */
	long fail_at;
	int fail_code;
	uint64_t random;
};

struct handle {
	sqlite3_file base;
	struct fault_vfs *vfs;
	struct file *file;
};

/* ---- contents ---- */

static void resize(struct buf *b, size_t len)
{
	static const uint8_t zeros[4096];

	while (b->len < len)
		buf_put(b, (struct bytes){ zeros, sizeof zeros });
	b->len = len;
	REQUIRE(buf_error(b) == OK);
}

static void overwrite(struct buf *b, size_t at, struct bytes data)
{
	if (b->len < at + data.len)
		resize(b, at + data.len);
	memcpy(b->data + at, data.data, data.len);
}

static void copy(struct buf *to, const struct buf *from)
{
	buf_clear(to);
	buf_put(to, buf_bytes(from));
	REQUIRE(buf_error(to) == OK);
}

static struct file *find(const struct fault_vfs *v, const char *name)
{
	LIST_EACH(l, &v->files) {
		struct file *f = CONTAINER_OF(l, struct file, link);

		if (!f->gone &&
		    bytes_equal(buf_bytes(&f->name), bytes_of(name)))
			return f;
	}
	return NULL;
}

static struct file *make(struct fault_vfs *v, const char *name)
{
	struct file *f = mem_alloc(&mem_heap, sizeof *f);

	REQUIRE(f);
	buf_init(&f->name, &mem_heap);
	buf_init(&f->now, &mem_heap);
	buf_init(&f->disk, &mem_heap);
	buf_init(&f->kept, &mem_heap);
	buf_put_text(&f->name, name);
	list_init(&f->pending);
	list_init(&f->link);
	list_append(&v->files, &f->link);
	return f;
}

static void pending_free(struct pending *p)
{
	list_remove(&p->link);
	buf_fini(&p->data);
	mem_free(&mem_heap, p);
}

static void pending_drop(struct file *f)
{
	LIST_EACH(l, &f->pending) {
		pending_free(CONTAINER_OF(l, struct pending, link));
	}
}

static void pending_add(struct file *f, bool truncate, size_t at,
			struct bytes data)
{
	struct pending *p = mem_alloc(&mem_heap, sizeof *p);

	REQUIRE(p);
	p->truncate = truncate;
	p->at = at;
	buf_init(&p->data, &mem_heap);
	buf_put(&p->data, data);
	list_init(&p->link);
	list_append(&f->pending, &p->link);
}

static void drop_file(struct file *f)
{
	list_remove(&f->link);
	pending_drop(f);
	buf_fini(&f->name);
	buf_fini(&f->now);
	buf_fini(&f->disk);
	buf_fini(&f->kept);
	mem_free(&mem_heap, f);
}

/* A sync: everything since the last one reaches the disk. */
static void settle(struct file *f)
{
	LIST_EACH(l, &f->pending) {
		struct pending *p = CONTAINER_OF(l, struct pending, link);

		if (p->truncate)
			resize(&f->disk, p->at);
		else
			overwrite(&f->disk, p->at, buf_bytes(&p->data));
		pending_free(p);
	}
}

static void survive_write(struct file *f, const struct pending *p,
			  uint64_t *random)
{
	for (size_t i = 0; i < p->data.len; i += SECTOR) {
		size_t n = p->data.len - i < SECTOR ? p->data.len - i : SECTOR;

		if (random_next(random) % 2)
			overwrite(&f->disk, p->at + i,
				  (struct bytes){ p->data.data + i, n });
	}
}

static void survive(struct file *f, uint64_t *random)
{
	LIST_EACH(l, &f->pending) {
		const struct pending *p = CONTAINER_OF(l, struct pending, link);

		if (!p->truncate)
			survive_write(f, p, random);
		else if (random_next(random) % 2)
			resize(&f->disk, p->at);
	}
}

/* A failed sync: some of it arrived, and no later sync will write the rest,
 * because the kernel believes that it did. */
static void lose(struct fault_vfs *v, struct file *f)
{
	survive(f, &v->random);
	pending_drop(f);
}

/* Count an operation; what it must fail with, or SQLITE_OK. */
static int strike(struct fault_vfs *v, int cut_code)
{
	long n = v->ops++;

	if (v->cut_at >= 0 && n >= v->cut_at)
		return cut_code;
	return n == v->fail_at ? v->fail_code : SQLITE_OK;
}

static bool dead(const struct fault_vfs *v)
{
	return v->cut_at >= 0 && v->ops > v->cut_at;
}

/* ---- files ---- */

static int file_close(sqlite3_file *f)
{
	(void)f;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *h, void *p, int n, sqlite3_int64 at)
{
	struct handle *handle = (struct handle *)h;
	struct buf *now = &handle->file->now;
	size_t got = 0;

	if (dead(handle->vfs))
		return SQLITE_IOERR_READ;
	if ((size_t)at < now->len) {
		got = now->len - (size_t)at;
		if (got > (size_t)n)
			got = (size_t)n;
		memcpy(p, now->data + at, got);
	}
	if (got == (size_t)n)
		return SQLITE_OK;
	memset((uint8_t *)p + got, 0, (size_t)n - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *h, const void *p, int n, sqlite3_int64 at)
{
	struct file *f = ((struct handle *)h)->file;
	struct bytes data = { p, (size_t)n };
	int rc = strike(((struct handle *)h)->vfs, SQLITE_IOERR_WRITE);

	if (rc != SQLITE_OK) /* half of it arrived */
		data.len /= 2;
	overwrite(&f->now, (size_t)at, data);
	pending_add(f, false, (size_t)at, data);
	return rc;
}

static int file_truncate(sqlite3_file *h, sqlite3_int64 size)
{
	struct file *f = ((struct handle *)h)->file;
	int rc = strike(((struct handle *)h)->vfs, SQLITE_IOERR_TRUNCATE);

	if (rc != SQLITE_OK)
		return rc;
	resize(&f->now, (size_t)size);
	pending_add(f, true, (size_t)size, (struct bytes){ 0 });
	return rc;
}

static int file_sync(sqlite3_file *h, int flags)
{
	struct handle *handle = (struct handle *)h;
	int rc = strike(handle->vfs, SQLITE_IOERR_FSYNC);

	(void)flags;
	if (rc == SQLITE_OK) {
		handle->vfs->syncs++;
		settle(handle->file);
	} else {
		lose(handle->vfs, handle->file);
	}
	return rc;
}

static int file_size(sqlite3_file *h, sqlite3_int64 *size)
{
	*size = (sqlite3_int64)((struct handle *)h)->file->now.len;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
	(void)f;
	(void)level;
	return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *f, int *held)
{
	(void)f;
	*held = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *f)
{
	(void)f;
	return SECTOR;
}

/* As the unix file layer says of every disk: a write harms no neighbour. */
static int file_characteristics(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
};

/* ---- the layer ---- */

static int vfs_open(sqlite3_vfs *base, const char *name, sqlite3_file *h,
		    int flags, int *out_flags)
{
	struct handle *handle = (struct handle *)h;
	struct fault_vfs *v = (struct fault_vfs *)base;
	struct file *f = name ? find(v, name) : NULL;

	h->pMethods = NULL;
	if (dead(v))
		return SQLITE_CANTOPEN;
	if (!f && !(flags & SQLITE_OPEN_CREATE))
		return SQLITE_CANTOPEN;
	handle->vfs = v;
	handle->file = f ? f : make(v, name ? name : "temporary");
	h->pMethods = &methods;
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *name, int sync_dir)
{
	struct fault_vfs *v = (struct fault_vfs *)base;
	struct file *f = find(v, name);

	(void)sync_dir;
	if (dead(v))
		return SQLITE_IOERR_DELETE;
	if (!f)
		return SQLITE_IOERR_DELETE_NOENT;
	f->gone = true;
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *base, const char *name, int flags, int *out)
{
	const struct file *f = find((struct fault_vfs *)base, name);

	(void)flags;
	*out = f && f->now.len > 0;
	return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *base, const char *name, int n, char *out)
{
	size_t len = strlen(name);

	(void)base;
	REQUIRE(len < (size_t)n);
	memcpy(out, name, len + 1);
	return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *base, int n, char *out)
{
	(void)base;
	for (int i = 0; i < n; i++)
		out[i] = (char)(i * 37 + 11);
	return n;
}

static int vfs_sleep(sqlite3_vfs *base, int us)
{
	(void)base;
	return us;
}

static int vfs_time(sqlite3_vfs *base, double *now)
{
	(void)base;
	*now = 2460000.5;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *base, int n, char *text)
{
	(void)base;
	(void)n;
	(void)text;
	return 0;
}

struct fault_vfs *fault_vfs_new(void)
{
	static atomic_uint serial;
	struct fault_vfs *v = mem_alloc(&mem_heap, sizeof *v);

	REQUIRE(v);
	v->base = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = (int)sizeof(struct handle),
		.mxPathname = 256,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
	};
	v->cut_at = v->fail_at = -1;
	list_init(&v->files);
	buf_init(&v->name, &mem_heap);
	buf_printf(&v->name, "fault-%u", atomic_fetch_add(&serial, 1));
	v->base.zName = buf_text(&v->name);
	REQUIRE(sqlite3_vfs_register(&v->base, 0) == SQLITE_OK);
	return v;
}

void fault_vfs_free(struct fault_vfs *v)
{
	(void)sqlite3_vfs_unregister(&v->base);
	LIST_EACH(l, &v->files)
		drop_file(CONTAINER_OF(l, struct file, link));
	buf_fini(&v->name);
	mem_free(&mem_heap, v);
}

const char *fault_vfs_name(const struct fault_vfs *v)
{
	return v->base.zName;
}

long fault_vfs_ops(const struct fault_vfs *v)
{
	return v->ops;
}

long fault_vfs_syncs(const struct fault_vfs *v)
{
	return v->syncs;
}

void fault_vfs_cut(struct fault_vfs *v, long n)
{
	v->cut_at = v->ops + n;
}

void fault_vfs_fail(struct fault_vfs *v, long n, int code)
{
	v->fail_at = v->ops + n;
	v->fail_code = code;
}

/* ---- power loss ---- */

void fault_vfs_restart(struct fault_vfs *v, enum fault_loss loss,
		       uint64_t *random)
{
	LIST_EACH(l, &v->files) {
		struct file *f = CONTAINER_OF(l, struct file, link);

		if (f->gone) {
			drop_file(f);
			continue;
		}
		if (loss == FAULT_LOSE_NOTHING)
			continue; /* and what is unsynced stays unsynced */
		if (loss == FAULT_LOSE_SOME)
			survive(f, random);
		copy(&f->now, &f->disk);
		pending_drop(f);
	}
	v->cut_at = v->fail_at = -1;
}

/* ---- damage ---- */

int fault_vfs_flip(struct fault_vfs *v, const char *name, size_t at)
{
	struct file *f = find(v, name);

	if (!f || at >= f->now.len)
		return E_NOTFOUND;
	f->now.data[at] ^= 1;
	return OK;
}

size_t fault_vfs_size(const struct fault_vfs *v, const char *name)
{
	const struct file *f = find(v, name);

	return f ? f->now.len : 0;
}

void fault_vfs_keep(struct fault_vfs *v, const char *name)
{
	struct file *f = find(v, name);

	REQUIRE(f);
	copy(&f->kept, &f->now);
}

int fault_vfs_revert(struct fault_vfs *v, const char *name, size_t at,
		     size_t len)
{
	struct file *f = find(v, name);

	if (!f || at + len > f->kept.len || at + len > f->now.len)
		return E_NOTFOUND;
	memcpy(f->now.data + at, f->kept.data + at, len);
	return OK;
}
