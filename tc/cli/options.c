#include "tc/cli/cli.h"

/* The option that `name` spells, as a word or as one letter. */
static const struct option *find(const struct option *options, size_t n,
				 struct bytes name, bool letter)
{
	for (size_t i = 0; i < n; i++) {
		char of[2] = { options[i].letter, '\0' };

		if (bytes_equal(name, bytes_of(letter ? of : options[i].name)))
			return &options[i];
	}
	return NULL;
}

static int usage(const char *command, const char *what, const char *arg)
{
	complain("%s%s%s; see treaty %s --help", what, *arg ? " " : "", arg,
		 command);
	return EXIT_USAGE;
}

/* One option at argv[*i]; takes the argument behind it if it must. */
static int take_option(const char *command, struct args *a,
		       const struct option *global, size_t n_global, int *i)
{
	const char *arg = a->argv[*i];
	bool letter = arg[1] != '-';
	const char *name = arg + (letter ? 1 : 2);
	const char *equals = letter ? NULL : strchr(name, '=');
	struct bytes spelt = bytes_of(name);
	const struct option *o;

	if (equals)
		spelt.len = (size_t)(equals - name);
	o = find(a->options, a->n_options, spelt, letter);
	if (!o)
		o = find(global, n_global, spelt, letter);
	if (!o)
		return usage(command, "unknown option", arg);
	if (o->flag) {
		*o->flag = true;
		return equals ? usage(command, "no value belongs to", arg)
			      : EXIT_OK;
	}
	if (equals)
		*o->value = equals + 1;
	else if (*i + 1 < a->argc)
		*o->value = a->argv[++*i];
	else
		return usage(command, "a value is missing behind", arg);
	return EXIT_OK;
}

void cli_server(struct cli *c, const char *server)
{
	struct bytes text = bytes_of(server);
	char *copy;

	while (text.len > 0 && text.data[text.len - 1] == '/')
		text.len--;
	copy = arena_text(&c->arena, text);
	c->server = copy ? copy : server;
}

int args_parse(struct cli *c, const char *command, struct args *a)
{
	const char *server = NULL;
	bool plain = false, only_words = false;
	const struct option global[] = {
		{ "server", 's', &server, NULL },
		{ "json", 0, NULL, &c->json },
		{ "no-color", 0, NULL, &plain },
		{ "help", 'h', NULL, &c->help },
	};
	int rc = EXIT_OK;

	for (int i = 0; i < a->argc && rc == EXIT_OK; i++) {
		const char *arg = a->argv[i];

		if (!only_words && strcmp(arg, "--") == 0)
			only_words = true;
		else if (!only_words && arg[0] == '-' && arg[1] != '\0')
			rc = take_option(command, a, global, ARRAY_LEN(global),
					 &i);
		else if (a->n_words == a->words_max)
			rc = usage(command, "too many arguments:", arg);
		else
			a->words[a->n_words++] = arg;
	}
	if (plain)
		c->color = false;
	if (server) {
		cli_server(c, server);
		c->server_given = true;
	}
	if (rc == EXIT_OK && !c->help && a->n_words < a->words_min)
		rc = usage(command, "an argument is missing", "");
	return rc;
}
