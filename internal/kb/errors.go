package kb

// The stable codes of what the workflow refuses; docs/protocol.md says them.
const (
	CodeNotEditable = "not_editable"      // a directory is in force
	CodeBadState    = "bad_state"         // not in this state of the version
	CodeOwnWork     = "own_work"          // the reviewer wrote or submitted it
	CodeNotApproved = "not_approved"      // publish needs an approving review
	CodeCheckRuns   = "check_running"     // the gate is still being run
	CodeGateFailed  = "gate_failed"       // the tests got worse
	CodeStaleBase   = "stale_base"        // another version was published since
	CodeChanged     = "changed_meanwhile" // somebody else changed it
	CodeNotTopic    = "not_a_topic"       // it cannot be written as a Topic
	CodeProblems    = "has_problems"      // the knowledge does not load
	CodeBadSheet    = "bad_sheet"         // a file that cannot be read
	CodeBusy        = "busy"              // too much waits in the background
	CodeTooMany     = "too_many"          // a bound of what is kept
	CodeBadValue    = "bad_value"         // a field is missing or has a wrong value
	CodeOverride    = "override_forbidden"
)

// Error is a refusal with its code and what a person needs to go on.
type Error struct {
	Code   string
	Detail string
	// Gate says which cases got worse; Run which run to wait for; Problems what
	// is to be mended ([]intents.Problem).
	Gate     *Gate
	Run      string
	Problems any
}

func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// Refuse returns an *Error.
func Refuse(code, detail string) error { return &Error{Code: code, Detail: detail} }
