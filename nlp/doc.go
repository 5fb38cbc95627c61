// Package nlp understands one utterance: it normalises text, matches rules
// through odd spellings, cuts words, finds entities, and ranks the labels of a
// knowledge base by calibrated probability with an explanation.
//
// Everything is trained inside the process from the examples alone. Nothing
// here knows what a Topic is, does network I/O, or keeps a person's words.
//
// Text that reaches the functions of this package may be hostile: any byte
// sequence is accepted, and work is bounded by [MaxRunes].
package nlp

import "embed"

// MaxRunes bounds how much of one text is looked at. A channel's own limit is
// 2,000 characters; what is longer comes from files.
const MaxRunes = 4000

//go:embed data
var dataFS embed.FS
