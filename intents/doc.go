// Package intents is the knowledge base: approved answers (Topics), the rules
// that raise a conversation's priority (Signals), what every bot must know by
// itself (Builtins) and the fixed, reviewed sentences (phrases).
//
// It is a directory of plain files, read from any fs.FS:
//
//	topics/*.yaml   answers with their phrasings, one category a file
//	forms/*.yaml    questions whose answers an agent will need, one form a file
//	signals.yaml    safety and escalation rules
//	builtins.yaml   human request, complaint, greeting, thanks, opt-out …
//	phrases.yaml    every sentence the product says that is not an answer
//	words.txt       words the segmenter must keep whole: "word frequency tag"
//	synonyms.txt    groups of words that mean the same, one group a line
//
// A directory of one's own needs only topics/. A missing forms/, signals.yaml,
// builtins.yaml, words.txt or synonyms.txt, and every phrase that is not given,
// come from the embedded base, so nobody loses the safety rules by forgetting a
// file.
//
// Loading is strict: unknown keys, duplicates, dead links and unknown
// placeholders fail, all reported at once with file and line. A loaded Base
// never changes; a new version is a new Base.
package intents
