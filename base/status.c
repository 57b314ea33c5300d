#include "base/status.h"

static const char *const gtx_names[GTX_STATUSES] = {
	[GTX_UNKNOWN] = "Unknown",
	[GTX_BEGIN] = "Begin",
	[GTX_COMMITTING] = "Committing",
	[GTX_COMMIT_RETRYING] = "CommitRetrying",
	[GTX_ROLLBACKING] = "Rollbacking",
	[GTX_ROLLBACK_RETRYING] = "RollbackRetrying",
	[GTX_TIMEOUT_ROLLBACKING] = "TimeoutRollbacking",
	[GTX_TIMEOUT_ROLLBACK_RETRYING] = "TimeoutRollbackRetrying",
	[GTX_ASYNC_COMMITTING] = "AsyncCommitting",
	[GTX_COMMITTED] = "Committed",
	[GTX_COMMIT_FAILED] = "CommitFailed",
	[GTX_ROLLBACKED] = "Rollbacked",
	[GTX_ROLLBACK_FAILED] = "RollbackFailed",
	[GTX_TIMEOUT_ROLLBACKED] = "TimeoutRollbacked",
	[GTX_TIMEOUT_ROLLBACK_FAILED] = "TimeoutRollbackFailed",
	[GTX_FINISHED] = "Finished",
	[GTX_COMMIT_RETRY_TIMEOUT] = "CommitRetryTimeout",
	[GTX_ROLLBACK_RETRY_TIMEOUT] = "RollbackRetryTimeout",
	[GTX_DELETING] = "Deleting",
	[GTX_STOP_COMMIT] = "StopCommitOrCommitRetry",
	[GTX_STOP_ROLLBACK] = "StopRollbackOrRollbackRetry",
};

static const char *const branch_names[BRANCH_STATUSES] = {
	[BRANCH_UNKNOWN] = "Unknown",
	[BRANCH_REGISTERED] = "Registered",
	[BRANCH_PHASE_ONE_DONE] = "PhaseOne_Done",
	[BRANCH_PHASE_ONE_FAILED] = "PhaseOne_Failed",
	[BRANCH_PHASE_ONE_TIMEOUT] = "PhaseOne_Timeout",
	[BRANCH_COMMITTED] = "PhaseTwo_Committed",
	[BRANCH_COMMIT_RETRYABLE] = "PhaseTwo_CommitFailed_Retryable",
	[BRANCH_COMMIT_UNRETRYABLE] = "PhaseTwo_CommitFailed_Unretryable",
	[BRANCH_ROLLBACKED] = "PhaseTwo_Rollbacked",
	[BRANCH_ROLLBACK_RETRYABLE] = "PhaseTwo_RollbackFailed_Retryable",
	[BRANCH_ROLLBACK_UNRETRYABLE] = "PhaseTwo_RollbackFailed_Unretryable",
	[BRANCH_COMMIT_NOTA] = "PhaseTwo_CommitFailed_XAER_NOTA_Retryable",
	[BRANCH_ROLLBACK_NOTA] = "PhaseTwo_RollbackFailed_XAER_NOTA_Retryable",
	[BRANCH_RDONLY] = "PhaseOne_RDONLY",
	[BRANCH_STOP_RETRY] = "STOP_RETRY",
	[BRANCH_PREPARE_FAILED] = "PhaseOne_PrepareFailed",
};

const char *gtx_status_name(int status)
{
	return status >= 0 && status < GTX_STATUSES ? gtx_names[status]
						    : "Unknown";
}

const char *branch_status_name(int status)
{
	return status >= 0 && status < BRANCH_STATUSES ? branch_names[status]
						       : "Unknown";
}

const char *branch_mode_name(int mode)
{
	switch (mode) {
	case MODE_AT:
		return "AT";
	case MODE_TCC:
		return "TCC";
	case MODE_SAGA:
		return "SAGA";
	case MODE_XA:
		return "XA";
	case MODE_SAGA_ANNOTATION:
		return "SAGA_ANNOTATION";
	case MODE_MSG:
		return "MSG";
	default:
		return "Unknown";
	}
}

bool gtx_status_finished(int status)
{
	return status == GTX_COMMITTED || status == GTX_ROLLBACKED ||
	       status == GTX_TIMEOUT_ROLLBACKED;
}

bool gtx_status_hung(int status)
{
	switch (status) {
	case GTX_COMMIT_FAILED:
	case GTX_ROLLBACK_FAILED:
	case GTX_TIMEOUT_ROLLBACK_FAILED:
	case GTX_COMMIT_RETRY_TIMEOUT:
	case GTX_ROLLBACK_RETRY_TIMEOUT:
	case GTX_STOP_COMMIT:
	case GTX_STOP_ROLLBACK:
		return true;
	default:
		return false;
	}
}
