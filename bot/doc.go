// Package bot decides what to do with one message of a contact: answer from the
// knowledge base, ask which Topic is meant, refuse, say honestly that it does
// not know, or hand the conversation to people.
//
// Deciding is pure: no clock, no I/O, no state but the Memory that is passed in
// and handed back. Rules come before the ranker; a request for a person, a
// complaint and a safety signal win in one turn, whatever went before
// (RULES §8.3, §9). The bot says only approved answers and reviewed sentences.
package bot
