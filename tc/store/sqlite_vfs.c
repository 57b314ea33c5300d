#include "tc/store/sqlite_vfs.h"

#include "base/buf.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

struct sqlite_vfs {
	sqlite3_vfs base;
	sqlite3_vfs *below;
	const struct mem *mem;
	struct store_stats *stats;
	struct buf name;
};

/* The file of the layer below lies directly behind this. */
struct counted_file {
	sqlite3_file base;
	struct sqlite_vfs *vfs;
	sqlite3_file *below;
};

static sqlite3_file *below_file(sqlite3_file *f)
{
	return ((struct counted_file *)f)->below;
}

static sqlite3_vfs *below_vfs(sqlite3_vfs *v)
{
	return ((struct sqlite_vfs *)v)->below;
}

static uint64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- files ---- */

static int file_close(sqlite3_file *f)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xClose(b);
}

static int file_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xRead(b, p, n, at);
}

static int file_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xWrite(b, p, n, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xTruncate(b, size);
}

static int file_sync(sqlite3_file *f, int flags)
{
	sqlite3_file *b = below_file(f);
	struct store_stats *stats = ((struct counted_file *)f)->vfs->stats;
	uint64_t from = now_us();
	int rc = b->pMethods->xSync(b, flags);

	stats->syncs++;
	stats->sync_us_total += now_us() - from;
	return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xFileSize(b, size);
}

static int file_lock(sqlite3_file *f, int level)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xLock(b, level);
}

static int file_unlock(sqlite3_file *f, int level)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xUnlock(b, level);
}

static int file_check_lock(sqlite3_file *f, int *held)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xCheckReservedLock(b, held);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xFileControl(b, op, arg);
}

static int file_sector_size(sqlite3_file *f)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xSectorSize(b);
}

static int file_characteristics(sqlite3_file *f)
{
	sqlite3_file *b = below_file(f);

	return b->pMethods->xDeviceCharacteristics(b);
}

/* Version 1: no shared memory and no memory mapping, so that every byte goes
 * through here. Exclusive locking needs neither. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
};

/* ---- the layer ---- */

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f,
		    int flags, int *out_flags)
{
	struct counted_file *file = (struct counted_file *)f;
	sqlite3_vfs *b = below_vfs(v);
	int rc;

	file->vfs = (struct sqlite_vfs *)v;
	file->below = (sqlite3_file *)(void *)(file + 1);
	rc = b->xOpen(b, name, file->below, flags, out_flags);
	file->base.pMethods = file->below->pMethods ? &methods : NULL;
	return rc;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
	return below_vfs(v)->xDelete(below_vfs(v), name, sync_dir);
}

static int vfs_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
	return below_vfs(v)->xAccess(below_vfs(v), name, flags, out);
}

static int vfs_path(sqlite3_vfs *v, const char *name, int n, char *out)
{
	return below_vfs(v)->xFullPathname(below_vfs(v), name, n, out);
}

static int vfs_randomness(sqlite3_vfs *v, int n, char *out)
{
	return below_vfs(v)->xRandomness(below_vfs(v), n, out);
}

static int vfs_sleep(sqlite3_vfs *v, int us)
{
	return below_vfs(v)->xSleep(below_vfs(v), us);
}

static int vfs_time(sqlite3_vfs *v, double *now)
{
	return below_vfs(v)->xCurrentTime(below_vfs(v), now);
}

static int vfs_last_error(sqlite3_vfs *v, int n, char *text)
{
	return below_vfs(v)->xGetLastError(below_vfs(v), n, text);
}

static sqlite3_vfs vfs_over(const sqlite3_vfs *below)
{
	return (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = (int)sizeof(struct counted_file) + below->szOsFile,
		.mxPathname = below->mxPathname,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
	};
}

int sqlite_vfs_new(struct sqlite_vfs **out, const struct mem *mem,
		   const char *below, struct store_stats *stats)
{
	static atomic_uint serial;
	sqlite3_vfs *under = sqlite3_vfs_find(below);
	struct sqlite_vfs *v;

	if (!under)
		return E_NOTFOUND;
	v = mem_alloc(mem, sizeof *v);
	if (!v)
		return E_NOMEM;
	v->below = under;
	v->mem = mem;
	v->stats = stats;
	v->base = vfs_over(under);
	buf_init(&v->name, mem);
	buf_printf(&v->name, "treaty-%u", atomic_fetch_add(&serial, 1));
	v->base.zName = buf_text(&v->name);
	if (buf_error(&v->name) ||
	    sqlite3_vfs_register(&v->base, 0) != SQLITE_OK) {
		buf_fini(&v->name);
		mem_free(mem, v);
		return E_NOMEM;
	}
	*out = v;
	return OK;
}

const char *sqlite_vfs_name(const struct sqlite_vfs *v)
{
	return v->base.zName;
}

void sqlite_vfs_free(struct sqlite_vfs *v)
{
	if (!v)
		return;
	(void)sqlite3_vfs_unregister(&v->base);
	buf_fini(&v->name);
	mem_free(v->mem, v);
}
