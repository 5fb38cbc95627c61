package intents

// The rules a Problem may name. They are stable: scripts and screens tell
// problems apart by them.
const (
	// RuleForm is a file that is not what Load reads: YAML, keys, ids, limits.
	RuleForm = "form"
	// RuleMissing is a part every Topic needs, RuleValue one that says what it
	// may not: a kind there is not, a phrasing without a letter.
	RuleMissing      = "missing"
	RuleValue        = "value"
	RuleDuplicate    = "duplicate_phrasing"
	RuleFewPhrasings = "few_phrasings"
	RuleLength       = "answer_length"
	RulePromise      = "promise"
	RuleInvented     = "number_without_source"
	RulePersonalData = "personal_data"
	RuleDeadLink     = "dead_link"
	RulePlaceholder  = "placeholder"
	// RuleConfig is something config lacks.
	RuleConfig = "config"
)
