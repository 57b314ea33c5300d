#include "tc/host/config.h"

#include "base/buf.h"
#include "tc/door/stream.h"
#include "tc/host/setting.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <unistd.h>

#define ENV_PREFIX      "TREATY_"
#define SYSTEM_DATA_DIR "/var/lib/treaty"
#define SYSTEM_FILE     "/etc/treaty/treaty.conf"

int config_new(struct config **out, const struct mem *mem)
{
	struct config *c = mem_alloc(mem, sizeof *c);

	if (!c)
		return E_NOMEM;
	arena_init(&c->arena, mem, 0);
	c->data_dir = access(SYSTEM_DATA_DIR, W_OK) == 0 ? SYSTEM_DATA_DIR
							 : "./treaty-data";
	c->coordinator = "";
	c->agents_listen = "tcp://127.0.0.1:7090";
	c->http_listen = HTTP_ADDRESS_DEFAULT;
	c->http_targets = "";
	c->log_level = LOG_LEVEL_INFO;
	c->lazy_ms = 20;
	c->drain_ms = 3000;
	c->rows_max = 4096;
	core_config_default(&c->core);
	store_sqlite_defaults(&c->store);
	agents_config_default(&c->agents);
	http_config_default(&c->http);
	caller_config_default(&c->caller);
	*out = c;
	return OK;
}

void config_free(struct config *c)
{
	const struct mem *mem;

	if (!c)
		return;
	mem = c->arena.mem;
	arena_fini(&c->arena);
	mem_free(mem, c);
}

/* ---- the file ---- */

struct ini_state {
	struct config *c;
	const char *path;
	FILE *file;
	struct buf *error;
	const char **seen; /* names, to find what is given twice */
	int line;
	int rc;
	bool too_long;
};

static int unknown(struct buf *error, const char *where, const char *name)
{
	buf_printf(error, "%s: unknown setting %s; see treatyd --print-config",
		   where, name);
	return E_INVALID;
}

static int on_pair(struct ini_state *st, const char *section, const char *name,
		   const char *value)
{
	const struct setting *s = setting_find(bytes_of(name));
	struct buf where, why;

	buf_init(&where, st->c->arena.mem);
	buf_init(&why, st->c->arena.mem);
	buf_printf(&where, "%s:%d", st->path, st->line);
	if (section[0] != '\0') {
		buf_printf(st->error,
			   "%s: there are no [sections]; take out "
			   "[%s]",
			   buf_text(&where), section);
		st->rc = E_INVALID;
	} else if (!s) {
		st->rc = unknown(st->error, buf_text(&where), name);
	} else if (st->seen[s - settings] && s->type != SET_WORDS) {
		buf_printf(st->error,
			   "%s: %s is given twice (or a line "
			   "starts with a blank)",
			   buf_text(&where), name);
		st->rc = E_INVALID;
	} else {
		st->rc = st->seen[s - settings]
				 ? setting_add(st->c, s, value)
				 : setting_parse(st->c, s, value, &why);
		st->seen[s - settings] = s->name;
		if (st->rc != OK)
			buf_printf(st->error, "%s: %s", buf_text(&where),
				   buf_text(&why));
	}
	buf_fini(&where);
	buf_fini(&why);
	return st->rc == OK;
}

static int ini_pair(void *ctx, const char *section, const char *name,
		    const char *value)
{
	struct ini_state *st = ctx;

	if (st->rc != OK)
		return 0; /* the first error is the one that is told */
	return on_pair(st, section, name, value ? value : "");
}

static char *ini_line(char *text, int size, void *ctx)
{
	struct ini_state *st = ctx;
	char *got = fgets(text, size, st->file);
	size_t len = got ? strlen(got) : 0;

	if (!got)
		return NULL;
	st->line++;
	if (len + 1 == (size_t)size && got[len - 1] != '\n' && st->rc == OK) {
		buf_printf(st->error, "%s:%d: a line longer than %d characters",
			   st->path, st->line, size - 2);
		st->rc = E_INVALID;
	}
	return got;
}

static int read_file(struct config *c, const char *path, struct buf *error)
{
	struct ini_state st = { .c = c, .path = path, .error = error };
	int line;

	st.seen = arena_array(&c->arena, n_settings, sizeof *st.seen);
	if (!st.seen)
		return E_NOMEM;
	st.file = fopen(path, "re");
	if (!st.file) {
		buf_printf(error, "%s: cannot be read: %s", path,
			   strerror(errno));
		return E_IO;
	}
	line = ini_parse_stream(ini_line, &st, ini_pair, &st);
	(void)fclose(st.file);
	if (st.rc != OK || line == 0)
		return st.rc;
	buf_printf(error, "%s:%d: neither a comment nor name = value", path,
		   line);
	return E_INVALID;
}

/* ---- environment ---- */

/* TREATY_RETRY_MAX=5s sets retry_max. Others' variables may start so, too. */
static int read_env(struct config *c, char *const env[], struct buf *error)
{
	for (; env && *env; env++) {
		const char *eq = strchr(*env, '=');
		const struct setting *s;
		char name[64];
		size_t n = 0;

		if (!eq || strncmp(*env, ENV_PREFIX, sizeof ENV_PREFIX - 1))
			continue;
		for (const char *p = *env + sizeof ENV_PREFIX - 1;
		     p < eq && n < sizeof name; p++)
			name[n++] = (char)tolower((unsigned char)*p);
		s = setting_find((struct bytes){ (const uint8_t *)name, n });
		if (!s)
			continue;
		buf_put_text(error, "environment TREATY_…: ");
		if (setting_parse(c, s, eq + 1, error) != OK)
			return E_INVALID;
		buf_clear(error);
	}
	return OK;
}

static const char *env_get(char *const env[], const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

/* ---- flags ---- */

struct flags {
	int argc;
	char *const *argv;
	enum config_action action;
	const char *file;
	struct config *c; /* NULL: only look for the file and the action */
	struct buf *error;
};

static bool is_flag(struct bytes name, const char *text)
{
	return bytes_equal(name, bytes_of(text));
}

static bool flag_action(struct flags *f, struct bytes name)
{
	static const struct {
		const char *name;
		enum config_action action;
	} all[] = {
		{ "check-config", CONFIG_CHECK },
		{ "print-config", CONFIG_PRINT },
		{ "help", CONFIG_HELP },
		{ "version", CONFIG_VERSION },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (is_flag(name, all[i].name)) {
			f->action = all[i].action;
			return true;
		}
	}
	return false;
}

/* --port N: agents on N and operators on N + 1, both on the loopback. */
static int set_port(struct flags *f, const char *value)
{
	const struct setting number = { .name = "--port",
					.type = SET_NUMBER,
					.offset = offsetof(struct config,
							   rows_max),
					.size = sizeof(uint64_t),
					.max = 65534 };
	uint64_t keep = f->c->rows_max, port;
	struct buf text;
	int rc = setting_parse(f->c, &number, value, f->error);

	port = f->c->rows_max;
	f->c->rows_max = keep;
	if (rc != OK)
		return rc;
	buf_init(&text, f->c->arena.mem);
	buf_printf(&text, "tcp://127.0.0.1:%u", (unsigned)port);
	f->c->agents_listen = arena_text(&f->c->arena, buf_bytes(&text));
	buf_clear(&text);
	buf_printf(&text, "127.0.0.1:%u", port ? (unsigned)port + 1 : 0);
	f->c->http_listen = arena_text(&f->c->arena, buf_bytes(&text));
	rc = buf_error(&text);
	buf_fini(&text);
	return f->c->agents_listen && f->c->http_listen ? rc : E_NOMEM;
}

static int set_flag(struct flags *f, struct bytes name, const char *value)
{
	const struct setting *s = setting_find(name);

	if (is_flag(name, "config")) {
		f->file = value;
		return OK;
	}
	if (!f->c)
		return OK;
	if (is_flag(name, "port"))
		return set_port(f, value);
	if (s)
		return setting_parse(f->c, s, value, f->error);
	buf_printf(f->error, "unknown flag --%.*s; see treatyd --help",
		   (int)name.len, (const char *)name.data);
	return E_INVALID;
}

static int read_flag(struct flags *f, int *i)
{
	const char *arg = f->argv[*i], *eq, *value;
	struct bytes name;

	if (strncmp(arg, "--", 2) != 0) {
		buf_printf(f->error, "%s is not a flag; see treatyd --help",
			   arg);
		return E_INVALID;
	}
	name = bytes_of(arg + 2);
	eq = strchr(arg, '=');
	if (eq)
		name.len = (size_t)(eq - arg) - 2;
	else if (flag_action(f, name))
		return OK;
	value = eq ? eq + 1 : *i + 1 < f->argc ? f->argv[++*i] : NULL;
	if (value)
		return set_flag(f, name, value);
	buf_printf(f->error, "%s wants a value", arg);
	return E_INVALID;
}

static int read_flags(struct flags *f)
{
	int rc = OK;

	for (int i = 1; i < f->argc && rc == OK; i++)
		rc = read_flag(f, &i);
	return rc;
}

/* ---- what depends on each other ---- */

static int refuse(struct buf *error, const char *text)
{
	buf_put_text(error, text);
	return E_INVALID;
}

static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");
	char *end = word + strcspn(word, " \t");

	if (*word == '\0')
		return NULL;
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static int split_addresses(struct config *c, struct buf *error)
{
	char *rest = arena_text(&c->arena, bytes_of(c->agents_listen)), *word;

	if (!rest)
		return E_NOMEM;
	c->agents.addresses = c->addresses;
	c->agents.n_addresses = 0;
	while ((word = next_word(&rest))) {
		if (c->agents.n_addresses == CONFIG_ADDRESSES_MAX)
			return refuse(error, "agents_listen: more than 8 "
					     "addresses");
		c->addresses[c->agents.n_addresses++] = word;
	}
	if (c->agents.n_addresses == 0)
		return refuse(error, "agents_listen: at least one address is "
				     "needed");
	return OK;
}

static int check_open(const struct config *c, struct buf *error)
{
	struct buf http;
	bool open;

	for (size_t i = 0; i < c->agents.n_addresses; i++) {
		if (c->agents.allow_unauthenticated ||
		    !stream_address_is_open(c->addresses[i]))
			continue;
		buf_printf(error,
			   "agents_listen = %s: other machines can reach it "
			   "and agents are not authenticated; listen on "
			   "127.0.0.1, ::1 or ipc://, or set "
			   "allow_unauthenticated = yes if the network itself "
			   "keeps strangers out",
			   c->addresses[i]);
		return E_INVALID;
	}
	buf_init(&http, c->arena.mem);
	buf_printf(&http, "tcp://%s", c->http_listen);
	open = strcmp(c->http_listen, "off") != 0 &&
	       stream_address_is_open(buf_text(&http));
	buf_fini(&http);
	if (!open)
		return OK;
	buf_printf(error,
		   "http_listen = %s: other machines can reach it and there "
		   "is no login yet; listen on 127.0.0.1 or ::1, or \"off\"",
		   c->http_listen);
	return E_INVALID;
}

static int check_targets(const struct config *c, struct buf *error)
{
	struct allow_list *list = NULL;
	int rc = allow_list_new(&list, c->arena.mem, bytes_of(c->http_targets),
				error);

	allow_list_free(list);
	return rc == E_LIMIT ? E_INVALID : rc;
}

static int check(struct config *c, struct buf *error)
{
	int rc = split_addresses(c, error);

	if (rc == OK)
		rc = check_targets(c, error);
	if (rc != OK)
		return rc;
	if (c->caller.calls_per_target_max > c->caller.calls_max)
		return refuse(error, "calls_per_target_max is more than "
				     "calls_max");
	if (c->core.timeout_ms_default > c->core.timeout_ms_max)
		return refuse(error, "timeout is longer than timeout_max");
	if (c->core.retry_ms_first > c->core.retry_ms_max)
		return refuse(error, "retry_first is longer than retry_max");
	if (c->agents.output_max < c->agents.message_max)
		return refuse(error, "output_max is less than message_max: one "
				     "answer could disconnect an agent");
	if (c->core.application_data_max + c->core.text_max >=
	    c->agents.message_max)
		return refuse(error, "message_max is not more than "
				     "application_data_max + text_max: a "
				     "branch could not be registered");
	return check_open(c, error);
}

int config_read(struct config *c, int argc, char *const argv[],
		char *const env[], enum config_action *action,
		struct buf *error)
{
	struct flags f = { .argc = argc,
			   .argv = argv,
			   .file = env_get(env, "TREATY_CONFIG"),
			   .error = error };
	int rc = read_flags(&f);

	*action = f.action;
	if (rc != OK || f.action == CONFIG_HELP || f.action == CONFIG_VERSION)
		return rc;
	if (!f.file && access(SYSTEM_FILE, R_OK) == 0)
		f.file = SYSTEM_FILE;
	if (f.file)
		rc = read_file(c, f.file, error);
	if (rc == OK)
		rc = read_env(c, env, error);
	f.c = c;
	if (rc == OK)
		rc = read_flags(&f);
	return rc == OK ? check(c, error) : rc;
}

/* ---- reload and print ---- */

int config_reload(struct config *c, const struct config *from, struct buf *out)
{
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		int rc = OK;

		if (setting_equal(s, c, from))
			continue;
		buf_put_text(out, s->name);
		if (s->reload) {
			rc = setting_copy(s, c, from);
			buf_put_text(out, " is now ");
			setting_print(out, c, s);
		} else {
			buf_put_text(out, " stays ");
			setting_print(out, c, s);
			buf_put_text(out, " until a restart");
		}
		buf_put_char(out, '\n');
		if (rc != OK)
			return rc;
	}
	return buf_error(out);
}

static void print_comment(struct buf *out, const char *text)
{
	buf_put_text(out, "# ");
	for (; *text; text++) {
		buf_put_char(out, *text);
		if (*text == '\n')
			buf_put_text(out, "# ");
	}
	buf_put_char(out, '\n');
}

void config_print(struct buf *out, const struct config *c)
{
	buf_put_text(out, "# treatyd's configuration. A flag (--name=value) "
			  "goes before the environment\n# (TREATY_NAME), that "
			  "before this file, and that before the default.\n");
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];

		if (s->group)
			buf_printf(out, "\n# ---- %s ----\n", s->group);
		buf_put_char(out, '\n');
		print_comment(out, s->help);
		if (s->type != SET_TEXT && s->type != SET_WORDS) {
			buf_put_text(out, "# Allowed: ");
			setting_print_allowed(out, s);
			buf_put_text(out, s->reload ? "; SIGHUP takes it.\n"
						    : "; needs a restart.\n");
		}
		setting_print_lines(out, c, s);
	}
}

void config_print_help(struct buf *out, const struct config *c)
{
	buf_put_text(out,
		     "treatyd - coordinator of distributed transactions\n\n"
		     "usage: treatyd [--config FILE] [--port N] "
		     "[--name=value ...]\n\n"
		     "  --config FILE     read it (default " SYSTEM_FILE
		     " if it is there)\n"
		     "  --port N          agents on 127.0.0.1:N, operators on "
		     "N+1; 0: free ones,\n"
		     "                    written to DATA_DIR/address\n"
		     "  --check-config    say whether it could start with "
		     "this configuration\n"
		     "  --print-config    the commented configuration file\n"
		     "  --help, --version\n\n"
		     "Settings (default):\n");
	for (size_t i = 0; i < n_settings; i++) {
		buf_put_text(out, "  --");
		for (const char *p = settings[i].name; *p; p++)
			buf_put_char(out, *p == '_' ? '-' : *p);
		buf_put_text(out, " (");
		setting_print(out, c, &settings[i]);
		buf_put_text(out, ")\n");
	}
}
