#include "tc/cli/cli.h"

/* Options complete from what each command takes, xids from the coordinator. */
static const char bash[] =
	"_treaty()\n"
	"{\n"
	"	local cur=${COMP_WORDS[COMP_CWORD]} "
	"prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"	local line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" words=\n"
	"	local global='--server --json --no-color --help'\n"
	"	# An xid has colons, at which bash splits words.\n"
	"	if declare -F _get_comp_words_by_ref >/dev/null; then\n"
	"		_get_comp_words_by_ref -n : cur prev\n"
	"	fi\n"
	"	case $prev in\n"
	"	--values | --input | --definition | put) mapfile -t COMPREPLY "
	"< <(compgen -f -- \"$cur\"); "
	"return ;;\n"
	"	--status) words='Begin Committing CommitRetrying Rollbacking\n"
	"		RollbackRetrying TimeoutRollbacking "
	"TimeoutRollbackRetrying\n"
	"		CommitFailed RollbackFailed TimeoutRollbackFailed\n"
	"		CommitRetryTimeout RollbackRetryTimeout' ;;\n"
	"	--server | --text | --resource | --min-age | --limit | --after "
	"| \\\n"
	"	--branch | --reason | --key | --version | --deadline | --wait "
	"| \\\n"
	"	--task) return ;;\n"
	"	*)\n"
	"		case $line in\n"
	"		'tx list'*) words=\"--hung --status --text --resource "
	"--min-age\n"
	"			--finished --limit --after --quiet $global\" "
	";;\n"
	"		'tx show' | 'tx retry' | 'tx resolve')\n"
	"			words=$(treaty tx list --quiet --limit 100 "
	"2>/dev/null) ;;\n"
	"		'tx retry'*) words=\"--branch --reason $global\" ;;\n"
	"		'tx resolve'*) words=\"--use-undo --keep-current "
	"--values\n"
	"			--reason --yes $global\" ;;\n"
	"		'tx show'*) words=$global ;;\n"
	"		'message list'*) words=\"--hung --status --text "
	"--resource --min-age\n"
	"			--finished --limit --after --quiet $global\" "
	";;\n"
	"		'message show' | 'message replay')\n"
	"			words=$(treaty message list --quiet --limit "
	"100 2>/dev/null) ;;\n"
	"		'message replay'*) words=\"--reason $global\" ;;\n"
	"		'message dead'*) words=\"--limit --after $global\" "
	";;\n"
	"		'saga list'*) words=\"--hung --status --text "
	"--min-age\n"
	"			--finished --limit --after --quiet $global\" "
	";;\n"
	"		'saga start'*) words=\"--definition --version --key "
	"--input\n"
	"			--deadline --wait $global\" ;;\n"
	"		'saga show' | 'saga forward' | 'saga compensate' | "
	"'saga skip')\n"
	"			words=$(treaty saga list --quiet --limit 100 "
	"2>/dev/null) ;;\n"
	"		'saga skip'*) words=\"--task --reason $global\" ;;\n"
	"		'saga forward'* | 'saga compensate'*) "
	"words=\"--reason $global\" ;;\n"
	"		'machine show'* | 'machine drop'*) "
	"words=\"--version $global\" ;;\n"
	"		saga) words='list show start forward compensate skip' "
	";;\n"
	"		machine) words='list show put drop' ;;\n"
	"		message) words='list show dead replay' ;;\n"
	"		topic) words='list subscribe unsubscribe' ;;\n"
	"		tx) words='list show retry resolve' ;;\n"
	"		completion) words=bash ;;\n"
	"		'') words='tx saga machine message topic status "
	"ping completion help --version' "
	";;\n"
	"		*) words=$global ;;\n"
	"		esac ;;\n"
	"	esac\n"
	"	mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	"	if declare -F __ltrim_colon_completions >/dev/null; then\n"
	"		__ltrim_colon_completions \"$cur\"\n"
	"	fi\n"
	"}\n"
	"complete -F _treaty treaty\n";

int command_completion(struct cli *c, int argc, char **argv)
{
	struct args a = {
		.argc = argc, .argv = argv, .words_min = 1, .words_max = 1
	};
	int rc = args_parse(c, "completion", &a);

	if (rc != EXIT_OK)
		return rc;
	if (c->help) {
		print_help(c, "completion");
		return EXIT_OK;
	}
	if (strcmp(a.words[0], "bash") != 0) {
		complain("no completions for %s; there are some for bash",
			 a.words[0]);
		return EXIT_USAGE;
	}
	buf_put_text(&c->out, bash);
	return EXIT_OK;
}
